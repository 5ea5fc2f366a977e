"""Breaking the glass lets somebody through alone, and switches off neither masks nor the record: with real policy, masker and log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from hooptui.audit.log import AuditLog
from hooptui.audit.plain import plain
from hooptui.audit.proof import history, who_let
from hooptui.audit.replay import stream
from hooptui.audit.verify import verify
from hooptui.core.approvals import Approval, Approvals, Status, Vote
from hooptui.core.bus import Bus
from hooptui.core.clock import SystemClock
from hooptui.core.events import Event, Finished, Header, Rows, Voted
from hooptui.core.gate import CannotRecord, Refused, Why
from hooptui.core.hold import ballot
from hooptui.core.house import House
from hooptui.core.model import Column, Identity, Operation, Scope, SqlFacts
from hooptui.core.session import Session
from hooptui.masking import make_masker
from hooptui.policy.decide import PolicyJudge
from tests.policy.making import PROD, policy

RULES = policy(
    """\
    rules:
      - {id: jit, effect: approve, grants: true, reason: in time, when: {principal: {groups: [eng]}, postgres: {commands: [select, update]}},
         approval: {by: [dba], quorum: 2, expires: 1m, scope_lasts: 10m, break_glass: [duty], break_glass_lasts: 5m}}
      - {id: held, effect: approve, reason: wait, when: {postgres: {commands: [update]}},
         approval: {by: [dba], quorum: 2, expires: 1m, break_glass: [duty], break_glass_lasts: 5m}}
      - {id: no-drop, effect: deny, reason: never, when: {postgres: {commands: [drop]}}}
    masks:
      - {id: pii, columns: [email], detect: [email], action: redact}
      - {id: ssn, columns: [ssn], detect: [us-ssn], action: redact}
    """
)
DUTY = Identity("https://idp", "u1", "ops-9", frozenset({"eng", "duty"}))
CANARY = "zoe.canary@acme.example"
SSN = "219-09-9999"
COLUMNS = (Column("id", None, 23), Column("email", None, 25), Column("note", None, 25))
ROW = (b"1", CANARY.encode(), f"call {SSN}".encode())


@dataclass
class World:
    log: AuditLog
    house: House
    state: Path

    def session(self, name: str, *, emergency: str = "") -> Session:
        judge = self.house.judge
        one = Session(
            self.house, name, DUTY, PROD, peer="127.0.0.1:5", application="psql", access=judge.admits(DUTY, PROD).access,
            emergency=emergency,
        )  # fmt: skip
        one.opened()
        return one


@contextlib.asynccontextmanager
async def world(state: Path) -> AsyncIterator[World]:
    clock, bus, judge = SystemClock(), Bus(), PolicyJudge(RULES)
    holder: list[World] = []
    log = AuditLog(
        state, clock=clock, on_health=lambda health: None if health.ok else holder[0].house.approvals.end_all(Status.UNRECORDED, clock.now())
    )  # fmt: skip

    def on_vote(approval: Approval, vote: Vote) -> None:
        name = make_masker(judge.masks(DUTY, PROD), bytes(32)).text(vote.by.name)
        log.append(Event(vote.at, approval.session, ballot(approval, vote, name)))

    await log.start()
    try:
        made = partial(make_masker, key=bytes(32))
        holder.append(World(log, House(judge, log, Approvals(on_vote), bus, clock, made), state))
        yield holder[0]
    finally:
        with contextlib.suppress(CannotRecord):  # one of these tests breaks it
            await log.close()


def operation(command: str, text: str) -> Operation:
    return Operation("postgres", command, text, SqlFacts(frozenset({command})))


def deaf(approval: Approval, remaining: float) -> None:
    return


def show(session: Session, number: int) -> tuple[bytes | None, ...]:
    """What a proxy does with a row: mask it for the client, record what the client saw."""
    plan = session.masker.plan(COLUMNS)
    assert plan is not None, "the masks are there"
    seen = tuple(value if mask is None else mask.apply(value)[0] for mask, value in zip(plan.columns, ROW, strict=True))
    session.record(Header(number, tuple(session.masker.text(column.name) for column in COLUMNS)))
    session.record(Rows(number, session.masker.transcribe(COLUMNS, (seen,))))
    session.finished(number, "SELECT 1", ok=True, rows=1, masked=2, seconds=0.001, masks=("pii", "ssn"))
    return seen


async def test_masks_and_record_are_the_same_for_who_breaks_the_glass(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        session = one.session("aa01", emergency=f"INC-9: {CANARY} cannot log in")
        before = session.masker.masks
        await session.enter(deaf)
        assert session.grant is not None and session.granted == {"jit"}
        assert session.masker.masks == before and {rule.id for rule in before.rules} == {"pii", "ssn"}
        permit = await session.ask(operation("select", f"SELECT * FROM t WHERE email = '{CANARY}'"), deaf)
        seen = show(session, permit.number)
        assert CANARY.encode() not in repr(seen).encode() and SSN.encode() not in repr(seen).encode()
        with pytest.raises(Refused, match="never") as no:
            await session.ask(operation("drop", "DROP TABLE t"), deaf)
        assert no.value.why is Why.POLICY
        session.closed("client left")
        await one.log.durable()
        until = session.grant.until
    assert verify(tmp_path).status == 0
    told = [type(line.event.body).__name__ for line in history(tmp_path)]
    assert told == [
        "SessionOpened", "Asked", "Held", "Voted", "Decided", "GrantGiven", "DeadlineMoved",
        "Asked", "Decided", "Finished", "Asked", "Decided", "SessionClosed", "RecordingSealed",
    ]  # fmt: skip
    assert [body.masked for line in history(tmp_path) if isinstance(body := line.event.body, Finished)] == [2]
    recorded = "\n".join(plain(stream(tmp_path, "aa01")))
    assert "breaks the glass for #1" in recorded and "1 rows · 1.0 ms · 2 values masked (pii, ssn)" in recorded
    for proof in (who_let(tmp_path, "aa01", 1), who_let(tmp_path, "aa01", 2)):
        assert proof.problems == () and proof.emergency and proof.people == {DUTY.key}
    assert who_let(tmp_path, "aa01", 3).allowed is False
    voted = next(line.event for line in history(tmp_path) if isinstance(line.event.body, Voted))
    assert until == voted.at + 300, "as short as the rule wants it for one alone"
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        data = path.read_bytes()
        assert CANARY.encode() not in data and SSN.encode() not in data, path


async def test_the_glass_of_one_operation_opens_that_one_only(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        session = one.session("aa02", emergency="INC-9")
        await session.enter(deaf)
        before = session.masker.masks
        heard: asyncio.Queue[int] = asyncio.Queue()
        for _ in range(2):
            asking = asyncio.create_task(
                session.ask(
                    operation("update", "UPDATE t SET a = 1 WHERE id = 2"),
                    lambda approval, remaining: heard.put_nowait(approval.number),
                )
            )
            number = await asyncio.wait_for(heard.get(), 60)
            now = one.house.clock.now()
            reason = session.masker.text(f"ask {CANARY}")
            one.house.approvals.vote(number, Vote(DUTY, True, reason, Scope.ONCE, now, break_glass=True))
            permit = await asking
        assert session.masker.masks == before
        session.closed("client left")
        await one.log.durable()
    proof = who_let(tmp_path, "aa02", permit.number)
    assert proof.problems == () and proof.emergency and proof.case is not None and proof.access is not None
    assert len([1 for line in history(tmp_path) if isinstance(line.event.body, Voted)]) == 3, (
        "the door and each operation"
    )
    assert CANARY not in "".join(proof.lines)


async def test_nobody_gets_through_alone_when_nothing_can_be_recorded(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        session = one.session("aa03", emergency="INC-9")
        await one.log.close()
        with pytest.raises(Refused) as no:
            await session.enter(deaf)
        assert no.value.why is Why.UNRECORDED
        assert session.access is not None and one.house.approvals.grants(one.house.clock.now()) == ()
        with pytest.raises(Refused):
            await session.ask(operation("select", "SELECT 1"), deaf)


async def test_an_emergency_is_no_way_into_what_offers_none(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        home = one.house
        stranger = Identity("https://idp", "u2", "ops-8", frozenset({"eng"}))
        session = Session(
            home, "aa04", stranger, PROD, peer="p", application="psql", access=home.judge.admits(stranger, PROD).access, emergency="INC-9",
        )  # fmt: skip
        session.opened()
        with pytest.raises(Refused, match="in none of the groups that may break the glass"):
            await session.enter(deaf)
        session.closed("refused")
        await one.log.durable()
    assert not who_let(tmp_path, "aa04", 1).allowed
