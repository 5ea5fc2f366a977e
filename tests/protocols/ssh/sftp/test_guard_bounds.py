"""The guard's bounds and endings: floods, clients and targets that do not go on, channels that end in the middle."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from hooptui.core.model import Operation
from hooptui.protocols.ssh.sftp.limits import Limits
from hooptui.protocols.ssh.sftp.packets import Type
from hooptui.protocols.ssh.sftp.replies import Code
from hooptui.protocols.ssh.sftp.wire import framed, string
from tests.protocols.ssh.sftp.lab import (
    NO_ATTRIBUTES,
    WRITE,
    Lab,
    code,
    handle,
    idle,
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


async def test_a_client_that_floods_is_not_read_and_then_goes_on() -> None:
    lab = await Lab(hold("remove"), Limits(waiting=3, in_flight=2, backlog=200)).greet()
    for one in range(6):
        await lab.say(on(Type.REMOVE, one, b"/%d" % one))
    assert len(lab.asked) == 3
    assert lab.paused == [True]
    for one in range(6):
        lab.release(f"/{one}")
        for sent in await lab.arrived():
            await lab.hear(status(number(sent)))
        await lab.arrived()
    assert len(lab.asked) == 6
    assert lab.paused[-1] is False
    assert lab.ended == []


async def test_a_client_that_floods_on_is_cut_off() -> None:
    lab = await Lab(hold("remove"), Limits(waiting=1, backlog=200)).greet()
    for one in range(20):
        lab.guard.from_client(on(Type.REMOVE, one, b"/%d" % one))
    assert lab.ended == ["the client sent over 200 bytes while its requests wait"]


async def test_requests_that_the_target_never_answers_are_bounded() -> None:
    lab = await Lab(limits=Limits(in_flight=5)).greet()
    await lab.opened(b"/r", b"r")
    sent = await lab.say(*(read(one, b"r", one, 1) for one in range(20)))
    assert len(sent) == 5
    assert lab.paused == [True]
    await lab.hear(*(packet(Type.DATA, number(one), string(b"x")) for one in sent))
    assert len(await lab.arrived()) == 5


async def test_a_client_that_does_not_read_is_not_served_on() -> None:
    lab = await Lab().greet()
    lab.guard.stall(True)
    assert await lab.say(on(Type.REMOVE, 1, b"/x")) == []
    assert lab.paused == [True]
    lab.guard.stall(False)
    assert len(await lab.arrived()) == 1
    assert lab.paused == [True, False]


async def test_open_files_are_bounded() -> None:
    lab = await Lab(limits=Limits(handles=2)).greet()
    sent = await lab.say(open_(1, b"/a"), on(Type.OPENDIR, 2, b"/b"), open_(3, b"/c"))
    assert len(sent) == 2
    assert [(number(one), code(one)) for one in lab.heard()] == [(3, Code.FAILURE)]
    await lab.hear(handle(number(sent[0]), b"a"), status(number(sent[1]), 2))
    (sent,) = await lab.say(open_(4, b"/d"))
    await lab.hear(handle(number(sent), b"d"))
    assert await lab.say(open_(5, b"/e")) == []
    (sent,) = await lab.say(on(Type.CLOSE, 6, b"a"))
    assert len(await lab.say(open_(7, b"/e"))) == 1


async def test_a_client_that_leaves_withdraws_what_is_held_and_is_told_on() -> None:
    lab = await Lab(hold("remove")).greet()
    await lab.opened(b"/w", b"w", WRITE)
    await lab.say(
        write(1, b"w", 0, b"half"), on(Type.REMOVE, 2, b"/x"), packet(Type.MKDIR, 3, string(b"/m"), NO_ATTRIBUTES)
    )
    await lab.guard.close()
    assert lab.withdrawn == ["sftp remove /x"]
    lines = [one.line for one in lab.reports]
    assert lines == [
        'mkdir "/m" unanswered: the channel ended',
        f'write "/w" 4 bytes sha256 {hashlib.sha256(b"half").hexdigest()} not closed: the channel ended',
    ]
    assert not any(one.ok for one in lab.reports)
    lab.guard.from_client(on(Type.REMOVE, 4, b"/y"))
    lab.guard.from_upstream(status(1))
    assert await lab.arrived() == []


async def test_the_end_of_a_file_waits_for_what_is_held() -> None:
    lab = await Lab(hold("remove")).greet()
    lab.guard.from_client(on(Type.REMOVE, 1, b"/x")[:9])
    await asyncio.wait_for(lab.guard.settled(), 60)
    lab.guard.from_client(on(Type.REMOVE, 1, b"/x")[9:])
    await lab.arrived()
    settled = asyncio.ensure_future(lab.guard.settled())
    await idle()
    assert not settled.done()
    lab.release("/x")
    (sent,) = await lab.arrived()
    await lab.hear(status(number(sent)))
    await settled
    lab.guard.stall(True)
    await lab.say(on(Type.REMOVE, 2, b"/y"))
    stalled = asyncio.ensure_future(lab.guard.settled())
    await idle()
    assert not stalled.done(), "it was not even looked at"
    lab.guard.stall(False)
    await lab.arrived()
    lab.guard.from_client(framed(b"\0"))
    await stalled
    assert len(lab.ended) == 1


async def test_a_judge_that_breaks_ends_the_channel_without_a_word_of_it() -> None:
    def broken(_one: Operation) -> str:
        raise RuntimeError("s3cr3t")

    lab = await Lab(broken).greet()
    assert await lab.say(on(Type.REMOVE, 1, b"/x")) == []
    assert lab.ended == ["a request could not be judged (RuntimeError)"]
    await lab.guard.close()
