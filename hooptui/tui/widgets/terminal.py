"""A terminal inside the screen: what a `terminal.Screen` holds, drawn cell by cell in this screen's own colours.

Nothing of what the program wrote reaches the operator's terminal but printable characters and looks. What is wider than the
pane is shown around the cursor, what is higher is scrolled. Knows no session.
"""

from __future__ import annotations

from itertools import groupby
from typing import Final

from rich.style import Style
from textual import events as ui

from hooptui.terminal.cells import REVERSE, Line, Look
from hooptui.terminal.screen import Screen
from hooptui.tui.text import Row, Span, width
from hooptui.tui.widgets.lines import Lines

NOTHING: Final = Screen(1, 1)


class TerminalView(Lines):
    """See the module. `show` what is to be seen after every change of it."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.follow = True
        """The cursor stays in sight, and the newest line."""
        self.live = False
        """The cursor is drawn: something may still come."""
        self.screen_shown: Screen = NOTHING
        self._pan = 0

    def show(self, screen: Screen, *, live: bool) -> None:
        """Draw this one; it may be the same as before, changed."""
        self.screen_shown, self.live = screen, live
        self._settle()

    def _settle(self) -> None:
        """Bring cursor, columns and lines in sight, and repaint what differs."""
        screen = self.screen_shown
        if self.follow:
            self.at = self._above + screen.y
            cells = max(1, self.cells)
            self._pan = (
                0 if screen.x < cells or not screen.shown else min(screen.columns - cells, screen.x - cells // 2)
            )
        self.sync()
        if self.follow:
            # All of the screen where there is room for it, or else the part with the cursor; a program that hides the
            # cursor draws a picture, which one looks at from the top.
            height = max(1, self.size.height)
            bottom = max(0, self.count() - height)
            wanted = self._above + max(0, screen.y - height + 1) if screen.shown else self._above
            if self.scroll_offset.y != min(bottom, wanted):
                self.scroll_to(y=min(bottom, wanted), animate=False, immediate=True, force=True)
                self.sync()

    @property
    def _above(self) -> int:
        """Lines that have scrolled off and can be looked at."""
        return 0 if self.screen_shown.alternate else len(self.screen_shown.history)

    @property
    def text(self) -> str:
        """What the terminal shows, for the clipboard."""
        return "\n".join(self.screen_shown.texts).rstrip("\n")

    # --- Lines

    def count(self) -> int:
        return self._above + len(self.screen_shown.lines)

    def row(self, y: int, cells: int) -> Row:
        screen, above = self.screen_shown, self._above
        line = screen.history[y] if y < above else screen.lines[y - above]
        cursor = screen.x if self.live and screen.shown and y - above == screen.y else -1
        return row_of(line, self._pan, cells, cursor)

    def shade(self, y: int) -> Style | None:
        return None

    def go(self, y: int) -> None:
        self.follow = y >= self.count() - 1 and (self.follow or y > self.at)
        if self.follow:
            self._settle()
        else:
            super().go(y)

    def move(self, verb: str) -> None:
        if self.follow and verb in ("up", "page-up"):
            # From the first line in sight, or one would press up many times before anything moves.
            self.at = self.scroll_offset.y
        elif not self.follow and verb in ("down", "page-down"):
            self.at = min(self.count() - 1, self.scroll_offset.y + max(1, self.size.height) - 1)
        super().move(verb)

    def set_follow(self, on: bool) -> None:
        self.follow = on
        self._settle()

    def on_resize(self) -> None:
        self._drawn.clear()
        self._settle()

    def on_mouse_scroll_up(self, _: ui.MouseScrollUp) -> None:
        self.follow = False


def row_of(line: Line, pan: int, cells: int, cursor: int = -1) -> Row:
    """The cells of a line from column `pan` on, at most `cells` of them; the cursor's is drawn reversed."""
    chars, looks = line.chars[pan : pan + cells], line.looks[pan : pan + cells]
    if not chars:
        return ()
    # Half of a wide character is none; `_exact` sees to the left one.
    if pan + cells < len(line.chars) and line.chars[pan + cells] == "":
        chars[-1] = " "
    at = cursor - pan
    if 0 <= at < len(looks):
        looks[at] = looks[at]._replace(flags=looks[at].flags ^ REVERSE)
    spans: list[Span] = []
    start = 0
    for look, run in groupby(looks):
        end = start + sum(1 for _ in run)
        spans.append((_exact(chars[start:end], end - start), name_of(look)))
        start = end
    return tuple(spans)


def name_of(look: Look) -> str:
    """The style's name that `theme` reads back."""
    return f"@{look.fore},{look.back},{look.flags}"


def _exact(chars: list[str], cells: int) -> str:
    """The characters, exactly so many cells wide: where the screen's measure differs from the terminal's, a sign stands for one."""
    text = "".join(chars)
    if len(text) == cells if text.isascii() else width(text) == cells:
        return text
    out: list[str] = []
    for index, char in enumerate(chars):
        wide = 2 if index + 1 < len(chars) and chars[index + 1] == "" and char else 1
        if char:
            out.append(char if width(char) == wide else "�" + " " * (wide - 1))
        elif index == 0:
            out.append(" ")
    return "".join(out)
