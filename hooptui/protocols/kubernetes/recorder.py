"""What one operation's client was sent, for the recording and the live screen: in pieces, masked, and cut off at the cap. Decides nothing."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable
from typing import Final

from hooptui.core.events import Omitted, Output
from hooptui.core.gate import CannotRecord
from hooptui.core.session import Session

PIECE: Final = 8 * 1024
"""Bytes of one record."""
SOON: Final = 0.05
"""Seconds after which what is gathered is written, however little."""


class Recorder:
    """Of one operation. Lives on the gateway's loop."""

    def __init__(self, session: Session, number: int, failed: Callable[[CannotRecord], None]) -> None:
        """`failed` is called when the recording cannot be written; nothing may go on then."""
        self._session = session
        self._number = number
        self._failed = failed
        self._left = session.house.recording_cap
        self._omitted = 0
        self._stream = ""
        self._piece = bytearray()
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}
        self._timer: asyncio.TimerHandle | None = None

    def feed(self, stream: str, data: bytes) -> None:
        """What the client was sent as `stream`: `stdout`, `stderr`, `response`, `log`, `watch`."""
        if self._left <= 0:
            self._omitted += len(data)
            return
        if stream != self._stream:
            self.write()
            self._stream = stream
        kept = data[: self._left]
        self._omitted += len(data) - len(kept)
        self._left -= len(kept)
        self._piece += kept
        if len(self._piece) >= PIECE:
            self.write()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SOON, self.write)

    def close(self) -> None:
        """Write what is left; nothing may be fed any more."""
        self.write(last=True)
        if self._omitted:
            cap = self._session.house.recording_cap
            self._session.try_record(Omitted(self._number, 0, self._omitted, cap))
            self._omitted = 0

    def write(self, *, last: bool = False) -> None:
        """Write what is gathered."""
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
        session = self._session
        try:
            session.record(Output(self._number, self._stream, session.masker.text(text)))
        except CannotRecord as broken:
            self._failed(broken)
