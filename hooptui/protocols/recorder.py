"""What one operation said, for the recording and the live screen: gathered in pieces, masked, and cut off at the cap. Decides nothing.

Behind a terminal it is recorded as what it is: the terminal's kind and size, and what was written to it, control sequences
and all. Keys are not recorded, for passwords are among them; what the program echoed is, and who watches may hint at lines by it.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hooptui.core.events import Body, Omitted, Output
from hooptui.core.events_channels import TerminalOpened, TerminalOutput, TerminalResized
from hooptui.core.gate import CannotRecord
from hooptui.core.session import Session

PIECE: Final = 8 * 1024
"""Bytes of one record."""
SOON: Final = 0.05
"""Seconds after which what is gathered is written, however little."""
RESIZE: Final = 128
"""Bytes that a change of the window's size takes of the cap."""


@dataclass(frozen=True, slots=True)
class Window:
    """A terminal as its client has it."""

    name: str
    """Its kind, `xterm-256color`; empty where the protocol does not say."""
    columns: int
    rows: int


class Recorder:
    """Of one operation. Lives on the gateway's loop."""

    def __init__(
        self, session: Session, number: int, failed: Callable[[CannotRecord], None], terminal: Window | None = None
    ) -> None:
        """`failed` is called when the recording cannot be written; nothing may go on then."""
        self._session = session
        self._number = number
        self._failed = failed
        self._terminal = terminal
        self._cap = session.house.recording_cap if terminal is None else session.house.terminal_cap
        self._left = self._cap
        self._omitted = 0
        self._stream = ""
        self._piece = bytearray()
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._size = (0, 0)
        if terminal is not None:
            self._size = (terminal.columns, terminal.rows)
            self._put(TerminalOpened(number, session.masker.text(terminal.name), *self._size))

    def feed(self, stream: str, data: bytes) -> None:
        """What the client was sent as `stdout`, `stderr`, `response`, `log` or `watch`."""
        if self._left <= 0:
            self._omitted += len(data)
            return
        if self._terminal is not None:
            # A terminal has one place where everything shows.
            stream = "terminal"
        if stream != self._stream:
            self._write()
            self._stream = stream
        kept = data[: self._left]
        self._omitted += len(data) - len(kept)
        self._left -= len(kept)
        self._piece += kept
        if len(self._piece) >= PIECE:
            self._write()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SOON, self._write)

    def resize(self, columns: int, rows: int) -> None:
        """The client's window has another size."""
        if self._terminal is None or (columns, rows) == self._size or self._left < RESIZE:
            return
        self._write()
        self._left -= RESIZE
        self._size = (columns, rows)
        self._put(TerminalResized(self._number, columns, rows))

    def close(self) -> None:
        """Write what is left; nothing may be fed any more."""
        self._write(last=True)
        self._left = 0
        if self._omitted:
            self._session.try_record(Omitted(self._number, 0, self._omitted, self._cap))
            self._omitted = 0

    def _write(self, *, last: bool = False) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        decoder = self._decoders.get(self._stream)
        if decoder is None:
            decoder = self._decoders[self._stream] = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(bytes(self._piece), last)
        self._piece.clear()
        if not text:
            return
        masked = self._session.masker.text(text)
        if self._terminal is not None:
            self._put(TerminalOutput(self._number, masked))
        else:
            self._put(Output(self._number, self._stream, masked))

    def _put(self, body: Body) -> None:
        try:
            self._session.record(body)
        except CannotRecord as broken:
            self._failed(broken)
