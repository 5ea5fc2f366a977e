"""Small events wait for their lines together: nobody who looks at the log can tell."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.audit import staged
from hooptui.audit.chain import Chain
from hooptui.audit.codec import decode_event, encode_event
from hooptui.audit.encoding import encode_events
from hooptui.audit.recording import Recording
from hooptui.audit.shared import Shared
from hooptui.audit.verify import verify
from hooptui.core.events import BODIES, Alert, Asked, Decided, Event, Finished, Frozen, Header, Output, Rows
from hooptui.core.gate import CannotRecord
from tests.audit.making import NOW, M, body_of, log_in, opened

WAITING = (Asked, Decided, Finished, Header, Rows)


def events_of(name: str, count: int) -> list[Event]:
    """Light and other events in a fixed disorder."""
    kinds = [*WAITING, *WAITING, Output, Frozen, Alert]
    chosen = random.Random(7).choices(kinds, k=count)
    return [Event(NOW + at, name, body_of(kind, f"text {at}")) for at, kind in enumerate(chosen)]


async def test_the_record_is_that_of_events_written_one_by_one(tmp_path):
    events = events_of("a", 500)
    async with log_in(tmp_path) as log:
        log.append(Event(NOW, "a", opened()))
        for event in events:
            log.append(event)
        await log.durable()
        head = log.head
    journal = b"".join(path.read_bytes() for path in sorted((tmp_path / "journal").glob("*.jsonl")))
    for event in events:
        line = encode_event(event)
        if event.body.kept == "journal":
            assert b',"event":' + line + b"}\n" in journal
    kept = [encode_event(event) for event in events if event.body.kept == "journal"]
    places = [journal.index(line) for line in kept]
    assert places == sorted(places), "in order"
    recorded = next((tmp_path / "recordings").glob("*/a.jsonl")).read_bytes()
    assert b"\n".join(encode_event(event) for event in events) in recorded
    assert head[0] >= len(kept)
    assert verify(tmp_path).status == 0


async def test_durable_covers_what_still_waits_for_its_line(tmp_path):
    async with log_in(tmp_path) as log:
        log.append(Event(NOW, "a", opened()))
        await log.durable()
        log.append(Event(NOW, "a", body_of(Asked, "canary-staged")))
        await log.durable()
        assert b"canary-staged" in b"".join(path.read_bytes() for path in (tmp_path / "journal").glob("*.jsonl"))
        before = log.head[0]
        log.append(Event(NOW, "a", body_of(Decided, "canary-second")))
        assert log.head[0] > before
        await log.durable()
        journal = b"".join(path.read_bytes() for path in (tmp_path / "journal").glob("*.jsonl"))
        assert b"canary-staged" in journal and b"canary-second" in journal


async def test_what_nobody_waits_for_is_on_disk_soon_all_the_same(tmp_path):
    async with log_in(tmp_path) as log:
        log.append(Event(NOW, "a", opened()))
        await log.durable()
        before = log.health.records
        log.append(Event(NOW, "a", body_of(Asked, "canary-staged")))
        while log.health.records == before:
            await asyncio.sleep(0.005)
        assert b"canary-staged" in b"".join(path.read_bytes() for path in (tmp_path / "journal").glob("*.jsonl"))


async def test_a_session_s_last_small_events_are_in_its_recording(tmp_path):
    async with log_in(tmp_path) as log:
        log.append(Event(NOW, "a", opened()))
        log.append(Event(NOW, "a", body_of(Rows, "canary-row")))
        log.append(Event(NOW, "a", body_of(Finished, "canary-tag")))
    recorded = next((tmp_path / "recordings").glob("*/a.jsonl")).read_bytes()
    assert b"canary-row" in recorded and b"canary-tag" in recorded
    assert verify(tmp_path).status == 0


async def test_rows_without_a_recording_are_refused_at_once(tmp_path):
    async with log_in(tmp_path) as log:
        with pytest.raises(CannotRecord, match="not open"):
            log.append(Event(NOW, "nobody", body_of(Rows)))
        with pytest.raises(CannotRecord, match="not a finite number"):
            log.append(Event(math.nan, "nobody", body_of(Asked)))
        log.append(Event(NOW, "nobody", body_of(Finished)))
    with pytest.raises(CannotRecord, match="closed"):
        log.append(Event(NOW, "nobody", body_of(Asked)))


def test_what_waits_is_small_and_cannot_be_unwritable():
    big = "x" * (staged.SMALL + 1)
    light = [Event(NOW, "a", body_of(kind)) for kind in WAITING]
    assert all(map(staged.light, light))
    assert {kind for kind in BODIES if staged.light(Event(NOW, "a", body_of(kind)))} == set(WAITING)
    for body in (
        Asked(1, "select", M(big), (), (), ()),
        Asked(1, "select", M("s"), (), (), (M(big),)),
        Asked(1, "select", M("s"), (), (), (None,) * staged.SMALL),
        Finished(1, M(big), True, 0, 0, 1.0),
        Finished(1, M("t"), True, 0, 0, math.inf),
        Header(1, (M(big),)),
        Header(1, (M(""),) * staged.SMALL),
        Rows(1, ((M("v"),),) * (staged.FEW + 1)),
        Rows(1, ((M("v"),) * (staged.NARROW + 1),)),
    ):
        assert not staged.light(Event(NOW, "a", body)), type(body).__name__
    for at in (math.nan, math.inf, -math.inf):
        assert not staged.light(Event(at, "a", body_of(Decided)))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(WAITING), st.text() | st.just("\ud83d lone") | st.just("two\nlines")), max_size=9
    )
)
def test_many_are_encoded_as_one_by_one(chosen):
    events = [Event(NOW + 0.125, "7f3a", body_of(kind, text)) for kind, text in chosen]
    lines = encode_events(events)
    assert lines == [encode_event(event) for event in events]
    assert all(b"\n" not in line for line in lines)
    assert [decode_event(line).session for line in lines] == ["7f3a"] * len(events)


def test_what_turns_out_not_to_be_writable_stays_and_stops_everything():
    shared, chain = Shared(), Chain(0, b"0" * 64)
    recording = Recording("2023-11-14", "a")
    for at in (NOW, NOW):
        shared.staged.append(Event(at, "a", Asked(1, "select", object(), (), (), ())))  # type: ignore[arg-type]
        shared.staged_for.append(recording)
    for _ in range(2):
        with pytest.raises(ValueError, match="asked"):
            staged.settle(shared, chain)
        assert len(shared.staged) == 2 and not shared.lines and chain.seq == 0 and not recording.buffer
