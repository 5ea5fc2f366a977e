"""A recorded terminal at any moment: carried out from the nearest picture that was kept. Pure; knows no widget and no clock.

Going back never begins at the start: every `SPACING` characters a copy of the terminal is kept. A jump so far ahead that
carrying out everything in between would keep the screen waiting begins a little before its end with an empty terminal, and
says so: what is drawn there may lack what was drawn long before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from hooptui.core.events import Event
from hooptui.core.events_channels import TerminalOpened, TerminalOutput, TerminalResized
from hooptui.terminal.emulator import Emulator

SPACING: Final = 256 * 1024
"""Characters between two kept pictures."""
EXACT: Final = 2 * 1024 * 1024
"""Characters that one move carries out at most to be exact."""
TAIL: Final = 512 * 1024
"""Characters that it carries out otherwise."""


class Reel:
    """One terminal of a recording: that of `operation`."""

    def __init__(self, events: Sequence[Event], operation: int) -> None:
        self.operation = operation
        self.exact = True
        """What is shown is what the client saw, the whole of it."""
        self._events = [
            (index, event.body)
            for index, event in enumerate(events)
            if isinstance(event.body, TerminalOpened | TerminalOutput | TerminalResized)
            and event.body.operation == operation
        ]
        self._at = [index for index, _ in self._events]
        self._before = [0]
        """Characters before each of them, and in all."""
        for _, body in self._events:
            self._before.append(self._before[-1] + (len(body.text) if isinstance(body, TerminalOutput) else 0))
        self._kept: list[tuple[int, Emulator]] = [(0, Emulator())]
        self._place, self._emulator = 0, Emulator()

    def to(self, index: int) -> Emulator:
        """The terminal after the first `index` events of the recording."""
        place = bisect_left(self._at, index)
        if place == self._place:
            return self._emulator
        near, picture = self._kept[bisect_right(self._kept, place, key=lambda kept: kept[0]) - 1]
        onward = self._place <= place
        if self.exact and onward and near <= self._place:
            near, picture = self._place, self._emulator
        far = self._cost(near, place) > EXACT
        if far and not self.exact and onward and self._cost(self._place, place) <= TAIL:
            # On from where one has jumped to.
            return self._run(self._emulator, self._place, place)
        if not far:
            self.exact = True
            return self._run(picture if picture is self._emulator else picture.copy(), near, place)
        self.exact = False
        start = bisect_left(self._before, self._before[place] - TAIL, 0, place)
        return self._run(Emulator(*self._size(start)), start, place)

    def _cost(self, start: int, end: int) -> int:
        return self._before[end] - self._before[start]

    def _size(self, place: int) -> tuple[int, int]:
        for _, body in reversed(self._events[:place]):
            if not isinstance(body, TerminalOutput):
                return body.columns, body.rows
        return 80, 24

    def _run(self, emulator: Emulator, start: int, end: int) -> Emulator:
        for place in range(start, end):
            match self._events[place][1]:
                case TerminalOutput(text=text):
                    emulator.feed(text)
                case TerminalOpened(columns=columns, rows=rows) | TerminalResized(columns=columns, rows=rows):
                    emulator.screen.resize(columns, rows)
            last = self._kept[-1][0]
            if self.exact and place + 1 > last and self._cost(last, place + 1) >= SPACING:
                self._kept.append((place + 1, emulator.copy()))
        self._place, self._emulator = end, emulator
        return emulator
