"""A recording and what is published, joined without a gap and without a duplicate, whatever lags behind what."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.events import Asked, Event
from hooptui.core.gate import Masked
from hooptui.tui.feed import SLICE, Feed, beyond
from tests.ui.desk import SceneWatch
from tests.ui.scenes import NOW, empty


def event(number: int) -> Event:
    return Event(NOW + number, "7f3a", Asked(number, "select", Masked(f"SELECT {number}"), (), ()))


class Lagging:
    """A desk whose recording shows `behind` events fewer than were published."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.behind = 0
        self.watcher: SceneWatch | None = None

    def happen(self, count: int) -> None:
        for _ in range(count):
            self.events.append(event(len(self.events)))
            if self.watcher is not None:
                self.watcher.events.append(self.events[-1])

    async def watch(self, session: str) -> SceneWatch:
        self.watcher = SceneWatch()
        return self.watcher

    async def transcript(self, session: str, *, after: int = 0, limit: int = 2000) -> tuple[tuple[Event, ...], int]:
        written = self.events[: max(0, len(self.events) - self.behind)]
        # A file rounds times; the bus does not.
        part = tuple(Event(round(one.at + 0.0004, 3), one.session, one.body) for one in written[after : after + limit])
        return part, after + len(part)


STEP = st.tuples(st.integers(0, 5), st.integers(0, 4))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.integers(0, 8), st.lists(STEP, max_size=12))
async def test_every_event_once_and_in_order(before: int, steps: list[tuple[int, int]]) -> None:
    desk = Lagging()
    desk.happen(before)
    feed = Feed(desk, "7f3a")  # type: ignore[arg-type]  # as much of a desk as a feed needs
    seen: list[Event] = []
    for happened, behind in steps:
        desk.happen(happened)
        desk.behind = behind
        seen += (await feed.pull()).events
    desk.behind = 0
    desk.happen(1)
    for _ in range(4):
        seen += (await feed.pull()).events
    assert [one.body.operation for one in seen] == list(range(len(desk.events)))


async def test_a_long_recording_is_read_in_slices_that_let_others_run() -> None:
    desk = Lagging()
    desk.happen(SLICE * 10 + 7)
    feed = Feed(desk, "7f3a")  # type: ignore[arg-type]  # as above
    first = await feed.pull()
    assert len(first.events) == SLICE * 4
    desk.happen(5)
    seen = list(first.events)
    for _ in range(5):
        seen += (await feed.pull()).events
    assert feed.joined
    assert len(seen) == SLICE * 10 + 12


async def test_a_loss_while_the_recording_is_read_is_made_good_from_it() -> None:
    desk = Lagging()
    desk.happen(3)
    feed = Feed(desk, "7f3a")  # type: ignore[arg-type]  # as above
    await feed.open()
    desk.happen(4)
    assert desk.watcher is not None
    desk.watcher.events = desk.watcher.events[-1:]
    desk.watcher.lost = 3
    batch = await feed.pull()
    assert [one.body.operation for one in batch.events] == list(range(7))
    assert batch.lost == 0


async def test_a_recording_that_never_comes_does_not_hide_the_session() -> None:
    desk = empty()
    feed = Feed(desk, "7f3a")
    await feed.open()
    desk.publish(event(1), record=False)
    seen = []
    for _ in range(9):
        seen += (await feed.pull()).events
    assert [one.body.operation for one in seen] == [1]


@pytest.mark.parametrize(
    ("recorded", "published", "rest"),
    [
        ([], [], None),
        ([1, 2], [], None),
        ([1, 2], [2, 3], [3]),
        ([1, 2], [3], None),
        ([1, 2, 3], [2], None),
        ([1, 1], [1, 1, 2], [2]),
        ([1], [1], []),
    ],
)
def test_the_seam(recorded: Sequence[int], published: Sequence[int], rest: Sequence[int] | None) -> None:
    found = beyond([event(one) for one in recorded], [event(one) for one in published])
    assert (None if found is None else [one.body.operation for one in found]) == rest
