"""The gateway's own voice on a session channel: lines on stderr while it waits, and last ones. Decides nothing."""

from __future__ import annotations

from typing import Final

from hooptui.core.approvals import Approval
from hooptui.core.gate import Refused, Why
from hooptui.core.session import Session
from hooptui.protocols.ssh import replies
from hooptui.protocols.ssh.sessions import SessionChannel

UNREAD: Final = 64 * 1024
"""Bytes of reminders that a client may leave unread."""


class Voice:
    """See the module. Says nothing before it has its channel, nor after that is closed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.chan: SessionChannel | None = None
        self.terminal = False
        """The client's end is a raw terminal."""

    def held(self, approval: Approval, remaining: float) -> None:
        """A `Tell`. Raises Refused: the client has left."""
        self._say(replies.held(approval, remaining))

    def waiting(self, approval: Approval, remaining: float) -> None:
        """The same for a session that waits for access."""
        self._say(replies.waiting(approval, remaining))

    def without_agent(self, refused: Refused) -> None:
        """Its agent stays where it is. Raises as `held`."""
        first, *rest = replies.refused(refused)
        self._say((f"your agent is not forwarded: {first}; going on without it", *rest))

    def let_in(self) -> None:
        """Its access begins."""
        grant = self._session.grant
        left = grant.until - self._session.house.clock.now() if grant is not None else None
        self._say(replies.let_in(left, grant.approval if grant is not None else 0))

    def end(self, lines: tuple[str, ...], status: int) -> None:
        """The last words, and the exit status."""
        chan = self._open()
        if chan is not None:
            chan.write_stderr(replies.shown(lines, terminal=self.terminal))
            chan.exit(status)

    def killed(self, message: str) -> None:
        """The last words to somebody whose command was killed."""
        chan = self._open()
        if chan is not None:
            chan.write_stderr(replies.shown((message,), terminal=self.terminal))
            chan.exit_with_signal("KILL", msg=message)

    def _say(self, lines: tuple[str, ...]) -> None:
        chan = self._open()
        if chan is None:
            # It may have closed with input still unread, of which asyncssh says nothing before that is read.
            raise Refused(Why.WITHDRAWN, "withdrawn by the client before a verdict")
        if chan.get_write_buffer_size() <= UNREAD:
            chan.write_stderr(replies.shown(lines, terminal=self.terminal))

    def _open(self) -> SessionChannel | None:
        return None if self.chan is None or self.chan.is_closing() else self.chan
