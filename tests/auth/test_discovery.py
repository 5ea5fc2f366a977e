"""Keys from discovery: rotation, outages, slow, huge and lying issuers."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

import hooptui.auth.discovery as discovery
import hooptui.auth.provider as provider
from hooptui.auth.oidc import Code, Issuer, Verifier
from hooptui.core.clock import ManualClock, SystemClock
from hooptui.core.gate import LoginRefused
from hooptui.core.secret import Secret
from hooptui.demo.issuer import Client, DemoIssuer

from .forge import AUDIENCE, EC, NOW, RSA, Publisher, public, says, tls, token

CONFIG = "/.well-known/openid-configuration"


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with Publisher() as one:
        yield one


def settings(url: str, **more: object) -> Issuer:
    return Issuer(url, frozenset({AUDIENCE}), **more)  # type: ignore[arg-type]


async def code(verifier: Verifier, text: str) -> str:
    """What comes of a token: its refusal's code, or `ok`."""
    try:
        await verifier.identify(Secret(text))
    except LoginRefused as refusal:
        return refusal.code
    return "ok"


async def test_real_issuer_over_tls_with_rotation(tmp_path: Path) -> None:
    context, ca = tls(tmp_path / "tls")
    async with (
        DemoIssuer(AUDIENCE, tls=context) as issuer,
        Verifier([settings(issuer.url, ca_file=ca)], SystemClock()) as verifier,
    ):
        assert issuer.url.startswith("https://localhost:")
        before = issuer.mint("etl-7", ("agents",))
        assert (await verifier.identify(before)).groups == {"agents"}
        issuer.rotate()
        after = issuer.mint("etl-8", ("agents",))
        assert (await verifier.identify(after)).subject == "etl-8"
        assert (await verifier.identify(before)).subject == "etl-7"


async def test_without_its_ca_the_issuer_is_unreachable(tmp_path: Path) -> None:
    context, _ = tls(tmp_path / "one")
    _, stranger = tls(tmp_path / "two")
    async with DemoIssuer(AUDIENCE, tls=context, algorithm="ES256") as issuer:
        for ca in (None, stranger):
            async with Verifier([settings(issuer.url, ca_file=ca)], SystemClock()) as verifier:
                assert await code(verifier, issuer.mint("etl-7", ()).reveal()) == "issuer-unreachable"
                trouble = (await verifier.prepare())[issuer.url]
                assert trouble is not None and "TLS" in trouble.log


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(name, password)}


async def test_client_credentials(tmp_path: Path) -> None:
    client = Client("etl-7", ("agents",), claims={"act": {"sub": "ops-1"}})
    async with DemoIssuer(AUDIENCE, (client,)) as issuer, aiohttp.ClientSession() as http:
        form = {"grant_type": "client_credentials"}
        headers = basic("etl-7", client.secret.reveal())
        async with http.post(f"{issuer.url}/token", data=form, headers=headers) as answer:
            text = (await answer.json())["access_token"]
        async with Verifier([settings(issuer.url, owner="act.sub")], SystemClock()) as verifier:
            identity = await verifier.identify(Secret(text))
        assert (identity.subject, identity.groups, identity.owner) == ("etl-7", {"agents"}, f"{issuer.url}#ops-1")
        for wrong in (basic("etl-7", "x"), basic("etl-9", client.secret.reveal()), {"Authorization": "Basic é"}, {}):
            async with http.post(f"{issuer.url}/token", data=form, headers=wrong) as answer:
                assert (answer.status, await answer.json()) == (401, {"error": "invalid_client"})
        post = {"client_id": "etl-7", "client_secret": client.secret.reveal()}
        async with http.post(f"{issuer.url}/token", data=form | post) as answer:
            assert answer.status == 200
        async with http.post(f"{issuer.url}/token", data={"grant_type": "password"} | post) as answer:
            assert answer.status == 400


async def test_rotation_is_found_once_in_thirty_seconds(publisher: Publisher) -> None:
    clock = ManualClock(NOW)
    async with Verifier([settings(publisher.url)], clock) as verifier:
        old, new, junk = (
            token(publisher.url),
            token(publisher.url, key=EC, alg="ES256"),
            token(publisher.url, head={"kid": "junk"}),
        )
        assert await code(verifier, old) == "ok"
        publisher.keys = [public(EC)]
        assert await code(verifier, junk) == "unknown-key"
        assert publisher.asked["/jwks"] == 2
        assert await code(verifier, new) == "ok"
        publisher.keys = [public(RSA)]
        for _ in range(20):
            assert await code(verifier, old) == "unknown-key"
        clock.advance(29.9)
        assert await code(verifier, old) == "unknown-key"
        assert publisher.asked["/jwks"] == 2
        clock.advance(0.2)
        assert await code(verifier, old) == "ok"
        assert publisher.asked["/jwks"] == 3


async def test_a_withdrawn_key_ends_with_its_freshness(publisher: Publisher) -> None:
    clock = ManualClock(NOW)
    async with Verifier([settings(publisher.url, jwks_fresh=60.0)], clock) as verifier:
        assert await code(verifier, token(publisher.url)) == "ok"
        publisher.keys = [public(EC)]
        clock.advance(59)
        assert await code(verifier, token(publisher.url)) == "ok"
        clock.advance(1)
        assert await code(verifier, token(publisher.url)) == "unknown-key"


async def test_outage_is_bridged_for_a_bounded_time(publisher: Publisher) -> None:
    clock = ManualClock(NOW)
    async with Verifier([settings(publisher.url, jwks_fresh=60.0, jwks_grace=120.0)], clock) as verifier:
        text = token(publisher.url, exp=int(NOW) + 900)
        assert await code(verifier, text) == "ok"
        await publisher.stop()
        for elapsed, expected in (
            (59, "ok"),
            (61, "ok"),
            (179, "ok"),
            (180, "issuer-unreachable"),
            (240, "issuer-unreachable"),
        ):
            clock.advance(NOW + elapsed - clock.now())
            assert await code(verifier, text) == expected, elapsed
        assert await code(verifier, token(publisher.url, head={"kid": "new"})) == "issuer-unreachable"
        await publisher.start(publisher.port)
        clock.advance(30)
        assert await code(verifier, text) == "ok"
        assert await verifier.prepare() == {publisher.url: None}


async def test_unknown_key_while_the_issuer_is_down_is_the_issuers_trouble(publisher: Publisher) -> None:
    async with Verifier([settings(publisher.url)], ManualClock(NOW)) as verifier:
        assert await code(verifier, token(publisher.url)) == "ok"
        await publisher.stop()
        assert await code(verifier, token(publisher.url, head={"kid": "new"})) == "issuer-unreachable"
        assert await code(verifier, token(publisher.url)) == "ok"


async def test_down_at_start_is_tried_again_but_not_for_each_login(publisher: Publisher) -> None:
    clock = ManualClock(NOW)
    publisher.answers[CONFIG] = says(503)
    async with Verifier([settings(publisher.url)], clock) as verifier:
        for _ in range(5):
            assert await code(verifier, token(publisher.url)) == "issuer-unreachable"
        assert publisher.asked == {CONFIG: 1}
        publisher.answers.clear()
        clock.advance(discovery.RETRY_INTERVAL)
        assert await code(verifier, token(publisher.url)) == "ok"


async def test_many_logins_share_one_fetch_and_a_hang_up_does_not_end_it(publisher: Publisher) -> None:
    publisher.gate = asyncio.Event()
    async with Verifier([settings(publisher.url)], ManualClock(NOW)) as verifier, asyncio.TaskGroup() as group:
        first = group.create_task(code(verifier, token(publisher.url)))
        await publisher.arrived.wait()
        others = [group.create_task(code(verifier, token(publisher.url))) for _ in range(20)]
        first.cancel()
        await asyncio.wait([first])
        publisher.gate.set()
        assert await asyncio.gather(*others) == ["ok"] * 20
        assert publisher.asked == {CONFIG: 1, "/jwks": 1}


async def test_closing_ends_a_fetch_under_way(publisher: Publisher) -> None:
    publisher.gate = asyncio.Event()
    verifier = Verifier([settings(publisher.url)], ManualClock(NOW))
    async with asyncio.TaskGroup() as group:
        login = group.create_task(code(verifier, token(publisher.url)))
        await publisher.arrived.wait()
        await verifier.close()
        assert await login == "issuer-unreachable"


async def test_a_slow_key_set_is_given_up(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "TIMEOUT", 1.0)
    hung_up = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.02)
        except (ConnectionError, asyncio.CancelledError):
            hung_up.set()
            raise

    publisher.answers["/jwks"] = drip
    async with Verifier([settings(publisher.url)], ManualClock(NOW)) as verifier:
        started = time.monotonic()
        with pytest.raises(LoginRefused, match="cannot be fetched") as caught:
            await verifier.identify(Secret(token(publisher.url)))
        assert "longer than" in caught.value.log and time.monotonic() - started < 30
        await asyncio.wait_for(hung_up.wait(), 60)


async def test_an_endless_document_is_cut_off(publisher: Publisher) -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 65_536)
            sent += 65_536

    publisher.answers["/jwks"] = flood
    async with Verifier([settings(publisher.url)], ManualClock(NOW)) as verifier:
        assert await code(verifier, token(publisher.url)) == "issuer-misconfigured"
    assert sent < 64 * provider.MAX_DOCUMENT


BIG = b'{"keys": [], "x": "' + b"y" * provider.MAX_DOCUMENT + b'"}'


@pytest.mark.parametrize(
    ("path", "answer", "expected", "words"),
    [
        (CONFIG, says(302, Location="/elsewhere"), Code.ISSUER_MISCONFIGURED, "redirect"),
        ("/jwks", says(307, Location="/jwks2"), Code.ISSUER_MISCONFIGURED, "redirect"),
        ("/jwks", says(301, Location="http://169.254.169.254/"), Code.ISSUER_MISCONFIGURED, "redirect"),
        (CONFIG, says(404), Code.ISSUER_UNREACHABLE, "404"),
        ("/jwks", says(500), Code.ISSUER_UNREACHABLE, "500"),
        ("/jwks", says(204), Code.ISSUER_UNREACHABLE, "204"),
        (CONFIG, says(200, b""), Code.ISSUER_MISCONFIGURED, "not JSON"),
        (CONFIG, says(200, b"<html>login</html>"), Code.ISSUER_MISCONFIGURED, "not JSON"),
        (CONFIG, says(200, b"[]"), Code.ISSUER_MISCONFIGURED, "not a JSON object"),
        (CONFIG, says(200, b'{"issuer": 1, "issuer": 2}'), Code.ISSUER_MISCONFIGURED, "duplicate"),
        ("/jwks", says(200, b"\xff\xfe{}"), Code.ISSUER_MISCONFIGURED, "UTF-8"),
        ("/jwks", says(200, b"[" * 100_000), Code.ISSUER_MISCONFIGURED, "too deep"),
        ("/jwks", says(200, b'{"keys": []}'), Code.ISSUER_MISCONFIGURED, "none of its 0 keys"),
        ("/jwks", says(200, BIG), Code.ISSUER_MISCONFIGURED, "more than"),
        ("/jwks", says(200, b"\x1f\x8b", Content_Encoding="gzip"), Code.ISSUER_MISCONFIGURED, "compressed"),
    ],
)
async def test_bad_answers(publisher: Publisher, path: str, answer: object, expected: Code, words: str) -> None:
    publisher.answers[path] = answer  # type: ignore[assignment]
    async with Verifier([settings(publisher.url)], ManualClock(NOW)) as verifier:
        with pytest.raises(LoginRefused) as caught:
            await verifier.identify(Secret(token(publisher.url)))
    assert caught.value.code == expected and words in caught.value.log and publisher.url in caught.value.log
    assert "/jwks2" not in publisher.asked and "/elsewhere" not in publisher.asked


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://idp.example", "jwks_uri": "{url}/jwks"},
        {"issuer": "{url}/", "jwks_uri": "{url}/jwks"},
        {"issuer": None, "jwks_uri": "{url}/jwks"},
        {"jwks_uri": "{url}/jwks"},
        {},
        {"issuer": "{url}", "jwks_uri": None},
        {"issuer": "{url}", "jwks_uri": 7},
        {"issuer": "{url}", "jwks_uri": "/jwks"},
        {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{url}", "jwks_uri": "http://idp.example/jwks"},
        {"issuer": "{url}", "jwks_uri": "http://169.254.169.254/jwks"},
        {"issuer": "{url}", "jwks_uri": "https://user:pw@localhost/jwks"},
        {"issuer": "{url}", "jwks_uri": "http://127.0.0.1:99999/jwks"},
        {"issuer": "{url}", "jwks_uri": "http://[::1/jwks"},
    ],
)
async def test_lying_discovery(publisher: Publisher, document: dict[str, object]) -> None:
    filled = {
        name: value.replace("{url}", publisher.url) if isinstance(value, str) else value
        for name, value in document.items()
    }
    publisher.discovery = lambda: filled
    async with Verifier([settings(publisher.url)], ManualClock(NOW)) as verifier:
        assert await code(verifier, token(publisher.url)) == "issuer-misconfigured"
    assert publisher.asked == {CONFIG: 1}


async def test_an_https_issuer_may_not_send_us_to_plain_http(tmp_path: Path, publisher: Publisher) -> None:
    context, ca = tls(tmp_path)
    async with Publisher(context) as secure:
        secure.discovery = lambda: {"issuer": secure.url, "jwks_uri": f"{publisher.url}/jwks"}
        async with Verifier([settings(secure.url, ca_file=ca)], ManualClock(NOW)) as verifier:
            assert await code(verifier, token(secure.url)) == "issuer-misconfigured"
    assert publisher.asked == {}


async def test_an_issuer_path_with_and_without_slash(publisher: Publisher) -> None:
    base = publisher.url
    publisher.url = f"{base}/realms/demo/"
    publisher.discovery = lambda: {"issuer": publisher.url, "jwks_uri": f"{base}/jwks"}
    publisher.answers["/realms/demo" + CONFIG] = lambda request: _config(publisher)
    async with Verifier([settings(publisher.url)], ManualClock(NOW)) as verifier:
        assert await code(verifier, token(publisher.url)) == "ok"
        assert await code(verifier, token(publisher.url[:-1])) == "unknown-issuer"


async def _config(publisher: Publisher) -> web.Response:
    return web.json_response(publisher.discovery())


async def test_one_issuer_cannot_speak_for_another(publisher: Publisher) -> None:
    async with Publisher() as other:
        other.keys = [public(EC)]
        async with Verifier([settings(publisher.url), settings(other.url)], ManualClock(NOW)) as verifier:
            assert await code(verifier, token(other.url, key=EC, alg="ES256")) == "ok"
            assert await code(verifier, token(publisher.url, key=EC, alg="ES256")) == "unknown-key"


def test_settings_are_checked(tmp_path: Path) -> None:
    good = settings("https://idp.example/realms/x")
    assert not good.loopback and settings("http://127.0.0.1:1").loopback and settings("http://localhost").loopback
    for url in (
        "", "idp.example", "http://idp.example", "https://", "https://u@idp.example", "https://idp.example?x=1", "https://idp.example/#",
        "https://idp.example /", "https://idp.exa\nmple", "ftp://localhost", "https://idp.example:0", "http://localhost.example", "https://ídp.example",
    ):  # fmt: skip
        with pytest.raises(ValueError, match="issuer"):
            settings(url)
    for more, field in (
        ({"algorithms": frozenset({"HS256"})}, "algorithms"), ({"algorithms": frozenset({"none"})}, "algorithms"),
        ({"algorithms": frozenset()}, "algorithms"), ({"groups": ""}, "groups"), ({"name": ""}, "name"), ({"leeway": 301.0}, "leeway"),
        ({"leeway": float("nan")}, "leeway"), ({"max_lifetime": 1.0}, "max_lifetime"), ({"jwks_grace": -1.0}, "jwks_grace"),
        ({"jwks_fresh": 1.0}, "jwks_fresh"), ({"authorized_parties": frozenset({""})}, "authorized_parties"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=field):
            settings("https://idp.example", **more)
    with pytest.raises(ValueError, match="audience"):
        Issuer("https://idp.example", frozenset())
    with pytest.raises(ValueError, match="twice"):
        Verifier([good, good], SystemClock())
    (tmp_path / "empty.pem").write_text("")
    for file in ("missing.pem", "empty.pem"):
        with pytest.raises(ValueError, match=f"ca_file: .*{file}"):
            Verifier([settings("https://idp.example", ca_file=tmp_path / file)], SystemClock())
    assert ssl.create_default_context().check_hostname
