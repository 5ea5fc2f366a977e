"""A client's message, and what was said before it, to the next step: pass it on, ask for a permit, stand in, or wait.

Source: PostgreSQL documentation, "Message Flow". Pure: moves nothing; the relay does what the step says. The server has
the last word on names and settings, so wherever its answer is still outstanding and matters, the step is to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from hooptui.core.model import EMPTY, Operation, SqlFacts
from hooptui.protocols.postgres import codec, parameters, replies
from hooptui.protocols.postgres.facts import understand, with_prepared
from hooptui.protocols.postgres.facts_model import Statement, Understood, unknown
from hooptui.protocols.postgres.names import UNCERTAIN
from hooptui.protocols.postgres.pipeline import Expected, Pipeline, Portal, Prepared, Settle
from hooptui.protocols.postgres.settings import NotReadable, Settings, depends
from hooptui.protocols.postgres.steps import Ask, Drop, Goodbye, Pass, StandIn, Step, Wait
from hooptui.protocols.postgres.wire import ProtocolViolation

NAME_MAX: Final = 63
"""Bytes of a name that the server tells apart: it cuts longer ones silently, so two of them could mean the same thing."""

SHOWN_MAX: Final = 4096
"""Characters kept of a text that is too long to be read at all."""

_KEEPS_SETTINGS: Final = frozenset(
    {
        "select", "insert", "update", "delete", "merge", "truncate", "copy_to", "copy_from", "show", "explain", "create",
        "drop", "lock", "listen", "notify", "analyze", "vacuum",
    }
)  # fmt: skip
_PLAIN: Final = frozenset({"select", "insert", "update", "delete", "merge"})
_BLOCKS: Final = frozenset({"begin", "commit", "rollback"})
_KEEPS_SETTINGS_NEUTRAL: Final = frozenset(
    {"begin", "prepare", "execute", "deallocate", "declare", "fetch", "move", "close", "unlisten", "empty"}
)
"""Everything else may change or, at the end of a transaction, restore a setting that decides how texts are read."""

PARSE, BIND, DESCRIBE, EXECUTE, CLOSE, SYNC, FLUSH, QUERY, FUNCTION_CALL, TERMINATE = b"PBDECSHQFX"
COPY_DATA, COPY_DONE, COPY_FAIL = b"dcf"
COPY_IN: Final = codec.COPY_IN
_COPY: Final = frozenset({COPY_DATA, COPY_DONE, COPY_FAIL})
_KNOWN: Final = frozenset({PARSE, BIND, DESCRIBE, EXECUTE, CLOSE, FLUSH, QUERY, FUNCTION_CALL})


class Reader:
    """Reads one client's messages, in order."""

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        self._pipeline = pipeline
        self._settings = settings

    def read(self, kind: int, raw: bytes) -> Step:
        """The next step for this message. Reading it again after a Wait is safe: nothing is remembered until it is passed on.

        Raises:
            ProtocolViolation: the client breaks the protocol; the connection cannot go on.
            TooMuch: the gateway would have to remember more names than it may.
        """
        pipeline = self._pipeline
        if kind == TERMINATE:
            return Goodbye()
        if pipeline.copying == COPY_IN:
            return self._in_copy(kind, raw)
        if kind == SYNC:
            codec.empty(raw)
            return Pass(Expected(SYNC, pipeline.segment))
        if kind in _COPY:
            # What is left of a copy that the server has given up; it ignores these, and so nothing hangs on them.
            return Drop()
        if pipeline.skipping:
            if kind not in _KNOWN:
                raise ProtocolViolation(f"message type {kind:#04x} is not known")
            return Drop()
        match kind:
            case 0x51:  # Query
                return self._query(raw)
            case 0x50:  # Parse
                return self._parse(raw)
            case 0x42:  # Bind
                return self._bind(raw)
            case 0x44:  # Describe
                return self._describe(raw)
            case 0x45:  # Execute
                return self._execute(raw)
            case 0x43:  # Close
                return self._close(raw)
            case 0x48:  # Flush
                codec.empty(raw)
                return Pass()
            case 0x46:  # FunctionCall
                return self._function_call()
        raise ProtocolViolation(f"message type {kind:#04x} is not known")

    def _in_copy(self, kind: int, raw: bytes) -> Step:
        if kind == COPY_DATA:
            return Pass()
        if kind == COPY_DONE:
            codec.empty(raw)
            return Pass()
        if kind == COPY_FAIL:
            codec.copy_fail(raw)
            return Pass()
        if kind in (SYNC, FLUSH):
            # The server ignores both until the copy is over, so neither is answered.
            return Drop()
        raise ProtocolViolation(f"message type {kind:#04x} came during COPY FROM STDIN")

    # --- what runs something

    def _query(self, raw: bytes) -> Step:
        raw_text = codec.query(raw)
        pipeline = self._pipeline
        if pipeline.open and pipeline.queue:
            # Whether the server is about to skip this message depends on answers that it may not have sent yet.
            return Wait(lambda: not pipeline.queue, flush=True)
        wait = self._doubtful(raw_text)
        if wait is not None:
            return wait
        text, understood = self._understand(raw_text)
        facts = self._resolved(understood) if understood.executes else understood.facts
        if facts is None:
            return self._wait_for_names()
        return self._ask(text, understood, facts, simple=True)

    def _execute(self, raw: bytes) -> Step:
        name = codec.execute(raw).portal
        if _unfit(name):
            return StandIn(replies.unfit_name())
        portal = self._pipeline.portals.look(name, self._pipeline.segment)
        if portal is UNCERTAIN:
            return self._wait_for_names()
        if portal is None or portal.prepared is None:
            what = "portal" if portal is None else "statement behind portal"
            shown = self._settings.show(name)
            words = f"the {what} {shown!r} is not known to this gateway"
            return Ask(Operation("postgres", "execute", "", unknown(words)), simple=False)
        prepared = portal.prepared
        understood = prepared.understood
        facts = self._resolved(understood) if understood.executes else understood.facts
        if facts is None:
            return self._wait_for_names()
        return self._ask(prepared.text, understood, facts, simple=False, portal=portal, name=name)

    def _function_call(self) -> Step:
        pipeline = self._pipeline
        if pipeline.open and pipeline.queue:
            return Wait(lambda: not pipeline.queue, flush=True)
        facts = unknown("a function-call message says which function by number only; call it in a SELECT")
        return Ask(Operation("postgres", "call", "", facts), simple=True)

    def _ask(
        self, text: str, understood: Understood, facts: SqlFacts, *, simple: bool, portal: Portal | None = None, name: bytes = b""
    ) -> Ask:  # fmt: skip
        pipeline = self._pipeline
        operation = Operation(
            "postgres",
            understood.verb,
            text,
            facts,
            portal.parameters if portal is not None else (),
            pipeline.in_transaction,
            {"portal": self._settings.show(name)} if name else EMPTY,
        )
        statements = understood.statements
        settle_unnamed = simple and not self._unnamed_unheard_of()
        if len(statements) == 1 and not facts.neutral and facts.commands <= _PLAIN and not settle_unnamed:
            # What most of them are: one statement that changes neither names nor settings.
            return Ask(operation, simple, portal, name=name)
        copies = tuple(one.copy for one in statements if one.copy is not None)
        changes: Callable[[int], list[tuple[int, Settle]]] | None = None
        if settle_unnamed:
            changes = partial(self._changes_of_query, statements)
        elif _touches_names(understood):
            changes = partial(self._changes, statements)
        may_set = not (facts.commands <= _KEEPS_SETTINGS and facts.neutral <= _KEEPS_SETTINGS_NEUTRAL)
        begins = None
        if facts.neutral & _BLOCKS:
            last = [one for one in statements if one.facts.neutral & _BLOCKS]
            begins = bool(last) and "begin" in last[-1].facts.neutral
        return Ask(operation, simple, portal, copies, changes, may_set, name, begins)

    def _unnamed_unheard_of(self) -> bool:
        pipeline = self._pipeline
        return pipeline.statements.unheard_of(b"") and pipeline.portals.unheard_of(b"")

    # --- what prepares it

    def _parse(self, raw: bytes) -> Step:
        message = codec.parse(raw)
        if _unfit(message.statement):
            return StandIn(replies.unfit_name())
        wait = self._doubtful(message.query)
        if wait is not None:
            return wait
        text, understood = self._understand(message.query)
        pipeline = self._pipeline
        prepared = Prepared(text, understood, message.types)
        names = pipeline.statements
        # The server forgets the unnamed statement even when the new one does not parse.
        change = names.sent(message.statement, prepared, pipeline.segment, forget_on_failure=not message.statement)
        expected = Expected(PARSE, pipeline.segment, changes=[(0, partial(names.settle, change))])
        return Pass(expected)

    def _bind(self, raw: bytes) -> Step:
        message = codec.bind(raw)
        if _unfit(message.portal) or _unfit(message.statement):
            return StandIn(replies.unfit_name())
        pipeline = self._pipeline
        prepared = pipeline.statements.look(message.statement, pipeline.segment)
        if prepared is UNCERTAIN:
            return self._wait_for_names()
        types = prepared.types if prepared is not None else ()
        portal = Portal(prepared, parameters.texts(message, types, self._settings.codec), pipeline.segment)
        names = pipeline.portals
        change = names.sent(message.portal, portal, pipeline.segment, forget_on_failure=True)
        return Pass(Expected(BIND, pipeline.segment, changes=[(0, partial(names.settle, change))]))

    def _describe(self, raw: bytes) -> Step:
        message = codec.describe(raw)
        if _unfit(message.name):
            return StandIn(replies.unfit_name())
        pipeline = self._pipeline
        if not message.portal:
            prepared = pipeline.statements.look(message.name, pipeline.segment)
            known = None if prepared is UNCERTAIN else prepared
            return Pass(Expected(DESCRIBE, pipeline.segment, prepared=known))
        portal = pipeline.portals.look(message.name, pipeline.segment)
        if portal is UNCERTAIN:
            return self._wait_for_names()
        if portal is not None:
            portal.described = True
        return Pass(Expected(DESCRIBE, pipeline.segment, portal=portal))

    def _close(self, raw: bytes) -> Step:
        message = codec.close(raw)
        if _unfit(message.name):
            return StandIn(replies.unfit_name())
        pipeline = self._pipeline
        segment = pipeline.segment
        settle: Settle
        if message.portal:
            settle = partial(pipeline.portals.settle, pipeline.portals.sent(message.name, None, segment))
        else:
            settle = partial(pipeline.statements.settle, pipeline.statements.sent(message.name, None, segment))
        return Pass(Expected(CLOSE, segment, changes=[(0, settle)]))

    # --- what a text means

    def _doubtful(self, raw: bytes) -> Wait | None:
        """The settings that decide how this text is read may be changing: wait for the server's word on them."""
        pipeline = self._pipeline
        if not pipeline.all_reported() and pipeline.setting_segment != pipeline.segment and depends(raw):
            return Wait(pipeline.all_reported)
        return None

    def _understand(self, raw: bytes) -> tuple[str, Understood]:
        pipeline = self._pipeline
        try:
            if pipeline.setting_segment == pipeline.segment and depends(raw):
                raise NotReadable("settings that decide how it is read may have changed since the last Sync")
            text = self._settings.text(raw)
        except NotReadable as reason:
            return self._settings.show(raw[:SHOWN_MAX]), _not_understood(str(reason))
        understood = understand(text)
        if understood.facts.unknown and len(text) > 16 * SHOWN_MAX:
            return text[:SHOWN_MAX] + "…", understood
        return text, understood

    def _resolved(self, understood: Understood) -> SqlFacts | None:
        """The facts with EXECUTE looked up in what the session has prepared; None while a name is uncertain."""
        known: dict[str, SqlFacts] = {}
        for statement in understood.statements:
            if statement.executes is None:
                continue
            prepared = self._pipeline.statements.look(statement.executes.encode(), self._pipeline.segment)
            if prepared is UNCERTAIN:
                return None
            if prepared is not None and not prepared.understood.executes:
                known[statement.executes] = prepared.understood.facts
        return with_prepared(understood, known)

    def _wait_for_names(self) -> Wait:
        """A name's meaning hangs on an earlier segment, whose Sync or Query the server is going to answer."""
        pipeline = self._pipeline
        before = pipeline.segment
        return Wait(lambda: pipeline.reported >= before - 1)

    # --- what an operation makes of names

    def _changes_of_query(self, statements: tuple[Statement, ...], segment: int) -> list[tuple[int, Settle]]:
        """A simple Query ends the unnamed statement and portal whatever else it does."""
        pipeline = self._pipeline
        unnamed = pipeline.statements.sent(b"", None, segment, forget_on_failure=True)
        portal = pipeline.portals.sent(b"", None, segment, forget_on_failure=True)
        changes: list[tuple[int, Settle]] = [
            (0, partial(pipeline.statements.settle, unnamed)),
            (0, partial(pipeline.portals.settle, portal)),
        ]
        return changes + self._changes(statements, segment)

    def _changes(self, statements: tuple[Statement, ...], segment: int) -> list[tuple[int, Settle]]:
        pipeline = self._pipeline
        changes: list[tuple[int, Settle]] = []
        for behind, one in enumerate(statements, 1):
            name, value = _statement_change(one)
            if name is not None:
                key = name.encode() if name else None
                change = pipeline.statements.sent(key, value, segment, forget_on_failure=True)
                changes.append((behind, partial(pipeline.statements.settle, change)))
            if one.discards or one.facts.neutral & {"close", "declare"}:
                sweep = pipeline.portals.sent(None, None, segment, forget_on_failure=True)
                changes.append((behind, partial(pipeline.portals.settle, sweep)))
        return changes


def _statement_change(one: Statement) -> tuple[str | None, Prepared | None]:
    """Which prepared statement's meaning this changes, "" for all of them, None for none; and to what."""
    if one.prepares is not None and one.body is not None:
        if not one.prepares.isascii():
            # As for names of the protocol; this one just stays unknown.
            return None, None
        only = Statement(one.body, one.text, one.verb)
        return one.prepares, Prepared(one.text, Understood(one.body, (only,), one.verb))
    if one.discards:
        return "", None
    return one.deallocates, None


def _unfit(name: bytes) -> bool:
    """Two such names, or one in two encodings, could mean the same thing to the server and not to the gateway."""
    return bool(name) and (len(name) > NAME_MAX or not name.isascii())


def _touches_names(understood: Understood) -> bool:
    return any(
        one.prepares is not None or one.deallocates is not None or one.discards or one.facts.neutral & {"close", "declare"}
        for one in understood.statements
    )  # fmt: skip


def _not_understood(reason: str) -> Understood:
    facts = unknown(reason)
    return Understood(facts, (Statement(facts, "", "unknown"),), "unknown")
