"""Whether a client is still there while nothing is read from it: no end of file is seen then, and nothing may run for nobody."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

EVERY = 1.0
"""Seconds between two looks."""


class Watch:
    """Cuts the connection of a client that has hung up unseen."""

    __slots__ = ("_timer", "_unread")

    def __init__(self, unread: Callable[[], asyncio.Transport | None]) -> None:
        """`unread` gives the transport as long as it is not being read from, and None once it is again, or is gone."""
        self._unread = unread
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look from time to time, until there is nothing to look for."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        transport = self._unread()
        if transport is None:
            return
        if hung_up(transport):
            transport.abort()
        else:
            self.start()


def hung_up(transport: asyncio.Transport) -> bool:
    """Whether the other side has closed, seen past whatever it sent before."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return True
    flags = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
    poll = select.poll()
    poll.register(sock.fileno(), flags)
    return any(event & flags for _, event in poll.poll(0))
