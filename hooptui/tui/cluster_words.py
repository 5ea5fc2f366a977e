"""Bodies of Kubernetes as people read them: tables as kubectl prints them, lists by name, objects as an outline. Pure; knows no event.

The record has every byte; what is drawn is a part, and says so. Nothing here is trusted: a body may be cut, or no JSON at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from hooptui.tui.text import Row, clean, count, fit, spot, width

BODY: Final = 64 * 1024
"""Characters of one body that are kept until it is whole."""
ROWS: Final = 40
LINES: Final = 40
CELL: Final = 40
_FIRST: Final = 300
_STANDS_IN: Final = re.compile(
    r"masked-by-hooptui\.[0-9a-f]{8}\.[0-9a-f]{16}|bWFza2VkLWJ5LWhvb3B0dWku[A-Za-z0-9+/]{30,60}={0,2}"
)
"""What masks put in a value's place, so that it can be known when it is written back; in a Secret it is base64."""
_HIDDEN: Final = frozenset({"managedFields", "uid", "resourceVersion", "generation", "selfLink"})


def body(text: str) -> list[Row]:
    """The lines of one body, at least one."""
    try:
        value = json.loads(text)
    except ValueError:
        return [*_raw(text)]
    if not isinstance(value, dict):
        return [*_raw(text)]
    return _object(value)


def events(text: str) -> tuple[list[Row], str]:
    """A line for each whole event of a watch, and what is left of the text."""
    *whole, rest = text.split("\n")
    return [_event(line) for line in whole if line.strip()], rest[-BODY:]


def _object(value: dict[str, Any]) -> list[Row]:
    kind = _text(value.get("kind"))
    if kind == "Table" and isinstance(value.get("rows"), list):
        return [*_table(value)]
    if isinstance(value.get("items"), list):
        return [*_list(kind, value["items"])]
    if kind == "Status":
        said = _text(value.get("message")) or _text(value.get("reason")) or _text(value.get("status"))
        return [tuple(spot(clean(said, 500), "text"))]
    return [*_outline(value)]


def _event(line: str) -> Row:
    try:
        value = json.loads(line)
    except ValueError:
        return tuple(spot(clean(line, _FIRST), "text"))
    found = value.get("object") if isinstance(value, dict) else None
    if not isinstance(found, dict):
        return tuple(spot(clean(line, _FIRST), "text"))
    what = fit(clean(_text(value.get("type")), 20), 9)
    if _text(found.get("kind")) == "Table" and isinstance(found.get("rows"), list):
        names = ", ".join(_cell(cells, 0) for cells in map(_cells, found["rows"][:4]))
        return ((what, "column"), (" ", ""), *spot(clean(names, 200), "text"))
    return ((what, "column"), (" ", ""), *spot(clean(_named(found), 200), "text"))


def _table(value: dict[str, Any]) -> Iterator[Row]:
    defined = value.get("columnDefinitions")
    columns = [
        (at, clean(_text(one.get("name")).upper(), CELL))
        for at, one in enumerate(defined if isinstance(defined, list) else [])
        if isinstance(one, dict) and one.get("priority") in (0, None)
    ][:12]
    rows = [_cells(row) for row in value["rows"]]
    shown = [[clean(_cell(cells, at), 200) for at, _ in columns] for cells in rows[:ROWS]]
    widths = [
        min(CELL, max([width(name), *(width(row[index]) for row in shown)])) for index, (_, name) in enumerate(columns)
    ]
    if columns:
        yield tuple(_aligned([name for _, name in columns], widths, "column"))
    for row in shown:
        yield tuple(_aligned(row, widths, "text"))
    yield from _more(len(rows) - len(shown), "rows")


def _aligned(cells: list[str], widths: list[int], style: str) -> Iterator[tuple[str, str]]:
    for index, cell in enumerate(cells):
        if index:
            yield "   ", ""
        yield from spot(fit(cell, widths[index]), style)


def _list(kind: str, items: list[Any]) -> Iterator[Row]:
    yield ((clean(kind or "list", 60), "column"), (f" of {count(len(items))}", "faint"))
    for one in items[:ROWS]:
        yield tuple(spot(clean(_named(one, kind.removesuffix("List")), 200), "text"))
    yield from _more(len(items) - ROWS, "more")


def _named(value: Any, kind: str = "") -> str:
    """`Pod shop/web-1`, with the names of what it holds when that is data."""
    if not isinstance(value, dict):
        return "?"
    metadata = value.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    place = "/".join(filter(None, (_text(names.get("namespace")), _text(names.get("name")))))
    data = value.get("data")
    holds = f"  data: {', '.join(map(str, list(data)[:6]))}" if isinstance(data, dict) and data else ""
    return f"{_text(value.get('kind')) or kind or 'object'} {place}{holds}"


def _outline(value: dict[str, Any]) -> Iterator[Row]:
    lines = [*_indented(value, 0, LINES + 1)]
    for depth, key, text in lines[:LINES]:
        spans = [("  " * depth, ""), (clean(key, 80), "column")]
        if text is not None:
            spans += [(" ", ""), *spot(clean(text, _FIRST), "text")]
        yield tuple(spans)
    if len(lines) > LINES:
        yield (("… more of it not shown, all recorded …", "faint"),)


def _indented(value: Any, depth: int, most: int) -> Iterator[tuple[int, str, str | None]]:
    """Depth, key and value, as YAML has them; at most `most`."""
    if depth > 12:
        yield depth, "…", None
        return
    pairs = value.items() if isinstance(value, dict) else (("-", one) for one in value)
    for key, one in pairs:
        if most <= 0:
            return
        if key in _HIDDEN or one in ({}, [], None):
            continue
        if isinstance(one, dict | list):
            most -= 1
            yield depth, f"{key}:" if key != "-" else "-", None
            for line in _indented(one, depth + 1, most):
                most -= 1
                yield line
        else:
            most -= 1
            yield depth, f"{key}:" if key != "-" else "-", _text(one)


def _raw(text: str) -> Iterator[Row]:
    """What is no JSON, or only a part of it."""
    yield tuple(spot(clean(text, _FIRST), "text"))


def _more(left: int, what: str) -> Iterator[Row]:
    if left > 0:
        yield ((f"… {count(left)} {what} not shown, all recorded …", "faint"),)


def _cells(row: Any) -> list[Any]:
    cells = row.get("cells") if isinstance(row, dict) else None
    return cells if isinstance(cells, list) else []


def _cell(cells: list[Any], at: int) -> str:
    return _text(cells[at]) if at < len(cells) else ""


def _text(value: Any) -> str:
    match value:
        case str():
            return _STANDS_IN.sub("████", value)
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case _:
            return str(value)[:_FIRST]
