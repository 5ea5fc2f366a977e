"""The window in which an operation is denied: one line that says which, one line for the reason."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input

from hooptui.core.desk import Command, HeldView, Outcome
from hooptui.tui.screens.modal import Modal, button, field
from hooptui.tui.text import clean, span_of, spot
from hooptui.tui.widgets.held import operation
from hooptui.tui.widgets.lines import Bar


class DenyScreen(Modal):
    """See the module. Enter in the reason denies: the reason is the confirmation."""

    def __init__(self, hold: HeldView) -> None:
        super().__init__(f"Deny #{hold.number}")
        self.hold = hold
        self.over = False
        self.sent = False
        self.head = Bar(id="deny-head", classes="auto")
        self.head.styles.height = 2

    def inside(self) -> ComposeResult:
        yield self.head
        yield field("Reason", "reason", "the client will read it")
        yield self.words
        with Horizontal(classes="buttons"):
            yield button("Cancel  esc", "cancel")
            yield button("Deny  enter", "deny", "-go")

    def on_mount(self) -> None:
        self.query_one("#reason").focus()

    def tick(self) -> None:
        snapshot = self.hooptui.snapshot
        hold = self.hold
        if snapshot is not None and not self.sent and all(one.number != hold.number for one in snapshot.held):
            self.over = True
        left = span_of(hold.expires_at - snapshot.health.now) if snapshot is not None else "?"
        self.head.put(
            (
                (f"{clean(hold.who, 40)} → {clean(hold.target, 40)} ({clean(hold.via, 8)})", "strong"),
                (f"   denies itself in {left}", "faint"),
            ),
            (("  ", ""), *spot(clean(operation(hold)[0], 300), "held" if hold.access else "sql")),
        )
        self.judge()

    def judge(self) -> None:
        reason = self.query_one("#reason", Input).value.strip()
        if self.over:
            how = self.hooptui.tail.settled(self.hold.number)
            self.say(f"#{self.hold.number} was settled meanwhile: {how or 'see 5 Audit for how'}", "bad")
        elif self.sent:
            self.say("sent …", "faint")
        else:
            self.say("" if reason else "to deny takes a reason", "warn")
        self.query_one("#deny", Button).disabled = self.over or self.sent or not reason

    def on_input_changed(self) -> None:
        self.judge()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._deny()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "deny":
            self._deny()
        else:
            self.dismiss()

    def _deny(self) -> None:
        reason = self.query_one("#reason", Input).value.strip()
        if self.over or self.sent or not reason:
            self.judge()
            return
        self.sent = True
        self.judge()
        self.hooptui.command(Command("deny", {"number": str(self.hold.number), "reason": reason}), self._done)

    def _done(self, outcome: Outcome) -> None:
        if not self.is_attached:
            return
        if outcome.ok:
            self.dismiss()
            return
        self.sent = False
        self.judge()
        self.say(f"✗ {clean(outcome.text, 300)}", "bad")
