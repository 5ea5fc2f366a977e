"""What a start finds: nothing, a killed run's half line, another gateway, or a journal that was harmed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hooptui.audit.files import JournalError
from hooptui.audit.journal import tail
from hooptui.audit.log import AuditLog
from hooptui.audit.verify import verify
from hooptui.core.clock import ManualClock
from hooptui.core.events import Event, Omitted, RecordingSealed, Rows, TornTail
from tests.audit.making import DAY, NOW, M, journal_lines, log_in, opened, session, started, write


def fresh(state: Path) -> AuditLog:
    return AuditLog(state, clock=ManualClock(NOW))


def segment(state: Path) -> Path:
    return sorted((state / "journal").glob("*.jsonl"))[-1]


async def refuses(state: Path) -> str:
    with pytest.raises(JournalError) as caught:
        await fresh(state).start()
    return str(caught.value)


async def test_a_torn_line_is_set_aside_and_recorded_first(tmp_path: Path) -> None:
    """At every byte of the last line: whatever was whole stays, whatever was half is kept aside."""
    await write(tmp_path / "a", [started(), *session("ab")])
    data = segment(tmp_path / "a").read_bytes()
    start = data.rstrip(b"\n").rfind(b"\n") + 1
    whole = data[:start].count(b"\n")
    for size in [*range(start + 1, len(data), 23), len(data) - 1]:
        state = Path(shutil.copytree(tmp_path / "a", tmp_path / "b"))
        path = segment(state)
        path.write_bytes(data[:size])
        before = verify(state)
        assert (before.status, "torn tail" in before.findings[0]) == (0, True)
        async with log_in(state) as log:
            assert log.torn == TornTail(path.name, whole, size - start)
        lines = journal_lines(state)
        assert b"".join(lines[:whole]) == data[:start]
        assert json.loads(lines[whole])["event"]["kind"] == "torn_tail"
        assert [aside.read_bytes() for aside in (state / "journal").glob("*.torn")] == [data[start:size]]
        after = verify(state)
        assert after.status == 0
        assert f"{size - start} bytes were set aside" in after.findings[0]
        shutil.rmtree(state)


async def test_a_tail_of_zeros_is_torn_too(tmp_path: Path) -> None:
    await write(tmp_path, [started()])
    with segment(tmp_path).open("ab") as file:
        file.write(b"\0" * 5000)
    async with log_in(tmp_path) as log:
        assert log.torn is not None
        assert log.torn.torn_bytes == 5000
    assert verify(tmp_path).status == 0


async def test_an_empty_last_segment_is_gone_on_with(tmp_path: Path) -> None:
    """Killed right after a segment was begun."""
    await write(tmp_path, [started()])
    (tmp_path / "journal" / f"{len(journal_lines(tmp_path)) + 1:012}.jsonl").touch()
    await write(tmp_path, [started()])
    report = verify(tmp_path)
    assert (report.status, report.findings) == (0, ())


async def test_any_other_harm_stops_the_start_and_says_where_and_what_to_do(tmp_path: Path) -> None:
    await write(tmp_path / "a", [started(), *session("ab")])
    data = segment(tmp_path / "a").read_bytes()
    lines = data.splitlines(True)
    harmed = {
        "edited": data.replace(b"etl-7", b"etl-8", 1),
        "dropped": b"".join(lines[:3] + lines[4:]),
        "doubled": b"".join(lines[:3] + lines[2:]),
        "swapped": b"".join([*lines[:2], lines[3], lines[2], *lines[4:]]),
        "garbage": b"".join([*lines[:2], b"garbage\n", *lines[2:]]),
        "garbage at the end": data + b"garbage\n",
        "half a line with a newline": data + lines[2][:40] + b"\n",
        "empty line": data + b"\n",
    }
    for what, content in harmed.items():
        state = Path(shutil.copytree(tmp_path / "a", tmp_path / what.replace(" ", "-")))
        path = segment(state)
        path.write_bytes(content)
        words = await refuses(state)
        assert words.startswith(f"{path}:"), what
        assert "hooptui verify" in words and "move" in words
        assert path.read_bytes() == content, "nothing is mended silently"
        assert verify(state).status == 1
    # A start that failed leaves no lock behind.
    await write(tmp_path / "a", [started()])


async def test_a_broken_link_between_segments_stops_the_start(tmp_path: Path) -> None:
    async with log_in(tmp_path / "a", limits={"segment_bytes": 300}) as log:
        for _ in range(8):
            log.append(started())
            await log.durable()
    names = sorted(path.name for path in (tmp_path / "a" / "journal").glob("*.jsonl"))
    assert len(names) > 3
    for number, name in enumerate(names[:-1]):
        state = Path(shutil.copytree(tmp_path / "a", tmp_path / f"missing-{number}"))
        (state / "journal" / name).unlink()
        assert "a segment is missing or was added" in await refuses(state)
        state = Path(shutil.copytree(tmp_path / "a", tmp_path / f"cut-{number}"))
        path = state / "journal" / name
        path.write_bytes(path.read_bytes()[:-10])
        assert "is empty or does not end with a whole line" in await refuses(state)
        state = Path(shutil.copytree(tmp_path / "a", tmp_path / f"relinked-{number}"))
        path = state / "journal" / name
        first, newline, rest = path.read_bytes().partition(b"\n")
        prev = json.loads(first)["prev"].encode()
        path.write_bytes(first.replace(prev, prev[::-1]) + newline + rest)
        assert f"{path}:1: record" in await refuses(state)
    await write(tmp_path / "a", [started()])


async def test_a_second_gateway_gets_a_clear_error(tmp_path: Path) -> None:
    async with log_in(tmp_path) as log:
        assert "another hooptui writes this journal" in await refuses(tmp_path)
        code = (
            "import asyncio, sys, pathlib\n"
            "from hooptui.audit.log import AuditLog\nfrom hooptui.core.clock import SystemClock\n"
            "asyncio.run(AuditLog(pathlib.Path(sys.argv[1]), clock=SystemClock()).start())"
        )
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "another hooptui writes this journal" in done.stderr
        log.append(started())
        await log.durable()
    await write(tmp_path, [started()])


async def test_a_readers_look_at_the_lock_does_not_stop_a_start(tmp_path: Path) -> None:
    await write(tmp_path, [started()])

    async def look() -> None:
        for _ in range(200):
            await asyncio.to_thread(verify, tmp_path)

    looking = asyncio.create_task(look())
    for _ in range(10):
        await write(tmp_path, [started()])
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def test_keys_that_are_lost_foreign_or_open_to_others_stop_the_start(tmp_path: Path) -> None:
    await write(tmp_path / "a", [started()])
    await write(tmp_path / "other", [started()])
    key = tmp_path / "a" / "journal.key"
    kept = key.read_bytes()
    key.chmod(0o640)
    assert "others may read it (mode 640); chmod 600" in await refuses(tmp_path / "a")
    key.chmod(0o600)
    key.unlink()
    assert "missing, but there is a journal; restore the key" in await refuses(tmp_path / "a")
    shutil.copy(tmp_path / "other" / "journal.key", key)
    assert "is not the public half" in await refuses(tmp_path / "a")
    shutil.copy(tmp_path / "other" / "journal.pub", tmp_path / "a" / "journal.pub")
    assert "does not follow from record 0" in await refuses(tmp_path / "a")
    (tmp_path / "a" / "journal.pub").unlink()
    key.write_bytes(b"-----BEGIN nonsense")
    assert "not an unencrypted private key in PEM" in await refuses(tmp_path / "a")
    key.write_bytes(kept)
    (tmp_path / "a" / "fingerprint.key").write_bytes(b"short")
    assert "has 5 bytes instead of 32" in await refuses(tmp_path / "a")
    (tmp_path / "a" / "fingerprint.key").unlink()
    await write(tmp_path / "a", [started()])
    assert verify(tmp_path / "a").status == 0


async def test_a_directory_that_others_may_write_to_stops_the_start(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    assert "others may write to it (mode 777); chmod 700" in await refuses(state)


async def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert f"{tmp_path}/file" in await refuses(tmp_path / "file" / "state")


async def test_unsealed_recordings_of_a_killed_run_are_sealed_as_they_are(tmp_path: Path) -> None:
    """Copied while it runs, as a kill leaves it; one with half a line, one that lost rows, one that was never written."""
    live = tmp_path / "live"
    async with log_in(live) as log:
        for name in ("aa", "bb", "cc"):
            log.append(Event(NOW, name, opened()))
        log.append(Event(NOW, "aa", Rows(1, ((M("1"),),))))
        log.append(Event(NOW, "bb", Omitted(1, 5, 500, 100)))
        await log.durable()
        async with asyncio.timeout(60):
            while any(
                len((live / "recordings" / DAY / f"{name}.jsonl").read_bytes().splitlines()) < 2
                for name in ("aa", "bb")
            ):
                await asyncio.sleep(0.005)
        state = Path(shutil.copytree(live, tmp_path / "killed"))
    day = state / "recordings" / DAY
    whole = (day / "aa.jsonl").read_bytes()
    with (day / "aa.jsonl").open("ab") as file:
        file.write(b'{"at":1,"sess')
    (day / "cc.jsonl").unlink()
    assert verify(state).status == 0
    assert sum("was cut short" in finding for finding in verify(state).findings) == 3
    async with log_in(state):
        assert (day / "aa.jsonl").read_bytes() == whole
    seals = {
        line.event.session: line.event.body for line in tail(state) if isinstance(line.event.body, RecordingSealed)
    }
    assert {name: (seal.size, seal.cut) for name, seal in seals.items()} == {
        "aa": (len(whole), False),
        "bb": ((day / "bb.jsonl").stat().st_size, True),
        "cc": (0, False),
    }
    assert not list((state / "recordings" / "live").iterdir())
    report = verify(state)
    assert report.status == 0
    assert "cc.jsonl: empty" in "".join(report.findings)
    (day / "aa.jsonl").write_bytes(whole + b"\n")
    assert verify(state).status == 1


async def test_a_seal_that_came_twice_is_checked_twice_and_fine(tmp_path: Path) -> None:
    """Killed between a seal's sync and the removal of the marker."""
    await write(tmp_path, session("ab"))
    marker = tmp_path / "recordings" / "live" / f"{DAY}.ab"
    marker.touch()
    await write(tmp_path, [started()])
    report = verify(tmp_path)
    assert (report.status, report.recordings, report.findings) == (0, 2, ())
    # Somebody who changes a recording and asks for a new seal is found out by the old one.
    path = tmp_path / "recordings" / DAY / "ab.jsonl"
    path.write_bytes(path.read_bytes().replace(b"acme", b"evil"))
    marker.touch()
    await write(tmp_path, [started()])
    assert verify(tmp_path).status == 1


async def test_old_files_are_never_followed_through_links(tmp_path: Path) -> None:
    await write(tmp_path / "state", [started()])
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    day = tmp_path / "state" / "recordings" / DAY
    day.mkdir()
    (day / "ab.jsonl").symlink_to(victim)
    (tmp_path / "state" / "recordings" / "live" / f"{DAY}.ab").touch()
    assert "ab.jsonl" in await refuses(tmp_path / "state")
    assert victim.read_bytes() == b"precious"
    assert os.path.islink(day / "ab.jsonl")
