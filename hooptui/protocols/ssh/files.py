"""SFTP over a relayed channel: the guard between both sides, its holds on the client's input, and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hooptui.core.gate import Permit
from hooptui.core.model import Operation
from hooptui.core.ports import Tell
from hooptui.core.session import Session
from hooptui.protocols.ssh.outlet import Send
from hooptui.protocols.ssh.sftp.guard import SftpGuard
from hooptui.protocols.ssh.sftp.report import recorder

SFTP: Final = b"sftp"
"""The name of the subsystem."""


class Files:
    """See the module. Implements `outlet.Outlet`."""

    def __init__(
        self,
        session: Session,
        tell: Tell,
        *,
        up: Callable[[bytes], None],
        down: Send,
        end: Callable[[str], None],
        pause: Callable[[bool], None],
    ) -> None:
        """`end` is called once with a reason when the channel must end, `pause` when the client should not be read, or again."""
        self._down = down

        async def ask(operation: Operation) -> Permit:
            return await session.ask(operation, tell)

        self.guard = SftpGuard(
            ask, up, lambda data: down(data, None), report=recorder(session), end=end, pause=pause,
            clock=session.house.clock.monotonic,
        )  # fmt: skip

    def feed(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            self.guard.from_upstream(data)
        else:
            self._down(data, datatype)

    def close(self) -> tuple[int, tuple[str, ...]]:
        return 0, ()
