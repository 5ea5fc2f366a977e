"""Nobody answering is never a yes: outages, junk and refusals at introspection and userinfo, told once and bounded in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

import hooptui.auth.provider as provider
from hooptui.auth import revocation
from hooptui.auth.revocation import PARALLEL
from hooptui.auth.validity import Mode, Revocation
from hooptui.core.clock import ManualClock, SystemClock
from hooptui.core.secret import Secret

from .forge import NOW, says, token
from .watching import PATH, SECRET, Book, Stage, client_secret, introspection, until

TROUBLES: list[tuple[Callable[[web.Request], Any], str, str]] = [
    (says(503), "unreachable", "503"),
    (says(429), "unreachable", "429"),
    (says(302, Location="/x"), "misconfigured", "redirect"),
    (says(401, b'{"error": "invalid_client"}'), "misconfigured", "invalid_client"),
    (says(403), "misconfigured", "does not accept"),
    (says(400, b'{"error": "unsupported_token_type"}'), "misconfigured", "unsupported_token_type"),
    (says(400, b"<html>"), "misconfigured", "400"),
    (says(200, b"<html>"), "misconfigured", "not JSON"),
    (says(200, b"{}"), "misconfigured", "whether"),
    (says(200, b'{"active": "true"}'), "misconfigured", "whether"),
    (says(200, b'{"active": 1}'), "misconfigured", "whether"),
    (says(200, b'{"active": null}'), "misconfigured", "whether"),
    (says(200, b'{"active": false, "active": true}'), "misconfigured", "duplicate"),
    (says(200, b'{"active": true, "x": "' + b"x" * provider.MAX_DOCUMENT + b'"}'), "misconfigured", "more than"),
    (says(200, b'{"active": true}', Content_Encoding="gzip"), "misconfigured", "compressed"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), TROUBLES)
async def test_no_answer_is_never_a_yes(book: Book, answer: Any, kind: str, words: str) -> None:
    clock = ManualClock(NOW)
    async with Stage(book, introspection(), clock) as stage:
        secret, other = stage.good(jti="1"), stage.good(jti="2")
        assert await stage.code(secret) == "ok"
        stage.watch("a", secret)
        book.publisher.answers[PATH] = answer
        assert await stage.code(other) == "validity-unknown"
        assert stage.codes == [f"revocation-{kind}"] and words in stage.alerts[0][1]
        assert stage.watcher.troubles == {stage.url: (f"revocation-{kind}", NOW)}
        for elapsed in (30, 30, 29):
            clock.advance(elapsed)
            await stage.watcher.look()
            assert not stage.ended
        clock.advance(1)
        await stage.watcher.look()
        assert set(stage.ended) == {"a"} and "60 s" in stage.ended["a"]
        assert len(stage.alerts) == 1
        said = f"{stage.alerts}{stage.ended}"
        assert secret.reveal()[-30:] not in said and SECRET not in said


async def test_an_outage_within_its_grace_ends_nobody(book: Book) -> None:
    clock = ManualClock(NOW)
    async with Stage(book, introspection(), clock) as stage:
        secret = stage.good()
        stage.watch("a", secret)
        await stage.watcher.look()
        for _ in range(3):
            book.publisher.answers[PATH] = says(500)
            clock.advance(30)
            await stage.watcher.look()
            clock.advance(30)
            book.publisher.answers[PATH] = book.introspect
            await stage.watcher.look()
        assert stage.codes == ["revocation-unreachable", "revocation-again"] * 3 and not stage.ended
        assert stage.watcher.troubles == {}


async def test_no_grace_ends_at_the_first_failure(book: Book) -> None:
    async with Stage(book, introspection(keep_for=0.0), ManualClock(NOW)) as stage:
        stage.watch("a", stage.good())
        book.publisher.answers[PATH] = says(500)
        await stage.watcher.look()
        assert set(stage.ended) == {"a"} and "sessions end now" in stage.alerts[0][1]


async def test_one_token_that_nobody_answers_for_is_not_saved_by_the_others(book: Book) -> None:
    clock = ManualClock(NOW)
    async with Stage(book, introspection(), clock) as stage:
        odd = stage.good(jti="odd")

        async def answer(request: web.Request) -> web.Response:
            if (await request.post())["token"] == odd.reveal():
                return web.Response(status=500)
            return await book.introspect(request)

        book.publisher.answers[PATH] = answer
        stage.watch("odd", odd)
        for number in range(20):
            stage.watch(str(number), stage.good(jti=str(number)))
        for _ in range(4):
            await stage.watcher.look()
            clock.advance(30)
        assert set(stage.ended) == {"odd"} and stage.codes[0] == "revocation-unreachable"


async def test_many_tokens_are_asked_about_a_few_at_a_time(book: Book) -> None:
    async with Stage(book, introspection(), ManualClock(NOW)) as stage:
        for number in range(60):
            stage.watch(str(number), Secret(token(stage.url, jti=str(number))))
        await stage.watcher.look()
        assert len(stage.ended) == 60 and 1 < book.most <= PARALLEL


async def test_a_hanging_provider_delays_nobodys_end(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "TIMEOUT", 0.3)
    hang = asyncio.Event()
    asked = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        await hang.wait()
        return web.Response(status=500)

    book.publisher.answers[PATH] = answer
    async with Stage(book, introspection(keep_for=0.0), ManualClock(NOW)) as stage:
        for number in range(200):
            stage.watch(str(number), Secret(token(stage.url, jti=str(number))))
        started = time.monotonic()
        await stage.watcher.look()
        assert len(stage.ended) == 200 and asked <= 2 * PARALLEL
        assert time.monotonic() - started < 30
        hang.set()


async def test_trouble_with_the_client_secret_is_told_without_it(book: Book) -> None:
    async def missing() -> Secret:
        raise RuntimeError("file /run/secret: no such file")

    async with Stage(book, introspection(client_secret=missing), ManualClock(NOW)) as stage:
        assert await stage.code(stage.good()) == "validity-unknown"
        assert stage.codes == ["revocation-misconfigured"] and "/run/secret" in stage.alerts[0][1]


async def test_a_callback_that_fails_keeps_nobody_from_being_told(book: Book) -> None:
    def broken(words: str) -> None:
        raise RuntimeError(words)

    async with Stage(book, introspection(), ManualClock(NOW)) as stage:
        secret = Secret(token(stage.url))
        stage.watcher.watch("x", stage.who(), secret, broken)
        stage.watch("a", secret)
        await stage.watcher.look()
        assert set(stage.ended) == {"a"} and stage.codes == ["revocation-fault"]


async def test_a_login_that_is_given_up_spoils_no_other(book: Book) -> None:
    book.publisher.gate = asyncio.Event()
    async with Stage(book, introspection(endpoint=book.publisher.url + PATH), ManualClock(NOW)) as stage:
        secret = stage.good()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(stage.code(secret))
            second = group.create_task(stage.code(secret))
            await book.publisher.arrived.wait()
            first.cancel()
            await asyncio.wait([first])
            book.publisher.gate.set()
            assert await second == "ok"
        assert len(book.asked) == 1


async def test_closing_while_a_login_waits(book: Book) -> None:
    book.publisher.gate = asyncio.Event()
    async with Stage(book, introspection(endpoint=book.publisher.url + PATH), ManualClock(NOW)) as stage:
        async with asyncio.TaskGroup() as group:
            login = group.create_task(stage.code(Secret("x")))
            await book.publisher.arrived.wait()
            await stage.watcher.stop()
            assert await login == "validity-unknown"
        book.publisher.gate.set()


Probe = tuple[Mode, str, Callable[[web.Request], Awaitable[web.Response]], str]
PROBES: list[Probe] = [
    (Mode.INTROSPECTION, PATH, says(200, b'{"active": true}'), "nobody has issued"),
    (Mode.INTROSPECTION, PATH, says(400, b'{"error": "unsupported_token_type"}'), "unsupported_token_type"),
    (Mode.INTROSPECTION, PATH, says(401), "client 'gate way:1'"),
    (Mode.USERINFO, "/me", says(200, b'{"sub": "etl-7"}'), "nobody has issued"),
    (Mode.USERINFO, "/me", says(404), "404"),
    (Mode.USERINFO, provider.DISCOVERY, says(200, b'{"issuer": "x"}'), "to the letter"),
]


@pytest.mark.parametrize(("mode", "path", "answer", "words"), PROBES)
async def test_what_cannot_work_is_told_at_start(book: Book, mode: Mode, path: str, answer: Any, words: str) -> None:
    book.publisher.answers[path] = answer
    settings = introspection() if mode is Mode.INTROSPECTION else Revocation(mode)
    async with Stage(book, settings, SystemClock()) as stage:
        stage.watcher.start()
        await until(stage, lambda: bool(stage.alerts))
        assert stage.codes == ["revocation-misconfigured"] and words in stage.alerts[0][1]


async def test_an_issuer_without_the_endpoint_is_told_at_start(book: Book) -> None:
    url = book.publisher.url
    for more, words in (
        ({}, "no introspection_endpoint"),
        ({"introspection_endpoint": "http://idp.example/x"}, "https"),
    ):
        document = {"issuer": url, "jwks_uri": f"{url}/jwks", **more}
        book.publisher.discovery = lambda document=document: document  # type: ignore[misc]
        async with Stage(book, introspection(), SystemClock()) as stage:
            stage.watcher.start()
            await until(stage, lambda stage=stage: bool(stage.alerts))  # type: ignore[misc]
            assert words in stage.alerts[0][1]


def test_settings_are_checked() -> None:
    for more, words in (
        ({"interval": 0.5}, "interval"), ({"interval": float("nan")}, "interval"), ({"keep_for": -1.0}, "keep_for"),
        ({"client_id": ""}, "client_id: is missing"), ({"client_secret": None}, "client_secret: is missing"),
        ({"denylist": "/x"}, "denylist: is set"), ({"endpoint": "http://idp.example/x"}, "https"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            introspection(**more)
    for bad, words in (
        ({"mode": Mode.DENYLIST}, "denylist: is missing"), ({"mode": Mode.DENYLIST, "denylist": "ftp://x/y"}, "https"),
        ({"mode": Mode.DENYLIST, "denylist": "/x", "endpoint": "https://idp.example"}, "endpoint"),
        ({"mode": Mode.NONE, "client_id": "x"}, "client_id: is set"),
        ({"mode": Mode.USERINFO, "client_secret": client_secret}, "client_secret: is set"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            Revocation(**bad)  # type: ignore[arg-type]
    assert SECRET not in repr(introspection()) and revocation.NEAR_END < 60
