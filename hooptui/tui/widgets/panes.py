"""The frames of the five views: border, title, what stands on the border's foot, and the list inside.

A pane is handed snapshots; it never asks the desk. The one with the focus has the heavy border.
"""

from __future__ import annotations

from datetime import tzinfo

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from hooptui.core.desk import HeldView, Review, SessionView, Snapshot
from hooptui.core.filter import Filter
from hooptui.tui.text import clean, count
from hooptui.tui.widgets.held import SORTS as HELD_SORTS
from hooptui.tui.widgets.held import HeldList, detail
from hooptui.tui.widgets.lines import Bar, Lines
from hooptui.tui.widgets.live import SORTS as LIVE_SORTS
from hooptui.tui.widgets.live import Live
from hooptui.tui.widgets.output import Transcript


class Pane(Vertical):
    """A framed list. `place` is its name in the keymap."""

    place = ""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._titles = ("", "")

    @property
    def lines(self) -> Lines:
        """The list that takes the focus."""
        raise NotImplementedError

    @property
    def filter(self) -> Filter:
        raise NotImplementedError

    def set_filter(self, filter: Filter) -> None:  # noqa: A002 - it is one
        raise NotImplementedError

    def frame(self, title: str, foot: str) -> None:
        """Title and foot as plain text; nothing in them is markup."""
        if (title, foot) == self._titles:
            return
        self._titles = (title, foot)
        self.border_title = Content(title)
        self.border_subtitle = Content(foot or " ")

    @property
    def titles(self) -> tuple[str, str]:
        return self._titles

    def filter_words(self) -> str:
        return f"/ {clean(self.filter.text, 40)}" if self.filter else "/ filter off"


def amount(shown: int, total: int) -> str:
    """`12`, or `3 of 12` under a filter."""
    return count(total) if shown == total else f"{count(shown)} of {count(total)}"


class LivePane(Pane):
    """View 1."""

    place = "live"

    def __init__(self) -> None:
        super().__init__(id="live")
        self.head = Bar(id="live-head", classes="head")
        self.list = Live()
        self._snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.list

    @property
    def lines(self) -> Live:
        return self.list

    @property
    def filter(self) -> Filter:
        return self.list.filter

    def set_filter(self, filter: Filter) -> None:  # noqa: A002 - it is one
        self.list.filter = filter
        self.again()

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.list.order(snapshot.sessions, snapshot.health.now)
        by = LIVE_SORTS[self.list.sort][0]
        if not self.list.total:
            self.head.put(((" no session yet: clients connect to the listeners of line 1", "faint"),))
        elif not self.list.items:
            self.head.put(((" no session passes the filter", "faint"),))
        else:
            self.head.put(self.list.title_row(by if self.list.sort else ""))
        sorted_by = f"sort {by} · " if self.list.sort else ""
        self.frame(f"1 Live  {amount(len(self.list.items), self.list.total)}", sorted_by + self.filter_words())

    def again(self) -> None:
        """Show the same snapshot once more: filter, sort or size changed."""
        if self._snapshot is not None:
            self.show(self._snapshot)

    def on_resize(self) -> None:
        self.again()

    @property
    def session(self) -> SessionView | None:
        return self.list.chosen


class HeldPane(Pane):
    """View 2, with the block about the hold under the cursor."""

    place = "held"

    def __init__(self) -> None:
        super().__init__(id="held")
        self.head = Bar(id="held-head", classes="head")
        self.list = HeldList()
        self.detail = Bar(id="held-detail")
        self.reviews: dict[int, Review] = {}
        """What the target said of the holds the cursor was on, while they wait."""
        self.asked: set[int] = set()
        self._snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.list
        yield self.detail

    @property
    def lines(self) -> HeldList:
        return self.list

    @property
    def filter(self) -> Filter:
        return self.list.filter

    def set_filter(self, filter: Filter) -> None:  # noqa: A002 - it is one
        self.list.filter = filter
        self.again()

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        waiting = {one.number for one in snapshot.held}
        self.reviews = {number: one for number, one in self.reviews.items() if number in waiting}
        self.asked &= waiting
        self.list.order(snapshot.held, snapshot.health.now)
        room = max(1, self.size.height - 1)
        rows = max(1, min(len(self.list.items), max(3, room - 7), room))
        if self.list.styles.height is None or self.list.styles.height.value != rows:
            self.list.styles.height = rows
        if not self.list.total:
            self.head.put(((" nothing waits for a decision", "faint"),))
        elif not self.list.items:
            self.head.put(((" no hold passes the filter", "faint"),))
        else:
            self.head.put(self.list.title_row(HELD_SORTS[self.list.sort][0] if self.list.sort else ""))
        self.show_detail()
        foot = "a approve  x deny  enter review" if self.list.items else ""
        if self.filter:
            foot = f"{self.filter_words()} · {foot}"
        self.frame(f"2 Held  {amount(len(self.list.items), self.list.total)}", foot)

    def show_detail(self) -> None:
        one = self.list.chosen
        room = max(0, self.size.height - 1 - max(1, min(len(self.list.items), max(3, self.size.height - 8))))
        review = self.reviews.get(one.number) if one is not None else None
        self.detail.put(*detail(one, review, one is not None and one.number in self.asked, self.size.width, room))

    def again(self) -> None:
        if self._snapshot is not None:
            self.show(self._snapshot)

    def on_resize(self) -> None:
        self.again()

    def on_lines_moved(self) -> None:
        self.show_detail()

    @property
    def hold(self) -> HeldView | None:
        return self.list.chosen


class OutputPane(Pane):
    """View 3: one session's transcript."""

    place = "output"

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(id="output")
        self.transcript = Transcript(id="output-lines", zone=zone)
        self.head = Bar(id="output-head", classes="head")
        self.session = ""
        self._words = ""

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.transcript

    @property
    def lines(self) -> Transcript:
        return self.transcript

    @property
    def filter(self) -> Filter:
        return self.transcript.filter

    def set_filter(self, filter: Filter) -> None:  # noqa: A002 - it is one
        self.transcript.filter = filter
        self.transcript.lay_out()
        self.show(None)

    def open(self, session: str, words: str) -> None:
        """Turn to another session; its events are fed by who holds the desk."""
        self.session, self._words = session, words
        self.transcript.clear()
        self.show(None)

    def show(self, view: SessionView | None) -> None:
        """Title and foot; `view` is the session's row when it is still open."""
        if view is not None:
            self._words = f"{clean(view.who, 40)} → {clean(view.target, 40)}"
        self.head.display = not self.session
        if not self.session:
            self.head.put((("enter on a session shows its output here", "faint"),))
            self.frame("3 Output", "")
            return
        following = "FOLLOW" if self.transcript.follow else "PAUSED"
        foot = f"{following}{'' if self.transcript.wrap else '  cut'}  masked"
        if self.filter:
            foot = f"{self.filter_words()} · {foot}"
        self.frame(f"3 Output  {clean(self.session, 12)} {self._words}", foot)
