"""Golden transcripts of the PostgreSQL relay: each file is a scenario, and what came of it.

    # words for the reader
    mask: column customers.email        masks that hold, before anything else; also `mask: detect email`
    > what the client says              v what the server says             ! what else happens
    ^ what the server is sent           < what the client is sent          = what is put on record

The last three kinds are written by the run and compared with the file. `HOOPTUI_GOLDEN=write pytest tests/golden` writes
them anew; read the difference before you keep it. `>>` sends the next message in the same breath.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from hooptui.core.approvals import Status
from hooptui.core.gate import CannotRecord
from hooptui.core.model import MaskRule
from tests.core.world import DBA, vote
from tests.golden.notation import read_client, read_server, show_client, show_event, show_server
from tests.golden.virtual import run, settle
from tests.golden.wires import Wires

SCENARIOS = sorted((Path(__file__).parent / "postgres").glob("*.txt"))


def masks(lines: list[str]) -> tuple[MaskRule, ...]:
    rules = []
    for line in lines:
        if line.startswith("mask: "):
            kind, pattern = line.removeprefix("mask: ").split()
            rules.append(MaskRule(pattern, (pattern,)) if kind == "column" else MaskRule(pattern, (), (pattern,)))
    return tuple(rules)


async def play(script: list[str]) -> list[str]:
    """The scenario's own lines, with what came of each behind it."""
    wires = Wires(masks(script))
    written: list[str] = []
    seen = 0
    breath = b""
    for line in script:
        if line[:1] in "^<=":
            continue
        written.append(line)
        match line.split(" ", 1):
            case [">>", message]:
                breath += read_client(message)
                continue
            case [">", message]:
                wires.from_client(breath + read_client(message))
                breath = b""
            case ["v", message]:
                wires.from_server(read_server(message))
            case ["!", what]:
                await happen(wires, what)
            case _:
                continue
        await settle()
        written += [f"^ {show_client(raw)}" for raw in wires.server.take()]
        written += [f"< {show_server(raw)}" for raw in wires.client.take()]
        written += [f"= {show_event(event.body)}" for event in wires.book.events[seen:]]
        seen = len(wires.book.events)
    wires.relay.finish("the test is over")
    await wires.relay.closed()
    return written


async def happen(wires: Wires, what: str) -> None:
    word, _, rest = what.partition(" ")
    approvals, now = wires.house.approvals, wires.house.clock.now()
    match word:
        case "approve" | "deny":
            (waiting,) = approvals.waiting()
            approvals.vote(waiting.number, vote(DBA, word == "approve", now, reason=rest))
        case "wait":
            await asyncio.sleep(float(rest))
        case "cancel":
            if wires.relay.withdraw_or_cancel():
                wires.relay.cancelled()
        case "client-gone":
            wires.client_gone()
        case "server-gone":
            wires.server_gone()
        case "journal-breaks":
            wires.book.broken = "disk full"
            approvals.end_all(Status.UNRECORDED, now)
        case "journal-mends":
            wires.book.broken = ""
        case "freeze":
            try:
                wires.session.freeze(rest == "on", "ops-1")
            except CannotRecord as broken:
                raise AssertionError from broken
        case _:
            raise AssertionError(f"nothing happens like that: {what}")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    lines = path.read_text().splitlines()
    played = run(play(lines))
    if os.environ.get("HOOPTUI_GOLDEN") == "write":
        path.write_text("\n".join(played) + "\n")
    assert "\n".join(played) == "\n".join(lines)


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 12
