"""View 2: the operations and access requests that wait for people, oldest first, and what is known of the one under the cursor.

Pure functions over HeldView and Review; knows no desk.
"""

from __future__ import annotations

from collections.abc import Sequence

from hooptui.core.desk import HeldView, Review
from hooptui.core.filter import Fields
from hooptui.core.gate import Masked
from hooptui.tui.people import kind_word, spoken, subject, who_words
from hooptui.tui.text import Row, Span, clean, clean_lines, crop, span_of, spot, wrap_row
from hooptui.tui.transcript import sql
from hooptui.tui.widgets.members import member_rows
from hooptui.tui.widgets.rows import Column, Rows, Sort

URGENT = 30.0
"""Seconds before a hold denies itself from which the time left is shown as a warning."""

ASKS = "asks for access"
"""What an access request says where an operation would stand."""


class HeldList(Rows[HeldView]):
    """See the module. The cursor belongs to a number: rows above may come and go."""

    sorts: tuple[Sort[HeldView], ...] = (
        ("wait", lambda one: (one.number,)),
        ("left", lambda one: (one.expires_at, one.number)),
        ("who", lambda one: (one.who.lower(), one.number)),
        ("target", lambda one: (one.target, one.number)),
        ("rule", lambda one: (one.rule, one.number)),
    )

    def __init__(self) -> None:
        super().__init__(id="held-list")
        claim: Column[HeldView] = Column("ON IT", lambda one: (clean(one.claimed, 40), "warn"), 6, 10)
        self._plain: tuple[Column[HeldView], ...] = (
            Column("#", lambda one: (str(one.number), "held"), 2, 6),
            Column("WAIT", lambda one: (span_of(self.now - one.opened_at), ""), 4, 6, right=True),
            Column("LEFT", lambda one: left(one, self.now), 4, 6, right=True),
            Column("WHO", lambda one: (clean(one.who, 80), ""), 6, 12),
            Column("KIND", lambda one: (kind_word(one.kind) if one.kind else "", "faint"), 5, 5, rank=2),
            Column("TARGET", lambda one: (clean(one.target, 80), ""), 6, 12),
            Column("OPERATION", operation, 16, 400, flex=True),
            Column("RULE", lambda one: (clean(one.rule, 60), "faint"), 7, 12, rank=3),
        )
        self._claimed = (*self._plain[:-2], claim, *self._plain[-2:])
        self.columns = self._plain

    def key(self, item: HeldView) -> object:
        return item.number

    def passes(self, item: HeldView) -> bool:
        return self.filter.holds(fields(item), item.opened_at)

    def row_style(self, item: HeldView) -> str:
        return "text"

    def fill(self, items: Sequence[HeldView]) -> None:
        """Like any list; who is on it has a column only while somebody is."""
        self.columns = self._claimed if any(one.claimed for one in items) else self._plain
        super().fill(items)


def operation(one: HeldView) -> Span:
    """The statement, or for what somebody asks to be let in."""
    text = clean(one.text, 200)
    if one.access:
        return (f"{ASKS}: {text}" if purpose_of(one) else ASKS, "held")
    return (f"{text} and {one.group - 1} more" if one.group else text, "sql")


def purpose_of(one: HeldView) -> str:
    """Why somebody asks for access, in their own words; empty when they gave none."""
    return "" if one.text in ("", "access") else one.text


def left(one: HeldView, now: float) -> Span:
    """How long until the hold denies itself."""
    seconds = one.expires_at - now
    return (span_of(seconds), "bad" if seconds < URGENT else "")


def fields(one: HeldView) -> Fields:
    """What the filter may ask of a held operation."""
    return {
        "id": (f"#{one.number}", one.session),
        "who": (one.who, one.owner),
        "target": one.target,
        "via": one.via,
        "state": ("held", "claimed") if one.claimed else "held",
        "verb": one.verb,
        "text": one.text[:2000],
        "rule": one.rule,
        "risk": one.risk,
        "kind": (one.kind, "access") if one.access else one.kind,
        "group": one.by,
    }


def parameters(one: HeldView) -> tuple[Masked | None, ...]:
    """The values bound to it; a cluster's requests have but a hash, which tells nobody anything."""
    return () if one.via == "k8s" else one.parameters


def facts_text(one: HeldView) -> str:
    """`tables payments · where none · in transaction`."""
    words: list[str] = []
    for label, value in one.facts[:12]:
        shown = clean(value, 200)
        words.append(clean(label, 40) if shown == "yes" else f"{clean(label, 40)} {shown}")
    return " · ".join(words)


def facts_lines(one: HeldView) -> list[tuple[str, str]]:
    """Label and words of each fact, for where there is room for a line each; a label stands but once."""
    lines: list[tuple[str, str]] = []
    before = ""
    for label, value in one.facts[:24]:
        lines.append(("" if label == before else clean(label, 40), clean(value, 300)))
        before = label
    return lines


def statement(text: str, via: str) -> tuple[Span, ...]:
    """A line of what will run; only a database's words are told apart."""
    return tuple(sql(text)) if via == "pg" else tuple(spot(text, "sql"))


def needs_text(one: HeldView) -> str:
    """`needs 1 of group dba, not bot`, and how far the votes are."""
    groups = clean(" or ".join(one.by), 120)
    progress = f" · {one.approvals} of {one.quorum} given" if one.quorum > 1 or one.approvals else ""
    owner = f" nor its owner {subject(one.owner)}" if one.owner else ""
    return f"needs {one.quorum} of group {groups}, not {clean(one.who, 60)}{owner}{progress}"


def claim_text(one: HeldView, now: float) -> str:
    """`ops-2 is on it since 0:40`; empty when nobody is."""
    if not one.claimed:
        return ""
    since = f" since {span_of(now - one.claimed_at)}" if one.claimed_at else ""
    return f"{clean(one.claimed, 60)} is on it{since}"


def estimate_label(one: HeldView) -> str:
    """What the target's word on an operation is about: rows of a statement, or whatever a request changes."""
    return "effect" if one.via == "k8s" else "rows"


def estimate_text(one: HeldView, review: Review | None, asked: bool) -> str:
    if review is not None and review.held.number == one.number:
        return clean(review.estimate, 400) or "none"
    return "asking the target …" if asked else "not asked"


def detail(
    one: HeldView | None, review: Review | None, asked: bool, now: float, cells: int, lines: int
) -> tuple[Row, ...]:
    """The block under the list, at most `lines` high: the statement gives way before the facts do."""
    if one is None or lines <= 0:
        return ()
    inner = max(10, cells - 2)
    tail = _access_facts(one) if one.access else _facts(one, review, asked, lines - 4)
    risk: tuple[Span, ...] = (("   risk high", "bad"),) if one.risk == "high" else ()
    tail.append(
        ((" rule  ", "faint"), (clean(one.rule, 60), "strong"), (f"  “{clean(one.rule_words, 200)}”", "text"), *risk)
    )
    on_it = claim_text(one, now)
    tail.append(((" " + needs_text(one), "faint"),))
    if on_it:
        tail.append(((" " + on_it, "warn"),))
    room = max(1, lines - len(tail))
    head: list[Row] = []
    texts = clean_lines(one.text) if not one.access else clean_lines(purpose_of(one) or "no reason given")
    for text in texts:
        spans = tuple(spot(text, "value")) if one.access else statement(text, one.via)
        head.extend((("  ", ""), *row) for row in wrap_row(spans, inner - 1))
        if len(head) > room:
            break
    head.extend(member_rows(one, review, inner))
    if len(head) > room:
        head = [*head[: room - 1], (("  … enter shows all of it", "faint"),)]
    return tuple(crop(row, cells) for row in (*head, *tail)[:lines])


def _facts(one: HeldView, review: Review | None, asked: bool, most: int) -> list[Row]:
    """What is known of an operation beside its text; where there is a line for each fact, it has one."""
    tail: list[Row] = []
    if parameters(one):
        spans: list[Span] = [(" ", "")]
        for number, value in enumerate(parameters(one)[:20], 1):
            spans += [(f"${number} = ", "faint"), ("NULL" if value is None else clean(value, 60), "value"), ("  ", "")]
        tail.append(tuple(spans))
    estimate: Row | None = None
    if one.via != "ssh":
        # Nothing plans a command before it runs.
        estimate = (f" {estimate_label(one)}  ", "faint"), (estimate_text(one, review, asked), "warn")
    lines = facts_lines(one)
    if one.via != "pg" and len(lines) + (estimate is not None) <= most:
        tail += [
            ((f" {name:7} ", "faint"), *spot(words, "warn" if name == "beware" else "text")) for name, words in lines
        ]
    else:
        facts = facts_text(one)
        tail.append(((" " + clean(one.via, 8), "faint"), (f" · {facts}" if facts else "", "text")))
    return tail if estimate is None else [*tail, estimate]


def _access_facts(one: HeldView) -> list[Row]:
    """What is known of a connection that asks to be let in."""
    who = who_words(one.who, one.kind, "", one.owner)
    return [
        ((f" {clean(one.via, 8)}", "faint"), (f" · {ASKS}", "held"), (f" to {clean(one.target, 60)} · {who}", "text")),
        ((" most  ", "faint"), (f"{spoken(one.scope_lasts)} from the approval on", "text")),
    ]
