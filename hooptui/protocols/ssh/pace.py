"""Work on a stream in turns, so that one which is slow to work on does not take the loop from all others.

What a detector has to look at closely can be a hundred times slower than other output. Such a stream is worked on in pieces of
a few milliseconds, and rests after each as long as it took; its source is not read meanwhile. Knows nothing of what is done.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

TURN: Final = 0.004
"""Seconds of work after which others have their turn."""
LEAST: Final = 512
"""Bytes that are worked on at least."""


class Pace:
    """Of one channel. Lives on the gateway's loop."""

    def __init__(self, work: Callable[[bytes, int | None], None], rest: Callable[[bool], None]) -> None:
        """`work` is done on all that is fed, in order; `rest` is told when no more should be fed for now, and when again."""
        self._work = work
        self._rest = rest
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._cost = 0.0
        """Seconds for a byte, of the last piece."""

    def feed(self, data: bytes, datatype: int | None) -> None:
        if self._timer is not None:
            self._waiting.append((data, datatype))
            return
        took = self._piece(data, datatype)
        if self._waiting or took > TURN:
            self._timer = asyncio.get_running_loop().call_later(took, self._again)
            self._rest(True)

    def finish(self) -> None:
        """Nothing comes any more: work on all that waits, which is little where `rest` was heeded."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            self._work(*self._waiting.popleft())

    def _again(self) -> None:
        self._timer = None
        took = 0.0
        while self._waiting and took <= TURN:
            took += self._piece(*self._waiting.popleft())
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(took, self._again)
        else:
            self._rest(False)

    def _piece(self, data: bytes, datatype: int | None) -> float:
        """Work on as much as should fit into a turn, put back the rest; seconds that it took."""
        size = len(data)
        if self._cost * size > TURN:
            size = max(LEAST, int(TURN / self._cost))
        if size < len(data):
            self._waiting.appendleft((data[size:], datatype))
            data = data[:size]
        began = time.perf_counter()
        self._work(data, datatype)
        took = time.perf_counter() - began
        self._cost = took / max(1, len(data))
        return took
