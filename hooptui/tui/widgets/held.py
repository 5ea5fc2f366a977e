"""View 2: the operations that wait for people, oldest first, and what is known of the one under the cursor.

Pure functions over HeldView and Review; knows no desk.
"""

from __future__ import annotations

from collections.abc import Callable

from hooptui.core.desk import HeldView, Review
from hooptui.core.filter import Fields
from hooptui.tui.text import Row, Span, clean, clean_lines, crop, span_of, wrap_row
from hooptui.tui.transcript import sql
from hooptui.tui.widgets.rows import Column, Rows

URGENT = 30.0
"""Seconds before a hold denies itself from which the time left is shown as a warning."""

SORTS: tuple[tuple[str, Callable[[HeldView], tuple[object, ...]]], ...] = (
    ("wait", lambda one: (one.number,)),
    ("left", lambda one: (one.expires_at, one.number)),
    ("who", lambda one: (one.who.lower(), one.number)),
    ("target", lambda one: (one.target, one.number)),
    ("rule", lambda one: (one.rule, one.number)),
)


class HeldList(Rows[HeldView]):
    """See the module. The cursor belongs to a number: rows above may come and go."""

    def __init__(self) -> None:
        super().__init__(id="held-list")
        self.now = 0.0
        self.sort = 0
        self.columns = (
            Column("#", lambda one: (str(one.number), "held"), 2, 6),
            Column("WAIT", lambda one: (span_of(self.now - one.opened_at), ""), 4, 6, right=True),
            Column("LEFT", lambda one: left(one, self.now), 4, 6, right=True),
            Column("WHO", lambda one: (clean(one.who, 80), ""), 5, 12),
            Column("TARGET", lambda one: (clean(one.target, 80), ""), 6, 12),
            Column("OPERATION", lambda one: (clean(one.text, 200), "sql"), 9, 400, flex=True),
            Column("RULE", lambda one: (clean(one.rule, 60), "faint"), 4, 12),
        )

    def key(self, item: HeldView) -> object:
        return item.number

    def passes(self, item: HeldView) -> bool:
        return self.filter.holds(fields(item), item.opened_at)

    def row_style(self, item: HeldView) -> str:
        return "text"

    def order(self, held: tuple[HeldView, ...], now: float) -> None:
        self.now = now
        self.fill(sorted(held, key=SORTS[self.sort][1]))

    def next_sort(self) -> str:
        self.sort = (self.sort + 1) % len(SORTS)
        return SORTS[self.sort][0]


def left(one: HeldView, now: float) -> Span:
    """How long until the hold denies itself."""
    seconds = one.expires_at - now
    return (span_of(seconds), "bad" if seconds < URGENT else "")


def fields(one: HeldView) -> Fields:
    """What the filter may ask of a held operation."""
    return {
        "id": (f"#{one.number}", one.session),
        "who": one.who,
        "target": one.target,
        "via": one.via,
        "state": "held",
        "verb": one.verb,
        "text": one.text[:2000],
        "rule": one.rule,
        "risk": one.risk,
        "group": one.by,
    }


def facts_text(one: HeldView) -> str:
    """`tables payments · where none · in transaction`."""
    words: list[str] = []
    for label, value in one.facts[:12]:
        shown = clean(value, 200)
        words.append(clean(label, 40) if shown == "yes" else f"{clean(label, 40)} {shown}")
    return " · ".join(words)


def needs_text(one: HeldView) -> str:
    """`needs 1 of group dba, not bot`, and how far the votes are."""
    groups = clean(" or ".join(one.by), 120)
    progress = f" · {one.approvals} of {one.quorum} given" if one.quorum > 1 or one.approvals else ""
    return f"needs {one.quorum} of group {groups}, not {clean(one.who, 60)}{progress}"


def estimate_text(one: HeldView, review: Review | None, asked: bool) -> str:
    if review is not None and review.held.number == one.number:
        return clean(review.estimate, 400) or "none"
    return "asking the target …" if asked else "not asked"


def detail(one: HeldView | None, review: Review | None, asked: bool, cells: int, lines: int) -> tuple[Row, ...]:
    """The block under the list, at most `lines` high: the statement gives way before the facts do."""
    if one is None or lines <= 0:
        return ()
    inner = max(10, cells - 2)
    tail: list[Row] = []
    if one.parameters:
        spans: list[Span] = [(" ", "")]
        for number, value in enumerate(one.parameters[:20], 1):
            spans += [(f"${number} = ", "faint"), ("NULL" if value is None else clean(value, 60), "value"), ("  ", "")]
        tail.append(tuple(spans))
    facts = facts_text(one)
    tail.append(((" " + clean(one.via, 8), "faint"), (f" · {facts}" if facts else "", "text")))
    tail.append(((" rows  ", "faint"), (estimate_text(one, review, asked), "warn")))
    risk: tuple[Span, ...] = (("   risk high", "bad"),) if one.risk == "high" else ()
    tail.append(
        ((" rule  ", "faint"), (clean(one.rule, 60), "strong"), (f"  “{clean(one.rule_words, 200)}”", "text"), *risk)
    )
    tail.append(((" " + needs_text(one), "faint"),))
    room = max(1, lines - len(tail))
    head: list[Row] = []
    for text in clean_lines(one.text):
        head.extend((("  ", ""), *row) for row in wrap_row(tuple(sql(text)), inner - 1))
        if len(head) > room:
            break
    if len(head) > room:
        head = [*head[: room - 1], (("  … enter shows all of it", "faint"),)]
    return tuple(crop(row, cells) for row in (*head, *tail)[:lines])
