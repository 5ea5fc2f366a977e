"""The listener: from an accepted socket to a connection that is served, and the end of it.

The only file of this protocol that opens a port. Clusters are chosen by the path, `/clusters/NAME`, or by the name that TLS asks
for, `NAME.` and whatever follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

from hooptui.credentials.custody import Custody
from hooptui.listener import Listener, Words, too_many
from hooptui.peers import Peer
from hooptui.protocols.base import Doorman
from hooptui.protocols.kubernetes.connection import Connection
from hooptui.protocols.kubernetes.entrance import Entrances
from hooptui.protocols.kubernetes.limits import Limits
from hooptui.protocols.kubernetes.operations import PROTOCOL
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.upstream import KubernetesTarget, Upstream

__all__ = ["KubernetesGate", "KubernetesTarget", "Limits"]

CLOSING: Final = 1.0
"""Seconds in which a connection must have taken its last words."""


class KubernetesGate:
    """See the module. Lives on one event loop."""

    def __init__(
        self,
        doorman: Doorman,
        targets: Mapping[str, KubernetesTarget],
        tls: ssl.SSLContext,
        limits: Limits,
        *,
        mask_key: bytes,
        custody: Custody | None = None,
    ) -> None:
        """`targets` are by their names; `mask_key` is the 32 secret bytes behind masks by hash. `tls` is this gate's alone, which sets
        what it announces.

        `custody` looks after what is minted; its owner starts and closes it, after this.

        Raises:
            ValueError: a target mints, and there is no custody.
        """
        if custody is None and any(target.mint is not None for target in targets.values()):
            raise ValueError("a target mints credentials, and nobody looks after them")
        self._doorman = doorman
        self._custody = custody
        self._limits = limits
        self._mask_key = mask_key
        self._entrances = Entrances()
        self._tls = tls
        tls.set_alpn_protocols(["http/1.1"])
        tls.sni_callback = self._asked_for
        self._names: WeakKeyDictionary[object, str] = WeakKeyDictionary()
        self._upstreams = {name: Upstream(target, limits) for name, target in targets.items()}
        self._unproved = 0
        self._listener = Listener(
            self._serve,
            Words(partial(doorman.trouble, ""), self._turned_away),
            connections=limits.connections,
            per_peer=limits.per_peer,
            room=lambda: self._unproved < limits.unproved,
        )

    # --- what the gateway calls

    @property
    def connections(self) -> int:
        """Connections open now, those in their handshake too."""
        return self._listener.connections

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the kernel chooses when `port` is 0.

        Raises:
            OSError: the address cannot be listened on.
        """
        return await self._listener.start(host, port)

    async def stop(self) -> None:
        """Stop listening. Running sessions go on: ending them is their own affair, by `Session.end`."""
        await self._listener.stop()

    async def close(self) -> None:
        """Stop listening, cut every connection that is left, and close those to the API servers."""
        await self._listener.close()
        for one in self._upstreams.values():
            await one.close()

    # --- connections

    def _turned_away(self, peer: Peer, count: int) -> None:
        self._doorman.refused("too-many", too_many(count), protocol=PROTOCOL, target="", peer=peer.name)

    def _asked_for(self, which: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name:
            self._names[which] = name.lower()

    def _cluster(self, plug: Plug) -> str:
        """The target that the client named in its TLS handshake; empty when none is called so."""
        found = plug.about("ssl_object")
        name = self._names.get(found, "") if found is not None else ""
        return max((one for one in self._upstreams if name.startswith(f"{one.lower()}.")), key=len, default="")

    async def _serve(self, sock: socket.socket, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        plug = Plug(ahead=self._limits.ahead)
        task = asyncio.current_task()
        assert task is not None
        self._unproved += 1
        proved = False

        def prove() -> None:
            nonlocal proved
            if not proved:
                proved = True
                self._unproved -= 1

        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            try:
                await loop.connect_accepted_socket(
                    lambda: plug, sock, ssl=self._tls, ssl_handshake_timeout=self._limits.handshake
                )
            except (ssl.SSLError, OSError, TimeoutError) as fault:
                self._doorman.refused("tls-failed", _words(fault), protocol=PROTOCOL, target="", peer=peer.name)
                return
            connection = Connection(
                plug,
                self._doorman,
                self._upstreams,
                self._limits,
                self._custody,
                self._mask_key,
                self._entrances,
                peer.name,
                self._cluster(plug),
                prove,
            )
            # Whatever goes on for a client ends when it is gone.
            plug.gone = partial(_cancel, task)
            try:
                await connection.serve()
            except asyncio.CancelledError:
                # Not passed on when it is the client that has left: nobody waits for this task but the listener.
                if not plug.over:
                    raise
            finally:
                plug.gone = None
                connection.leave()
        finally:
            prove()
            if plug.closed:
                sock.close()
            else:
                plug.close()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CLOSING):
                        await plug.lost()
                plug.abort()


def _words(fault: Exception) -> str:
    match fault:
        case ssl.SSLError():
            return f"no TLS that works: {fault.reason or type(fault).__name__}"
        case TimeoutError():
            return "the TLS handshake took too long"
        case _:
            return "the client left during the TLS handshake"


def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
