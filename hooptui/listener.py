"""The one accept loop: a bound port, and a task for each connection that is taken. Knows no protocol.

Nothing that a connection does can stall or end the loop: not running out of descriptors, not a client that is gone before it
is taken, not a fault in what serves another. Connections are bounded, in all and from one place; whoever is one too many is
closed unread.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from hooptui.peers import Peer, peer

BACKLOG: Final = 512
AGAIN: Final = 0.1
"""Seconds until the next try, when a connection could not be taken."""
QUIET: Final = 1.0
"""Seconds between two words about the same thing: what a stranger can do a thousand times a second is told once."""

Serve: TypeAlias = Callable[[socket.socket, Peer], Awaitable[None]]
"""One connection to its end. The socket does not block; whoever serves it closes it."""


@dataclass(frozen=True, slots=True)
class Words:
    """Whom a listener tells what. None of them may raise."""

    trouble: Callable[[str, str], None]
    """A code and words for the operator: `accept`, or `fault` when a connection ended by a fault of the gateway."""
    turned_away: Callable[[Peer, int], None]
    """Somebody was one too many; how many were since this was last said, this one too."""


class Listener:
    """See the module. Lives on one event loop, between `start` and `stop`."""

    def __init__(
        self,
        serve: Serve,
        words: Words,
        *,
        connections: int,
        per_peer: int,
        room: Callable[[], bool] = lambda: True,
    ) -> None:
        """`connections` are taken in all, `per_peer` from one address or IPv6 network, and one more only while `room` says so."""
        self._serve = serve
        self._words = words
        self._most = connections
        self._most_per_peer = per_peer
        self._room = room
        self._socket: socket.socket | None = None
        self._listening: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._fresh: set[socket.socket] = set()
        """Taken, and not yet in anybody's hands."""
        self._peers: Counter[str] = Counter()
        self._said: dict[str, float] = {}
        self._unsaid = 0
        self.turned_away = 0
        """Connections closed unread because there were too many."""

    @property
    def connections(self) -> int:
        """Open now, those in their handshake too."""
        return len(self._serving)

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the kernel chooses when `port` is 0.

        Raises:
            OSError: the address cannot be listened on.
        """
        if self._listening is not None:
            raise RuntimeError("listening already")
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(BACKLOG)
            bound.setblocking(False)
        except BaseException:
            bound.close()
            raise
        self._socket = bound
        self._listening = loop.create_task(self._listen(bound))
        chosen: int = bound.getsockname()[1]
        return chosen

    async def stop(self) -> None:
        """Stop listening. Open connections go on."""
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

    # --- inside

    async def _listen(self, bound: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(bound)
            except OSError as fault:
                # Out of descriptors, or the client was gone before it was taken: neither ends the listener.
                if self._due("accept", loop.time()):
                    self._words.trouble("accept", f"a connection could not be accepted: {fault.strerror or fault}")
                await asyncio.sleep(AGAIN)
                continue
            sock.setblocking(False)
            self._take(sock, peer(address), loop)

    def _take(self, sock: socket.socket, who: Peer, loop: asyncio.AbstractEventLoop) -> None:
        where = who.origin
        if len(self._serving) >= self._most or self._peers[where] >= self._most_per_peer or not self._room():
            sock.close()
            if not self._peers[where]:
                del self._peers[where]
            self.turned_away += 1
            self._unsaid += 1
            if self._due("turned away", loop.time()):
                count, self._unsaid = self._unsaid, 0
                self._words.turned_away(who, count)
            return
        self._peers[where] += 1
        self._fresh.add(sock)
        task = loop.create_task(self._run(sock, who))
        self._serving.add(task)
        task.add_done_callback(partial(self._served, sock, where))

    async def _run(self, sock: socket.socket, who: Peer) -> None:
        self._fresh.discard(sock)
        await self._serve(sock, who)

    def _served(self, sock: socket.socket, where: str, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        self._peers[where] -= 1
        if not self._peers[where]:
            del self._peers[where]
        if sock in self._fresh:
            # Cancelled before it began.
            self._fresh.discard(sock)
            sock.close()
        if not task.cancelled() and (fault := task.exception()) is not None:
            # One connection's fault is its own end, and the operator's to know; its text may quote what a client sent.
            self._words.trouble("fault", f"a connection ended by a fault of the gateway: {type(fault).__name__}")

    def _due(self, what: str, now: float) -> bool:
        """Whether this is to be said again."""
        if now - self._said.get(what, -QUIET) < QUIET:
            return False
        self._said[what] = now
        return True


def too_many(count: int) -> str:
    """The refusal in words; `count` as `Words.turned_away` is given it."""
    return (
        "too many connections"
        if count == 1
        else f"too many connections; {count} were turned away since this was last said"
    )
