"""The frame of view 5: the journal's newest records and the check of it all. It never asks the desk."""

from __future__ import annotations

from datetime import tzinfo

from textual.widget import Widget

from hooptui.core.desk import JournalLine, VerifyView
from hooptui.tui.tail import Tail
from hooptui.tui.widgets.audit import AuditList, verdict
from hooptui.tui.widgets.lines import Bar
from hooptui.tui.widgets.panes import ListPane, tall


class AuditPane(ListPane[AuditList]):
    """View 5."""

    place = "audit"

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(AuditList(zone))
        self.panel = Bar(id="audit-verdict")
        self.result: VerifyView | None = None
        self.running = False
        self._tail: Tail | None = None

    def below(self) -> tuple[Widget, ...]:
        return (self.panel,)

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
        self.draw()

    def draw(self) -> None:
        rows = verdict(self.result, self.running, self.size.width)
        tall(self.panel, min(len(rows), max(1, self.size.height // 2)))
        self.panel.put(*rows)
        self.titled("5 Audit", "record", "no record to show", f"newest · v verify · {self.filter_words()}")
