"""The frame of Access: leases, grants and blocks, with the block about the one under the cursor. It never asks the desk."""

from __future__ import annotations

from textual.widget import Widget

from hooptui.core.desk import BlockView, Snapshot
from hooptui.tui.text import many
from hooptui.tui.widgets.access import AccessList, Holding, detail
from hooptui.tui.widgets.lines import Bar
from hooptui.tui.widgets.panes import ListPane, tall

DETAIL = 8
"""Lines about the one under the cursor."""


class AccessPane(ListPane[AccessList]):
    """See the module."""

    place = "access"

    def __init__(self) -> None:
        super().__init__(AccessList())
        self.detail = Bar(id="access-detail")
        self._shown: tuple[Snapshot, frozenset[int]] | None = None

    def below(self) -> tuple[Widget, ...]:
        return (self.detail,)

    def show(self, snapshot: Snapshot, glass: frozenset[int]) -> None:
        self._shown = snapshot, glass
        self.list.show(snapshot, glass)
        self.show_detail()
        hands = "U unblock" if isinstance(self.holding, BlockView) else "R revoke  B block" if self.holding else ""
        amounts = " · ".join(
            (
                many(len(snapshot.leases), "lease"),
                many(len(snapshot.grants), "grant"),
                many(len(snapshot.blocks), "block"),
            )
        )
        filtered = f"{self.filter_words()} · " if self.filter else ""
        self.titled(
            "Access",
            "lease, grant or block",
            "no lease, no grant and no block is in force",
            filtered + (hands or amounts),
        )

    def again(self) -> None:
        if self._shown is not None:
            self.show(*self._shown)

    def show_detail(self) -> None:
        room = min(DETAIL, max(0, self.size.height - 5))
        tall(self.detail, room)
        one = self.holding
        self.detail.put(*(detail(self.list, one, self.size.width)[:room] if one is not None else ()))

    def on_lines_moved(self) -> None:
        self.again()

    @property
    def holding(self) -> Holding | None:
        """The lease, grant or block under the cursor."""
        return self.list.chosen
