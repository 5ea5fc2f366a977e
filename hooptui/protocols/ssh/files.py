"""File transfers over a relayed channel: the guard of SFTP or of scp's own protocol between both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hooptui.core.gate import Permit
from hooptui.core.model import Operation
from hooptui.core.ports import Tell
from hooptui.core.session import Session
from hooptui.protocols.ssh.outlet import Send
from hooptui.protocols.ssh.scp import ScpGuard
from hooptui.protocols.ssh.sftp.guard import SftpGuard
from hooptui.protocols.ssh.sftp.report import recorder
from hooptui.protocols.ssh.transfers import Transfer

SFTP: Final = b"sftp"
"""The name of the subsystem."""


class Files:
    """See the module. Implements `outlet.Outlet`."""

    def __init__(
        self,
        session: Session,
        tell: Tell,
        transfer: Transfer | None,
        *,
        up: Callable[[bytes], None],
        down: Send,
        end: Callable[[str], None],
        pause: Callable[[bool], None],
    ) -> None:
        """`transfer` is the command of scp's own protocol, None for SFTP. `end` is called once with a reason when the channel must end, `pause` when the client should not be read, or again."""
        self._down = down

        async def ask(operation: Operation) -> Permit:
            return await session.ask(operation, tell)

        def back(data: bytes) -> None:
            down(data, None)

        report, clock = recorder(session), session.house.clock.monotonic
        self.guard: SftpGuard | ScpGuard
        if transfer is None:
            self.guard = SftpGuard(ask, up, back, report=report, end=end, pause=pause, clock=clock)
        else:
            self.guard = ScpGuard(ask, up, back, transfer, report=report, end=end, pause=pause, clock=clock)

    def stall(self, on: bool) -> None:
        """The client does not read its answers, or does again."""
        if isinstance(self.guard, SftpGuard):
            # In scp's own protocol each side waits for the other's word, so nothing piles up.
            self.guard.stall(on)

    def feed(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            self.guard.from_upstream(data)
        else:
            self._down(data, datatype)

    def resize(self, columns: int, rows: int) -> None:
        return

    def close(self) -> tuple[int, tuple[str, ...]]:
        return 0, ()
