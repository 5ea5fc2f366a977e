"""A list of things with a key each, in columns: the cursor sticks to the key, not to the line.

Knows nothing about what the things are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from textual.message import Message

from hooptui.core.filter import Filter
from hooptui.tui.text import Row, Span, fit, width
from hooptui.tui.widgets.lines import Lines

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Column(Generic[Item]):
    """One column: its title, how wide, and what it says of an item."""

    title: str
    cell: Callable[[Item], Span]
    least: int
    most: int
    """Widest it grows for its content."""
    right: bool = False
    flex: bool = False
    """Takes what is left; one column has it."""
    rank: int = 0
    """Where there is too little room for all, the column with the highest rank goes first; 0 stays."""


Sort = tuple[str, Callable[[Item], tuple[object, ...]]]
"""The title of a column and the order by it."""


class Rows(Lines, Generic[Item]):
    """See the module. Filled with `fill`; `chosen` is the item under the cursor."""

    class Measured(Message):
        """The list has another width, and its columns may have too: a scroll bar came or went."""

    columns: tuple[Column[Item], ...] = ()
    sorts: tuple[Sort[Item], ...] = ()
    """What `o` goes through; the first is what one begins with."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.items: list[Item] = []
        self.total = 0
        """How many there are before the filter."""
        self.filter = Filter()
        self.sort = 0
        self.now = 0.0
        """Unix seconds of what is shown."""
        self._key: object = None
        self._shown: tuple[Column[Item], ...] = ()
        self._widths: tuple[int, ...] = ()

    # --- for subclasses

    def key(self, item: Item) -> object:
        raise NotImplementedError

    def passes(self, item: Item) -> bool:
        """Whether the filter lets the item through."""
        raise NotImplementedError

    def row_style(self, item: Item) -> str:
        """Style for the cells that have none of their own."""
        return ""

    # ---

    @property
    def chosen(self) -> Item | None:
        return self.items[self.at] if 0 <= self.at < len(self.items) else None

    def order(self, items: Sequence[Item], now: float) -> None:
        """Show these as they are at `now`, in the chosen order."""
        self.now = now
        self.fill(sorted(items, key=self.sorts[self.sort][1]))

    def next_sort(self) -> str:
        """Go on to the next order; its title."""
        self.sort = (self.sort + 1) % len(self.sorts)
        return self.sorts[self.sort][0]

    @property
    def sorted_by(self) -> str:
        """The title of the order when it is not the one that one begins with."""
        return self.sorts[self.sort][0] if self.sort else ""

    def fill(self, items: Sequence[Item]) -> None:
        """Show these, in this order, as far as the filter lets them through; the cursor stays on its key."""
        self.total = len(items)
        self.items = [item for item in items if self.passes(item)] if self.filter else list(items)
        if self._key is not None:
            for index, item in enumerate(self.items):
                if self.key(item) == self._key:
                    if index != self.at:
                        self.at = index
                        self.keep_in_sight()
                    break
        self.at = max(0, min(self.at, len(self.items) - 1))
        chosen = self.chosen
        key = self.key(chosen) if chosen is not None else None
        moved, self._key = key != self._key, key
        self._measure()
        self.sync()
        if moved:
            self.post_message(self.Moved(self))

    def go(self, y: int) -> None:
        chosen = self.items[max(0, min(y, len(self.items) - 1))] if self.items else None
        self._key = self.key(chosen) if chosen is not None else None
        super().go(y)

    def choose(self, key: object) -> bool:
        """Put the cursor on the item with this key; False when it is not listed."""
        for index, item in enumerate(self.items):
            if self.key(item) == key:
                self.go(index)
                return True
        return False

    def _measure(self) -> None:
        cells = self.cells - 1
        # A page of items is enough to find good widths: columns must not cost more with thousands of rows.
        top = max(0, self.scroll_offset.y)
        sample = self.items[top : top + max(self.size.height, 1)]
        shown = self._shown = self._room_for(cells)
        wants: list[int] = []
        for column in shown:
            widest = max((width(column.cell(item)[0]) for item in sample), default=0)
            wants.append(max(column.least, min(column.most, widest)))
        gaps = len(self.gap) * (len(shown) - 1)
        spare = cells - gaps - sum(want for want, column in zip(wants, shown, strict=True) if not column.flex)
        for index, column in enumerate(shown):
            if column.flex:
                wants[index] = max(column.least, spare)
        over = sum(wants) + gaps - cells
        for index in sorted(range(len(wants)), key=lambda i: shown[i].least - wants[i]):
            if over <= 0:
                break
            give = min(over, wants[index] - shown[index].least)
            wants[index] -= give
            over -= give
        self._widths = tuple(wants)

    def _room_for(self, cells: int) -> tuple[Column[Item], ...]:
        """The columns that fit: what matters least goes first."""
        shown = list(self.columns)
        while sum(one.least + len(self.gap) for one in shown) - len(self.gap) > cells:
            last = max(shown, key=lambda one: one.rank, default=None)
            if last is None or not last.rank:
                break
            shown.remove(last)
        return tuple(shown)

    @property
    def gap(self) -> str:
        return "  " if self.cells - 1 >= 70 else " "

    def title_row(self) -> Row:
        """The column titles, to stand above the list."""
        sorted_by = self.sorted_by
        spans: list[Span] = [(" ", "head")]
        for index, (column, cells) in enumerate(zip(self._shown, self._widths, strict=False)):
            if index:
                spans.append((self.gap, "head"))
            name = "sorted" if column.title.lower() == sorted_by else "head"
            spans.append((fit(column.title, cells, right=column.right), name))
        return tuple(spans)

    def count(self) -> int:
        return len(self.items)

    def row(self, y: int, cells: int) -> Row:
        item = self.items[y]
        base = self.row_style(item)
        spans: list[Span] = [("▌" if y == self.at else " ", "bar")]
        for index, (column, wide) in enumerate(zip(self._shown, self._widths, strict=False)):
            if index:
                spans.append((self.gap, base))
            text, name = column.cell(item)
            spans.append((fit(text, wide, right=column.right), name or base))
        return tuple(spans)

    def on_resize(self) -> None:
        self._measure()
        self.post_message(self.Measured())
