"""The two things everything on the screen is drawn with: a bar of one line, and a list of lines that repaints only what changed.

Both draw plain spans, so no markup is ever read. A row that cannot be drawn becomes a line that says so: no exception of a
renderer reaches the application.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from hooptui.tui import theme
from hooptui.tui.text import Row, crop, row_width


def strip_of(row: Row, cells: int, base: Style, over: Style | None = None) -> Strip:
    """A row as a strip of exactly `cells`: the widget's own style, the spans' on it, `over` on all."""
    cut = crop(row, cells)
    segments: list[Segment] = []
    for text, name in cut:
        if text:
            look = base + theme.style(name)
            segments.append(Segment(text, look if over is None else look + over))
    pad = cells - row_width(cut)
    if pad > 0:
        segments.append(Segment(" " * pad, base if over is None else base + over))
    return Strip(segments, cells)


def broken(fault: Exception) -> Row:
    """What stands in for a line that could not be drawn."""
    return ((f"✗ this line cannot be shown ({type(fault).__name__})", "bad"),)


Zone = tuple[int, int, str]
"""First cell, cell after the last, and the verb that a click there means."""


class Bar(Widget):
    """One or more fixed lines of spans. Set with `put`; repaints only when they changed."""

    class Clicked(Message):
        """A zone was clicked."""

        def __init__(self, verb: str) -> None:
            super().__init__()
            self.verb = verb

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id, classes=classes)
        self._rows: tuple[Row, ...] = ()
        self._zones: tuple[Zone, ...] = ()

    def put(self, *rows: Row, zones: Sequence[Zone] = ()) -> None:
        """Show these lines; a click inside a zone posts `Clicked`."""
        self._zones = tuple(zones)
        if rows != self._rows:
            self._rows = rows
            self.refresh()

    @property
    def rows(self) -> tuple[Row, ...]:
        return self._rows

    @property
    def text(self) -> str:
        """What is shown, as plain text."""
        return "\n".join("".join(text for text, _ in row) for row in self._rows)

    def render_line(self, y: int) -> Strip:
        cells, base = self.size.width, self.rich_style
        try:
            return strip_of(self._rows[y], cells, base) if y < len(self._rows) else Strip.blank(cells, base)
        except Exception as fault:  # noqa: BLE001 - see the module: a renderer's fault is shown, not raised
            return strip_of(broken(fault), cells, base)

    def on_click(self, event: events.Click) -> None:
        for first, end, verb in self._zones:
            if first <= event.x < end:
                self.post_message(self.Clicked(verb))
                return


class Lines(ScrollView, can_focus=True, inherit_bindings=False):
    """A scrolling list of rows with a cursor line. Subclasses say how many there are and what each looks like.

    Without Textual's own keys, which would scroll what is long past its cursor before the keymap hears of them.
    """

    class Moved(Message):
        """The cursor is on another line now."""

        def __init__(self, lines: Lines) -> None:
            super().__init__()
            self.lines = lines

        @property
        def control(self) -> Lines:
            return self.lines

    class Opened(Message):
        """A line was opened: enter or a double click."""

        def __init__(self, lines: Lines) -> None:
            super().__init__()
            self.lines = lines

        @property
        def control(self) -> Lines:
            return self.lines

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id, classes=classes)
        self.at = 0
        """The cursor's line."""
        self._drawn: dict[int, tuple[Row, int]] = {}
        """What stands on each line of the window, so that a tick repaints only what differs."""
        self.repainted = 0
        """Lines that ticks asked to repaint, for tests and the benchmark."""

    # --- for subclasses

    def count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def row(self, y: int, cells: int) -> Row:
        """Line `y`, laid out for `cells`."""
        raise NotImplementedError

    def shade(self, y: int) -> Style | None:
        """What is laid over line `y`."""
        if y != self.at:
            return None
        return theme.ON_CURSOR if self.has_focus else theme.ON_CURSOR_IDLE

    # --- drawing

    @property
    def cells(self) -> int:
        """Width of a line, beside the scroll bar."""
        return self.scrollable_content_region.width

    def sync(self) -> None:
        """Look again at everything in the window and repaint the lines that changed. Cheap when nothing did."""
        self.at = max(0, min(self.at, self.count() - 1))
        size = Size(self.cells, self.count())
        if size != self.virtual_size:
            scrolls = self.show_vertical_scrollbar and size.height > self.size.height
            if scrolls and size.width == self.virtual_size.width:
                # Only the number of lines changed and the bar stays: that moves the bar, and is no reason to lay the screen out anew.
                self.set_reactive(Lines.virtual_size, size)
                self._scroll_update(size)
            else:
                self.virtual_size = size
        top = self.scroll_offset.y
        for y in range(top, top + self.size.height):
            now = self._look(y)
            if self._drawn.get(y) != now:
                self.repainted += 1
                self.refresh_line(y)
        if len(self._drawn) > 4 * max(1, self.size.height):
            self._drawn = {y: one for y, one in self._drawn.items() if top <= y < top + self.size.height}

    def _look(self, y: int) -> tuple[Row, int]:
        if y >= self.count():
            return (), 0
        try:
            row = self.row(y, self.cells)
        except Exception as fault:  # noqa: BLE001 - see the module: a renderer's fault is shown, not raised
            row = broken(fault)
        return row, (2 if self.has_focus else 1) if y == self.at else 0

    def render_line(self, y: int) -> Strip:
        line = y + self.scroll_offset.y
        cells = self.cells
        look = self._look(line)
        self._drawn[line] = look
        if line >= self.count():
            return Strip.blank(cells, self.rich_style)
        return strip_of(look[0], cells, self.rich_style, self.shade(line))

    def on_resize(self) -> None:
        self._drawn.clear()
        self.sync()
        self.keep_in_sight()

    def on_focus(self) -> None:
        self.sync()

    def on_blur(self) -> None:
        self.sync()

    # --- the cursor

    def go(self, y: int) -> None:
        """Put the cursor on line `y`, or as near as there is one."""
        before = self.at
        self.at = max(0, min(y, self.count() - 1))
        self.keep_in_sight()
        self.sync()
        if self.at != before:
            self.post_message(self.Moved(self))

    def move(self, verb: str) -> None:
        """`down up top end page-down page-up`."""
        page = max(1, self.size.height - 1)
        steps: dict[str, Callable[[], int]] = {
            "down": lambda: self.at + 1,
            "up": lambda: self.at - 1,
            "top": lambda: 0,
            "end": lambda: self.count() - 1,
            "page-down": lambda: self.at + page,
            "page-up": lambda: self.at - page,
        }
        self.go(steps[verb]())

    def keep_in_sight(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if height <= 0:
            return
        if self.at < top:
            self.scroll_to(y=self.at, animate=False, immediate=True, force=True)
        elif self.at >= top + height:
            self.scroll_to(y=self.at - height + 1, animate=False, immediate=True, force=True)

    def on_click(self, event: events.Click) -> None:
        line = event.y + self.scroll_offset.y
        if line >= self.count():
            return
        self.go(line)
        if event.chain == 2:
            self.post_message(self.Opened(self))
