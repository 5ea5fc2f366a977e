"""What a hostile web page, a hostile person or a hostile device may try at the portal's pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from hooptui.core.clock import ManualClock
from hooptui.core.model import Identity
from hooptui.portal import pages
from hooptui.portal.base import Login
from hooptui.portal.devices import Devices
from tests.portal.porter import Bed, portal_bed, way
from tests.portal.test_login import away, code, csrf, logged_in, nobody, visit
from tests.providers.oidc_provider import PORTAL, OidcProvider

PAGES = ("/", "/login", "/device", "/device/confirm", "/nowhere", "/callback/op", "/login/finish", "/callback/nowhere")


@pytest.fixture
async def bed(certified: Path, idp: OidcProvider) -> AsyncIterator[Bed]:
    async with portal_bed(certified, way(idp)) as made:
        idp.redirects(PORTAL, f"{made.url}/callback/op")
        yield made


async def waiting(bed: Bed, purpose: str = "psql") -> dict[str, str]:
    async with bed.client.post(f"{bed.url}/v1/device", data={"purpose": purpose}) as said:
        return dict(await said.json())


# --- headers and names


@pytest.mark.parametrize("path", [*PAGES, "/v1/info", "/healthz", "/style.css"])
async def test_every_answer_has_its_armour(bed: Bed, path: str) -> None:
    async with bed.client.get(bed.url + path, allow_redirects=False) as said:
        policy = said.headers["Content-Security-Policy"]
        assert said.headers["X-Frame-Options"] == "DENY"
        assert said.headers["X-Content-Type-Options"] == "nosniff"
        assert said.headers["Referrer-Policy"] == "same-origin"
        assert said.headers["Server"] == "hooptui"
        assert said.headers["Cache-Control"] == ("public, max-age=3600" if path == "/style.css" else "no-store")
        assert "script" not in (await said.text()).lower()
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy


async def test_a_page_answers_to_its_one_name(bed: Bed) -> None:
    for host in ("evil.example", f"evil.example:{bed.port}", f"127.0.0.1:{bed.port}", "localhost", ""):
        async with bed.client.get(bed.url + "/", headers={"Host": host}) as said:
            assert said.status == 421
            page = await said.text()
        assert code(page) == "wrong-host"
        assert "evil" not in page


async def test_a_forged_host_turns_no_link(bed: Bed) -> None:
    async with bed.client.post(f"{bed.url}/v1/device", headers={"Host": f"127.0.0.1:{bed.port}"}) as said:
        assert (await said.json())["verification_uri"] == f"{bed.url}/device"
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"}
    async with bed.client.get(f"{bed.url}/login/op", headers=headers, allow_redirects=False) as said:
        assert "evil" not in said.headers["Location"]


@pytest.mark.parametrize(
    "path",
    [
        "/login?next=https://evil.example", "/login/op?redirect_uri=https://evil.example", "//evil.example/", "/\\evil.example",
        "/login/finish?ticket=x&next=//evil.example", "/callback/op?state=x&redirect=https://evil.example",
        "/login/https:%2f%2fevil.example", "/%2f%2fevil.example",
    ],
)  # fmt: skip
async def test_nobody_is_sent_to_where_a_link_says(bed: Bed, idp: OidcProvider, path: str) -> None:
    async with bed.client.get(bed.url + path, allow_redirects=False) as said:
        where = said.headers.get("Location", "/")
        assert "evil" not in where
        assert where.startswith(("/", idp.url))
        assert not where.startswith("//")
        assert "evil" not in await said.text()


# --- forms


@pytest.mark.parametrize("path", ["/device", "/device/confirm", "/lease", "/logout"])
async def test_a_form_from_elsewhere_does_nothing(bed: Bed, path: str) -> None:
    await logged_in(bed)
    asked = await waiting(bed)
    _, _, page = await visit(bed.client, f"{bed.url}/device")
    form = {"user_code": asked["user_code"], "do": "approve"}
    for headers, extra in (
        ({"Origin": "https://evil.example"}, {"csrf": csrf(page)}),
        ({"Origin": "null"}, {"csrf": csrf(page)}),
        ({}, {}),
        ({}, {"csrf": ""}),
        ({}, {"csrf": "x" * 32}),
        ({}, {"csrf": "\ud7ff€"}),
    ):
        async with bed.client.post(bed.url + path, data=form | extra, headers=headers, allow_redirects=False) as said:
            assert said.status == 403
            assert code(await said.text()) in ("foreign-origin", "foreign-form")
    assert bed.porter.issued == []
    assert bed.portal._context.devices.find(asked["user_code"]) is not None
    _, _, page = await visit(bed.client, f"{bed.url}/")
    assert "You are logged in" in page


async def test_a_token_of_another_browser_is_no_token(bed: Bed) -> None:
    await logged_in(bed)
    connector = aiohttp.TCPConnector(ssl=bed.trust)
    async with aiohttp.ClientSession(connector=connector) as attacker, attacker.get(f"{bed.url}/device") as said:
        theirs = csrf(await said.text())
    status, _, page = await visit(bed.client, f"{bed.url}/lease", csrf=theirs)
    assert (status, code(page)) == (403, "foreign-form")
    assert bed.porter.issued == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_nothing_changes_by_another_method(bed: Bed, method: str) -> None:
    await logged_in(bed)
    for path in ("/lease", "/logout"):
        async with bed.client.request(method, bed.url + path) as said:
            assert said.status == 405
    assert bed.porter.issued == []


async def test_a_page_from_elsewhere_begins_no_login(bed: Bed, idp: OidcProvider) -> None:
    for site in ("cross-site", "same-site"):
        async with bed.client.get(
            f"{bed.url}/login/op", headers={"Sec-Fetch-Site": site}, allow_redirects=False
        ) as said:
            assert (said.status, said.headers["Location"]) == (303, "/login")
            assert "Set-Cookie" not in said.headers
    assert idp.url in await away(bed)


# --- devices


async def entered(bed: Bed, typed: str) -> tuple[int, str, str]:
    _, _, page = await visit(bed.client, f"{bed.url}/device")
    return await visit(bed.client, f"{bed.url}/device", csrf=csrf(page), user_code=typed)


async def test_a_code_is_entered_approved_and_used_up(bed: Bed) -> None:
    asked = await waiting(bed)
    await logged_in(bed)
    status, where, _ = await entered(bed, asked["user_code"].lower().replace("-", " "))
    assert (status, where) == (303, f"{bed.url}/device/confirm")
    _, _, page = await visit(bed.client, where)
    form = {"csrf": csrf(page), "user_code": asked["user_code"], "do": "approve"}
    status, _, done = await visit(bed.client, where, **form)
    assert status == 200
    assert "<h1>Approved</h1>" in done
    status, _, again = await visit(bed.client, where, **form)
    assert (status, code(again)) == (409, "device-gone")
    status, _, page = await entered(bed, asked["user_code"])
    assert status == 404
    assert "no device waits with this code" in page.lower()


async def test_nothing_is_approved_without_a_login(bed: Bed) -> None:
    asked = await waiting(bed)
    status, where, _ = await entered(bed, asked["user_code"])
    assert (status, where) == (303, f"{bed.url}/login")
    assert (await visit(bed.client, f"{bed.url}/device/confirm"))[:2] == (303, f"{bed.url}/login")
    _, _, page = await visit(bed.client, f"{bed.url}/device")
    form = {"csrf": csrf(page), "user_code": asked["user_code"], "do": "approve"}
    status, _, page = await visit(bed.client, f"{bed.url}/device/confirm", **form)
    assert (status, code(page)) == (409, "device-gone")
    assert bed.portal._context.devices.find(asked["user_code"]) is not None


async def test_what_was_shown_is_what_is_approved(bed: Bed) -> None:
    """Another code, entered in another tab meanwhile, is not approved by the button of the first."""
    first, second = await waiting(bed), await waiting(bed)
    await logged_in(bed)
    await entered(bed, first["user_code"])
    _, _, page = await visit(bed.client, f"{bed.url}/device/confirm")
    await entered(bed, second["user_code"])
    form = {"csrf": csrf(page), "user_code": first["user_code"], "do": "approve"}
    status, _, page = await visit(bed.client, f"{bed.url}/device/confirm", **form)
    assert (status, code(page)) == (409, "device-gone")


@pytest.mark.parametrize("do", ["", "Approve", "approve ", "yes"])
async def test_only_the_two_words_count(bed: Bed, do: str) -> None:
    asked = await waiting(bed)
    await logged_in(bed)
    await entered(bed, asked["user_code"])
    _, _, page = await visit(bed.client, f"{bed.url}/device/confirm")
    form = {"csrf": csrf(page), "user_code": asked["user_code"], "do": do}
    status, _, page = await visit(bed.client, f"{bed.url}/device/confirm", **form)
    assert (status, code(page)) == (400, "bad-form")
    assert bed.portal._context.devices.find(asked["user_code"]) is not None


async def test_codes_cannot_be_tried_for_long(bed: Bed) -> None:
    _, _, page = await visit(bed.client, f"{bed.url}/device")
    statuses = [
        (await visit(bed.client, f"{bed.url}/device", csrf=csrf(page), user_code="BCDF-GHJK"))[0] for _ in range(14)
    ]
    assert statuses == [404] * 10 + [429] * 4
    assert bed.porter.codes() == ["device-code-wrong"] * 10


async def test_logins_cannot_be_hammered(bed: Bed, idp: OidcProvider) -> None:
    before = idp.counted().get("/.well-known/openid-configuration", 0)
    statuses = []
    for _ in range(45):
        async with bed.client.get(f"{bed.url}/login/op", allow_redirects=False) as said:
            statuses.append(said.status)
    assert statuses[:30] == [303] * 30
    assert 429 in statuses[30:]
    assert idp.counted()["/.well-known/openid-configuration"] - before <= 1
    [visit_] = bed.portal._context.visits._visits.values()
    assert len(visit_.pending) == 4


async def test_browsers_without_cookies_cannot_fill_the_table(bed: Bed) -> None:
    statuses = []
    connector = aiohttp.TCPConnector(ssl=bed.trust)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as forgetful:
        for _ in range(75):
            async with forgetful.get(f"{bed.url}/device") as said:
                statuses.append(said.status)
    assert statuses[:60] == [200] * 60
    assert 429 in statuses[60:]
    assert len(bed.portal._context.visits) <= 75


# --- hostile text

HOSTILE = "\"><img src=x onerror=alert(1)>\x1b[31m\u202e</dl>'&amp;"


def test_pages_show_hostile_text_and_obey_none() -> None:
    identity = Identity("https://op", HOSTILE, HOSTILE, frozenset({HOSTILE}), owner=HOSTILE)
    _, device = Devices(ManualClock()).start("10.0.0.1:1", HOSTILE)
    shown = (
        pages.confirm(HOSTILE, "token", device, Login(identity, "browser")),
        pages.home(HOSTILE, Login(identity, "browser"), "token"),
        pages.enter_code(HOSTILE, "token", HOSTILE, HOSTILE),
        pages.problem(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        pages.ways(HOSTILE, [("op", HOSTILE)], [("idp", HOSTILE)], device),
    )
    for page in shown:
        assert "<img" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "&lt;img" in page
        assert len(re.findall("<dl>", page)) == len(re.findall("</dl>", page))


def test_pages_are_bounded() -> None:
    many = Identity("https://op", "x", "n" * 100_000, frozenset(f"g{n}-" + "x" * 5000 for n in range(1000)))
    assert len(pages.home("g", Login(many, "browser"), "token")) < 60_000


async def test_what_a_device_says_is_only_said(bed: Bed) -> None:
    asked = await waiting(bed, HOSTILE)
    await logged_in(bed)
    _, where, _ = await entered(bed, asked["user_code"])
    _, _, page = await visit(bed.client, where)
    assert "&lt;img src=x onerror=alert(1)&gt;␛[31m\\u202e" in page
    assert "Asked from</dt><dd>127.0.0.1:" in page


async def test_nobody_is_logged_in_by_any_of_it(bed: Bed) -> None:
    for path in PAGES:
        await visit(bed.client, bed.url + path)
    await nobody(bed)
