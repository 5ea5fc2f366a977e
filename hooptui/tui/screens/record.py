"""A window with every field of one record of the journal."""

from __future__ import annotations

from textual.app import ComposeResult

from hooptui.tui.screens.modal import Modal, Prose
from hooptui.tui.text import Row, wrap_row


class RecordScreen(Modal):
    """See the module."""

    deafness = 0.0
    BINDINGS = [("q", "leave", "Back"), ("enter", "leave", "Back")]  # noqa: RUF012 - Textual's own declaration

    def __init__(self, title: str, rows: list[Row]) -> None:
        super().__init__(title, "-quiet")
        self.box.border_subtitle = "esc back"
        self.prose = Prose(18, id="record-lines")
        self._rows = rows

    def inside(self) -> ComposeResult:
        yield self.prose

    def on_mount(self) -> None:
        self.prose.focus()

    def tick(self) -> None:
        self.prose.put([line for row in self._rows for line in wrap_row(row, self.cells - 2)])
