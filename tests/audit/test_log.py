"""Where events go, in which order, and what durable means."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from hooptui.audit.codec import decode_event
from hooptui.audit.files import locked
from hooptui.audit.journal import tail
from hooptui.audit.log import AuditLog
from hooptui.audit.verify import verify
from hooptui.core.clock import ManualClock
from hooptui.core.events import (
    Alert,
    Event,
    Frozen,
    GatewayStarted,
    Omitted,
    RecordingSealed,
    Rows,
    SessionClosed,
)
from hooptui.core.gate import CannotRecord, Masked
from hooptui.core.model import Identity, Operation, SqlFacts, Target
from tests.audit.making import DAY, NOW, M, journal_lines, log_in, opened, session, started, write


def recording(state: Path, name: str) -> list[Event]:
    return [decode_event(line) for line in (state / "recordings" / DAY / f"{name}.jsonl").read_bytes().splitlines()]


async def test_events_go_where_their_bodies_say_in_order(tmp_path: Path) -> None:
    state = tmp_path / "state"
    one = session("ab12")
    sealed: list[Event] = []
    async with log_in(state, on_sealed=sealed.append) as log:
        log.append(started())
        for event in one:
            log.append(event)
        await log.durable()
    assert recording(state, "ab12") == one
    journaled = [line.event for line in tail(state)]
    assert journaled[:-1] == [started(), *(event for event in one if event.body.kept == "journal")]
    assert isinstance(journaled[-1].body, RecordingSealed)
    assert sealed == journaled[-1:]
    assert verify(state).status == 0


async def test_numbers_rise_by_one_and_the_last_record_is_signed(tmp_path: Path) -> None:
    await write(tmp_path, [started(), *session("ab")])
    lines = [json.loads(line) for line in journal_lines(tmp_path)]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert "checkpoint" in lines[-1]


async def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await write(state, [started(), *session("ab")])
    for path in state.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif path.name != "journal.pub":
            assert mode == 0o600, path


async def test_the_rest_of_a_session_after_its_end_is_journaled_but_never_recorded(tmp_path: Path) -> None:
    one = session("ab")
    async with log_in(tmp_path) as log:
        for event in one:
            log.append(event)
        late = Event(NOW + 9, "ab", Frozen("op", True))
        log.append(late)
        with pytest.raises(CannotRecord, match="not open"):
            log.append(Event(NOW + 9, "ab", Rows(1, ((M("late"),),))))
    assert recording(tmp_path, "ab") == one
    assert late in [line.event for line in tail(tmp_path)]
    assert verify(tmp_path).status == 0


async def test_omitted_rows_make_a_cut_seal(tmp_path: Path) -> None:
    one = session("ab")
    sealed: list[Event] = []
    async with log_in(tmp_path, on_sealed=sealed.append) as log:
        for event in [*one[:-1], Event(NOW, "ab", Omitted(2, 5, 500, 100)), one[-1]]:
            log.append(event)
    body = sealed[0].body
    assert isinstance(body, RecordingSealed)
    assert body.cut


@pytest.mark.parametrize("name", ["../x", "A1", "", "ab/cd", "a" * 65, "ab\x00", "ab\n", "ü"])
async def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    async with log_in(tmp_path) as log:
        with pytest.raises(CannotRecord):
            log.append(Event(NOW, name, opened()))
        log.append(started())
    assert not list((tmp_path / "recordings" / "live").iterdir())
    assert verify(tmp_path).status == 0


async def test_a_session_is_opened_once(tmp_path: Path) -> None:
    async with log_in(tmp_path) as log:
        log.append(Event(NOW, "ab", opened()))
        with pytest.raises(CannotRecord, match="open already"):
            log.append(Event(NOW, "ab", opened()))


async def test_a_name_that_was_recorded_before_makes_only_its_session_unrecordable(tmp_path: Path) -> None:
    await write(tmp_path, session("ab"))
    before = (tmp_path / "recordings" / DAY / "ab.jsonl").read_bytes()
    async with log_in(tmp_path) as log:
        log.append(Event(NOW, "ab", opened()))
        await log.durable()
        with pytest.raises(CannotRecord, match="recording of a session ab already"):
            log.append(Event(NOW, "ab", Rows(1, ((M("x"),),))))
        with pytest.raises(CannotRecord, match="recording of a session ab already"):
            log.append(Event(NOW, "ab", Frozen("op", True)))
        log.append(Event(NOW, "ab", SessionClosed(M("refused"), 0, 0, 0, 0)))
        for event in session("cd"):
            log.append(event)
        assert log.health.ok
    assert (tmp_path / "recordings" / DAY / "ab.jsonl").read_bytes() == before
    report = verify(tmp_path)
    assert (report.status, report.findings) == (0, ())
    assert "no-recording" in [line.event.body.code for line in tail(tmp_path) if isinstance(line.event.body, Alert)]


async def test_durable_means_on_disk_and_synced_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes that a sync covered, seen from outside, at the moment each waiter is told."""
    synced: dict[str, int] = {}
    real = os.fdatasync

    def watched(fd: int) -> None:
        size = os.fstat(fd).st_size
        real(fd)
        synced[os.readlink(f"/proc/self/fd/{fd}")] = size

    async with log_in(tmp_path) as log:
        monkeypatch.setattr(os, "fdatasync", watched)
        path = tmp_path / "journal" / "000000000001.jsonl"

        async def one(number: int) -> None:
            for step in range(20):
                text = f"mark-{number}-{step}"
                log.append(Event(NOW, "", Alert("c", Masked(text))))
                await log.durable()
                assert text.encode() in path.read_bytes()[: synced[str(path)]]

        await asyncio.gather(*(one(number) for number in range(10)))
    assert verify(tmp_path).status == 0


async def test_those_who_wait_together_share_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    real = os.fdatasync
    hold = threading.Event()

    def slow(fd: int) -> None:
        nonlocal calls
        calls += 1
        hold.wait(60)
        real(fd)

    async with log_in(tmp_path) as log:
        monkeypatch.setattr(os, "fdatasync", slow)

        async def one(number: int) -> None:
            log.append(Event(NOW, "", Alert("c", Masked(str(number)))))
            await log.durable()

        tasks = [asyncio.create_task(one(number)) for number in range(200)]
        await asyncio.sleep(0)
        hold.set()
        await asyncio.gather(*tasks)
        assert calls <= 2
        assert log.health.records >= 200


async def test_what_nobody_waits_for_reaches_the_disk_too(tmp_path: Path) -> None:
    async with log_in(tmp_path, limits={"sync_seconds": 0.01}) as log:
        before = log.health.records
        log.append(started())
        async with asyncio.timeout(60):
            while log.health.records == before:
                await asyncio.sleep(0.002)
        assert b"gateway_started" in b"".join(journal_lines(tmp_path))


async def test_a_cancelled_waiter_harms_nobody(tmp_path: Path) -> None:
    async with log_in(tmp_path) as log:
        log.append(started())
        waiter = asyncio.create_task(log.durable())
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        log.append(started())
        await log.durable()


async def test_beyond_its_bound_the_log_takes_nothing_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()
    real = os.fdatasync
    async with log_in(tmp_path, limits={"pending_bytes": 20_000}) as log:
        monkeypatch.setattr(os, "fdatasync", lambda fd: (hold.wait(60), real(fd)))
        taken = 0
        with pytest.raises(CannotRecord, match="bytes wait to be written"):
            for number in range(1000):
                log.append(Event(NOW, "", Alert("c", Masked("y" * 100))))
                taken = number + 1
        assert 50 < taken < 100
        hold.set()
        async with asyncio.timeout(60):
            while True:
                try:
                    log.append(started())
                    break
                except CannotRecord:
                    await asyncio.sleep(0.002)
        await log.durable()
    assert len([line for line in tail(tmp_path, limit=1000) if isinstance(line.event.body, Alert)]) == taken
    assert verify(tmp_path).status == 0


async def test_room_for_recorded_rows_comes_back(tmp_path: Path) -> None:
    async with log_in(tmp_path, limits={"pending_bytes": 20_000}) as log:
        log.append(Event(NOW, "ab", opened()))
        async with asyncio.timeout(60):
            for number in range(200):
                while True:
                    try:
                        log.append(Event(NOW, "ab", Rows(number, ((M("y" * 1000),),))))
                        break
                    except CannotRecord:
                        await asyncio.sleep(0.001)
        log.append(Event(NOW, "ab", SessionClosed(M("bye"), 200, 0, 0, 0)))
    assert len(recording(tmp_path, "ab")) == 202


async def test_many_sessions_that_end_at_once_are_sealed_one_after_the_other_without_pause(tmp_path: Path) -> None:
    async with log_in(tmp_path, limits={"sync_seconds": 0.5}) as log:
        names = [f"{number:02x}" for number in range(80)]
        for name in names:
            log.append(Event(NOW, name, opened()))
        await log.durable()
        for name in names:
            log.append(Event(NOW, name, SessionClosed(M("bye"), 0, 0, 0, 0)))
        async with asyncio.timeout(60):
            while list((tmp_path / "recordings" / "live").iterdir()):
                await asyncio.sleep(0.01)


async def test_a_disk_that_does_not_answer_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = threading.Event()
    real = os.fdatasync
    monkeypatch.setattr("hooptui.audit.log.STALLED", 0.01)
    async with log_in(tmp_path) as log:
        monkeypatch.setattr(os, "fdatasync", lambda fd: (hold.wait(60), real(fd)))
        log.append(started())
        async with asyncio.timeout(60):
            while log.health.ok:
                await asyncio.sleep(0.002)
        assert "has not answered" in log.health.error
        hold.set()
        await log.durable()
        assert log.health.ok


async def test_many_sessions_need_few_open_files(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    base = descriptors()
    names = [f"{number:04x}" for number in range(600)]
    async with log_in(tmp_path, limits={"open_recordings": 8}) as log:
        for name in names:
            log.append(Event(NOW, name, opened()))
        await log.durable()
        for turn in range(3):
            for name in names:
                log.append(Event(NOW + turn, name, Rows(1, ((M(f"{name} {turn}"),),))))
            await log.durable()
            assert descriptors() < base + 20
        for name in names:
            log.append(Event(NOW + 5, name, SessionClosed(M("bye"), 1, 0, 0, 0)))
    for name in names:
        events = recording(tmp_path, name)
        assert [type(event.body) for event in events][1:] == [Rows, Rows, Rows, SessionClosed]
    report = verify(tmp_path)
    assert (report.status, report.recordings, report.findings) == (0, 600, ())


async def test_segments_rotate_link_and_end_signed(tmp_path: Path) -> None:
    async with log_in(tmp_path, limits={"segment_bytes": 2000, "checkpoint_seconds": 1000.0}) as log:
        for number in range(60):
            log.append(Event(NOW, "", Alert("c", Masked(f"{number} " + "z" * 100))))
            await log.durable()
    segments = sorted((tmp_path / "journal").glob("*.jsonl"))
    assert len(segments) > 5
    for path in segments:
        lines = path.read_bytes().splitlines()
        assert json.loads(lines[0])["seq"] == int(path.stem)
        assert "checkpoint" in json.loads(lines[-1])
    assert verify(tmp_path).status == 0
    await write(tmp_path, [started()])
    report = verify(tmp_path)
    assert (report.status, report.findings, report.unsigned) == (0, (), 0)


async def test_a_busy_journal_is_signed_every_so_many_records(tmp_path: Path) -> None:
    async with log_in(tmp_path, limits={"checkpoint_records": 10, "checkpoint_seconds": 1000.0}) as log:
        for _ in range(50):
            log.append(started())
            await log.durable()
    lines = [json.loads(line) for line in journal_lines(tmp_path)]
    signed = [line["seq"] for line in lines if "checkpoint" in line]
    assert max(after - before for before, after in pairwise(signed)) <= 11


async def test_the_tail_pages_back_to_the_first_record(tmp_path: Path) -> None:
    async with log_in(tmp_path, limits={"segment_bytes": 3000, "checkpoint_records": 7}) as log:
        for number in range(100):
            log.append(Event(NOW, "", Alert("c", Masked(f"{number} " + "z" * (number * 37 % 300)))))
            if number % 3 == 0:
                await log.durable()
    everything = tail(tmp_path, limit=1000)
    assert [line.event.body.text.split()[0] for line in everything if isinstance(line.event.body, Alert)] == [
        str(number) for number in range(100)
    ]
    for limit in (1, 7, 30):
        pages: list[object] = []
        before: int | None = None
        while page := tail(tmp_path, before=before, limit=limit):
            pages = [*page, *pages]
            before = page[0].seq
        assert pages == list(everything)


async def test_not_started_and_closed_logs_take_nothing(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, clock=ManualClock(NOW))
    with pytest.raises(CannotRecord, match="not been started"):
        log.append(started())
    assert not log.health.ok
    await log.close()
    await log.start()
    log.append(started())
    await log.close()
    await log.close()
    with pytest.raises(CannotRecord, match="closed"):
        log.append(started())
    with pytest.raises(CannotRecord, match="closed"):
        await log.durable()
    assert not log.health.ok
    assert not locked(tmp_path / "journal" / "lock")


async def test_what_cannot_be_encoded_is_not_recorded_and_leaves_the_chain_whole(tmp_path: Path) -> None:
    async with log_in(tmp_path) as log:
        with pytest.raises(CannotRecord, match="not a finite number"):
            log.append(Event(float("nan"), "", GatewayStarted("1", "p", ())))
        log.append(started())
    assert verify(tmp_path).status == 0


async def test_the_same_operation_has_the_same_fingerprint_and_no_other(tmp_path: Path) -> None:
    who = Identity("iss", "sub", "name")
    where = Target("orders-db", "postgres")

    def doing(text: str, *parameters: str | None) -> Operation:
        return Operation("postgres", "select", text, SqlFacts(frozenset({"select"})), parameters)

    what = doing("SELECT 1", "a", None)
    async with log_in(tmp_path / "a") as log, log_in(tmp_path / "b") as other:
        first = log.fingerprint(who, where, what)
        assert first == log.fingerprint(replace(who, name="other", groups=frozenset({"g"})), where, what)
        different = [
            log.fingerprint(replace(who, subject="sub2"), where, what),
            log.fingerprint(Identity("is", "ssub", "name"), where, what),
            log.fingerprint(who, Target("orders-db2", "postgres"), what),
            log.fingerprint(who, Target("orders-db", "ssh"), what),
            log.fingerprint(who, where, doing("SELECT 1 ", "a", None)),
            log.fingerprint(who, where, doing("SELECT 1\ud800", "a", None)),
            log.fingerprint(who, where, doing("SELECT 1", "a")),
            log.fingerprint(who, where, doing("SELECT 1", "a", "")),
            log.fingerprint(who, where, doing("SELECT 1", None, "a")),
            log.fingerprint(who, where, doing("SELECT 1", "a", None, None)),
            log.fingerprint(who, where, doing("SELECT 11:", "", None)),
            other.fingerprint(who, where, what),
        ]
        assert len({first, *different}) == 13
    async with log_in(tmp_path / "a") as again:
        assert again.fingerprint(who, where, what) == first
