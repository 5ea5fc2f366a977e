"""What stands in one cell of a terminal, and in a line of them. Knows no cursor and no control sequence."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from hooptui.core.visible import visible

BOLD, FAINT, ITALIC, UNDERLINE, REVERSE, STRIKE = 1, 2, 4, 8, 16, 32
RGB: Final = 1 << 24
"""Set in a colour whose lower 24 bits are red, green and blue; without it 0 to 255 is of the palette."""
DEFAULT: Final = -1
STACKED: Final = 2
"""Combining marks that one cell keeps; a tower of them would draw over the lines above."""


class Look(NamedTuple):
    """How a cell is drawn (ECMA-48 section 8.3.117, and the 256 and RGB colours of ISO 8613-6)."""

    fore: int = DEFAULT
    back: int = DEFAULT
    flags: int = 0
    """Of the bits above."""


PLAIN: Final = Look()


@lru_cache(maxsize=8192)
def cells_of(char: str) -> int:
    """Cells that a character takes: 1 or 2, 0 for a mark on the one before, -1 for what must not be drawn at all."""
    if visible(char) != char:
        return -1
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class Line:
    """A row of cells. The second cell of a wide character has no text."""

    __slots__ = ("chars", "looks", "wrapped")

    def __init__(self, columns: int, look: Look = PLAIN) -> None:
        self.chars: list[str] = [" "] * columns
        self.looks: list[Look] = [look] * columns
        self.wrapped = False
        """The next line is its continuation."""

    def copy(self) -> Line:
        other = Line.__new__(Line)
        other.chars, other.looks, other.wrapped = self.chars[:], self.looks[:], self.wrapped
        return other

    @property
    def text(self) -> str:
        return "".join(self.chars).rstrip()

    @property
    def blank(self) -> bool:
        return not "".join(self.chars).strip()

    def put(self, x: int, text: str, look: Look) -> None:
        """Characters of one cell each, as far as there is room."""
        end = x + len(text)
        self._part(x, end)
        self.chars[x:end] = text
        self.looks[x:end] = [look] * len(text)

    def put_wide(self, x: int, char: str, look: Look) -> None:
        self._part(x, x + 2)
        self.chars[x : x + 2] = (char, "")
        self.looks[x : x + 2] = (look, look)

    def mark(self, x: int, char: str) -> None:
        """A combining mark on what stands at `x`."""
        if self.chars[x] == "" and x:
            x -= 1
        if len(self.chars[x]) <= STACKED:
            self.chars[x] += char

    def erase(self, x: int, end: int, look: Look) -> None:
        end = min(end, len(self.chars))
        if x < end:
            self.put(x, " " * (end - x), look)

    def insert(self, x: int, count: int, look: Look) -> None:
        """Blanks at `x`; what is pushed over the edge is gone."""
        columns = len(self.chars)
        self._part(x, x)
        self.chars[x:x] = [" "] * min(count, columns - x)
        self.looks[x:x] = [look] * min(count, columns - x)
        self._cut(columns)

    def delete(self, x: int, count: int, look: Look) -> None:
        """Take cells out; blanks come in from the edge."""
        columns = len(self.chars)
        count = min(count, columns - x)
        self._part(x, x + count)
        del self.chars[x : x + count], self.looks[x : x + count]
        self.chars += [" "] * count
        self.looks += [look] * count

    def resize(self, columns: int) -> None:
        more = columns - len(self.chars)
        if more > 0:
            self.chars += [" "] * more
            self.looks += [PLAIN] * more
        else:
            self._cut(columns)

    def _cut(self, columns: int) -> None:
        if columns < len(self.chars) and self.chars[columns] == "":
            self.chars[columns - 1] = " "
        del self.chars[columns:], self.looks[columns:]

    def _part(self, x: int, end: int) -> None:
        """No half of a wide character stays beside what is written over `x` to `end`."""
        if 0 < x < len(self.chars) and self.chars[x] == "":
            self.chars[x - 1], self.chars[x] = " ", " "
        if end < len(self.chars) and self.chars[end] == "":
            self.chars[end - 1], self.chars[end] = " ", " "
