"""Which terminals and files a recording has, and from when to when. Pure; knows no widget."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from hooptui.core.events import Asked, Event, Finished
from hooptui.core.events_channels import FileDone, TerminalOpened
from hooptui.tui.channels import TIMELINE, Tab, tabs
from hooptui.tui.text import clean


@dataclass(slots=True)
class Scene:
    """One terminal: `opened` and `ended` are positions in the recording."""

    operation: int
    words: str
    opened: int
    ended: int | None = None
    how: str = ""

    def ended_by(self, count: int) -> str:
        """How it ended, when it has after so many events; else nothing."""
        return self.how if self.ended is not None and self.ended < count else ""


class Scenes:
    """See the module. Everything is told for a moment: after the first `count` events."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._all: dict[int, Scene] = {}
        self._files: list[int] = []
        self._asked: list[int] = []
        words: dict[int, str] = {}
        for index, event in enumerate(events):
            match event.body:
                case Asked(operation=number, text=text):
                    words[number] = clean(text, 80)
                    self._asked.append(index)
                case TerminalOpened(operation=number) if number not in self._all:
                    self._all[number] = Scene(number, words.get(number, ""), index)
                case Finished(operation=number, tag=tag) if number in self._all:
                    self._all[number].ended, self._all[number].how = index, clean(tag, 40) or "ended"
                case FileDone():
                    self._files.append(index)
                case _:
                    continue

    def tabs(self, count: int) -> list[Tab]:
        begun = (one for one in self._all.values() if one.opened < count)
        return tabs(
            ((one.operation, one.words, not one.ended_by(count)) for one in begun), bisect_left(self._files, count)
        )

    def at(self, operation: int, count: int) -> Scene | None:
        """That terminal, when it was there."""
        scene = self._all.get(operation)
        return scene if scene is not None and scene.opened < count else None

    def best(self, count: int) -> str:
        """The tab to show unless somebody chooses: the newest open terminal, or the last one while nothing else was asked for."""
        begun = [one for one in self._all.values() if one.opened < count]
        opened = [one for one in begun if not one.ended_by(count)]
        if opened:
            return str(opened[-1].operation)
        last = max(begun, key=lambda one: one.ended or 0, default=None)
        asked = bisect_left(self._asked, count)
        if last is None or last.ended is None or (asked and self._asked[asked - 1] > last.ended):
            return TIMELINE
        return str(last.operation)
