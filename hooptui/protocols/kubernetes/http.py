"""HTTP/1.1 on one client's connection (RFC 9112): heads and bodies in, answers out, one after the other. Knows no request's meaning.

Heads are read by `wire`, chunked bodies by h11; answers are framed here, so that what an API server streams goes on at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import h11

from hooptui.core.visible import visible
from hooptui.protocols.kubernetes import replies
from hooptui.protocols.kubernetes.limits import Limits
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.wire import Malformed

END: Final = b"\r\n\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

JSON: Final = ("Content-Type", "application/json")

Headers = Sequence[tuple[str, str]]


class Http:
    """See the module."""

    def __init__(self, plug: Plug, limits: Limits) -> None:
        self._plug = plug
        self._limits = limits

    async def head(self, idle: float) -> bytes | None:
        """The next request's head, from the request line to the empty line; None when the client is done, or nothing comes for `idle`
        seconds.

        Raises:
            Malformed: it does not end, or not in time.
        """
        plug = self._plug
        if not plug.buffer:
            try:
                async with asyncio.timeout(idle):
                    if not await plug.more():
                        return None
            except TimeoutError:
                return None
        end = plug.buffer.find(END)
        if end < 0:
            try:
                async with asyncio.timeout(self._limits.head):
                    end = await self._end()
            except TimeoutError:
                raise Malformed(408, f"the head of the request took more than {self._limits.head:g} s") from None
            if end < 0:
                return None
        if end > self._limits.head_size:
            raise Malformed(431, f"the head of the request has more than {self._limits.head_size} bytes")
        raw = bytes(plug.buffer[: end + 4])
        del plug.buffer[: end + 4]
        plug.taken()
        return raw

    async def body(self, request: Request, head: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The whole body of a request whose head was read.

        Raises:
            Malformed: it is too large, broken or too slow.
        """
        most = self._limits.body_size
        if (request.length or 0) > most:
            raise Malformed(413, f"the body has more than {most} bytes; an API server takes no more either")
        if any(name.lower() == b"expect" for name, _ in headers) and not self._plug.buffer:
            self._plug.write(CONTINUE)
        try:
            async with asyncio.timeout(self._limits.body):
                return await (self._chunked(head, most) if request.chunked else self._counted(request.length or 0))
        except TimeoutError:
            raise Malformed(408, f"the body took more than {self._limits.body:g} s") from None

    # --- inside

    async def _end(self) -> int:
        """Where the head ends; -1 when the client left before."""
        buffer, seen = self._plug.buffer, 0
        while (end := buffer.find(END, seen)) < 0:
            if len(buffer) > self._limits.head_size:
                return len(buffer)
            # A head that can only be wrong is not waited for.
            if buffer.startswith((b"\r", b"\n", b"\x16")):
                raise Malformed(400, "no request begins like this")
            seen = max(0, len(buffer) - 3)
            if not await self._plug.more():
                return -1
        return end

    async def _counted(self, length: int) -> bytes:
        plug, parts, left = self._plug, [], length
        while left:
            if not plug.buffer and not await plug.more():
                raise Malformed(400, "the body ends before its length")
            part = bytes(plug.buffer[:left])
            del plug.buffer[: len(part)]
            plug.taken()
            left -= len(part)
            parts.append(part)
        return b"".join(parts)

    async def _chunked(self, head: bytes, most: int) -> bytes:
        plug, body = self._plug, bytearray()
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_size)
        try:
            parser.receive_data(head)
            while True:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    data = await plug.read()
                    if not data:
                        raise Malformed(400, "the body ends before its last chunk")
                    parser.receive_data(data)
                elif isinstance(event, h11.Data):
                    body += event.data
                    if len(body) > most:
                        raise Malformed(413, f"the body has more than {most} bytes; an API server takes no more either")
                elif isinstance(event, h11.EndOfMessage):
                    rest = parser.trailing_data[0]
                    plug.buffer[:0] = rest
                    return bytes(body)
                elif not isinstance(event, h11.Request):
                    raise Malformed(400, "the body is no chunked one")
        except h11.RemoteProtocolError:
            raise Malformed(400, "the body's chunks are broken") from None


class Answer:
    """The answer to one request."""

    def __init__(self, plug: Plug, limits: Limits, *, head_only: bool = False) -> None:
        """`head_only` for the answer to a HEAD request."""
        self._plug = plug
        self._limits = limits
        self._head_only = head_only
        self._chunked = False
        self._head = b""
        """The head, until something goes out with it: one write costs as much as a request's parsing."""
        self.code = 0
        """Status; 0 until the head is made."""
        self.close = False
        """Nothing more goes over this connection: said in the head, if that is still to come."""
        self.unfinished = False
        """It has begun and will not be whole: the connection must be cut."""
        self.size = 0
        """Bytes of body that went out."""

    @property
    def started(self) -> bool:
        return self.code != 0

    def start(self, code: int, reason: str, headers: Headers, length: int | None) -> None:
        """Send the head; without `length` the body is chunked."""
        lines = [f"HTTP/1.1 {code} {reason or replies.PHRASES.get(code, '')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        bare = code in (204, 304) or code < 200
        if not bare:
            self._chunked = length is None and not self._head_only
            lines.append(f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked")
        if self.close:
            lines.append("Connection: close")
        self.code = code
        self._head_only = self._head_only or bare
        self._head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def data(self, data: bytes) -> None:
        """A part of the body, which goes out at once."""
        if not data or self._head_only:
            return
        self.size += len(data)
        head, self._head = self._head, b""
        if self._chunked:
            self._plug.write(b"%b%x\r\n%b\r\n" % (head, len(data), data))
        else:
            self._plug.write(head + data if head else data)

    def end(self) -> None:
        """The body is whole."""
        head, self._head = self._head, b""
        if self._chunked and not self._head_only:
            self._plug.write(head + b"0\r\n\r\n")
        elif head:
            self._plug.write(head)

    async def flush(self) -> None:
        """Let out what is there, and wait while the client takes too little.

        Raises:
            ConnectionError: it is gone, or takes nothing at all.
        """
        if self._head:
            self._plug.write(self._head)
            self._head = b""
        if not self._plug.choked:
            if self._plug.closed:
                raise ConnectionResetError("the connection is closed")
            return
        try:
            async with asyncio.timeout(self._limits.stall):
                await self._plug.drain()
        except TimeoutError:
            raise ConnectionResetError("the client takes nothing") from None

    def status(self, code: int, body: bytes, headers: Headers = ()) -> None:
        """A whole answer of the gateway's own: a Status document."""
        self.start(code, "", (JSON, ("Cache-Control", "no-store"), *headers), len(body))
        self.data(body)
        self.end()

    def plain(self, code: int, words: str) -> None:
        """The same in plain text, made inert."""
        body = f"{visible(words)}\n".encode()
        self.start(code, "", (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")), len(body))
        self.data(body)
        self.end()
