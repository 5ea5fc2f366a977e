"""View 3, and the stage of a replay: a transcript, bounded, wrapped or cut, with times or without.

Draws what `transcript.render` says; knows no desk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from rich.style import Style
from textual import events as ui

from hooptui.core.events import Asked, Event
from hooptui.core.events_channels import TerminalOutput
from hooptui.core.filter import Filter
from hooptui.tui import theme
from hooptui.tui.journal_words import kind
from hooptui.tui.text import Row, count, crop, plain, wrap_row
from hooptui.tui.transcript import Line, Memo, render, skim
from hooptui.tui.widgets.lines import Lines
from hooptui.tui.widgets.statusline import clock

KEPT: Final = 2000
"""Screen lines that are kept; what goes is counted on the first line."""

FLOOD: Final = 250
"""Events of one tick that are drawn; of more than that the older ones are counted."""


@dataclass(frozen=True, slots=True)
class Block:
    """One event as lines, or a count of lines that were not drawn."""

    lines: tuple[Line, ...]
    event: Event | None
    skipped: int = 0


class Transcript(Lines):
    """See the module."""

    def __init__(self, *, id: str, zone: tzinfo | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.zone = zone
        self.follow = True
        self.wrap = True
        self.times = True
        self.filter = Filter()
        self._blocks: list[Block] = []
        self._memo = Memo()
        self._rows: list[tuple[Row, Block]] = []
        self._dropped = 0
        self._laid = 0
        self.empty_words = ""

    # --- content

    def clear(self) -> None:
        """Forget everything; following again."""
        self._blocks, self._rows, self._memo = [], [], Memo()
        self._dropped, self.at, self.follow = 0, 0, True
        self.sync()

    def feed(self, events: Sequence[Event], lost: int = 0) -> None:
        """Show these after what is shown. A flood is skimmed: nobody reads a thousand lines in a quarter of a second."""
        if self.cells != self._laid:
            # It has another width already and will hear of it later, perhaps when it has the old one again.
            self.lay_out()
        skipped = lost
        # A terminal's flood is no flood here: it is drawn elsewhere.
        events = [event for event in events if not isinstance(event.body, TerminalOutput)]
        for event in events[: max(0, len(events) - FLOOD)]:
            lines_count, self._memo = skim(event, self._memo)
            skipped += lines_count
        fresh: list[Block] = []
        if skipped:
            last = self._blocks[-1] if self._blocks else None
            if last is not None and last.skipped:
                self._blocks.pop()
                while self._rows and self._rows[-1][1] is last:
                    self._rows.pop()
                skipped += last.skipped
            fresh.append(Block(_omitted(skipped), None, skipped))
        for event in events[max(0, len(events) - FLOOD) :]:
            lines, self._memo = render(event, self._memo)
            if lines:
                fresh.append(Block(lines, event))
        if not fresh:
            return
        self._blocks.extend(fresh)
        for block in fresh:
            self._lay(block)
        self._trim()
        if self.follow:
            self.at = max(0, len(self._rows) - 1)
        self.sync()
        if self.follow:
            self.keep_in_sight()

    def _trim(self) -> None:
        if len(self._rows) <= KEPT + KEPT // 2:
            return
        gone = 0
        keep = 0
        while len(self._rows) - gone > KEPT and keep < len(self._blocks):
            block = self._blocks[keep]
            while gone < len(self._rows) and self._rows[gone][1] is block:
                gone += 1
            self._dropped += block.skipped or len(block.lines)
            keep += 1
        del self._blocks[:keep]
        del self._rows[:gone]
        if self._blocks and self._dropped:
            first = Block(_omitted(self._dropped), None, self._dropped)
            self._dropped = 0
            self._blocks.insert(0, first)
            before = len(self._rows)
            self._rows[:0] = [(row, first) for row in self._rows_of(first)]
            gone -= len(self._rows) - before
        self.at = max(0, self.at - gone)
        if not self.follow:
            self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, immediate=True, force=True)

    # --- layout

    def lay_out(self) -> None:
        """Lay everything out again: width, wrapping, times or filter changed. The cursor stays with its event."""
        here = self._rows[self.at][1] if 0 <= self.at < len(self._rows) else None
        self._rows = []
        for block in self._blocks:
            self._lay(block)
        self._laid = self.cells
        if self.follow:
            self.at = max(0, len(self._rows) - 1)
        elif here is not None:
            self.at = next((index for index, (_, block) in enumerate(self._rows) if block is here), self.at)
        self._drawn.clear()
        self.sync()
        self.refresh()
        self.keep_in_sight()

    def _lay(self, block: Block) -> None:
        if self.filter and not self._passes(block):
            return
        self._rows.extend((row, block) for row in self._rows_of(block))

    def _passes(self, block: Block) -> bool:
        if block.event is None:
            return False
        body = block.event.body
        text = "\n".join(line.text for line in block.lines)[:4000]
        verb = body.verb if isinstance(body, Asked) else ""
        return self.filter.holds({"text": text, "kind": kind(body), "state": kind(body), "verb": verb}, block.event.at)

    def _rows_of(self, block: Block) -> list[Row]:
        cells = max(20, self.cells or 80)
        rows: list[Row] = []
        for line in block.lines:
            stamp = clock(line.at, self.zone, seconds=True) if line.at is not None else " " * 8
            head: Row = ((f"{stamp} ", "ghost"),) if self.times else ()
            lead = 11 if self.times else 2
            mark = (f"{line.mark or ' '} ", line.mark_style)
            body = (
                wrap_row(line.body, cells - lead) if self.wrap and not line.fixed else [crop(line.body, cells - lead)]
            )
            rows.append((*head, mark, *body[0]))
            rows.extend(((" " * lead, ""), *more) for more in body[1:])
        return rows

    def count(self) -> int:
        return len(self._rows)

    def row(self, y: int, cells: int) -> Row:
        return self._rows[y][0]

    def shade(self, y: int) -> Style | None:
        return theme.ON_CURSOR_IDLE if y == self.at and self.has_focus else None

    def on_resize(self) -> None:
        if self.cells != self._laid:
            self.lay_out()

    # --- hands

    @property
    def texts(self) -> list[str]:
        """What is shown, as plain lines."""
        return [plain(row) for row, _ in self._rows]

    @property
    def chosen(self) -> str:
        """For the clipboard: the statement under the cursor whole, or else the line."""
        if not 0 <= self.at < len(self._rows):
            return ""
        row, block = self._rows[self.at]
        if block.event is not None and isinstance(block.event.body, Asked):
            return "\n".join(line.text for line in block.lines)
        return plain(row).strip()

    def go(self, y: int) -> None:
        self.follow = y >= self.count() - 1 and (self.follow or y > self.at)
        super().go(y)

    def set_follow(self, on: bool) -> None:
        self.follow = on
        if on:
            self.at = max(0, self.count() - 1)
            self.keep_in_sight()
        self.sync()

    def on_mouse_scroll_up(self, _: ui.MouseScrollUp) -> None:
        self.follow = False


def _omitted(lines: int) -> tuple[Line, ...]:
    return (Line(((f"… {count(lines)} lines not shown, all recorded …", "faint"),)),)
