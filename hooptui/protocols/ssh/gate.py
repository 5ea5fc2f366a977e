"""The listener: from an accepted socket to a linked session, and the end of it.

The only file of this protocol that opens a port. Each connection is a task of its own; none can stall the accept loop, and
what one of them does wrong ends that one.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import asyncssh

from hooptui.core.session import Session
from hooptui.credentials.custody import Custody
from hooptui.listener import Listener, Words, too_many
from hooptui.peers import Peer
from hooptui.protocols.base import Doorman, Logins
from hooptui.protocols.ssh import algorithms, connections
from hooptui.protocols.ssh.channel import SshChannel
from hooptui.protocols.ssh.limits import Limits
from hooptui.protocols.ssh.link import Link, SshTarget
from hooptui.protocols.ssh.operations import PROTOCOL, Read
from hooptui.protocols.ssh.server import Reception

__all__ = ["Keys", "Limits", "SshGate", "SshTarget"]

SIGNING = 60.0
"""Seconds that a connection without a host may stay."""

# It logs commands and variables as they are; what a client sends is for the masked journal alone.
logging.getLogger("asyncssh").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Keys:
    """What the gate proves itself with, and whom it believes."""

    host: asyncssh.SSHKey
    """Our host key."""
    certificate: Callable[[], asyncssh.SSHCertificate | None]
    """Its certificate now: another one from time to time, long before the last one ends; None when there is none."""
    authority: str
    """Public key line of our own authority for user certificates."""


class _Stay:
    """How long one connection may take to prove an identity, and among whom it is counted meanwhile."""

    def __init__(self, gate: SshGate) -> None:
        self.timer = asyncio.timeout(None)
        self._gate = gate
        self._browses = False
        self._proved = False

    def begin(self) -> None:
        self._gate._unproved += 1

    def end(self) -> None:
        self._proved = True
        self.wait(None)
        self._gate._unproved -= 1

    def wait(self, seconds: float | None) -> bool:
        """See `Interview`."""
        gate = self._gate
        if self._browses == (seconds is not None):
            return True
        if seconds is not None and gate._browsers >= gate._limits.browsers:
            return False
        self._browses = seconds is not None
        change = 1 if self._browses else -1
        gate._browsers += change
        gate._unproved -= change
        if not self._proved and not self.timer.expired():
            loop = asyncio.get_running_loop()
            self.timer.reschedule(loop.time() + gate._limits.handshake + (seconds or 0.0))
        return True


class SshGate:
    """See the module. Lives on one event loop."""

    def __init__(
        self,
        doorman: Doorman,
        targets: Mapping[str, SshTarget],
        keys: Keys,
        limits: Limits,
        *,
        read: Read,
        mask_key: bytes,
        custody: Custody | None = None,
        logins: Logins | None = None,
    ) -> None:
        """`targets` are by their names; `read` tells what a command line does, `mask_key` is the 32
        secret bytes behind masks by hash.

        `custody` looks after what is minted; its owner starts and closes it, after this. `logins` lets clients log in by a
        browser, and get certificates.

        Raises:
            ValueError: a target mints, and there is no custody.
        """
        self._doorman = doorman
        self._custody = custody
        self._limits = limits
        self._keys = keys
        self._read = read
        self._mask_key = mask_key
        self._targets: Mapping[str, SshTarget] = {}
        self._logins = logins
        self._unproved = 0
        self._browsers = 0
        self._options: asyncssh.SSHServerConnectionOptions | None = None
        self._certificate: asyncssh.SSHCertificate | None = None
        """What the options offer."""
        self._listener = Listener(
            self._serve,
            Words(partial(doorman.trouble, ""), self._turned_away),
            connections=limits.connections,
            per_peer=limits.per_peer,
            room=lambda: self._unproved < limits.unproved,
        )
        self.replace(targets)

    # --- what the gateway calls

    def replace(self, targets: Mapping[str, SshTarget]) -> None:
        """Other targets from now on, all at once. Running sessions keep the one they have.

        Raises:
            ValueError: one of them mints, and there is no custody.
        """
        if self._custody is None and any(target.mint is not None for target in targets.values()):
            raise ValueError("a target mints credentials, and nobody looks after them")
        self._targets = dict(targets)

    @property
    def connections(self) -> int:
        """Connections open now, those in their handshake too."""
        return self._listener.connections

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the kernel chooses when `port` is 0.

        Raises:
            OSError: the address cannot be listened on.
        """
        await self._renew()
        return await self._listener.start(host, port)

    async def stop(self) -> None:
        """Stop listening. Running sessions go on: ending them is their own affair, by `Session.end`."""
        await self._listener.stop()

    async def close(self) -> None:
        """Stop listening and cut every connection that is left."""
        await self._listener.close()

    # --- connections

    async def _renew(self) -> None:
        """Offer the host certificate that is good now."""
        certificate = self._keys.certificate()
        if self._options is None or certificate is not self._certificate:
            self._options, self._certificate = await self._settings(certificate), certificate

    async def _settings(self, certificate: asyncssh.SSHCertificate | None) -> asyncssh.SSHServerConnectionOptions:
        # Whoever our authority names is let in by whom it names, not by the user name, which is the target's.
        believed = asyncssh.import_authorized_keys(f'cert-authority,principals="hooptui:*" {self._keys.authority}\n')
        made: asyncssh.SSHServerConnectionOptions = await asyncssh.SSHServerConnectionOptions.construct(
            config=None,
            # With a certificate the plain key is offered as well, for clients that know it or trust it at first use.
            server_host_keys=[self._keys.host if certificate is None else (self._keys.host, certificate)],
            authorized_client_keys=believed,
            encryption_algs=list(algorithms.ENCRYPTION),
            kex_algs=algorithms.available(algorithms.KEX, asyncssh.kex.get_kex_algs()),
            mac_algs=list(algorithms.MAC),
            compression_algs=list(algorithms.COMPRESSION),
            signature_algs=list(algorithms.SIGNATURES),
            gss_host=None,
            host_based_auth=False,
            agent_forwarding=False,
            x11_forwarding=False,
            line_editor=False,
            encoding=None,
            # Counted in `_greet`, where a person with a browser is given more.
            login_timeout=0,
            rekey_bytes=self._limits.rekey,
            keepalive_interval=self._limits.keepalive,
            keepalive_count_max=3,
            server_version="hooptui",
        )
        return made

    def _turned_away(self, peer: Peer, count: int) -> None:
        self._doorman.refused("too-many", too_many(count), protocol=PROTOCOL, target="", peer=peer.name)

    async def _serve(self, sock: socket.socket, peer: Peer) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await self._renew()
        stay = _Stay(self)
        reception = Reception(
            self._doorman,
            self._targets.get,
            self._link,
            self._limits,
            peer.name,
            logins=self._logins,
            wait=stay.wait,
        )
        connection: asyncssh.SSHServerConnection | None = None
        reason = "the gateway closed the connection"
        try:
            connection = await self._greet(sock, reception, stay, peer.name)
            if connection is not None:
                # Without a link it is here for a certificate, and has no business afterwards.
                async with asyncio.timeout(None if reception.link is not None else SIGNING):
                    await connection.wait_closed()
                reason = "the client has left"
        except TimeoutError:
            reason = "it stayed too long"
        finally:
            if connection is not None:
                connection.abort()
            if reception.link is not None:
                await self._over(reception.link, reason)

    async def _greet(
        self, sock: socket.socket, reception: Reception, stay: _Stay, peer: str
    ) -> asyncssh.SSHServerConnection | None:
        """Through key exchange and login; None when nobody was let in."""
        assert self._options is not None
        stay.begin()
        try:
            async with asyncio.timeout(self._limits.handshake) as stay.timer:
                return await connections.accept(sock, self._options, reception, self._limits.channels)
        except TimeoutError:
            self._doorman.refused("timeout", "the login took too long", protocol=PROTOCOL, target="", peer=peer)
        except (asyncssh.ConnectionLost, ConnectionError):
            # Whoever leaves before it is in was looking; how many do is counted nowhere.
            return None
        except (asyncssh.Error, OSError) as wrong:
            if not reception.wrong:
                code = "protocol" if isinstance(wrong, asyncssh.ProtocolError) else "ssh-failed"
                self._doorman.refused(code, str(wrong)[:512], protocol=PROTOCOL, target="", peer=peer)
        finally:
            stay.end()
        return None

    def _link(self, connection: asyncssh.SSHServerConnection, session: Session, target: SshTarget) -> Link:
        link = Link(connection, session, target, self._doorman, self._limits, self._read, self._custody, self._mask_key)
        session.channel = SshChannel(link, session.house.clock)
        return link

    async def _over(self, link: Link, reason: str) -> None:
        try:
            await link.close(reason)
        finally:
            self._doorman.left(link.session, link.closing or reason)
