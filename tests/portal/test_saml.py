"""SAML through the portal over real TLS: only the browser that asked gets the login, once, and hostile answers get a page."""

from __future__ import annotations

import base64
import re
import ssl
import threading
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from lxml import etree

from hooptui.auth.oidc import Verifier
from hooptui.auth.saml.refusals import WORDS, SamlCode
from hooptui.auth.saml.service import ServiceProvider
from hooptui.core.clock import ManualClock, SystemClock
from hooptui.credentials import certificates
from hooptui.errors import UserError
from hooptui.portal.server import Portal
from hooptui.portal.settings import PortalSettings
from tests.auth.saml.forge import IDP, NOW, SP, Memory, assertion, at, attribute, b64, envelope, sign, way
from tests.portal.porter import FakePorter


@dataclass
class World:
    portal: Portal
    porter: FakePorter
    replays: Memory
    trust: ssl.SSLContext

    @property
    def acs(self) -> str:
        return f"{self.portal.url}/saml/acs"

    def browser(self) -> aiohttp.ClientSession:
        """One with cookies of its own."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.trust), cookie_jar=aiohttp.CookieJar(unsafe=True)
        )

    async def leave(self, browser: aiohttp.ClientSession) -> tuple[str, str]:
        """Off to the provider; the request's ID and the RelayState."""
        async with browser.get(f"{self.portal.url}/saml/corp/login", allow_redirects=False) as went:
            assert went.status == 303
            query = parse_qs(urlsplit(went.headers["Location"]).query)
        request = etree.fromstring(zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), wbits=-15))
        assert request.get("AssertionConsumerServiceURL") == self.acs
        return request.get("ID") or "", query["RelayState"][0]

    def response(self, request: str, **changes: str) -> str:
        made = assertion(answers=request, recipient=self.acs, **changes)  # type: ignore[arg-type]
        return envelope(sign(made), answers=request, destination=self.acs)

    async def post(self, form: dict[str, str]) -> tuple[int, str, str]:
        """The provider's page posts, from its own site: without any cookie of ours. Status, Location, text."""
        async with (
            self.browser() as bare,
            bare.post(
                self.acs, data=form, headers={"Origin": "https://idp.example.com"}, allow_redirects=False
            ) as answer,
        ):
            return answer.status, answer.headers.get("Location", ""), await answer.text()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    own = certificates.ensure(tmp_path / "tls", [], now=SystemClock().now())
    context = certificates.server_context(own.certificate, own.key, now=SystemClock().now())
    clock, replays = ManualClock(NOW), Memory()
    async with Verifier([], clock) as verifier:
        porter = FakePorter(verifier, clock)
        portal = Portal(PortalSettings(saml=(way(),)), context, porter, verifier, clock, replays=replays)
        await portal.start()
        try:
            yield World(portal, porter, replays, ssl.create_default_context(cafile=str(own.ca)))
        finally:
            await portal.stop()


async def test_the_way_in_to_a_lease(world: World) -> None:
    async with world.browser() as browser:
        request, state = await world.leave(browser)
        form = {
            "SAMLResponse": b64(world.response(request, session=f' SessionNotOnOrAfter="{at(600)}"')),
            "RelayState": state,
        }
        status, where, _ = await world.post(form)
        assert status == 303 and where.startswith("/login/finish?ticket=")
        async with browser.get(f"{world.portal.url}{where}") as home:
            page = await home.text()
        assert "ETL seven" in page and world.porter.refusals == []
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        assert csrf is not None
        async with browser.post(
            f"{world.portal.url}/lease", data={"csrf": csrf[1]}, headers={"Origin": world.portal.url}
        ) as leased:
            assert leased.status == 200
    [(lease, how, _)] = world.porter.issued
    assert (how, lease.identity.key, lease.expires_at) == ("saml", f"{IDP}#etl-7", NOW + 600)
    assert lease.identity.groups == {"agents", "night"}


async def test_only_the_browser_that_asked_gets_the_login(world: World) -> None:
    async with world.browser() as asked, world.browser() as other:
        request, state = await world.leave(asked)
        await world.leave(other)
        _, where, _ = await world.post({"SAMLResponse": b64(world.response(request)), "RelayState": state})
        async with other.get(f"{world.portal.url}{where}") as answer:
            assert answer.status == 403 and "login-unknown" in await answer.text()
        # And the ticket is spent: nobody else can try it.
        async with asked.get(f"{world.portal.url}{where}") as answer:
            assert answer.status == 403


async def test_one_answer_to_each_question(world: World) -> None:
    async with world.browser() as browser:
        request, state = await world.leave(browser)
        form = {"SAMLResponse": b64(world.response(request)), "RelayState": state}
        assert (await world.post(form))[0] == 303
        status, _, page = await world.post(form)
        assert (status, world.porter.codes()) == (403, ["login-unknown"])
        _, state = await world.leave(browser)
        status, _, page = await world.post({**form, "RelayState": state})
        assert status == 403 and SamlCode.WRONG_REQUEST in page
        request, state = await world.leave(browser)
        status, _, page = await world.post({"SAMLResponse": b64(world.response(request)), "RelayState": state})
        assert status == 403 and SamlCode.REPLAYED in page  # the same assertion ID in a new response
    assert world.porter.codes() == ["login-unknown", SamlCode.WRONG_REQUEST, SamlCode.REPLAYED]


async def test_a_wrong_answer_ends_the_login_it_was_for(world: World) -> None:
    async with world.browser() as browser:
        request, state = await world.leave(browser)
        bad = world.response(request).replace("etl-7", "ops-1")
        status, _, page = await world.post({"SAMLResponse": b64(bad), "RelayState": state})
        _, hint = WORDS[SamlCode.BAD_SIGNATURE]
        assert status == 403 and SamlCode.BAD_SIGNATURE in page and "ops-1" not in page and hint[1:] in page
        good = world.response(request)
        assert (await world.post({"SAMLResponse": b64(good), "RelayState": state}))[0] == 403
    assert world.porter.codes() == [SamlCode.BAD_SIGNATURE, "login-unknown"]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"SAMLResponse": "x"}, SamlCode.UNSOLICITED),
        ({"SAMLResponse": "x", "RelayState": ""}, SamlCode.UNSOLICITED),
        ({"SAMLResponse": "x", "RelayState": "https://bastion.example.com/"}, "login-unknown"),
        ({"RelayState": "\U0001f600" * 2000}, "login-unknown"),
    ],
)
async def test_nobody_is_logged_in_who_did_not_begin_here(world: World, form: dict[str, str], code: str) -> None:
    status, _, page = await world.post(form)
    assert status == 403 and code in page and world.porter.codes() == [code]


async def test_a_login_by_another_way_is_no_saml_login(world: World) -> None:
    context = world.portal._context
    _, visit = context.visits.begin("127.0.0.1:1")
    state = context.visits.leave(visit, "op", object())
    status, _, page = await world.post({"SAMLResponse": "x", "RelayState": state})
    assert status == 403 and SamlCode.WRONG_REQUEST in page


async def test_large_answers_are_read_and_larger_ones_refused_politely(world: World) -> None:
    async with world.browser() as browser:
        request, state = await world.leave(browser)
        large = world.response(request, attributes=attribute("groups", *(f"{n:0180}" for n in range(1_000))))
        assert 200_000 < len(large) < 262_144
        status, _, page = await world.post({"SAMLResponse": b64(large), "RelayState": state})
        assert status == 303, page
        _, state = await world.leave(browser)
        status, _, page = await world.post({"SAMLResponse": b64(b"x" * 262_145), "RelayState": state})
        assert status == 403 and SamlCode.TOO_LARGE in page


async def test_without_a_memory_nobody_is_let_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(UserError):
        pass

    def forgetful(kind: str, id_: str, until: float) -> bool:
        raise Full("store.sqlite: the disk is full")

    monkeypatch.setattr(world.replays, "seen", forgetful)
    async with world.browser() as browser:
        request, state = await world.leave(browser)
        status, _, page = await world.post({"SAMLResponse": b64(world.response(request)), "RelayState": state})
    assert status == 503 and "store-down" in page and "disk" not in page
    [(code, words)] = world.porter.troubles
    assert code == "store-down" and words.endswith("the disk is full")


async def test_xml_is_read_off_the_loop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    judge = ServiceProvider.judge

    def watched(self: ServiceProvider, *rest: object) -> object:
        threads.append(threading.get_ident())
        return judge(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ServiceProvider, "judge", watched)
    async with world.browser() as browser:
        request, state = await world.leave(browser)
        assert (await world.post({"SAMLResponse": b64(world.response(request)), "RelayState": state}))[0] == 303
    assert len(threads) == 1 and threads[0] != threading.get_ident()


async def test_metadata_for_the_provider(world: World) -> None:
    async with world.browser() as browser:
        async with browser.get(f"{world.portal.url}/saml/corp/metadata") as answer:
            assert (answer.status, answer.content_type) == (200, "application/samlmetadata+xml")
            root = etree.fromstring(await answer.read())
        assert root.get("entityID") == SP and world.acs in etree.tostring(root, encoding="unicode")
        for path, status in (("/saml/other/metadata", 404), ("/saml/other/login", 404), ("/saml/acs", 405)):
            async with browser.get(f"{world.portal.url}{path}") as answer:
                assert answer.status == status


def test_a_portal_without_a_memory_has_no_saml(tmp_path: Path) -> None:
    own = certificates.ensure(tmp_path / "tls", [], now=SystemClock().now())
    context = certificates.server_context(own.certificate, own.key, now=SystemClock().now())
    clock = ManualClock(NOW)
    verifier = Verifier([], clock)
    with pytest.raises(ValueError, match="replays: found none"):
        Portal(PortalSettings(saml=(way(),)), context, FakePorter(verifier, clock), verifier, clock)
