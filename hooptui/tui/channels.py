"""What of a session's one timeline is looked at: all of it as a transcript, one of its terminals, or its files. Knows no widget.

Terminals of a session that runs are fed as events come, a bounded tail of them: a flood costs the screen the same as a page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hooptui.core.events import Asked, Event, Finished
from hooptui.core.events_channels import FileDone, TerminalOpened, TerminalOutput, TerminalResized
from hooptui.terminal.emulator import Emulator
from hooptui.tui.text import clean

TIMELINE: Final = "timeline"
FILES: Final = "files"
BUDGET: Final = 32 * 1024
"""Characters of one terminal that one look carries out; of more than that the older ones are counted."""
KEPT: Final = 8
"""Terminals whose picture is kept; the recording has them all."""
_WORDS: Final = 64


@dataclass(slots=True)
class Terminal:
    """One terminal of a session, as it is now."""

    operation: int
    words: str
    """What runs on it."""
    emulator: Emulator
    ended: str = ""
    """How it ended; empty while it is open."""
    left_out: int = 0
    """Characters that were not carried out."""


@dataclass(frozen=True, slots=True)
class Tab:
    """One thing to look at."""

    key: str
    """`TIMELINE`, `FILES`, or the number of a terminal's operation."""
    label: str


class Channels:
    """See the module."""

    def __init__(self) -> None:
        self.terminals: dict[int, Terminal] = {}
        self.files = 0
        """Operations on files so far."""
        self._words: dict[int, str] = {}

    def feed(self, events: Sequence[Event], lost: int = 0) -> None:
        """What came since; `lost` events are missing before these."""
        if lost:
            for terminal in self.terminals.values():
                terminal.emulator.gap()
        left: Counter[int] = Counter()
        for event in events:
            if isinstance(event.body, TerminalOutput):
                left[event.body.operation] += len(event.body.text)
        for event in events:
            match event.body:
                case TerminalOutput(operation=number, text=text):
                    left[number] -= len(text)
                    self._wrote(number, text, left[number])
                case TerminalOpened(operation=number, columns=columns, rows=rows):
                    self._open(number, columns, rows)
                case TerminalResized(operation=number, columns=columns, rows=rows) if number in self.terminals:
                    self.terminals[number].emulator.screen.resize(columns, rows)
                case Asked(operation=number, text=text):
                    self._words[number] = clean(text, 80)
                    if len(self._words) > _WORDS:
                        del self._words[next(iter(self._words))]
                case Finished(operation=number, tag=tag) if number in self.terminals:
                    self.terminals[number].ended = clean(tag, 40) or "ended"
                case FileDone():
                    self.files += 1
                case _:
                    continue

    @property
    def newest(self) -> Terminal | None:
        """The terminal that was opened last, of those that are open."""
        return next((one for one in reversed(self.terminals.values()) if not one.ended), None)

    def tabs(self) -> list[Tab]:
        """Everything there is to look at, the timeline first."""
        return tabs(
            ((one.operation, one.words, not one.ended) for one in self.terminals.values()),
            self.files,
        )

    def _open(self, number: int, columns: int, rows: int) -> None:
        self.terminals.pop(number, None)
        while len(self.terminals) >= KEPT:
            over = next((one for one in self.terminals.values() if one.ended), next(iter(self.terminals.values())))
            del self.terminals[over.operation]
        self.terminals[number] = Terminal(number, self._words.get(number, ""), Emulator(columns, rows))

    def _wrote(self, number: int, text: str, behind: int) -> None:
        """`behind` is how many characters there are after these."""
        terminal = self.terminals.get(number)
        if terminal is None:
            # Its beginning was lost, or it is one too many.
            return
        room = max(0, BUDGET - behind)
        if len(text) > room:
            terminal.left_out += len(text) - room
            terminal.emulator.gap()
            text = text[len(text) - room :]
        terminal.emulator.feed(text)


def tabs(terminals: Iterable[tuple[int, str, bool]], files: int) -> list[Tab]:
    """The tabs for terminals (operation, what runs on it, whether it is open) and so many operations on files."""
    found = [Tab(TIMELINE, "Timeline")]
    for number, words, opened in terminals:
        found.append(Tab(str(number), f"{'●' if opened else '○'} {number} {words}".rstrip()))
    if files:
        found.append(Tab(FILES, f"Files {files}"))
    return found
