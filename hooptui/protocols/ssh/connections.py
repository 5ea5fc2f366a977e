"""How connections are made: a client's on its accepted socket, a target's by its address. What runs over them is `transport`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import asyncssh

from hooptui.protocols.ssh.transport import Swift

S = TypeVar("S", bound=Swift)


class _Wire(asyncio.BufferedProtocol, Generic[S]):
    """Between a socket and a connection: asyncio reads into a given place only for who is no `Protocol`."""

    def __init__(self, connection: S) -> None:
        self.connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connection.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connection.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.connection.place()

    def buffer_updated(self, nbytes: int) -> None:
        self.connection.came(nbytes)

    def eof_received(self) -> None:
        self.connection.eof_received()

    def pause_writing(self) -> None:
        self.connection.pause_writing()

    def resume_writing(self) -> None:
        self.connection.resume_writing()


class ServerConnection(Swift, asyncssh.SSHServerConnection):
    """A client's connection."""

    _packet_handlers = asyncssh.SSHServerConnection._packet_handlers | Swift._packet_handlers


class ClientConnection(Swift, asyncssh.SSHClientConnection):
    """A connection to a target."""

    _packet_handlers = asyncssh.SSHClientConnection._packet_handlers | Swift._packet_handlers


async def accept(
    sock: socket.socket, options: asyncssh.SSHServerConnectionOptions, owner: asyncssh.SSHServer, channels: int
) -> ServerConnection:
    """Greet a client on its accepted socket; returns when it has proved who it is.

    Raises:
        asyncssh.Error, OSError: it has not.
    """
    loop = asyncio.get_running_loop()
    options = await asyncssh.SSHServerConnectionOptions.construct(options, config=None, server_factory=lambda: owner)
    options.waiter = loop.create_future()

    def make() -> ServerConnection:
        connection = ServerConnection(loop, options, wait="auth")
        connection.most_channels = channels
        return connection

    return await _established(make, options.waiter, sock=sock)


async def dial(host: str, port: int, **options: Any) -> ClientConnection:
    """A connection to a server, logged in; `options` are asyncssh's.

    Raises:
        asyncssh.Error, OSError: there is none.
    """
    loop = asyncio.get_running_loop()
    made = await asyncssh.SSHClientConnectionOptions.construct(None, config=None, host=host, port=port, **options)
    made.waiter = loop.create_future()
    connection = await _established(
        lambda: ClientConnection(loop, made, wait="auth"), made.waiter, host=host, port=port
    )
    connection.set_extra_info(host=host, port=port)
    return connection


async def _established(make: Callable[[], S], waiter: asyncio.Future[Any], **where: Any) -> S:
    try:
        _, wire = await asyncio.get_running_loop().create_connection(lambda: _Wire(make()), **where)
    except BaseException:
        waiter.cancel()
        raise
    connection: S = wire.connection
    try:
        await waiter
    except BaseException:
        waiter.cancel()
        connection.abort()
        raise
    return connection
