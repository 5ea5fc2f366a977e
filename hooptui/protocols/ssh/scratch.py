"""Where all SSH connections of a loop work: what was read, what it is in plain, and what goes out sealed.

New memory for each packet costs as much as its encryption. So there is one place for each of these, used over and over: what
was read is taken apart before the next read, and what is sealed is written before it. What a socket does not take at once stays
in place until it does: that place is lent, and another one used meanwhile. Knows no connection and no packet.
"""

from __future__ import annotations

import threading
from typing import Final, Protocol

KIB: Final = 1024
READ: Final = 256 * KIB
"""Bytes that are read at a time."""
BEHIND: Final = 320 * KIB
"""Received bytes that wait, for the rest of a packet or for an answer to what came before; beyond it the peer is not read."""
OUT: Final = 320 * KIB
"""Bytes that may be sealed before they are written: a read, and what is around its packets."""
_ROOM: Final = 2 * BEHIND + READ


class Writer(Protocol):
    """Who has something to send."""

    def put(self) -> None:
        """Write it, and `renew` the place that it is in unless all is sent."""


class Scratch:
    """See the module."""

    __slots__ = ("at", "out", "plain", "view", "writers")

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_ROOM))
        """What was read."""
        self.plain = memoryview(bytearray(_ROOM))
        """What it is decrypted."""
        self.out = memoryview(bytearray(OUT))
        """What is sealed, up to `at`."""
        self.at = 0
        self.writers: list[Writer] | None = None
        """Who has something to send, while what was read is taken apart. Otherwise all is sent at once."""

    def room(self, size: int) -> bool:
        """Whether `size` bytes can be sealed from `at` on, when what is there has been written if it must be."""
        if self.at + size > OUT and self.writers is not None:
            self.write()
        return self.at + size <= OUT

    def write(self) -> None:
        """Let all write that have something to send."""
        if self.writers:
            for writer in self.writers:
                writer.put()
            self.writers.clear()
        self.at = 0

    def renew(self) -> None:
        """What is in `out` is not sent yet: leave it to who sends it."""
        self.out = memoryview(bytearray(OUT))
        self.at = 0


class _Mine(threading.local):
    def __init__(self) -> None:
        self.scratch = Scratch()


_mine: Final = _Mine()


def scratch() -> Scratch:
    """The one of this thread's loop."""
    return _mine.scratch
