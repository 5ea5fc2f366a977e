"""The client's side of the handshake: from an accepted socket to a client that has shown its credential over TLS.

Sources: PostgreSQL documentation, "Message Flow: Start-up", "SSL Session Encryption", protocol 3.0 and 3.2. Knows no target,
no identity and no policy: what the credential is worth is the doorman's to say, how it is shown is `login`'s. Until TLS is up the socket has no transport
and no buffer of ours, and exactly the bytes of one packet are read from it: whatever was smuggled in front of the TLS
handshake is met by TLS itself (CVE-2021-23214).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from hooptui.protocols.base import Credential
from hooptui.protocols.postgres import build, options, tls
from hooptui.protocols.postgres.dialogue import Dialogue, Gone
from hooptui.protocols.postgres.login import CREDENTIAL_MAX, PASSWORD_ONLY, NotProved, Shown, Ways, prove
from hooptui.protocols.postgres.packets import (
    CancelRequest,
    GssRequest,
    Packet,
    SslRequest,
    Startup,
    packet,
    packet_length,
)
from hooptui.protocols.postgres.wire import ProtocolViolation

TIMEOUT = 10.0
"""Seconds for the whole handshake. A person types no password meanwhile: psql asks for it between two connections."""

ALPN = "postgresql"

_TLS_HANDSHAKE = 0x16
_FALSE = frozenset({"", "0", "off", "false", "no", "f", "n"})


class Unwelcome(Exception):
    """A connection was turned away by the protocol itself; it is closed and the client was told, where there are words for it.

    `code` is stable: `gone` (closed without asking for anything, as health checks do), `no-tls`, `tls-failed`, `timeout`,
    `protocol`, `unsupported`, and those of `login.NotProved`. The message is for operator and journal, and holds nothing secret.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class ClientHello:
    """A client that waits for AuthenticationOk, its transport paused. Either `hand_over` or `refuse` it, once."""

    asked: options.Asked
    minor: int
    """Minor version of protocol 3 to speak with it: 0 or 2. It has been told when that is less than it asked for."""
    shown: Shown
    peer: str
    """`address:port`."""
    dialogue: Dialogue = field(repr=False)

    @property
    def parameters(self) -> Mapping[str, str]:
        """As the client sent them, without protocol options and without what it asked of hooptui itself."""
        return self.asked.parameters

    @property
    def credential(self) -> Credential:
        return self.shown.credential

    @property
    def user(self) -> str:
        return self.parameters["user"]

    @property
    def database(self) -> str:
        """The database asked for; without one, the user's name, as in the server."""
        return self.parameters.get("database") or self.user

    @property
    def application(self) -> str:
        return self.asked.settings.get("application_name", "")

    @property
    def transport(self) -> asyncio.Transport:
        return self.dialogue.transport

    def hand_over(self, successor: asyncio.Protocol) -> None:
        """Give transport and unread bytes to the relay; see `Dialogue.hand_over`."""
        self.dialogue.hand_over(successor)

    async def reject(self, last: bytes, *, within: float = 2.0) -> None:
        """The credential is worth nothing: send a last message, an error, in the way of its authentication, and close.

        Instead of AuthenticationOk only; later on it is `refuse`.
        """
        # Whatever it answers, and if it is nothing: it is refused all the same.
        with suppress(TimeoutError, Gone, ProtocolViolation, NotProved):
            async with asyncio.timeout(within):
                await self.shown.refused(self.dialogue)
        await self.dialogue.close(last)

    async def refuse(self, last: bytes) -> None:
        """Send a last message, an error, and close."""
        await self.dialogue.close(last)


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """A connection that carries a cancel request and nothing else. It waits for the end of file: `finish` it when acted on."""

    pid: int
    key: bytes = field(repr=False)
    peer: str
    _connection: socket.socket | Dialogue = field(repr=False)

    async def finish(self) -> None:
        """Close; the protocol has no answer, so that nobody learns whether a key was right."""
        if isinstance(self._connection, Dialogue):
            await self._connection.close()
        else:
            self._connection.close()


Greeted: TypeAlias = ClientHello | CancelAsked


async def greet(
    sock: socket.socket, context: ssl.SSLContext, *, ways: Ways = PASSWORD_ONLY, timeout: float = TIMEOUT
) -> Greeted:
    """Take an accepted, non-blocking TCP socket through TLS and start-up to its credential, within `timeout` seconds.

    Owns the socket: whatever is raised, it is closed. Run each connection in a task of its own. `context` is a server's
    with ALPN `postgresql`.

    Raises:
        Unwelcome: the connection was turned away.
    """
    greeting = _Greeting(sock, context, ways)
    try:
        async with asyncio.timeout(timeout) as limit:
            return await greeting.run(limit.when() or 0.0)
    except TimeoutError:
        await greeting.turn_away("57014", f"the start-up took longer than {timeout:g} s")
        raise Unwelcome("timeout", f"the start-up took longer than {timeout:g} s, {greeting.stage}") from None
    except ProtocolViolation as violation:
        await greeting.turn_away("08P01", str(violation))
        raise Unwelcome("protocol", str(violation)) from None
    except (Gone, OSError) as lost:
        greeting.drop()
        if isinstance(cause := lost.__cause__, ssl.SSLError):
            # In TLS 1.3 a client that dislikes the certificate says so after the server's handshake is done.
            raise Unwelcome("tls-failed", f"the client ended TLS: {cause.reason or cause}") from None
        raise Unwelcome("gone", f"the client closed the connection {greeting.stage}") from None
    except BaseException:
        greeting.drop()
        raise


class _Greeting:
    """One handshake: the steps of `greet`, and what has to be closed when one of them fails."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, ways: Ways) -> None:
        self.stage = "before saying anything"
        """Where it is, in words that end a sentence."""
        self._sock = sock
        self._context = context
        self._ways = ways
        self._dialogue: Dialogue | None = None
        self._plain = True
        self._loop = asyncio.get_running_loop()

    async def run(self, deadline: float) -> Greeted:
        sock = self._sock
        peer = _name(sock.getpeername())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        direct = await self._first_byte() == _TLS_HANDSHAKE
        if not direct:
            asked = await self._ask_for_tls()
            if isinstance(asked, CancelRequest):
                return CancelAsked(asked.pid, asked.key, peer, sock)
        dialogue = await self._start_tls(deadline)
        if direct and dialogue.transport.get_extra_info("ssl_object").selected_alpn_protocol() != ALPN:
            await self._refuse("protocol", "08P01", f"direct TLS without ALPN protocol {ALPN}")
        first = await self._start_up(dialogue)
        if isinstance(first, CancelRequest):
            return CancelAsked(first.pid, first.key, peer, dialogue)
        return await self._credential(dialogue, first, peer)

    # --- before TLS: the bare socket

    async def _first_byte(self) -> int:
        """The first byte, left where it is.

        Raises:
            Gone: there is none.
        """
        ready = self._loop.create_future()
        self._loop.add_reader(self._sock, _settle, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(self._sock)
        first = self._sock.recv(1, socket.MSG_PEEK)
        if not first:
            raise Gone
        self.stage = "before TLS"
        return first[0]

    async def _ask_for_tls(self) -> SslRequest | CancelRequest:
        """Answer packets until the client asks for TLS or brings a cancel request."""
        gss = False
        while True:
            asked = packet(await self._plain_packet())
            match asked:
                case CancelRequest():
                    return asked
                case SslRequest():
                    self._nothing_behind("SSLRequest")
                    await self._loop.sock_sendall(self._sock, b"S")
                    return asked
                case GssRequest() if not gss:
                    self._nothing_behind("GSSENCRequest")
                    await self._loop.sock_sendall(self._sock, b"N")
                    gss = True
                case GssRequest():
                    raise ProtocolViolation("GSSENCRequest came twice")
                case Startup():
                    await self._refuse(
                        "no-tls", "28000", "hooptui takes connections over TLS only",
                        hint="Connect with sslmode=verify-full and sslrootcert set to the gateway's ca.crt (at least sslmode=require).",
                    )  # fmt: skip

    async def _plain_packet(self) -> bytes:
        head = await self._read(4)
        return head + await self._read(packet_length(head) - 4)

    async def _read(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = await self._loop.sock_recv(self._sock, size - len(parts))
            if not part:
                raise Gone
            parts += part
        return bytes(parts)

    def _nothing_behind(self, request: str) -> None:
        """An honest client waits for the answer; bytes that are here already were put there by somebody else."""
        try:
            behind = self._sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        if behind:
            raise ProtocolViolation(f"unencrypted data came right behind {request}")
        raise Gone

    # --- TLS and after: a transport

    async def _start_tls(self, deadline: float) -> Dialogue:
        self.stage = "during the TLS handshake"
        # From here the socket is the event loop's, which closes it whenever the transport ends, even half made.
        self._plain = False
        dialogue = self._dialogue = Dialogue()
        try:
            # The deadline of the whole comes first.
            await tls.accept(self._sock, self._context, dialogue, within=max(deadline - self._loop.time(), 0.0) + 1.0)
        except ssl.SSLError as fault:
            raise Unwelcome("tls-failed", f"the TLS handshake failed: {fault.reason or fault}") from None
        if not dialogue.connected:
            raise Gone
        self.stage = "after TLS, before its start-up packet"
        return dialogue

    async def _start_up(self, dialogue: Dialogue) -> Startup | CancelRequest:
        first: Packet = packet(await dialogue.packet())
        match first:
            case SslRequest() | GssRequest():
                raise ProtocolViolation("encryption was asked for inside TLS")
            case CancelRequest():
                return first
            case Startup():
                pass
        if first.negotiate:
            dialogue.send(build.negotiate(first.minor, first.options))
        if first.parameters.get("replication", "").lower() not in _FALSE:
            await self._refuse("unsupported", "0A000", "hooptui does not carry replication connections")
        return first

    async def _credential(self, dialogue: Dialogue, startup: Startup, peer: str) -> ClientHello:
        try:
            asked = options.read(startup.parameters)
        except options.OptionsRefused as refused:
            await self._refuse("unsupported", "42501", str(refused))
        self.stage = "when asked for its credential"
        user = startup.parameters["user"]
        database = startup.parameters.get("database") or user
        try:
            shown = await prove(dialogue, self._ways, user=user, database=database, peer=peer)
        except NotProved as no:
            await self.turn_away(no.sqlstate, no.message, hint=no.hint)
            raise Unwelcome(no.code, no.log) from None
        return ClientHello(asked, startup.minor, shown, peer, dialogue)

    # --- the end of a handshake that fails

    async def _refuse(self, code: str, sqlstate: str, message: str, *, hint: str = "") -> NoReturn:
        await self.turn_away(sqlstate, message, hint=hint)
        raise Unwelcome(code, message)

    async def turn_away(self, sqlstate: str, message: str, *, hint: str = "") -> None:
        """Tell the client in its own words, as far as it listens, and close."""
        last = build.error(sqlstate, message, severity="FATAL", hint=hint)
        if self._dialogue is not None and self._dialogue.connected:
            await self._dialogue.close(last)
        elif self._plain:
            with suppress(OSError):
                # What is left unread would turn the close into a reset, which takes the error with it.
                self._sock.recv(CREDENTIAL_MAX)
            with suppress(OSError):
                self._sock.send(last)
            self._sock.close()
        else:
            self.drop()

    def drop(self) -> None:
        """Close without a word."""
        if self._dialogue is not None:
            self._dialogue.abort()
        else:
            self._sock.close()


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _name(address: object) -> str:
    """`address:port` of what getpeername returned."""
    if not isinstance(address, tuple):
        return "unix"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
