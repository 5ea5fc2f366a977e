"""Between the two transports of one session: what the client sends goes on only as `requests` says, what the server answers
is shown only as `results` says. Knows no handshake, no listener and no policy.

Both directions run in the loop's own callbacks, without a task, unless something has to be waited for. Back-pressure is
each direction's own: a client that does not read stops the reading from the server, never the reading from the client, for a
pipeline sends without reading.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Protocol

from hooptui.core.gate import CannotRecord
from hooptui.core.session import Session
from hooptui.protocols.postgres import build, replies
from hooptui.protocols.postgres.layers import Lineage
from hooptui.protocols.postgres.limits import Limits
from hooptui.protocols.postgres.names import TooMuch
from hooptui.protocols.postgres.pipeline import Pipeline
from hooptui.protocols.postgres.requests import Requests
from hooptui.protocols.postgres.results import Answers, Origin
from hooptui.protocols.postgres.settings import Settings
from hooptui.protocols.postgres.valve import Stop, Valve
from hooptui.protocols.postgres.watch import Watch
from hooptui.protocols.postgres.wire import Framer, ProtocolViolation, Run, RunFramer

LAST_WORDS = 1.0
"""Seconds in which a client may take the last words before its connection is cut."""


class Sources(Protocol):
    """Where a result's columns come from; `catalogue` has it."""

    async def lineage(self, keys: Collection[Origin], /) -> Mapping[Origin, Lineage]:
        """Every true name of these columns (table OID, attribute number)."""


class Relay:
    """One session's two directions."""

    def __init__(
        self,
        session: Session,
        parameters: Mapping[bytes, bytes],
        sources: Sources,
        limits: Limits,
        *,
        status: bytes = b"I",
        trouble: Callable[[str, str], None],
    ) -> None:
        """`parameters` are the settings the server has reported; `trouble` takes a code and words for the operator."""
        self.session = session
        self.pipeline = Pipeline(status)
        settings = Settings(parameters)
        self.requests = Requests(session, self.pipeline, settings, self._tell, self._go_on)
        self.answers = Answers(session, self.pipeline, settings)
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why it ended; done when the client is gone."""
        self._gone = asyncio.Event()
        self.frozen = False
        """The session is being ended: nothing moves in either direction any more."""
        self.client: asyncio.Transport | None = None
        self.server: asyncio.Transport | None = None
        self._client_valve: Valve | None = None
        self._server_valve: Valve | None = None
        self._client_framer = Framer(limits.message)
        self._server_framer = RunFramer(limits.row)
        self._inbox: deque[Run] = deque()
        self._sources = sources
        self._limits = limits
        self._trouble = trouble
        self._looking: asyncio.Task[Mapping[Origin, Lineage]] | None = None
        self._watch = Watch(self._unread_client)
        self._end_timer: asyncio.TimerHandle | None = None
        self._reason = ""
        self._idle: asyncio.Future[None] | None = None
        """Done when the server has answered everything; there while somebody waits for that."""

    # --- the client's side

    def client_made(self, transport: asyncio.Transport) -> None:
        self.client = transport
        self._client_valve = Valve(transport)

    def client_data(self, data: bytes) -> None:
        if self.frozen:
            return
        self.session.counters.bytes_in += len(data)
        try:
            self.requests.feed(self._client_framer.feed(data))
        except ProtocolViolation as violation:
            self.requests.feed(violation.frames)
            self._pump_requests()
            self._violated(str(violation))
            return
        self._pump_requests()

    def client_lost(self, _error: Exception | None) -> None:
        self.client = None
        self._client_valve = None
        self._leave("the client closed the connection")

    def client_writable(self, yes: bool) -> None:
        """Back-pressure from the client stops the server, and nothing else."""
        if self._server_valve is not None:
            (self._server_valve.go if yes else self._server_valve.stop)(Stop.PEER)

    def _unread_client(self) -> asyncio.Transport | None:
        """The client's transport while nothing is read from it."""
        valve = self._client_valve
        return self.client if valve is not None and valve.shut and not self.frozen else None

    # --- the server's side

    def server_made(self, transport: asyncio.Transport) -> None:
        self.server = transport
        self._server_valve = Valve(transport)

    def server_data(self, data: bytes) -> None:
        if self.frozen:
            return
        try:
            self._inbox.extend(self._server_framer.feed(data))
        except ProtocolViolation as violation:
            self._inbox.extend(violation.runs)
            self._pump_answers()
            self._misbehaved(str(violation))
            return
        self._pump_answers()

    def server_lost(self, error: Exception | None) -> None:
        self.server = None
        self._server_valve = None
        if not self.frozen and self.client is not None:
            said = self.answers.ended
            words = said or (f"the connection to the server was lost ({type(error).__name__})" if error else "")
            reason = words or "the server closed the connection"
            self._trouble("lost", reason)
            self.finish(reason, b"" if said else replies.upstream_lost(self.session.target.name))
        self._ended()

    def server_writable(self, yes: bool) -> None:
        """Back-pressure from the server stops the client."""
        if self._client_valve is not None:
            if yes:
                self._client_valve.go(Stop.PEER)
            else:
                self._client_valve.stop(Stop.PEER)
                self._watch.start()

    # --- both directions

    def _pump_requests(self) -> None:
        if self.frozen:
            return
        requests = self.requests
        try:
            requests.pump()
        except (ProtocolViolation, TooMuch) as violation:
            self._write_up()
            self._violated(str(violation))
            return
        except CannotRecord:
            self._unrecorded()
            return
        self._write_up()
        if requests.goodbye:
            self._leave("the client ended the session")
            return
        valve = self._client_valve
        if valve is None:
            return
        if requests.waiting and requests.waiting + self._client_framer.pending > self._limits.ahead:
            valve.stop(Stop.AHEAD)
            self._watch.start()
        elif valve.shut:
            valve.go(Stop.AHEAD)

    def _pump_answers(self) -> None:
        answers = self.answers
        try:
            broken = self._take_answers()
            running = self.pipeline.queue[0].running if self.pipeline.queue else None
            if running is not None:
                # On record before it is on its way.
                running.flush()
        except CannotRecord:
            answers.shown.clear()
            self._unrecorded()
            return
        self._write_down()
        if broken:
            self._misbehaved(broken)
            return
        if self._idle is not None and not self.pipeline.queue:
            self._rest()
        if self.pipeline.skipping and self.requests.asking:
            # The server skips what is being asked about, so there is nothing left to decide.
            self.requests.withdraw()
        if self.requests.waiting or self.requests.blocked:
            self._pump_requests()

    def _take_answers(self) -> str:
        """Take what has come, as far as it can be; what the server did wrong, if it did.

        Raises:
            CannotRecord: nothing that was taken may be shown.
        """
        inbox, answers = self._inbox, self.answers
        try:
            while inbox and self._looking is None:
                kind, raw, count = inbox[0]
                wanted = answers.take(kind, raw, count)
                if wanted is None:
                    inbox.popleft()
                else:
                    self._look_up(wanted)
        except ProtocolViolation as violation:
            return str(violation)
        return ""

    def _look_up(self, wanted: frozenset[Origin]) -> None:
        """Ask the catalogue; nothing more of the server's is taken until it has answered."""
        self._looking = asyncio.get_running_loop().create_task(self._find(wanted))
        self._looking.add_done_callback(self._looked_up)
        if self._server_valve is not None:
            self._server_valve.stop(Stop.LOOKING)

    async def _find(self, wanted: frozenset[Origin]) -> Mapping[Origin, Lineage]:
        return await self._sources.lineage(wanted)

    def _looked_up(self, task: asyncio.Task[Mapping[Origin, Lineage]]) -> None:
        self._looking = None
        if self.frozen or task.cancelled():
            return
        fault = task.exception()
        if fault is not None:
            self._trouble("catalogue", f"the columns of a result could not be looked up: {fault}")
            self._abandon("hooptui cannot look up the columns of this result, so it may not be shown")
            return
        self.answers.tell(task.result())
        if self._server_valve is not None:
            self._server_valve.go(Stop.LOOKING)
        self._pump_answers()

    def _write_up(self) -> None:
        upward = self.requests.upward
        if upward:
            if self.server is not None:
                self.server.write(upward[0] if len(upward) == 1 else b"".join(upward))
            upward.clear()

    def _write_down(self) -> None:
        shown = self.answers.shown
        if shown:
            if self.client is not None:
                data = shown[0] if len(shown) == 1 else b"".join(shown)
                self.session.counters.bytes_out += len(data)
                self.client.write(data)
            shown.clear()

    def _tell(self, message: bytes) -> None:
        """Something the gateway says between two messages of the server's."""
        if self.client is not None and not self.frozen:
            self.session.counters.bytes_out += len(message)
            self.client.write(message)

    def _go_on(self) -> None:
        self._pump_requests()

    # --- cancelling

    def withdraw_or_cancel(self) -> bool:
        """The client wants to stop what it asked for. Whether the server has to be asked: hold back, then `cancelled`."""
        self.requests.withdraw()
        if self.frozen or not self.pipeline.queue:
            return False
        self.requests.held_back += 1
        return True

    def cancelled(self) -> None:
        """The server has taken note of the cancel request: what comes next cannot be hit by it."""
        self.requests.held_back -= 1
        self._pump_requests()

    # --- the end

    @property
    def busy(self) -> bool:
        """The server works on something."""
        return bool(self.pipeline.queue)

    async def idle(self, within: float) -> bool:
        """Wait until the server has answered everything; whether it did in time."""
        if not self.busy or self.server is None:
            return True
        self._idle = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within):
                await self._idle
        except TimeoutError:
            return False
        finally:
            self._idle = None
        return True

    def _rest(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def freeze(self) -> None:
        """Stop both directions for good."""
        if self.frozen:
            return
        self.frozen = True
        self.requests.close()
        if self._looking is not None:
            self._looking.cancel()
        for valve in (self._client_valve, self._server_valve):
            if valve is not None:
                valve.stop(Stop.FROZEN)

    def finish(self, reason: str, last: bytes = b"") -> None:
        """Say `last` to the client and close both connections; a client that does not read is cut off."""
        self.freeze()
        self._reason = self._reason or reason
        self._give_up()
        if self.server is not None:
            if not self.pipeline.copying and not self.busy:
                self.server.write(build.TERMINATE)
                self.server.close()
            else:
                self.server.abort()
        if self.client is not None and not self.client.is_closing():
            if last:
                self.client.write(last)
            if self._client_valve is not None:
                # What still comes is dropped; a paused TLS transport would not get to see the other side's farewell.
                self._client_valve.open()
            self.client.close()
        if self._end_timer is None and (self.client is not None or self.server is not None):
            self._end_timer = asyncio.get_running_loop().call_later(LAST_WORDS, self._cut)
        self._ended()

    async def closed(self) -> None:
        """Wait until both connections are gone; a caller that is cancelled meanwhile cuts them first."""
        try:
            await self._gone.wait()
        except asyncio.CancelledError:
            self._cut()
            await self._gone.wait()
            raise

    def _cut(self) -> None:
        for transport in (self.client, self.server):
            if transport is not None:
                transport.abort()

    def _leave(self, reason: str) -> None:
        """The client is gone or going: what it left behind may finish for a moment, see `over`."""
        if self._reason:
            self._ended()
            return
        self._reason = reason
        self.requests.close()
        self._watch.stop()
        if self.client is not None:
            self.client.close()
        if self._server_valve is not None:
            # What is still to be answered is read, recorded, and shown to nobody.
            self._server_valve.go(Stop.PEER)
        self._ended()

    def _ended(self) -> None:
        """One of the two connections is gone, or both are."""
        if self.client is None:
            self._watch.stop()
            if not self.over.done():
                self.over.set_result(self._reason)
        if self.server is None:
            self._rest()
            self._give_up()
        if self.client is None and self.server is None:
            self._gone.set()
            if self._end_timer is not None:
                self._end_timer.cancel()

    def _give_up(self) -> None:
        """What has not been answered by now never will be."""
        for one in self.pipeline.queue:
            if one.running is not None:
                # Whatever could not be recorded is not shown either, any more.
                with suppress(CannotRecord):
                    one.running.finish(self.answers.ended or self._reason or "the connection was closed")

    def _violated(self, words: str) -> None:
        """The client broke the protocol."""
        if not self.frozen:
            self.finish(f"protocol violation by the client: {words}", replies.violation(words))

    def _misbehaved(self, words: str) -> None:
        """The server did what cannot be understood, so nothing more of it may be shown."""
        if not self.frozen:
            self._trouble("protocol", words)
            self._abandon(f"the target's side cannot be understood: {words}")

    def _unrecorded(self) -> None:
        self._abandon("hooptui cannot record this session, so it may not go on")

    def _abandon(self, words: str) -> None:
        if not self.frozen:
            self.finish(words, build.error(replies.CONNECTION_FAILURE, words, severity="FATAL"))
