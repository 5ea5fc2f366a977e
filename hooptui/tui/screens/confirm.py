"""The windows for what cannot be undone with the same key: revoke, block, unblock, break the glass.

What a window speaks of is fixed when it opens; lists behind it may move. Its button goes dead, with the reason in words, as
soon as the thing cannot be done any more. The focus begins at Cancel.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input

from hooptui.core.desk import BlockView, Command, GrantView, HeldView, LeaseView, Outcome, SessionView, Snapshot
from hooptui.tui.people import decider, name_of, spoken, subject, who_words
from hooptui.tui.screens.modal import Modal, button, field
from hooptui.tui.text import Row, clean, hang, many, spot, wrap_row
from hooptui.tui.widgets.held import purpose_of
from hooptui.tui.widgets.lines import Bar

LISTED = 3
"""Sessions that are named; the others are counted."""

TYPEABLE = 32
"""Characters of the longest word that one is asked to type."""


class ConfirmScreen(Modal):
    """See the module. Subclasses say what will happen, whether it still can, and the command."""

    go = "Go"
    reason: str | None = "why, for the journal"
    """What stands in the empty field; None where there is no reason to give."""
    reason_required = False

    def __init__(self, title: str, kind: str = "-danger", *, typed: str = "", typed_words: str = "") -> None:
        """`typed` must be typed before the button lives; empty where nothing must."""
        super().__init__(title, kind)
        self.typed, self._typed_words = typed, typed_words
        self.sent = False
        self.done = ""
        """What came of it, when it was not all well."""
        self.head = Bar(classes="auto confirm-head")

    def facts(self, snapshot: Snapshot | None) -> list[Row]:
        """What will happen, in rows."""
        raise NotImplementedError

    def gone(self, snapshot: Snapshot | None) -> str:
        """Why it cannot be done any more; empty while it can."""
        raise NotImplementedError

    def command(self, reason: str) -> Command:
        raise NotImplementedError

    def ready(self) -> str:
        """What the button does, when it may be pressed."""
        raise NotImplementedError

    def inside(self) -> ComposeResult:
        yield self.head
        if self.reason is not None:
            yield field("Reason ", "reason", self.reason + (" (required)" if self.reason_required else ""))
        if self.typed:
            yield field(f"{self._typed_words} ", "typed")
        yield self.words
        with Horizontal(classes="buttons"):
            yield button("Cancel  esc", "cancel")
            yield button(self.go, "go", "-go")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    def tick(self) -> None:
        rows = [line for row in self.facts(self.hooptui.snapshot) for line in wrap_row(row, self.cells)]
        self.head.styles.height = len(rows)
        self.head.put(*rows)
        self.judge()

    def _value(self, name: str) -> str:
        found = self.query(f"#{name}")
        return found.first(Input).value.strip() if found else ""

    def why_not(self) -> str:
        """Why the button is dead; empty when it may be pressed."""
        gone = self.gone(self.hooptui.snapshot)
        if self.sent:
            return "sent …"
        if gone:
            return gone
        if self.hooptui.closed:
            return "the gateway does not answer"
        if self.hooptui.why_not:
            return self.hooptui.why_not
        if self.reason_required and not self._value("reason"):
            return "it takes a reason: everybody will read it"
        if self.typed and self._value("typed") != self.typed:
            return f"type {self.typed} to go on"
        return ""

    def judge(self) -> None:
        """Bring the button and the words in line with what is possible now."""
        why = self.why_not()
        go = self.query_one("#go", Button)
        go.disabled = bool(why) or bool(self.done)
        if self.done:
            self.say(self.done, "bad")
        else:
            self.say(why or self.ready(), "bad" if self.gone(self.hooptui.snapshot) else "warn" if why else "ok")
        if go.disabled and self.focused is go:
            self.query_one("#cancel").focus()

    def on_input_changed(self) -> None:
        self.judge()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a field goes on to the next, and from the last to Cancel; it never does the thing."""
        event.stop()
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id != "go":
            self.dismiss()
            return
        if self.why_not() or self.done:
            self.judge()
            return
        command = self.command(self._value("reason"))
        self.sent = True
        self.judge()
        self.hooptui.command(command, self._done)

    def _done(self, outcome: Outcome) -> None:
        if not self.is_attached:
            return
        if outcome.ok:
            self.dismiss()
            return
        self.sent = False
        self.done = f"✗ {clean(outcome.text, 300)}"
        self.query_one("#cancel", Button).label = "Close  esc"
        self.judge()


class RevokeScreen(ConfirmScreen):
    """Take back a lease or a grant, and end what it opened."""

    go = "Revoke"

    def __init__(self, holding: LeaseView | GrantView) -> None:
        self.holding = holding
        title = (
            f"Revoke lease {clean(holding.id, 20)}"
            if isinstance(holding, LeaseView)
            else f"Revoke grant #{holding.approval}"
        )
        super().__init__(title)

    def _current(self, snapshot: Snapshot | None) -> LeaseView | GrantView | None:
        if snapshot is None:
            return self.holding
        match self.holding:
            case LeaseView(id=number):
                return next((one for one in snapshot.leases if one.id == number), None)
            case GrantView(approval=approval):
                return next((one for one in snapshot.grants if one.approval == approval), None)

    def facts(self, snapshot: Snapshot | None) -> list[Row]:
        self.holding = one = self._current(snapshot) or self.holding
        now = snapshot.health.now if snapshot is not None else 0.0
        match one:
            case LeaseView():
                who = who_words(one.who, one.kind, one.identity, one.owner)
                what, until = f"by {clean(one.how, 20)}, {spoken(now - one.issued_at)} ago", one.expires_at
                sessions = [row for row in _sessions(snapshot) if row.lease == one.id]
            case GrantView():
                who = f"{name_of(snapshot, one.identity)} → {clean(one.target, 60)}"
                what, until = (
                    f"{clean(one.scope, 20)} under {clean(one.rule, 60)}, given by approval #{one.approval}",
                    one.until,
                )
                sessions = [row for row in _sessions(snapshot) if row.grant == one.approval]
        left = f"ends by itself in {spoken(until - now)}" if until > now else "its time is over"
        return [
            ((who, "strong"), (f"   {clean(one.identity, 200)}", "faint")),
            ((what, "text"), (f" · {left}", "held")),
            (("ends now  ", "faint"), (_named(sessions, one.sessions), "text")),
        ]

    def gone(self, snapshot: Snapshot | None) -> str:
        if self._current(snapshot) is not None:
            return ""
        what = (
            f"lease {clean(self.holding.id, 20)}"
            if isinstance(self.holding, LeaseView)
            else f"grant #{self.holding.approval}"
        )
        return f"{what} has ended meanwhile: see 5 Audit for how"

    def ready(self) -> str:
        return "takes it back and ends what it opened; the same person may ask anew"

    def command(self, reason: str) -> Command:
        what = self.holding.id if isinstance(self.holding, LeaseView) else str(self.holding.approval)
        return Command("revoke", {"what": what, "reason": reason})


class BlockScreen(ConfirmScreen):
    """Lock an identity out: its sessions are killed, its leases and grants are void, its logins are refused."""

    go = "Block"

    def __init__(self, identity: str, name: str) -> None:
        """`name` is the display name, for people."""
        self.identity, self.name_shown = identity, clean(name, 60)
        word = typed_word(name)
        super().__init__(f"Block {self.name_shown}", typed=word, typed_words=f"Type {word} to block")

    def facts(self, snapshot: Snapshot | None) -> list[Row]:
        sessions = [row for row in _sessions(snapshot) if row.identity == self.identity]
        leases = [row for row in snapshot.leases if row.identity == self.identity] if snapshot is not None else []
        grants = [row for row in snapshot.grants if row.identity == self.identity] if snapshot is not None else []
        return [
            *hang(("identity  ", "faint"), ((clean(self.identity, 400), "strong"),), self.cells, 4),
            *hang(("killed    ", "faint"), ((_named(sessions, len(sessions)), "text"),), self.cells, 2),
            (("void      ", "faint"), (f"{many(len(leases), 'lease')}, {many(len(grants), 'grant')}", "text")),
            (("refused   ", "faint"), ("every new login, until somebody unblocks it", "text")),
        ]

    def gone(self, snapshot: Snapshot | None) -> str:
        if snapshot is not None and snapshot.health.operator_key == self.identity:
            return "this is you: another operator can lock you out, you cannot"
        for one in snapshot.blocks if snapshot is not None else ():
            if one.identity == self.identity:
                return f"it is blocked already, by {decider(one.by)}"
        return ""

    def ready(self) -> str:
        return "kills now, and asks no more"

    def command(self, reason: str) -> Command:
        return Command("block", {"identity": self.identity, "reason": reason})


class UnblockScreen(ConfirmScreen):
    """Let a locked-out identity log in again."""

    go = "Unblock"
    reason = None

    def __init__(self, block: BlockView) -> None:
        self.block = block
        super().__init__(f"Unblock {subject(block.identity)}", "")

    def facts(self, snapshot: Snapshot | None) -> list[Row]:
        one = self.block
        now = snapshot.health.now if snapshot is not None else one.at
        why = spot(clean(one.reason, 300) or "no reason given", "text")
        return [
            *hang(("identity  ", "faint"), ((clean(one.identity, 400), "strong"),), self.cells, 4),
            *hang(
                ("blocked   ", "faint"),
                ((f"by {decider(one.by)}, {spoken(now - one.at)} ago: ", "text"), *why),
                self.cells,
                3,
            ),
        ]

    def gone(self, snapshot: Snapshot | None) -> str:
        blocked = snapshot is None or any(one.identity == self.block.identity for one in snapshot.blocks)
        return "" if blocked else "it is not blocked any more"

    def ready(self) -> str:
        return "it may log in again; what was taken from it does not come back"

    def command(self, reason: str) -> Command:
        return Command("unblock", {"identity": self.block.identity})


class BreakGlassScreen(ConfirmScreen):
    """Let a held operation or an access request go alone, in an emergency, with everybody told."""

    go = "Break the glass"
    reason = "why it cannot wait; everybody will read it"
    reason_required = True

    def __init__(self, hold: HeldView) -> None:
        self.hold = hold
        word = typed_word(hold.target)
        super().__init__(f"Break the glass for #{hold.number}", typed=word, typed_words=f"Type {word} to go on")

    def facts(self, snapshot: Snapshot | None) -> list[Row]:
        hold = self.hold
        now = snapshot.health.now if snapshot is not None else hold.opened_at
        what = (purpose_of(hold) or "asks for access") if hold.access else hold.text
        return [
            (
                (
                    f"{who_words(hold.who, hold.kind, '', hold.owner)} → {clean(hold.target, 40)} ({clean(hold.via, 8)})",
                    "strong",
                ),
                (f"   denies itself in {spoken(hold.expires_at - now)}", "held"),
            ),
            (("  ", ""), *spot(clean(what, 300), "sql")),
            *hang(
                ("may       ", "faint"),
                ((f"groups {clean(', '.join(hold.break_glass), 120)}, for their own requests too", "text"),),
                self.cells,
                2,
            ),
            *hang(
                ("then      ", "faint"),
                (("masks and recording stay on; every screen and every channel is told", "text"),),
                self.cells,
                2,
            ),
        ]

    def gone(self, snapshot: Snapshot | None) -> str:
        if snapshot is not None and all(one.number != self.hold.number for one in snapshot.held):
            how = self.hooptui.tail.settled(self.hold.number)
            return f"#{self.hold.number} was settled meanwhile: {how or 'see 5 Audit for how'}"
        if not self.hold.break_glass:
            return f"rule {clean(self.hold.rule, 40)} has no glass to break"
        groups = snapshot.health.operator_groups if snapshot is not None else ()
        if not set(groups) & set(self.hold.break_glass):
            return f"you are in none of the groups that may: {clean(', '.join(self.hold.break_glass), 120)}"
        return ""

    def ready(self) -> str:
        return "lets it go now, alone, in your name"

    def command(self, reason: str) -> Command:
        return Command("break-glass", {"number": str(self.hold.number), "reason": reason})


def typed_word(name: str) -> str:
    """What has to be typed: the name itself where a keyboard has it, else a word that every keyboard has."""
    plain = name.strip()
    return plain if plain and plain.isascii() and plain.isprintable() and len(plain) <= TYPEABLE else "yes"


def _sessions(snapshot: Snapshot | None) -> tuple[SessionView, ...]:
    return snapshot.sessions if snapshot is not None else ()


def _named(sessions: list[SessionView], total: int) -> str:
    """`2 sessions: 7f3a on orders-db, d004 on ledger-db`."""
    named = ", ".join(f"{clean(one.id, 12)} on {clean(one.target, 30)}" for one in sessions[:LISTED])
    more = f" and {total - LISTED} more" if named and total > LISTED else ""
    return many(total, "session") + (f": {named}{more}" if named else "")
