"""One direction of reading that several reasons may stop; it goes on when the last of them is gone."""

from __future__ import annotations

import asyncio
from enum import Flag, auto


class Stop(Flag):
    """Why nothing is read."""

    PEER = auto()
    """The other side does not take what was written to it."""
    AHEAD = auto()
    """More is waiting here than may."""
    LOOKING = auto()
    """The catalogue is being asked."""
    FROZEN = auto()
    """The session is being ended."""


class Valve:
    """Of one transport."""

    __slots__ = ("_stopped", "_transport", "shut")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._stopped = Stop(0)
        self.shut = False
        """Some reason stops it; to be read only."""

    def stop(self, reason: Stop) -> None:
        before, self._stopped = self.shut, self._stopped | reason
        self.shut = True
        if not before and not self._transport.is_closing():
            self._transport.pause_reading()

    def go(self, reason: Stop) -> None:
        before, self._stopped = self.shut, self._stopped & ~reason
        self.shut = bool(self._stopped)
        if before and not self.shut and not self._transport.is_closing():
            self._transport.resume_reading()

    def open(self) -> None:
        """Whatever stopped it."""
        self.go(self._stopped)
