"""The window about who decides at this desk: log in with an identity provider, see who one is, log out.

The login itself happens in a browser; here stand the address and the code for it, and the window closes when the gateway
says that somebody is logged in. Knows the desk only through the application's door.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.strip import Strip
from textual.widgets import Button

from hooptui.core.desk import Command, Health, Outcome
from hooptui.tui.people import brief, is_local, issuer, operator_words, spoken, subject
from hooptui.tui.screens.modal import Modal, button
from hooptui.tui.text import Row, clean, hang, width
from hooptui.tui.widgets.lines import Bar

LONGEST_URL = 500
"""Characters of an address that the window offers as a link."""


class LinkBar(Bar):
    """Lines that are a link for terminals that know OSC 8; `address` passed `safe_url`."""

    address = ""

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        return strip.apply_style(Style(link=self.address)) if self.address else strip


def safe_url(text: str) -> str:
    """`text` when it is a plain http address that may stand in an escape sequence; else nothing."""
    if len(text) > LONGEST_URL or not text.isascii() or not text.isprintable() or set(text) & set(' "<>\\^`{|};'):
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in ("http", "https") and parts.hostname else ""


class OperatorScreen(Modal):
    """See the module."""

    def __init__(self, *, start: bool) -> None:
        """`start`: ask the gateway for a login at once."""
        super().__init__("Operator", "-quiet")
        self.start = start
        self.address = ""
        self.code = ""
        self.failed = ""
        self._until: float | None = None
        """On the application's own clock, since the gateway only says how long."""
        self._before: tuple[str, float | None] | None = None
        self.head = Bar(id="operator-head", classes="auto")
        self.link = LinkBar(id="operator-link", classes="auto")
        self.big = Bar(id="operator-code", classes="auto")

    def inside(self) -> ComposeResult:
        yield self.head
        yield self.link
        yield self.big
        yield self.words
        with Horizontal(classes="buttons"):
            yield button("Close  esc", "cancel")
            yield button("Log in", "login", "-go")
            yield button("Log out", "logout", "-go")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()
        if self.start:
            self._ask()

    @property
    def health(self) -> Health | None:
        snapshot = self.hooptui.snapshot
        return snapshot.health if snapshot is not None else None

    @property
    def waiting(self) -> bool:
        """A code is shown and still good."""
        return bool(self.code) and self.left > 0

    @property
    def left(self) -> float:
        return 0.0 if self._until is None else self._until - self.hooptui.clock.monotonic()

    # --- the login

    def _ask(self) -> None:
        health = self.health
        self._before = (health.operator_key, health.operator_until) if health is not None else None
        self.failed, self.code, self.address = "", "", ""
        self.hooptui.command(Command("login"), self._asked)

    def _asked(self, outcome: Outcome) -> None:
        if not self.is_attached:
            return
        address, code, lasts = (outcome.data.get(name) for name in ("verification_uri", "user_code", "expires_in"))
        if not outcome.ok:
            self.failed = clean(outcome.text, 300)
        elif not isinstance(address, str) or not isinstance(code, str) or not isinstance(lasts, int | float):
            self.failed = "the gateway's answer lacks the address, the code or how long it is good"
        else:
            self.address, self.code = address, code
            self._until = self.hooptui.clock.monotonic() + lasts
        self.tick()

    def _is_new(self, health: Health) -> bool:
        """Somebody has logged in since the code was asked for; also the same person again."""
        return self._before is not None and (health.operator_key, health.operator_until) != self._before

    # --- what is shown

    def tick(self) -> None:
        health = self.health
        if health is not None and self.code and health.operator and self._is_new(health):
            self.hooptui.flash(
                f"✓ {operator_words(health) or clean(health.operator, 30)} decides at this desk now", "ok"
            )
            self.dismiss()
            return
        head = self._invitation() if self.code else self._card(health)
        self.head.styles.height = len(head)
        self.head.put(*head)
        self.link.display = self.big.display = self.waiting
        if self.waiting:
            rows = hang(("   ", ""), ((clean(self.address, LONGEST_URL), "key"),), self.cells, 4)
            self.link.address = safe_url(self.address)
            self.link.styles.height = len(rows)
            self.link.put(*rows)
            self.big.styles.height = 5
            self.big.put(*big(clean(self.code, 40), self.cells))
        self.judge()

    def _invitation(self) -> list[Row]:
        if not self.waiting:
            return [(("the code has expired", "bad"),)]
        return [(("Open this in a browser and enter the code there", "text"), ("   y copies it", "faint"))]

    def _card(self, health: Health | None) -> list[Row]:
        """Who decides here."""
        if health is None or not health.operator:
            words = "nobody has logged in at this desk, so nobody may decide here"
            return [((words, "warn"),)]
        groups = clean(", ".join(health.operator_groups), 300) or "no group"
        rows: list[Row] = [((operator_words(health) or clean(health.operator, 30), "strong"),)]
        if is_local(health):
            rows += hang(
                ("issuer  ", "faint"),
                (("none: named by the gateway's configuration, journaled as local", "warn"),),
                self.cells,
                2,
            )
        else:
            rows += hang(("issuer  ", "faint"), ((issuer(health.operator_key), "text"),), self.cells, 2)
            rows += hang(("subject ", "faint"), ((subject(health.operator_key), "text"),), self.cells, 2)
        rows += hang(("groups  ", "faint"), ((groups, "text"),), self.cells, 3)
        if health.operator_until is not None:
            left = health.operator_until - health.now
            words = f"ends in {spoken(left)}" if left > 0 else "is over: log in again"
            rows.append((("login   ", "faint"), (words, "text" if left > 300 else "held" if left > 0 else "bad")))
        return rows

    def judge(self) -> None:
        health = self.health
        login, logout = self.query_one("#login", Button), self.query_one("#logout", Button)
        may = health is not None and health.may_log_in and not self.hooptui.desk.readonly
        proved = health is not None and bool(health.operator) and not is_local(health)
        login.disabled = not may or self.waiting
        logout.disabled = not proved or bool(self.code) or self.hooptui.desk.readonly
        login.label = "New code" if self.code else "Log in"
        if self.failed:
            self.say(f"✗ {self.failed}", "bad")
        elif self.waiting:
            self.say(
                f"waiting for the login … the code is good for {brief(self.left)}", "held" if self.left > 60 else "bad"
            )
        elif self.code:
            self.say("ask for a new one", "warn")
        elif not may:
            why = (
                "this screen is read-only" if self.hooptui.desk.readonly else "this gateway has no login for operators"
            )
            self.say(why, "faint")
        else:
            self.say("to log in proves who you are, in a browser; your votes then count as yours", "faint")
        if isinstance(self.focused, Button) and self.focused.disabled:
            self.query_one("#cancel").focus()

    # --- hands

    def on_key(self, event: events.Key) -> None:
        if event.key == "y" and self.waiting:
            event.stop()
            self.app.copy_to_clipboard(clean(self.address, LONGEST_URL))
            self.hooptui.flash("copied the address", "faint")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        match event.button.id:
            case "login":
                self._ask()
            case "logout":
                self.hooptui.command(Command("logout"), lambda _: None)
                self.dismiss()
            case _:
                self.dismiss()


def big(code: str, cells: int) -> list[Row]:
    """The code in a block of its own, its letters apart as far as there is room; read across a desk."""
    text = next((one for one in ("  ".join(code), " ".join(code)) if width(one) + 8 <= cells), code)
    inner = f"    {text}    "
    blank = " " * width(inner)
    lead = ("   ", "")
    return [(("", ""),), (lead, (blank, "big")), (lead, (inner, "big")), (lead, (blank, "big")), (("", ""),)]
