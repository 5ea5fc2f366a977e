"""A disk that fails: nothing is taken, nothing acknowledged is lost, it is said, and recording goes on when it can."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.audit import writer
from hooptui.audit.files import JournalError
from hooptui.audit.journal import tail
from hooptui.audit.log import AuditLog, LogHealth
from hooptui.audit.verify import verify
from hooptui.core.clock import ManualClock
from hooptui.core.events import Alert, Event, Rows, SessionClosed
from hooptui.core.gate import CannotRecord, Masked
from tests.audit.making import DAY, NOW, M, log_in, opened


def note(text: str) -> Event:
    return Event(NOW, "", Alert("c", Masked(text)))


def noted(state: Path) -> list[str]:
    lines = tail(state, limit=100_000)
    return [
        line.event.body.text for line in lines if isinstance(line.event.body, Alert) and line.event.body.code == "c"
    ]


def gaps(state: Path) -> list[str]:
    lines = tail(state, limit=100_000)
    return [
        line.event.body.text
        for line in lines
        if isinstance(line.event.body, Alert) and line.event.body.code == "journal-gap"
    ]


async def well_again(log: AuditLog) -> None:
    async with asyncio.timeout(60):
        while not log.health.ok:
            await asyncio.sleep(0.005)


class Told:
    """What the log said of its health; unlike a look now and then, it misses nothing."""

    def __init__(self) -> None:
        self.healths: list[LogHealth] = []

    def __call__(self, health: LogHealth) -> None:
        self.healths.append(health)

    async def ill_and_well(self) -> str:
        """Wait until it was ill and is well again; what it complained of."""
        async with asyncio.timeout(60):
            while len(self.healths) < 2 or not self.healths[-1].ok:
                await asyncio.sleep(0.005)
        return " | ".join(health.error for health in self.healths)


class Faulty:
    """A system call that fails a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, only: str = "") -> None:
        self.left = 0
        self.code = errno.EIO
        self.only = only
        self.calls = 0
        self._real = getattr(os, name)
        monkeypatch.setattr(os, name, self)

    def __call__(self, fd: int, *rest: object) -> object:
        meant = self.only in os.readlink(f"/proc/self/fd/{fd}")
        self.calls += meant
        if self.left and meant:
            self.left -= 1
            raise OSError(self.code, os.strerror(self.code))
        return self._real(fd, *rest)


@pytest.mark.parametrize("failures", [1, 2])
async def test_a_failed_sync_is_not_tried_again_on_that_file_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    health: list[LogHealth] = []
    async with log_in(tmp_path, on_health=health.append, limits={"retry_seconds": 0.4}) as log:
        sync = Faulty(monkeypatch, "fdatasync")
        log.append(note("before"))
        await log.durable()
        old = tmp_path / "journal" / "000000000001.jsonl"
        durable = old.read_bytes()
        sync.left = failures
        log.append(note("during"))
        with pytest.raises(CannotRecord, match=r"journal/.*\.jsonl: Input/output error \(EIO\)"):
            await log.durable()
        with pytest.raises(CannotRecord, match="EIO"):
            log.append(note("refused"))
        with pytest.raises(CannotRecord, match="EIO"):
            await log.durable()
        await well_again(log)
        assert old.read_bytes() == durable, "what could not be synced is cut off the segment that is given up"
        log.append(note("after"))
        await log.durable()
    assert noted(tmp_path) == ["before", "during", "after"]
    assert [one.ok for one in health] == [*(len(health) - 1) * [False], True]
    assert len(health) in (2, 3), "told on change, not at each try"
    (gap,) = gaps(tmp_path)
    assert "EIO" in gap and "the 1 after it were written again" in gap
    report = verify(tmp_path)
    assert report.status == 0
    assert len(report.findings) == 1
    assert len(list((tmp_path / "journal").glob("*.jsonl"))) == 2


async def test_a_first_sync_that_fails_begins_the_same_segment_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with log_in(tmp_path, limits={"segment_bytes": 1}) as log:
        sync = Faulty(monkeypatch, "fdatasync")
        log.append(note("rotates"))
        await log.durable()
        sync.left = 2
        log.append(note("fails"))
        with pytest.raises(CannotRecord):
            await log.durable()
        await well_again(log)
        log.append(note("after"))
        await log.durable()
    assert noted(tmp_path) == ["rotates", "fails", "after"]
    assert verify(tmp_path).status == 0


async def test_a_failed_cut_leaves_the_log_ill_until_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    async with log_in(tmp_path, on_health=told) as log:
        log.append(note("before"))
        await log.durable()
        sync, cut = Faulty(monkeypatch, "fdatasync"), Faulty(monkeypatch, "ftruncate")
        sync.left, cut.left, cut.code = 1, 3, errno.EROFS
        log.append(note("during"))
        with pytest.raises(CannotRecord):
            await log.durable()
        assert "EROFS" in await told.ill_and_well()
    assert noted(tmp_path) == ["before", "during"]
    assert verify(tmp_path).status == 0


async def test_a_session_that_ends_while_nothing_can_be_recorded_is_still_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with log_in(tmp_path) as log:
        log.append(Event(NOW, "ab", opened()))
        await log.durable()
        sync = Faulty(monkeypatch, "fdatasync")
        sync.left = 1_000_000
        log.append(note("x"))
        with pytest.raises(CannotRecord):
            await log.durable()
        with pytest.raises(CannotRecord):
            log.append(Event(NOW, "ab", SessionClosed(M("gone"), 0, 0, 0, 0)))
        sync.left = 0
        await well_again(log)
        async with asyncio.timeout(60):
            while list((tmp_path / "recordings" / "live").iterdir()):
                await asyncio.sleep(0.005)
    report = verify(tmp_path)
    assert (report.status, report.recordings) == (0, 1)


async def test_a_recording_whose_sync_fails_is_sealed_by_what_was_meant_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    async with log_in(tmp_path, on_health=told) as log:
        sync = Faulty(monkeypatch, "fdatasync", only="/recordings/")
        log.append(Event(NOW, "ab", opened()))
        sync.left = 1
        log.append(Event(NOW, "ab", SessionClosed(M("bye"), 0, 0, 0, 0)))
        assert "ab.jsonl: Input/output error (EIO)" in await told.ill_and_well()
    assert sync.calls == 1, "a second sync would succeed and mean nothing"
    report = verify(tmp_path)
    assert (report.status, report.recordings) == (0, 1)
    assert len(gaps(tmp_path)) == 1


async def test_a_recording_that_could_be_written_by_half_only_is_cut_back_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    left = 3

    def half(fd: int, data: memoryview) -> int:
        nonlocal left
        if left and "/recordings/" in os.readlink(f"/proc/self/fd/{fd}"):
            left -= 1
            real(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data)

    told = Told()
    async with log_in(tmp_path, on_health=told) as log:
        log.append(Event(NOW, "ab", opened()))
        await log.durable()
        monkeypatch.setattr(os, "write", half)
        log.append(Event(NOW, "ab", Rows(1, ((M("whole"),),))))
        assert "ab.jsonl: No space left on device (ENOSPC)" in await told.ill_and_well()
        log.append(Event(NOW, "ab", SessionClosed(M("bye"), 0, 0, 0, 0)))
    assert left == 0
    lines = (tmp_path / "recordings" / DAY / "ab.jsonl").read_bytes().splitlines()
    assert len(lines) == 3
    assert verify(tmp_path).status == 0


async def test_a_defect_in_the_writer_ends_recording_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path, clock=ManualClock(NOW))
    await log.start()
    monkeypatch.setattr(writer.Writer, "_create", lambda self: 1 / 0)
    monkeypatch.setattr("threading.excepthook", lambda args: None)
    log.append(note("x"))
    with pytest.raises(CannotRecord, match="the writer failed: ZeroDivisionError"):
        await log.durable()
    with pytest.raises(CannotRecord, match="the writer failed"):
        log.append(note("y"))
    assert not log.health.ok
    with pytest.raises(CannotRecord, match="the writer failed"):
        await log.close()


async def test_a_log_that_is_closed_while_it_cannot_write_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog(tmp_path, clock=ManualClock(NOW))
    await log.start()
    sync = Faulty(monkeypatch, "fdatasync")
    sync.left = 10_000
    log.append(note("x"))
    with pytest.raises(CannotRecord, match="EIO"):
        await log.durable()
    with pytest.raises(CannotRecord, match="EIO"):
        await log.close()
    sync.left = 0
    async with log_in(tmp_path) as again:
        again.append(note("y"))
    assert noted(tmp_path)[-1] == "y"
    assert verify(tmp_path).status == 0


async def test_a_start_that_cannot_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with log_in(tmp_path) as log:
        log.append(note("x"))
    with (tmp_path / "journal" / "000000000001.jsonl").open("ab") as file:
        file.write(b"torn")
    Faulty(monkeypatch, "fdatasync").left = 100
    with pytest.raises(JournalError, match="EIO"):
        await AuditLog(tmp_path, clock=ManualClock(NOW)).start()


async def test_the_file_size_limit_is_met_by_a_new_segment(tmp_path: Path) -> None:
    """For real: EFBIG from the kernel, with a batch that is half written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with log_in(tmp_path) as log:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
            taken = []
            for number in range(1500):
                try:
                    log.append(note(f"{number} " + "z" * 50))
                    taken.append(f"{number} " + "z" * 50)
                    if number % 100 == 99:
                        await log.durable()
                except CannotRecord as broken:
                    assert "EFBIG" in str(broken)
                    await well_again(log)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert noted(tmp_path) == taken
    assert gaps(tmp_path)
    assert verify(tmp_path).status == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KB."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", path], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"only root may mount: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


async def test_a_full_disk_stops_everything_and_room_lets_it_go_on(small_disk: Path) -> None:
    """For real: ENOSPC, for journal and recording alike."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"b" * 200_000)
    async with log_in(small_disk / "state") as log:
        log.append(Event(NOW, "ab", opened()))
        await log.durable()
        acknowledged = []
        with pytest.raises(CannotRecord, match=r"No space left on device \(ENOSPC\)"):
            for number in range(10_000):
                text = f"{number} " + "z" * 500
                log.append(note(text))
                log.append(Event(NOW, "ab", Rows(1, ((M(text),),))))
                await log.durable()
                acknowledged.append(text)
        assert "state/" in log.health.error
        for _ in range(20):
            with pytest.raises(CannotRecord):
                log.append(note("refused"))
            await asyncio.sleep(0.01)
        ballast.unlink()
        await well_again(log)
        log.append(note("after"))
        log.append(Event(NOW, "ab", SessionClosed(M("bye"), 0, 0, 0, 0)))
        await log.durable()
    state = small_disk / "state"
    found = noted(state)
    assert found[: len(acknowledged)] == acknowledged
    assert found[-1] == "after"
    assert "refused" not in found
    assert len(gaps(state)) == 1
    report = verify(state)
    assert (report.status, report.recordings) == (0, 1)
    recorded = (state / "recordings" / DAY / "ab.jsonl").read_bytes()
    assert all(f"{number} zzz".encode() in recorded for number in range(len(acknowledged)))
    assert len(list((state / "journal").glob("*.jsonl"))) <= 3, (
        "one outage begins one segment, however often it was tried"
    )
