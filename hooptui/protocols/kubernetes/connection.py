"""One client's connection: request after request, each handed to the session of whoever it is from. Knows no listener.

Who it is says each request by its bearer token, and nothing else does: no client certificate, no password, no token in a query. A
session is opened when a credential is first seen on the connection, and kept for the requests that follow.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from hooptui.core.gate import LoginRefused
from hooptui.core.secret import Secret
from hooptui.credentials.custody import Custody
from hooptui.protocols.base import Bearer, Doorman
from hooptui.protocols.kubernetes import replies, wire
from hooptui.protocols.kubernetes.channel import KubernetesChannel
from hooptui.protocols.kubernetes.entrance import Entrances
from hooptui.protocols.kubernetes.exchange import Exchange
from hooptui.protocols.kubernetes.http import Answer, Http
from hooptui.protocols.kubernetes.limits import Limits
from hooptui.protocols.kubernetes.link import Link
from hooptui.protocols.kubernetes.operations import PROTOCOL
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.streams.stream import Stream
from hooptui.protocols.kubernetes.upstream import Upstream
from hooptui.protocols.kubernetes.wire import Malformed

NOBODY: Final = frozenset({"no-access", "unknown-target"})
"""Who they are is known, and they may not."""
NOT_NOW: Final = frozenset({"draining", "unrecorded"})

LOG_IN: Final = "no credential: send an OIDC token or a hooptui lease as `Authorization: Bearer …` (`hooptui login --install kube` sets it up)"


class Connection:
    """See the module. One for each accepted connection."""

    def __init__(
        self,
        plug: Plug,
        doorman: Doorman,
        upstreams: Mapping[str, Upstream],
        limits: Limits,
        custody: Custody | None,
        mask_key: bytes,
        entrances: Entrances,
        peer: str,
        cluster: str,
        proved: Callable[[], None],
    ) -> None:
        """`cluster` is what TLS asked for, empty when the path says it; `proved` is called once somebody is known."""
        self._plug = plug
        self._doorman = doorman
        self._upstreams = upstreams
        self._limits = limits
        self._custody = custody
        self._mask_key = mask_key
        self._entrances = entrances
        self._peer = peer
        self._cluster = cluster
        self._proved = proved
        self._http = Http(plug, limits)
        self._links: OrderedDict[tuple[bytes, str], Link] = OrderedDict()
        self._leaving = ""

    async def serve(self) -> None:
        """Until the client is done, or something is wrong with it."""
        try:
            while not self._leaving and await self._next():
                pass
        except ConnectionError:
            # It is gone, or takes nothing: nobody to tell.
            self._plug.abort()

    def leave(self) -> None:
        """The connection is over: so are its sessions."""
        while self._links:
            _, link = self._links.popitem()
            link.left(self._leaving or "the client has left")

    # --- one request

    async def _next(self) -> bool:
        """Whether another may follow."""
        answer = Answer(self._plug, self._limits)
        target = ""
        try:
            # Whoever has not said yet who it is takes the place of others.
            raw = await self._http.head(self._limits.idle if self._links else self._limits.head)
            if raw is None:
                return False
            method, line, headers = wire.split_head(raw)
            head = wire.read_head(method, line, headers, by_path=not self._cluster)
            target = head.cluster or self._cluster
            answer = Answer(self._plug, self._limits, head_only=head.request.method == "HEAD")
            answer.close = any(
                name.lower() == b"connection" and b"close" in value.lower().split(b",") for name, value in headers
            )
            if head.bearer is None:
                raise Malformed(401, LOG_IN)
            link = await self._link(head.bearer, target, head.request)
            body = await self._http.body(head.request, raw, headers) if head.request.has_body else b""
        except Malformed as wrong:
            code = "no-credential" if wrong.status == 401 else "malformed"
            self._doorman.refused(code, wrong.reason, protocol=PROTOCOL, target=target, peer=self._peer)
            return await self._turned_away(answer, wrong.status, wrong.reason)
        except LoginRefused as no:
            status = 403 if no.code in NOBODY else 503 if no.code in NOT_NOW else 401
            words = f"{no.message}. {no.hint[:1].upper()}{no.hint[1:]}" if no.hint else no.message
            return await self._turned_away(answer, status, words)
        prefix = f"/clusters/{head.cluster}" if head.cluster else ""
        if head.request.upgrade:
            stream = Stream(link, head.request, answer, self._plug)
            await self._run(link, stream)
            return False
        await self._run(link, Exchange(link, head.request, body, answer, prefix))
        if answer.unfinished:
            self._plug.abort()
        return not answer.close

    async def _run(self, link: Link, work: Exchange | Stream) -> None:
        link.running = work
        try:
            await work.run()
        finally:
            link.running = None

    async def _turned_away(self, answer: Answer, status: int, words: str) -> bool:
        """Nothing that follows on the connection can be trusted to begin where it seems to."""
        answer.close = True
        challenge = (("WWW-Authenticate", 'Bearer realm="hooptui"'),) if status == 401 else ()
        answer.status(status, replies.status(status, words), challenge)
        await answer.flush()
        return False

    async def _link(self, bearer: Secret, target: str, request: Request) -> Link:
        """The session of this credential on this connection.

        Raises:
            LoginRefused: there is none; the doorman has journaled it.
        """
        key = (hashlib.sha256(bearer.reveal().encode()).digest(), target)
        found = self._links.get(key)
        if found is not None:
            self._links.move_to_end(key)
            return found
        session = await self._doorman.admit(
            Bearer(bearer), target, protocol=PROTOCOL, peer=self._peer, application=request.header("user-agent")[:256]
        )
        self._proved()
        upstream = self._upstreams.get(target)
        if upstream is None:
            self._doorman.left(session, "the target is not served")
            raise LoginRefused("unknown-target", "the target is not served")
        while len(self._links) >= self._limits.sessions:
            _, oldest = self._links.popitem(last=False)
            oldest.left("its client came with other credentials")
        link = Link(session, upstream, self._doorman, self._limits, self._custody, self._mask_key, self._entrances)

        def hang_up() -> None:
            self._leaving = link.closing
            self._plug.close()

        def part() -> None:
            if self._links.pop(key, None) is not None:
                link.left(link.closing)

        session.channel = KubernetesChannel(link, session.house.clock, hang_up, part)
        self._links[key] = link
        return link
