"""What the screen costs: one tick with 200 sessions, idle and under a flood of 5 000 events a second. Run: `pytest -m bench tests/bench/bench_ui.py -s`."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median, quantiles

import pytest

from hooptui.core.desk import Snapshot
from hooptui.core.events import Asked, Decided, Finished, Header, Rows
from hooptui.core.gate import Masked
from tests.ui.desk import SceneDesk
from tests.ui.scenes import ev, health, session
from tests.ui.stage import Stage, stage

TICKS = 40
PER_TICK = 1250
"""Events in a quarter of a second at 5 000 a second."""


def world() -> SceneDesk:
    sessions = tuple(
        session(
            f"{n:04x}",
            f"agent-{n % 17}",
            f"orders-{n % 5}",
            "pg",
            10.0 * n,
            n,
            "live",
            f"SELECT * FROM orders WHERE id = {n}",
        )
        for n in range(200)
    )
    desk = SceneDesk(Snapshot(health(), sessions, ()))
    desk._count()
    return desk


def flood(desk: SceneDesk, tick: int) -> None:
    for number in range(PER_TICK // 5):
        n = tick * PER_TICK + number
        desk.publish(
            ev(
                tick,
                Asked(
                    n, "select", Masked(f"SELECT id, email FROM customers WHERE id = {n}"), ("select",), ("customers",)
                ),
                "0000",
            ),
            record=False,
        )
        desk.publish(ev(tick, Decided(n, "allow", "policy", ("r",), "", "1"), "0000"), record=False)
        desk.publish(ev(tick, Header(n, (Masked("id"), Masked("email"))), "0000"), record=False)
        desk.publish(ev(tick, Rows(n, ((Masked(str(n)), Masked("████@acme.io")),)), "0000"), record=False)
        desk.publish(ev(tick, Finished(n, Masked("SELECT 1"), True, 1, 1, 0.4, ("pii",)), "0000"), record=False)


async def measure(s: Stage, *, change: bool, flooded: bool) -> list[float]:
    """Milliseconds of processor time for each tick: state, layout, and painting to a terminal that swallows it."""
    spent: list[float] = []
    for tick in range(TICKS):
        if flooded:
            flood(s.desk, tick)
        if change:
            s.desk.later(0.25)
            moved = tuple(
                replace(one, operations=one.operations + 7) if i % 10 == 0 else one
                for i, one in enumerate(s.desk.state.sessions)
            )
            s.desk.state = replace(s.desk.state, sessions=moved)
        s.clock.advance(0.25)
        began = time.process_time()
        await s.app.poll_once()
        await s.app.workers.wait_for_complete()
        s.main._compositor.render_update(full=False)
        spent.append((time.process_time() - began) * 1000)
        await s.pilot.pause()
    return spent


@pytest.mark.bench
async def test_cost_of_a_tick() -> None:
    print()
    print(f"{'200 sessions, 120x36':<28}{'median ms':>10}{'p95 ms':>10}{'share of one core at 4 Hz':>28}")
    for name, change, flooded in (
        ("nothing changes", False, False),
        ("ages and 20 counters", True, False),
        ("and 5 000 events/s", True, True),
    ):
        async with stage(world()) as s:
            await s.tick()
            spent = await measure(s, change=change, flooded=flooded)
        middle, high = median(spent), quantiles(spent, n=20)[-1]
        print(f"{name:<28}{middle:>10.2f}{high:>10.2f}{middle * 4 / 10:>27.1f}%")
        assert middle < 60, "a tick must leave the machine to the gateway"
