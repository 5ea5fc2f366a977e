"""The help: the key table, the symbols and the filter, read from where they are defined."""

from __future__ import annotations

from textual.app import ComposeResult

from hooptui.core.filter import FIELDS
from hooptui.tui.keymap import grouped
from hooptui.tui.screens.modal import Modal, Prose
from hooptui.tui.text import Row, fit, hang

SYMBOLS = (
    ("▲", "held", "held"), ("✗", "bad", "denied or failed"), ("✓", "ok", "approved or well"), ("████", "masked", "masked"),
    ("●", "up", "up"), ("○", "bad", "down"), ("▶", "ask", "asked"), ("◀", "reply", "answered"), ("‖", "frozen", "frozen"),
    ("‼", "bad", "broken glass: let go alone, in an emergency"), ("human", "text", "a person"), ("work", "text", "a workload: a program on its own account"),
    ("agent", "text", "a program that acts for a person"), ("local", "warn", "an operator whom the configuration names, and no identity provider"),
)  # fmt: skip


class HelpScreen(Modal):
    """See the module."""

    deafness = 0.0
    BINDINGS = [("q", "leave", "Back"), ("question_mark", "leave", "Back")]  # noqa: RUF012 - Textual's own declaration

    def __init__(self) -> None:
        super().__init__("Help", "-quiet")
        self.box.id = "help-box"
        self.box.border_subtitle = "esc back"
        self.prose = Prose(id="help-lines")

    def inside(self) -> ComposeResult:
        yield self.prose

    def on_mount(self) -> None:
        self.prose.focus()

    def tick(self) -> None:
        self.prose.put(rows(max(40, self.cells - 1)))


def rows(cells: int) -> list[Row]:
    """The help's lines."""
    out: list[Row] = []
    for heading, keys in grouped():
        out.append(((heading, "sorted"),))
        for key in keys:
            out.extend(hang((f"  {fit(key.shown, 10)}", "key"), ((key.help, "text"),), cells))
        out.append((("", ""),))
    out.append((("Filter", "sorted"), ("   one grammar in every list", "faint")))
    for example, words in (
        ("who:bot", "the field has it, whatever the case; * and ? make it a pattern for the whole field"),
        ("via:pg|ssh", "one of them"),
        ("!state:idle", "not so"),
        ("~regex", "a regular expression, in any field; text:~regex in one"),
        ("after:-10m", "not older; also before:, -2h, 14:02, 2026-01-31T14:02"),
        ("word", "in any field; terms are joined by and"),
    ):
        out.extend(hang((f"  {fit(example, 14)}", "key"), ((words, "text"),), cells))
    out.extend(hang(("  fields        ", "faint"), ((" ".join(FIELDS), "text"),), cells))
    out.append((("", ""),))
    out.append((("Signs", "sorted"),))
    out.extend(((f"  {fit(sign, 10)}", style), (words, "text")) for sign, style, words in SYMBOLS)
    return out
