"""What the doctor says of logins and minted roles: what is wrong, before the gateway is started with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from hooptui.core.clock import SystemClock
from hooptui.credentials import certificates
from hooptui.credentials.ssh_certificates import SshCa
from hooptui.credentials.ssh_host import HostCa
from hooptui.doctor import examine as doctor
from tests import ssh_server
from tests.e2e.bed import Bed, bed
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def house(postgres: PostgresServer) -> Iterator[Bed]:
    with bed(postgres) as made:
        yield made


def findings(house: Bed, text: str) -> dict[str, list[doctor.Finding]]:
    file = house.home / "examined.yaml"
    file.write_text(text)
    found: dict[str, list[doctor.Finding]] = {}
    for one in asyncio.run(doctor.examine(file)):
        found.setdefault(one.what, []).append(one)
    return found


def with_portal(house: Bed, ways: str) -> str:
    return (
        house.config_text.replace(
            'listen: {postgres: "127.0.0.1:0"}', 'listen: {postgres: "127.0.0.1:0", portal: "127.0.0.1:0"}'
        )
        + f"portal: {{{ways}}}\n"
    )


def test_a_portal_whose_secret_cannot_be_had(house: Bed) -> None:
    way = f'ways: [{{id: op, title: Op, issuer: "{house.issuer.url}", client_id: x, client_secret: {{file: nowhere}}}}]'
    found = findings(house, with_portal(house, way))
    assert [one.ok for one in found["portal"]] == [True, False]
    assert "nowhere" in str(found["portal"][1])
    (house.home / "nowhere").write_text("s3cret-of-the-client")
    (house.home / "nowhere").chmod(0o600)
    found = findings(house, with_portal(house, way))
    assert [one.ok for one in found["portal"]] == [True]
    assert "approvers" not in found, "people log in, and nobody can say what groups they bring"
    assert "s3cret" not in str(found)


def test_a_pinned_certificate_that_ends_soon(house: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    own = certificates.ensure(house.home / "idp", ("idp.example.com",), now=SystemClock().now())
    way = (
        "saml: [{id: corp, title: Corp, entity_id: https://idp.example.com, sso_url: https://idp.example.com/sso,"
        f" certificates: [{own.certificate}]}}]"
    )
    assert "saml" not in findings(house, with_portal(house, way))
    monkeypatch.setattr(doctor, "SOON", doctor.SOON * 1000)
    [late] = findings(house, with_portal(house, way))["saml"]
    assert not late.ok and "corp: the last pinned certificate ends on" in str(late)


def test_a_mint_that_may_not_mint(house: Bed) -> None:
    text = house.config_text.replace("labels: {env: prod}", "labels: {env: prod}, mint: {role: nobody_has_this_role}")
    [target] = findings(house, text)["target orders-db"]
    assert not target.ok
    assert "mint" in str(target)


def test_a_webhook_with_a_bad_secret(house: Bed, tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("too-short")
    (tmp_path / "hook").chmod(0o600)
    text = (
        house.config_text
        + f'notify: [{{name: hooks, webhook: "https://h.example/x", secret: {{file: "{tmp_path / "hook"}"}}}}]\n'
    )
    [told] = findings(house, text)["notify"]
    assert not told.ok and "whsec_" in str(told) and "too-short" not in str(told)


def test_a_host_that_is_the_pinned_one_and_one_that_is_not(house: Bed, tmp_path: Path) -> None:
    with ssh_server.running() as server:
        (tmp_path / "key").write_text(server.key)
        (tmp_path / "key").chmod(0o600)
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
        for host_key, good in ((server.host_key, True), (other, False)):
            host = (
                f"  web-01: {{protocol: ssh, host: 127.0.0.1, port: {server.port}, user: {server.user}, "
                f'key: {{file: "{tmp_path / "key"}"}}, host_key: "{host_key}"}}\n'
            )
            text = house.config_text.replace("targets:\n", f"targets:\n{host}")
            text = text.replace(
                'listen: {postgres: "127.0.0.1:0"}', 'listen: {postgres: "127.0.0.1:0", ssh: "127.0.0.1:0"}'
            )
            found = findings(house, text)
            assert [one.ok for one in found["target web-01"]] == [good]
            assert [one.ok for one in found["listen ssh"]] == [True]


def test_a_host_that_takes_minted_logins_and_one_that_does_not_yet(house: Bed) -> None:
    with ssh_server.running() as server:
        host = (
            f"  web-01: {{protocol: ssh, host: 127.0.0.1, port: {server.port}, user: {server.user}, mint: {{}}, "
            f'host_key: "{server.host_key}"}}\n'
        )
        text = house.config_text.replace("targets:\n", f"targets:\n{host}")
        text = text.replace(
            'listen: {postgres: "127.0.0.1:0"}', 'listen: {postgres: "127.0.0.1:0", ssh: "127.0.0.1:0"}'
        )
        [found] = findings(house, text.replace("state_dir: state", "state_dir: elsewhere"))["target web-01"]
        assert found.ok and "the first start makes" in found.words
        [first] = findings(house, text.replace("state_dir: state", "state_dir: elsewhere"))["ssh host key"]
        assert first.ok and "first start" in first.words
        assert not (house.home / "elsewhere").exists(), "the doctor makes nothing"
        line = HostCa.kept(house.state).public_key
        [told] = findings(house, text)["ssh host key"]
        assert told.ok and "@cert-authority [localhost]:0,[127.0.0.1]:0,[::1]:0,[bed]:0 " + line in told.words
        authority = SshCa.kept(house.state)
        [found] = findings(house, text)["target web-01"]
        assert not found.ok and "upstream-auth" in found.words and "TrustedUserCAKeys" in found.mend
        server.file("cas", authority.public_key.encode() + b"\n", 0o600)
        [found] = findings(house, text)["target web-01"]
        assert found.ok and "made for the occasion" in found.words


def test_what_is_good_is_said_to_be(house: Bed) -> None:
    found = findings(house, house.config_text)
    assert [one for many in found.values() for one in many if not one.ok] == []
    assert replace(found["portal"][0], ok=True).ok
