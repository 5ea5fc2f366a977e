"""Any requests in any chunks, verdicts and answers in any order: each is answered once, and nothing unjudged arrives."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import Operation
from hooptui.protocols.ssh.sftp.names import absolute
from hooptui.protocols.ssh.sftp.packets import (
    REQUESTS,
    Attributes,
    Change,
    OnPath,
    Open,
    Pair,
    Type,
    parse,
)
from hooptui.protocols.ssh.sftp.wire import MAX_PACKET, framed, string, u32
from tests.protocols.ssh.sftp.bed import facts
from tests.protocols.ssh.sftp.lab import (
    NO_ATTRIBUTES,
    READ,
    WRITE,
    Lab,
    handle,
    idle,
    name,
    number,
    on,
    open_,
    packet,
    read,
    status,
    write,
)

PATHS = [b"/ok/a", b"/ok/b", b"/ok/a/c", b"/no/a", b"/ok/../no/b", b"/wait/a", b"/wait/a/b", b"no", b"/link/x", b"/a\0"]

request = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(PATHS), st.sampled_from([READ, WRITE, READ | WRITE])),
    st.tuples(st.just("path"), st.sampled_from(PATHS), st.sampled_from([Type.REMOVE, Type.RMDIR, Type.LSTAT, Type.OPENDIR, Type.READLINK])),
    st.tuples(st.just("mkdir"), st.sampled_from(PATHS), st.just(0)),
    st.tuples(st.just("rename"), st.sampled_from(PATHS), st.sampled_from(PATHS)),
    st.tuples(st.just("read"), st.integers(0, 9), st.integers(0, 100)),
    st.tuples(st.just("write"), st.integers(0, 9), st.integers(0, 100)),
    st.tuples(st.just("close"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("junk"), st.binary(max_size=9), st.sampled_from(sorted(REQUESTS))),
)  # fmt: skip


def build(mine: int, what: tuple[str, object, object], handles: list[bytes]) -> bytes:
    kind, first, second = what
    if kind in ("read", "write", "close"):
        assert isinstance(first, int)
        assert isinstance(second, int)
        text = handles[first % len(handles)] if handles else b"none"
        if kind == "close":
            return on(Type.CLOSE, mine, text)
        return read(mine, text, second, 9) if kind == "read" else write(mine, text, second, b"x")
    assert isinstance(first, bytes)
    if kind == "rename":
        assert isinstance(second, bytes)
        return packet(Type.RENAME, mine, string(first), string(second))
    assert isinstance(second, int)
    if kind == "open":
        return open_(mine, first, second)
    if kind == "mkdir":
        return packet(Type.MKDIR, mine, string(first), NO_ATTRIBUTES)
    return packet(second, mine, first) if kind == "junk" else on(second, mine, first)


def verdict(one: Operation) -> str:
    paths = facts(one).paths
    if any("/no" in path for path in paths):
        return "no"
    return "hold" if any("/wait" in path for path in paths) else ""


def real(path: bytes) -> bytes:
    return path.replace(b"/link", b"/no/linked")


def answer(body: bytes, fresh: list[bytes]) -> bytes:
    mine, kind = number(body), body[0]
    if kind in (Type.OPEN, Type.OPENDIR):
        fresh.append(b"h%d" % len(fresh))
        return handle(mine, fresh[-1])
    if kind == Type.READ:
        return packet(Type.DATA, mine, string(b"some"))
    return status(mine)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(request, min_size=1, max_size=30), st.integers(0, 1 << 30), st.booleans())
def test_each_request_has_one_answer_and_nothing_unjudged_arrives(
    whats: list[tuple[str, object, object]], seed: int, refuse: bool
) -> None:
    asyncio.run(play(whats, random.Random(seed), refuse))


async def play(whats: list[tuple[str, object, object]], chance: random.Random, refuse: bool) -> None:
    lab = await Lab(verdict, real=real).greet()
    handles: list[bytes] = []
    flying: list[bytes] = []
    arrived: list[bytes] = []
    heard: list[bytes] = []

    async def turn(*, all_of_them: bool) -> None:
        new = await lab.arrived()
        arrived.extend(new)
        flying.extend(new)
        while flying and (all_of_them or chance.random() < 0.5):
            body = flying.pop(chance.randrange(len(flying)))
            lab.guard.from_upstream(answer(body, handles))
        if lab.holds and (all_of_them or chance.random() < 0.3):
            text = chance.choice(sorted(lab.holds))
            lab.holds.pop(text).set_result("no after all" if refuse else "")
        await idle()
        heard.extend(lab.heard())

    for mine, what in enumerate(whats):
        stream = build(mine, what, handles)
        cut = chance.randrange(len(stream) + 1)
        lab.guard.from_client(stream[:cut])
        lab.guard.from_client(stream[cut:])
        await turn(all_of_them=False)
    for _ in range(200):
        if len(heard) == len(whats):
            break
        await turn(all_of_them=True)
    assert lab.ended == []
    assert sorted(number(one) for one in heard) == list(range(len(whats)))
    await asyncio.wait_for(lab.guard.settled(), 60)
    for body in arrived:
        for path in touched(body):
            assert not path.startswith((b"/no", b"/home/no", b"/link")), path
            assert b".." not in path
            assert not (refuse and path.startswith(b"/wait"))
    ids = [number(one) for one in arrived]
    assert len(set(ids)) == len(ids)
    await lab.guard.close()


def touched(body: bytes) -> list[bytes]:
    """Absolute paths in a request that arrived."""
    match parse(body):
        case Open(path=path) | OnPath(path=path) | Change(path=path):
            return [absolute(path, b"/home") if b".." not in path else path]
        case Pair(first=first, second=second):
            return [absolute(first, b"/home"), absolute(second, b"/home")]
        case _:
            return []


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8), st.booleans(), st.booleans())
def test_any_bytes_of_either_side_are_taken_or_end_the_channel(
    parts: list[bytes], upstream: bool, greeted: bool
) -> None:
    async def run() -> None:
        lab = Lab()
        if greeted:
            await lab.greet()
        for part in parts:
            stream = framed(part) if part and part[0] & 1 else part
            lab.guard.from_upstream(stream) if upstream else lab.guard.from_client(stream)
        await idle()
        assert len(lab.ended) <= 1
        assert lab.guard._requests.waiting <= MAX_PACKET * 2
        await lab.guard.close()

    asyncio.run(run())


async def test_ids_go_round_without_meeting_one_in_flight() -> None:
    lab = await Lab().greet()
    await lab.opened(b"/r", b"r")
    (first,) = await lab.say(read(1, b"r", 0, 9))
    lab.guard._flights._last = number(first) - 1
    (second,) = await lab.say(read(2, b"r", 9, 9))
    assert number(second) == number(first) + 1
    got = await lab.hear(
        packet(Type.DATA, number(second), string(b"b")), packet(Type.DATA, number(first), string(b"a"))
    )
    assert [(number(one), one[-1:]) for one in got] == [(2, b"b"), (1, b"a")]


def test_attributes_say_what_they_set() -> None:
    body = (
        bytes((Type.SETSTAT,))
        + u32(1)
        + string(b"/x")
        + u32(0xF)
        + bytes(7)
        + b"\x09"
        + u32(1)
        + u32(2)
        + u32(0o100640)
        + u32(3)
        + u32(4)
    )
    assert parse(body) == Change(Type.SETSTAT, b"/x", Attributes(9, (1, 2), 0o100640, (3, 4)))


async def test_a_name_in_an_answer_goes_through_as_it_is() -> None:
    lab = await Lab().greet()
    (sent,) = await lab.say(on(Type.READLINK, 5, b"/x"))
    (got,) = await lab.hear(name(number(sent), b"\xff\x1b[31m"))
    assert framed(got) == name(5, b"\xff\x1b[31m")
