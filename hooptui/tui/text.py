"""Text in terminal cells: cleaning, fitting, wrapping, and the plain spans that every widget draws.

Everything that came from outside passes `clean` before it is measured. Nothing here reads markup, so there is none to obey.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from rich.cells import cell_len, chop_cells, set_cell_size

from hooptui.core.visible import visible

Span = tuple[str, str]
"""Text and the name of its style."""

Row = tuple[Span, ...]
"""One line of the screen."""

LIMIT: Final = 4000
"""Characters of one text that the screen ever looks at; the record has the rest."""

_STACKED: Final = 2
_MASK: Final = re.compile("█+(?: █+)*")
_WORDS: Final = re.compile(r"\s+|\S+")


def clean(text: str, limit: int = LIMIT) -> str:
    """One line of inert text: controls shown, line breaks as `␊`, towers of combining marks cut, at most `limit` characters."""
    return _inert(text, limit, multiline=False)


def clean_lines(text: str, limit: int = LIMIT) -> list[str]:
    """Like `clean`, but real line breaks stay line breaks and tabs become spaces."""
    return _inert(text, limit, multiline=True).replace("\t", "    ").split("\n")


def _inert(text: str, limit: int, *, multiline: bool) -> str:
    if len(text) > limit:
        more = len(text) - limit
        text = f"{text[:limit]}… ({count(more)} characters more)"
    if multiline:
        text = text.replace("\r\n", "\n")
    shown = visible(text, keep="\n\t") if multiline else visible(text)
    return shown if shown.isascii() else _flatten(shown)


def _flatten(text: str) -> str:
    """Keep two combining marks on a character; a tower of them would draw over the lines above."""
    out: list[str] = []
    height = 0
    for char in text:
        if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
            height += 1
            if height > _STACKED:
                continue
        else:
            height = 0
        out.append(char)
    return "".join(out)


def width(text: str) -> int:
    """Cells that `text` takes."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, cells: int, *, right: bool = False) -> str:
    """Exactly `cells` wide: padded, or cut with an ellipsis."""
    if cells <= 0:
        return ""
    size = width(text)
    if size > cells:
        text = set_cell_size(text, cells - 1) + "…"
        size = width(text)
    pad = " " * (cells - size)
    return pad + text if right else text + pad


def wrap(text: str, cells: int) -> list[str]:
    """`text` in lines of at most `cells`, broken between words where that is possible; never empty."""
    if width(text) <= cells:
        return [text]
    lines: list[str] = []
    line, used = "", 0
    for word in _WORDS.findall(text):
        size = width(word)
        if used + size <= cells:
            line, used = line + word, used + size
            continue
        if line.strip():
            lines.append(line.rstrip())
        if word.isspace():
            line, used = "", 0
            continue
        pieces = chop_cells(word, max(2, cells)) if size > cells else [word]
        lines.extend(pieces[:-1])
        line, used = pieces[-1], width(pieces[-1])
    lines.append(line)
    return lines


def crop(row: Iterable[Span], cells: int) -> Row:
    """The first `cells` of a row; an ellipsis says that something was cut."""
    out: list[Span] = []
    left = cells
    spans = list(row)
    for index, (text, name) in enumerate(spans):
        size = width(text)
        if size > left or (size == left and any(rest for rest, _ in spans[index + 1 :])):
            out.append((fit(text + " " * (left + 1), left), name) if left > 0 else ("", name))
            return tuple(out)
        out.append((text, name))
        left -= size
    return tuple(out)


def wrap_row(row: Row, cells: int) -> list[Row]:
    """A row of spans in lines of at most `cells`; styles carry over."""
    if row_width(row) <= cells:
        return [row]
    lines = wrap("".join(text for text, _ in row), cells)
    out: list[Row] = []
    pending = [(text, name) for text, name in row if text]
    for line in lines:
        made: list[Span] = []
        need = line
        while need and pending:
            text, name = pending[0]
            if not made:
                text = text.lstrip() if not need[0].isspace() else text
                if not text:
                    pending.pop(0)
                    continue
            take = min(len(text), len(need))
            made.append((text[:take], name))
            need = need[take:]
            rest = text[take:]
            if rest:
                pending[0] = (rest, name)
            else:
                pending.pop(0)
        out.append(tuple(made))
    return out


def hang(head: Span, body: Row, cells: int, most: int = 0) -> list[Row]:
    """`body` wrapped beside a label, at most `most` lines of it (0: all)."""
    indent = width(head[0])
    rows = wrap_row(body, max(8, cells - indent))
    if most and len(rows) > most:
        rows = [*rows[: most - 1], crop((*rows[most - 1], (" …", "faint")), cells - indent)]
    return [(head, *rows[0]), *(((" " * indent, ""), *row) for row in rows[1:])]


def row_width(row: Iterable[Span]) -> int:
    return sum(width(text) for text, _ in row)


def plain(row: Iterable[Span]) -> str:
    return "".join(text for text, _ in row)


def spot(text: str, name: str = "text") -> Iterator[Span]:
    """`text` with its masked runs in their own style."""
    if "█" not in text:
        if text:
            yield text, name
        return
    at = 0
    for hit in _MASK.finditer(text):
        if hit.start() > at:
            yield text[at : hit.start()], name
        yield hit[0], "masked"
        at = hit.end()
    if at < len(text):
        yield text[at:], name


def span_of(seconds: float) -> str:
    """A length of time for a narrow column: `0:47`, `12:04`, `3:07h`, `2d`."""
    whole = max(0, int(seconds))
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 100 * 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}h"
    return f"{whole // 86400}d"


def count(number: int) -> str:
    """A number for reading: `41 000`, with a narrow no-break space left out on purpose (terminals differ on its width)."""
    return f"{number:,}".replace(",", " ")


def many(number: int, noun: str) -> str:
    """`1 row`, `41 000 rows`."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def size(octets: int) -> str:
    """Bytes for reading: `512 B`, `3.1 MB`."""
    amount = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{octets} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
