"""HTTP/1.1 on asyncio's streams: one connection at a time through h11, answers whole or in pieces, and connections handed over.

Knows bytes and the shape of a `Call`; what is answered is somebody else's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

import h11

from hooptui.demo.cluster.call import MAX_BODY, Call, Pipe, Reply, Takeover, User
from hooptui.demo.cluster.problems import Problem

log = logging.getLogger(__name__)

MAX_HEAD = 1024 * 1024
"""The real server's limit on headers (Go's default)."""
CHUNK = 65_536
COMPRESS_FROM = 128 * 1024
"""Bytes from which an answer is compressed for clients that take gzip, as the real server does."""

Certificate = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Service:
    """What the connections ask."""

    who: Callable[[Mapping[str, str], Certificate], User]
    """May raise a Problem."""
    answer: Callable[[Call], Awaitable[Reply | Takeover]]
    """May raise a Problem."""
    problem: Callable[[Problem, Mapping[str, str]], Reply]
    """A Problem in the representation that the headers ask for."""


class ClientGone(Exception):
    """The client closed, or broke HTTP so that nothing can be said to it."""


async def serve_connection(service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection to its end; returns with it closed."""
    wire = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    tls = writer.get_extra_info("ssl_object")
    certificate: Certificate = tls.getpeercert() if tls is not None else None
    try:
        while await _serve_one(service, wire, reader, writer, certificate):
            wire.start_next_cycle()
    except (ClientGone, ConnectionError, h11.RemoteProtocolError, h11.LocalProtocolError):
        return
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, TimeoutError, OSError):
            await writer.wait_closed()


async def _serve_one(
    service: Service,
    wire: h11.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    certificate: Certificate,
) -> bool:
    """One request; False when the connection is not to be used again."""
    head = await _next(wire, reader, writer)
    if not isinstance(head, h11.Request):
        return False
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    try:
        user = service.who(headers, certificate)
        body = await _body(wire, reader, writer)
        outcome = await service.answer(_call(head, headers, body, user))
    except Problem as problem:
        outcome = service.problem(problem, headers)
    except (LookupError, TypeError, ValueError, AttributeError) as fault:
        # An object of a shape that nobody thought of: the client is told, and whoever runs this sees where.
        log.exception("%s %s", head.method.decode(), head.target.decode("latin-1"))
        outcome = service.problem(Problem(500, "InternalError", f"Internal error occurred: {fault!r}", {}), headers)
    if isinstance(outcome, Takeover):
        trailing, _ = wire.trailing_data
        await outcome.run(Pipe(reader, writer, trailing))
        return False
    await _send(wire, reader, writer, outcome, headers, head.method == b"HEAD")
    return wire.our_state is h11.DONE and wire.their_state is h11.DONE


def _call(head: h11.Request, headers: Mapping[str, str], body: bytes, user: User) -> Call:
    target = head.target.decode("latin-1")
    if target.startswith(("http://", "https://")):
        target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
    path, _, query = target.partition("?")
    return Call(
        head.method.decode(),
        unquote(path),
        tuple(parse_qsl(query, keep_blank_values=True)),
        headers,
        body,
        user,
    )


async def _next(
    wire: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> h11.Event | type[h11.PAUSED]:
    while True:
        event = wire.next_event()
        if event is h11.NEED_DATA:
            if wire.they_are_waiting_for_100_continue:
                writer.write(wire.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            wire.receive_data(await reader.read(CHUNK))
            continue
        if isinstance(event, h11.ConnectionClosed):
            raise ClientGone
        return event  # type: ignore[return-value]


async def _body(wire: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    parts = bytearray()
    while True:
        event = await _next(wire, reader, writer)
        if isinstance(event, h11.Data):
            parts += event.data
            if len(parts) > MAX_BODY:
                raise Problem(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}")
        elif isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
            return bytes(parts)


async def _send(
    wire: h11.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    reply: Reply,
    asked: Mapping[str, str],
    head_only: bool,
) -> None:
    headers = {
        "Audit-Id": secrets.token_hex(8),
        "Cache-Control": "no-cache, private",
        "Content-Type": reply.content_type,
        "Date": formatdate(usegmt=True),
        **reply.headers,
    }
    body = reply.body
    if isinstance(body, bytes):
        if len(body) >= COMPRESS_FROM and "gzip" in asked.get("accept-encoding", ""):
            body = await asyncio.to_thread(gzip.compress, body, 1)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        headers["Content-Length"] = str(len(body))
    else:
        headers["Transfer-Encoding"] = "chunked"
    if wire.their_state is h11.SEND_BODY:
        # The request was not read to its end; nothing sensible can follow on this connection.
        headers["Connection"] = "close"
    reason = HTTPStatus(reply.status).phrase.encode()
    writer.write(wire.send(h11.Response(status_code=reply.status, reason=reason, headers=list(headers.items()))) or b"")
    if isinstance(body, bytes):
        if not head_only:
            writer.write(wire.send(h11.Data(data=body)) or b"")
    else:
        await _stream(wire, reader, writer, body)
    writer.write(wire.send(h11.EndOfMessage()) or b"")
    await writer.drain()


async def _stream(
    wire: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: AsyncIterator[bytes]
) -> None:
    """Send the pieces as they come, until they end or the client is gone.

    Raises:
        ClientGone: it is.
    """
    await writer.drain()
    gone = asyncio.ensure_future(reader.read(1))
    try:
        while True:
            piece = asyncio.ensure_future(anext(body, None))
            try:
                await asyncio.wait((piece, gone), return_when=asyncio.FIRST_COMPLETED)
                if not piece.done():
                    raise ClientGone
                data = piece.result()
            finally:
                if not piece.done():
                    piece.cancel()
                    await asyncio.gather(piece, return_exceptions=True)
            if data is None:
                return
            writer.write(wire.send(h11.Data(data=data)) or b"")
            await writer.drain()
    finally:
        if not gone.done():
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        elif not gone.cancelled() and gone.exception() is None and gone.result():
            # It pipelined the next request, whose first byte was taken: clients of this server do not.
            raise ClientGone
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()
