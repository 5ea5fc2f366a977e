"""Why a channel is not read now: for any of several reasons, none of which knows of the others."""

from __future__ import annotations

from typing import Any

from asyncssh.channel import SSHChannel


class Holds:
    """Of one channel."""

    __slots__ = ("_why", "chan", "ended")

    def __init__(self) -> None:
        self.chan: SSHChannel[Any] | None = None
        self.ended = False
        """No new reason counts."""
        self._why: set[str] = set()

    def hold(self, why: str) -> None:
        """Do not read it, for this reason too."""
        self._why.add(why)
        if self.chan is not None and not self.ended:
            self.chan.pause_reading()

    def free(self, why: str) -> None:
        """This reason is gone."""
        self._why.discard(why)
        if self.chan is not None and not self._why:
            self.chan.resume_reading()

    def end(self) -> None:
        """Read it to its end."""
        self.ended = True
        self._why.clear()
        if self.chan is not None:
            self.chan.resume_reading()
