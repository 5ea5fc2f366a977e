"""The configuration's sections on logins, leases and minted credentials: what a good one becomes, and what is wrong with a bad one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hooptui.auth.issuer import Profile
from hooptui.auth.validity import Mode
from hooptui.config.build import notify
from hooptui.config.load import Config, load_text
from hooptui.core.model import Kind
from hooptui.credentials import certificates
from hooptui.errors import UserError
from hooptui.notify.notice import Topic
from tests.config.test_config import GOOD

PORTAL = """
portal:
  url: https://bastion.example.com:8443
  ways: [{id: company, title: Company login, issuer: https://id.example.com, client_id: hooptui, client_secret: {file: secret}}]
  saml: [{id: corp, title: SAML, entity_id: https://idp.example.com/saml, sso_url: https://idp.example.com/sso, certificates: [idp.pem], groups: memberOf}]
  metrics: {file: metrics}
leases: {lasts: 2h}
"""
LISTEN = 'listen: {postgres: "127.0.0.1:6432", portal: "[::1]:8443"}'


def made(text: str, base: Path) -> Config:
    return load_text(text, "hooptui.yaml", base)


def refusal(text: str, base: Path) -> str:
    with pytest.raises(UserError) as wrong:
        made(text, base)
    return str(wrong.value)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    own = certificates.ensure(tmp_path / "idp", ("idp.example.com",), now=time.time())
    (tmp_path / "idp.pem").write_bytes(own.certificate.read_bytes())
    for name in ("secret", "metrics"):
        (tmp_path / name).write_text("a-secret-of-some-length\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def with_portal(portal: str = PORTAL) -> str:
    return GOOD.replace('listen: {postgres: "127.0.0.1:6432"}', LISTEN) + portal


def test_a_portal(base: Path) -> None:
    config = made(with_portal(), base)
    assert config.leases.lasts == 7200
    assert config.portal is not None
    assert (config.portal.settings.host, config.portal.settings.port) == ("::1", 8443)
    assert config.portal.settings.ways[0].client_secret is None, "a configuration holds references, never values"
    assert config.portal.settings.saml[0].sp_entity_id == "https://bastion.example.com:8443/saml/corp/metadata"
    whole = config.portal.with_secrets()
    assert whole.ways[0].client_secret is not None and whole.ways[0].client_secret.matches("a-secret-of-some-length")
    assert whole.metrics is not None
    assert "a-secret" not in repr(config) + repr(whole)


def test_no_portal(base: Path) -> None:
    assert made(GOOD, base).portal is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + PORTAL, "expected portal and listen.portal together"),
        (GOOD.replace('listen: {postgres: "127.0.0.1:6432"}', LISTEN), "expected portal and listen.portal together"),
        (with_portal().replace("issuer: https://id.example.com, client_id", "issuer: https://other.example, client_id"), "found issuer 'https://other.example'"),
        (with_portal().replace("  url: https", "  url: http"), "public_url"),
        (with_portal().replace("id: corp", "id: company"), "the id 'company' is there twice"),
        (with_portal().replace("idp.pem", "nothing.pem"), "nothing.pem"),
        (with_portal().replace("lasts: 2h", "lasts: 13h"), "1m to 12h"),
        (GOOD + "notify: [{name: a, webhook: https://h.example, apprise: {file: x}}]\n", "webhook (with secret) or apprise"),
        (GOOD + "notify: [{name: a, webhook: https://h.example}]\n", "secret together with webhook"),
        (GOOD + "notify: [{name: a, apprise: {file: x}, events: [everything]}]\n", "everything"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(base: Path, text: str, says: str) -> None:
    assert says in refusal(text, base)


def issuer(more: str) -> str:
    return GOOD.replace("    audience: hooptui\n", "    audience: hooptui\n" + more)


def test_an_issuer_with_all_that_can_be_said(base: Path) -> None:
    text = issuer(
        "    actor: act.sub\n    owners: {'svc-*': alice}\n    require: {tenant: t1, tier: [a, b]}\n"
        "    subjects: ['svc-*']\n    kind: {claim: idtyp, equals: app}\n"
        "    revocation: {mode: introspection, interval: 2s, keep_for: 0s, client_id: gw, client_secret: {file: secret}}\n"
    )
    [one] = made(text, base).issuers
    assert one.actor == "act.sub" and one.owners == {"svc-*": "alice"}
    assert one.require == {"tenant": {"t1"}, "tier": {"a", "b"}}
    assert one.revocation.mode is Mode.INTROSPECTION and one.revocation.interval == 2.0


async def test_the_secret_of_an_introspection_is_read_when_it_is_needed(base: Path) -> None:
    [one] = made(
        issuer("    revocation: {mode: introspection, client_id: gw, client_secret: {file: secret}}\n"), base
    ).issuers
    assert one.revocation.client_secret is not None
    (base / "secret").write_text("rotated\n")
    assert (await one.revocation.client_secret()).matches("rotated")


def test_a_denylist_is_beside_the_configuration(base: Path) -> None:
    [one] = made(issuer("    revocation: {mode: denylist, denylist: revoked.txt}\n"), base).issuers
    assert one.revocation.denylist == str(base / "revoked.txt")


def test_a_profile_brings_its_defaults_and_its_demands(base: Path) -> None:
    text = GOOD.replace(
        "issuer: https://id.example.com",
        "issuer: https://token.actions.githubusercontent.com\n    profile: github-actions",
    )
    assert "repository_id" in refusal(text, base)
    [one] = made(
        text.replace("    audience: hooptui\n", "    audience: hooptui\n    require: {repository_id: '77'}\n"), base
    ).issuers
    assert one.profile is Profile.GITHUB and one.kind is Kind.WORKLOAD


def test_a_mint(base: Path) -> None:
    text = GOOD.replace("    labels:", "    mint: {role: orders_rw, connections: 2}\n    labels:")
    [target] = made(text, base).targets
    assert target.mint is not None
    assert (target.mint.role, target.mint.user, target.mint.connections) == ("orders_rw", "", 2)
    assert "user and password together" in refusal(text.replace("connections: 2", "user: minter"), base)


def test_channels_out_of_band(base: Path) -> None:
    (base / "hook").write_text("whsec_" + "QUFB" * 8)
    (base / "hook").chmod(0o600)
    text = GOOD + "notify: [{name: hooks, webhook: https://h.example/x, secret: {file: hook}, events: [held]}]\n"
    config = made(text, base)
    settings = notify(config.notify)
    assert settings is not None
    [hook] = settings.webhooks
    assert (hook.name, hook.url, hook.events) == ("hooks", "https://h.example/x", {Topic.HELD})
    assert "QUFB" not in repr(config) + repr(settings)
    assert notify(made(GOOD, base).notify) is None
    (base / "hook").write_text("short")
    with pytest.raises(ValueError, match="whsec_") as wrong:
        notify(config.notify)
    assert "short" not in str(wrong.value)
