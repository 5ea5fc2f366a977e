"""The guard, played by hand: what passes, what waits, what is refused, and what ends the channel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from hooptui.core.model import Operation
from hooptui.protocols.ssh.sftp.packets import Type
from hooptui.protocols.ssh.sftp.replies import Code
from hooptui.protocols.ssh.sftp.report import complaint
from hooptui.protocols.ssh.sftp.wire import MAX_DATA, framed, string, u32, u64
from tests.protocols.ssh.sftp.bed import facts
from tests.protocols.ssh.sftp.lab import (
    CREAT,
    NO_ATTRIBUTES,
    READ,
    TRUNC,
    WRITE,
    Lab,
    code,
    handle,
    name,
    number,
    on,
    open_,
    packet,
    packets,
    read,
    status,
    write,
)


def deny(*verbs: str) -> Callable[[Operation], str]:
    return lambda one: "not here" if one.verb in verbs else ""


def hold(*verbs: str) -> Callable[[Operation], str]:
    return lambda one: "hold" if one.verb in verbs else ""


async def test_a_denied_request_is_answered_under_its_own_id_and_goes_nowhere() -> None:
    lab = await Lab(deny("remove")).greet()
    assert await lab.say(on(Type.REMOVE, 77, b"x")) == []
    (said,) = lab.heard()
    assert (number(said), code(said)) == (77, Code.PERMISSION_DENIED)
    assert b"denied by rule r1: not here" in said
    assert [one.line for one in lab.reports] == ['remove "/home/x" refused: denied by rule r1: not here']
    assert [complaint(one) for one in lab.reports] == [f"hooptui: {lab.reports[0].line}"]
    (sent,) = await lab.say(on(Type.RMDIR, 77, b"x"))
    assert sent[0] == Type.RMDIR, "the session goes on, and the id is free again"
    assert [one.used for one in lab.permits] == [True]
    await lab.hear(status(number(sent)))
    assert complaint(lab.reports[-1]) == ""


@pytest.mark.parametrize(
    ("flags", "actions"),
    [
        (READ, {"file_read"}), (0, {"file_read"}), (WRITE, {"file_write"}), (READ | WRITE, {"file_read", "file_write"}), (4, {"file_read", "file_write"}),
        (CREAT, {"file_read", "file_write"}), (READ | TRUNC, {"file_read", "file_write"}), (WRITE | CREAT | TRUNC, {"file_write"}), (32, {"file_read", "file_write"}),
    ],
)  # fmt: skip
async def test_an_open_is_judged_by_all_that_it_may_do(flags: int, actions: set[str]) -> None:
    lab = await Lab().greet()
    await lab.say(open_(1, b"f", flags))
    assert facts(lab.asked[-1]).actions == actions
    assert facts(lab.asked[-1]).paths == {"/home/f"}


async def test_a_file_is_used_only_as_it_was_judged() -> None:
    lab = await Lab().greet()
    await lab.opened(b"/r", b"r", READ)
    await lab.opened(b"/w", b"w", WRITE)
    bad = (
        write(1, b"r", 0, b"x"), read(2, b"w", 0, 9), on(Type.READDIR, 3, b"r"), read(4, b"nothing", 0, 9), on(Type.CLOSE, 5, b""),
        packet(Type.EXTENDED, 6, string(b"copy-data"), string(b"w"), u64(0), u64(0), string(b"r"), u64(0)),
        packet(Type.FSETSTAT, 7, string(b"nothing"), NO_ATTRIBUTES),
    )  # fmt: skip
    assert await lab.say(*bad) == []
    denied, failed = Code.PERMISSION_DENIED, Code.FAILURE
    assert [code(one) for one in lab.heard()] == [denied, denied, denied, failed, failed, denied, failed]


async def test_what_cannot_be_judged_is_refused_and_the_session_goes_on() -> None:
    lab = await Lab().greet()
    bad = (
        on(Type.REMOVE, 1, b"/a\0b"), on(Type.REMOVE, 2, b"/" + b"x" * 5000), packet(Type.EXTENDED, 3, string(b"check-file"), b"junk"),
        packet(Type.REMOVE, 4, b"\0\0"), packet(Type.OPEN, 5, string(b"/x"), u32(64), NO_ATTRIBUTES), packet(Type.REMOVE, 6, string(b"/x"), b"y"),
    )  # fmt: skip
    assert await lab.say(*bad) == []
    got = [(number(one), code(one)) for one in lab.heard()]
    denied, broken = Code.PERMISSION_DENIED, Code.BAD_MESSAGE
    assert got == [(1, denied), (2, denied), (3, Code.OP_UNSUPPORTED), (4, broken), (5, broken), (6, broken)]
    assert lab.asked == []
    assert len(lab.reports) == 6
    assert lab.ended == []


@pytest.mark.parametrize(
    "junk",
    [
        framed(bytes((99,)) + u32(1)), framed(bytes((Type.INIT,)) + u32(3)), framed(bytes((Type.STATUS,)) + u32(1)), framed(bytes((Type.REMOVE,))),
        u32(0), u32(1 << 20), framed(bytes((Type.VERSION,)) + u32(3)), framed(b"\0"),
    ],
)  # fmt: skip
async def test_what_is_no_request_ends_the_channel(junk: bytes) -> None:
    lab = await Lab().greet()
    assert await lab.say(junk, on(Type.REMOVE, 2, b"/x")) == []
    assert len(lab.ended) == 1
    assert lab.asked == []


async def test_an_id_may_not_be_used_twice_at_once() -> None:
    lab = await Lab(hold("remove")).greet()
    await lab.say(on(Type.REMOVE, 1, b"/x"), on(Type.LSTAT, 1, b"/y"))
    assert lab.ended == ["the client used the id 1 again before it was answered"]


@pytest.mark.parametrize(
    "first", [b"", framed(b"\x01\0"), framed(bytes((Type.INIT,)) + u32(2)), on(Type.REMOVE, 1, b"/x")]
)
async def test_a_client_begins_with_init(first: bytes) -> None:
    lab = Lab()
    lab.guard.from_client(first)
    assert bool(lab.ended) is bool(first)
    assert not lab.up


async def test_the_target_is_asked_for_version_3_whatever_the_client_speaks_and_answers_it() -> None:
    lab = Lab()
    lab.guard.from_client(framed(bytes((Type.INIT,)) + u32(6)) + on(Type.REMOVE, 1, b"x"))
    assert bytes(lab.up) == framed(bytes((Type.INIT,)) + u32(3))
    lab.guard.from_upstream(framed(bytes((Type.VERSION,)) + u32(3) + string(b"x") + string(b"1")))
    assert bytes(lab.down) == framed(bytes((Type.VERSION,)) + u32(3))
    assert lab.asked == [], "what comes early waits until the home is known"
    asked = number(packets(bytes(lab.up))[-1])
    lab.up.clear()
    lab.guard.from_upstream(name(asked, b"/h"))
    await lab.arrived()
    assert facts(lab.asked[0]).paths == {"/h/x"}
    old = Lab()
    old.guard.from_client(framed(bytes((Type.INIT,)) + u32(3)))
    old.guard.from_upstream(framed(bytes((Type.VERSION,)) + u32(6)))
    assert old.ended == ["the target speaks SFTP version 6, and only version 3 can be judged"]


@pytest.mark.parametrize(
    "first", [status(1), handle(1, b"h"), framed(bytes((Type.VERSION,)) + u32(3)), framed(b"\x65")]
)
async def test_a_target_that_talks_first_ends_the_channel(first: bytes) -> None:
    lab = Lab()
    lab.guard.from_upstream(first)
    assert len(lab.ended) == 1
    assert not lab.down


async def test_relative_paths_are_refused_where_the_home_is_not_known() -> None:
    lab = Lab()
    lab.guard.from_client(framed(bytes((Type.INIT,)) + u32(3)))
    lab.guard.from_upstream(framed(bytes((Type.VERSION,)) + u32(3)))
    lab.guard.from_upstream(status(number(packets(bytes(lab.up))[-1]), 3))
    lab.up.clear()
    lab.down.clear()
    sent = await lab.say(on(Type.REMOVE, 1, b"x"), on(Type.REMOVE, 2, b"/x"))
    assert [one[9:] for one in sent] == [b"/x"]
    assert [code(one) for one in lab.heard()] == [Code.PERMISSION_DENIED]


@pytest.mark.parametrize("twice", [True, False])
async def test_an_answer_that_nobody_waits_for_ends_the_channel(twice: bool) -> None:
    lab = await Lab().greet()
    (sent,) = await lab.say(on(Type.REMOVE, 1, b"/x"))
    mine = number(sent)
    got = await lab.hear(status(mine), status(mine)) if twice else await lab.hear(status(mine + 500))
    assert len(got) == twice
    assert lab.ended == ["the target answered an SFTP request that it was not asked, or one twice"]


@pytest.mark.parametrize(
    "answer", [handle(0, b"h"), name(0, b"x"), packet(Type.DATA, 0, string(b"x")), packet(Type.ATTRS, 0)]
)
async def test_an_answer_of_the_wrong_kind_ends_the_channel(answer: bytes) -> None:
    lab = await Lab().greet()
    (sent,) = await lab.say(on(Type.REMOVE, 1, b"/x"))
    assert await lab.hear(answer[:5] + sent[1:5] + answer[9:]) == []
    assert len(lab.ended) == 1


async def test_a_target_cannot_send_more_than_was_asked_nor_give_a_handle_twice() -> None:
    lab = await Lab().greet()
    await lab.opened(b"/r", b"r")
    (sent,) = await lab.say(read(1, b"r", 0, 4))
    assert await lab.hear(packet(Type.DATA, number(sent), string(b"12345"))) == []
    assert len(lab.ended) == 1
    again = await Lab().greet()
    await again.opened(b"/r", b"r")
    (sent,) = await again.say(open_(2, b"/s"))
    assert await again.hear(handle(number(sent), b"r")) == []
    assert again.ended == ["the target gave out an SFTP handle that is in use"]


async def test_a_read_is_cut_to_what_a_packet_holds() -> None:
    lab = await Lab().greet()
    await lab.opened(b"/r", b"r")
    (sent,) = await lab.say(read(1, b"r", 7, 0xFFFFFFFF))
    assert sent[-4:] == u32(MAX_DATA)


async def test_what_went_through_is_counted_and_hashed() -> None:
    lab = await Lab().greet()
    await lab.opened(b"/f", b"h", READ | WRITE)
    sent = await lab.say(
        write(1, b"h", 0, b"one"), write(2, b"h", 3, b"two"), read(3, b"h", 2, 9), read(4, b"h", 99, 9)
    )
    ids = [number(one) for one in sent]
    await lab.hear(status(ids[1]), status(ids[0]), packet(Type.DATA, ids[2], string(b"etwo")), status(ids[3], 1))
    (sent,) = await lab.say(on(Type.CLOSE, 5, b"h"))
    await lab.hear(status(number(sent)))
    (report,) = lab.reports
    down, up = report.moved
    assert (up.size, up.start, up.sha256) == (6, 0, hashlib.sha256(b"onetwo").hexdigest())
    assert (down.size, down.start, down.sha256) == (4, 2, hashlib.sha256(b"etwo").hexdigest())
    assert (report.ok, report.verb, report.paths) == (True, "update", ("/f",))


async def test_a_hash_is_not_made_up_where_bytes_did_not_come_in_order_or_failed() -> None:
    for second, answer in (
        (write(2, b"h", 9, b"two"), 0),
        (write(2, b"h", 0, b"two"), 0),
        (write(2, b"h", 3, b"two"), 4),
    ):
        lab = await Lab().greet()
        await lab.opened(b"/f", b"h", WRITE)
        sent = await lab.say(write(1, b"h", 0, b"one"), second)
        await lab.hear(status(number(sent[0])), status(number(sent[1]), answer))
        (sent,) = await lab.say(on(Type.CLOSE, 3, b"h"))
        await lab.hear(status(number(sent)))
        assert lab.reports[0].moved[0].sha256 == ""
        assert lab.reports[0].ok is (answer == 0)


async def test_bytes_of_a_judged_file_pass_at_once_before_and_after_a_change_to_it() -> None:
    lab = await Lab().greet()
    await lab.opened(b"/f", b"h", READ | WRITE)
    (cut,) = await lab.say(packet(Type.FSETSTAT, 1, string(b"h"), u32(1), u64(0)))
    await lab.hear(status(number(cut)))
    lab.guard.from_client(write(2, b"h", 0, b"x"))
    assert packets(bytes(lab.up))[0][5:] == packets(write(2, b"h", 0, b"x"))[0][5:]
    lab.up.clear()
    (sent,) = await lab.say(read(3, b"h", 0, 9))
    (got,) = await lab.hear(packet(Type.DATA, number(sent), string(b"")))
    assert got == packets(packet(Type.DATA, 3, string(b"")))[0]
    assert lab.ended == []


async def test_a_copy_on_the_target_is_judged_and_leaves_no_hash_of_what_was_not_seen() -> None:
    lab = await Lab().greet()
    await lab.opened(b"/from", b"r", READ)
    await lab.opened(b"/to", b"w", WRITE)
    (sent,) = await lab.say(
        packet(Type.EXTENDED, 1, string(b"copy-data"), string(b"r"), u64(0), u64(7), string(b"w"), u64(0))
    )
    assert (facts(lab.asked[-1]).actions, facts(lab.asked[-1]).paths) == ({"file_read", "file_write"}, {"/from", "/to"})
    await lab.hear(status(number(sent)))
    (sent,) = await lab.say(on(Type.CLOSE, 2, b"w"))
    await lab.hear(status(number(sent)))
    assert [one.line for one in lab.reports] == [
        'copy "/from" "/to" ok',
        'write "/to" 0 bytes sha256 none: not in order ok',
    ]


async def test_what_only_works_out_names_is_neutral_and_recorded_all_the_same() -> None:
    lab = await Lab().greet()
    ask = (
        packet(Type.EXTENDED, 1, string(b"limits@openssh.com")),
        packet(Type.EXTENDED, 2, string(b"home-directory"), string(b"")),
        packet(Type.EXTENDED, 3, string(b"expand-path@openssh.com"), string(b"~/x")),
    )
    sent = await lab.say(*ask)
    assert [facts(one).actions for one in lab.asked] == [frozenset()] * 3
    got = await lab.hear(
        packet(Type.EXTENDED_REPLY, number(sent[0]), u64(1 << 30), u64(0), u64(0), u64(0)),
        name(number(sent[1]), b"/home"),
        name(number(sent[2]), b"/home/x"),
    )
    assert got[0][5:13] == u64(256 * 1024)
    assert [number(one) for one in got] == [1, 2, 3]
    assert [one.verb for one in lab.reports] == ["limits", "home-directory", "expand-path"]
    await lab.say(packet(Type.EXTENDED, 4, string(b"users-groups-by-id@openssh.com"), string(b""), string(b"")))
    assert facts(lab.asked[-1]).actions == {"file_list"}


async def test_what_a_reviewer_reads_says_how() -> None:
    lab = await Lab().greet()
    create = packet(Type.OPEN, 1, string(b"/f"), u32(WRITE | CREAT), u32(4), u32(0o104755))
    look = packet(Type.OPEN, 2, string(b"/g"), u32(READ), u32(4), u32(0o644))
    every = packet(Type.SETSTAT, 3, string(b"/h"), u32(0xF), u64(5), u32(0), u32(0), u32(0o600), u32(1), u32(1))
    await lab.say(create)
    await lab.say(look)
    await lab.say(every)
    assert [one.text for one in lab.asked] == [
        "sftp write /f (write, creat, mode 4755)",
        "sftp read /g (read)",
        "sftp setstat /h (size 5, owner 0:0, mode 0600, times)",
    ]
