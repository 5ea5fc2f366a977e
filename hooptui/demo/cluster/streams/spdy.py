"""SPDY/3.1's server side, as much as Kubernetes uses: streams that the client opens, data, half-close, ping.

https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/. Window updates are ignored, as the clients' library does. Knows
frames; what carries them (a connection, or messages of a WebSocket) is two functions.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from collections.abc import Awaitable, Callable

from hooptui.demo.cluster.machine.flow import Broken, Flow
from hooptui.demo.cluster.streams.dictionary import DICTIONARY

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 1
MAX_FRAME = 16 * 1024 * 1024 - 1
MAX_STREAMS = 1024
CHUNK = 32_768

Exactly = Callable[[int], Awaitable[bytes]]
Write = Callable[[bytes], Awaitable[None]]


class Stream:
    """One stream that the client opened."""

    def __init__(self, connection: Spdy, number: int, headers: dict[str, str]) -> None:
        self._connection = connection
        self.number = number
        self.headers = headers
        self.inlet = Flow()
        """What the client sends."""
        self._finished = False

    async def write(self, data: bytes) -> None:
        """Raises: ConnectionError."""
        for at in range(0, len(data), CHUNK):
            await self._connection.data(self.number, data[at : at + CHUNK])

    async def finish(self) -> None:
        """Nothing comes after this."""
        if not self._finished:
            self._finished = True
            await self._connection.data(self.number, b"", FIN)

    async def reset(self) -> None:
        await self._connection.control(RST_STREAM, 0, struct.pack(">II", self.number, 5))


class Spdy:
    """See the module. `run` reads until the client is gone; `streams` has those it opened, in order."""

    def __init__(self, exactly: Exactly, write: Write) -> None:
        self._exactly = exactly
        self._write = write
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._open: dict[int, Stream] = {}
        self._sending = asyncio.Lock()
        self.streams: asyncio.Queue[Stream | None] = asyncio.Queue()
        """None at the end."""

    async def run(self) -> None:
        try:
            while True:
                await self._frame()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, zlib.error, Broken):
            return
        finally:
            for stream in self._open.values():
                stream.inlet.end()
            self.streams.put_nowait(None)

    async def _frame(self) -> None:
        head = await self._exactly(8)
        flags, length = head[4], int.from_bytes(head[5:], "big")
        payload = await self._exactly(length)
        if not head[0] & 0x80:
            stream = self._open.get(int.from_bytes(head[:4], "big"))
            if stream is not None:
                if payload:
                    # When nobody reads this one any more, the others go on.
                    with contextlib.suppress(Broken):
                        await stream.inlet.write(payload)
                if flags & FIN:
                    stream.inlet.end()
            return
        match int.from_bytes(head[2:4], "big"):
            case 1:
                await self._opened(payload, flags)
            case 3:
                stream = self._open.pop(int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, None)
                if stream is not None:
                    stream.inlet.end()
            case 6:
                await self.control(PING, 0, payload)
            case 7:
                raise ConnectionResetError("the client goes away")
            case 8:
                # Headers of a stream that is open: read, because the compression has a state.
                self._headers(payload[4:])

    async def _opened(self, payload: bytes, flags: int) -> None:
        number = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        headers = self._headers(payload[10:])
        if len(self._open) >= MAX_STREAMS:
            raise ValueError("too many streams")
        stream = Stream(self, number, headers)
        if flags & FIN:
            stream.inlet.end()
        self._open[number] = stream
        block = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        await self.control(SYN_REPLY, 0, struct.pack(">I", number) + block)
        self.streams.put_nowait(stream)

    def _headers(self, block: bytes) -> dict[str, str]:
        plain = self._inflate.decompress(block, 65_536)
        [count] = struct.unpack(">I", plain[:4])
        found: dict[str, str] = {}
        at = 4
        for _ in range(count):
            parts = []
            for _ in range(2):
                [size] = struct.unpack(">I", plain[at : at + 4])
                parts.append(plain[at + 4 : at + 4 + size].decode("latin-1"))
                at += 4 + size
            found[parts[0].lower()] = parts[1]
        return found

    async def control(self, kind: int, flags: int, payload: bytes) -> None:
        async with self._sending:
            await self._write(struct.pack(">HHI", 0x8003, kind, flags << 24 | len(payload)) + payload)

    async def data(self, number: int, payload: bytes, flags: int = 0) -> None:
        async with self._sending:
            await self._write(struct.pack(">II", number, flags << 24 | len(payload)) + payload)

    async def leave(self) -> None:
        last = max(self._open, default=0)
        await self.control(GOAWAY, 0, struct.pack(">II", last, 0))
