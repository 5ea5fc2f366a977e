"""Continuous validity: revoked credentials end what lives by them, silence ends it after its grace, and expiry is neither."""

from __future__ import annotations

import asyncio
import time

import pytest

from hooptui.auth.validity import ClientAuth, Mode, Revocation
from hooptui.core.clock import ManualClock, SystemClock
from hooptui.core.model import Identity
from hooptui.core.secret import Secret

from .forge import NOW, token
from .watching import Book, Stage, introspection, until


@pytest.mark.parametrize("auth", list(ClientAuth))
async def test_revoked_ends_every_session_of_the_token_and_no_other(book: Book, auth: ClientAuth) -> None:
    clock = ManualClock(NOW)
    async with Stage(book, introspection(client_auth=auth), clock) as stage:
        one, two = stage.good(jti="1"), stage.good(jti="2")
        assert await stage.code(one) == await stage.code(two) == "ok"
        for ref, secret in (("a", one), ("b", one), ("c", two)):
            assert stage.watch(ref, secret)
        await stage.watcher.look()
        assert len(book.asked) == 2
        book.good.discard(one.reveal())
        clock.advance(23)
        await stage.watcher.look()
        assert not stage.ended and len(book.asked) == 2
        clock.advance(7)
        await stage.watcher.look()
        assert set(stage.ended) == {"a", "b"} and len(book.asked) == 4
        assert "not active" in stage.ended["a"] and not stage.alerts
        assert await stage.code(one) == "token-revoked"
        assert await stage.code(two) == "ok"


async def test_many_sessions_and_logins_of_one_token_are_one_request(book: Book) -> None:
    async with Stage(book, introspection(), ManualClock(NOW)) as stage:
        secret = stage.good()
        assert await asyncio.gather(*(stage.code(secret) for _ in range(50))) == ["ok"] * 50
        for number in range(50):
            stage.watch(str(number), secret)
        await stage.watcher.look()
        assert len(book.asked) == 1


async def test_a_token_that_was_not_asked_about_is_asked_at_once(book: Book) -> None:
    async with Stage(book, introspection(), ManualClock(NOW)) as stage:
        stage.watch("a", Secret(token(stage.url)))
        await stage.watcher.look()
        assert set(stage.ended) == {"a"}


async def test_userinfo(book: Book) -> None:
    clock = ManualClock(NOW)
    async with Stage(book, Revocation(Mode.USERINFO), clock) as stage:
        opaque = Secret("gho_0123456789abcdef")
        book.good.add(opaque.reveal())
        assert await stage.code(opaque) == "ok"
        stage.watch("a", opaque)
        # Userinfo about somebody else is no answer about this one.
        assert stage.watch("b", Secret("other"), "etl-8")
        book.good.add("other")
        await stage.watcher.look()
        assert stage.codes == ["revocation-misconfigured"] and "etl-7" in stage.alerts[0][1]
        book.good.discard(opaque.reveal())
        clock.advance(30)
        await stage.watcher.look()
        assert set(stage.ended) == {"a"} and "does not accept" in stage.ended["a"]
        clock.advance(330)
        await stage.watcher.look()
        assert set(stage.ended) == {"a", "b"}


async def test_an_expired_token_is_not_a_revoked_one(book: Book) -> None:
    clock = ManualClock(NOW)
    async with Stage(book, introspection(), clock) as stage:
        signed, opaque = stage.good(exp=NOW + 100), Secret("opaque")
        book.good.add("opaque")
        stage.watch("a", signed)
        stage.watch("b", opaque, until=NOW + 100)
        await stage.watcher.look()
        book.good.clear()
        clock.advance(80)
        await stage.watcher.look()
        assert len(book.asked) == 4
        clock.advance(30)
        for _ in range(5):
            clock.advance(100)
            await stage.watcher.look()
        assert not stage.ended and len(book.asked) == 4
        # A lease that was given for it and outlives it logs in again.
        assert await stage.code(signed) == "ok" and len(book.asked) == 4


async def test_what_is_no_longer_watched_is_not_asked_about(book: Book) -> None:
    async with Stage(book, introspection(), ManualClock(NOW)) as stage:
        secret = Secret(token(stage.url))
        stage.watch("a", secret)
        stage.watch("b", secret)
        stage.watcher.unwatch("a")
        stage.watcher.unwatch("a")
        stage.watcher.unwatch("nobody")
        await stage.watcher.look()
        assert set(stage.ended) == {"b"}
        stage.watch("c", secret)
        stage.watcher.unwatch("c")
        await stage.watcher.look()
        assert len(book.asked) == 1


async def test_a_second_watch_of_the_same_name_replaces_the_first(book: Book) -> None:
    async with Stage(book, introspection(), ManualClock(NOW)) as stage:
        stage.watch("a", Secret(token(stage.url, jti="old")))
        stage.watch("a", stage.good(jti="new"))
        await stage.watcher.look()
        assert not stage.ended and len(book.asked) == 1


async def test_without_a_source_of_truth_nobody_is_asked(book: Book) -> None:
    async with Stage(book, Revocation(), ManualClock(NOW)) as stage:
        stage.watcher.start()
        assert not stage.watch("a", Secret("x"))
        assert await stage.code(Secret("x")) == "ok"
    async with Stage(book, introspection(), ManualClock(NOW)) as stage:
        assert not stage.watch("a", None)
        assert await stage.code(None) == "ok"
        stranger = Identity("https://other.example", "x", "x")
        assert not stage.watcher.watch("b", stranger, Secret("x"), lambda words: None)
        await stage.watcher.check(stranger, Secret("x"))
    assert book.asked == []


async def test_a_live_session_is_cut_by_the_first_poll(book: Book) -> None:
    async with Stage(book, introspection(interval=1.0), SystemClock()) as stage:
        stage.watcher.start()
        secret = stage.good(exp=int(time.time()) + 600)
        assert await stage.code(secret) == "ok"
        stage.watch("a", secret)
        book.good.clear()
        before = len(book.asked)
        await until(stage, lambda: bool(stage.ended))
        assert len(book.asked) == before + 1 and not stage.alerts


async def test_what_nobody_was_asked_about_does_not_wait_for_the_next_poll(book: Book) -> None:
    async with Stage(book, introspection(interval=3_600.0), SystemClock()) as stage:
        stage.watcher.start()
        stage.watch("a", stage.good(exp=int(time.time()) + 600))
        await until(stage, lambda: len(book.asked) == 2)
        # A question of its own, from one end to the other: by then the poller is at rest.
        assert await stage.code(stage.good(jti="c")) == "ok"
        stage.watch("b", Secret(token(stage.url, jti="b", exp=int(time.time()) + 600)))
        await until(stage, lambda: bool(stage.ended))
        assert set(stage.ended) == {"b"}


async def test_an_old_answer_lets_nobody_in(book: Book) -> None:
    clock = ManualClock(NOW)
    async with Stage(book, introspection(), clock) as stage:
        secret = stage.good()
        assert await stage.code(secret) == "ok"
        book.good.clear()
        clock.advance(29)
        assert await stage.code(secret) == "ok"
        clock.advance(1)
        assert await stage.code(secret) == "token-revoked"
        assert await stage.code(secret) == "token-revoked" and len(book.asked) == 3
