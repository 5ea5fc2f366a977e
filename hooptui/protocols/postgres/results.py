"""The server's messages to what the client is shown of them, and to the record; driven by what was asked. Pure.

Moves no bytes: `shown` collects what is to be written. Whatever the server says without having been asked, or out of turn,
is a violation, because a result that is not understood cannot be masked. The one thing it may have to wait for is what the
catalogue says of a result's columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from hooptui.core.events import Output
from hooptui.core.gate import CannotRecord
from hooptui.core.model import Column
from hooptui.core.session import Session
from hooptui.protocols.postgres import codec, reports, rows
from hooptui.protocols.postgres.copying import CopyOut
from hooptui.protocols.postgres.layers import Lineage
from hooptui.protocols.postgres.pipeline import CLOSE, EXECUTE, QUERY, SYNC, Expected, Pipeline
from hooptui.protocols.postgres.replies import UNDEFINED_CURSOR
from hooptui.protocols.postgres.rows import Layout
from hooptui.protocols.postgres.running import Running
from hooptui.protocols.postgres.settings import Settings
from hooptui.protocols.postgres.wire import HEADER, ProtocolViolation

_LEAVES_NAMES_ALONE: Final = (b"42", b"26", b"25")
"""Classes of errors that a PREPARE or DEALLOCATE raises before it has done anything."""

LAYOUTS: Final = 256
"""Results whose columns are remembered for one session."""

FRESH: Final = 5.0
"""Seconds for which what the catalogue said of a result's columns is taken for true without asking it again."""

Origin: TypeAlias = tuple[int, int]
"""OID of a relation and attribute number in it."""


class Answers:
    """One connection's answers, in the order they come."""

    def __init__(self, session: Session, pipeline: Pipeline, settings: Settings) -> None:
        self.shown: list[bytes] = []
        """What the client is to be sent."""
        self.ended = ""
        """The server's last words, when it said that it ends the session."""
        self._session = session
        self._pipeline = pipeline
        self._settings = settings
        self._layout: Layout | None = None
        """Of the simple query's current result."""
        self._copy: CopyOut | None = None
        self._known: dict[bytes, tuple[float, Layout]] = {}
        self._sources: Mapping[Origin, Lineage] | None = None

    def take(self, kind: int, raw: bytes, count: int) -> frozenset[Origin] | None:
        """Take one message, or one run of `count` rows.

        Returns None when it was taken; else the columns (table OID, attribute number) whose names are to be given to `tell`
        before the same message is brought again.

        Raises:
            ProtocolViolation: the server said what cannot be understood; nothing of it was shown.
            CannotRecord: what it said could not be recorded; nothing of it was shown.
        """
        match kind:
            case 0x44:  # DataRow
                self._rows(raw, count)
            case 0x64:  # CopyData
                self._copied(raw, count)
            case 0x54:  # RowDescription
                return self._described(raw)
            case 0x43:  # CommandComplete
                self._completed(raw)
            case 0x5A:  # ReadyForQuery
                self._ready(raw)
            case 0x45:  # ErrorResponse
                self._error(raw)
            case 0x4E:  # NoticeResponse
                self._notice(raw)
            case 0x41:  # NotificationResponse
                self._notified(raw)
            case 0x53:  # ParameterStatus
                if self._settings.report(*codec.parameter_status(raw)):
                    self.shown.append(raw)
            case _:
                self._other(kind, raw)
        return None

    def tell(self, sources: Mapping[Origin, Lineage]) -> None:
        """What the catalogue says of the columns that `take` asked for."""
        self._sources = sources

    # --- results

    def _rows(self, run: bytes, count: int) -> None:
        head = self._pipeline.head(run[0])
        running = head.running
        layout = self._layout if head.portal is None else head.portal.layout
        if running is None or layout is None:
            raise ProtocolViolation("rows came that nobody has described")
        running.columns(layout)
        running.rows += count
        plan = layout.plan
        room = running.room
        if plan is not None and (plan.forced or plan.suspects(run)):
            run = rows.mask_run(run, layout, plan, running.tally, running.keep if room else None)
        elif room and count == 1:
            running.keep(rows.values(run, len(layout.columns)), len(run))
        elif room:
            width = len(layout.columns)
            for frame in rows.frames(run):
                running.keep(rows.values(frame, width), len(frame))
        if not room:
            running.leave_out(count, len(run))
        self.shown.append(run)

    def _described(self, raw: bytes) -> frozenset[Origin] | None:
        head = self._pipeline.head(raw[0])
        if head.kind != QUERY and head.portal is None and head.inquiry is None:
            # A statement that is described; what its rows look like is asked again for each portal.
            self._show(head, raw)
            self._pipeline.answered()
            return None
        layout = self._laid_out(raw)
        if not isinstance(layout, Layout):
            return layout
        if head.kind == QUERY:
            if head.running is None:
                raise ProtocolViolation("rows came that nobody has asked for")
            self._layout = layout
            head.running.columns(layout)
        elif head.inquiry is not None:
            head.inquiry.layout = layout
        elif head.portal is not None:
            head.portal.layout = layout
        self._show(head, raw)
        if head.kind != QUERY:
            self._pipeline.answered()
        return None

    def _laid_out(self, raw: bytes) -> Layout | frozenset[Origin]:
        """The plan for a result, or the columns that have to be looked up first."""
        masker, now = self._session.masker, self._session.house.clock.monotonic()
        sources, self._sources = self._sources, None
        known = self._known.get(raw)
        ascii_only = self._settings.encoding != "UTF8"
        if (
            known is not None
            and known[1].masker is masker
            and known[1].ascii_only == ascii_only
            and now - known[0] < FRESH
        ):
            return known[1]
        fields = codec.row_description(raw)
        wanted = frozenset((field.table, field.attnum) for field in fields if field.table and field.attnum > 0)
        if wanted and masker.masks and sources is None:
            return wanted
        lineages = tuple((sources or {}).get((field.table, field.attnum), ()) for field in fields)
        layout = rows.layout(self._columns(fields, lineages), lineages, masker, ascii_only=ascii_only)
        if len(self._known) >= LAYOUTS:
            self._known.clear()
        self._known[raw] = (now, layout)
        return layout

    def _columns(self, fields: Sequence[codec.Field], lineages: Sequence[Lineage]) -> tuple[Column, ...]:
        return tuple(
            Column(
                self._settings.show(field.name), lineage[0] if lineage else None, field.type_oid, field.format == 1
            )
            for field, lineage in zip(fields, lineages, strict=True)
        )  # fmt: skip

    def _completed(self, raw: bytes) -> None:
        head = self._pipeline.head(raw[0])
        tag = codec.command_complete(raw)
        running = self._running(head)
        if head.portal is not None and head.portal.layout is not None:
            running.columns(head.portal.layout)
        running.completed(self._settings.show(tag))
        self._pipeline.completed(head)
        self._layout = self._copy = None
        self.shown.append(raw)
        if head.kind == EXECUTE:
            self._pipeline.answered()
            running.finish()

    def _ready(self, raw: bytes) -> None:
        self._pipeline.head(raw[0])
        head = self._pipeline.ready(codec.ready_for_query(raw))
        self._layout = self._copy = None
        if head.running is not None:
            head.running.finish()
        if head.inquiry is None:
            self._show(head, raw)
        else:
            head.inquiry.done = True
            if head.inquiry.failed:
                # The error was shown in place of the COPY's answer, so this ends it.
                self.shown.append(raw)

    def _other(self, kind: int, raw: bytes) -> None:
        head = self._pipeline.head(kind)
        match kind:
            case 0x74:  # ParameterDescription
                types = codec.parameter_description(raw)
                if head.prepared is not None:
                    head.prepared.types = types
                self._show(head, raw)
                return
            case 0x47:  # CopyInResponse
                codec.copy_response(raw)
                self._copy_begins(head, raw, "from")
                return
            case 0x48:  # CopyOutResponse
                self._copy_out_begins(head, raw)
                return
        codec.empty(raw)
        self._show(head, raw)
        match kind:
            case 0x63:  # CopyDone
                self._pipeline.copying = 0
            case 0x49:  # EmptyQueryResponse
                self._running(head).completed("")
                if head.kind == EXECUTE:
                    self._pipeline.answered()
                    self._running(head).finish()
            case 0x73:  # PortalSuspended
                self._pipeline.answered()
                running = self._running(head)
                running.completed("portal suspended")
                running.finish()
            case _:  # ParseComplete, BindComplete, CloseComplete, NoData
                self._pipeline.answered()
                if head.inquiry is not None and head.kind == CLOSE and not head.inquiry.apart:
                    head.inquiry.done = True

    # --- copying

    def _copy_begins(self, head: Expected, raw: bytes, direction: str) -> None:
        if not any(copy.direction == direction and not copy.file and not copy.program for copy in head.copies):
            raise ProtocolViolation(f"a copy {direction} the client began that nobody has asked for")
        self._pipeline.copying = raw[0]
        self.shown.append(raw)

    def _copy_out_begins(self, head: Expected, raw: bytes) -> None:
        response = codec.copy_response(raw)
        masker = self._session.masker
        layout = head.layout
        if layout is not None and layout.masker is not masker:
            layout = rows.layout(layout.columns, layout.lineages, masker, ascii_only=layout.ascii_only)
        if masker.masks and layout is None:
            raise ProtocolViolation("a copy began whose columns are not known")
        if layout is not None and layout.plan is not None:
            if len(response.formats) != len(layout.columns):
                raise ProtocolViolation("the copied columns are not those described; list them in the COPY")
            self._copy = CopyOut(head.copies[0], layout)
        self._copy_begins(head, raw, "to")

    def _copied(self, run: bytes, count: int) -> None:
        head = self._pipeline.head(run[0])
        if self._pipeline.copying != codec.COPY_OUT:
            raise ProtocolViolation("copied data came without a copy")
        running = self._running(head)
        if self._copy is not None:
            run = self._copy.mask(run, running.tally)
        running.rows += count
        if running.room:
            data = b"".join(frame[HEADER:] for frame in rows.frames(run))
            binary = bool(head.copies) and head.copies[0].format == "binary"
            text = f"‹{len(data)} bytes of a binary copy›" if binary else self._settings.show(data)
            running.output("copy-out", text, len(data))
        else:
            running.leave_out(count, len(run))
        self.shown.append(run)

    # --- what the server says of its own accord, and errors

    def _error(self, raw: bytes) -> None:
        fields = codec.error_fields(raw)
        shown = reports.masked(raw[0], raw, fields, self._session.masker, self._settings)
        pipeline = self._pipeline
        severity = fields.get("V", fields.get("S", b""))
        words = reports.words(fields if shown is raw else codec.error_fields(shown), self._settings)
        if severity in reports.FATAL:
            self.ended = words
            self._record("error", words, pipeline.running)
            self.shown.append(shown)
            return
        if not pipeline.queue or pipeline.queue[0].kind == SYNC:
            # What a Sync commits may fail; ReadyForQuery follows as ever.
            self._record("error", words, None)
            if pipeline.queue and pipeline.queue[0].inquiry is not None:
                pipeline.queue[0].inquiry.failed = True
            self.shown.append(shown)
            return
        code = fields.get("C", b"")
        head, skipped = pipeline.failed(changed_nothing=code[:2] in _LEAVES_NAMES_ALONE)
        self._layout = self._copy = None
        if head.refusal is not None and code == UNDEFINED_CURSOR:
            self._refused(head.refusal, head.number)
        else:
            # An error in the gateway's own question is the error of what it was asked for.
            victim = head.running or next(
                (one.running for one in skipped if one.running is not None and head.hidden), None
            )
            if victim is not None:
                victim.error = words
            self._record("error", words, victim)
            self.shown.append(shown)
            if victim is not None and head.kind != QUERY:
                victim.finish()
        for one in (head, *skipped):
            if one.inquiry is not None:
                one.inquiry.failed = True
                one.inquiry.done = pipeline.skipping
            if one is not head and one.running is not None:
                one.running.finish("skipped after an error")

    def _refused(self, error: bytes, number: int) -> None:
        """Show a refusal in the place of the server's complaint about its stand-in."""
        # That it cannot be recorded may be the very reason. Nothing ran, and the words are the gateway's own.
        with suppress(CannotRecord):
            self._record("error", reports.words(codec.error_fields(error), self._settings), None, number)
        self.shown.append(error)

    def _notice(self, raw: bytes) -> None:
        fields = codec.error_fields(raw)
        shown = reports.masked(raw[0], raw, fields, self._session.masker, self._settings)
        words = reports.words(fields if shown is raw else codec.error_fields(shown), self._settings)
        self._record("notice", words, self._pipeline.running)
        self.shown.append(shown)

    def _notified(self, raw: bytes) -> None:
        shown, words = reports.notification(raw, self._session.masker, self._settings)
        self._record("notify", words, None)
        self.shown.append(shown)

    def _record(self, stream: str, words: str, running: Running | None, number: int = 0) -> None:
        if running is not None:
            running.output(stream, words, len(words))
            return
        session = self._session
        session.record(Output(number or session.counters.operations, stream, session.masker.text(words)))

    def _running(self, head: Expected) -> Running:
        if head.running is None:
            raise ProtocolViolation("the server answered an operation that was not sent")
        return head.running

    def _show(self, head: Expected, raw: bytes) -> None:
        if not head.hidden:
            self.shown.append(raw)
