"""The command palette: the key table as a list to search, and a line that takes `kill 7f3a` or `approve 17`."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input

from hooptui.tui.keymap import KEYS, Key, changes
from hooptui.tui.screens.modal import Modal, label
from hooptui.tui.text import Row, fit
from hooptui.tui.widgets.lines import Lines

WITH_ARGUMENT = frozenset(
    {
        "approve",
        "deny",
        "claim",
        "break-glass",
        "kill",
        "freeze",
        "block",
        "unblock",
        "revoke",
        "replay",
        "export",
        "view",
    }
)
"""Verbs that may be told their subject: a number, a session or a lease or the beginning of one, an identity."""

_HIDDEN = frozenset({"palette", "down", "up", "top", "end", "page-down", "page-up", "back"})


class Verbs(Lines):
    """The commands that match."""

    def __init__(self) -> None:
        super().__init__(id="palette-lines")
        self.keys: list[Key] = []
        self.can_focus = False

    def count(self) -> int:
        return len(self.keys)

    def row(self, y: int, cells: int) -> Row:
        key = self.keys[y]
        sign = "!" if changes(key) else " "
        return (
            ("▌" if y == self.at else " ", "bar"),
            (fit(key.shown, 11), "key"),
            (fit(key.word, 15), "strong"),
            (sign + " ", "warn"),
            (key.help, "text"),
        )


class PaletteScreen(Modal):
    """See the module. `run` is called with verb, key and argument once the window is gone."""

    deafness = 0.0

    def __init__(self, place: str, *, readonly: bool, run: Callable[[str, str, str], None]) -> None:
        super().__init__("Commands", "-quiet")
        self.box.id = "palette-box"
        self.box.border_subtitle = "enter runs · esc back · ! changes the world"
        self._run = run
        here = [
            key for key in KEYS if key.verb not in _HIDDEN and place in key.where and not (readonly and changes(key))
        ]
        told = [
            key for key in KEYS if key.verb in WITH_ARGUMENT and key not in here and not (readonly and changes(key))
        ]
        self._here, self._told = here, told
        self.list = Verbs()

    def inside(self) -> ComposeResult:
        yield Horizontal(
            label(":"),
            Input(id="palette-input", max_length=200, placeholder="a command, or: kill 7f3a, approve 17, replay 7f3a"),
            classes="row",
        )
        yield self.list

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._match("")

    @property
    def _typed(self) -> tuple[str, str]:
        first, _, rest = self.query_one(Input).value.strip().partition(" ")
        return first.lower(), rest.strip()

    def _match(self, text: str) -> None:
        words = text.lower().split()
        first, argument = self._typed
        if argument and first in WITH_ARGUMENT:
            self.list.keys = [key for key in (*self._here, *self._told) if key.verb == first]
        else:
            # What a key is called counts before what it does: `re` means reload or replay, not what a sentence has in it.
            named = [key for key in self._here if all(word in f"{key.verb} {key.word}".lower() for word in words)]
            told = [
                key
                for key in self._here
                if key not in named and len(text) > 2 and all(word in key.help.lower() for word in words)
            ]
            self.list.keys = [*sorted(named, key=lambda key: not key.verb.startswith(first) if first else False), *told]
        self.list.at = 0
        self.list.sync()
        self.list.refresh()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._match(event.value)

    def on_key(self, event: events.Key) -> None:
        moves = {"down": "down", "up": "up", "pagedown": "page-down", "pageup": "page-up"}
        if event.key in moves:
            event.stop()
            self.list.move(moves[event.key])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._go()

    def on_lines_opened(self, event: Lines.Opened) -> None:
        event.stop()
        self._go()

    def _go(self) -> None:
        if not self.list.keys:
            self.box.border_subtitle = "no such command · esc back"
            return
        key = self.list.keys[self.list.at]
        first, argument = self._typed
        told = argument if key.verb == first and first in WITH_ARGUMENT else ""
        self.dismiss()
        self.app.call_later(self._run, key.verb, key.keys[0] if key.keys else "", told)
