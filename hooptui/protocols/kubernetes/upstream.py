"""The way to one API server: pooled connections for requests, one of its own for each stream, and the credential on all of them.

Answers come as they are: neither unpacked nor followed when they lead elsewhere. Knows no client and no policy.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import aiohttp
import h11
from yarl import URL

from hooptui.core.model import Target
from hooptui.core.secret import Secret
from hooptui.credentials.kubernetes_login import Access, Login
from hooptui.credentials.mint import Mint
from hooptui.credentials.references import CredentialTrouble
from hooptui.protocols.kubernetes.impersonation import Impersonation
from hooptui.protocols.kubernetes.limits import Limits
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.request import Request

KEPT: Final = 15.0
"""Seconds that a connection is kept for the next request: shorter than servers and balancers keep theirs, so that none is lost in between."""
HEAD_MAX: Final = 64 * 1024
ERROR_MAX: Final = 64 * 1024
"""Bytes that are read of an answer that refuses a stream."""
AUTOMATIC: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that aiohttp would add; what the client did not say is not said."""

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class KubernetesTarget:
    """A cluster that clients may ask for, and the way to it."""

    target: Target
    login: Login
    impersonation: Impersonation | None = None
    mint: Mint | None = None
    """Makes the credential of each session, when it has one of its own."""
    connect_timeout: float = 10.0


class UpstreamFailed(Exception):
    """The API server cannot be used; `message` is for the operator, `public` and the status `status` for the client.

    Codes: `upstream-credential`, `upstream-unreachable`, `upstream-timeout`, `upstream-tls`, `upstream-protocol`.
    """

    def __init__(self, code: str, message: str, public: str, status: int = 502) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.public = public
        self.status = status


@dataclass(frozen=True, slots=True)
class NoUpgrade:
    """The API server answered a stream's request with something else than 101."""

    code: int
    reason: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A stream's connection; what came behind the answer's head is in the plug's buffer."""

    plug: Plug
    protocol: str
    """Sec-WebSocket-Protocol or X-Stream-Protocol-Version, as the server chose."""
    accept: str
    """Sec-WebSocket-Accept."""


class Upstream:
    """See the module. Lives on the gateway's loop, as long as its target is served."""

    def __init__(self, target: KubernetesTarget, limits: Limits) -> None:
        self.target = target
        self._limits = limits
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None

    async def access(self) -> Access:
        """The gateway's own credential.

        Raises:
            UpstreamFailed: there is none.
        """
        try:
            return await self.target.login.access()
        except CredentialTrouble as trouble:
            raise UpstreamFailed(
                "upstream-credential", str(trouble), "its gateway has no working credential for it", 503
            ) from None

    async def request(self, access: Access, request: Request, headers: Pairs, body: bytes) -> aiohttp.ClientResponse:
        """Send a request; back as soon as the head of the answer is there. The caller releases or closes the answer.

        Raises:
            UpstreamFailed: there is no answer.
        """
        where = access.server
        try:
            async with asyncio.timeout(self._limits.answer):
                return await self._session(request.method).request(
                    request.method,
                    URL(where.url + where.path + request.target(), encoded=True),
                    headers=[*headers],
                    data=body if body or request.has_body else None,
                    allow_redirects=False,
                    ssl=where.tls if where.tls is not None else False,
                    server_hostname=where.name or None,
                )
        except (TimeoutError, aiohttp.ClientError, OSError) as fault:
            raise failed(fault, self._limits.answer) from None

    async def upgrade(self, access: Access, request: Request, headers: Pairs) -> Upgraded | NoUpgrade:
        """Ask for a stream on a connection of its own.

        Raises:
            UpstreamFailed: there is no answer.
        """
        where = access.server
        plug = Plug(ahead=self._limits.ahead)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.target.connect_timeout):
                await loop.create_connection(
                    lambda: plug,
                    where.host,
                    where.port,
                    ssl=where.tls,
                    server_hostname=_name(where.name, where.host, where.tls),
                )
            async with asyncio.timeout(self._limits.answer):
                return await self._shake(plug, f"{where.path}{request.target()}", request, headers, where.url)
        except (TimeoutError, OSError, h11.RemoteProtocolError) as fault:
            plug.abort()
            raise failed(fault, self._limits.answer) from None
        except BaseException:
            plug.abort()
            raise

    async def close(self) -> None:
        """Close every pooled connection."""
        sessions, self._sessions = self._sessions, None
        for one in sessions or ():
            await one.close()

    # --- inside

    async def _shake(self, plug: Plug, target: str, request: Request, headers: Pairs, url: str) -> Upgraded | NoUpgrade:
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_MAX)
        said = [("Host", url.partition("//")[2]), *headers]
        if request.method == "POST":
            said.append(("Content-Length", "0"))
        first = parser.send(h11.Request(method=request.method, target=target, headers=said))
        last = parser.send(h11.EndOfMessage())
        plug.write((first or b"") + (last or b""))
        body = bytearray()
        answer: h11.Response | None = None
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = await plug.read()
                if not data and answer is None:
                    raise ConnectionResetError("the API server closed the connection")
                parser.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code != 101:
                    continue
                found = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
                plug.buffer[:0] = parser.trailing_data[0]
                chosen = found.get("sec-websocket-protocol") or found.get("x-stream-protocol-version") or ""
                return Upgraded(plug, chosen, found.get("sec-websocket-accept", ""))
            elif isinstance(event, h11.Response):
                answer = event
            elif isinstance(event, h11.Data):
                body += event.data[: ERROR_MAX - len(body)]
            if answer is not None and (isinstance(event, h11.EndOfMessage) or len(body) >= ERROR_MAX):
                plug.abort()
                kind = next((value for name, value in answer.headers if name == b"content-type"), b"text/plain")
                return NoUpgrade(
                    answer.status_code, answer.reason.decode("latin-1"), kind.decode("latin-1"), bytes(body)
                )
            if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise ConnectionResetError("the API server closed the connection")

    def _session(self, method: str) -> aiohttp.ClientSession:
        """The pool, and whether a request may be sent a second time when its connection turns out to be gone: reading ones alone,
        since a permit moves one operation."""
        if self._sessions is None:
            connector = aiohttp.TCPConnector(
                limit=self._limits.connections, keepalive_timeout=KEPT, enable_cleanup_closed=False, ttl_dns_cache=30
            )
            self._sessions = (self._made(connector, again=True), self._made(connector, again=False))
        return self._sessions[0 if method in ("GET", "HEAD") else 1]

    def _made(self, connector: aiohttp.TCPConnector, *, again: bool) -> aiohttp.ClientSession:
        made = aiohttp.ClientSession(
            connector=connector,
            connector_owner=again,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=AUTOMATIC,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.target.connect_timeout),
            max_line_size=HEAD_MAX,
            max_field_size=HEAD_MAX,
            read_bufsize=self._limits.ahead,
        )
        # There is no public way to say so; without it aiohttp sends PUT and DELETE twice.
        made._retry_connection = again
        return made


def failed(fault: BaseException, answer: float) -> UpstreamFailed:
    """What went wrong between the gateway and an API server."""
    match fault:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            inner = getattr(fault, "certificate_error", fault)
            words = getattr(inner, "verify_message", "") or type(inner).__name__
            return UpstreamFailed(
                "upstream-tls", f"its certificate is not trusted: {words}", "its API server does not prove who it is"
            )
        case aiohttp.ClientConnectorError() | aiohttp.ClientProxyConnectionError():
            words = fault.strerror or type(fault.os_error).__name__
            return UpstreamFailed("upstream-unreachable", words, "its API server cannot be reached")
        case aiohttp.ServerTimeoutError() | TimeoutError():
            words = f"no answer in time (connecting, or {answer:g} s for an answer's head)"
            return UpstreamFailed("upstream-timeout", words, "its API server does not answer", 504)
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return UpstreamFailed(
                "upstream-lost", "it closed the connection without an answer", "its API server closed the connection"
            )
        case OSError():
            words = fault.strerror or type(fault).__name__
            return UpstreamFailed("upstream-unreachable", words, "its API server cannot be reached")
        case _:
            return UpstreamFailed(
                "upstream-protocol",
                f"it speaks no HTTP that works ({type(fault).__name__})",
                "its API server makes no sense",
            )


def authorization(secret: Secret) -> tuple[str, str]:
    return ("Authorization", secret.reveal())


async def cut(plug: Plug, within: float) -> bool:
    """Close a stream's connection; whether it was seen to be closed."""
    plug.abort()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await plug.lost()
            return True
    return False


def _name(name: str, host: str, tls: ssl.SSLContext | None) -> str | None:
    return (name or host) if tls is not None else None
