"""View 1: a row for each session. Pure columns over SessionView; knows no desk."""

from __future__ import annotations

from hooptui.core.desk import SessionView
from hooptui.core.filter import Fields
from hooptui.tui.people import bound_of, host, kind_word, left, subject
from hooptui.tui.text import Span, clean, count, span_of, spot
from hooptui.tui.widgets.held import ASKS
from hooptui.tui.widgets.rows import Column, Rows, Sort

IDLE = 60.0
"""Seconds without an operation after which a live session counts as idle in the filter."""

_RANK = {"held": 0, "frozen": 1, "running": 2, "ending": 3, "live": 4, "closed": 5}

_STATES: dict[str, Span] = {
    "live": ("live", ""),
    "running": ("▸ run", "up"),
    "held": ("▲ held", "held"),
    "frozen": ("‖ froz", "frozen"),
    "ending": ("✗ end", "bad"),
    "closed": ("○ gone", "faint"),
}


class Live(Rows[SessionView]):
    """See the module."""

    sorts: tuple[Sort[SessionView], ...] = (
        ("id", lambda one: (one.id,)),
        ("who", lambda one: (one.who.lower(), one.id)),
        ("target", lambda one: (one.target, one.id)),
        ("age", lambda one: (one.opened_at, one.id)),
        ("ops", lambda one: (-one.operations, one.id)),
        ("state", lambda one: (_RANK.get(one.state, 9), one.id)),
        ("left", lambda one: (_ends(one), one.id)),
        ("last", lambda one: (-one.last_at, one.id)),
    )

    def __init__(self) -> None:
        super().__init__(id="live-list")
        self.glass: frozenset[int] = frozenset()
        """Approvals that somebody let go alone, in an emergency."""
        self.asking: frozenset[str] = frozenset()
        """Sessions that wait to be let in; what they said last is why."""
        self.columns = (
            Column("ID", lambda one: (clean(one.id, 12), "faint"), 4, 8),
            Column("WHO", lambda one: (clean(one.who, 80), ""), 8, 14),
            Column("KIND", lambda one: (kind_word(one.kind), "faint"), 5, 5),
            Column("FOR", lambda one: (subject(one.owner) if one.owner else "", "faint"), 5, 12, rank=5),
            Column("ISSUER", lambda one: (host(one.identity), "faint"), 10, 18, rank=6),
            Column("TARGET", lambda one: (clean(one.target, 80), ""), 9, 14),
            Column("VIA", lambda one: (clean(one.via, 8), "faint"), 3, 4, rank=1),
            Column("AGE", lambda one: (span_of(self.now - one.opened_at), ""), 5, 6, right=True, rank=3),
            Column("OPS", lambda one: (count(one.operations), ""), 3, 6, right=True, rank=4),
            Column("LEFT", lambda one: left(one, self.now, glass=self.glass), 9, 10),
            Column("STATE", lambda one: _STATES.get(one.state, (clean(one.state, 10), "warn")), 6, 6),
            Column("LAST", self._last, 12, 400, flex=True),
        )

    def key(self, item: SessionView) -> object:
        return item.id

    def passes(self, item: SessionView) -> bool:
        return self.filter.holds(fields(item, self.now), item.last_at)

    def row_style(self, item: SessionView) -> str:
        return "strong" if item.state == "held" else "faint" if item.state in ("ending", "closed") else "text"

    def _last(self, one: SessionView) -> Span:
        if one.id in self.asking:
            return ASKS, "held"
        text = clean(one.last, 200)
        return text, next(iter(spot(text[:1], "")), ("", ""))[1] or ""


def _ends(one: SessionView) -> float:
    bound = bound_of(one)
    return bound[1] if bound is not None else float("inf")


def fields(one: SessionView, now: float) -> Fields:
    """What the filter may ask of a session. `idle` is a live one that has asked for nothing for a while."""
    idle = one.state == "live" and now - one.last_at >= IDLE
    return {
        "id": one.id,
        "who": (one.who, one.identity, one.owner),
        "target": one.target,
        "via": one.via,
        "state": (one.state, "idle") if idle else one.state,
        "text": one.last[:2000],
        "kind": one.kind,
        "app": one.application,
        "group": one.groups,
        "peer": one.peer,
    }
