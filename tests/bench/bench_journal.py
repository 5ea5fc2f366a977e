"""What the record costs on the hot path, and what it carries. Not a test: `python tests/bench/bench_journal.py [DIRECTORY]`.

Three events an operation (asked, decided, finished), as a select has. Prints microseconds an event on the loop, events a
second, and how long those who wait for durability wait, alone and beside a busy loop.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from hooptui.audit.codec import decode_event, encode_event
from hooptui.audit.log import AuditLog
from hooptui.audit.verify import verify
from hooptui.core.clock import SystemClock
from hooptui.core.events import Asked, Decided, Event, Finished, Rows, SessionClosed, SessionOpened
from hooptui.core.gate import CannotRecord, Masked

M = Masked
QUERY = M("SELECT abalance FROM pgbench_accounts WHERE aid = $1")


def operation(name: str, number: int, now: float) -> tuple[Event, Event, Event]:
    return (
        Event(now, name, Asked(number, "select", QUERY, ("select",), ("pgbench_accounts",), (M("12345"),))),
        Event(now, name, Decided(number, "allow", "policy", ("agents-read",), "agents may read", "abcdef01")),
        Event(now, name, Finished(number, M("SELECT 1"), True, 1, 0, 1.234)),
    )


def opened(now: float, name: str) -> Event:
    who = SessionOpened(
        "https://id", "u1", M("etl-7"), ("agents",), "workload", "db", "postgres", "h:1", M("psql"), None, "p"
    )
    return Event(now, name, who)


def codec() -> None:
    events = operation("7f3a91c0", 12, time.time())
    lines = [encode_event(event) for event in events]
    for words, run in (
        ("encode", lambda: [encode_event(e) for e in events]),
        ("decode", lambda: [decode_event(x) for x in lines]),
    ):
        best = min(timed(run) for _ in range(5))
        print(f"{words:40} {best * 1e6 / 3:8.2f} µs an event")


def timed(run: object, turns: int = 20_000) -> float:
    start = time.perf_counter()
    for _ in range(turns):
        run()  # type: ignore[operator]  # a function of no arguments
    return (time.perf_counter() - start) / turns


async def flood(state: Path, operations: int = 60_000, sessions: int = 8) -> None:
    """As fast as the loop can, stepping back when the log says it is too far behind."""
    log = AuditLog(state, clock=SystemClock())
    await log.start()
    names = [f"{number:08x}" for number in range(sessions)]
    for name in names:
        log.append(opened(time.time(), name))
    await log.durable()
    spent, refused = 0.0, 0
    start, cpu = time.perf_counter(), time.process_time()
    for number in range(operations):
        events = operation(names[number % sessions], number, time.time())
        before = time.perf_counter()
        for event in events:
            while True:
                try:
                    log.append(event)
                    break
                except CannotRecord:
                    refused += 1
                    await asyncio.sleep(0.001)
        spent += time.perf_counter() - before
        if number % 100 == 0:
            await asyncio.sleep(0)
    await log.durable()
    took = time.perf_counter() - start
    for name in names:
        log.append(Event(time.time(), name, SessionClosed(M("bye"), 1, 0, 0, 0)))
    await log.close()
    total = 3 * operations
    print(f"{'append, loop time':40} {spent * 1e6 / total:8.2f} µs an event")
    print(f"{'all in all, CPU of both threads':40} {(time.process_time() - cpu) * 1e6 / total:8.2f} µs an event")
    print(f"{'events a second, durable':40} {total / took:8.0f}   ({refused} refusals for lack of room)")


async def waiters(state: Path, agents: int, seconds: float, busy: float) -> None:
    """Each agent: an operation, wait for durability, again. `busy`: share of the loop that other work takes."""
    log = AuditLog(state, clock=SystemClock())
    await log.start()
    delays: list[float] = []
    stop = time.perf_counter() + seconds

    async def agent(number: int) -> None:
        name = f"{number:08x}"
        log.append(opened(time.time(), name))
        step = 0
        while time.perf_counter() < stop:
            step += 1
            for event in operation(name, step, time.time()):
                log.append(event)
            before = time.perf_counter()
            await log.durable()
            delays.append(time.perf_counter() - before)

    async def burn() -> None:
        while time.perf_counter() < stop:
            until = time.perf_counter() + 0.001 * busy
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0.001 * (1 - busy))

    work = [agent(number) for number in range(agents)]
    await asyncio.gather(*work, *([burn()] if busy else []))
    await log.close()
    delays.sort()
    words = f"{agents} agents wait, loop {busy:.0%} busy"
    print(
        f"{words:40} {len(delays) / seconds:8.0f} operations a second, p50 {statistics.median(delays) * 1e3:.2f} ms,"
        f" p99 {delays[int(len(delays) * 0.99)] * 1e3:.2f} ms"
    )


async def bulk(state: Path, rows: int = 200_000) -> None:
    log = AuditLog(state, clock=SystemClock())
    await log.start()
    log.append(opened(time.time(), "ab"))
    block = tuple((M(str(number)), M(f"████@example{number}.io"), M("x" * 40)) for number in range(200))
    start = time.perf_counter()
    for _ in range(rows // 200):
        while True:
            try:
                log.append(Event(time.time(), "ab", Rows(1, block)))
                break
            except CannotRecord:
                await asyncio.sleep(0.001)
    await log.close()
    print(f"{'result rows recorded, sealed':40} {rows / (time.perf_counter() - start):8.0f} rows a second")


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="hooptui-bench-", dir=sys.argv[1] if len(sys.argv) > 1 else None))
    try:
        probe = root / "probe"
        with probe.open("wb", buffering=0) as file:
            times = []
            for _ in range(200):
                file.write(b"x" * 300)
                before = time.perf_counter()
                os.fdatasync(file.fileno())
                times.append(time.perf_counter() - before)
        print(
            f"{os.cpu_count()} cores, {root}: fdatasync p50 {statistics.median(times) * 1e3:.2f} ms, p99 {sorted(times)[197] * 1e3:.2f} ms"
        )
        codec()
        uvloop.run(flood(root / "flood"))
        report = verify(root / "flood")
        print(f"{'verify':40} {report.records / report.seconds:8.0f} records a second (status {report.status})")
        for agents, busy in ((1, 0.0), (8, 0.0), (32, 0.0), (8, 0.8)):
            uvloop.run(waiters(root / f"waiters-{agents}-{busy}", agents, 2.0, busy))
        uvloop.run(bulk(root / "bulk"))
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
