"""Slow work in turns: in order, whole, with others in between, and its source told to wait."""

from __future__ import annotations

import asyncio
import os
import time
from itertools import groupby

from hooptui.protocols.ssh.pace import TURN, Pace


class Slow:
    """Work that takes two turns for each 4 KiB."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.seen: list[tuple[bytes, int | None]] = []
        self.rests: list[bool] = []
        self.ticks = 0
        self.between: list[int] = []
        """How often others had their turn before each piece."""

    def work(self, data: bytes, datatype: int | None) -> None:
        self.seen.append((data, datatype))
        self.between.append(self.ticks)
        time.sleep(self.seconds * len(data))

    def whole(self, datatype: int | None) -> bytes:
        return b"".join(data for data, kind in self.seen if kind == datatype)

    async def others(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.ticks += 1


async def test_slow_work_is_done_in_turns() -> None:
    slow = Slow(2 * TURN / 4096)
    pace = Pace(slow.work, slow.rests.append)
    others = asyncio.create_task(slow.others())
    chunks = [(os.urandom(4096), None), (os.urandom(9000), 1), (os.urandom(4096), None), (b"", None)]
    for data, datatype in chunks:
        pace.feed(data, datatype)
    assert slow.rests == [True] and len(slow.seen) == 1
    while slow.rests != [True, False]:
        await asyncio.sleep(0.001)
    others.cancel()
    for kind in (None, 1):
        assert slow.whole(kind) == b"".join(data for data, datatype in chunks if datatype == kind)
    assert [kind for kind, _ in groupby(kind for _, kind in slow.seen)] == [None, 1, None], "in the order they came"
    assert max(len(data) for data, _ in slow.seen[1:]) < 4096, "what it takes was learnt"
    turns = len(set(slow.between))
    assert turns > 4, "others had their turn between"


async def test_quick_work_is_done_at_once() -> None:
    slow = Slow(0)
    pace = Pace(slow.work, slow.rests.append)
    for _ in range(100):
        pace.feed(bytes(32768), None)
    assert len(slow.seen) == 100 and not slow.rests


async def test_the_end_leaves_nothing() -> None:
    slow = Slow(2 * TURN / 4096)
    pace = Pace(slow.work, slow.rests.append)
    data = os.urandom(20_000)
    pace.feed(data[:4096], None)
    pace.feed(data[4096:], None)
    pace.finish()
    assert slow.whole(None) == data
    await asyncio.sleep(0.05)
    assert slow.whole(None) == data and slow.rests == [True]
