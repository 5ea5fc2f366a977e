"""TLS between a socket's transport and a protocol: OpenSSL through memory buffers, without a step that a small message does not need.

To the transport below it is a buffered protocol of asyncio, to the protocol above it is a transport. The event loop's own
TLS costs a small query half as much again: it asks OpenSSL for more until that raises, once for every message, and makes
room for 256 KB each time. Knows no protocol above and no certificate; handshake, records and their keys are OpenSSL's own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

RECORD: Final = 16384
"""Bytes of plain text in a record at most (RFC 8446 section 5.1): asked for so many, OpenSSL gives a whole one."""
CHUNK: Final = 64 * 1024
"""Bytes read at a time, and encrypted at a time."""
GOODBYE: Final = 2.0
"""Seconds in which the other side may answer our farewell, as it ought to."""

_HANDSHAKE: Final = 0
_OPEN: Final = 1
_CLOSING: Final = 2
"""Our farewell is said; what still comes is dropped."""
_CLOSED: Final = 3

_rooms: WeakKeyDictionary[asyncio.AbstractEventLoop, bytearray] = WeakKeyDictionary()
"""Where each loop reads into. One for all of its connections: what is read is taken over before the next one reads."""


class Tls:
    """One encrypted connection. `shaken` is done when the handshake is, and then `app` has been told `connection_made`."""

    __slots__ = (
        "_app", "_backlog", "_below", "_between", "_drain", "_error", "_feed", "_incoming", "_loop", "_object", "_outgoing", "_paused",
        "_read", "_room", "_state", "_timer", "_view", "_write", "shaken",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        app: asyncio.Protocol,
        *,
        server_side: bool,
        server_hostname: str | None = None,
    ) -> None:
        """Raises ValueError, UnicodeError: the name is none that can be verified."""
        self.shaken: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._app: Any = app
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        # What the object of the standard library wraps, where it does: each of its methods is a call more.
        core: Any = getattr(self._object, "_sslobj", self._object)
        self._read: Callable[[int], bytes] = core.read
        self._write: Callable[[Any], int] = core.write
        self._feed: Callable[[Any], int] = self._incoming.write
        self._drain: Callable[[], bytes] = self._outgoing.read
        room = _rooms.get(loop)
        if room is None:
            room = _rooms[loop] = bytearray(CHUNK)
        self._room = room
        self._view = memoryview(room)
        self._below: Any = None
        self._state = _HANDSHAKE
        self._paused = False
        self._between = False
        """The last read ended with a record, and nothing had come of another."""
        self._backlog: list[Any] = []
        self._error: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None

    # --- what the transport below calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._below = transport
        if self._state == _CLOSED:
            self._below.abort()
        else:
            self._shake()

    def get_buffer(self, _size: int) -> bytearray:
        return self._room

    def buffer_updated(self, size: int) -> None:
        self._feed(self._view[:size])
        self._advance()

    def data_received(self, data: bytes) -> None:
        """For event loops that look at a protocol's bases."""
        self._feed(data)
        self._advance()

    def eof_received(self) -> bool:
        """The other side closed, with or without a farewell; the transport below closes too."""
        if self._state == _OPEN:
            self._app.eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        state, self._state = self._state, _CLOSED
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._backlog.clear()
        if state == _HANDSHAKE or not self.shaken.done():
            if not self.shaken.done():
                self.shaken.set_exception(self._error or exc or ConnectionResetError("closed during the TLS handshake"))
        elif not self.shaken.cancelled() and self.shaken.exception() is None:
            self._app.connection_lost(self._error or exc)

    def pause_writing(self) -> None:
        if self._state == _OPEN:
            self._app.pause_writing()

    def resume_writing(self) -> None:
        if self._state == _OPEN:
            self._app.resume_writing()

    # --- what the protocol above calls

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send; nothing once it is closing."""
        if self._state != _OPEN or not data:
            return
        if self._backlog:
            self._backlog.append(bytes(data))
            return
        if len(data) <= RECORD:
            try:
                self._write(data)
            except ssl.SSLWantReadError:
                self._backlog.append(bytes(data))
            except ssl.SSLError as fault:
                self._fail(fault)
                return
            self._below.write(self._drain())
        else:
            self._backlog.append(data)
            self._encrypt()

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def pause_reading(self) -> None:
        if not self._paused and self._state == _OPEN:
            self._paused = True
            self._below.pause_reading()

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            if self._state == _OPEN:
                self._below.resume_reading()
                if self._incoming.pending:
                    # Not at once: whoever resumes is not in the middle of being told something.
                    self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        return not self._paused and self._state == _OPEN

    def close(self) -> None:
        """Say farewell behind whatever was written, and close when the other side has answered, or after `GOODBYE` seconds."""
        if self._state == _HANDSHAKE:
            self.abort()
        if self._state != _OPEN:
            return
        self._state = _CLOSING
        self._unwrap()
        if self._paused:
            # Else its farewell would never be read.
            self._paused = False
            self._below.resume_reading()
        if self._incoming.pending:
            self._loop.call_soon(self._deliver)
        if self._state == _CLOSING:
            self._timer = self._loop.call_later(GOODBYE, self.abort)

    def abort(self) -> None:
        """Drop it at once; `connection_lost` follows."""
        if self._state != _CLOSED:
            self._state = _CLOSING
        if self._below is not None:
            self._below.abort()
        else:
            self._state = _CLOSED

    def is_closing(self) -> bool:
        return self._state >= _CLOSING or self._below is None or bool(self._below.is_closing())

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        self._app = protocol

    def get_protocol(self) -> asyncio.Protocol:
        return cast(asyncio.Protocol, self._app)

    def get_extra_info(self, name: str, default: object = None) -> Any:
        if name == "ssl_object":
            return self._object
        return self._below.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Bytes that the transport below has not sent."""
        return int(self._below.get_write_buffer_size())

    def give_up(self) -> None:
        """Nobody waits for the handshake any more."""
        self.shaken.cancel()
        self.abort()

    # --- inside

    def _advance(self) -> None:
        if self._state == _HANDSHAKE:
            self._shake()
            if self._state != _OPEN:
                return
        self._deliver()

    def _shake(self) -> None:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ValueError, UnicodeError) as fault:
            self._flush()
            self._fail(fault)
            return
        self._flush()
        if self.shaken.done():
            # Whoever waited has given up.
            self.abort()
            return
        self._state = _OPEN
        self._app.connection_made(self)
        self.shaken.set_result(None)

    def _deliver(self) -> None:
        """Decrypt what has come, and hand it on whole."""
        if self._paused or self._state not in (_OPEN, _CLOSING):
            return
        incoming, read = self._incoming, self._read
        room = RECORD
        if self._between:
            # Nothing that OpenSSL has taken in is left in it, so what has come is room enough, and far cheaper for a small message.
            self._between = False
            room = min(incoming.pending, RECORD) or RECORD
        data = b""
        parts: list[bytes] = []
        ended = False
        fault: Exception | None = None
        try:
            while True:
                if data:
                    parts.append(data)
                data = read(room)
                if not data:
                    ended = True
                    break
                if not incoming.pending:
                    self._between = True
                    break
        except ssl.SSLWantReadError:
            data = b""
        except ssl.SSLError as error:
            data, fault = b"", error
        if self._outgoing.pending:
            # An answer of OpenSSL's own: to a change of keys, or an alert.
            self._flush()
        if self._backlog:
            self._encrypt()
        if self._state == _CLOSING:
            if ended or fault is not None:
                self._below.close()
            return
        if parts:
            if data:
                parts.append(data)
            data = b"".join(parts)
        if data:
            self._app.data_received(data)
        if fault is not None:
            self._fail(fault)
        elif ended and self._state == _OPEN:
            self._app.eof_received()
            if self._state == _OPEN:
                self._state = _CLOSING
                self._unwrap()
            self._below.close()

    def _encrypt(self) -> None:
        """Send what waits, a chunk at a time, so that no buffer grows with it."""
        backlog = self._backlog
        while backlog:
            view = memoryview(backlog[0])
            done, size = 0, len(view)
            try:
                while done < size:
                    end = min(done + CHUNK, size)
                    while done < end:
                        done += self._write(view[done:end])
                    self._flush()
            except ssl.SSLWantReadError:
                # It is changing keys in the way of TLS 1.2 and wants to hear of the other side first.
                backlog[0] = bytes(view[done:])
                self._flush()
                return
            except ssl.SSLError as fault:
                self._fail(fault)
                return
            del backlog[0]

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._below.write(self._drain())

    def _unwrap(self) -> None:
        # It is said, and the other side's is not there yet; or nothing can be said any more.
        with suppress(ssl.SSLError):
            self._object.unwrap()
        self._flush()

    def _fail(self, fault: Exception) -> None:
        """What OpenSSL cannot go on with ends the connection, behind the alert that says so."""
        self._error = self._error or fault
        if self._state == _CLOSED:
            return
        if self._state == _HANDSHAKE and not self.shaken.done():
            self.shaken.set_exception(fault)
        self._state = _CLOSING
        self._backlog.clear()
        self._flush()
        self._below.close()
        if self._timer is None:
            self._timer = self._loop.call_later(GOODBYE, self.abort)


async def accept(sock: Any, context: ssl.SSLContext, app: asyncio.Protocol, *, within: float) -> None:
    """Be the server of a connection; returns when `app` has been told that it is made.

    The socket is the event loop's from here on, which closes it whenever the connection ends, even half made.

    Raises:
        ssl.SSLError: the handshake failed.
        OSError: the connection was lost, or the handshake took longer than `within` seconds.
    """
    loop = asyncio.get_running_loop()
    tls = Tls(loop, context, app, server_side=True)
    await _made(tls, loop.connect_accepted_socket(lambda: cast(asyncio.Protocol, tls), sock), within)


async def connect(sock: Any, context: ssl.SSLContext, app: asyncio.Protocol, *, host: str, within: float) -> None:
    """Be the client on a connected socket; `host` is what the server's certificate is to be of. Otherwise as `accept`.

    Raises:
        ssl.SSLError, OSError: as `accept`; ssl.SSLCertVerificationError: the certificate is not trusted.
        UnicodeError, ValueError: `host` is no name that can be verified.
    """
    loop = asyncio.get_running_loop()
    tls = Tls(loop, context, app, server_side=False, server_hostname=host)
    await _made(tls, loop.create_connection(lambda: cast(asyncio.Protocol, tls), sock=sock), within)


async def _made(tls: Tls, opening: Any, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await opening
            await tls.shaken
    except TimeoutError:
        tls.give_up()
        raise ConnectionAbortedError(f"the TLS handshake took longer than {within:g} s") from None
    except BaseException:
        tls.give_up()
        raise
