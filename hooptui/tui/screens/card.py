"""The window with all that is known of who somebody is: identity, owner, lease, and each thing that bounds their time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo

from textual.app import ComposeResult

from hooptui.core.desk import HeldView, SessionView, Snapshot
from hooptui.tui.people import bound_of, issuer, spoken
from hooptui.tui.screens.modal import Modal, Prose
from hooptui.tui.text import Row, clean, hang, spot
from hooptui.tui.widgets.held import claim_text, purpose_of
from hooptui.tui.widgets.statusline import clock


class CardScreen(Modal):
    """See the module. The rows are read anew from every snapshot, so that the time left is true."""

    deafness = 0.0
    BINDINGS = [("q", "leave", "Back"), ("i", "leave", "Back"), ("enter", "leave", "Back")]  # noqa: RUF012 - Textual's own declaration

    def __init__(self, title: str, rows: Callable[[Snapshot, int], list[Row]]) -> None:
        """`rows` makes the lines from a snapshot and a width; none when there is nothing to tell any more."""
        super().__init__(title, "-quiet")
        self.box.border_subtitle = "esc back"
        self.prose = Prose(20, id="card-lines")
        self._rows = rows
        self._last: list[Row] = []

    def inside(self) -> ComposeResult:
        yield self.prose

    def on_mount(self) -> None:
        self.prose.focus()

    def tick(self) -> None:
        snapshot = self.hooptui.snapshot
        if snapshot is None:
            return
        rows = self._rows(snapshot, self.cells - 1)
        if rows:
            self._last = rows
        elif self._last:
            rows = [*self._last, (("it has ended meanwhile", "bad"),)]
        self.prose.put(rows)


def session_rows(
    one: SessionView, hold: HeldView | None, snapshot: Snapshot, cells: int, zone: tzinfo | None, glass: bool
) -> list[Row]:
    """Everything about a session's identity and time. `hold` is what it waits for; `glass`: somebody let it in alone, in an emergency."""
    now = snapshot.health.now
    agent = f", acts for {clean(one.owner, 300)}" if one.owner else ""
    rows = _labelled("name", f"{clean(one.who, 200)}", cells, "strong")
    rows += _labelled("kind", f"{clean(one.kind, 20)}{agent}", cells)
    rows += _labelled("issuer", issuer(one.identity), cells)
    rows += _labelled("subject", clean(one.identity.partition("#")[2], 300), cells)
    rows += _labelled("groups", clean(", ".join(one.groups), 500) or "none", cells)
    rows += _labelled("lease", clean(one.lease, 30) or "none: the client brought its own token", cells)
    for which, until in sorted(one.bounds, key=lambda bound: bound[1]):
        number = f" #{one.grant}" if which == "grant" and one.grant else ""
        first = bound_of(one) == (which, until)
        words = f"{clean(which, 12)}{number} ends it in {spoken(until - now)}, at {clock(until, zone, seconds=True)}"
        rows += _labelled(
            "bound",
            words + (", the first to" if first and len(one.bounds) > 1 else ""),
            cells,
            "held" if first else "text",
        )
    if not one.bounds:
        words = (
            "nothing ends it"
            if one.deadline is None
            else f"ends in {spoken(one.deadline - now)}, at {clock(one.deadline, zone, seconds=True)}"
        )
        rows += _labelled("bound", words, cells)
    if one.grant:
        words = "somebody broke the glass" if glass else "people let it in"
        rows += _labelled("let in", f"{words}: approval #{one.grant}", cells, "bad" if glass else "text")
    purpose = one.purpose or (purpose_of(hold) if hold is not None and hold.access else "")
    rows += hang((_label("purpose"), "faint"), tuple(spot(clean(purpose, 500) or "not said", "text")), cells, 4)
    if hold is not None:
        words = "asks for access" if hold.access else "waits for a decision"
        rows += _labelled(
            "held", f"#{hold.number} {words}" + (f" · {claim_text(hold, now)}" if hold.claimed else ""), cells, "held"
        )
    rows += _labelled("target", f"{clean(one.target, 80)} ({clean(one.via, 8)})", cells)
    rows += _labelled("from", f"{clean(one.peer, 80)} · {clean(one.application, 80) or 'no application name'}", cells)
    rows += _labelled("open", f"{spoken(now - one.opened_at)}, since {clock(one.opened_at, zone, seconds=True)}", cells)
    return rows


def _label(text: str) -> str:
    return f"{text:<9}"


def _labelled(name: str, text: str, cells: int, style: str = "text") -> list[Row]:
    return hang((_label(name), "faint"), ((text, style),), cells, 4)
