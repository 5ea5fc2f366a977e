"""One connection of the portal: TLS, with little time and few bytes for each request. Knows no HTTP.

aiohttp's server reads requests as slowly as a client likes to send them, so connections are timed here, from the first byte
of the handshake on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import cast

from hooptui.peers import Peer

HANDSHAKE = 5.0
"""Seconds for the TLS handshake."""
REQUEST = 10.0
"""Seconds for a request's headers to arrive, since the connection was made or the last answer was ready."""
ANSWER = 30.0
"""Seconds for one request to be worked on, its body and what the identity provider has to say included."""
MAX_BYTES = 128 * 1024
"""Bytes that may come in for one request: headers, body, and what the client sends too early. `Gauge.began` may raise it."""
LARGE = 640 * 1024
"""The same for requests that may be larger; and until one is looked at, since much of its body can come with its headers."""
HEADERS_END = b"\r\n\r\n"


class Gauge(asyncio.Protocol):
    """One connection: passes everything on to aiohttp's protocol, and measures."""

    def __init__(self, inner: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._received = 0
        self._most = MAX_BYTES
        self._end: bytes | None = b""
        """While headers are awaited: the last bytes, in which their end may have begun."""
        self._timer: asyncio.TimerHandle | None = None
        self.closed: asyncio.Future[None] = loop.create_future()

    def began(self, most: int = MAX_BYTES) -> None:
        """A request's headers are here, and it is being worked on; `most` bytes may come in for it."""
        self._most, self._end = most, None
        self._arm(ANSWER)

    def ended(self) -> None:
        """Its answer is ready."""
        self._most, self._received, self._end = MAX_BYTES, 0, b""
        self._arm(REQUEST)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asked by isinstance: uvloop's TLS transport is none of asyncio's classes, and has all their methods.
        self._transport = cast(asyncio.Transport, transport)
        self._arm(REQUEST)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._end is not None:
            if HEADERS_END in self._end + data:
                self._most, self._end = LARGE, None
            else:
                self._end = (self._end + data)[-3:]
        if self._received > self._most:
            self.cut()
            return
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._inner.connection_lost(exc)
        if not self.closed.done():
            self.closed.set_result(None)

    def cut(self) -> None:
        """Close at once, without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self.closed.done() else self._loop.call_later(seconds, self.cut)


class Gauges:
    """See the module: `serve` is what a `Listener` calls for each connection."""

    def __init__(self, make: Callable[[], asyncio.Protocol], tls: ssl.SSLContext) -> None:
        """`make` yields aiohttp's protocol for one connection."""
        self._make = make
        self._tls = tls
        self._gauges: dict[asyncio.BaseProtocol, Gauge] = {}

    def of(self, protocol: asyncio.BaseProtocol | None) -> Gauge | None:
        """The measure of the connection that aiohttp's `protocol` serves."""
        return None if protocol is None else self._gauges.get(protocol)

    async def serve(self, sock: socket.socket, peer: Peer) -> None:
        """One connection, to its end."""
        loop = asyncio.get_running_loop()
        inner = self._make()
        gauge = Gauge(inner, loop)
        try:
            # A stranger who cannot shake hands is not worth a line in any log.
            with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                await loop.connect_accepted_socket(
                    lambda: gauge, sock, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE, ssl_shutdown_timeout=1.0
                )
                self._gauges[inner] = gauge
                await gauge.closed
        finally:
            gauge.cut()
            self._gauges.pop(inner, None)
