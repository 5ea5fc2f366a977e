"""The window that asks how to leave: stay, drain (take no new session, wait for the open ones), or cut."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button

from hooptui.core.desk import Command, Outcome
from hooptui.tui.screens.modal import Modal, button
from hooptui.tui.text import Row, clean, count
from hooptui.tui.widgets.lines import Bar


class QuitScreen(Modal):
    """See the module. Leaving ends the application with `drained` or `cut`."""

    def __init__(self) -> None:
        super().__init__("Leave hooptui?", "-danger")
        self.draining = False
        self.head = Bar(id="quit-head", classes="auto")

    def inside(self) -> ComposeResult:
        yield self.head
        yield self.words
        with Horizontal(classes="buttons"):
            yield button("Stay  esc", "stay")
            yield button("Drain", "drain", "-go")
            yield button("Cut", "cut", "-go")

    def on_mount(self) -> None:
        self.query_one("#stay").focus()
        self.query_one("#drain", Button).disabled = self.hooptui.readonly

    def tick(self) -> None:
        app = self.hooptui
        snapshot = app.snapshot
        live = snapshot.health.live if snapshot is not None else 0
        held = snapshot.health.held if snapshot is not None else 0
        if self.draining and ((snapshot is not None and snapshot.health.draining and live == 0) or app.closed):
            app.exit("drained")
            return
        open_now = f"{count(live)} {'session is' if live == 1 else 'sessions are'} open"
        if held:
            open_now += f", {count(held)} {'operation waits' if held == 1 else 'operations wait'} for a decision"
        rows: list[Row] = [
            ((open_now, "strong" if live else "text"),),
            (("Stay   ", "key"), ("go on", "text")),
            (("Drain  ", "key"), ("take no new session, wait until the open ones have ended, then leave", "text")),
            (("Cut    ", "key"), ("leave now; if this screen runs the gateway, that ends every session", "text")),
        ]
        self.head.styles.height = len(rows)
        self.head.put(*rows)
        if self.draining:
            self.say(f"draining: {count(live)} to go; Stay lets it drain on behind the screen", "warn")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        match event.button.id:
            case "cut":
                self.hooptui.exit("cut")
            case "drain":
                self.draining = True
                self.query_one("#drain", Button).disabled = True
                self.query_one("#stay").focus()
                self.hooptui.command(Command("drain"), self._done)
            case _:
                self.dismiss()

    def _done(self, outcome: Outcome) -> None:
        if not self.is_attached:
            return
        if not outcome.ok:
            self.draining = False
            self.query_one("#drain", Button).disabled = False
            self.say(f"✗ {clean(outcome.text, 300)}", "bad")
            return
        self.tick()
