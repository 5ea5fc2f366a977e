"""Logging in at a real provider, step by step, and everything that must not log anybody in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit

import aiohttp
import pytest

from hooptui.core.clock import ManualClock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Kind
from hooptui.core.secret import Secret
from hooptui.portal.base import Login
from hooptui.portal.visits import LASTS, PENDING_LASTS
from tests.portal.porter import Bed, portal_bed, way
from tests.providers.oidc_provider import PORTAL, OidcProvider, Trouble


@pytest.fixture
async def bed(certified: Path, idp: OidcProvider) -> AsyncIterator[Bed]:
    async with portal_bed(certified, way(idp)) as made:
        idp.redirects(PORTAL, f"{made.url}/callback/op")
        yield made


async def visit(client: aiohttp.ClientSession, url: str, **form: str) -> tuple[int, str, str]:
    """Status, where it leads, and the page."""
    method = "POST" if form else "GET"
    async with client.request(method, url, data=form or None, allow_redirects=False) as said:
        where = said.headers.get("Location", "")
        return said.status, urljoin(url, where) if where else "", await said.text()


async def away(bed: Bed, client: aiohttp.ClientSession | None = None) -> str:
    status, where, page = await visit(client or bed.client, f"{bed.url}/login/op")
    assert status == 303, page
    return where


async def through(bed: Bed, where: str, user: str = "ops-1", client: aiohttp.ClientSession | None = None) -> str:
    """From the provider's front door to the redirect back to us, which is not followed."""
    client = client or bed.client
    for _ in range(10):
        if where.startswith(bed.url):
            return where
        _, onward, page = await visit(client, where)
        if not onward:
            assert "Provider login" in page, page
            _, onward, page = await visit(client, where, login=user, do="login")
        where = onward
    raise AssertionError(f"in circles at {where}")


async def logged_in(bed: Bed, user: str = "ops-1") -> None:
    status, where, page = await visit(bed.client, await through(bed, await away(bed), user))
    assert (status, where) == (303, f"{bed.url}/"), page


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def code(page: str) -> str:
    found = re.search(r'<code id="code">([^<]+)</code>', page)
    assert found is not None, page
    return found[1]


def changed(url: str, **parameters: str | None) -> str:
    """The URL with query parameters replaced; None leaves one out."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | parameters
    return parts._replace(query=urlencode({k: v for k, v in query.items() if v is not None})).geturl()


async def nobody(bed: Bed) -> None:
    """No one is logged in and nothing was given out."""
    _, _, page = await visit(bed.client, f"{bed.url}/")
    assert "You are logged in" not in page
    assert bed.porter.issued == []


# --- how it should go


async def test_a_login_asks_for_all_that_protects_it(bed: Bed, idp: OidcProvider) -> None:
    asked = parse_qs(urlsplit(await away(bed)).query)
    assert asked["response_type"] == ["code"]
    assert asked["client_id"] == [PORTAL]
    assert asked["redirect_uri"] == [f"{bed.url}/callback/op"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["scope"] == ["openid profile groups"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[name][0]) == 43
    again = parse_qs(urlsplit(await away(bed)).query)
    for name in ("state", "nonce", "code_challenge"):
        assert again[name] != asked[name]


async def test_a_person_logs_in_and_gets_a_lease(bed: Bed, idp: OidcProvider) -> None:
    await logged_in(bed)
    _, _, page = await visit(bed.client, f"{bed.url}/")
    assert "You are logged in" in page
    assert "<strong>ops-1</strong> (person)" in page
    status, _, shown = await visit(bed.client, f"{bed.url}/lease", csrf=csrf(page))
    assert status == 200
    [(lease, how, _)] = bed.porter.issued
    assert how == "browser"
    assert lease.identity.groups == {"dba", "oncall"}
    assert f"{lease.id}." in shown
    assert bed.porter.refusals == []


@pytest.mark.parametrize(("user", "kind", "owner"), [("dev-4", Kind.HUMAN, None), ("agent-5", Kind.AGENT, "#dev-4")])
async def test_an_id_token_makes_the_same_identity_as_an_access_token(
    bed: Bed, idp: OidcProvider, user: str, kind: Kind, owner: str | None
) -> None:
    await logged_in(bed, user)
    _, _, page = await visit(bed.client, f"{bed.url}/")
    await visit(bed.client, f"{bed.url}/lease", csrf=csrf(page))
    by_login = bed.porter.issued[0][0].identity
    by_token = await bed.porter.verifier.identify(Secret(idp.token(user)))
    assert (by_login.key, by_login.name, by_login.groups, by_login.kind, by_login.owner) == (
        by_token.key, by_token.name, by_token.groups, by_token.kind, by_token.owner,
    )  # fmt: skip
    assert by_login.kind is kind
    assert by_login.owner == (f"{idp.url}{owner}" if owner else None)


async def test_a_rotated_key_logs_in_at_once(bed: Bed, idp: OidcProvider) -> None:
    await logged_in(bed)
    idp.rotate(keep=False)
    where = await through(bed, await away(bed), "ops-2")
    status, _, page = await visit(bed.client, where)
    assert status == 303, page


async def test_logging_out_ends_it(bed: Bed) -> None:
    await logged_in(bed)
    _, _, page = await visit(bed.client, f"{bed.url}/")
    token = csrf(page)
    _, _, page = await visit(bed.client, f"{bed.url}/logout", csrf=token)
    assert "Logged out" in page
    await nobody(bed)
    status, _, page = await visit(bed.client, f"{bed.url}/lease", csrf=token)
    assert (status, code(page)) == (403, "no-session")


# --- state, nonce, PKCE, codes


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        ({"state": None}, "login-unknown"),
        ({"state": "x" * 43}, "login-unknown"),
        ({"state": "x" * 8000}, "login-unknown"),
        ({"code": None}, "login-failed"),
        ({"code": "x" * 43}, "login-failed"),
        ({"code": "x" * 8000}, "login-failed"),
        ({"iss": "https://evil.example"}, "wrong-issuer"),
        ({"iss": None}, "wrong-issuer"),
        ({"code": None, "error": "access_denied"}, "login-denied"),
        ({"code": None, "error": "server_error", "error_description": "<b>\x1b[2J"}, "login-failed"),
        ({"error": "access_denied"}, "login-denied"),
    ],
)
async def test_a_redirect_that_was_changed(bed: Bed, parameters: dict[str, str | None], refused: str) -> None:
    where = changed(await through(bed, await away(bed)), **parameters)
    status, _, page = await visit(bed.client, where)
    assert status == 403
    assert code(page) == refused
    assert bed.porter.codes() == [refused]
    assert "\x1b" not in page
    assert "<b>" not in page
    await nobody(bed)


async def test_a_parameter_that_is_there_twice(bed: Bed) -> None:
    where = await through(bed, await away(bed))
    status, _, page = await visit(bed.client, f"{where}&code=x")
    assert (status, code(page)) == (400, "bad-form")
    await nobody(bed)


async def test_a_redirect_is_used_once(bed: Bed) -> None:
    where = await through(bed, await away(bed))
    assert (await visit(bed.client, where))[0] == 303
    status, _, page = await visit(bed.client, where)
    assert (status, code(page)) == (403, "login-unknown")


async def test_a_code_is_not_taken_with_another_logins_state(bed: Bed) -> None:
    """Its PKCE verifier and nonce are another's."""
    mine = await through(bed, await away(bed))
    other = parse_qs(urlsplit(await away(bed)).query)["state"][0]
    status, _, page = await visit(bed.client, changed(mine, state=other))
    assert (status, code(page)) == (403, "login-failed")
    await nobody(bed)


async def test_somebody_elses_login_cannot_be_planted(bed: Bed) -> None:
    """Login CSRF: the attacker's redirect in the victim's browser, with and without a visit of its own."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=bed.trust), cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as attacker:
        for prepare in (False, True):
            planted = await through(bed, await away(bed, attacker), "agent-5", attacker)
            if prepare:
                await away(bed)
            status, _, page = await visit(bed.client, planted)
            assert (status, code(page)) == (403, "login-unknown")
            # And what was tried elsewhere is void for its owner too.
            status, _, page = await visit(attacker, planted)
            assert (status, code(page)) == (403, "login-unknown")
    await nobody(bed)


async def test_a_cookie_from_before_the_login_is_worth_nothing_after(bed: Bed) -> None:
    where = await through(bed, await away(bed))
    [planted] = [cookie for cookie in bed.client.cookie_jar if cookie.key == "__Host-hooptui"]
    before = planted.value
    assert (await visit(bed.client, where))[0] == 303
    [now] = [cookie for cookie in bed.client.cookie_jar if cookie.key == "__Host-hooptui"]
    assert now.value != before
    connector = aiohttp.TCPConnector(ssl=bed.trust)
    async with aiohttp.ClientSession(connector=connector, cookies={"__Host-hooptui": before}) as old:
        _, _, page = await visit(old, f"{bed.url}/")
    assert "You are logged in" not in page


async def test_the_cookie_is_as_strict_as_it_can_be(bed: Bed) -> None:
    async with bed.client.get(f"{bed.url}/login/op", allow_redirects=False) as said:
        [cookie] = said.headers.getall("Set-Cookie")
    assert cookie.startswith("__Host-hooptui=")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"path=/", "secure", "httponly", "samesite=lax"}


async def test_a_login_takes_ten_minutes_at_most(certified: Path, idp: OidcProvider) -> None:
    clock = ManualClock(1_790_000_000.0)
    async with portal_bed(certified, way(idp), clock=clock) as bed:
        idp.redirects(PORTAL, f"{bed.url}/callback/op")
        where = await through(bed, await away(bed))
        clock.advance(PENDING_LASTS)
        status, _, page = await visit(bed.client, where)
        assert (status, code(page)) == (403, "login-unknown")


async def test_a_login_is_over_after_a_quarter_of_an_hour(bed: Bed) -> None:
    await logged_in(bed)
    _, _, page = await visit(bed.client, f"{bed.url}/")
    [here] = [one for one in bed.portal._context.visits._visits.values() if one.login is not None]
    here.login_until -= LASTS
    status, _, refused = await visit(bed.client, f"{bed.url}/lease", csrf=csrf(page))
    assert (status, code(refused)) == (403, "login-over")
    assert bed.porter.issued == []


# --- identities that are refused


@pytest.mark.parametrize(("user", "refused"), [("crowd-6", "group-overage"), ("odd-7", "bad-groups")])
async def test_claims_are_judged_as_everywhere(bed: Bed, user: str, refused: str) -> None:
    status, _, page = await visit(bed.client, await through(bed, await away(bed), user))
    assert (status, code(page)) == (403, refused)
    assert bed.porter.codes() == [refused]
    await nobody(bed)


async def test_a_blocked_person_gets_no_lease(bed: Bed, idp: OidcProvider) -> None:
    await logged_in(bed)
    bed.porter.blocked.add(f"{idp.url}#ops-1")
    _, _, page = await visit(bed.client, f"{bed.url}/")
    status, _, page = await visit(bed.client, f"{bed.url}/lease", csrf=csrf(page))
    assert (status, code(page)) == (403, "identity-blocked")


async def test_an_operators_refusal_is_what_the_person_reads(bed: Bed) -> None:
    def settle(login: Login) -> None:
        raise LoginRefused("not-an-operator", "you are in none of the operators' groups")

    asked = bed.portal.operator_login(settle, peer="console", purpose="tty1")
    await logged_in(bed)
    _, _, page = await visit(bed.client, asked.verification_uri_complete)
    _, where, page = await visit(bed.client, f"{bed.url}/device", csrf=csrf(page), user_code=asked.user_code)
    _, _, page = await visit(bed.client, where)
    assert "wants you as its operator" in page
    form = {"csrf": csrf(page), "user_code": asked.user_code, "do": "approve"}
    status, _, page = await visit(bed.client, f"{bed.url}/device/confirm", **form)
    assert (status, code(page)) == (403, "not-an-operator")
    status, _, page = await visit(bed.client, f"{bed.url}/device/confirm", **form)
    assert (status, code(page)) == (409, "device-gone")


# --- providers on a bad day

BAD_DAYS: list[tuple[Trouble, str]] = [
    ({"kind": "down"}, "issuer-unreachable"),
    ({"kind": "error", "status": 503}, "issuer-unreachable"),
    ({"kind": "junk"}, "issuer-misconfigured"),
    ({"kind": "junk", "body": "[]"}, "issuer-misconfigured"),
    ({"kind": "junk", "body": '{"a":1,"a":2}'}, "issuer-misconfigured"),
    ({"kind": "redirect", "location": "https://evil.example/"}, "issuer-misconfigured"),
    ({"kind": "flood"}, "issuer-misconfigured"),
]


@pytest.mark.parametrize(
    ("trouble", "refused"), BAD_DAYS, ids=[str(one["kind"]) + one.get("body", "") for one, _ in BAD_DAYS]
)
@pytest.mark.parametrize("path", ["/.well-known", "/token", "/jwks"])
async def test_a_provider_on_a_bad_day(bed: Bed, idp: OidcProvider, path: str, trouble: Trouble, refused: str) -> None:
    if path == "/.well-known":
        idp.trouble({path: trouble})
        status, _, page = await visit(bed.client, f"{bed.url}/login/op")
    else:
        where = await through(bed, await away(bed))
        idp.trouble({path: trouble})
        status, _, page = await visit(bed.client, where)
    assert (status, code(page)) == (503, refused)
    assert "evil.example" not in page
    assert bed.porter.codes() == [refused]
    await nobody(bed)


async def test_a_slow_token_endpoint_is_waited_for_only_so_long(
    bed: Bed, idp: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = await through(bed, await away(bed))
    idp.trouble({"/token": {"kind": "slow", "seconds": 20.0}})
    with monkeypatch.context() as impatient:
        impatient.setattr("hooptui.auth.provider.TIMEOUT", 0.3)
        status, _, page = await visit(bed.client, where)
    assert (status, code(page)) == (503, "issuer-unreachable")
    idp.trouble({})
    await logged_in(bed)


async def test_a_provider_that_is_down_is_asked_seldom(bed: Bed, idp: OidcProvider) -> None:
    idp.trouble({"/.well-known": {"kind": "error"}})
    before = idp.counted().get("/.well-known/openid-configuration", 0)
    for _ in range(8):
        assert (await visit(bed.client, f"{bed.url}/login/op"))[0] == 503
    assert idp.counted()["/.well-known/openid-configuration"] - before == 1


async def test_a_token_answer_without_an_id_token(bed: Bed, idp: OidcProvider) -> None:
    for body in (
        '{"access_token":"a","token_type":"Bearer"}',
        '{"id_token":7,"token_type":"Bearer"}',
        '{"id_token":"a.b.c"}',
        '{"id_token":"a.b.c","token_type":"DPoP"}',
    ):
        where = await through(bed, await away(bed))
        idp.trouble({"/token": {"kind": "junk", "body": body}})
        status, _, page = await visit(bed.client, where)
        assert (status, code(page)) == (403, "login-failed"), body
        idp.trouble({})
    await nobody(bed)


async def test_somebody_elses_id_token_is_not_taken(bed: Bed, idp: OidcProvider) -> None:
    """One of the right issuer, rightly signed, for another client or another login."""
    for client_token, refused in (
        (idp.login("ops-2", nonce="n")["id_token"], "wrong-audience"),
        (idp.token("ops-2"), "wrong-type"),
    ):
        where = await through(bed, await away(bed))
        idp.trouble({"/token": {"kind": "junk", "body": f'{{"id_token":"{client_token}","token_type":"Bearer"}}'}})
        status, _, page = await visit(bed.client, where)
        assert (status, code(page)) == (403, refused)
        idp.trouble({})
    await nobody(bed)
