"""`kill -9` at any moment: what was acknowledged is there, the rest is named, and the record goes on."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from pathlib import Path

from hooptui.audit.journal import tail
from hooptui.audit.verify import verify
from hooptui.core.events import Alert, RecordingSealed, SessionOpened, TornTail

WRITER = """
import asyncio, sys, uvloop
from pathlib import Path
from hooptui.audit.log import AuditLog
from hooptui.audit.writer import Limits
from hooptui.core.clock import SystemClock
from hooptui.core.events import Alert, Event, Rows, SessionClosed
from tests.audit.making import opened

async def main(state, run, size):
    clock = SystemClock()
    log = AuditLog(state, clock=clock, limits=Limits(segment_bytes=3_000_000, checkpoint_records=40))
    await log.start()
    print("up", flush=True)

    async def agent(number):
        step = 0
        while True:
            name = f"{run:02x}{number:02x}{step:04x}"
            log.append(Event(clock.now(), name, opened()))
            mark = f"{run}-{number}-{step}"
            log.append(Event(clock.now(), "", Alert("mark", f"<{mark}>" + "z" * size)))
            log.append(Event(clock.now(), name, Rows(1, (("x" * size,),))))
            await log.durable()
            print(mark, flush=True)
            if step % 2:
                log.append(Event(clock.now(), name, SessionClosed("bye", 1, 0, 0, 0)))
            step += 1

    await asyncio.gather(*(agent(number) for number in range(4)))

uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
"""


def killed_run(state: Path, run: int, size: int, moment: float) -> set[str]:
    """Start the writer, kill it `moment` seconds after it is up; what it said was durable."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, state, str(run), str(size)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    with process, process.stdout as said:
        assert said.readline() == "up\n"
        time.sleep(moment)  # the moment of the kill is what varies here; nothing is waited for
        process.kill()
        # The last line may have been cut off by the kill, like any other.
        return {line.strip() for line in said if line.endswith("\n")}


def test_nothing_acknowledged_is_lost_and_the_torn_tail_is_named(tmp_path: Path) -> None:
    dice = random.Random(7)
    acknowledged: set[str] = set()
    for run in range(8):
        size = dice.choice([10, 1000, 400_000])
        acknowledged |= killed_run(tmp_path, run, size, dice.uniform(0.0, 0.25))
        report = verify(tmp_path)
        assert report.status == 0, report
        lines = tail(tmp_path, limit=1_000_000)
        marks = [
            match[1]
            for line in lines
            if isinstance(line.event.body, Alert) and (match := re.match("<(.*)>", line.event.body.text))
        ]
        assert acknowledged <= set(marks), run
        assert len(marks) == len(set(marks))
    assert len(acknowledged) > 20
    # One that ends in the middle of a line, for certain: as the kernel leaves a write that a kill cut short.
    last = sorted((tmp_path / "journal").glob("*.jsonl"))[-1]
    if last.read_bytes().endswith(b"\n"):
        with last.open("ab") as file:
            file.write(b'{"seq":12,"pr')
    acknowledged |= killed_run(tmp_path, 99, 10, 0.05)
    report = verify(tmp_path)
    assert report.status == 0
    assert any("were set aside" in finding for finding in report.findings)
    events = [line.event for line in tail(tmp_path, limit=1_000_000)]
    assert any(isinstance(event.body, TornTail) for event in events)
    began = {event.session for event in events if isinstance(event.body, SessionOpened)}
    sealed = {event.session for event in events if isinstance(event.body, RecordingSealed)}
    assert {session for session in began if not session.startswith("63")} <= sealed
