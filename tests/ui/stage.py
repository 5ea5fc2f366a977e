"""Running the screen in a test: a given clock, no polling of its own, and waiting for what is under way instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC
from unittest.mock import patch

from textual.message_pump import MessagePump
from textual.pilot import Pilot

from hooptui.core.clock import ManualClock
from hooptui.tui.app import HooptuiApp
from hooptui.tui.screens.modal import Modal
from tests.ui.desk import SceneDesk
from tests.ui.scenes import NOW

WIDE, NARROW = (120, 36), (80, 24)
TURNS = 5


class Stage:
    """An application under test with the desk and the clock that it runs on."""

    def __init__(self, app: HooptuiApp, pilot: Pilot[str], desk: SceneDesk, clock: ManualClock) -> None:
        self.app, self.pilot, self.desk, self.clock = app, pilot, desk, clock
        self.main = app.main
        self.sent: list[str] = []

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        for _ in range(50):
            await calm(self.pilot)
            if not self.app._busy:
                break
            await self.app.workers.wait_for_complete()
        await calm(self.pilot)

    async def tick(self, seconds: float = 0.25) -> None:
        """Time goes by and the screen looks again."""
        self.clock.advance(seconds)
        await self.app.poll_once()
        await self.settle()

    async def press(self, *keys: str) -> None:
        """Keys, each of them heard: a window that has just opened is given its deaf moment first."""
        for key in keys:
            self.hear()
            await self.pilot.press(key)
            await self.settle()

    def hear(self) -> None:
        if isinstance(self.app.screen, Modal) and self.app.screen.deaf:
            self.clock.advance(0.31)

    async def type(self, text: str) -> None:
        await self.press(*[{" ": "space"}.get(char, char) for char in text])

    @property
    def flash(self) -> str:
        return self.main.flash_bar.text.strip()

    @property
    def verbs_run(self) -> list[str]:
        return [command.verb for command in self.desk.ran]


def busy(pump: MessagePump) -> bool:
    """Has it something to do, or is it doing something? Else it waits for its next message."""
    queue = pump._message_queue
    return bool(queue.qsize() or pump._pending_message or pump._next_callbacks or not queue.ready_event._waiters)


async def calm(pilot: Pilot[str]) -> None:
    """Until everything on the screen waits for a message and nothing is left to paint, and some turns of the loop change nothing:
    what the driver is given comes to the queue some turns later."""
    app, deadline, turns, below = pilot.app, time.monotonic() + 60, 0, False
    while turns < TURNS and not app._exception_event.is_set():
        assert time.monotonic() < deadline, "the screen never came to rest"
        screen = app.screen
        await asyncio.sleep(0.002 if app._resize_event is not None else 0)
        turns += 1
        if app._resize_event is not None or any(busy(pump) for pump in (app, *screen.walk_children(with_self=True))):
            turns = 0
        elif screen._layout_required or screen._scroll_required or screen._repaint_required or screen._dirty_widgets:
            screen._on_timer_update()
            turns = 0
        elif screen._callbacks:
            await screen._invoke_and_clear_callbacks()
            turns = 0
        elif turns == TURNS and not below:
            # What is seen around a window is painted too; once, for that makes the window paint, and the window that.
            below, turns = True, 0
            for one in app._background_screens:
                one._on_timer_update()


@contextmanager
def unhurried(pilot: Pilot[str]) -> Iterator[None]:
    """Textual's pilot takes a process that has used little time for one that is done, which a busy machine makes of any; and it looks
    fifty times a second. Wait for what is to be done instead."""

    async def wait(*_: float) -> None:
        await calm(pilot)

    # A button that was pressed looks so for a fifth of a second.
    pressed = patch("textual.widgets.Button._start_active_affect")
    with patch("textual.pilot.wait_for_idle", wait), patch("textual.app.wait_for_idle", wait), pressed:
        yield


@asynccontextmanager
async def stage(desk: SceneDesk, size: tuple[int, int] = WIDE, **options: object) -> AsyncIterator[Stage]:
    clock = ManualClock(NOW)
    app = HooptuiApp(desk, clock=clock, zone=UTC, interval=0, environment={}, **options)  # type: ignore[arg-type]  # tests pass what they mean
    async with app.run_test(size=size) as pilot:
        with unhurried(pilot):
            stage = Stage(app, pilot, desk, clock)
            await stage.settle()
            yield stage
