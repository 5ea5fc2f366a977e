"""The pure parts below the relay: names in flight, how texts and values are read, coroutines stepped by hand."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable

import pytest

from hooptui.protocols.postgres import build, codec, parameters
from hooptui.protocols.postgres.names import UNCERTAIN, Names, TooMuch
from hooptui.protocols.postgres.pipeline import BIND, EXECUTE, SYNC, Expected, Pipeline, Portal
from hooptui.protocols.postgres.settings import NotReadable, Settings
from hooptui.protocols.postgres.stepping import Rest, step


class Meaning:
    def __init__(self, weight: int = 1) -> None:
        self.weight = weight


# --- names


def test_a_change_is_certain_in_its_own_segment_only() -> None:
    names: Names[Meaning] = Names()
    one, two = Meaning(), Meaning()
    names.settle(names.sent(b"s", one, 0), True)
    assert names.look(b"s", 1) is one
    change = names.sent(b"s", two, 1)
    assert names.look(b"s", 1) is two
    assert names.look(b"s", 2) is UNCERTAIN
    names.settle(change, False)
    assert names.look(b"s", 2) is one


def test_a_failure_that_may_have_changed_something_forgets() -> None:
    names: Names[Meaning] = Names()
    names.settle(names.sent(b"s", Meaning(), 0), True)
    names.settle(names.sent(b"s", Meaning(), 1, forget_on_failure=True), None)
    assert names.look(b"s", 2) is not None, "skipped is not failed"
    names.settle(names.sent(b"s", Meaning(), 1, forget_on_failure=True), False)
    assert names.look(b"s", 2) is None


def test_a_sweep_covers_what_it_covers() -> None:
    names: Names[Meaning] = Names(bool)
    unnamed = Meaning()
    for name, value in ((b"", unnamed), (b"s", Meaning())):
        names.settle(names.sent(name, value, 0), True)
    sweep = names.sent(None, None, 1)
    assert names.look(b"s", 1) is None and names.look(b"s", 2) is UNCERTAIN and names.look(b"", 2) is unnamed
    after = names.sent(b"s", Meaning(), 1)
    assert names.look(b"s", 1) is after.value
    names.settle(sweep, True)
    names.settle(after, True)
    assert names.look(b"s", 5) is after.value


def test_names_are_bounded_and_give_back_what_they_took() -> None:
    names: Names[Meaning] = Names(budget=100)
    for _ in range(50):
        names.settle(names.sent(b"s", Meaning(60), 0), True)
        names.settle(names.sent(b"s", None, 0), True)
        names.settle(names.sent(b"s", Meaning(60), 0), False)
    kept = names.sent(b"s", Meaning(60), 0)
    with pytest.raises(TooMuch):
        names.sent(b"t", Meaning(60), 0)
    names.settle(kept, True)
    names.clear()
    names.sent(b"t", Meaning(60), 0)


def _bound(pipeline: Pipeline) -> None:
    change = pipeline.portals.sent(b"p", Portal(None, (), 0), pipeline.segment)
    pipeline.expect(Expected(BIND, pipeline.segment, changes=[(0, lambda done: pipeline.portals.settle(change, done))]))
    pipeline.answered()
    assert pipeline.portals.look(b"p", pipeline.segment) is not None


def test_portals_end_with_their_transaction() -> None:
    pipeline = Pipeline()
    _bound(pipeline)
    pipeline.expect(Expected(SYNC, pipeline.segment))
    pipeline.ready(b"T")
    assert pipeline.portals.look(b"p", pipeline.segment) is not None
    pipeline.expect(Expected(SYNC, pipeline.segment))
    pipeline.ready(b"I")
    assert pipeline.portals.look(b"p", pipeline.segment) is None


def test_portals_end_with_an_error() -> None:
    pipeline = Pipeline(b"T")
    _bound(pipeline)
    pipeline.expect(Expected(EXECUTE, pipeline.segment))
    pipeline.failed(changed_nothing=False)
    assert pipeline.skipping
    assert pipeline.portals.look(b"p", pipeline.segment) is None


# --- texts


def settings(encoding: bytes = b"UTF8", standard: bytes = b"on") -> Settings:
    return Settings({b"client_encoding": encoding, b"standard_conforming_strings": standard})


def test_texts_are_read_as_the_server_reads_them() -> None:
    assert settings().text("SELECT 'é'".encode()) == "SELECT 'é'"
    assert settings(b"LATIN1").text(b"SELECT '\xe9'") == "SELECT 'é'"
    assert settings(b"EUC_JP").text("'日'".encode("euc_jp")) == "'日'"
    assert settings(b"SQL_ASCII").text(b"'\xe9'") == "'\xe9'"
    assert settings(b"SJIS").text(b"SELECT 1") == "SELECT 1"
    assert settings(standard=b"off").text(rb"SELECT 'a\b'") == r"SELECT 'a\b'"
    for unreadable in (settings(b"SJIS"), settings(b"GBK"), settings(b"BIG5"), settings()):
        with pytest.raises(NotReadable):
            unreadable.text(b"SELECT '\x83\x5c'")
    with pytest.raises(NotReadable):
        settings(standard=b"off").text(rb"SELECT '\'")
    with pytest.raises(NotReadable):
        Settings({}).text(rb"SELECT '\'")


def test_only_known_settings_are_passed_on() -> None:
    current = settings()
    assert current.report(b"client_encoding", b"LATIN1") and current.codec == "latin-1"
    assert not current.report(b"app.secret", b"value")


# --- values


def bound(*values: bytes | None, form: int = 0) -> codec.Bind:
    return codec.bind(build.bind(b"", b"", values, formats=(form,)))


def test_values_are_shown_by_type() -> None:
    shown = parameters.texts
    assert shown(bound(b"a", None, "é".encode()), (), "utf-8") == ("a", None, "é")
    for oid, raw, text in (
        (23, struct.pack(">i", -5), "-5"), (20, struct.pack(">q", 1 << 40), str(1 << 40)), (16, b"\1", "true"),
        (25, b"text", "text"), (3802, b'\1{"a": 1}', '{"a": 1}'), (701, struct.pack(">d", 1.5), "1.5"),
        (17, b"\xff", "\\xff"), (2950, bytes(16), "00000000-0000-0000-0000-000000000000"),
    ):  # fmt: skip
        assert shown(bound(raw, form=1), (oid,), "utf-8") == (text,)


def test_what_is_not_shown_is_told_apart() -> None:
    def one(value: bytes, form: int = 1, oid: int = 0) -> str:
        (text,) = parameters.texts(bound(value, form=form), (oid,), "utf-8")
        assert text is not None
        return text

    assert one(b"\1\2\3") == one(b"\1\2\3") != one(b"\1\2\4")
    assert one(b"\1\2\3").startswith("‹binary 3, ")
    assert one(b"\xff", form=0).startswith("‹binary 1, ")
    assert one(b"12345", oid=23).startswith("‹binary 5, "), "not a whole int4"
    long = b"x" * 5000
    assert len(one(long, form=0)) < 2200
    assert one(long + b"a", form=0) != one(long + b"b", form=0)


# --- stepping


async def test_what_waits_for_nothing_is_done_at_once() -> None:
    async def quick() -> int:
        return 5

    assert step(quick()) == 5

    async def fails() -> int:
        raise KeyError

    with pytest.raises(KeyError):
        step(fails())


async def _rest(work: Awaitable[int], seen: list[str]) -> int:
    try:
        return await work
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise
    finally:
        seen.append("left")


async def test_the_rest_goes_on_in_a_task() -> None:
    async def slow() -> int:
        seen.append("began")
        await asyncio.sleep(0)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, 7)
        return await future

    seen: list[str] = []
    rest = step(_rest(slow(), seen))
    assert isinstance(rest, Rest) and seen == ["began"]
    assert await asyncio.create_task(rest) == 7
    assert seen == ["began", "left"]


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_a_cancel_reaches_what_has_begun(turns: int) -> None:
    """Also before the task's first step: whoever waits inside has begun, and has something to tidy up."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    seen: list[str] = []
    rest = step(_rest(future, seen))
    assert isinstance(rest, Rest)
    task = asyncio.create_task(rest)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled", "left"]
