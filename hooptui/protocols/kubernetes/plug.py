"""One end of a TCP or TLS connection, read when its owner wants to. Bounded both ways; knows no HTTP.

That the other side is gone is noticed at once, read or not: `gone` is called, and reading ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

AHEAD: Final = 256 * 1024


class Plug(asyncio.Protocol):
    """See the module. Lives on one event loop."""

    def __init__(self, *, ahead: int = AHEAD) -> None:
        """`ahead` bytes are kept unread; beyond them nothing is taken from the socket."""
        self.gone: Callable[[], None] | None = None
        """Called once, when the connection is lost or the other side has said its last."""
        self.over = False
        """Nothing more will come."""
        self.buffer = bytearray()
        """What came and was not read yet; its owner may take from the front and then calls `taken`."""
        self._transport: asyncio.Transport | None = None
        self._ahead = ahead
        self._paused = False
        self._choked = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._lost = asyncio.Event()

    # --- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > self._ahead and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        self._choked = False
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)
        self._end()

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    # --- reading

    async def more(self) -> bool:
        """Wait until something has come that was not there before; False when nothing will."""
        if self.over:
            return False
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None
        return self._something()

    async def read(self) -> bytes:
        """All that has come; empty at the end."""
        if not self.buffer and not await self.more():
            return b""
        data = bytes(self.buffer)
        self.buffer.clear()
        self.taken()
        return data

    def taken(self) -> None:
        """The buffer is smaller now."""
        if self._paused and len(self.buffer) <= self._ahead and self._transport is not None:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # --- writing

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """To a connection that is gone, nothing is written."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    @property
    def choked(self) -> bool:
        """The other side takes less than it is sent."""
        return self._choked

    async def drain(self) -> None:
        """Wait while the other side takes too little.

        Raises:
            ConnectionResetError: it is gone.
        """
        if self._choked and not self._lost.is_set():
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None
        if self.closed:
            raise ConnectionResetError("the connection is closed")

    # --- the end

    def close(self) -> None:
        """What was written still goes out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def lost(self) -> None:
        """Wait until the connection is closed."""
        await self._lost.wait()

    def about(self, name: str) -> object:
        return self._transport.get_extra_info(name) if self._transport is not None else None

    # --- inside

    def _something(self) -> bool:
        return not self.over or bool(self.buffer)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _end(self) -> None:
        if self.over:
            return
        self.over = True
        self._wake()
        gone, self.gone = self.gone, None
        if gone is not None:
            gone()
