"""Listeners at the target, known before the target has answered for them.

asyncssh knows a listener once the task that asked for it runs again, and a connection to it may be read together with the
target's answer: it would be refused, though it came behind. So a listener is made known first, and what comes early waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import asyncssh
from asyncssh.listener import SSHTCPClientListener, SSHUNIXClientListener

from hooptui.protocols.ssh.sessions import PACKET

TcpCame = Callable[[str, int], Coroutine[Any, Any, asyncssh.SSHTCPSession[bytes]]]
UnixCame = Callable[[], Coroutine[Any, Any, asyncssh.SSHUNIXSession[bytes]]]


class Announced:
    """Whether the client has been told that there is a listener, or that there is none."""

    def __init__(self) -> None:
        self._settled = asyncio.Event()
        self._there = False

    def settle(self, *, there: bool) -> None:
        self._there = there
        self._settled.set()

    async def wait(self) -> None:
        """Raises:
        asyncssh.ChannelOpenError: there is none.
        """
        await self._settled.wait()
        if not self._there:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "nobody listens")


@contextmanager
def expected(
    connection: asyncssh.SSHClientConnection, came: TcpCame, host: str, port: int, window: int
) -> Iterator[None]:
    """While the target is asked to listen on a port; 0 is one of its choice."""
    name = host.lower()
    early = SSHTCPClientListener[bytes](connection, came, name, port, None, "strict", window, PACKET)
    if port:
        with _known(connection._remote_listeners, (name, port), early):
            yield
    else:
        with _known(connection._dynamic_remote_listeners, name, early):
            yield


@contextmanager
def expected_at(connection: asyncssh.SSHClientConnection, came: UnixCame, path: str, window: int) -> Iterator[None]:
    """While the target is asked to listen on a socket."""
    early = SSHUNIXClientListener[bytes](connection, came, path, None, "strict", window, PACKET)
    with _known(connection._remote_listeners, path, early):
        yield


@contextmanager
def _known(listeners: dict[Any, Any], key: object, early: object) -> Iterator[None]:
    """asyncssh puts its own in the place of `early` when the target agrees; one that is there already stays."""
    listeners.setdefault(key, early)
    try:
        yield
    finally:
        if listeners.get(key) is early:
            del listeners[key]
