"""The frame of view 5: the journal's newest records and the check of it all. It never asks the desk."""

from __future__ import annotations

from datetime import tzinfo

from textual.app import ComposeResult

from hooptui.core.desk import JournalLine, VerifyView
from hooptui.core.filter import Filter
from hooptui.tui.tail import Tail
from hooptui.tui.widgets.audit import AuditList, verdict
from hooptui.tui.widgets.lines import Bar
from hooptui.tui.widgets.panes import Pane, amount


class AuditPane(Pane):
    """View 5."""

    place = "audit"

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(id="audit")
        self.head = Bar(id="audit-head", classes="head")
        self.list = AuditList(zone)
        self.panel = Bar(id="audit-verdict")
        self.result: VerifyView | None = None
        self.running = False
        self._tail: Tail | None = None
        self.follow = True

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.list
        yield self.panel

    @property
    def lines(self) -> AuditList:
        return self.list

    @property
    def filter(self) -> Filter:
        return self.list.filter

    def set_filter(self, filter: Filter) -> None:  # noqa: A002 - it is one
        self.list.filter = filter
        self.again()

    @property
    def record(self) -> JournalLine | None:
        return self.list.chosen

    def show(self, tail: Tail) -> None:
        """The journal's end as it is now; a cursor on the last line stays on the last line."""
        self._tail = tail
        self.again()

    def again(self) -> None:
        if self._tail is None:
            return
        last = not self.list.items or self.list.at >= len(self.list.items) - 1
        self.list.who = self._tail.who
        self.list.fill(self._tail.lines)
        if last:
            self.list.go(len(self.list.items) - 1)
        self.head.put(self.list.title_row() if self.list.items else ((" no record to show", "faint"),))
        self.draw()

    def draw(self) -> None:
        rows = verdict(self.result, self.running, self.size.width)
        height = min(len(rows), max(1, self.size.height // 2))
        if self.panel.styles.height is None or self.panel.styles.height.value != height:
            self.panel.styles.height = height
        self.panel.put(*rows)
        self.frame(
            f"5 Audit  {amount(len(self.list.items), self.list.total)} newest", f"v verify · {self.filter_words()}"
        )

    def on_resize(self) -> None:
        self.again()
