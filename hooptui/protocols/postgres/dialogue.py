"""The first minutes of a connection, when each side waits for the other: a transport read by awaiting, then handed over whole.

Reading is on only while somebody waits for bytes, so what is buffered here is at most one chunk beyond what was asked for,
and when the relay takes over, the transport is paused and nothing is lost. Knows framing, no meaning.
"""

from __future__ import annotations

import asyncio
from typing import cast

from hooptui.protocols.postgres.packets import packet_length
from hooptui.protocols.postgres.wire import HEADER, Frame, ProtocolViolation


class Gone(Exception):
    """The other side closed the connection, or the network did."""


class Dialogue(asyncio.Protocol):
    """See the module. Works on the transports of asyncio and uvloop, plain and TLS."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = asyncio.get_running_loop().create_future()
        self._paused = False
        self._writing_paused = False
        self._ended = False
        self._closing = False
        self._cause: Exception | None = None
        self._successor: asyncio.Protocol | None = None

    @property
    def transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise RuntimeError("not connected")
        return self._transport

    @property
    def connected(self) -> bool:
        """Whether there ever was a transport."""
        return self._transport is not None

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, for uvloop's TLS transport is one in everything but its bases.
        self._transport = cast(asyncio.Transport, transport)
        if self._closing:
            self._transport.abort()
        self._pause()

    def data_received(self, data: bytes) -> None:
        if self._successor is not None:
            self._successor.data_received(data)
            return
        if self._closing:
            return
        self._buffer += data
        self._pause()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._cause = exc
        if not self._closed.done():
            self._closed.set_result(None)
        self._wake()
        if self._successor is not None:
            self._successor.connection_lost(exc)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False

    # --- what the handshake calls

    async def read(self, size: int) -> bytes:
        """Exactly `size` bytes.

        Raises:
            Gone: the connection ended before.
        """
        while len(self._buffer) < size:
            if self._ended:
                raise Gone("the connection was closed") from self._cause
            await self._more()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def frame(self, limit: int, expected: bytes = b"") -> Frame:
        """One whole message of at most `limit` bytes after its type byte, of one of the `expected` types when given.

        Raises:
            ProtocolViolation: another type or a length out of bounds; the body has not been read.
            Gone: the connection ended before.
        """
        head = await self.read(HEADER)
        length = int.from_bytes(head[1:], "big")
        if expected and head[:1] not in expected:
            raise ProtocolViolation(f"message of type {head[0]:#04x} is not what comes next in a handshake")
        if not 4 <= length <= limit:
            raise ProtocolViolation(
                f"message of type {head[0]:#04x} announces {length} bytes; 4 to {limit} are allowed"
            )
        return head[0], head + await self.read(length - 4)

    async def packet(self) -> bytes:
        """One whole message without a type byte, its length included.

        Raises:
            ProtocolViolation: a length out of bounds; the body has not been read.
            Gone: the connection ended before.
        """
        head = await self.read(4)
        return head + await self.read(packet_length(head) - 4)

    def send(self, data: bytes) -> None:
        """Write; a handshake's few bytes need no back-pressure."""
        self.transport.write(data)

    def hand_over(self, successor: asyncio.Protocol) -> None:
        """Make `successor` the transport's protocol: it gets `connection_made`, the bytes not yet read, then all that follows.

        When the connection was lost in the meantime it is told so right after, as if it had just happened.
        """
        if self._successor is not None:
            raise RuntimeError("handed over already")
        transport = self.transport
        transport.set_protocol(successor)
        # What the loop has queued for this object already is passed on by it.
        self._successor = successor
        successor.connection_made(transport)
        if self._writing_paused:
            successor.pause_writing()
        if not self._ended:
            # Before the bytes, so that the successor may pause again; nothing arrives until the loop turns.
            self._resume()
        if self._buffer:
            rest = bytes(self._buffer)
            self._buffer.clear()
            successor.data_received(rest)
        if self._closed.done():
            asyncio.get_running_loop().call_soon(successor.connection_lost, self._cause)

    async def close(self, last: bytes = b"", *, within: float = 2.0) -> None:
        """Say `last`, close politely, and make sure of it after `within` seconds."""
        transport = self.transport
        self._closing = True
        self._buffer.clear()
        if last and not transport.is_closing():
            transport.write(last)
        if not self._ended:
            # A paused TLS transport would not see the other side's farewell.
            self._resume()
        transport.close()
        try:
            async with asyncio.timeout(within):
                await asyncio.shield(self._closed)
        except TimeoutError:
            transport.abort()

    def abort(self) -> None:
        """Drop the connection at once, or as soon as there is one."""
        self._closing = True
        self._buffer.clear()
        if self._transport is not None:
            self._transport.abort()

    # --- inside

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._resume()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._pause()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _pause(self) -> None:
        if not self._paused and not self._ended and self._transport is not None and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()
