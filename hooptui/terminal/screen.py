"""The grid: lines, cursor, margins, the alternate screen, and what has scrolled off. Knows no control sequence.

Bounded: `MOST_COLUMNS` by `MOST_ROWS` cells and `HISTORY` lines, whatever it is told. Every coordinate is from 0 and is
clamped; nothing here raises.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from hooptui.terminal.cells import PLAIN, Line, Look, cells_of

MOST_COLUMNS: Final = 500
MOST_ROWS: Final = 200
HISTORY: Final = 1000
"""Lines that are kept of what has scrolled off."""
_TAB: Final = 8


class Saved(NamedTuple):
    """What DECSC keeps."""

    x: int
    y: int
    look: Look
    origin: bool
    graphics: tuple[bool, bool]
    shift: int


_HOME: Final = Saved(0, 0, PLAIN, False, (False, False), 0)
_PARTS: Final = re.compile(r"[ -~]+|[^ -~]+")
_GRAPHICS: Final = str.maketrans("`abcdefghijklmnopqrstuvwxyz{|}~", "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")


class Screen:
    """See the module. Its size in cells is `columns` by `rows`."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.columns, self.rows = clamped(columns, rows)
        self.history: deque[Line] = deque(maxlen=HISTORY)
        self._main: list[Line] | None = None
        self.on_gone: Callable[[Line], None] | None = None
        """Told of every line that scrolls off, for good."""
        self.on_left: Callable[[list[Line]], None] | None = None
        """Told of the alternate screen when it is left."""
        self.lines: list[Line] = []
        self.reset()

    def reset(self) -> None:
        """RIS: as at the start; history stays."""
        self.switch(False)
        self.lines = [Line(self.columns) for _ in range(self.rows)]
        self.saved = _HOME
        self.soft_reset()
        self.x = self.y = 0
        self.look = PLAIN
        self.tabs = set(range(_TAB, MOST_COLUMNS, _TAB))
        self.last = ""

    def soft_reset(self) -> None:
        """DECSTR."""
        self.top, self.bottom = 0, self.rows - 1
        self.origin = self.insert = self.newline = False
        self.wraps = self.shown = True
        self.full = False
        """The cursor stands behind the last column: the next character begins a new line."""
        self.graphics = (False, False)
        """Whether G0 and G1 are the line-drawing set."""
        self.shift = 0

    def copy(self) -> Screen:
        """The same again, independent of this one; lines that have scrolled off are shared, since they do not change."""
        other = Screen.__new__(Screen)
        other.__dict__.update(self.__dict__)
        other.lines = [line.copy() for line in self.lines]
        other._main = None if self._main is None else [line.copy() for line in self._main]
        other.history = self.history.copy()
        other.tabs = set(self.tabs)
        other.on_gone = other.on_left = None
        return other

    # --- what is to be seen

    @property
    def alternate(self) -> bool:
        return self._main is not None

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    def resize(self, columns: int, rows: int) -> None:
        """The window has another size; nothing is wrapped anew."""
        columns, rows = clamped(columns, rows)
        if (columns, rows) == (self.columns, self.rows):
            return
        self.columns = columns
        for lines, current in ((self.lines, True), (self._main, False)):
            if lines is None:
                continue
            for line in lines:
                line.resize(columns)
            over = len(lines) - rows
            # Blank lines below the cursor go first, then what stands at the top.
            while over > 0 and len(lines) > self.y + 1 and lines[-1].blank:
                lines.pop()
                over -= 1
            for line in lines[: max(0, over)]:
                if not current or self._main is None:
                    self._off(line)
                if current:
                    self.y -= 1
            del lines[: max(0, over)]
            lines.extend(Line(columns) for _ in range(rows - len(lines)))
        self.rows = rows
        self.top, self.bottom, self.full = 0, rows - 1, False
        self.x, self.y = min(self.x, columns - 1), max(0, min(self.y, rows - 1))

    def switch(self, alternate: bool, *, clear: bool = True) -> None:
        """To the alternate screen, or back to the main one as it was."""
        if alternate and self._main is None:
            self._main = self.lines
            self.lines = [Line(self.columns, self._back) for _ in range(self.rows)]
        elif not alternate and self._main is not None:
            left, self.lines, self._main = self.lines, self._main, None
            if self.on_left is not None:
                self.on_left(left)
        elif alternate and clear:
            self.lines = [Line(self.columns, self._back) for _ in range(self.rows)]
        self.full = False

    # --- writing

    def draw(self, text: str) -> None:
        """Characters, none of them a control."""
        self.last = text[-1]
        if self.graphics[self.shift]:
            text = text.translate(_GRAPHICS)
        if self.insert:
            for char in text:
                self._put(char)
        elif text.isascii():
            self._run(text)
        else:
            for part in _PARTS.findall(text):
                if part.isascii() or all(cells_of(char) == 1 for char in part):
                    self._run(part)
                else:
                    for char in part:
                        self._put(char)

    def _run(self, text: str) -> None:
        """Characters of one cell each."""
        at, size = 0, len(text)
        while at < size:
            self._fold()
            room = self.columns - self.x
            if not self.wraps and size - at > room:
                # Without wrapping all that has no room lands on the last column, one over the other.
                text, at, size = text[at : at + room - 1] + text[-1], 0, room
            part = text[at : at + room]
            self.lines[self.y].put(self.x, part, self.look)
            self._on(len(part))
            at += len(part)

    def _put(self, char: str) -> None:
        cells = cells_of(char)
        if cells < 0:
            return
        if cells == 0:
            at = self.x if self.full else self.x - 1
            if at >= 0:
                self.lines[self.y].mark(at, char)
            return
        if cells == 2 and self.columns < 2:
            char, cells = "�", 1
        self._fold()
        if cells == 2 and self.x == self.columns - 1:
            if self.wraps:
                self.lines[self.y].wrapped = True
                self.x = 0
                self.index()
            else:
                self.x -= 1
        line = self.lines[self.y]
        if self.insert:
            line.insert(self.x, cells, self._back)
        if cells == 2:
            line.put_wide(self.x, char, self.look)
        else:
            line.put(self.x, char, self.look)
        self._on(cells)

    def _fold(self) -> None:
        """Begin a new line where the last one is full."""
        if self.full and self.wraps:
            self.lines[self.y].wrapped = True
            self.x = 0
            self.index()
        self.full = False

    def _on(self, cells: int) -> None:
        self.x += cells
        if self.x >= self.columns:
            self.x, self.full = self.columns - 1, True

    def repeat(self, count: int) -> None:
        """REP: the last character again."""
        if self.last and cells_of(self.last) > 0:
            self.draw(self.last * min(count, self.columns * self.rows))

    # --- the cursor

    def to(self, x: int | None = None, y: int | None = None) -> None:
        """To a place; None leaves that coordinate."""
        if x is not None:
            self.x = max(0, min(x, self.columns - 1))
        if y is not None:
            top, bottom = (self.top, self.bottom) if self.origin else (0, self.rows - 1)
            self.y = max(top, min(y + (top if self.origin else 0), bottom))
        self.full = False

    def up(self, count: int) -> None:
        self.y = max(self.top if self.y >= self.top else 0, self.y - count)
        self.full = False

    def down(self, count: int) -> None:
        self.y = min(self.bottom if self.y <= self.bottom else self.rows - 1, self.y + count)
        self.full = False

    def tab(self, count: int) -> None:
        """To the next stops, or the ones before."""
        for _ in range(min(abs(count), self.columns)):
            stops = [one for one in self.tabs if (self.x < one if count > 0 else one < self.x)]
            self.x = min((min if count > 0 else max)(stops, default=0 if count < 0 else self.columns), self.columns - 1)

    def index(self) -> None:
        """IND: a line down, scrolling at the lower margin."""
        if self.y == self.bottom:
            self.scroll_up(1)
        elif self.y < self.rows - 1:
            self.y += 1
        self.full = False

    def reverse_index(self) -> None:
        """RI: a line up, scrolling at the upper margin."""
        if self.y == self.top:
            self.scroll_down(1)
        elif self.y > 0:
            self.y -= 1
        self.full = False

    def line_feed(self) -> None:
        if self.newline:
            self.x = 0
        self.index()

    def save(self) -> None:
        self.saved = Saved(self.x, self.y, self.look, self.origin, self.graphics, self.shift)

    def restore(self) -> None:
        x, y, self.look, self.origin, self.graphics, self.shift = self.saved
        self.x, self.y, self.full = min(x, self.columns - 1), min(y, self.rows - 1), False

    def margins(self, top: int, bottom: int) -> None:
        """DECSTBM; lines from 0, the lower one included."""
        bottom = min(bottom, self.rows - 1)
        if 0 <= top < bottom:
            self.top, self.bottom = top, bottom
            self.to(0, 0)

    # --- lines and cells

    def scroll_up(self, count: int) -> None:
        for _ in range(min(count, self.bottom - self.top + 1)):
            line = self.lines.pop(self.top)
            if self.top == 0 and self._main is None:
                self._off(line)
            self.lines.insert(self.bottom, Line(self.columns, self._back))

    def scroll_down(self, count: int) -> None:
        for _ in range(min(count, self.bottom - self.top + 1)):
            del self.lines[self.bottom]
            self.lines.insert(self.top, Line(self.columns, self._back))

    def insert_lines(self, count: int) -> None:
        if self.top <= self.y <= self.bottom:
            for _ in range(min(count, self.bottom - self.y + 1)):
                del self.lines[self.bottom]
                self.lines.insert(self.y, Line(self.columns, self._back))
            self.x, self.full = 0, False

    def delete_lines(self, count: int) -> None:
        if self.top <= self.y <= self.bottom:
            for _ in range(min(count, self.bottom - self.y + 1)):
                del self.lines[self.y]
                self.lines.insert(self.bottom, Line(self.columns, self._back))
            self.x, self.full = 0, False

    def insert_cells(self, count: int) -> None:
        self.lines[self.y].insert(self.x, count, self._back)
        self.full = False

    def delete_cells(self, count: int) -> None:
        self.lines[self.y].delete(self.x, count, self._back)
        self.full = False

    def erase_cells(self, count: int) -> None:
        self.lines[self.y].erase(self.x, self.x + count, self._back)
        self.full = False

    def erase_line(self, how: int) -> None:
        """EL: 0 from the cursor on, 1 up to it, 2 all."""
        start, end = {0: (self.x, self.columns), 1: (0, self.x + 1), 2: (0, self.columns)}.get(how, (0, 0))
        self.lines[self.y].erase(start, end, self._back)
        self.full = False

    def erase_display(self, how: int) -> None:
        """ED: 0 from the cursor on, 1 up to it, 2 all. What a cleared main screen showed is kept as scrolled off."""
        if how not in (0, 1, 2):
            return
        if how == 2 or (how == 0 and self.x == self.y == 0):
            if self._main is None:
                used = next((y for y in range(self.rows - 1, -1, -1) if not self.lines[y].blank), -1)
                for line in self.lines[: used + 1]:
                    self._off(line.copy())
        elif how == 0:
            self.erase_line(0)
        else:
            self.erase_line(1)
        whole = {0: range(self.y + bool(self.x or self.y), self.rows), 1: range(self.y), 2: range(self.rows)}[how]
        for y in whole:
            self.lines[y] = Line(self.columns, self._back)
        self.full = False

    def align(self) -> None:
        """DECALN: a screen full of E."""
        for line in self.lines:
            line.put(0, "E" * self.columns, PLAIN)
        self.top, self.bottom = 0, self.rows - 1
        self.to(0, 0)

    @property
    def _back(self) -> Look:
        """What is erased keeps the background."""
        return PLAIN if self.look.back == PLAIN.back else Look(back=self.look.back)

    def _off(self, line: Line) -> None:
        self.history.append(line)
        if self.on_gone is not None:
            self.on_gone(line)


def clamped(columns: int, rows: int) -> tuple[int, int]:
    """A size that can be drawn; a terminal without one is taken for 80 by 24."""
    return min(columns, MOST_COLUMNS) if columns > 0 else 80, min(rows, MOST_ROWS) if rows > 0 else 24
