"""The client's messages on their way to the server: read in order, asked about, forwarded, refused, or held back.

One operation is asked about at a time; what the client sent behind it waits here. Moves no bytes: `upward` collects what is
to be written. `_forward` is the only place where a Query or an Execute of the client's goes up, and it spends a permit.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from hooptui.core.approvals import Approval
from hooptui.core.gate import Permit, Refused, Why
from hooptui.core.session import Session
from hooptui.protocols.postgres import build, replies
from hooptui.protocols.postgres.facts_model import CopyShape
from hooptui.protocols.postgres.operations import COPY_DATA, COPY_DONE, COPY_FAIL, Reader
from hooptui.protocols.postgres.pipeline import (
    CLOSE,
    DESCRIBE,
    EXECUTE,
    PARSE,
    QUERY,
    SYNC,
    Expected,
    Inquiry,
    Pipeline,
)
from hooptui.protocols.postgres.rows import Layout
from hooptui.protocols.postgres.running import Running
from hooptui.protocols.postgres.settings import Settings
from hooptui.protocols.postgres.stepping import step
from hooptui.protocols.postgres.steps import Ask, Drop, Goodbye, Pass, StandIn, Wait
from hooptui.protocols.postgres.wire import HEADER, Frame

_SAFE_ENCODINGS = frozenset({"", "utf8", "utf-8", "unicode", "sql_ascii", "latin1"})


@dataclass(frozen=True, slots=True)
class _Inquired:
    """A permitted COPY that waits for the names of its columns."""

    ask: Ask
    raw: bytes
    permit: Permit
    inquiry: Inquiry


class Requests:
    """One client's side of one session."""

    def __init__(
        self,
        session: Session,
        pipeline: Pipeline,
        settings: Settings,
        tell: Callable[[bytes], None],
        wake: Callable[[], None],
    ) -> None:
        """`tell` sends the client a message at once; `wake` is called when a verdict has come, and should call `pump`."""
        self.upward: list[bytes] = []
        """What the server is to be sent."""
        self.waiting = 0
        """Bytes of the client's that wait here."""
        self.goodbye = False
        """The client has ended the session; nothing behind that is read."""
        self.held_back = 0
        """Cancel requests under way: what they are meant for is running, so nothing else may start."""
        self._session = session
        self._pipeline = pipeline
        self._settings = settings
        self._reader = Reader(pipeline, settings)
        self._tell = tell
        self._wake = wake
        self._inbox: deque[Frame] = deque()
        self._until: Callable[[], bool] | None = None
        self._asking: asyncio.Task[Permit] | None = None
        self._inquired: _Inquired | None = None
        self._token = secrets.token_hex(8)
        self._stand_ins = 0
        self._over = False

    @property
    def blocked(self) -> bool:
        """Something that the server has to say first holds the next message back."""
        return self._until is not None

    @property
    def asking(self) -> bool:
        """An operation waits for its verdict."""
        return self._asking is not None

    def feed(self, frames: Iterable[Frame]) -> None:
        """Whole messages have come."""
        inbox, waiting = self._inbox, self.waiting
        for frame in frames:
            inbox.append(frame)
            waiting += len(frame[1])
        self.waiting = waiting

    def pump(self) -> None:
        """Go on as far as possible.

        Raises:
            ProtocolViolation: the client broke the protocol.
            TooMuch: it makes the gateway remember more than it may.
            CannotRecord: what it copies in could not be recorded.
        """
        # No method is kept in a name of its own: compiled, that would be a call by way of the interpreter.
        inbox, reader = self._inbox, self._reader
        while not self._stalled() and inbox and not self.goodbye:
            kind, raw = inbox[0]
            one = reader.read(kind, raw)
            if isinstance(one, Wait):
                if one.flush:
                    self.upward.append(build.FLUSH)
                self._until = one.until
                continue
            inbox.popleft()
            self.waiting -= len(raw)
            match one:
                case Pass():
                    self._pass(kind, raw, one.expected)
                case Ask():
                    self._ask(one, raw)
                case StandIn():
                    self._stand_in(one.error, simple=False)
                case Drop():
                    pass
                case Goodbye():
                    self.goodbye = True

    def withdraw(self) -> bool:
        """The client takes back the operation that waits; whether there was one."""
        if self._asking is None:
            return False
        if self._session.held:
            self._session.withdraw()
        else:
            # It waits for something else than people: a frozen session, or the journal's disk.
            self._asking.cancel()
        return True

    def close(self) -> None:
        """The session is over: nothing goes up any more, and what waits is withdrawn."""
        self._over = True
        self.withdraw()
        self._inbox.clear()
        self.waiting = 0

    # --- inside

    def _stalled(self) -> bool:
        if self._asking is not None or self.held_back or self._over:
            return True
        while (until := self._until) is not None:
            if not until():
                return True
            self._until = None
            if self._inquired is not None:
                self._answered_inquiry()
        return False

    def _pass(self, kind: int, raw: bytes, expected: Expected | None) -> None:
        self.upward.append(raw)
        if expected is not None:
            self._pipeline.expect(expected)
        elif kind in (COPY_DATA, COPY_DONE, COPY_FAIL):
            self._copied(kind, raw)

    def _copied(self, kind: int, raw: bytes) -> None:
        pipeline = self._pipeline
        head = pipeline.queue[0]
        if kind == COPY_DATA:
            if head.running is not None:
                if head.running.room:
                    head.running.output("copy-in", self._settings.show(raw[HEADER:]), len(raw))
                else:
                    head.running.leave_out(1, len(raw))
            return
        pipeline.copying = 0
        if head.kind == QUERY:
            # The batch may go on with another copy; until the server has said so, nothing can be told apart.
            self._until = lambda: bool(pipeline.copying) or head.over

    # --- the one question

    def _ask(self, ask: Ask, raw: bytes) -> None:
        try:
            permit = self._session.ask_at_once(ask.operation)
            outcome = permit if permit is not None else step(self._session.ask(ask.operation, self._held))
        except Refused as refused:
            self._refuse(ask, refused)
            return
        except Exception as fault:  # noqa: BLE001 - whatever went wrong in asking, the answer is no
            self._refuse(ask, _failed(fault))
            return
        if isinstance(outcome, Permit):
            self._permitted(ask, raw, outcome)
            return
        self._asking = asyncio.get_running_loop().create_task(outcome)
        self._asking.add_done_callback(partial(self._verdict, ask, raw))
        if self._pipeline.open and self._pipeline.queue:
            # What was sent before goes on, and its answers are not to wait for the verdict.
            self.upward.append(build.FLUSH)

    def _held(self, approval: Approval, remaining: float) -> None:
        self._tell(replies.held(approval, remaining))

    def _verdict(self, ask: Ask, raw: bytes, task: asyncio.Task[Permit]) -> None:
        self._asking = None
        if task.cancelled():
            self._refuse(ask, Refused(Why.WITHDRAWN, "withdrawn by the client before it ran"))
        else:
            fault = task.exception()
            if fault is None:
                self._permitted(ask, raw, task.result())
            else:
                self._refuse(ask, fault if isinstance(fault, Refused) else _failed(fault))
        self._wake()

    def _permitted(self, ask: Ask, raw: bytes, permit: Permit) -> None:
        if self._over or (self._pipeline.skipping and not ask.simple):
            # Its segment has failed in the meantime, or nobody is there any more: the server never gets to see it.
            words = "the session ended before it was sent" if self._over else "skipped after an error"
            Running(self._session, permit.number).finish(words)
            return
        if ask.copies and self._session.masker.masks and any(_streams_out(copy) for copy in ask.copies):
            self._inquire(ask, raw, permit)
        else:
            self._forward(ask, raw, permit)

    def _forward(self, ask: Ask, raw: bytes, permit: Permit, layout: Layout | None = None) -> None:
        """Send one operation up."""
        permit.use()
        session, pipeline, portal = self._session, self._pipeline, ask.portal
        running = Running(session, permit.number)
        changes = None
        try:
            if ask.changes is not None:
                changes = ask.changes(pipeline.segment)
        except BaseException:
            running.finish("not sent: the session keeps too much")
            raise
        if portal is not None and (not portal.described or (ask.named and portal.segment != pipeline.segment)):
            # Nobody has asked what its rows look like, or SQL may have put another portal under its name since.
            portal.described = True
            pipeline.expect(Expected(DESCRIBE, pipeline.segment, hidden=True, portal=portal))
            self.upward.append(build.describe(ask.name, portal=True))
        expected = Expected(
            QUERY if ask.simple else EXECUTE,
            pipeline.segment,
            running=running,
            portal=portal,
            copies=ask.copies,
            layout=layout,
            changes=changes,
        )
        if ask.may_set:
            pipeline.setting_segment = pipeline.segment
        if ask.begins is not None:
            pipeline.begun = ask.begins
        pipeline.expect(expected)
        self.upward.append(raw)
        if ask.copies and any(copy.direction == "from" and not copy.file and not copy.program for copy in ask.copies):
            # Whether what follows is data hangs on the server's answer.
            self._until = lambda: bool(pipeline.copying) or expected.over

    def _refuse(self, ask: Ask, refused: Refused) -> None:
        if self._over or (self._pipeline.skipping and not ask.simple):
            return
        self._stand_in(replies.refused(refused, ask.operation), simple=ask.simple, number=refused.number)

    def _stand_in(self, error: bytes, *, simple: bool, number: int = 0) -> None:
        """Let the server fail in the place of what was refused: order, skipping and transaction state stay its own."""
        pipeline = self._pipeline
        self._stand_ins += 1
        self.upward.append(replies.stand_in(self._stand_ins, self._token))
        pipeline.expect(Expected(EXECUTE, pipeline.segment, refusal=error, number=number))
        if simple:
            self.upward.append(build.SYNC)
            pipeline.expect(Expected(SYNC, pipeline.segment))

    # --- the columns of a COPY

    def _inquire(self, ask: Ask, raw: bytes, permit: Permit) -> None:
        """Ask the server for the columns, on the same connection and in the same transaction, before the COPY goes."""
        reason = self._unreadable(ask)
        if reason:
            Running(self._session, permit.number).finish(f"refused: {reason}")
            self._stand_in(replies.copy_unreadable(reason), simple=ask.simple, number=permit.number)
            return
        pipeline = self._pipeline
        inquiry = Inquiry(apart=ask.simple)
        name = f"hooptui columns {self._token}".encode()
        text = ask.copies[0].select.encode(self._settings.codec)
        self.upward += [build.parse(name, text), build.describe(name), build.close(name)]
        for kind in (PARSE, DESCRIBE, CLOSE):
            pipeline.expect(Expected(kind, pipeline.segment, hidden=True, inquiry=inquiry))
        if ask.simple:
            self.upward.append(build.SYNC)
            pipeline.expect(Expected(SYNC, pipeline.segment, hidden=True, inquiry=inquiry))
        else:
            self.upward.append(build.FLUSH)
        self._inquired = _Inquired(ask, raw, permit, inquiry)
        self._until = lambda: inquiry.done

    def _unreadable(self, ask: Ask) -> str:
        if len(ask.copies) != 1 or ask.operation.facts.statements != 1:
            return "it is one of several statements"
        if self._settings.splits_bytes or ask.copies[0].encoding.lower() not in _SAFE_ENCODINGS:
            return "its encoding does not keep characters apart from delimiters"
        try:
            ask.copies[0].select.encode(self._settings.codec)
        except UnicodeEncodeError:
            return "its text is not of the session's encoding"
        return ""

    def _answered_inquiry(self) -> None:
        found, self._inquired = self._inquired, None
        if found is None:
            return
        layout = found.inquiry.layout
        if found.inquiry.failed:
            # The client has been shown the server's error as the COPY's own.
            Running(self._session, found.permit.number).finish("its columns could not be described")
        elif layout is None:
            Running(self._session, found.permit.number).finish("refused: it has no columns")
            error = replies.copy_unreadable("it has no columns")
            self._stand_in(error, simple=found.ask.simple, number=found.permit.number)
        else:
            self._forward(found.ask, found.raw, found.permit, layout)


def _streams_out(copy: CopyShape) -> bool:
    return copy.direction == "to" and not copy.file and not copy.program


def _failed(fault: BaseException) -> Refused:
    return Refused(Why.ERROR, f"hooptui could not judge this operation ({type(fault).__name__}), so it may not run")
