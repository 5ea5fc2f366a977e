"""Paths through the guard: what symlinks, links and dots make of them, and which of two requests comes first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hooptui.core.model import Operation
from hooptui.protocols.ssh.sftp.packets import Type
from hooptui.protocols.ssh.sftp.replies import Code
from hooptui.protocols.ssh.sftp.wire import string, u32, u64
from tests.protocols.ssh.sftp.bed import facts
from tests.protocols.ssh.sftp.lab import (
    NO_ATTRIBUTES,
    READ,
    WRITE,
    Lab,
    code,
    number,
    on,
    open_,
    packet,
    read,
    status,
    write,
)


def hold(*verbs: str) -> Callable[[Operation], str]:
    return lambda one: "hold" if one.verb in verbs else ""


async def test_a_held_request_stops_nothing_but_what_must_not_overtake_it() -> None:
    lab = await Lab(hold("mkdir")).greet()
    sent = await lab.say(
        packet(Type.MKDIR, 1, string(b"/a/b"), NO_ATTRIBUTES),
        on(Type.REMOVE, 2, b"/c"),
        open_(3, b"/a/b/f", WRITE),
        on(Type.LSTAT, 4, b"/a/b"),
        on(Type.OPENDIR, 5, b"/a"),
        on(Type.REMOVE, 6, b"/a/bc"),
    )
    assert [one[0] for one in sent] == [Type.REMOVE, Type.OPENDIR, Type.REMOVE]
    got = await lab.hear(status(number(sent[2])), status(number(sent[0])))
    assert [number(one) for one in got] == [6, 2], "answers go back as they come"
    lab.release("/a/b")
    (made,) = await lab.arrived()
    assert made[0] == Type.MKDIR
    await lab.hear(status(number(made)))
    assert sorted(one[0] for one in await lab.arrived()) == [Type.OPEN, Type.LSTAT]


async def test_requests_on_a_file_keep_their_order_behind_one_that_waits() -> None:
    lab = await Lab(hold("setstat")).greet()
    await lab.opened(b"/f", b"h", READ | WRITE)
    await lab.opened(b"/g", b"g", WRITE)
    sent = await lab.say(
        packet(Type.FSETSTAT, 1, string(b"h"), u32(1), u64(0)),
        write(2, b"h", 0, b"x"),
        write(3, b"g", 0, b"y"),
        on(Type.CLOSE, 4, b"h"),
        read(5, b"h", 0, 9),
    )
    assert [one[0] for one in sent] == [Type.WRITE]
    assert sent[0].endswith(b"y")
    assert facts(lab.asked[-1]).actions == {"file_setstat", "file_write"}
    assert facts(lab.asked[-1]).paths == {"/f"}
    lab.release("setstat")
    (cut,) = await lab.arrived()
    assert cut[0] == Type.FSETSTAT
    got = await lab.hear(status(number(cut)))
    rest = await lab.arrived()
    assert [one[0] for one in rest] == [Type.WRITE, Type.CLOSE]
    assert [(number(one), code(one)) for one in [*got, *lab.heard()]] == [(1, Code.OK), (5, Code.FAILURE)]


async def test_where_symlinks_lead_is_judged_too() -> None:
    lab = Lab(real=lambda path: path.replace(b"/link", b"/etc"))
    await lab.greet()
    await lab.say(open_(1, b"/link/passwd"), on(Type.REMOVE, 2, b"/srv/link"), on(Type.REMOVE, 3, b"/link/x"))
    judged = {one.text: facts(one).paths for one in lab.asked}
    assert judged == {
        "sftp read /link/passwd /etc/passwd (read)": {"/link/passwd", "/etc/passwd"},
        "sftp remove /srv/link": {"/srv/link"},
        "sftp remove /link/x /etc/x": {"/link/x", "/etc/x"},
    }
    await lab.say(packet(Type.SYMLINK, 4, string(b"../etc/shadow"), string(b"/srv/a/s")))
    assert {"/srv/etc/shadow", "/srv/a/s"} <= facts(lab.asked[-1]).paths


async def test_a_hard_link_is_as_much_as_reading_and_writing() -> None:
    lab = await Lab().greet()
    await lab.say(packet(Type.EXTENDED, 1, string(b"hardlink@openssh.com"), string(b"/a"), string(b"/b")))
    assert facts(lab.asked[-1]).actions == {"file_symlink", "file_read", "file_write"}
    assert facts(lab.asked[-1]).paths == {"/a", "/b"}


async def test_dots_are_taken_out_of_what_is_sent() -> None:
    lab = await Lab().greet()
    (sent,) = await lab.say(packet(Type.RENAME, 1, string(b"/a/../b"), string(b"../c")))
    assert sent[5:] == string(b"/b") + string(b"/c")
    assert facts(lab.asked[-1]).paths == {"/b", "/c"}


@pytest.mark.parametrize("extension", [b"", b"posix-rename@openssh.com", b"hardlink@openssh.com"])
async def test_a_rename_is_of_the_link_itself_and_keeps_what_comes_after_it_waiting(extension: bytes) -> None:
    verb = "hardlink" if extension.startswith(b"hard") else "rename"
    lab = Lab(hold(verb), real=lambda path: path.replace(b"/link", b"/etc"))
    await lab.greet()
    names = string(b"/srv/link") + string(b"/link/to")
    first = packet(Type.EXTENDED, 1, string(extension), names) if extension else packet(Type.RENAME, 1, names)
    sent = await lab.say(first, open_(2, b"/link/to/x"), on(Type.REMOVE, 3, b"/srv"), on(Type.REMOVE, 4, b"/other"))
    assert [one[0] for one in sent] == [Type.REMOVE]
    assert facts(lab.asked[0]).paths == {"/srv/link", "/link/to", "/etc/to"}
    lab.release(verb)
    (moved,) = await lab.arrived()
    await lab.hear(status(number(moved)))
    assert sorted(one[0] for one in await lab.arrived()) == [Type.OPEN, Type.REMOVE]


async def test_a_link_is_made_before_what_goes_through_it() -> None:
    lab = Lab(hold("symlink"), real=lambda path: path.replace(b"/new", b"/etc"))
    await lab.greet()
    made = packet(Type.SYMLINK, 1, string(b"/srv"), string(b"/new"))
    assert await lab.say(made, open_(2, b"/new/x")) == []
    assert facts(lab.asked[0]).paths == {"/srv", "/new"}
    lab.release("symlink")
    (sent,) = await lab.arrived()
    assert sent[5:] == string(b"/srv") + string(b"/new")
    await lab.hear(status(number(sent)))
    assert [one[0] for one in await lab.arrived()] == [Type.OPEN]


@pytest.mark.parametrize(
    ("sent", "paths"),
    [
        (on(Type.LSTAT, 1, b"/link"), {"/link"}), (on(Type.READLINK, 1, b"/link"), {"/link"}), (on(Type.RMDIR, 1, b"/link"), {"/link"}),
        (on(Type.OPENDIR, 1, b"/link"), {"/link", "/etc"}), (packet(Type.MKDIR, 1, string(b"/link"), NO_ATTRIBUTES), {"/link"}),
        (packet(Type.SETSTAT, 1, string(b"/link"), NO_ATTRIBUTES), {"/link", "/etc"}),
        (packet(Type.EXTENDED, 1, string(b"lsetstat@openssh.com"), string(b"/link"), NO_ATTRIBUTES), {"/link"}),
        (packet(Type.EXTENDED, 1, string(b"statvfs@openssh.com"), string(b"/link")), {"/link", "/etc"}),
    ],
)  # fmt: skip
async def test_a_link_is_followed_where_the_target_follows_it(sent: bytes, paths: set[str]) -> None:
    lab = Lab(real=lambda path: path.replace(b"/link", b"/etc"))
    await lab.greet()
    await lab.say(sent)
    assert facts(lab.asked[0]).paths == paths
