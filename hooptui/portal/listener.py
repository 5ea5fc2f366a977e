"""The portal's socket: a bounded number of TLS connections, each with little time for each request. Knows no HTTP.

aiohttp's server reads requests as slowly as a client likes to send them, so connections are counted and timed here, from the
first byte of the handshake on.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import cast

from hooptui.auth.lockout import origin

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
BACKLOG = 128


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


class Listener:
    """See the module. Lives on one loop, between `start` and `stop`."""

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext,
        *,
        connections: int,
        per_peer: int,
        trouble: Callable[[str, str], None],
    ) -> None:
        """`make` yields aiohttp's protocol for one connection; `trouble` tells the operator a code and words."""
        self._make = make
        self._tls = tls
        self._most = connections
        self._most_per_peer = per_peer
        self._trouble = trouble
        self._socket: socket.socket | None = None
        self._listening: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._peers: Counter[str] = Counter()
        self._gauges: dict[asyncio.BaseProtocol, Gauge] = {}
        self.turned_away = 0
        """Connections closed unread because there were too many."""

    @property
    def connections(self) -> int:
        """Open now, those in their handshake too."""
        return len(self._serving)

    def gauge(self, protocol: asyncio.BaseProtocol | None) -> Gauge | None:
        """The measure of the connection that aiohttp's `protocol` serves."""
        return None if protocol is None else self._gauges.get(protocol)

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the kernel chooses when `port` is 0.

        Raises:
            OSError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except BaseException:
            listener.close()
            raise
        self._socket = listener
        self._listening = loop.create_task(self._listen(listener), name="portal listener")
        chosen: int = listener.getsockname()[1]
        return chosen

    async def stop(self) -> None:
        """Stop listening. Open connections go on until `close`."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def close(self) -> None:
        """Stop listening and cut every connection that is left."""
        await self.stop()
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _listen(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as fault:
                # Out of descriptors, or the client was gone before it was taken: neither ends the listener.
                self._trouble("portal-accept", f"a connection could not be accepted: {fault.strerror or fault}")
                await asyncio.sleep(0.1)
                continue
            sock.setblocking(False)
            where = origin(peer_name(address))
            if len(self._serving) >= self._most or self._peers[where] >= self._most_per_peer:
                sock.close()
                self.turned_away += 1
                continue
            self._peers[where] += 1
            task = loop.create_task(self._serve(sock))
            self._serving.add(task)
            task.add_done_callback(partial(self._served, where))

    def _served(self, where: str, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        self._peers[where] -= 1
        if not self._peers[where]:
            del self._peers[where]
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._trouble("internal-error", f"{type(fault).__name__}: a connection of the portal failed")
            task.get_loop().call_exception_handler({"message": "a portal connection failed", "exception": fault})

    async def _serve(self, sock: socket.socket) -> None:
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


def peer_name(address: object) -> str:
    """`address:port` of what getpeername returned."""
    if not isinstance(address, tuple):
        return "unix"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
