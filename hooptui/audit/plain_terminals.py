"""What terminals showed, as lines of text: those that scrolled off, then the last picture. Pure; knows no file.

A program that takes the whole screen leaves one picture of it: the last before it gave the screen back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hooptui.core.visible import visible
from hooptui.terminal.cells import Line
from hooptui.terminal.emulator import Emulator

MOST: Final = 64
"""Terminals that are followed at a time; the oldest is printed as far as it came when there are more."""
_JOINED: Final = 4000


class Terminals:
    """All terminals of one recording, by their operation."""

    def __init__(self) -> None:
        self._open: dict[int, _Printer] = {}

    def opened(self, operation: int, columns: int, rows: int) -> Iterator[str]:
        yield from self.ended(operation)
        if len(self._open) >= MOST:
            yield from self.ended(next(iter(self._open)))
        self._open[operation] = _Printer(operation, columns, rows)

    def wrote(self, operation: int, text: str) -> Iterator[str]:
        """The lines that are final now."""
        printer = self._open.get(operation)
        if printer is None:
            printer = self._open[operation] = _Printer(operation, 0, 0)
        printer.emulator.feed(text)
        yield from printer.taken()

    def resized(self, operation: int, columns: int, rows: int) -> Iterator[str]:
        printer = self._open.get(operation)
        if printer is not None:
            printer.emulator.screen.resize(columns, rows)
            yield from printer.taken()

    def ended(self, operation: int) -> Iterator[str]:
        """What stood on the screen at the end."""
        printer = self._open.pop(operation, None)
        if printer is not None:
            yield from printer.rest()

    def all_ended(self) -> Iterator[str]:
        for operation in tuple(self._open):
            yield from self.ended(operation)


class _Printer:
    def __init__(self, operation: int, columns: int, rows: int) -> None:
        self.emulator = Emulator(columns, rows)
        self._head = f"{operation}│ "
        self._lines: list[str] = []
        self._joined = ""
        self.emulator.screen.on_gone = self._gone
        self.emulator.screen.on_left = self._left

    def taken(self) -> list[str]:
        lines, self._lines = self._lines, []
        return [f"{self._head}{visible(line)}".rstrip() for line in lines]

    def rest(self) -> list[str]:
        screen = self.emulator.screen
        if screen.alternate:
            screen.switch(False)
        for line in _used(screen.lines):
            self._gone(line)
        if self._joined:
            self._lines.append(self._joined)
            self._joined = ""
        return self.taken()

    def _gone(self, line: Line) -> None:
        """A line that ran over its edge goes on in the next one."""
        text = "".join(line.chars)
        self._joined += text if line.wrapped else text.rstrip()
        if not line.wrapped or len(self._joined) > _JOINED:
            self._lines.append(self._joined)
            self._joined = ""

    def _left(self, lines: Sequence[Line]) -> None:
        self._lines.append("┌ the whole screen, when it was given back")
        self._lines += [f"│ {line.text}" for line in _used(lines)]
        self._lines.append("└")


def _used(lines: Sequence[Line]) -> Sequence[Line]:
    """Without the blank ones at the end."""
    last = next((y for y in range(len(lines) - 1, -1, -1) if not lines[y].blank), -1)
    return lines[: last + 1]
