"""The window in which a session is killed, and in which is told what came of it: confirmed or not, how, how fast."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input

from hooptui.core.desk import Command, Outcome, SessionView
from hooptui.tui.screens.modal import Modal, button, field
from hooptui.tui.text import Row, clean, many, span_of, spot, wrap_row
from hooptui.tui.widgets.lines import Bar


class KillScreen(Modal):
    """See the module."""

    def __init__(self, session: SessionView) -> None:
        super().__init__(f"Kill {clean(session.id, 12)}", "-danger")
        self.session = session
        self.sent = False
        self.outcome: Outcome | None = None
        self.head = Bar(id="kill-head", classes="auto")
        self.result = Bar(id="kill-result", classes="auto")

    def inside(self) -> ComposeResult:
        yield self.head
        yield field("Reason", "reason", "the client will read it")
        yield self.words
        yield self.result
        with Horizontal(classes="buttons"):
            yield button("Cancel  esc", "cancel")
            yield button("Kill", "kill", "-go")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    def tick(self) -> None:
        one, snapshot = self.session, self.hooptui.snapshot
        now = snapshot.health.now if snapshot is not None else one.opened_at
        if snapshot is not None and self.outcome is None:
            one = self.session = next((row for row in snapshot.sessions if row.id == one.id), one)
        rows: list[Row] = [
            (
                (f"{clean(one.who, 40)} → {clean(one.target, 40)} ({clean(one.via, 8)})", "strong"),
                (f"   {clean(one.identity, 120)}", "faint"),
            ),
            (
                (
                    f"open {span_of(now - one.opened_at)} · {many(one.operations, 'operation')} · {clean(one.state, 10)}",
                    "text",
                ),
                (f" · from {clean(one.peer, 60)} · {clean(one.application, 40) or 'no application name'}", "faint"),
            ),
            (("last  ", "faint"), *spot(clean(one.last, 300), "sql")),
        ]
        self.head.styles.height = len(rows)
        self.head.put(*rows)
        self.judge()

    def judge(self) -> None:
        snapshot = self.hooptui.snapshot
        gone = snapshot is not None and all(row.id != self.session.id for row in snapshot.sessions)
        kill, cancel = self.query_one("#kill", Button), self.query_one("#cancel", Button)
        kill.disabled = self.sent or gone or self.outcome is not None
        if self.outcome is not None:
            cancel.label = "Close  esc"
            if self.focused is None or self.focused is kill:
                cancel.focus()
        elif self.sent:
            self.say("killing: stopping what runs, then looking whether it is gone …", "warn")
        elif gone:
            self.say("the session has ended meanwhile", "bad")
        else:
            self.say("stops what runs upstream, proves that it is gone, tells the client who and why", "faint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the reason goes on to Cancel, never straight to Kill."""
        event.stop()
        self.query_one("#cancel").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id != "kill":
            self.dismiss()
            return
        self.sent = True
        self.judge()
        reason = self.query_one("#reason", Input).value.strip()
        self.hooptui.command(Command("kill", {"session": self.session.id, "reason": reason}), self._done)

    def _done(self, outcome: Outcome) -> None:
        if not self.is_attached:
            return
        self.outcome = outcome
        confirmed, how, seconds = outcome.data.get("confirmed"), outcome.data.get("how"), outcome.data.get("seconds")
        if isinstance(confirmed, bool) and isinstance(seconds, int | float):
            took = f" in {seconds:.2f} s"
            head: Row = (("✓ gone, confirmed" + took, "ok"),) if confirmed else (("✗ NOT confirmed" + took, "bad"),)
            rows = [head, *wrap_row((("  " + clean(str(how or "no word of how"), 300), "text"),), self.cells)]
        else:
            rows = [(("✓ " if outcome.ok else "✗ ", "ok" if outcome.ok else "bad"), (clean(outcome.text, 300), "text"))]
        self.say("", "faint")
        self.words.display = False
        self.result.styles.height = len(rows)
        self.result.put(*rows)
        self.judge()
