"""What runs on the target for one session channel: its output to the client and the recording, its end as it was.

The target's end of file waits for its exit status, since asyncssh would answer it with CLOSE at once and the status be lost.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import asyncssh

from hooptui.protocols.ssh.guarded import guarded
from hooptui.protocols.ssh.holds import Holds
from hooptui.protocols.ssh.link import Link
from hooptui.protocols.ssh.outlet import Outlet
from hooptui.protocols.ssh.train import Train
from hooptui.protocols.ssh.transport import pass_on, send


class Client(Protocol):
    """The client's side of it."""

    def hold_input(self, on: bool) -> None:
        """The target takes no more input for now, or again."""

    def xon_xoff(self, client_can_do: bool) -> None:
        """The target's terminal wants ^S and ^Q for itself, or not."""

    def done(self, status: int | None, signal: tuple[str, bool, str, str] | None, *, lost: bool) -> None:
        """The target has closed its channel, or with `lost` is gone itself."""

    def failed(self, fault: Exception) -> None:
        """The gateway has failed at it."""


class TargetEnd(asyncssh.SSHClientSession[bytes]):
    """What runs on the target for one `ClientEnd`."""

    def __init__(self, client: Client, link: Link, number: int, outlet: Outlet) -> None:
        """`number` is the operation's; 0 when its parts are operations of their own."""
        self._client = client
        self._link = link
        self._number = number
        self._chan: asyncssh.SSHClientChannel[bytes] | None = None
        self._began = link.session.house.clock.monotonic()
        self._outlet = outlet
        self._status: int | None = None
        self._signal: tuple[str, bool, str, str] | None = None
        self.over = False
        self.gone = asyncio.Event()
        """Set when `over`."""
        self.jammed = False
        """The target takes no input now."""
        self.holds = Holds()
        """Why the target is not read now."""
        self._frozen = False

    @property
    def ended(self) -> bool:
        """Its own end was seen, not just the channel's."""
        return self._status is not None or self._signal is not None

    # --- what asyncssh calls

    @guarded(None)
    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._chan = self.holds.chan = chan

    @guarded(None)
    def data_received(self, data: bytes, datatype: int | None) -> None:
        if not self._frozen:
            self._outlet.feed(data, datatype)

    @guarded(True)
    def eof_received(self) -> bool:
        # Not passed on before the status; True, or asyncssh would end the target's input as well.
        return True

    @guarded(None)
    def exit_status_received(self, status: int) -> None:
        self._status = status

    @guarded(None)
    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._signal = (signal, core_dumped, msg, lang)

    @guarded(None)
    def xon_xoff_requested(self, client_can_do: bool) -> None:
        self._client.xon_xoff(client_can_do)

    @guarded(None)
    def pause_writing(self) -> None:
        self.jammed = True
        self._client.hold_input(True)

    @guarded(None)
    def resume_writing(self) -> None:
        self.jammed = False
        self._client.hold_input(False)

    @guarded(None)
    def connection_lost(self, exc: Exception | None) -> None:
        if self.over:
            return
        self.over = True
        self.gone.set()
        if self._status is not None:
            tag = f"exit {self._status}"
        elif self._signal is not None:
            tag = f"signal {self._signal[0]}"
        else:
            tag = "closed without a status"
        self._finished(tag, self._status == 0)
        self._client.done(self._status, self._signal, lost=exc is not None)

    def failed(self, fault: Exception) -> None:
        """See `guarded`."""
        self._client.failed(fault)

    # --- what the client's end calls

    def write(self, data: bytes) -> None:
        if self._chan is not None and not self._chan.is_closing():
            send(self._chan, data)

    def pass_on(self, train: Train) -> None:
        if self._chan is not None and not self._chan.is_closing():
            pass_on(self._chan, train)

    def write_eof(self) -> None:
        if self._chan is not None and not self._chan.is_closing():
            self._chan.write_eof()

    def send_signal(self, signal: str) -> None:
        if self._chan is not None and not self.over:
            self._chan.send_signal(signal)

    def send_break(self, msec: int) -> bool:
        if self._chan is None or self.over:
            return False
        self._chan.send_break(msec)
        return True

    def resize(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._chan is not None and not self.over:
            self._chan.change_terminal_size(width, height, pixwidth, pixheight)
            self._outlet.resize(width, height)

    def freeze(self) -> None:
        """Read to the end what it says, and do nothing with it: behind it comes how it ended."""
        self._frozen = True
        self.holds.end()

    def close(self) -> None:
        if self._chan is not None:
            self._chan.close()

    def never(self) -> None:
        """It was not started."""
        if not self.over:
            self.over = True
            self.gone.set()
            self._finished("not started", False)

    # --- inside

    def _finished(self, tag: str, ok: bool) -> None:
        masked, rules = self._outlet.close()
        if self._number:
            session = self._link.session
            seconds = session.house.clock.monotonic() - self._began
            session.finished(self._number, tag, ok=ok, rows=0, masked=masked, seconds=seconds, masks=rules)
