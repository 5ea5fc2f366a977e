"""Framing and parsing: the same packets whatever the chunks, bounded, and never more than a refusal for any bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.protocols.ssh.sftp import replies
from hooptui.protocols.ssh.sftp.names import BadPath, absolute
from hooptui.protocols.ssh.sftp.packets import REQUESTS, Attributes, Flag, Open, Type, forwarded, parse
from hooptui.protocols.ssh.sftp.wire import (
    MAX_DATA,
    MAX_PACKET,
    Framer,
    Malformed,
    SftpViolation,
    framed,
    string,
    u32,
    u64,
)
from tests.protocols.ssh.sftp.lab import open_, packets, read, write

bodies = st.lists(st.binary(min_size=1, max_size=60), max_size=20)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(bodies, st.lists(st.integers(1, 30), min_size=1, max_size=20), st.booleans())
def test_any_chunking_gives_the_same_packets(sent: list[bytes], cuts: list[int], late: bool) -> None:
    stream = b"".join(map(framed, sent))
    framer, got, at, turn = Framer("x"), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        framer.push(stream[at : at + size])
        at, turn = at + size, turn + 1
        while not (late and turn % 3) and (body := framer.pop()) is not None:
            got.append(body)
    while (body := framer.pop()) is not None:
        got.append(body)
    assert got == sent
    assert framer.waiting == 0


@pytest.mark.parametrize("length", [0, MAX_PACKET + 1, 0xFFFFFFFF])
def test_a_length_that_is_none_is_said_at_once(length: int) -> None:
    framer = Framer("the client")
    framer.push(u32(length))
    with pytest.raises(SftpViolation, match=f"the client sent an SFTP packet of {length} bytes"):
        framer.pop()


def test_the_longest_packet_is_taken() -> None:
    framer = Framer("x")
    framer.push(framed(b"x" * MAX_PACKET))
    assert len(framer.pop() or b"") == MAX_PACKET


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(REQUESTS)), st.binary(max_size=80))
def test_any_body_is_a_request_or_malformed(kind: int, rest: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse(bytes((kind,)) + u32(7) + rest)


@pytest.mark.parametrize("kind", sorted(REQUESTS - {Type.EXTENDED}))
def test_every_request_is_refused_when_cut_or_longer(kind: int) -> None:
    full = {
        Type.READ: string(b"h") + u64(1) + u32(2),
        Type.WRITE: string(b"h") + u64(1) + string(b"data"),
        Type.OPEN: string(b"/p") + u32(1) + u32(0xF) + u64(1) + u32(2) * 5,
        Type.MKDIR: string(b"/p") + u32(4) + u32(0o755),
        Type.SETSTAT: string(b"/p") + u32(4) + u32(0o755),
        Type.FSETSTAT: string(b"h") + u32(8) + u32(1) + u32(2),
        Type.RENAME: string(b"/a") + string(b"/b"),
        Type.SYMLINK: string(b"/a") + string(b"/b"),
    }.get(Type(kind), string(b"/a"))
    head = bytes((kind,)) + u32(7)
    parse(head + full)
    for end in range(len(full)):
        with pytest.raises(Malformed):
            parse(head + full[:end])
    with pytest.raises(Malformed):
        parse(head + full + b"\0")


def test_what_version_3_does_not_have_is_malformed() -> None:
    head = bytes((Type.OPEN,)) + u32(7) + string(b"/p")
    assert parse(head + u32(3) + u32(0)) == Open(b"/p", Flag.READ | Flag.WRITE, Attributes())
    for flags, attributes in ((64, 0), (1, 16), (1, 0x80000000)):
        with pytest.raises(Malformed):
            parse(head + u32(flags) + u32(attributes) + u32(0) * 10)


def test_a_request_goes_on_under_another_id_and_other_paths() -> None:
    (body,) = packets(open_(7, b"/a/../b"))
    assert forwarded(body, 9) == open_(9, b"/a/../b")
    assert forwarded(body, 9, (b"/b",)) == open_(9, b"/b")
    both = bytes((Type.EXTENDED,)) + u32(1) + string(b"hardlink@openssh.com") + string(b"a")
    there = bytes((Type.EXTENDED,)) + u32(2) + string(b"hardlink@openssh.com") + string(b"a")
    assert forwarded(both + string(b"b"), 2, (None, b"/c")) == framed(there + string(b"/c"))
    assert forwarded(packets(read(1, b"h", 5, 6))[0], 2) == read(2, b"h", 5, 6)
    assert forwarded(packets(write(1, b"h", 5, b"d"))[0], 2) == write(2, b"h", 5, b"d")


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        (b"", b"/home"), (b".", b"/home"), (b"x", b"/home/x"), (b"/", b"/"), (b"//a//b/", b"/a/b"), (b"/a/./b/..", b"/a"), (b"/../..", b"/"),
        (b"../../etc", b"/etc"), (b"/a/...", b"/a/..."), (b"~/x", b"/home/~/x"), (b"/\xff", b"/\xff"), (b"/a/b/../../c", b"/c"),
    ],
)  # fmt: skip
def test_paths_are_made_plain(path: bytes, plain: bytes) -> None:
    assert absolute(path, b"/home") == plain


@pytest.mark.parametrize(("path", "home"), [(b"/a\0b", b"/home"), (b"/" + b"a" * 4096, b"/home"), (b"a", b"")])
def test_a_path_that_no_rule_could_judge_is_refused(path: bytes, home: bytes) -> None:
    with pytest.raises(BadPath):
        absolute(path, home)
    assert absolute(b"/" + b"a" * 4095, b"/home") == b"/" + b"a" * 4095


def test_only_extensions_that_are_understood_are_told_of() -> None:
    told = bytes((Type.VERSION,)) + u32(3)
    known = string(b"posix-rename@openssh.com") + string(b"1")
    other = string(b"check-file") + string(b"") + string(b"statvfs@openssh.com") + string(b"9")
    assert replies.version(told + other + known) == framed(told + known)
    for broken in (told + b"\0", bytes((Type.VERSION,)), bytes((Type.VERSION,)) + u32(6), told + string(b"x")):
        with pytest.raises(SftpViolation):
            replies.version(broken)


def test_no_more_is_promised_than_is_taken() -> None:
    head = bytes((Type.EXTENDED_REPLY,)) + u32(1)
    got = replies.limits(head + u64(1 << 40) + u64(0) + u64(100) + u64(0), 50)
    assert got == head + u64(256 * 1024) + u64(MAX_DATA) + u64(100) + u64(50)
    with pytest.raises(SftpViolation):
        replies.limits(head + u64(1), 50)
