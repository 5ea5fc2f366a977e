"""The screen on a real gateway, with a real psql before it and a real PostgreSQL behind: what its keys do truly happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from textual.pilot import Pilot

from hooptui.tui.app import HooptuiApp
from hooptui.tui.screens.access_review import AccessReviewScreen
from hooptui.tui.screens.confirm import BlockScreen, RevokeScreen, UnblockScreen
from hooptui.tui.screens.modal import Modal
from tests.e2e.bed import Bed
from tests.e2e.jit import Waiting, asker, minting_bed, psqls, roles
from tests.postgres_server import PostgresServer
from tests.ui import picture

__all__ = ["psqls"]

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("psqls")]


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Iterator[Bed]:
    with minting_bed(postgres) as made:
        yield made


class Hands:
    """Somebody at the screen, who waits for what they see."""

    def __init__(self, app: HooptuiApp, pilot: Pilot[str]) -> None:
        self.app, self.pilot = app, pilot

    async def until(self, what: Callable[[], object], words: str) -> None:
        """Look again until `what` is so."""
        try:
            async with asyncio.timeout(60):
                while not what():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            pytest.fail(f"not seen: {words}\n{picture.text(self.app)}")

    async def sees(self, words: str) -> None:
        await self.until(lambda: words in picture.text(self.app), words)

    async def press(self, *keys: str) -> None:
        for key in keys:
            screen = self.app.screen
            if isinstance(screen, Modal):
                await self.until(lambda screen=screen: not screen.deaf, "a window that listens")
            await self.pilot.press(key)

    async def window(self, kind: type[Modal], *keys: str) -> None:
        await self.press(*keys)
        await self.until(lambda: isinstance(self.app.screen, kind), kind.__name__)

    async def closed(self, kind: type[Modal]) -> None:
        await self.until(lambda: not isinstance(self.app.screen, kind), f"{kind.__name__} gone")


async def test_let_in_look_revoke_block_and_unblock(world: Bed) -> None:
    app = HooptuiApp(world.gateway.desk(), interval=0.05, environment={}, bell=False)
    async with app.run_test(size=(120, 36)) as pilot:
        hands = Hands(app, pilot)
        await hands.sees("ops-1 local")
        psql = await asyncio.to_thread(_ask, world)
        await hands.sees("asks for access")

        # let in, for five minutes
        await hands.window(AccessReviewScreen, "2", "a")
        await hands.sees("INC-812: look")
        await hands.sees("at most 10 min, from the approval on")
        await hands.sees("Approve lets it in")
        await hands.press("up", "up", "left", "down", "down", "right", "right", "enter")
        await hands.closed(AccessReviewScreen)
        await asyncio.to_thread(psql.hears, "access granted for 5:00")
        assert await asyncio.to_thread(lambda: world.until(lambda: roles(world)))

        # what the screen says of it
        await hands.press("1")
        await hands.sees("4m grant")
        await hands.press("i")
        await hands.sees("people let it in: approval #")
        await hands.sees("purpose  INC-812: look")
        await hands.press("escape", "l")
        await hands.sees("access on orders-db · jit")

        # take it back: the client is told, the role is gone
        await hands.window(RevokeScreen, "R")
        await hands.sees("1 session:")
        await hands.press("right", "enter")
        await hands.closed(RevokeScreen)
        await hands.sees("no lease, no grant and no block is in force")
        _, err, code = await asyncio.to_thread(psql.end)
        assert code == 2, err
        await asyncio.to_thread(lambda: world.until(lambda: roles(world) == []))

        # the same person asks again, and is locked out
        psql = await asyncio.to_thread(_ask, world)
        await hands.sees("asks for access")
        await hands.window(BlockScreen, "2", "B")
        await hands.press("up", *"ops", "minus", "7", "enter", "right", "enter")
        await hands.closed(BlockScreen)
        _, err, code = await asyncio.to_thread(psql.end)
        assert code == 2, err
        await hands.press("l")
        await hands.sees("✗ block")
        refused = await asyncio.to_thread(_ask, world, wait=False)
        _, err, code = await asyncio.to_thread(refused.end)
        assert code == 2, err
        await hands.window(UnblockScreen, "U")
        await hands.press("right", "enter")
        await hands.closed(UnblockScreen)
        await hands.sees("no lease, no grant and no block is in force")

        # and the journal says who did all that, in words
        await hands.press("5")
        for words in ("approves #", "grant ended", "blocked", "unblocked"):
            await hands.sees(words)
        await hands.sees("ops-1 (local)")


def _ask(world: Bed, *, wait: bool = True) -> Waiting:
    psql = Waiting(
        world, "-c", "SELECT pg_sleep(60)", token=asker(world), PGOPTIONS="-c hooptui.reason='INC-812: look'"
    )
    if wait:
        psql.hears("NOTICE:  access needs approval #")
    return psql
