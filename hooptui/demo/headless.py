"""The demo's scripted operator, and the count of what came of it, read back from journal and recordings afterwards.

Works over the Desk alone, as a screen would. What it hoped to do counts for nothing: the numbers are the journal's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace

from hooptui.core.desk import Command, Desk, HeldView, JournalLine, SessionView
from hooptui.core.events import (
    Asked,
    Body,
    CredentialMinted,
    CredentialRemoved,
    Decided,
    Finished,
    GrantGiven,
    Held,
    KillDone,
    SessionOpened,
)
from hooptui.core.gate import Why
from hooptui.demo.canaries import Canary, Leak, search
from hooptui.demo.scripts import BOT, DEPLOYER, DROP, ETL, EVERYTHING, REPORT, RUNAWAY, SRE, VENDOR, Script, Step

HURRY = 4.0
"""How much faster the agents work than in the interactive demo."""
GRACE = 45.0
"""Seconds beyond the asked ones in which the operator still waits for what it has to see."""
LOOK_EVERY = 0.1
RUNAWAY_AFTER = 0.5
"""Seconds a statement has run when the operator takes it for a runaway."""
_ONCE = 86_400.0
"""A rest that outlasts the run: what comes after it is not said again."""

SCRIPTS: tuple[Script, ...] = (
    ETL,
    Script(REPORT.name, REPORT.program, (*REPORT.steps[:-1], Step(RUNAWAY, 2.0)), rest=_ONCE),
    Script(
        BOT.name, BOT.program, (BOT.steps[0], Step(DROP, 1.0), *(Step(text, 1.0) for text in EVERYTHING)), rest=_ONCE
    ),
    replace(VENDOR, rest=_ONCE),
    replace(SRE, rest=_ONCE),
    replace(DEPLOYER, rest=_ONCE),
)


@dataclass(slots=True)
class Operator:
    """Approves the first hold, denies the next, kills the first runaway, lets in who asks for access, approves the first hold on a
    host and the first on a cluster; then it only looks on."""

    desk: Desk
    approved: int | None = None
    denied: int | None = None
    killed: str | None = None
    let_in: int | None = None
    approved_on_host: int | None = None
    approved_on_cluster: int | None = None
    troubles: list[str] = field(default_factory=list)
    """What the gateway said when a command failed."""

    @property
    def done(self) -> bool:
        return None not in (
            self.approved,
            self.denied,
            self.killed,
            self.let_in,
            self.approved_on_host,
            self.approved_on_cluster,
        )

    async def work(self, seconds: float) -> None:
        """At least `seconds`, and at most GRACE more when something has not happened yet."""
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < seconds + GRACE:
            if elapsed >= seconds and self.done:
                return
            snapshot = await self.desk.snapshot()
            for held in snapshot.held:
                await self._judge(held)
            for session in snapshot.sessions:
                await self._watch(session, snapshot.health.now)
            await asyncio.sleep(LOOK_EVERY)

    async def until_quiet(self, seconds: float) -> bool:
        """Wait until no session is live; False when some still is after `seconds`."""
        deadline = time.monotonic() + seconds
        while (await self.desk.snapshot()).health.live:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(LOOK_EVERY)
        return True

    async def _judge(self, held: HeldView) -> None:
        if held.number in (self.approved, self.denied, self.let_in, self.approved_on_host, self.approved_on_cluster):
            return
        number = str(held.number)
        if held.access:
            reason = "the case is known"
            if await self._run(Command("approve", {"number": number, "reason": reason, "lasts": "5m"})):
                self.let_in = held.number
        elif held.via == "ssh":
            command = Command("approve", {"number": number, "reason": "agreed with the shop", "scope": "once"})
            if self.approved_on_host is None and await self._run(command):
                self.approved_on_host = held.number
        elif held.via == "k8s":
            command = Command("approve", {"number": number, "reason": "the canary is done", "scope": "once"})
            if self.approved_on_cluster is None and await self._run(command):
                self.approved_on_cluster = held.number
        elif self.approved is None:
            command = Command("approve", {"number": number, "reason": "agreed in the change window", "scope": "once"})
            if await self._run(command):
                self.approved = held.number
        elif self.denied is None and await self._run(
            Command("deny", {"number": number, "reason": "not without a backup"})
        ):
            self.denied = held.number

    async def _watch(self, session: SessionView, now: float) -> None:
        runs = session.state == "running" and now - session.last_at >= RUNAWAY_AFTER
        if (
            self.killed is None
            and runs
            and session.via == "pg"
            and await self._run(Command("kill", {"session": session.id, "reason": "runaway query"}))
        ):
            self.killed = session.id

    async def _run(self, command: Command) -> bool:
        outcome = await self.desk.run(command)
        if not outcome.ok:
            self.troubles.append(f"{command.verb}: {outcome.text}")
        return outcome.ok


async def journal(desk: Desk) -> list[JournalLine]:
    """The whole journal, oldest first."""
    pages: list[tuple[JournalLine, ...]] = []
    before: int | None = None
    while page := await desk.journal(before=before, limit=500):
        pages.append(page)
        before = page[0].seq
    return [line for page in reversed(pages) for line in page]


async def transcripts(desk: Desk, sessions: Sequence[str]) -> AsyncIterator[tuple[str, bytes]]:
    """Every recording as text, by session."""
    for session in sessions:
        after, text = 0, bytearray()
        while True:
            events, following = await desk.transcript(session, after=after)
            if not events:
                break
            text += "\n".join(map(repr, events)).encode()
            after = following
        yield f"transcript {session}", bytes(text)


EVERYWHERE: tuple[str, ...] = ("sessions", "operations", "masked_values", "held", "approved", "denied_by_policy")
"""What each protocol must have shown, by the names of the counts."""
COUNTED: tuple[str, ...] = (
    "sessions", "operations", "masked_values", "held", "approved", "denied_by_operator", "denied_by_policy", "killed", "let_in",
    "roles_made", "roles_gone",
)  # fmt: skip
PROTOCOLS: tuple[str, ...] = ("postgres", "ssh", "kubernetes")


def count(lines: Iterable[JournalLine]) -> dict[str, int]:
    """What the journal says happened."""
    tally = dict.fromkeys(COUNTED, 0)
    for line in lines:
        for name, number in _counts(line.event.body):
            tally[name] += number
    return tally


def by_protocol(lines: Sequence[JournalLine]) -> dict[str, dict[str, int]]:
    """The same for the sessions of each protocol."""
    spoken = {one.event.session: one.event.body.protocol for one in lines if isinstance(one.event.body, SessionOpened)}
    return {
        protocol: {
            name: number
            for name, number in count(one for one in lines if spoken.get(one.event.session) == protocol).items()
            if name in EVERYWHERE
        }
        for protocol in PROTOCOLS
    }


def _counts(body: Body) -> Iterable[tuple[str, int]]:
    match body:
        case SessionOpened():
            yield "sessions", 1
        case Asked():
            yield "operations", 1
        case Finished(masked=masked):
            yield "masked_values", masked
        case Held():
            yield "held", 1
        case Decided(effect="allow", why="approved"):
            yield "approved", 1
        case Decided(effect="deny", why=Why.DENIED):
            yield "denied_by_operator", 1
        case Decided(effect="deny", why=Why.POLICY):
            yield "denied_by_policy", 1
        case KillDone(confirmed=True):
            yield "killed", 1
        case GrantGiven(scope="access"):
            yield "let_in", 1
        case CredentialMinted():
            yield "roles_made", 1
        case CredentialRemoved(confirmed=True):
            yield "roles_gone", 1
        case _:
            pass


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a headless run."""

    summary: dict[str, object]
    problems: tuple[str, ...]
    """Why it is not a success; empty when it is."""


async def result(
    archive: Desk,
    canaries: Sequence[Canary],
    places: Iterable[tuple[str, bytes]],
    *,
    after: int,
    troubles: Sequence[str] = (),
) -> Result:
    """Read everything back and judge it. `places` are searched for canaries beside the recordings; records up to `after` are older."""
    lines = [line for line in await journal(archive) if line.seq > after]
    verified = await archive.verify()
    sessions = [line.event.session for line in lines if isinstance(line.event.body, SessionOpened)]
    leaks: list[Leak] = search(canaries, places)
    async for place in transcripts(archive, sessions):
        leaks += search(canaries, (place,))
    tally = count(lines)
    summary: dict[str, object] = {
        **tally,
        "leaked": len(leaks),
        "journal": {"records": verified.records, "verified": verified.status == 0},
        "protocols": (spoken := by_protocol(lines)),
    }
    problems = [f"nothing was counted as {name}" for name, number in tally.items() if number == 0]
    problems += [
        f"nothing was counted as {name} over {protocol}"
        for protocol, counted in spoken.items()
        for name, number in counted.items()
        if number == 0
    ]
    problems += [f"leaked: a canary ({leak.kind}) is in {leak.where}" for leak in leaks]
    if verified.status != 0:
        problems += [f"journal: {finding}" for finding in verified.findings] or ["journal: not verified"]
    if problems:
        problems += troubles
    return Result(summary, tuple(problems))
