"""The listener: from an accepted socket to a relayed session, and the end of it.

The only file of this protocol that opens a port. Each connection is a task of its own; none can stall the accept loop, and
what one of them does wrong ends that one.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from hooptui.core.gate import CannotRecord, LoginRefused, Refused
from hooptui.core.model import Target
from hooptui.core.session import Session
from hooptui.credentials.custody import Custody
from hooptui.credentials.mint import Mint, MintTrouble
from hooptui.listener import Listener, Words, too_many
from hooptui.peers import Peer
from hooptui.protocols.base import Doorman
from hooptui.protocols.postgres import build, entry, replies, reports, startup, upstream
from hooptui.protocols.postgres.cancel import CancelKeys
from hooptui.protocols.postgres.catalogue import Catalogue
from hooptui.protocols.postgres.channel import PostgresChannel
from hooptui.protocols.postgres.codec import error_fields
from hooptui.protocols.postgres.dialogue import Gone
from hooptui.protocols.postgres.entry import Ended, Opening
from hooptui.protocols.postgres.limits import Limits
from hooptui.protocols.postgres.login import Ways
from hooptui.protocols.postgres.relay import Relay
from hooptui.protocols.postgres.sasl import OAuth
from hooptui.protocols.postgres.settings import REPORTED, Settings
from hooptui.protocols.postgres.sides import ClientSide, ServerSide
from hooptui.protocols.postgres.startup import CancelAsked, ClientHello, Unwelcome
from hooptui.protocols.postgres.upstream import Connected, Upstream, UpstreamFailed
from hooptui.protocols.postgres.wire import ProtocolViolation

__all__ = ["Limits", "PostgresGate", "PostgresTarget"]

PROTOCOL = "postgres"

QUIET = frozenset({"gone", "discovery", "lease-wrong"})
"""Turned away without a word to the doorman: nobody was there, nobody tried to get in, or it knows already."""


@dataclass(frozen=True, slots=True)
class PostgresTarget:
    """A database that clients may ask for, and where it is."""

    target: Target
    upstream: Upstream
    """The gateway's own login: for look-ups, and for sessions where nothing is minted."""
    mint: Mint | None = None
    """Makes the credential of each session, when it has one of its own."""


@dataclass(slots=True, eq=False)
class _Place:
    """A target in force, with the side connections that its sessions share."""

    target: PostgresTarget
    catalogue: Catalogue
    sessions: int = 0
    retired: bool = False


class PostgresGate:
    """See the module. Lives on one event loop."""

    def __init__(
        self,
        doorman: Doorman,
        targets: Mapping[str, PostgresTarget],
        tls: ssl.SSLContext,
        limits: Limits,
        *,
        binding: bytes | None = None,
        oauth: OAuth | None = None,
        custody: Custody | None = None,
    ) -> None:
        """`targets` are by the database name that a client asks for; `tls` is a server's context with ALPN `postgresql`.

        `binding` is `sasl.server_end_point` of that server's certificate; `oauth` is what clients without a token are told.
        `custody` looks after what is minted; its owner starts and closes it, after this.

        Raises:
            ValueError: a target mints, and there is no custody.
        """
        self._doorman = doorman
        self._custody = custody
        self._ways = Ways(doorman, binding, oauth)
        self._tls = tls
        self._limits = limits
        self._places: dict[str, _Place] = {}
        self._keys: CancelKeys[PostgresChannel] = CancelKeys()
        self._closing: set[asyncio.Task[None]] = set()
        self._listener = Listener(
            self._serve,
            Words(partial(doorman.trouble, ""), self._turned_away),
            connections=limits.connections,
            per_peer=limits.per_peer,
        )
        self.replace(targets)

    # --- what the gateway calls

    def replace(self, targets: Mapping[str, PostgresTarget]) -> None:
        """Other targets from now on, all at once. Running sessions keep the one they have.

        Raises:
            ValueError: one of them mints, and there is no custody.
        """
        if self._custody is None and any(target.mint is not None for target in targets.values()):
            raise ValueError("a target mints credentials, and nobody looks after them")
        before, after = self._places, {}
        for name, target in targets.items():
            old = before.get(name)
            if old is not None and old.target.upstream == target.upstream:
                # Sessions count on the place they were opened in, so it is kept and only its labels are new.
                old.target = target
                after[name] = old
            else:
                after[name] = _Place(target, Catalogue(target.upstream))
        self._places = after
        for name, place in before.items():
            if after.get(name) is not place:
                place.retired = True
                self._release(place)

    def catalogue(self, name: str) -> Catalogue | None:
        """The side connections of a target, for the review of a held operation."""
        place = self._places.get(name)
        return place.catalogue if place is not None else None

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
        """Stop listening, cut every connection that is left, and close the side connections."""
        await self._listener.close()
        self.replace({})
        await asyncio.gather(*self._closing, return_exceptions=True)

    # --- connections

    def _turned_away(self, peer: Peer, count: int) -> None:
        self._doorman.refused("too-many", too_many(count), protocol=PROTOCOL, target="", peer=peer.name)

    async def _serve(self, sock: socket.socket, peer: Peer) -> None:
        host = peer.host
        try:
            greeted = await startup.greet(sock, self._tls, ways=self._ways, timeout=self._limits.handshake)
        except Unwelcome as unwelcome:
            if unwelcome.code not in QUIET:
                self._doorman.refused(unwelcome.code, unwelcome.message, protocol=PROTOCOL, target="", peer=host)
            return
        if isinstance(greeted, CancelAsked):
            try:
                channel = self._keys.find(greeted.pid, greeted.key, host)
                if channel is not None:
                    await channel.cancel()
            finally:
                await greeted.finish()
            return
        await self._welcome(greeted, host)

    async def _welcome(self, client: ClientHello, host: str) -> None:
        place = self._places.get(client.database)
        name = place.target.target.name if place is not None else client.database
        try:
            session = await self._doorman.admit(
                client.credential,
                name,
                protocol=PROTOCOL,
                peer=client.peer,
                application=client.application,
                purpose=client.asked.purpose,
                emergency=client.asked.emergency,
            )
        except LoginRefused as refused:
            state = "28000" if refused.code == "no-access" else "28P01"
            await client.reject(build.error(state, refused.message, severity="FATAL", hint=refused.hint))
            return
        except BaseException:
            client.transport.abort()
            raise
        reason = "the gateway failed"
        try:
            if place is None:
                # The doorman admits to known targets only, so the two do not agree on what there is.
                reason = "the target is not configured"
                await client.reject(
                    build.error("3D000", f'target "{client.database}" is not configured', severity="FATAL")
                )
                return
            place.sessions += 1
            try:
                reason = await self._open(client, session, place, host)
            finally:
                place.sessions -= 1
                self._release(place)
        finally:
            if not client.transport.is_closing():
                client.transport.abort()
            self._doorman.left(session, reason)

    async def _open(self, client: ClientHello, session: Session, place: _Place, host: str) -> str:
        """Let in, connect upstream, relay until it is over; returns why it was."""
        target = place.target
        session.channel = opening = Opening(session.house.clock)
        waited = session.access is not None
        try:
            try:
                if waited:
                    await entry.enter(client, session)
                    opening.check()
                connected = await opening.run(self._connect(client, session, target, opening), _drop)
            except Exception as fault:  # noqa: BLE001 - `_farewell` raises what it does not know
                last, reason = self._farewell(fault, opening, target.target.name)
                await client.refuse(last)
                return reason
            return await self._relay(client, session, place, host, connected, welcomed=waited)
        finally:
            if target.mint is not None and self._custody is not None and opening.minted is not None:
                back = self._custody.give_back(target.target.name, target.mint, opening.minted.name)
                back.add_done_callback(lambda _: opening.over())
            else:
                opening.over()

    async def _connect(
        self, client: ClientHello, session: Session, target: PostgresTarget, opening: Opening
    ) -> tuple[Upstream, Connected]:
        """Log in upstream with the session's own credential where there is one, else with the gateway's."""
        login = target.upstream
        if target.mint is not None and self._custody is not None:
            opening.minted = minted = await self._custody.issue(session, target.mint)
            login = replace(login, user=minted.name, password=minted.secret)
        return login, await upstream.connect(login, client.parameters, minor=client.minor)

    def _farewell(self, fault: Exception, opening: Opening, name: str) -> tuple[bytes, str]:
        """The last words to a client whose session did not open, and the reason for the record; the operator is told."""
        try:
            # Whatever else it looked like: when it was ended, that is why.
            opening.check()
            raise fault
        except Ended as ended:
            return replies.killed(str(ended)), str(ended)
        except Refused as refused:
            return entry.refused(refused), f"not let in: {refused.message}"
        except Gone:
            return b"", "the client left while it waited for access"
        except ProtocolViolation as violation:
            return replies.violation(str(violation)), f"protocol violation by the client: {violation}"
        except CannotRecord:
            words = "hooptui cannot record this session, so it is not opened"
            return build.error(entry.CANNOT_CONNECT_NOW, words, severity="FATAL"), words
        except MintTrouble as trouble:
            self._doorman.trouble(name, trouble.code, trouble.message)
            code, public = trouble.code, "its server does not give the gateway a credential for this session"
        except UpstreamFailed as failed:
            self._doorman.trouble(name, failed.code, failed.message)
            code, public = failed.code, failed.public
        hint = "The gateway is up; the trouble is on the target's side, and its operator has been told."
        words = f'hooptui cannot open target "{name}": {public}'
        return build.error("08006", words, severity="FATAL", hint=hint), f"no session upstream: {code}"

    async def _relay(
        self,
        client: ClientHello,
        session: Session,
        place: _Place,
        host: str,
        opened: tuple[Upstream, Connected],
        *,
        welcomed: bool,
    ) -> str:
        name = place.target.target.name
        login, connected = opened

        def trouble(code: str, words: str) -> None:
            self._doorman.trouble(name, code, words)

        relay = Relay(
            session,
            dict(connected.parameters),
            place.catalogue,
            self._limits,
            status=connected.status,
            trouble=trouble,
        )
        channel = PostgresChannel(relay, login, connected, place.catalogue, session.house.clock, trouble)
        key = self._keys.give(host, channel, pid=connected.pid, minor=client.minor)
        try:
            hello = _welcome(session, connected, client.minor, key.pid, key.key)
            client.transport.write(hello if welcomed else build.AUTH_OK + hello)
            connected.hand_over(ServerSide(relay))
            client.hand_over(ClientSide(relay))
            session.channel = channel
            reason = await relay.over
            if not relay.frozen and not await relay.idle(self._limits.left_behind):
                await channel.abandon()
            return reason
        finally:
            self._keys.take_back(key)
            relay.finish("the gateway closed the session")
            await relay.closed()

    def _release(self, place: _Place) -> None:
        if place.retired and not place.sessions:
            task = asyncio.get_running_loop().create_task(place.catalogue.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _welcome(session: Session, connected: Connected, minor: int, pid: int, key: bytes) -> bytes:
    """What a server says after AuthenticationOk until it is ready, with the gateway's own cancel key."""
    settings = Settings(dict(connected.parameters))
    parts = []
    for notice in connected.notices:
        parts.append(reports.masked(notice[0], notice, error_fields(notice), session.masker, settings))
    parts += [build.parameter_status(name, value) for name, value in connected.parameters if name in REPORTED]
    parts += [build.backend_key(pid, key), build.ready(connected.status)]
    return b"".join(parts)


def _drop(opened: tuple[Upstream, Connected]) -> None:
    opened[1].dialogue.abort()
