"""The window in which an operation is approved: what will run, what it will touch, whose it is, and when it denies itself.

The approval it speaks of is fixed when it opens; whatever list is behind it may move. Approve goes dead, with the reason in
words, as soon as the approval cannot be given any more. Knows the desk only through the application's door.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input

from hooptui.core.approvals import RUN_MOST
from hooptui.core.desk import Command, HeldView, Outcome, Review
from hooptui.tui.journal_people import SCOPES
from hooptui.tui.people import left_words, requester, spoken, who_words
from hooptui.tui.screens.confirm import BreakGlassScreen
from hooptui.tui.screens.modal import Choice, Modal, Prose, button, field, label
from hooptui.tui.screens.record import RecordScreen
from hooptui.tui.text import Row, clean, clean_lines, crop, hang, span_of, spot, wrap_row
from hooptui.tui.widgets.held import (
    claim_text,
    estimate_label,
    facts_lines,
    facts_text,
    needs_text,
    parameters,
    statement,
)
from hooptui.tui.widgets.lines import Bar
from hooptui.tui.widgets.members import member_list, member_rows

HISTORY = 3
"""Earlier operations that are shown."""

STATEMENT, LEAST = 6, 3
"""Lines of the statement that are shown at once, and how few where the terminal is low; it scrolls."""

AIR = 5
"""Empty lines that the stylesheet gives a window in a tall terminal."""


class ReviewScreen(Modal):
    """See the module."""

    def __init__(self, hold: HeldView, *, title: str = "") -> None:
        super().__init__(title or f"Review #{hold.number}")
        self.box.border_subtitle = Content(f"{f'm all {hold.group}  ' if hold.group else ''}c I am on it")
        self.hold = hold
        self.review: Review | None = None
        self.dead = ""
        """Why this approval cannot be given any more, whatever one types."""
        self.sent = False
        self.head = Bar(id="review-head")
        self.statement = Prose(STATEMENT, id="review-statement")
        self.facts = Bar(id="review-facts", classes="auto")

    def choice(self) -> Widget:
        """How far the approval reaches."""
        scopes = [(one, _scope_words(one, self.hold)) for one in self.hold.scopes] or [("once", SCOPES["once"])]
        return Horizontal(label("Scope  "), Choice(scopes, id="scope"), classes="row")

    def given(self) -> dict[str, str]:
        """What was chosen, as arguments of the command."""
        return {"scope": self.query_one("#scope", Choice).value}

    def lets(self) -> str:
        """What the last approval that it needs does."""
        if self.hold.group and self.given().get("scope") == "group":
            return f"lets these {self.hold.group} go, each once and no other"
        return "lets it go on in flight"

    def inside(self) -> ComposeResult:
        yield self.head
        yield self.statement
        yield self.facts
        yield self.choice()
        yield field(
            "Reason ",
            "reason",
            "why, for the client and the journal" + (" (required)" if self.hold.reason_required else ""),
        )
        if self.hold.risk == "high":
            yield field("High risk: type the target to approve ", "typed")
        yield self.words
        with Horizontal(classes="buttons"):
            yield button("Cancel  esc", "cancel")
            yield button("Deny  x", "deny")
            yield button("Approve", "approve", "-go")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()
        self.hooptui.background(f"review {self.hold.number}", self._look_up)

    async def _look_up(self) -> None:
        review = await self.hooptui.desk.review(self.hold.number)
        if review is None:
            self._settled()
        else:
            self.review = review
        self.tick()

    # --- what is shown

    def tick(self) -> None:
        snapshot = self.hooptui.snapshot
        now = snapshot.health.now if snapshot is not None else self.hold.opened_at
        current = (
            next((one for one in snapshot.held if one.number == self.hold.number), None)
            if snapshot is not None
            else self.hold
        )
        if current is not None:
            self.hold = current
        elif not self.sent:
            self._settled()
        hold, cells = self.hold, self.cells
        who = f"{clean(hold.who, 40)} → {clean(hold.target, 40)} ({clean(hold.via, 8)})"
        left = hold.expires_at - now
        if self.dead:
            timing: Row = (("settled", "faint"),)
        elif left <= 0:
            timing = (("its time is over", "bad"),)
        else:
            timing = (
                (f"waiting {span_of(now - hold.opened_at)}, expires to deny in ", "faint"),
                (span_of(left), "bad" if left < 30 else "held"),
            )
        used = len(who) + sum(len(text) for text, _ in timing)
        self.head.put(((who, "strong"), (" " * max(1, cells - used), ""), *timing))
        statement, facts = self.statement_rows(cells), self.facts_rows(cells)
        lines, rows = share(len(statement), facts, self.history_rows(cells), self._room())
        self.statement.put(statement, most=lines)
        self.facts.styles.height = len(rows)
        self.facts.put(*rows)
        self.judge()

    def _room(self) -> int:
        """Lines that the screen has for the statement and what is known of it, beside frame, fields and buttons."""
        others = 9 + (self.hold.risk == "high") + (AIR if self.has_class("-tall") else 0)
        return self.app.size.height - others

    def statement_rows(self, cells: int) -> list[Row]:
        """What will run."""
        lines: list[Row] = []
        for text in clean_lines(self.hold.text):
            lines.extend((("  ", ""), *row) for row in wrap_row(statement(text, self.hold.via), cells - 3))
        for number, value in enumerate(parameters(self.hold)[:20], 1):
            lines.append(
                (
                    (f"  ${number} = ", "faint"),
                    *([("NULL", "faint")] if value is None else spot(clean(value, 200), "value")),
                )
            )
        return [*lines, *member_rows(self.hold, self.review, cells)]

    def facts_rows(self, cells: int) -> list[Row]:
        """What is known of it."""
        hold, review = self.hold, self.review
        rows = self.rule_rows(cells)
        if hold.via == "pg":
            facts = facts_text(hold)
            rows += hang(("facts   ", "faint"), ((facts, "text"),), cells, 3) if facts else []
        else:
            for name, words in facts_lines(hold):
                style = "warn" if name == "beware" else "text"
                rows += hang(
                    (f"{name:8}"[:8] if len(name) < 8 else f"{name} ", "faint"), tuple(spot(words, style)), cells, 3
                )
        rows += hang(("needs   ", "faint"), ((needs_text(hold).removeprefix("needs "), "text"),), cells, 2)
        rows += self.glass_rows(cells)
        rows += self.claim_rows(cells)
        if review is None:
            words = "asking the target …" if not self.dead else "not known"
            head = f"{estimate_label(hold):<8}" if hold.via != "ssh" else "who     "
            return [crop(row, cells) for row in (*rows, ((head, "faint"), (words, "warn")))]
        if hold.via != "ssh":
            # Nothing plans a command before it runs.
            estimate = clean(review.estimate, 1200) or "no estimate"
            most = 2 if hold.via == "pg" else 6
            rows += hang((f"{estimate_label(hold):<8}", "faint"), ((estimate, "warn"),), cells, most)
        rows += self.who_rows(cells)
        return [crop(row, cells) for row in rows]

    def history_rows(self, cells: int) -> list[Row]:
        """What the session asked for before."""
        history = self.review.history[-HISTORY:] if self.review is not None else ()
        heads = ("before  ", *("        " for _ in history[1:]))
        return [
            crop(((head, "faint"), *spot(clean(text, 200), "faint")), cells)
            for head, text in zip(heads, history, strict=False)
        ]

    def rule_rows(self, cells: int) -> list[Row]:
        hold, risk = self.hold, clean(self.hold.risk, 12)
        words: Row = (
            (clean(hold.rule, 40), "strong"),
            (f" “{clean(hold.rule_words, 200)}”", "text"),
            ("   risk ", "faint"),
        )
        return hang(("rule    ", "faint"), (*words, (risk, "bad" if risk == "high" else "text")), cells, 2)

    def glass_rows(self, cells: int) -> list[Row]:
        """Who may let it go alone, in an emergency."""
        groups = clean(", ".join(self.hold.break_glass), 120)
        words = f"in an emergency {groups} may let it go alone: !"
        return hang(("glass   ", "faint"), ((words, "warn"),), cells, 2) if groups else []

    def claim_rows(self, cells: int) -> list[Row]:
        """Who looks into it already."""
        snapshot = self.hooptui.snapshot
        words = claim_text(self.hold, snapshot.health.now if snapshot is not None else self.hold.opened_at)
        return hang(("on it   ", "faint"), ((words, "held"),), cells, 2) if words else []

    def who_rows(self, cells: int) -> list[Row]:
        """Whose it is: kind, issuer, owner, groups, time left, address, program."""
        hold, review, snapshot = self.hold, self.review, self.hooptui.snapshot
        session = requester(hold, snapshot)
        words = [who_words(hold.who, hold.kind, session.identity if session is not None else "", hold.owner)]
        if session is not None and snapshot is not None:
            words.append(f"{left_words(session, snapshot.health.now)}")
        if review is not None:
            words += [
                clean(", ".join(review.groups), 80) or "no group",
                f"from {clean(review.peer, 50)}",
                clean(review.application, 40) or "no application name",
                f"{span_of(hold.opened_at - review.opened_at)} into the session",
            ]
        return hang(("who     ", "faint"), ((" · ".join(words), "text"),), cells, 3)

    # --- whether it may be approved

    def _settled(self) -> None:
        """It was settled elsewhere: find out how, for the words."""
        how = self.hooptui.tail.settled(self.hold.number)
        self.dead = f"#{self.hold.number} was settled meanwhile: {how or 'see 5 Audit for how'}"
        if not how:
            self.hooptui.background("tail", self.hooptui.read_tail)

    def why_not(self) -> str:
        """Why Approve is dead; empty when it may be pressed."""
        snapshot = self.hooptui.snapshot
        if self.dead:
            return self.dead
        if self.hooptui.closed:
            return "the gateway does not answer"
        if snapshot is not None and snapshot.health.now >= self.hold.expires_at:
            return f"#{self.hold.number} denied itself: its time is over"
        if self.sent:
            return "sent …"
        if self.hooptui.why_not:
            return f"you may not approve: {self.hooptui.why_not}"
        if self.review is None:
            return "looking up what is known of it …"
        if self.review.may_vote:
            return f"you may not approve: {clean(self.review.may_vote, 200)}"
        if self.hold.reason_required and not self._value("reason"):
            return "this rule wants a reason: a goes there"
        if self.hold.risk == "high" and self._value("typed") != self.hold.target:
            return f"high risk: type {clean(self.hold.target, 60)} to approve; a goes there"
        return ""

    def judge(self) -> None:
        """Bring buttons and words in line with what is possible now."""
        why = self.why_not()
        self.query_one("#approve", Button).disabled = bool(why)
        over = bool(self.dead) or self.sent
        self.query_one("#deny", Button).disabled = over
        given = (
            f"{self.hold.approvals} of {self.hold.quorum} approve so far; yours "
            if self.hold.quorum > 1
            else "Approve "
        )
        ready = (
            f"{given}{self.lets()}"
            if self.hold.approvals + 1 >= self.hold.quorum
            else f"{given}counts, more are needed"
        )
        self.say(why or ready, "bad" if self.dead else "warn" if why else "ok")
        if over and isinstance(self.focused, Button) and self.focused.disabled:
            self.query_one("#cancel").focus()

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    # --- hands

    def on_input_changed(self) -> None:
        self.judge()

    def on_choice_changed(self) -> None:
        self.judge()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a field goes on to the next; it never approves."""
        event.stop()
        self.focus_next()

    def on_key(self, event: events.Key) -> None:
        if isinstance(self.focused, Input):
            return
        if event.key == "x":
            event.stop()
            self._deny()
        elif event.key == "a":
            event.stop()
            self._go_on()
        elif event.key == "c":
            event.stop()
            self._claim()
        elif event.key == "m" and self.review is not None and self.review.members:
            event.stop()
            self.app.push_screen(RecordScreen(*member_list(self.review, self.hold.number)))
        elif event.character == "!" and self.hold.break_glass and not self.dead and not self.sent:
            event.stop()
            self.app.switch_screen(BreakGlassScreen(self.hold))

    def _claim(self) -> None:
        """Say that one looks into it; the window stays open, for that is what it is for."""
        if not self.dead and not self.sent:
            self.hooptui.command(Command("claim", {"number": str(self.hold.number)}))

    def _go_on(self) -> None:
        """To whatever approving still lacks, then to the button itself, which only Enter or a click presses."""
        if self.hold.reason_required and not self._value("reason"):
            self.query_one("#reason").focus()
        elif self.hold.risk == "high" and self._value("typed") != self.hold.target:
            self.query_one("#typed").focus()
        elif not self.query_one("#approve", Button).disabled:
            self.query_one("#approve").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        match event.button.id:
            case "approve":
                self._approve()
            case "deny":
                self._deny()
            case _:
                self.dismiss()

    def _approve(self) -> None:
        if self.why_not():
            self.judge()
            return
        arguments = {"number": str(self.hold.number), "reason": self._value("reason"), **self.given()}
        self._send(Command("approve", {name: value for name, value in arguments.items() if value or name == "reason"}))

    def _deny(self) -> None:
        if self.dead or self.sent:
            return
        if not self._value("reason"):
            self.query_one("#reason").focus()
            self.say("to deny takes a reason: the client will read it", "warn")
            return
        self._send(Command("deny", {"number": str(self.hold.number), "reason": self._value("reason")}))

    def _send(self, command: Command) -> None:
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
        self.judge()
        self.say(f"✗ {clean(outcome.text, 300)}", "bad")


def share(statement: int, facts: list[Row], history: list[Row], room: int) -> tuple[int, list[Row]]:
    """Lines for a statement of so many, and the rows under it, where there is room for `room`: a low terminal must not hide the buttons.

    History gives way first, then the statement, which scrolls; facts go last, and then it is said.
    """
    lines = max(LEAST, min(STATEMENT, room - len(facts)))
    left = max(1, room - min(statement, lines))
    rows = [*facts, *history][:left]
    if len(facts) > left:
        rows[-1] = (("        … more than this terminal has lines for …", "warn"),)
    return lines, rows


def _scope_words(scope: str, hold: HeldView) -> str:
    if scope == "group":
        return f"these {hold.group}, each once"
    if scope == "once":
        return "this one alone" if hold.group else SCOPES["once"]
    if scope == "run":
        return f"rest of this run (≤ {RUN_MOST} unseen) for {spoken(hold.scope_lasts)}"
    return f"{SCOPES.get(scope, clean(scope, 20))} for {spoken(hold.scope_lasts)}"
