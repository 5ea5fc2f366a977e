"""One exec, attach or port-forward from its request to its end: held on an open stream, so that one request is one approval.

A client that is not answered 101 asks a second time in another way. So a stream that waits, or may not be, is opened at once; what
there is to say goes out on its stderr, and a refusal as the failure that ends it. Knows no policy and no listener.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from hooptui.core.approvals import Approval
from hooptui.core.gate import CannotRecord, Refused
from hooptui.protocols.kubernetes import operations, replies
from hooptui.protocols.kubernetes.actions import flag
from hooptui.protocols.kubernetes.http import Answer
from hooptui.protocols.kubernetes.info import request_info
from hooptui.protocols.kubernetes.link import Link
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.streams import handshake, websocket
from hooptui.protocols.kubernetes.streams.command import Command, failure
from hooptui.protocols.kubernetes.streams.handshake import Kind
from hooptui.protocols.kubernetes.streams.legs import ERROR, RESIZE, STDERR, STDIN, STDOUT, Leg, SpdyLeg, WebSocketLeg
from hooptui.protocols.kubernetes.streams.tunnel import Tunnel, refuse
from hooptui.protocols.kubernetes.tally import Tally
from hooptui.protocols.kubernetes.upstream import NoUpgrade, Upgraded, UpstreamFailed, cut

OPENED: Final = 30.0
"""Seconds in which a client must have opened the streams of its command, as an API server has it."""
TOLD: Final = 0.4
"""Seconds that a client has for it when all that is left is to tell it why it ends."""
SEEN: Final = 0.3
"""Seconds in which a connection that was cut must be seen to be closed."""


class Stream:
    """See the module. Implements `link.Running`."""

    def __init__(self, link: Link, request: Request, answer: Answer, plug: Plug) -> None:
        self._link = link
        self._request = request
        self._answer = answer
        self._plug = plug
        self._info = request_info(request)
        self._ports = self._info.subresource == "portforward"
        self._task: asyncio.Task[object] | None = None
        self._cut = ""
        self._asking = False
        self._leg: Leg | None = None
        """The client's side of a remote command, once it is open."""
        self._open = False
        """The client was answered 101."""
        self._protocol = ""
        self._upstream: Plug | None = None
        self._closed = True
        self._over = asyncio.Event()

    # --- Running

    @property
    def upstream(self) -> bool:
        return self._upstream is not None

    @property
    def asked(self) -> tuple[Request, bytes]:
        return self._request, b""

    @property
    def unseen(self) -> str:
        running = self._upstream is not None and self._info.subresource == "exec"
        return "whether the process ended with it" if running else ""

    def cut(self, message: str) -> None:
        if self._over.is_set() or self._cut:
            return
        self._cut = message
        if not self._asking and self._task is not None:
            self._task.cancel()

    async def ended(self) -> bool:
        await self._over.wait()
        return self._closed

    # --- its life

    async def run(self) -> None:
        """To its end.

        Raises:
            ConnectionError: the client is gone.
        """
        self._task = asyncio.current_task()
        self._answer.close = True
        try:
            await self._whole()
        except asyncio.CancelledError:
            if not self._cut or self._task is None:
                raise
            self._task.uncancel()
            self._plug.gone = None
            await self._refuse(403, self._cut)
        finally:
            # From here on it makes no difference that the client leaves too.
            self._plug.gone = None
            try:
                if self._upstream is not None:
                    self._closed = await cut(self._upstream, SEEN)
                if self._leg is not None:
                    await self._leg.end()
            finally:
                self._over.set()

    async def _whole(self) -> None:
        request = self._request
        offers = handshake.known(request, ports=self._ports)
        if not offers:
            self._answer.status(
                400, replies.status(400, "none of the stream protocols that the client offers is spoken here")
            )
            return
        operation = operations.read(request, b"")
        self._asking = True
        try:
            number = (await self._link.permit(operation, self._tell)).number
        except Refused as refused:
            await self._refuse(replies.refused_code(refused), replies.refused_words(refused))
            return
        finally:
            self._asking = False
        tally = Tally(self._link.session, number)
        try:
            upgraded = await self._dialled(offers)
            await self._carried(upgraded, tally)
        except UpstreamFailed as no:
            tally.settle(no.code, ok=False)
            self._link.trouble(no.code, no.message)
            words = f'cluster "{self._link.name}": {no.public}; hooptui is up, its operator has been told'
            await self._refuse(no.status, words)
        except _Refuses as no:
            tally.settle(f"{no.answer.code} {no.answer.reason}", ok=False)
            await self._pass_on(no.answer)
        except CannotRecord as broken:
            tally.settle("unrecorded", ok=False)
            self._link.trouble("unrecorded", f"a stream was stopped, for it cannot be recorded: {broken}")
            await self._refuse(503, "hooptui cannot record this stream, so it ends here")
        finally:
            tally.settle("cut", ok=False)

    # --- the client

    def _tell(self, approval: Approval, remaining: float) -> None:
        """On an open stream: its stderr, or on a terminal, which has none, its output."""
        self._welcome("")
        if self._leg is None:
            return
        terminal = flag(self._request, "tty")
        channel = STDERR if flag(self._request, "stderr") and not terminal else STDOUT
        if channel == STDERR or flag(self._request, "stdout"):
            self._leg.send(channel, replies.lines(replies.held(approval, remaining), terminal=terminal))

    def _welcome(self, protocol: str) -> None:
        """Open the client's side, once; `protocol` is what the API server chose, when it was asked first."""
        if self._open:
            return
        kind = self._kind
        offers = handshake.known(self._request, ports=self._ports)
        self._protocol = protocol if protocol in offers else offers[0]
        self._open = True
        self._plug.write(handshake.answer(kind, self._request.key, self._protocol))
        if not self._ports:
            self._leg = self._leg_on(self._plug, kind, self._protocol, client=True)
            self._leg.begin()

    @property
    def _kind(self) -> Kind:
        kind = self._request.upgrade
        assert kind
        return kind

    def _leg_on(self, plug: Plug, kind: Kind, protocol: str, *, client: bool) -> Leg:
        limits = self._link.limits
        if kind == "websocket":
            return WebSocketLeg(plug, limits, client=client, closes=protocol == handshake.V5)
        return SpdyLeg(plug, limits, client=client, channels=() if client else self._channels())

    def _channels(self) -> list[int]:
        request, terminal = self._request, flag(self._request, "tty")
        wanted = [ERROR]
        wanted += [channel for channel, name in ((STDIN, "stdin"), (STDOUT, "stdout")) if flag(request, name)]
        wanted += [STDERR] if flag(request, "stderr") and not terminal else []
        return [*wanted, RESIZE] if terminal else wanted

    async def _refuse(self, code: int, words: str) -> None:
        """It will not be, or goes on no more. A command's client is told on its stream; a port-forward's has no place to be told on
        but the answer to its request."""
        body = replies.status(code, words)
        if self._ports:
            if self._open:
                self._plug.write(refuse(self._kind, self._protocol, bytes(self._plug.buffer), words))
            else:
                self._answer.status(code, body)
            return
        self._welcome("")
        if self._leg is not None:
            # One that opens its streams one by one would not understand an end before the last.
            await self._leg.ready(self._channels(), TOLD if self._cut else OPENED)
            self._leg.send(ERROR, failure(code, words))
            self._leg.finish(ERROR)
            self._leg.part()

    async def _pass_on(self, answer: NoUpgrade) -> None:
        """The API server will not: in its own words, where the client can still be told so."""
        text = str(self._link.session.masker.text(answer.body.decode("utf-8", "replace")))
        if self._open:
            await self._refuse(answer.code, _message(text) or f"the API server refuses: {answer.code} {answer.reason}")
            return
        body = text.encode()
        self._answer.start(answer.code, answer.reason, (("Content-Type", answer.content_type),), len(body))
        self._answer.data(body)
        self._answer.end()

    # --- the API server

    async def _dialled(self, offers: tuple[str, ...]) -> Upgraded:
        """Raises:
        UpstreamFailed: the API server cannot be used.
        _Refuses: it will not.
        """
        access, credential = await self._link.credential()
        kind = self._kind
        said = [(name, value) for name, value in self._request.headers if name in ("user-agent", "accept")]
        key = websocket.new_key()
        asked = [self._protocol] if self._open else [*offers]
        headers = [*said, *credential, *handshake.question(kind, key, asked)]
        found = await self._link.upstream.upgrade(access, self._request, headers)
        if isinstance(found, NoUpgrade):
            if found.code == 401:
                words = f"it refuses the gateway's credential: {found.body[:512].decode('utf-8', 'replace')}"
                raise UpstreamFailed("upstream-credential", words, "it refuses the gateway")
            raise _Refuses(found)
        self._upstream, self._closed = found.plug, False
        if found.protocol not in asked or (kind == "websocket" and found.accept != websocket.accept(key)):
            words = "it opened a stream of another protocol than it was asked for"
            raise UpstreamFailed("upstream-protocol", words, "its API server makes no sense")
        return found

    async def _carried(self, upgraded: Upgraded, tally: Tally) -> None:
        """Raises:
        UpstreamFailed, CannotRecord: it cannot go on.
        """
        self._welcome(upgraded.protocol)
        if self._leg is None:
            tunnel = Tunnel(self._plug, upgraded.plug, self._link.session, self._link.limits)
            try:
                await tunnel.run()
            finally:
                tally.settle(tunnel.tag, ok=not self._cut)
            return
        if not await self._leg.ready(self._channels(), OPENED):
            tally.settle("the client opened no streams", ok=False)
            return
        target = self._leg_on(upgraded.plug, self._kind, upgraded.protocol, client=False)
        command = Command(self._link, self._request, self._leg, target, tally)
        try:
            await command.run()
        finally:
            command.close()
            await target.end()


class _Refuses(Exception):
    def __init__(self, answer: NoUpgrade) -> None:
        super().__init__(answer.code)
        self.answer = answer


def _message(text: str) -> str:
    """The words of a Status document; empty when it is none."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return ""
    said = found.get("message") if isinstance(found, dict) else None
    return said if isinstance(said, str) else ""
