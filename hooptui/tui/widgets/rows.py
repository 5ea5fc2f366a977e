"""A list of things with a key each, in columns: the cursor sticks to the key, not to the line.

Knows nothing about what the things are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

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


class Rows(Lines, Generic[Item]):
    """See the module. Filled with `fill`; `chosen` is the item under the cursor."""

    columns: tuple[Column[Item], ...] = ()

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.items: list[Item] = []
        self.total = 0
        """How many there are before the filter."""
        self.filter = Filter()
        self._key: object = None
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
        wants: list[int] = []
        for column in self.columns:
            widest = max((width(column.cell(item)[0]) for item in sample), default=0)
            wants.append(max(column.least, min(column.most, widest)))
        gaps = 2 * (len(self.columns) - 1) if cells >= 70 else len(self.columns) - 1
        spare = cells - gaps - sum(want for want, column in zip(wants, self.columns, strict=True) if not column.flex)
        for index, column in enumerate(self.columns):
            if column.flex:
                wants[index] = max(column.least, spare)
        over = sum(wants) + gaps - cells
        for index in sorted(range(len(wants)), key=lambda i: self.columns[i].least - wants[i]):
            if over <= 0:
                break
            give = min(over, wants[index] - self.columns[index].least)
            wants[index] -= give
            over -= give
        self._widths = tuple(wants)

    @property
    def gap(self) -> str:
        return "  " if self.cells - 1 >= 70 else " "

    def title_row(self, sorted_by: str = "") -> Row:
        """The column titles, to stand above the list."""
        spans: list[Span] = [(" ", "head")]
        for index, (column, cells) in enumerate(zip(self.columns, self._widths, strict=False)):
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
        for index, (column, wide) in enumerate(zip(self.columns, self._widths, strict=False)):
            if index:
                spans.append((self.gap, base))
            text, name = column.cell(item)
            spans.append((fit(text, wide, right=column.right), name or base))
        return tuple(spans)

    def on_resize(self) -> None:
        self._measure()
