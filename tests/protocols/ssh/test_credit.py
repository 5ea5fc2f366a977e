"""What a client may send: never more than the target takes, always something when it takes something, and told in few words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from asyncssh.constants import MSG_CHANNEL_WINDOW_ADJUST
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.protocols.ssh.credit import WORTH, Credit
from hooptui.protocols.ssh.train import Train

MOST = 1024 * 1024


@dataclass
class Chan:
    """What of asyncssh's channel is used."""

    _init_recv_window: int = MOST
    _recv_window: int = 0
    _recv_paused: bool = False
    _send_state: str = "open"
    _recv_state: str = "open"
    told: list[int] = field(default_factory=list)

    def send_packet(self, kind: int, window: bytes) -> None:
        assert kind == MSG_CHANNEL_WINDOW_ADJUST
        self.told.append(int.from_bytes(window, "big"))


class Target:
    def __init__(self, takes: int) -> None:
        self.takes = takes

    def room(self) -> int:
        return self.takes

    def pass_on(self, train: Train) -> None:
        raise AssertionError("nothing is sent here")


def made(takes: int | None, left: int) -> tuple[Credit, Any, Target]:
    credit, chan, target = Credit(MOST), Chan(_recv_window=left), Target(takes or 0)
    credit.chan, credit.target = chan, target if takes is not None else None  # type: ignore[assignment]
    return credit, chan, target


@pytest.mark.parametrize(
    ("takes", "left", "told"),
    [
        (None, MOST // 2, []),
        (None, MOST // 2 - 1, [MOST // 2 + 1]),
        (2 * MOST, 1000, [MOST - 1000]),
        (MOST // 2, 1000, [MOST // 2 - 1000]),
        (WORTH + 999, 1000, []),
        (1000, 1000, []),
        (0, 0, []),
        (-5000, 0, []),
    ],
)
async def test_a_client_is_given_what_the_target_takes(takes: int | None, left: int, told: list[int]) -> None:
    credit, chan, _ = made(takes, left)
    credit._widest = 2 * MOST
    credit.settle()
    assert chan.told == told and chan._recv_window == left + sum(told)


@pytest.mark.parametrize("change", [{"_recv_paused": True}, {"_send_state": "closed"}, {"_recv_state": "eof"}])
async def test_who_is_not_read_or_has_ended_is_given_nothing(change: dict[str, Any]) -> None:
    credit, chan, _ = made(2 * MOST, 0)
    vars(chan).update(change)
    credit.settle()
    assert chan.told == []


async def test_a_target_with_a_small_window_is_not_waited_for() -> None:
    credit, chan, target = made(24_000, 0)
    credit.settle()
    target.takes, chan._recv_window = 12_000, 4000
    credit.settle()
    assert chan.told == [24_000, 8000]


async def test_what_there_is_is_given_when_more_does_not_come() -> None:
    """A target that took much once, and little from then on: else its client would stand still for ever."""
    credit, chan, target = made(2 * MOST, 0)
    credit.settle()
    chan._recv_window, target.takes = 0, 500
    credit.settle()
    credit.settle()
    assert chan.told == [MOST], "it waits for more first"
    while len(chan.told) == 1:
        await asyncio.sleep(0.001)
    assert chan.told == [MOST, 500]
    # Nor is a client given anything that has closed meanwhile.
    chan._recv_window = 0
    credit.settle()
    chan._send_state = "closed"
    await asyncio.sleep(0.02)
    assert chan.told == [MOST, 500]


class Clock:
    """In the place of a loop: what was put off, and nothing that runs by itself."""

    def __init__(self) -> None:
        self.late: list[Any] = []

    def call_later(self, delay: float, call: Any) -> object:
        self.late.append(call)
        return self


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2 * MOST)), max_size=60))
def test_it_never_stands_still_and_never_overruns(moves: list[tuple[int, int]]) -> None:
    credit, chan, target = made(MOST, MOST)
    clock = Clock()
    whole, get = MOST, asyncio.get_running_loop
    asyncio.get_running_loop = lambda: clock  # type: ignore[assignment,return-value]
    try:
        for what, size in moves:
            if what == 0:
                target.takes += size % (2 * MOST - target.takes + 1)
            elif what == 3 and clock.late:
                clock.late.pop()()
            else:
                sent = min(size, chan._recv_window)
                chan._recv_window -= sent
                target.takes -= sent
            credit.settle()
            assert chan._recv_window <= target.takes <= 2 * MOST, "what the client may send, the target takes"
            assert chan._recv_window <= whole
            assert chan._recv_window or not target.takes or clock.late, "it would wait for ever"
            assert len(clock.late) <= 1
    finally:
        asyncio.get_running_loop = get
