"""A real Keycloak before a real gateway, with a real browser: SAML and OIDC logins to leases, and leases to psql.

What Keycloak can be made to send that must be refused is asked of it and refused; so is a login that it begins itself.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from hooptui.auth.saml.refusals import SamlCode
from hooptui.auth.saml.service import ServiceProvider
from hooptui.auth.saml.settings import SamlWay
from hooptui.core.clock import SystemClock
from hooptui.core.gate import LoginRefused
from tests.auth.saml.forge import CERT, Memory, b64
from tests.e2e.bed import POLICY, Bed, bed
from tests.postgres_server import PostgresServer
from tests.providers.browser import Chromium, Gone, Page, chromium, spki
from tests.providers.keycloak import AUDIENCE, PORTAL, Keycloak, keycloak

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(600)]

ONCALL = """
  - {id: oncall, effect: allow, when: {principal: {groups: [oncall]}, resource: {protocol: postgres}, postgres: {commands: [reads]}}}
masks:
"""
LEASE = "hl_"


@pytest.fixture(scope="module")
def idp() -> Iterator[Keycloak]:
    with keycloak() as running:
        yield running


@dataclass
class Front:
    bed: Bed
    idp: Keycloak
    url: str
    browser: Chromium

    @property
    def sp(self) -> str:
        return f"{self.url}/saml/corp/metadata"

    def sql(self, secret: str, text: str = "SELECT count(*) FROM orders") -> str:
        done = self.bed.psql(text, token=secret)
        return done.stdout + done.stderr

    async def log_in(self, page: Page, way: str, user: str = "ops-1") -> None:
        """From the portal's choice of ways to the portal again."""
        await page.goto(f"{self.url}/login")
        await page.press(f'a[href="{way}"]')
        await page.fill("#username", user)
        await page.fill("#password", self.idp.passwords[user])
        await page.press("#kc-login")
        await self.back(page)

    async def back(self, page: Page) -> None:
        """Until the browser, after the provider's own posts and redirects, is here again."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            try:
                if (await page.url()).startswith(self.url) and await page.evaluate("document.readyState") == "complete":
                    return
            except Gone:
                continue  # it was between two pages
            await asyncio.sleep(0.05)
        raise AssertionError(f"the browser did not come back: {await page.url()}: {(await page.text())[:500]}")

    async def lease(self, page: Page) -> str:
        assert await page.press('form[action="/lease"] button') == 200
        return await page.text("#lease")


@pytest.fixture(scope="module")
def front(postgres: PostgresServer, idp: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"https://localhost:{port}"
    sp = f"{url}/saml/corp/metadata"
    idp.portal(url, [sp])
    known = idp.way(sp).idp
    pinned = tmp_path_factory.mktemp("pinned") / "idp.pem"
    pinned.write_bytes(known.certificates[0].public_bytes(Encoding.PEM))
    more = f"""
portal:
  url: {url}
  ways: [{{id: kc, title: Keycloak, issuer: "{idp.url}", client_id: {PORTAL}, scopes: [openid, profile]}}]
  saml:
    - {{id: corp, title: Corporate, entity_id: "{known.entity_id}", sso_url: "{known.sso_url}", certificates: {pinned}, groups: groups, name: username}}
"""
    made = bed(
        postgres, policy=POLICY.replace("masks:\n", ONCALL.lstrip("\n"), 1), more=more,
        issuers=f', {{issuer: "{idp.url}", audience: "{AUDIENCE}"}}', listen=f', portal: "127.0.0.1:{port}"',
    )  # fmt: skip
    with made as running, chromium(trust=[spki(running.state / "tls" / "server.crt")]) as browser:
        yield Front(running, idp, url, browser)
        running.gateway.stop("the module is over")
        assert running.leaks() == []


async def test_saml_login_to_a_lease_to_psql(front: Front) -> None:
    async with front.browser.page() as page:
        await front.log_in(page, "/saml/corp/login")
        said = await page.text()
        assert "ops-1 (person)" in said and "dba, oncall" in said and front.idp.url in said
        secret = await front.lease(page)
        assert page.complaints == []
    assert secret.startswith(LEASE) and front.sql(secret) == "200\n"
    [view] = [one for one in front.bed.snapshot().leases if one.id == secret.partition(".")[0]]
    assert view.how == "saml"
    assert "no rule lets you" in front.sql(secret, "DROP TABLE orders")
    journal = json.dumps(front.bed.journal())
    assert view.id in journal and secret.partition(".")[2] not in journal


async def test_the_lease_is_a_scram_login_too(front: Front) -> None:
    async with front.browser.page() as page:
        await front.log_in(page, "/saml/corp/login")
        name, _, password = (await front.lease(page)).partition(".")
    done = front.bed.run(
        "psql", "-X", "-A", "-t", "-c", "SELECT 1", token=password, PGUSER=name, PGCHANNELBINDING="require"
    )
    assert done.stdout == "1\n", done.stderr


async def test_oidc_login_in_the_browser_to_a_lease_to_psql(front: Front) -> None:
    async with front.browser.page() as page:
        await front.log_in(page, "/login/kc")
        assert "dba, oncall" in await page.text()
        secret = await front.lease(page)
    assert front.sql(secret) == "200\n"


async def test_a_device_is_let_in_by_a_saml_login(front: Front) -> None:
    trust = ssl.create_default_context(cafile=str(front.bed.ca))

    def ask(path: str, **form: str) -> dict[str, Any]:
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{front.url}{path}", data, timeout=60, context=trust) as answer:
            return dict(json.loads(answer.read()))

    started = await asyncio.to_thread(ask, "/v1/device", purpose="INC-1")
    async with front.browser.page() as page:
        await page.goto(started["verification_uri_complete"])
        await page.press("form button")
        await page.press('a[href="/saml/corp/login"]')
        await page.fill("#username", "ops-1")
        await page.fill("#password", front.idp.passwords["ops-1"])
        await page.press("#kc-login")
        await front.back(page)
        assert started["user_code"] in await page.text()
        assert await page.press('button[value="approve"]') == 200
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    given = await asyncio.to_thread(ask, "/v1/device/token", grant_type=grant, device_code=started["device_code"])
    assert (given["identity"]["issuer"], given["identity"]["name"]) == (front.idp.url, "ops-1")
    assert await asyncio.to_thread(front.sql, given["access_token"]) == "200\n"


async def test_who_may_nothing_logs_in_and_gets_nowhere(front: Front) -> None:
    async with front.browser.page() as page:
        await front.log_in(page, "/saml/corp/login", "dev-4")
        secret = await front.lease(page)
    assert "dev-4 has no access" in await asyncio.to_thread(front.sql, secret)


async def test_a_login_that_the_provider_began_is_refused(front: Front) -> None:
    front.idp.saml(front.sp, saml_idp_initiated_sso_url_name="corp")
    async with front.browser.page() as page:
        await page.goto(f"{front.idp.url}/protocol/saml/clients/corp")
        await page.fill("#username", "ops-1")
        await page.fill("#password", front.idp.passwords["ops-1"])
        await page.press("#kc-login")
        await front.back(page)
        assert await page.text("#code") == SamlCode.UNSOLICITED
        assert page.status == 403


def test_client_credentials_to_psql(front: Front) -> None:
    token = front.idp.workload()
    assert front.sql(token) == "200\n"


# What Keycloak itself can be made to send, judged without a gateway around it.


@dataclass
class Bare:
    idp: Keycloak
    sp: str
    acs: str

    def judged(self, way: SamlWay) -> str:
        provider = ServiceProvider(way, SystemClock(), Memory())
        asked = provider.ask(self.acs)
        form = self.idp.answer(asked.url, "ops-1")
        try:
            identity = provider.accept(provider.judge(form["SAMLResponse"], asked))
        except LoginRefused as no:
            return no.code
        assert (identity.issuer, identity.name, identity.groups) == (self.idp.url, "ops-1", {"dba", "oncall"})
        assert identity.expires_at is not None and 6000 < identity.expires_at - time.time() <= 7200
        return identity.subject


@pytest.fixture
def bare(idp: Keycloak) -> Bare:
    """A client of its own, as new."""
    origin = f"https://{secrets.token_hex(4)}.example.com"
    idp.portal(origin, [f"{origin}/sp"])
    return Bare(idp, f"{origin}/sp", f"{origin}/saml/acs")


INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
COMMENTS = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"saml.server.signature": "false"},
        {"saml.assertion.signature": "false"},
        {"saml.signature.algorithm": "RSA_SHA512"},
        {"saml.signature.algorithm": "RSA_SHA256_MGF1"},
        {"saml.server.signature.keyinfo.xmlSigKeyInfoKeyNameTransformer": "NONE"},
        {"saml.server.signature.keyinfo.xmlSigKeyInfoKeyNameTransformer": "CERT_SUBJECT"},
        {"saml.onetimeuse.condition": "true"},
    ],
    ids=lambda one: " ".join(one.values()) or "both signed",
)
def test_whatever_is_right_is_accepted(bare: Bare, attributes: dict[str, str]) -> None:
    bare.idp.saml(bare.sp, **attributes)
    assert bare.judged(bare.idp.way(bare.sp)).startswith("G-")


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"saml.server.signature": "false", "saml.assertion.signature": "false"}, SamlCode.UNSIGNED),
        ({"saml.signature.algorithm": "RSA_SHA1"}, SamlCode.ALGORITHM),
        ({"saml_signature_canonicalization_method": INCLUSIVE}, SamlCode.CANONICALISATION),
        ({"saml_signature_canonicalization_method": COMMENTS}, SamlCode.CANONICALISATION),
        ({"saml_name_id_format": "transient"}, SamlCode.SUBJECT_FORMAT),
        ({"saml_name_id_format": "username"}, SamlCode.SUBJECT_FORMAT),
        ({"saml.authnstatement": "false"}, SamlCode.NO_AUTHENTICATION),
        ({"saml.encrypt": "true"}, SamlCode.ENCRYPTED),
    ],
    ids=lambda one: " ".join(one.values()) if isinstance(one, dict) else "",
)
def test_whatever_is_not_as_it_must_be_is_refused(bare: Bare, attributes: dict[str, str], code: str) -> None:
    if "saml.encrypt" in attributes:
        attributes = attributes | {"saml.encryption.certificate": b64(CERT.public_bytes(Encoding.DER))}
    bare.idp.saml(bare.sp, **attributes)
    assert bare.judged(bare.idp.way(bare.sp)) == code


def test_a_response_for_another_service_is_refused(bare: Bare) -> None:
    way = bare.idp.way(bare.sp)
    provider = ServiceProvider(way, SystemClock(), Memory())
    other = ServiceProvider(bare.idp.way("https://other.example.com/sp"), SystemClock(), Memory())
    asked = provider.ask(bare.acs)
    value = bare.idp.answer(asked.url, "ops-1")["SAMLResponse"]
    with pytest.raises(LoginRefused) as caught:
        other.judge(value, asked)
    assert caught.value.code == SamlCode.WRONG_AUDIENCE
    with pytest.raises(LoginRefused) as caught:
        provider.judge(value, provider.ask(bare.acs))
    assert caught.value.code == SamlCode.WRONG_REQUEST
    with pytest.raises(LoginRefused) as caught:
        provider.judge(value, replace(asked, acs_url=f"{bare.acs}/"))
    assert caught.value.code == SamlCode.WRONG_DESTINATION
    assert provider.accept(provider.judge(value, asked))
    with pytest.raises(LoginRefused) as caught:
        provider.accept(provider.judge(value, asked))
    assert caught.value.code == SamlCode.REPLAYED


def test_a_new_key_is_refused_until_it_is_pinned(bare: Bare) -> None:
    before = bare.idp.way(bare.sp)
    assert bare.judged(before).startswith("G-")
    bare.idp.rotate()
    try:
        assert bare.judged(before) == SamlCode.FOREIGN_KEY
        assert bare.judged(bare.idp.way(bare.sp)).startswith("G-")
    finally:
        bare.idp.unrotate()
