"""How much a client may send on a channel whose data goes on to the target unseen: what the target has room for.

A client that may send more than the target takes has it kept here, copied in and copied out, and gains nothing by it. So the
window that it is given follows the target's, in large steps.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from asyncssh.channel import SSHChannel
from asyncssh.constants import MSG_CHANNEL_WINDOW_ADJUST
from asyncssh.packet import UInt32

from hooptui.protocols.ssh.scratch import KIB
from hooptui.protocols.ssh.train import Train

WORTH: Final = 256 * KIB
"""Bytes of window that are worth telling at once."""
PATIENCE: Final = 0.01
"""Seconds that a client which may send nothing waits for as much; then it is given what there is."""


class Takes(Protocol):
    """The target's end of a channel."""

    def room(self) -> int:
        """Bytes that it takes now."""

    def pass_on(self, train: Train) -> None:
        """Data for it as it came."""


class Credit:
    """See the module."""

    __slots__ = ("_timer", "_widest", "_window", "chan", "target")

    def __init__(self, window: int) -> None:
        """`window` is what a client may have on its way where no target takes it unseen."""
        self.chan: SSHChannel[Any] | None = None
        """The client's."""
        self.target: Takes | None = None
        """Who takes it unseen."""
        self._window = window
        self._widest = 0
        """As much as there was room for at most: a target with little of it is not waited for to have more."""
        self._timer: asyncio.TimerHandle | None = None

    def settle(self, *, late: bool = False) -> None:
        """To be called when data has been taken, and when there may be more room; `late` when patience is at its end."""
        chan = self.chan
        if chan is None:
            return
        most, left = chan._init_recv_window, chan._recv_window
        if left >= most / 2 or chan._recv_paused or chan._send_state != "open" or chan._recv_state != "open":
            return
        room = self.target.room() if self.target is not None else self._window
        self._widest = max(self._widest, room)
        more = min(most, room) - left
        if more <= 0:
            return
        if late or more >= min(WORTH, self._widest // 4):
            chan._recv_window += more
            chan.send_packet(MSG_CHANNEL_WINDOW_ADJUST, UInt32(more))
        elif not left and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._late)

    def _late(self) -> None:
        self._timer = None
        self.settle(late=True)
