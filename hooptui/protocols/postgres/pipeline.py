"""What has been sent to the server and not been answered: one entry for each message that has an answer, in order.

Source: PostgreSQL documentation, "Message Flow", and the server's main loop: after an error in an extended-protocol message it
skips everything up to the next Sync; a simple Query ends with ReadyForQuery whatever happened. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from hooptui.protocols.postgres.facts_model import CopyShape, Understood
from hooptui.protocols.postgres.names import Names
from hooptui.protocols.postgres.rows import Layout
from hooptui.protocols.postgres.running import Running
from hooptui.protocols.postgres.wire import ProtocolViolation

PARSE, BIND, DESCRIBE, EXECUTE, CLOSE, SYNC, QUERY = b"PBDECSQ"
"""Type bytes of the requests that are answered."""

_ENDS_SEGMENT: Final = frozenset({SYNC, QUERY})

_ANSWERS: Final[dict[int, frozenset[int]]] = {
    PARSE: frozenset(b"1"),
    BIND: frozenset(b"2"),
    CLOSE: frozenset(b"3"),
    DESCRIBE: frozenset(b"tTn"),
    EXECUTE: frozenset(b"DCIsGHdc"),
    SYNC: frozenset(b"Z"),
    QUERY: frozenset(b"TDCIGHdcZ"),
}
"""What may answer which request, besides errors and what the server says of its own accord."""


# Plain classes, not dataclasses: some are made for each message, and compiled ones are made ten times as fast.


class Prepared:
    """A prepared statement as the gateway understood it when it was parsed."""

    __slots__ = ("text", "types", "understood", "weight")

    def __init__(self, text: str, understood: Understood, types: tuple[int, ...] = ()) -> None:
        self.text = text
        self.understood = understood
        self.types = types
        """OIDs of its parameters as far as they are known: from Parse, then from the server's description."""
        self.weight = 500 + 2 * len(text)


class Portal:
    """A bound statement."""

    __slots__ = ("described", "layout", "parameters", "prepared", "segment", "weight")

    def __init__(self, prepared: Prepared | None, parameters: tuple[str | None, ...], segment: int) -> None:
        self.prepared = prepared
        """None: of a statement that is not known here, so it can never run."""
        self.parameters = parameters
        self.segment = segment
        """Where it was bound."""
        self.layout: Layout | None = None
        """Its columns, once the server has described them."""
        self.described = False
        """It has been, or is being, described."""
        weight = 500
        for value in parameters:
            if value is not None:
                weight += len(value)
        self.weight = weight


class Inquiry:
    """The gateway's own question for the columns of a COPY; answered before the COPY goes."""

    __slots__ = ("apart", "done", "failed", "layout")

    def __init__(self, apart: bool) -> None:
        self.apart = apart
        """It is a segment of its own, with a Sync; else it goes inside the client's."""
        self.layout: Layout | None = None
        self.failed = False
        self.done = False


Settle: TypeAlias = Callable[[bool | None], None]
"""`Names.settle` for one change."""


class Expected:
    """One request that the server will answer."""

    __slots__ = (
        "changes", "completed", "copies", "hidden", "inquiry", "kind", "layout", "number", "over", "portal", "prepared", "refusal",
        "running", "segment",
    )  # fmt: skip

    def __init__(
        self,
        kind: int,
        segment: int,
        *,
        hidden: bool = False,
        refusal: bytes | None = None,
        number: int = 0,
        running: Running | None = None,
        prepared: Prepared | None = None,
        portal: Portal | None = None,
        inquiry: Inquiry | None = None,
        copies: tuple[CopyShape, ...] = (),
        layout: Layout | None = None,
        changes: list[tuple[int, Settle]] | None = None,
    ) -> None:
        self.kind = kind
        self.segment = segment
        self.hidden = hidden
        """The gateway's own request: the client must not see the answer."""
        self.refusal = refusal
        """A stand-in for a refused request: the server's complaint is replaced by this ErrorResponse."""
        self.number = number
        """The operation that was refused, when one was."""
        self.running = running
        """The operation whose answer this is."""
        self.prepared = prepared
        """The statement that is described."""
        self.portal = portal
        """The portal that is described or executed."""
        self.inquiry = inquiry
        """What this question of the gateway's own is for."""
        self.copies = copies
        """The COPY statements of an operation."""
        self.layout = layout
        """Columns of the one COPY TO, found by an inquiry."""
        self.changes = changes
        """What names mean once it has been done, each behind so many CommandCompletes: 0 for messages of the protocol itself."""
        self.completed = 0
        """CommandCompletes so far."""
        self.over = False
        """It has been answered to the end, or skipped."""


class Pipeline:
    """One connection's state between what was sent and what was answered."""

    def __init__(self, status: bytes = b"I") -> None:
        self.queue: deque[Expected] = deque()
        self.statements: Names[Prepared] = Names()
        self.portals: Names[Portal] = Names(bool)
        self.segment = 0
        self.open = False
        """Messages of the extended protocol have been sent since the last Sync."""
        self.skipping = False
        """The server has failed in a segment whose Sync has not been sent: it skips everything until then."""
        self.status = status
        """Transaction status of the last ReadyForQuery."""
        self.begun: bool | None = None
        """What the operations sent since then will make of it: in a transaction or not; None leaves it."""
        self.setting_segment = -1
        """The segment of the last operation that may have changed a setting that decides how texts are read."""
        self.reported = -1
        """The last segment that ReadyForQuery has ended."""
        self.copying = 0
        """0, or the type byte of the CopyInResponse or CopyOutResponse whose copy goes on."""

    # --- sending

    def expect(self, expected: Expected) -> Expected:
        """A message with this answer goes to the server."""
        self.queue.append(expected)
        if expected.kind in _ENDS_SEGMENT:
            self.segment += 1
            self.open = False
            self.skipping = False
        else:
            self.open = True
        return expected

    @property
    def in_transaction(self) -> bool:
        """Whether the next operation finds a transaction block."""
        return self.status != b"I" if self.begun is None else self.begun

    @property
    def running(self) -> Running | None:
        """The operation that the server works on, if it is an operation's turn."""
        return next((one.running for one in self.queue if one.running is not None), None)

    def all_reported(self) -> bool:
        """The server has reported what the operations sent so far made of its settings: it does so at ReadyForQuery."""
        return self.reported >= self.setting_segment

    # --- answers

    def head(self, kind: int) -> Expected:
        """The request that a message of this type answers.

        Raises:
            ProtocolViolation: the server answers what was not asked.
        """
        queue = self.queue
        if not queue:
            raise ProtocolViolation(f"the server sent {chr(kind)!r} without being asked")
        head = queue[0]
        if kind not in _ANSWERS[head.kind]:
            raise ProtocolViolation(f"the server answered {chr(head.kind)!r} with {chr(kind)!r}")
        return head

    def answered(self) -> Expected:
        """The first request has been answered and done."""
        head = self.queue.popleft()
        head.over = True
        if head.changes:
            for _, settle in head.changes:
                settle(True)
        return head

    def completed(self, head: Expected) -> None:
        """One statement of a request has been done."""
        head.completed += 1
        if head.changes:
            for behind, settle in head.changes:
                if behind == head.completed:
                    settle(True)
            head.changes = [change for change in head.changes if change[0] != head.completed]

    def failed(self, *, changed_nothing: bool) -> tuple[Expected, list[Expected]]:
        """The server reported an error for the first request, which is not a Sync.

        Returns that request and those the server skips because of it.

        Args:
            changed_nothing: the error proves that a failed PREPARE or DEALLOCATE left its name as it was.
        """
        head = self.queue[0]
        self.copying = 0
        # Whatever transaction they lived in, the portals do not survive an error in it.
        self.portals.clear()
        for behind, settle in head.changes or ():
            if behind == 0 or (behind == head.completed + 1 and not changed_nothing):
                settle(False)
            else:
                settle(None)
        head.changes = None
        if head.kind == QUERY:
            return head, []
        self.queue.popleft()
        head.over = True
        skipped: list[Expected] = []
        while self.queue and self.queue[0].kind not in (SYNC, QUERY):
            one = self.queue.popleft()
            one.over = True
            for _, settle in one.changes or ():
                settle(None)
            skipped.append(one)
        if not self.queue:
            self.skipping = True
        return head, skipped

    def ready(self, status: bytes) -> Expected:
        """ReadyForQuery came: the first request, a Sync or a Query, is done."""
        head = self.queue.popleft()
        head.over = True
        if head.changes:
            for behind, settle in head.changes:
                # A change that no CommandComplete has confirmed by now is of a statement that was not reached.
                settle(True if behind == 0 else None)
        self.status = status
        self.reported = head.segment
        self.copying = 0
        if not self.queue:
            self.begun = None
        if status == b"I":
            self.portals.clear()
        return head
