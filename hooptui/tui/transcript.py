"""Events to styled lines: the one renderer for a session that runs and for one that is replayed.

Pure: `render(event, memo)` gives the lines of one event and the memo for the next. Knows no widget, no width and no clock;
what does not fit is wrapped or cut by who draws it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from hooptui.core.events import (
    Asked,
    Decided,
    Event,
    Finished,
    Frozen,
    GrantEnded,
    Header,
    Held,
    KillAsked,
    KillDone,
    Omitted,
    Output,
    Rows,
    SessionOpened,
    Voted,
)
from hooptui.core.events_channels import FileDone, TerminalOutput, TerminalResized
from hooptui.core.vocabulary import COMMANDS, KUBERNETES_ACTIONS, SSH_ACTIONS, UNKNOWN
from hooptui.tui import cluster_words
from hooptui.tui.journal_words import describe, mark_of
from hooptui.tui.people import decider
from hooptui.tui.text import Row, Span, clean, clean_lines, count, fit, size, spot, width

ROWS_SHOWN: Final = 200
"""Result rows of one operation that are drawn; the rest is counted."""

CELL: Final = 28
"""Widest column of a result table."""

_OTHERS: Final = (SSH_ACTIONS | KUBERNETES_ACTIONS) - COMMANDS - {UNKNOWN}
_COLUMNS: Final = 40
_LINES: Final = 60
_TABLES: Final = 64
_SQL: Final = re.compile(
    r"('(?:[^']|'')*'?)|\b(SELECT|FROM|WHERE|INSERT|INTO|VALUES|UPDATE|SET|DELETE|JOIN|LEFT|RIGHT|INNER|OUTER|FULL|CROSS|ON|USING|AND|OR|NOT"
    r"|NULL|IS|IN|LIKE|ILIKE|BETWEEN|EXISTS|GROUP|ORDER|BY|HAVING|LIMIT|OFFSET|UNION|ALL|DISTINCT|AS|WITH|RETURNING|CASE|WHEN|THEN|ELSE|END"
    r"|CREATE|ALTER|DROP|TRUNCATE|TABLE|INDEX|VIEW|GRANT|REVOKE|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|COPY|TO|STDOUT|STDIN|EXPLAIN|ANALYZE|MERGE|SHOW"
    r"|CALL|DO|PREPARE|EXECUTE|DEALLOCATE|LISTEN|NOTIFY|LOCK|VACUUM|DESC|ASC)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript before it meets a width."""

    body: Row
    mark: str = ""
    """`▶ ◀ ▲ ✗ ✓ ● ○ ·` or nothing on a line that continues."""
    mark_style: str = ""
    at: float | None = None
    """Unix seconds on the first line of an event."""
    fixed: bool = False
    """A table's line: cut, never wrapped."""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.body)


@dataclass(frozen=True, slots=True)
class Table:
    """A result whose rows are coming in."""

    columns: tuple[str, ...] = ()
    """As they came; cleaned where they are drawn."""
    widths: tuple[int, ...] = ()
    """Settled by the header and the first rows; empty before."""
    shown: int = 0
    hidden: int = 0
    cut: bool = False
    """The recording's cap was reached."""
    filed: bool = False
    """It was on files, and what became of it has been told."""
    body: str = ""
    """Of a request to a cluster: what came of an answer so far, or the event of a watch that is not whole."""


@dataclass(frozen=True, slots=True)
class Memo:
    """What rendering remembers between events: the tables that are open, by operation."""

    tables: Mapping[int, Table] = field(default_factory=lambda: MappingProxyType({}))
    cluster: bool = False
    """The session is on a cluster: what its requests are bound to is a hash, which tells nobody anything."""

    def table(self, operation: int) -> Table:
        return self.tables.get(operation, Table())

    def put(self, operation: int, table: Table | None) -> Memo:
        if table is None and operation not in self.tables:
            return self
        tables = {number: one for number, one in self.tables.items() if number != operation}
        if table is not None:
            tables[operation] = table
        while len(tables) > _TABLES:
            del tables[next(iter(tables))]
        return replace(self, tables=MappingProxyType(tables))


def render(event: Event, memo: Memo) -> tuple[tuple[Line, ...], Memo]:
    """The lines of one event, none when it has nothing to show here, and what to remember."""
    body = event.body
    match body:
        case SessionOpened(protocol=protocol):
            return _said(event), replace(memo, cluster=protocol == "kubernetes")
        case Asked():
            return _asked(event, body, bound=not memo.cluster), memo
        case Header():
            return (), memo.put(
                body.operation,
                replace(memo.table(body.operation), columns=body.columns),
            )
        case Rows():
            return _rows(event, body, memo)
        case Omitted():
            what = f"{count(body.rows)} rows ({size(body.bytes)})" if body.rows else size(body.bytes)
            words = f"… {what} beyond the cap of {size(body.cap)}: the client saw them, the recording has not …"
            return (Line(((words, "warn"),)),), memo.put(body.operation, replace(memo.table(body.operation), cut=True))
        case Finished():
            return _finished(event, body, memo)
        case Output(stream="response" | "request" | "watch"):
            return _clustered(event, body, memo)
        case Output():
            return _output(event, body), memo
        case Decided(effect="allow", why="policy") | TerminalOutput() | TerminalResized():
            # What a terminal shows is drawn by the terminal's own widget.
            return (), memo
        case FileDone():
            return _file(event, body), memo.put(body.operation, replace(memo.table(body.operation), filed=True))
        case _:
            return _said(event), memo


def skim(event: Event, memo: Memo) -> tuple[int, Memo]:
    """About how many lines an event would make, without making them; for a flood that nobody could read."""
    match event.body:
        case Rows(operation=operation, rows=rows):
            table = memo.table(operation)
            return len(rows), memo.put(operation, replace(table, shown=max(table.shown, 1)))
        case Header() | Omitted():
            lines, after = render(event, memo)
            return len(lines), after
        case Finished(operation=operation):
            return 1, memo.put(operation, None)
        case Asked(text=text, parameters=parameters):
            return min(text.count("\n"), _LINES) + 1 + bool(parameters), memo
        case Decided(effect="allow", why="policy") | TerminalOutput() | TerminalResized():
            return 0, memo
        case _:
            return 1, memo


def sql(text: str) -> Iterator[Span]:
    """A statement's line with its keywords and masks told apart; the words are PostgreSQL's commonest, no parser."""
    at = 0
    for hit in _SQL.finditer(text):
        if hit.start() > at:
            yield from spot(text[at : hit.start()], "sql")
        if hit[1] is not None:
            yield from spot(hit[0], "value")
        else:
            yield hit[0], "ask"
        at = hit.end()
    if at < len(text):
        yield from spot(text[at:], "sql")


def risky(event: Event) -> bool:
    """Whether a reviewer of a recording would want to stop here."""
    match event.body:
        case (
            Held()
            | Voted()
            | GrantEnded()
            | KillAsked()
            | KillDone()
            | Frozen(on=True)
            | Decided(effect="deny")
            | Decided(why="approved" | "granted")
        ):
            return True
        case Finished(ok=False):
            return True
        case _:
            return False


def _asked(event: Event, body: Asked, *, bound: bool) -> tuple[Line, ...]:
    texts = clean_lines(body.text)
    shown = texts[:_LINES]
    # Other protocols' commands have words of their own that look like a database's.
    other = not _OTHERS.isdisjoint(body.commands)
    lines = [
        Line(tuple(spot(text, "sql") if other else sql(text)), at=event.at if index == 0 else None)
        for index, text in enumerate(shown)
    ]
    lines[0] = replace(lines[0], mark="▶", mark_style="ask")
    if len(texts) > len(shown):
        lines.append(Line(((f"… {count(len(texts) - len(shown))} lines not shown, all recorded …", "faint"),)))
    if body.parameters and bound:
        spans: list[Span] = []
        for number, value in enumerate(body.parameters[:_COLUMNS], 1):
            spans.append((f"${number} = ", "faint"))
            spans.extend([("NULL", "faint")] if value is None else spot(clean(value, 120), "value"))
            spans.append(("  ", ""))
        if len(body.parameters) > _COLUMNS:
            spans.append((f"… {len(body.parameters) - _COLUMNS} more", "faint"))
        lines.append(Line(tuple(spans)))
    return tuple(lines)


def _rows(event: Event, body: Rows, memo: Memo) -> tuple[tuple[Line, ...], Memo]:
    table = memo.table(body.operation)
    room = max(0, ROWS_SHOWN - table.shown)
    shown = body.rows[:room]
    texts = [["NULL" if cell is None else clean(cell, 200) for cell in row[:_COLUMNS]] for row in shown]
    first = not table.widths and bool(shown)
    if shown:
        named = tuple(clean(one, 80) for one in table.columns[:_COLUMNS])
        heads = named or tuple(f"column {n}" for n in range(1, len(texts[0]) + 1))
        # Rows come in pieces: a column grows with what a later piece brings, since a misaligned line beats a cut value.
        widths = list(table.widths) or [min(CELL, max(1, width(head))) for head in heads]
        for row in texts:
            for index, cell in enumerate(row[: len(widths)]):
                widths[index] = min(CELL, max(widths[index], width(cell)))
        table = replace(table, columns=heads, widths=tuple(widths))
    lines: list[Line] = []
    if first and table.shown == 0:
        lines.append(Line(_cells(table.columns, table.widths, head=True), "◀", "reply", event.at, fixed=True))
    lines.extend(
        Line(_cells(texts_of, table.widths, nulls=[cell is None for cell in row]), fixed=True)
        for texts_of, row in zip(texts, shown, strict=True)
    )
    after = replace(table, shown=table.shown + len(shown), hidden=table.hidden + len(body.rows) - len(shown))
    return tuple(lines), memo.put(body.operation, after)


def _cells(
    texts: tuple[str, ...] | list[str], widths: tuple[int, ...], *, head: bool = False, nulls: list[bool] | None = None
) -> Row:
    spans: list[Span] = []
    for index, cells in enumerate(widths):
        text = texts[index] if index < len(texts) else ""
        if index:
            spans.append((" │ ", "rule"))
        shown = fit(text, cells)
        if head:
            spans.append((shown, "column"))
        elif nulls is not None and index < len(nulls) and nulls[index]:
            spans.append((shown, "ghost"))
        else:
            spans.extend(spot(shown, "text"))
    return tuple(spans)


def _finished(event: Event, body: Finished, memo: Memo) -> tuple[tuple[Line, ...], Memo]:
    table = memo.table(body.operation)
    after = memo.put(body.operation, None)
    if table.filed:
        return (), after
    lines: list[Line] = [Line(row, fixed=True) for row in cluster_words.body(table.body)] if table.body else []
    if lines:
        lines[0] = replace(lines[0], mark="◀", mark_style="reply", at=event.at)
    if table.hidden:
        recorded = "see below what was recorded" if table.cut else "all recorded"
        lines.append(Line(((f"… {count(table.hidden)} lines not shown, {recorded} …", "faint"),)))
    tag = clean(body.tag, 500)
    took = f" · {body.milliseconds / 1000:.1f} s" if body.milliseconds >= 1000 else ""
    hidden: tuple[Span, ...] = ()
    if body.masked:
        by = f" ({', '.join(clean(one, 40) for one in body.masks[:6])})" if body.masks else ""
        hidden = ((f" · {count(body.masked)} {'value' if body.masked == 1 else 'values'} masked{by}", "masking"),)
    if not body.ok:
        lines.append(Line((*spot(tag, "bad"), (took, "faint")), "✗", "bad", event.at))
        return tuple(lines), after
    if table.body:
        lines.append(Line((*spot(tag, "faint"), *hidden, (took, "faint"))))
        return tuple(lines), after
    if table.shown:
        rows = f"{count(body.rows)} {'row' if body.rows == 1 else 'rows'}"
        lines.append(Line(((rows, "faint"), *hidden, (took, "faint"))))
        return tuple(lines), after
    if table.columns and body.rows == 0:
        names = [clean(one, 80) for one in table.columns[:_COLUMNS]]
        heads = tuple(fit(one, min(CELL, width(one))) for one in names)
        lines.append(
            Line(_cells(heads, tuple(width(one) for one in heads), head=True), "◀", "reply", event.at, fixed=True)
        )
        lines.append(Line((("0 rows", "faint"), *hidden, (took, "faint"))))
        return tuple(lines), after
    lines.append(Line((*spot(tag, "text"), *hidden, (took, "faint")), "◀", "reply", event.at))
    return tuple(lines), after


def _clustered(event: Event, body: Output, memo: Memo) -> tuple[tuple[Line, ...], Memo]:
    """Bodies of a cluster come in pieces: an answer is drawn at its end, an event of a watch when it is whole."""
    table = memo.table(body.operation)
    if body.stream == "request":
        rows = cluster_words.body(body.text)
    elif body.stream == "watch":
        rows, left = cluster_words.events(table.body + body.text)
        memo = memo.put(body.operation, replace(table, body=left))
    else:
        whole = (table.body + body.text)[: cluster_words.BODY]
        return (), memo.put(body.operation, replace(table, body=whole))
    lines = [Line(row, fixed=True) for row in rows]
    if lines and body.stream == "watch":
        lines[0] = replace(lines[0], mark="◀", mark_style="reply", at=event.at)
    return tuple(lines), memo


def _output(event: Event, body: Output) -> tuple[Line, ...]:
    texts = clean_lines(body.text)
    match body.stream:
        case "error":
            mark, mark_style, name, head = "✗", "bad", "bad", ""
        case "copy-in":
            mark, mark_style, name, head = "▶", "ask", "text", ""
        case "copy-out" | "stdout" | "response" | "log" | "watch":
            mark, mark_style, name, head = "◀", "reply", "text", ""
        case "stderr":
            mark, mark_style, name, head = "◀", "warn", "text", "stderr: "
        case _:
            mark, mark_style, name, head = "·", "faint", "faint", clean(body.stream, 20) + ": "
    if len(texts) > 1 and not texts[-1]:
        texts.pop()
    shown = texts[:_LINES]
    lines = [Line(tuple(spot((head if index == 0 else "") + text, name))) for index, text in enumerate(shown)]
    lines[0] = replace(lines[0], mark=mark, mark_style=mark_style, at=event.at)
    if len(texts) > len(shown):
        lines.append(Line(((f"… {count(len(texts) - len(shown))} lines not shown, all recorded …", "faint"),)))
    return tuple(lines)


def _file(event: Event, body: FileDone) -> tuple[Line, ...]:
    """An operation on files: what it was, how much went through, and the hash to compare with."""
    mark, style = ("✗", "bad") if not body.ok else ("◀", "reply")
    paths = "  ".join(clean(path, 300) for path in body.paths[:4])
    spans: list[Span] = [(fit(clean(body.verb, 8), 8), "faint"), (" ", ""), *spot(paths, "text")]
    if body.size is not None:
        start = f" from {count(body.start)}" if body.start else ""
        spans.append((f"  {size(body.size)}{start}", "value"))
        if body.size:
            spans.append((", sha256", "faint") if body.sha256 else (", no sha256: not in order", "warn"))
    result = clean(body.result, 300)
    if body.refused:
        spans += [("  refused: ", "bad"), *spot(result, "bad")]
    elif not body.ok:
        spans += [("  ", ""), *spot(result, "bad")]
    lines = [Line(tuple(spans), mark, style, event.at)]
    if body.size and body.sha256:
        # Whole, on a line of its own: it is there to be compared.
        lines.append(Line(((clean(body.sha256, 64), "faint"),)))
    return tuple(lines)


def _said(event: Event) -> tuple[Line, ...]:
    """What happened, in the words that Audit has for it, with a second line where a person gave a reason."""
    mark, mark_style = mark_of(event.body)
    lines = [Line(describe(event.body, event.at), mark, mark_style, event.at)]
    match event.body:
        case Voted(reason=reason) if reason.strip():
            lines.append(Line((("“", "faint"), *spot(clean(reason, 500), "text"), ("”", "faint"))))
        case Held(reason=reason, group=group):
            if reason:
                lines.append(Line((("“", "faint"), (clean(reason, 500), "text"), ("”", "faint"))))
            if group:
                names = ", ".join(clean(one, 300) for one in group)
                lines.append(Line(((f"one review for {len(group)}: ", "faint"), *spot(names, "text"))))
        case Decided(effect="deny", why="policy", rules=rules) if rules:
            lines.append(Line(((f"rule {clean(', '.join(rules[:4]), 200)}", "faint"),)))
        case SessionOpened(groups=groups, application=application) if groups or application:
            words = [f"groups {', '.join(clean(one, 40) for one in groups[:8])}"] if groups else []
            words += [f"with {clean(application, 60)}"] if application else []
            lines.append(Line(((" · ".join(words), "faint"),)))
        case Decided(by=by, why="approved") if by:
            lines.append(Line(((f"last vote by {decider(by)}", "faint"),)))
        case _:
            pass
    return tuple(lines)
