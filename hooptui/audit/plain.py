"""Events as plain text for a terminal, a pager or a ticket: no colour, no cursor, every hostile character shown.

Pure; knows no file. Used by `hooptui replay --plain` and by the export.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Final

from hooptui.audit.codec import kind_of
from hooptui.audit.plain_people import people_words
from hooptui.audit.plain_terminals import Terminals
from hooptui.core.events import (
    Asked,
    Body,
    Decided,
    Event,
    Finished,
    Frozen,
    Header,
    KillAsked,
    KillDone,
    Omitted,
    Output,
    Rows,
    SessionClosed,
    SessionOpened,
)
from hooptui.core.events_channels import FileDone, TerminalOpened, TerminalOutput, TerminalResized
from hooptui.core.visible import visible

_CELL: Final = 60
"""Widest cell, in columns; what is cut off ends with `…`."""
_INDENT: Final = " " * 12


def plain(events: Iterable[Event]) -> Iterator[str]:
    """Lines of text, without newlines: one block for each event, times counted from the first one."""
    start: float | None = None
    columns: dict[int, Sequence[str]] = {}
    terminals = Terminals()
    for event in events:
        if start is None:
            start = event.at
            yield f"{_stamp(event.at)} UTC"
        body = event.body
        if isinstance(body, Header):
            columns[body.operation] = body.columns
            continue
        lines: list[str] = []
        match body:
            case Rows():
                lines = _table(columns.pop(body.operation, ()), body.rows)
            case TerminalOpened():
                lines = [*terminals.opened(body.operation, body.columns, body.rows), *_words(body)]
            case TerminalOutput():
                lines = [*terminals.wrote(body.operation, body.text)]
            case TerminalResized():
                lines = [*terminals.resized(body.operation, body.columns, body.rows), *_words(body)]
            case Finished():
                header = columns.pop(body.operation, None)
                lines = [*terminals.ended(body.operation), *(_table(header, ()) if header else ()), *_words(body)]
            case SessionClosed():
                lines = [*terminals.all_ended(), *_words(body)]
            case _:
                lines = _words(body)
        yield from _timed(event.at - start, lines)
    yield from _timed(None, [*terminals.all_ended()])


def _timed(since: float | None, lines: Sequence[str]) -> Iterator[str]:
    clock = "" if since is None else _offset(since)
    for number, line in enumerate(lines):
        yield f"{clock if number == 0 else '':>9} {line}".rstrip()


def _words(body: Body) -> list[str]:
    match body:
        case SessionOpened():
            return [
                f"● {visible(body.name)} → {visible(body.target)} ({visible(body.protocol)}) from {visible(body.peer)}",
                f"  {visible(body.issuer)}#{visible(body.subject)} ({visible(body.kind)}{f' for {visible(body.owner)}' if body.owner else ''})"
                + (f" · lease {visible(body.lease)}" if body.lease else ""),
                f"  groups {_list(body.groups)} · application {visible(body.application) or '-'} · policy {visible(body.policy)}",
                *([f"  until {_stamp(body.deadline)} UTC"] if body.deadline is not None else []),
            ]
        case SessionClosed():
            return [
                f"○ closed: {visible(body.reason)} · {body.operations} operations · {body.masked} values masked"
                f" · {body.bytes_in} bytes in, {body.bytes_out} out"
            ]
        case Asked():
            values = [
                f"  ${number} = {'NULL' if value is None else _quoted(value)}"
                for number, value in enumerate(body.parameters, 1)
            ]
            return [*_block(f"▶ {body.operation} ", body.text), *values]
        case Decided():
            sign = "✓" if body.effect == "allow" else "✗"
            by = f" by {visible(body.by)}" if body.by and body.why != "granted" else ""
            number = f" #{body.approval}" if body.approval else ""
            return [
                f"{sign} {body.operation} {visible(body.effect)} ({visible(body.why)}){number}{by}"
                f" · rule {_list(body.rules)} · {visible(body.reason)}"
            ]
        case Finished():
            masked = f" · {body.masked} values masked ({_list(body.masks)})" if body.masked else ""
            sign = "◀" if body.ok else "◀ !"
            # Commands and requests have none; that a query found none, its tag says.
            rows = f" · {body.rows} rows" if body.rows else ""
            return [f"{sign} {body.operation} {visible(body.tag)}{rows} · {body.milliseconds:.1f} ms{masked}"]
        case Output():
            return _block(f"◀ {body.operation} {visible(body.stream)}: ", body.text)
        case Omitted():
            rows = f"{body.rows} rows, " if body.rows else ""
            return [
                f"… {body.operation} {rows}{body.bytes} bytes not recorded: the cap is {body.cap} bytes for one operation"
            ]
        case TerminalOpened():
            term = f", {visible(body.term)}" if body.term else ""
            return [f"◀ {body.operation} terminal of {body.columns} by {body.rows}{term}"]
        case TerminalResized():
            return [f"◀ {body.operation} terminal is {body.columns} by {body.rows} now"]
        case FileDone():
            return [_file(body)]
        case Frozen():
            return [f"● {visible(body.by)} {'froze' if body.on else 'thawed'} the session"]
        case KillAsked():
            return [f"✗ {visible(body.by)} kills the session: {visible(body.reason)}"]
        case KillDone():
            sure = "confirmed" if body.confirmed else "NOT confirmed"
            return [f"✗ kill {sure} after {body.seconds:.3f} s: {visible(body.how)}"]
        case _ if found := people_words(body):
            return found
        case _:
            parts = (f"{field.name} {visible(str(getattr(body, field.name)))}" for field in fields(body))
            return [f"● {kind_of(type(body)).replace('_', ' ')}: {' · '.join(parts)}"]


def _file(body: FileDone) -> str:
    sign = "✗" if body.refused else "◀" if body.ok else "◀ !"
    paths = " ".join(f'"{visible(path)}"' for path in body.paths)
    moved = ""
    if body.size is not None:
        start = f" from {body.start}" if body.start else ""
        moved = f" {body.size} bytes{start} sha256 {visible(body.sha256) or 'none: not in order'}"
    refused = "refused: " if body.refused else ""
    return f"{sign} {body.operation} {visible(body.verb)} {paths}{moved} · {refused}{visible(body.result)}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str | None]]) -> list[str]:
    """Columns under each other, as wide as this block of rows needs."""
    lines = [[_cell(name) for name in header]] if header else []
    lines += [["NULL" if value is None else _cell(value) for value in row] for row in rows]
    widths = [
        max(_width(line[column]) for line in lines if column < len(line))
        for column in range(max(map(len, lines), default=0))
    ]
    drawn = [" │ ".join(_pad(cell, widths[column]) for column, cell in enumerate(line)).rstrip() for line in lines]
    if header:
        drawn.insert(1, "─┼─".join("─" * width for width in widths))
    return [f"  {line}" for line in drawn]


def _cell(text: str) -> str:
    # What cannot show anyway need not be made visible first; an escape takes at most ten characters.
    text = visible(text[: _CELL + 1])
    if _width(text) <= _CELL:
        return text
    cut, width = 0, 0
    while width + _wide(text[cut]) < _CELL:
        width += _wide(text[cut])
        cut += 1
    return f"{text[:cut]}…"


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(map(_wide, text))


def _wide(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _block(start: str, text: str) -> list[str]:
    """Text of several lines: newlines are kept, and what follows is indented so that it cannot pass for an event."""
    first, *more = visible(text, keep="\n\t").split("\n")
    return [f"{start}{first}", *(f"{_INDENT}{line}" for line in more)]


def _quoted(text: str) -> str:
    return f"'{visible(text)}'"


def _list(names: Iterable[str]) -> str:
    return ", ".join(visible(name) for name in names) or "-"


def _stamp(at: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    except (OverflowError, ValueError, OSError):
        return f"{at:.0f} s"


def _offset(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
