"""Running the screen in a test: a given clock, no polling of its own, and waiting for what is under way instead of sleeping."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC

from textual.pilot import Pilot

from hooptui.core.clock import ManualClock
from hooptui.tui.app import HooptuiApp
from hooptui.tui.screens.modal import Modal
from tests.ui.desk import SceneDesk
from tests.ui.scenes import NOW

WIDE, NARROW = (120, 36), (80, 24)


class Stage:
    """An application under test with the desk and the clock that it runs on."""

    def __init__(self, app: HooptuiApp, pilot: Pilot[str], desk: SceneDesk, clock: ManualClock) -> None:
        self.app, self.pilot, self.desk, self.clock = app, pilot, desk, clock
        self.main = app.main
        self.sent: list[str] = []

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        for _ in range(50):
            await self.pilot.pause()
            if not self.app._busy:
                break
            await self.app.workers.wait_for_complete()
        await self.pilot.pause()

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


@asynccontextmanager
async def stage(desk: SceneDesk, size: tuple[int, int] = WIDE, **options: object) -> AsyncIterator[Stage]:
    clock = ManualClock(NOW)
    app = HooptuiApp(desk, clock=clock, zone=UTC, interval=0, environment={}, **options)  # type: ignore[arg-type]  # tests pass what they mean
    async with app.run_test(size=size) as pilot:
        stage = Stage(app, pilot, desk, clock)
        await stage.settle()
        yield stage
