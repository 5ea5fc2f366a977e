"""The window in which a connection that asks for access is let in: who, why, to what, and for how long.

A review like any other, but what is given is a length of time, from the moment of the approval on.
"""

from __future__ import annotations

from typing import Final

from textual.containers import Horizontal
from textual.widget import Widget

from hooptui.core.desk import HeldView
from hooptui.tui.people import spoken
from hooptui.tui.screens.modal import Choice, label
from hooptui.tui.screens.review import ReviewScreen
from hooptui.tui.text import Row, clean, clean_lines, crop, hang, spot, wrap_row
from hooptui.tui.widgets.held import ASKS, needs_text, purpose_of

PRESETS: Final = (300, 900, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 12 * 3600)
"""Seconds of access that are offered, as far as the rule goes so far."""

OFFERED: Final = 3
"""Presets beside the whole time: the longest of those that fit, and always the shortest."""


def choices(longest: float) -> list[tuple[str, str]]:
    """Argument and words, the shortest first; the last is all that the rule offers."""
    below = [one for one in PRESETS if one < longest]
    if len(below) > OFFERED:
        below = [below[0], *below[-(OFFERED - 1) :]]
    return [*((f"{one // 60}m", spoken(one)) for one in below), ("", spoken(longest))]


class AccessReviewScreen(ReviewScreen):
    """See the module."""

    def __init__(self, hold: HeldView) -> None:
        super().__init__(hold, title=f"Access #{hold.number}")

    def choice(self) -> Widget:
        lasts = choices(self.hold.scope_lasts)
        return Horizontal(label("For    "), Choice(lasts, id="lasts", at=len(lasts) - 1), classes="row")

    def given(self) -> dict[str, str]:
        return {"lasts": self.query_one("#lasts", Choice).value}

    def statement_rows(self, cells: int) -> list[Row]:
        hold = self.hold
        rows: list[Row] = [(("  ", ""), (f"{ASKS} to {clean(hold.target, 60)}", "held"))]
        purpose = purpose_of(hold)
        if not purpose:
            return [*rows, (("  no reason given", "faint"),)]
        for text in clean_lines(purpose):
            rows.extend((("  ", ""), *row) for row in wrap_row(tuple(spot(text, "value")), cells - 3))
        return rows

    def facts_rows(self, cells: int) -> list[Row]:
        hold = self.hold
        rows = self.rule_rows(cells)
        words = f"at most {spoken(hold.scope_lasts)}, from the approval on; sessions opened late in it end with it"
        rows += hang(("time    ", "faint"), ((words, "text"),), cells, 2)
        rows += hang(("needs   ", "faint"), ((needs_text(hold).removeprefix("needs "), "text"),), cells, 2)
        rows += self.glass_rows(cells)
        rows += self.claim_rows(cells)
        rows += self.who_rows(cells)
        return [crop(row, cells) for row in rows]

    def history_rows(self, cells: int) -> list[Row]:
        """None: a connection that is not in yet has asked for nothing else."""
        return []

    def lets(self) -> str:
        return "lets it in"
