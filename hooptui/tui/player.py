"""The clock and the position of a replay. Pure: it is told how much time went by; knows no widget and no desk."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final

from hooptui.core.events import Asked, Event
from hooptui.tui.transcript import risky

IDLE_CAP: Final = 2.0
"""Seconds that a pause in the recording lasts at most when it is played."""

SPEEDS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class Player:
    """A recording being played. `at` is how many events have been shown."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        offsets: list[float] = []
        moment = 0.0
        for index, event in enumerate(events):
            if index:
                moment += min(IDLE_CAP, max(0.0, event.at - events[index - 1].at))
            offsets.append(moment)
        self._offsets = offsets
        self.risks = tuple(index for index, event in enumerate(events) if risky(event))
        """Positions of the risky events."""
        self.moment = 0.0
        """Seconds of play, idle time capped."""
        self.at = 1 if events else 0
        self.playing = False
        self._speed = SPEEDS.index(1.0)

    @property
    def length(self) -> float:
        """Seconds it takes at speed 1."""
        return self._offsets[-1] if self._offsets else 0.0

    @property
    def speed(self) -> float:
        return SPEEDS[self._speed]

    @property
    def ended(self) -> bool:
        return self.at >= len(self.events)

    def offset(self, index: int) -> float:
        """Seconds of play at which event `index` shows."""
        return self._offsets[index]

    def advance(self, seconds: float) -> None:
        """Real time went by."""
        if not self.playing:
            return
        self.moment = min(self.length, self.moment + seconds * self.speed)
        self.at = max(self.at, bisect_right(self._offsets, self.moment))
        if self.ended:
            self.playing = False

    def toggle(self) -> None:
        """Play or pause; at the end, begin again."""
        if self.ended and not self.playing:
            self._show(1)
        self.playing = not self.playing and bool(self.events)

    def step(self) -> None:
        """One event on, paused."""
        self.playing = False
        self._show(self.at + 1)

    def seek(self, seconds: float) -> None:
        """So many seconds of play on or back."""
        self.moment = max(0.0, min(self.length, self.moment + seconds))
        self.at = max(1 if self.events else 0, bisect_right(self._offsets, self.moment))

    def faster(self) -> None:
        self._speed = min(len(SPEEDS) - 1, self._speed + 1)

    def slower(self) -> None:
        self._speed = max(0, self._speed - 1)

    def to_operation(self, direction: int) -> bool:
        """To the operation after (1) or before (-1); False when there is none."""
        return self._to(direction, lambda event: isinstance(event.body, Asked))

    def to_risky(self, direction: int) -> bool:
        return self._to(direction, risky)

    def _to(self, direction: int, wanted: Callable[[Event], bool]) -> bool:
        places = range(self.at, len(self.events)) if direction > 0 else range(self.at - 2, -1, -1)
        for index in places:
            if wanted(self.events[index]):
                self.playing = False
                self._show(index + 1)
                return True
        return False

    def _show(self, count: int) -> None:
        self.at = max(0, min(len(self.events), count))
        self.moment = self._offsets[self.at - 1] if self.at else 0.0
