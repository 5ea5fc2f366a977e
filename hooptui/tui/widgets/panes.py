"""The frames of the views: border, title, what stands on the border's foot, and the list inside.

A pane is handed snapshots; it never asks the desk. The one with the focus has the heavy border.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from hooptui.core.desk import HeldView, Review, SessionView, Snapshot
from hooptui.core.filter import Filter
from hooptui.tui.people import kind_word
from hooptui.tui.text import clean, count
from hooptui.tui.widgets.held import HeldList, detail
from hooptui.tui.widgets.lines import Bar, Lines
from hooptui.tui.widgets.live import Live
from hooptui.tui.widgets.rows import Rows

List = TypeVar("List", bound=Rows[Any])


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


class ListPane(Pane, Generic[List]):
    """A pane around a list of columns, with their titles above it and perhaps something below."""

    def __init__(self, list: List) -> None:  # noqa: A002 - it is one
        super().__init__(id=self.place)
        self.head = Bar(id=f"{self.place}-head", classes="head")
        self.list = list

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.list
        yield from self.below()

    def below(self) -> tuple[Widget, ...]:
        """What stands under the list."""
        return ()

    @property
    def lines(self) -> List:
        return self.list

    @property
    def filter(self) -> Filter:
        return self.list.filter

    def set_filter(self, filter: Filter) -> None:  # noqa: A002 - it is one
        self.list.filter = filter
        self.again()

    def again(self) -> None:
        """Show the same once more: filter, sort or size changed."""
        raise NotImplementedError

    def on_resize(self) -> None:
        self.again()

    def on_rows_measured(self) -> None:
        """The titles stand above the columns whatever made these wider."""
        if self.list.items:
            self.head.put(self.list.title_row())

    def titled(self, title: str, noun: str, none: str, foot: str) -> None:
        """Title with the amount, column titles or why there are none, and the foot with how it is sorted."""
        shown = self.list
        if not shown.total:
            self.head.put(((f" {none}", "faint"),))
        elif not shown.items:
            self.head.put(((f" no {noun} passes the filter", "faint"),))
        else:
            self.head.put(shown.title_row())
        sorted_by = f"sort {shown.sorted_by} · " if shown.sorted_by else ""
        self.frame(f"{title}  {amount(len(shown.items), shown.total)}", sorted_by + foot)


def amount(shown: int, total: int) -> str:
    """`12`, or `3 of 12` under a filter."""
    return count(total) if shown == total else f"{count(shown)} of {count(total)}"


def tall(widget: Widget, lines: int) -> None:
    """Make a widget so many lines high; nothing happens when it is."""
    if widget.styles.height is None or widget.styles.height.value != lines:
        widget.styles.height = lines


class LivePane(ListPane[Live]):
    """View 1."""

    place = "live"

    def __init__(self) -> None:
        super().__init__(Live())
        self._snapshot: Snapshot | None = None

    def show(self, snapshot: Snapshot, glass: frozenset[int] = frozenset()) -> None:
        """`glass`: approvals that somebody let go alone, in an emergency."""
        self._snapshot, self.list.glass = snapshot, glass
        self.list.asking = frozenset(one.session for one in snapshot.held if one.access)
        self.list.order(snapshot.sessions, snapshot.health.now)
        self.titled(
            "1 Live", "session", "no session yet: clients connect to the listeners of line 1", self.filter_words()
        )

    def again(self) -> None:
        if self._snapshot is not None:
            self.show(self._snapshot, self.list.glass)

    @property
    def session(self) -> SessionView | None:
        return self.list.chosen


class HeldPane(ListPane[HeldList]):
    """View 2, with the block about the hold under the cursor."""

    place = "held"

    def __init__(self) -> None:
        super().__init__(HeldList())
        self.detail = Bar(id="held-detail")
        self.reviews: dict[int, Review] = {}
        """What the target said of the holds the cursor was on, while they wait."""
        self.asked: set[int] = set()
        self._snapshot: Snapshot | None = None

    def below(self) -> tuple[Widget, ...]:
        return (self.detail,)

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        waiting = {one.number for one in snapshot.held}
        self.reviews = {number: one for number, one in self.reviews.items() if number in waiting}
        self.asked &= waiting
        self.list.order(snapshot.held, snapshot.health.now)
        room = max(1, self.size.height - 1)
        tall(self.list, max(1, min(len(self.list.items), max(3, room - 7), room)))
        self.show_detail()
        foot = "a approve  x deny  c claim  enter review" if self.list.items else ""
        self.titled(
            "2 Held", "hold", "nothing waits for a decision", f"{self.filter_words()} · {foot}" if self.filter else foot
        )

    def show_detail(self) -> None:
        one = self.list.chosen
        room = max(0, self.size.height - 1 - max(1, min(len(self.list.items), max(3, self.size.height - 8))))
        review = self.reviews.get(one.number) if one is not None else None
        asked = one is not None and one.number in self.asked
        self.detail.put(*detail(one, review, asked, self.list.now, self.size.width, room))

    def again(self) -> None:
        if self._snapshot is not None:
            self.show(self._snapshot)

    def on_lines_moved(self) -> None:
        self.show_detail()

    @property
    def hold(self) -> HeldView | None:
        return self.list.chosen


def session_words(view: SessionView) -> str:
    """`agent bot → orders-db`."""
    return f"{kind_word(view.kind)} {clean(view.who, 40)} → {clean(view.target, 40)}"
