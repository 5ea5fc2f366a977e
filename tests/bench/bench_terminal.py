"""What a terminal costs: carrying out output, a flood on the live screen, and seeking in a recording of 100 MB.

Run with `pytest -m bench tests/bench/bench_terminal.py -s`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from hooptui.core.events import Event
from hooptui.core.events_channels import TerminalOpened, TerminalOutput
from hooptui.core.gate import Masked
from hooptui.terminal.emulator import Emulator
from hooptui.tui.channels import Channels
from hooptui.tui.reel import Reel
from tests.ui.scenes_ssh import VIM, top

PIECE = 8 * 1024
LS = "".join(f"-rw-r--r-- 1 root root {n:>9} Jan  1 00:00 \x1b[01;34mfile-{n}.txt\x1b[0m\r\n" for n in range(2000))
WIDE = "".join(f"{n}: 表格 über é\r\n" for n in range(8000))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def opened(columns: int = 120, rows: int = 36) -> Event:
    return Event(0.0, "a", TerminalOpened(1, Masked("xterm"), columns, rows))


def pieces(text: str, total: int) -> list[Event]:
    cut = [Masked(text[at : at + PIECE]) for at in range(0, len(text), PIECE)]
    return [Event(float(n), "a", TerminalOutput(1, cut[n % len(cut)])) for n in range(total // PIECE)]


@pytest.mark.bench
def test_carrying_out() -> None:
    for name, text in (("ls --color", LS), ("vim", VIM * 40), ("top", top("2.10", "58.1") * 60), ("wide", WIDE)):
        took = min(seconds(lambda text=text: Emulator(120, 36).feed(text)) for _ in range(3))  # type: ignore[misc]  # the default binds
        print(f"{name:12} {len(text) / took / 1e6:6.2f} MB/s")


@pytest.mark.bench
def test_a_flood_on_the_live_screen() -> None:
    channels, flood = Channels(), pieces(LS, 25_000_000)
    channels.feed([opened()])
    print(f"one look at 25 MB: {seconds(lambda: channels.feed(flood)) * 1000:.1f} ms")


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_seeking_in_100_mb() -> None:
    events = [opened(), *pieces(LS, 100_000_000)]
    total = len(events)
    reel = Reel(events, 1)
    jumps = {"to the middle": total // 2, "to the end": total, "to the start": 2, "to a third": total // 3}
    for words, index in jumps.items():
        took = seconds(lambda index=index: reel.to(index))  # type: ignore[misc]  # as above
        print(f"{words:14} {took * 1000:7.1f} ms{'' if reel.exact else '  from its last part'}")
    played = Reel(events, 1)
    took = seconds(lambda: [played.to(index) for index in range(0, total + 1, 100)])
    print(f"played through in {took:.1f} s, {len(played._kept)} pictures kept, exact: {played.exact}")
    worst = max(seconds(lambda index=index: played.to(index)) for index in range(total, 1, -997))  # type: ignore[misc]
    print(f"back by steps of 8 MB, the slowest: {worst * 1000:.1f} ms")
