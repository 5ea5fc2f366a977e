"""The row of a terminal that the cursor is in, as a program writes it: enough to read a command line off it. Pure and bounded.

Takes cursor movement within the row, erasing, inserting and deleting; whatever moves elsewhere begins a new row. Knows no width:
a line that wraps goes on in one row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

WIDEST: Final = 4096
"""Columns that are kept."""
_ALTERNATE: Final = frozenset({"47", "1047", "1049"})
"""Private modes that switch to the alternate screen (xterm)."""
_PART: Final = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"  # CSI (ECMA-48 section 5.4)
    r"|\x1b[\]PX^_][^\x07\x1b]{0,2048}(?:\x07|\x1b\\)"  # OSC and other strings
    r"|\x1b[ -/]*[0-Z\\^-~]"  # other escapes
    r"|[^\x00-\x1f\x7f]+"
    r"|[\x00-\x1f\x7f]"
)
_MODE: Final = re.compile(r"\x1b\[\?([0-9;]{1,40})([hl])")
_OPEN: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]{0,2048}\x1b?|[ -/]*)?\Z")
"""An escape sequence whose end is not there yet."""


class Row:
    """See the module."""

    def __init__(self) -> None:
        self.column = 0
        self.alternate = False
        """A program draws its own screen."""
        self._cells: list[str] = []
        self._rest = ""

    def write(self, text: str) -> Iterator[str]:
        """Take what a program wrote; yields each row that ends, when it does."""
        text = self._rest + text
        unfinished = _OPEN.search(text)
        self._rest = "" if unfinished is None else unfinished[0]
        if unfinished is not None:
            text = text[: unfinished.start()]
        for part in _PART.finditer(text):
            found = part[0]
            if part[2]:
                self._control(part[1], part[2])
            elif found == "\n":
                if not self.alternate:
                    yield "".join(self._cells).rstrip()
                self._clear()
            elif found[0] >= " " and found[0] != "\x7f":
                self._put(found)
            elif found == "\r":
                self.column = 0
            elif found == "\b":
                self.column = max(0, self.column - 1)
            elif found == "\t":
                self._move(8 - self.column % 8)

    def skip(self, text: str) -> None:
        """Take what is too much to look at: all that is kept of it is whether a program draws its own screen."""
        text = self._rest + text
        if "\x1b[?" in text:
            for part in _MODE.finditer(text):
                self._mode(part[1], part[2])
        self._rest = ""
        self._clear()

    # --- inside

    def _put(self, text: str) -> None:
        end = min(self.column + len(text), WIDEST)
        if self.column > len(self._cells):
            self._cells += " " * (self.column - len(self._cells))
        self._cells[self.column : end] = text[: end - self.column]
        self.column = end

    def _move(self, by: int) -> None:
        self.column = max(0, min(WIDEST, self.column + by))

    def _clear(self) -> None:
        self._cells.clear()
        self.column = 0

    def _control(self, parameters: str, final: str) -> None:
        first = parameters.partition(";")[0]
        count = min(int(first), WIDEST) if first.isascii() and first.isdigit() and len(first) < 6 else 0
        cells, at = self._cells, self.column
        match final:
            case "C" | "a":
                self._move(max(1, count))
            case "D":
                self._move(-max(1, count))
            case "G" | "`":
                self.column = max(1, count) - 1
            case "K":
                if count == 0:
                    del cells[at:]
                elif count == 1:
                    cells[:at] = " " * min(at, len(cells))
                else:
                    cells.clear()
            case "P":
                del cells[at : at + max(1, count)]
            case "X":
                erased = len(cells[at : at + max(1, count)])
                cells[at : at + erased] = " " * erased
            case "@":
                if at < len(cells):
                    cells[at:at] = " " * max(1, count)
                    del cells[WIDEST:]
            case "H" | "f" | "d" | "A" | "B" | "E" | "F":
                self._clear()
            case "J":
                if count == 0:
                    del cells[at:]
                else:
                    cells.clear()
            case "h" | "l" if parameters.startswith("?"):
                self._mode(parameters[1:], final)
            case _:
                pass

    def _mode(self, parameters: str, final: str) -> None:
        if not _ALTERNATE.isdisjoint(parameters.split(";")):
            self.alternate = final == "h"
            self._clear()
