"""Access: the leases, grants and blocks in force, one row each, and what is known of the one under the cursor.

Pure columns over the three views; knows no desk.
"""

from __future__ import annotations

from typing import Final

from hooptui.core.desk import BlockView, GrantView, LeaseView, SessionView, Snapshot
from hooptui.core.filter import Fields
from hooptui.tui.journal_people import SCOPES
from hooptui.tui.people import SOON, brief, host, issuer, kind_word, name_of, spoken, subject
from hooptui.tui.text import Row, Span, clean, crop, hang, many, spot
from hooptui.tui.widgets.rows import Column, Rows, Sort

Holding = LeaseView | GrantView | BlockView
"""What an identity has, or has lost."""

_RANK: Final = {"block": 0, "lease": 1, "grant": 2}


def what(one: Holding) -> str:
    """`lease`, `grant` or `block`."""
    match one:
        case LeaseView():
            return "lease"
        case GrantView():
            return "grant"
        case BlockView():
            return "block"


def handle(one: Holding) -> str:
    """What `revoke` and `unblock` call it: the lease's id, the approval's number, the identity's key."""
    match one:
        case LeaseView(id=number):
            return number
        case GrantView(approval=approval):
            return str(approval)
        case BlockView(identity=identity):
            return identity


def ends(one: Holding) -> float | None:
    match one:
        case LeaseView(expires_at=until) | GrantView(until=until):
            return until
        case BlockView():
            return None


class AccessList(Rows[Holding]):
    """See the module. The cursor belongs to a lease, a grant or a block: rows above may come and go."""

    def __init__(self) -> None:
        super().__init__(id="access-list")
        self.snapshot: Snapshot | None = None
        self.glass: frozenset[int] = frozenset()
        self.sorts: tuple[Sort[Holding], ...] = (
            ("what", lambda one: (_RANK[what(one)], _end(one), handle(one))),
            ("who", lambda one: (self.who(one).lower(), _RANK[what(one)], handle(one))),
            ("ends", lambda one: (_end(one), handle(one))),
            ("open", lambda one: (-_sessions(one), handle(one))),
        )
        self.columns = (
            Column("WHAT", self._what, 7, 7),
            Column("ID", lambda one: (_id(one), "faint"), 15, 15),
            Column("WHO", lambda one: (self.who(one), ""), 8, 16),
            Column("KIND", lambda one: (kind_word(self.kind(one)) if self.kind(one) else "", "faint"), 5, 5, rank=1),
            Column("FOR", lambda one: (subject(self.owner(one)) if self.owner(one) else "", "faint"), 5, 12, rank=3),
            Column("ISSUER", lambda one: (host(one.identity), "faint"), 10, 20, rank=2),
            Column("HOW", _how, 14, 400, flex=True),
            Column("ENDS", self._ends, 5, 6, right=True),
            Column("OPEN", lambda one: (_open(one), ""), 4, 4, right=True),
        )

    # --- who it is about

    def who(self, one: Holding) -> str:
        """Display name, as far as anybody open has it."""
        return clean(one.who, 80) if isinstance(one, LeaseView) else name_of(self.snapshot, one.identity)

    def kind(self, one: Holding) -> str:
        known = self._known(one)
        return known.kind if known is not None else ""

    def owner(self, one: Holding) -> str:
        known = self._known(one)
        return known.owner if known is not None else ""

    def _known(self, one: Holding) -> LeaseView | SessionView | None:
        """A lease or session that says more of the identity than its key does."""
        if isinstance(one, LeaseView) or self.snapshot is None:
            return one if isinstance(one, LeaseView) else None
        rows: tuple[LeaseView | SessionView, ...] = (*self.snapshot.leases, *self.snapshot.sessions)
        return next((row for row in rows if row.identity == one.identity), None)

    # ---

    def key(self, item: Holding) -> object:
        return what(item), handle(item)

    def passes(self, item: Holding) -> bool:
        return self.filter.holds(self.fields(item), _began(item, self.now))

    def row_style(self, item: Holding) -> str:
        return "text"

    def fields(self, one: Holding) -> Fields:
        """What the filter may ask."""
        return {
            "id": _id(one),
            "who": (self.who(one), one.identity, self.owner(one)),
            "kind": (what(one), self.kind(one)),
            "state": what(one),
            "text": _how(one)[0],
            "target": one.target if isinstance(one, GrantView) else "",
            "rule": one.rule if isinstance(one, GrantView) else "",
        }

    def show(self, snapshot: Snapshot, glass: frozenset[int]) -> None:
        """Everything in force as it is now; `glass` are the approvals that somebody let go alone, in an emergency."""
        self.snapshot, self.glass = snapshot, glass
        self.order((*snapshot.blocks, *snapshot.leases, *snapshot.grants), snapshot.health.now)

    def broken(self, one: Holding) -> bool:
        """Whether it is a grant by broken glass."""
        return isinstance(one, GrantView) and one.approval in self.glass

    def _what(self, one: Holding) -> Span:
        if self.broken(one):
            return "‼ glass", "bad"
        return ("✗ block", "bad") if isinstance(one, BlockView) else (what(one), "")

    def _ends(self, one: Holding) -> Span:
        until = ends(one)
        if until is None:
            return "never", "faint"
        left = until - self.now
        return brief(left), "bad" if left < SOON else "warn" if left < 5 * SOON else ""


def _id(one: Holding) -> str:
    match one:
        case LeaseView():
            return clean(one.id, 20)
        case GrantView():
            return f"#{one.approval}"
        case BlockView():
            return ""


def _end(one: Holding) -> float:
    until = ends(one)
    return float("inf") if until is None else until


def _began(one: Holding, now: float) -> float:
    match one:
        case LeaseView():
            return one.issued_at
        case GrantView():
            return now
        case BlockView():
            return one.at


def _sessions(one: Holding) -> int:
    return 0 if isinstance(one, BlockView) else one.sessions


def _open(one: Holding) -> str:
    return "" if isinstance(one, BlockView) else str(one.sessions)


def _how(one: Holding) -> Span:
    match one:
        case LeaseView():
            return f"by {clean(one.how, 20)}", ""
        case GrantView():
            scope = SCOPES.get(one.scope, clean(one.scope, 20))
            return f"{scope} on {clean(one.target, 60)} · {clean(one.rule, 60)}", ""
        case BlockView():
            return f"by {subject(one.by)}: {clean(one.reason, 200) or 'no reason given'}", ""


def sessions_of(one: Holding, snapshot: Snapshot) -> tuple[SessionView, ...]:
    """The open sessions that go with it: opened by the lease, let in by the grant; of a blocked identity there should be none."""
    match one:
        case LeaseView(id=number):
            return tuple(row for row in snapshot.sessions if row.lease == number)
        case GrantView(approval=approval):
            return tuple(row for row in snapshot.sessions if row.grant == approval)
        case BlockView(identity=identity):
            return tuple(row for row in snapshot.sessions if row.identity == identity)


def detail(lister: AccessList, one: Holding, cells: int) -> list[Row]:
    """Everything about a lease, a grant or a block."""
    kind, owner = lister.kind(one), lister.owner(one)
    names = f"{clean(kind, 12)} {lister.who(one)}".strip() + (f", acts for {clean(owner, 200)}" if owner else "")
    rows = hang((" who      ", "faint"), ((names, "strong"),), cells, 2)
    rows += hang((" subject  ", "faint"), ((clean(one.identity.partition("#")[2], 200), "text"),), cells, 2)
    rows += hang((" issuer   ", "faint"), ((issuer(one.identity), "text"),), cells, 2)
    match one:
        case LeaseView():
            words: Row = (
                (f"{clean(one.id, 20)} by {clean(one.how, 20)}, {spoken(lister.now - one.issued_at)} ago", "text"),
                (f" · ends in {spoken(one.expires_at - lister.now)}", "held"),
            )
            rows += hang((" lease    ", "faint"), words, cells, 2)
        case GrantView():
            scope = SCOPES.get(one.scope, clean(one.scope, 20))
            words = (
                ("GLASS BROKEN  ", "bad") if lister.broken(one) else ("", ""),
                (
                    f"approval #{one.approval} gave {scope} on {clean(one.target, 60)} under {clean(one.rule, 60)}",
                    "text",
                ),
                (f" · ends in {spoken(one.until - lister.now)}", "held"),
            )
            rows += hang((" grant    ", "faint"), words, cells, 2)
        case BlockView():
            ago = f"by {subject(one.by)}, {spoken(lister.now - one.at)} ago: "
            reason = spot(clean(one.reason, 300) or "no reason given", "text")
            rows += hang((" blocked  ", "faint"), ((ago, "bad"), *reason), cells, 3)
    if not isinstance(one, BlockView):
        open_now = sessions_of(one, lister.snapshot) if lister.snapshot is not None else ()
        named = ", ".join(f"{clean(row.id, 12)} on {clean(row.target, 40)}" for row in open_now[:8])
        some = many(one.sessions, "session") + (f": {named}" if named else "")
        rows += hang((" open     ", "faint"), ((some, "text"),), cells, 2)
    return [crop(row, cells) for row in rows]
