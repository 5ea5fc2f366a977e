"""From settings to a connection: address, socket and TLS to a PostgreSQL server, and every way in which that fails.

Sources: PostgreSQL documentation, "SSL Session Encryption" and libpq's `sslmode`. Knows nothing of logging in.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from hooptui.core.secret import Secret
from hooptui.protocols.postgres import build, tls
from hooptui.protocols.postgres.dialogue import Dialogue, Gone
from hooptui.protocols.postgres.wire import ProtocolViolation

Address: TypeAlias = tuple[int, tuple[object, ...] | str]
"""Socket family and address, as connected to: a cancel must reach the very same server."""


class SslMode(StrEnum):
    """As libpq's. `require` with a CA file verifies like `verify-ca`, as there."""

    DISABLE = "disable"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class Fault(StrEnum):
    """Why there is no session upstream."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS_REFUSED = "tls-refused"
    TLS_UNTRUSTED = "tls-untrusted"
    TLS_FAILED = "tls-failed"
    WRONG_CREDENTIAL = "wrong-credential"
    NO_SUCH_DATABASE = "no-such-database"
    TOO_MANY_CONNECTIONS = "too-many-connections"
    NOT_READY = "not-ready"
    BAD_SETTING = "bad-setting"
    REJECTED = "rejected"
    PROTOCOL = "protocol"
    CLOSED = "closed"


_PUBLIC = {
    Fault.UNREACHABLE: "its server cannot be reached",
    Fault.REFUSED: "its server refuses connections",
    Fault.TIMEOUT: "its server did not answer in time",
    Fault.TLS_REFUSED: "its server does not offer the TLS that the gateway insists on",
    Fault.TLS_UNTRUSTED: "its server's certificate is not the one that the gateway trusts",
    Fault.TLS_FAILED: "TLS with its server failed",
    Fault.WRONG_CREDENTIAL: "its server does not accept the gateway's credential",
    Fault.NO_SUCH_DATABASE: "its server does not have that database",
    Fault.TOO_MANY_CONNECTIONS: "its server has too many connections already",
    Fault.NOT_READY: "its server is starting up or shutting down",
    Fault.BAD_SETTING: "its server does not accept a start-up setting",
    Fault.REJECTED: "its server rejected the session",
    Fault.PROTOCOL: "its server does not speak the protocol as expected",
    Fault.CLOSED: "its server closed the connection",
}


class UpstreamFailed(Exception):
    """No session upstream. Never holds a secret."""

    def __init__(self, code: Fault, message: str, *, fields: Mapping[str, bytes] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        """For the operator: which server, and what it said or did."""
        self.fields = fields
        """The server's own error, when it sent one. For `bad-setting` it is the client's to see: its own setting is wrong."""

    @property
    def public(self) -> str:
        """For the client, after the target's name: which side is at fault, but neither host nor account."""
        return _PUBLIC[self.code]


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a target's server is and how the gateway logs in there."""

    host: str
    """DNS name, IP address, or the directory of a unix socket when it begins with a slash."""
    port: int
    database: str
    user: str
    password: Secret | None = None
    sslmode: SslMode = SslMode.VERIFY_FULL
    ca_file: Path | None = None
    """CA certificates to trust; None is the machine's own store (and no verification under `require`)."""
    connect_timeout: float = 10.0
    """Seconds until a session is ready, all addresses of the host together."""

    @property
    def local(self) -> bool:
        return self.host.startswith("/")

    @property
    def place(self) -> str:
        """Where it is, for people."""
        if self.local:
            return f"{self.host}/.s.PGSQL.{self.port}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


# --- deadline, network, TLS


@asynccontextmanager
async def within(upstream: Upstream, seconds: float, what: str) -> AsyncIterator[None]:
    """A deadline, and the one place where what went wrong below becomes `UpstreamFailed`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise UpstreamFailed(Fault.TIMEOUT, f"{upstream.place} took longer than {seconds:g} s {what}") from None
    except ProtocolViolation as violation:
        raise UpstreamFailed(Fault.PROTOCOL, f"{upstream.place} broke the protocol: {violation}") from None
    except (Gone, OSError) as lost:
        cause = lost.__cause__ if isinstance(lost, Gone) else lost
        words = f" ({cause})" if cause is not None else ""
        raise UpstreamFailed(
            Fault.CLOSED, f"{upstream.place} closed the connection during the handshake{words}"
        ) from None


async def dial(upstream: Upstream, address: Address | None = None) -> tuple[Dialogue, Address, bool]:
    """A connection to the first address that takes one, encrypted as `sslmode` says, and whether it is encrypted.

    Call it inside `within`.
    """
    loop = asyncio.get_running_loop()
    addresses = [address] if address is not None else await _addresses(upstream)
    last = UpstreamFailed(Fault.UNREACHABLE, f"{upstream.host}: the name has no address")
    for index, (family, where) in enumerate(addresses):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            try:
                # One dead address must leave time for the others.
                async with asyncio.timeout(upstream.connect_timeout / (len(addresses) - index)):
                    await loop.sock_connect(sock, where)
            except TimeoutError:
                last = UpstreamFailed(Fault.TIMEOUT, f"{upstream.place} does not answer")
                sock.close()
                continue
            except ConnectionRefusedError:
                last = UpstreamFailed(Fault.REFUSED, f"{upstream.place} refuses connections: is the server running?")
                sock.close()
                continue
            except OSError as fault:
                last = UpstreamFailed(
                    Fault.UNREACHABLE, f"{upstream.place} cannot be reached: {fault.strerror or fault}"
                )
                sock.close()
                continue
            if not upstream.local:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            context = await _ask_for_tls(upstream, sock)
            return await _transport(upstream, sock, context), (family, where), context is not None
        except BaseException:
            sock.close()
            raise
    raise last


async def _addresses(upstream: Upstream) -> list[Address]:
    if upstream.local:
        return [(socket.AF_UNIX, upstream.place)]
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(upstream.host, upstream.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        words = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise UpstreamFailed(Fault.UNREACHABLE, f"{upstream.host}: the name cannot be resolved: {words}") from None
    return [(family, address) for family, _, _, _, address in found]


async def _ask_for_tls(upstream: Upstream, sock: socket.socket) -> ssl.SSLContext | None:
    """The context to encrypt with; None when the connection stays as it is."""
    if upstream.local or upstream.sslmode is SslMode.DISABLE:
        return None
    # On a thread, for it reads files, the machine's whole store among them.
    context = await asyncio.to_thread(_context, upstream)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, build.SSL_REQUEST)
    # One byte and no more: what follows it must be TLS (CVE-2021-23222).
    answer = await loop.sock_recv(sock, 1)
    if answer == b"S":
        return context
    if answer == b"N":
        if upstream.sslmode is SslMode.PREFER:
            return None
        raise UpstreamFailed(
            Fault.TLS_REFUSED, f"{upstream.place} does not offer TLS; sslmode={upstream.sslmode} insists on it"
        )
    if not answer:
        raise Gone
    # Also an ErrorResponse ends here: nobody has authenticated it, so its words are worth nothing (CVE-2024-10977).
    raise UpstreamFailed(Fault.PROTOCOL, f"{upstream.place} answered the request for TLS with {answer!r}")


def _context(upstream: Upstream) -> ssl.SSLContext:
    """A context for this way of verifying; shared by connections, since each would hold its CAs in memory again."""
    mode = upstream.sslmode
    verify = mode in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL) or (
        mode is SslMode.REQUIRE and upstream.ca_file is not None
    )
    try:
        found = upstream.ca_file.stat() if verify and upstream.ca_file is not None else None
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino) if found is not None else None
        return _made(mode is SslMode.VERIFY_FULL, verify, upstream.ca_file, stamp)
    except ssl.SSLError:
        raise UpstreamFailed(Fault.TLS_UNTRUSTED, f"{upstream.ca_file}: expected CA certificates in PEM") from None
    except OSError as fault:
        raise UpstreamFailed(Fault.TLS_UNTRUSTED, f"{upstream.ca_file}: {fault.strerror or fault}") from None


@lru_cache(maxsize=64)
def _made(check_name: bool, verify: bool, ca_file: Path | None, stamp: tuple[int, int, int] | None) -> ssl.SSLContext:
    """`stamp` tells one content of the CA file from the next, so that a replaced file is read again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["postgresql"])
    context.check_hostname = check_name
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    if verify and ca_file is None:
        context.load_default_certs()
    elif verify:
        context.load_verify_locations(ca_file)
    return context


async def _transport(upstream: Upstream, sock: socket.socket, context: ssl.SSLContext | None) -> Dialogue:
    loop = asyncio.get_running_loop()
    dialogue = Dialogue()
    try:
        if context is None and upstream.local:
            await loop.create_unix_connection(lambda: dialogue, sock=sock)
        elif context is None:
            await loop.create_connection(lambda: dialogue, sock=sock)
        else:
            await tls.connect(sock, context, dialogue, host=upstream.host, within=upstream.connect_timeout + 1.0)
    except ssl.SSLCertVerificationError as fault:
        raise UpstreamFailed(
            Fault.TLS_UNTRUSTED, f"{upstream.place}: the server's certificate is not trusted: {fault.verify_message}"
        ) from None
    except ssl.SSLError as fault:
        raise UpstreamFailed(
            Fault.TLS_FAILED, f"{upstream.place}: the TLS handshake failed: {fault.reason or fault}"
        ) from None
    except UnicodeError as fault:
        raise UpstreamFailed(Fault.TLS_FAILED, f"{upstream.host!r} is no name that TLS can verify: {fault}") from None
    except BaseException:
        dialogue.abort()
        raise
    if not dialogue.connected:
        raise Gone
    return dialogue
