"""The application: one poller that reads the desk at most four times a second, and the one door to its commands.

State is read, events are hints: what is shown comes from the last snapshot, so a lost event makes the screen late, never
wrong. A slow desk keeps nobody waiting; a desk that is gone leaves a banner and is asked again. Knows nothing of gateways.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import tzinfo

from textual import events
from textual.app import App
from textual.filter import Monochrome, NoColor
from textual.worker import Worker

from hooptui.core.clock import Clock, SystemClock
from hooptui.core.desk import Command, Desk, DeskClosed, Outcome, Snapshot
from hooptui.tui import alarm, theme
from hooptui.tui.calls import Calls
from hooptui.tui.people import READ_ONLY, why_not
from hooptui.tui.screens.main import MainScreen
from hooptui.tui.screens.modal import Modal
from hooptui.tui.tail import Tail
from hooptui.tui.text import clean

INTERVAL = 0.25
"""Seconds between two looks at the state."""

TAIL_EVERY = 2.0
"""Seconds between two looks at the journal's end while Audit is not shown."""


class HooptuiApp(App[str], inherit_bindings=False):
    """See the module. `run()` returns `cut` or `drained` when its person left on purpose."""

    CSS_PATH = "styles.tcss"
    TITLE = "hooptui"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    ESCAPE_TO_MINIMIZE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - Textual's own declaration
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012 - as above

    def __init__(
        self,
        desk: Desk,
        *,
        demo: str = "",
        replay: str = "",
        bell: bool = True,
        clock: Clock | None = None,
        zone: tzinfo | None = None,
        interval: float = INTERVAL,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`demo` is a word for line 1, `replay` a session to open in the player at once, `bell` whether a new hold calls.

        `zone` is for times of day (None: the machine's own); `interval` is in seconds, 0 leaves polling to the caller.
        """
        super().__init__()
        self.desk = desk
        self.demo = demo
        self.replay_first = replay
        self.bell_on = bell
        self.clock = clock or SystemClock()
        self.zone = zone
        self.interval = interval
        self.environment = dict(os.environ if environment is None else environment)
        self.snapshot: Snapshot | None = None
        self.closed = ""
        """Why the desk does not answer; empty while it does."""
        self.tail = Tail()
        self._wake = asyncio.Event()
        self._asked_at: float | None = None
        self.calls = Calls()
        self._tail_at = float("-inf")
        self._busy: set[str] = set()
        self.main = MainScreen()
        if self.no_color:
            # NO_COLOR asks for none at all; Textual's own answer is shades of grey.
            self._filters = [one for one in self._filters if not isinstance(one, Monochrome)] + [NoColor()]
        self.animation_level = "none"
        self.register_theme(theme.THEME)
        self.theme = "hooptui"

    # --- life

    def get_default_screen(self) -> MainScreen:
        return self.main

    def on_mount(self) -> None:
        self.background("poll", self._poll if self.interval else self.poll_once)
        if self.interval:
            self.set_interval(1.0, self.look_at_silence)
            self.set_interval(self.interval, self.main.play)

    async def on_event(self, event: events.Event) -> None:
        """A window that has just opened hears nothing: what was typed was meant for something else."""
        if isinstance(event, (events.Key, events.Paste)) and not event.is_forwarded:
            screen = self.screen_stack[-1] if self._screen_stacks.get(self._current_mode) else None
            if isinstance(screen, Modal) and screen.deaf:
                return
        await super().on_event(event)

    @property
    def fault(self) -> Exception | None:
        """What the screen died of, when `return_code` is 1."""
        return self._exception

    @property
    def why_not(self) -> str:
        """Why nothing may be decided at this screen; empty when it may."""
        if self.desk.readonly:
            return READ_ONLY
        return why_not(self.snapshot.health) if self.snapshot is not None else ""

    @property
    def readonly(self) -> bool:
        """Whether this screen may only look."""
        return bool(self.why_not)

    # --- state

    async def _poll(self) -> None:
        while True:
            # Each round is guarded on its own: a fault is told, and the next round comes.
            await self._guarded("poll", self.poll_once)
            try:
                await asyncio.wait_for(self._wake.wait(), self.interval)
            except TimeoutError:
                continue
            self._wake.clear()

    async def poll_once(self) -> None:
        """Read the state and show it."""
        self._asked_at = self.clock.monotonic()
        try:
            self.snapshot = await self.desk.snapshot()
            self.closed = ""
        except DeskClosed as gone:
            self.closed = str(gone) or "it has stopped"
        self._asked_at = None
        self._call()
        self.main.show()
        self._tick_modals()
        self._look_at_tail()

    def _tick_modals(self) -> None:
        """Bring the windows up to date; one that is still being built does so itself when it is."""
        for screen in tuple(self.screen_stack):
            if isinstance(screen, Modal) and screen.is_mounted:
                screen.tick()

    @property
    def silent(self) -> float:
        """Seconds that the last question has been without an answer."""
        return 0.0 if self._asked_at is None else self.clock.monotonic() - self._asked_at

    def look_at_silence(self) -> None:
        """Say so when the desk does not answer; the poller itself is waiting for it."""
        if self.silent >= 2:
            self.main.show_health()

    def _look_at_tail(self) -> None:
        snapshot = self.snapshot
        if snapshot is None or self.closed:
            return
        now = self.clock.monotonic()
        if self.main.view != "audit" and now - self._tail_at < TAIL_EVERY:
            return
        self._tail_at = now
        self.background("tail", self.read_tail)

    async def read_tail(self) -> None:
        """Bring the journal's end up to date, and show it where it matters."""
        if self.snapshot is not None and await self.tail.newest(self.desk, self.snapshot.health.journal_records):
            self._call()
            self.main.show_tail()
            self._tick_modals()

    # --- work

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> Worker[None] | None:
        """Run something that waits, beside the screen; None when the same is still under way."""
        if name in self._busy:
            return None
        self._busy.add(name)

        async def guarded() -> None:
            try:
                await self._guarded(name, work)
            finally:
                self._busy.discard(name)

        return self.run_worker(guarded, name=name, group=name, exit_on_error=False)

    async def _guarded(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except DeskClosed as gone:
            self.closed = str(gone) or "it has stopped"
            self.main.show_health()
        except Exception as fault:  # noqa: BLE001 - a fault of the screen is told on the screen; the poller must live
            self.flash(f"✗ the screen failed at {name}: {type(fault).__name__}: {clean(str(fault), 200)}", "bad")

    def command(self, command: Command, done: Callable[[Outcome], None] | None = None) -> None:
        """Run a command, flash what came of it, then look again at once."""

        async def work() -> None:
            try:
                outcome = await self.desk.run(command)
            except DeskClosed as gone:
                outcome = Outcome(False, f"{command.verb} was not confirmed: {gone}")
            self.flash(("" if outcome.ok else "✗ ") + outcome.text, "flash" if outcome.ok else "bad")
            if done is not None:
                done(outcome)
            self._wake.set()

        if self.background(f"{command.verb} {' '.join(command.args.values())}", work) is None:
            self.flash(f"{command.verb} is under way", "warn")

    def flash(self, text: str, style: str = "flash") -> None:
        """One line at the bottom, for a while."""
        self.main.flash(clean(text, 500), style)

    # --- calling

    def _call(self) -> None:
        """Tell of what has just come and wants a person: in the flash line, by bell and notification."""
        if self.snapshot is None:
            return
        for call in self.calls.news(self.snapshot, self.tail):
            self.flash(call.flash, call.style)
            if self.bell_on:
                self.send(alarm.sequence(self.environment, f"hooptui {self.snapshot.health.name}", call.words))

    def send(self, data: str) -> None:
        """Bytes for the terminal itself, past the screen."""
        if self._driver is not None:
            self._driver.write(data)
