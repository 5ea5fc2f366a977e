"""A WebSocket's server side (RFC 6455): messages in, messages out. No extensions.

Knows bytes; knows nothing of what the messages mean.
"""

from __future__ import annotations

import asyncio
import base64
import struct
from hashlib import sha1

from hooptui.demo.cluster.call import Call, Pipe

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAX_MESSAGE = 32 * 1024 * 1024
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Reader:
    """A connection's bytes, those that were read already first."""

    def __init__(self, pipe: Pipe) -> None:
        self._first = bytearray(pipe.first)
        self._reader = pipe.reader

    async def exactly(self, count: int) -> bytes:
        """Raises: asyncio.IncompleteReadError, ConnectionError."""
        found = bytes(self._first[:count])
        del self._first[: len(found)]
        return found + await self._reader.readexactly(count - len(found)) if len(found) < count else found


def offered(call: Call) -> list[str]:
    return [one.strip() for one in call.headers.get("sec-websocket-protocol", "").split(",") if one.strip()]


class WebSocket:
    """See the module."""

    def __init__(self, pipe: Pipe) -> None:
        self._reader = Reader(pipe)
        self._writer = pipe.writer
        self._sending = asyncio.Lock()
        self._closed = False

    async def accept(self, call: Call, protocol: str) -> None:
        """Answer the handshake."""
        key = call.headers.get("sec-websocket-key", "").encode()
        proof = base64.b64encode(sha1(key + GUID).digest()).decode()  # noqa: S324 - what the RFC says
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {proof}",
        ]
        if protocol:
            lines.append(f"Sec-WebSocket-Protocol: {protocol}")
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        await self._writer.drain()

    async def receive(self) -> bytes | None:
        """The next message; None when the client closed or is gone."""
        message = bytearray()
        while True:
            try:
                opcode, final, payload = await self._frame()
            except (asyncio.IncompleteReadError, ConnectionError, ValueError):
                return None
            match opcode:
                case 8:
                    await self.close(payload)
                    return None
                case 9:
                    await self._send(PONG, payload)
                case 10:
                    pass
                case _:
                    message += payload
                    if len(message) > MAX_MESSAGE:
                        await self.close(struct.pack(">H", 1009))
                        return None
                    if final:
                        return bytes(message)

    async def _frame(self) -> tuple[int, bool, bytes]:
        first, second = await self._reader.exactly(2)
        length = second & 0x7F
        if length == 126:
            [length] = struct.unpack(">H", await self._reader.exactly(2))
        elif length == 127:
            [length] = struct.unpack(">Q", await self._reader.exactly(8))
        if length > MAX_MESSAGE or not second & 0x80:
            raise ValueError("a frame is too long or not masked")
        mask = await self._reader.exactly(4)
        payload = await self._reader.exactly(length)
        whole = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        return first & 0x0F, bool(first & 0x80), whole.to_bytes(length, "big")

    async def send(self, data: bytes, *, text: bool = False) -> None:
        """One message. Raises: ConnectionError."""
        await self._send(TEXT if text else BINARY, data)

    async def _send(self, opcode: int, data: bytes) -> None:
        async with self._sending:
            if self._closed:
                raise ConnectionResetError("closed")
            size = len(data)
            head = bytes([0x80 | opcode])
            if size < 126:
                head += bytes([size])
            elif size < 65_536:
                head += struct.pack(">BH", 126, size)
            else:
                head += struct.pack(">BQ", 127, size)
            self._writer.write(head + data)
            await self._writer.drain()

    async def close(self, payload: bytes = struct.pack(">H", 1000)) -> None:
        if self._closed:
            return
        try:
            await self._send(CLOSE, payload)
        except ConnectionError:
            pass
        finally:
            self._closed = True
