"""`enter`: who is let in only by people waits for them, gets no more than they gave, and every way it ends is written down."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hooptui.core.approvals import Status, VoteRefused
from hooptui.core.events import Asked, DeadlineMoved, Decided, GrantEnded, GrantGiven, Held, Voted
from hooptui.core.gate import CannotRecord, Refused, Why
from hooptui.core.model import Access, Bound, Grant, Kind
from hooptui.core.ports import Admission
from tests.golden.virtual import START, settle

from .waiting import ONCALL, TERMS, World, at_once, deaf, read, refused
from .world import BOT, DBA, DBA2, ORDERS


@at_once
async def test_people_let_it_in_for_a_time_from_their_vote_on() -> None:
    world = World()
    one = world.session(purpose="INC-812", bounds={Bound.POLICY: START + 3600})
    task, approval = await world.waiting(one)
    assert (one.state, approval.access) == ("held", {"fix"})
    with pytest.raises(Refused, match="nobody has let this session in yet"):
        await one.ask(read(), deaf)
    await asyncio.sleep(10)
    moved: list[float | None] = []
    one.on_deadline = lambda: moved.append(one.deadline)
    world.votes(approval.number, lasts=120.0)
    await task
    assert one.access is None and one.granted == {"fix"}
    assert one.deadline == START + 10 + 120 and moved == [one.deadline]
    assert one.grant is not None and world.grants == (one.grant,)
    await one.ask(read(), deaf)
    assert world.granted == [{"fix"}]
    assert world.book.kinds()[1:] == [
        "Asked",
        "Held",
        "Voted",
        "Decided",
        "GrantGiven",
        "DeadlineMoved",
        "Asked",
        "Decided",
    ]
    [held], [ballot] = world.book.bodies(Held), world.book.bodies(Voted)
    assert (held.access, held.break_glass) == (True, ("oncall",))
    assert (ballot.groups, ballot.lasts, ballot.break_glass) == (("dba",), 120.0, False)
    assert world.book.bodies(GrantGiven) == [GrantGiven(approval.number, "access", "fix", START + 130)]
    assert world.book.bodies(DeadlineMoved) == [DeadlineMoved("grant", START + 130, START + 130, approval.number)]
    first = world.book.bodies(Asked)[0]
    assert (first.verb, first.text) == ("connect", "INC-812")


@at_once
async def test_who_is_in_already_enters_at_once_and_unrecorded() -> None:
    world = World()
    one = world.session()
    one.access = None
    before = len(world.book.events)
    await one.enter(deaf)
    assert len(world.book.events) == before


@at_once
async def test_what_is_not_in_force_until_durable_is_nobody_elses_either() -> None:
    world = World()
    one = world.session()
    seen: list[tuple[tuple[Grant, ...], Access | None]] = []
    synced = world.book.durable

    async def slow() -> None:
        await settle()
        seen.append((world.grants, one.access))
        await synced()

    world.book.durable = slow  # type: ignore[method-assign]  # a slow disk
    task, approval = await world.waiting(one)
    world.votes(approval.number)
    await task
    assert seen == [((), world.access)]
    assert len(world.grants) == 1


@at_once
async def test_a_late_session_is_let_in_by_the_grant_and_ends_with_it() -> None:
    world = World()
    task, approval = await world.waiting(world.session())
    world.votes(approval.number, lasts=20.0)
    await task
    await asyncio.sleep(19)
    late = world.session(bounds={Bound.TOKEN: START + 900})
    grant = world.house.approvals.access(ONCALL, ORDERS, world.access.rules, world.house.clock.now())
    assert grant is not None
    late.let_in(grant)
    assert late.deadline == START + 20
    await late.ask(read(), deaf)
    await asyncio.sleep(1)
    with pytest.raises(Refused) as no:
        await late.ask(read(), deaf)
    assert no.value.why is Why.DEADLINE
    assert world.house.approvals.access(ONCALL, ORDERS, world.access.rules, world.house.clock.now()) is None


@at_once
async def test_a_grant_does_not_lengthen_what_ends_sooner() -> None:
    world = World()
    one = world.session(bounds={Bound.TOKEN: START + 50})
    task, approval = await world.waiting(one)
    world.votes(approval.number)
    await task
    assert one.deadline == START + 50
    one.bound(Bound.TOKEN, START + 5000)
    assert one.deadline == START + 300, "a newer token cannot reach beyond the grant"


@at_once
async def test_a_quorum_and_the_client_hears_how_far_it_is() -> None:
    world = World(replace(TERMS, quorum=2))
    heard: list[int] = []
    one = world.session()
    task = asyncio.create_task(one.enter(lambda approval, remaining: heard.append(approval.approvals)))
    await settle()
    world.votes(1)
    await asyncio.sleep(5)
    world.votes(1, DBA2)
    await task
    assert heard == [0, 1]


@pytest.mark.parametrize("kind", [Kind.HUMAN, Kind.AGENT])
@at_once
async def test_an_emergency_needs_nobody_if_the_rule_lets_it(kind: Kind) -> None:
    world = World(replace(TERMS, quorum=3, reason_required=True))
    one = world.session(replace(ONCALL, kind=kind, owner=DBA.key), emergency="SECRET is on fire")
    task = asyncio.create_task(one.enter(deaf))
    if kind is Kind.AGENT:
        no = await refused(task, Why.POLICY)
        assert "only people judge" in no.message
        assert world.grants == () and world.book.bodies(Voted) == []
        assert world.book.bodies(Decided)[-1].effect == "deny"
        return
    await task
    [ballot] = world.book.bodies(Voted)
    assert (ballot.break_glass, ballot.by, ballot.reason) == (True, ONCALL.key, "████ is on fire")
    assert ballot.groups == ("oncall",)
    assert one.deadline == START + 30


@at_once
async def test_an_emergency_of_somebody_else_is_refused_at_once() -> None:
    world = World()
    task = asyncio.create_task(world.session(BOT, emergency="let me in").enter(deaf))
    no = await refused(task, Why.POLICY)
    assert "may break the glass" in no.message and no.rule == "fix"
    assert world.house.approvals.waiting() == () and world.grants == ()


@at_once
async def test_nobody_in_time() -> None:
    world = World()
    one = world.session()
    await refused(asyncio.create_task(one.enter(deaf)), Why.EXPIRED)
    assert world.house.clock.now() == START + 60
    assert one.access is not None and world.grants == ()


@at_once
async def test_the_end_of_the_token_ends_the_wait() -> None:
    world = World()
    one = world.session(bounds={Bound.TOKEN: START + 7})
    await refused(asyncio.create_task(one.enter(deaf)), Why.EXPIRED)
    assert world.house.clock.now() == START + 7


@at_once
async def test_denied() -> None:
    world = World()
    task, approval = await world.waiting(world.session())
    world.votes(approval.number, approve=False)
    await refused(task, Why.DENIED)
    assert world.grants == () and world.book.bodies(Decided)[-1].by == DBA.key


@at_once
async def test_a_client_that_goes_cannot_be_let_in_any_more() -> None:
    world = World()
    task, approval = await world.waiting(world.session())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(VoteRefused, match="not waiting"):
        world.votes(approval.number)
    assert world.book.bodies(Decided)[-1].why == "withdrawn"
    assert world.grants == ()


@at_once
async def test_killed_while_it_waits() -> None:
    world = World()
    one = world.session()
    task, _ = await world.waiting(one)
    await one.kill("ops-1", "no")
    await refused(task, Why.KILLED)
    assert world.grants == ()


@at_once
async def test_killed_before_it_asks_nobody_is_asked() -> None:
    world = World()
    one = world.session()
    await one.kill("ops-1", "no")
    await refused(asyncio.create_task(one.enter(deaf)), Why.KILLED)
    assert world.book.bodies(Held) == []


@pytest.mark.parametrize("how", ["killed", "cancelled", "disk", "closed"])
@at_once
async def test_what_comes_between_the_yes_and_stable_storage_leaves_no_grant(how: str) -> None:
    world = World()
    one = world.session()
    syncing, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        syncing.set()
        await go_on.wait()
        if how == "disk":
            raise CannotRecord("no space")

    world.book.durable = slow  # type: ignore[method-assign]  # a slow disk
    task, approval = await world.waiting(one)
    world.votes(approval.number)
    await syncing.wait()
    match how:
        case "killed":
            await one.kill("ops-1", "no")
        case "cancelled":
            task.cancel()
        case "closed":
            one.closed("client gone")
    go_on.set()
    with pytest.raises((Refused, asyncio.CancelledError)):
        await task
    assert world.grants == () and one.access is not None
    assert len(world.book.bodies(GrantGiven)) == 1
    [ended] = world.book.bodies(GrantEnded)
    assert (ended.approval, ended.identity, ended.by) == (approval.number, ONCALL.key, "")
    assert world.book.bodies(Decided)[-1].effect == "deny"


@pytest.mark.parametrize("breaks", ["Asked", "Held", "Voted", "Decided", "GrantGiven", "DeadlineMoved"])
@at_once
async def test_whatever_cannot_be_written_lets_nobody_in(breaks: str) -> None:
    world = World()
    one = world.session()
    keep = world.book.append

    def append(event: object) -> None:
        if type(event.body).__name__ == breaks:  # type: ignore[attr-defined]  # an Event
            world.book.broken = "disk full"
        keep(event)  # type: ignore[arg-type]  # as above

    world.book.append = append  # type: ignore[assignment,method-assign]  # breaks at a certain event
    task = asyncio.create_task(one.enter(deaf))
    await settle()
    if breaks not in ("Asked", "Held"):
        try:
            world.votes(1)
        except CannotRecord:
            world.house.approvals.end_all(Status.UNRECORDED, world.house.clock.now())
    no = await refused(task, Why.UNRECORDED)
    assert "cannot record" in no.message
    assert one.access is not None and one.granted == frozenset()
    # Once the yes and the grant are on stable storage, the grant stands, though this session did not get in by it.
    assert (world.grants == ()) == (breaks != "DeadlineMoved")


@at_once
async def test_a_vote_that_cannot_be_written_does_not_break_the_glass() -> None:
    world = World()
    one = world.session(emergency="now")
    keep = world.book.append

    def append(event: object) -> None:
        if isinstance(event.body, Voted):  # type: ignore[attr-defined]  # an Event
            raise CannotRecord("disk full")
        keep(event)  # type: ignore[arg-type]  # as above

    world.book.append = append  # type: ignore[assignment,method-assign]  # breaks at a certain event
    await refused(asyncio.create_task(one.enter(deaf)), Why.UNRECORDED)
    assert world.grants == ()


@pytest.mark.parametrize("how", ["frozen", "late"])
@at_once
async def test_approved_is_looked_at_again(how: str) -> None:
    world = World()
    one = world.session(bounds={Bound.TOKEN: START + 1000})
    task, approval = await world.waiting(one)
    if how == "late":
        one.deadline = START  # the clock jumped, and the timer has not seen it
    else:
        one.freeze(True, "ops-1")
    world.votes(approval.number)
    if how == "late":
        await refused(task, Why.DEADLINE)
        assert world.grants == ()
        return
    await settle()
    assert not task.done() and world.grants == ()
    one.freeze(False, "ops-1")
    await task
    assert one.grant is not None


class TestThePolicyChangesMeanwhile:
    @at_once
    async def test_to_no_longer_admit(self) -> None:
        world = World()
        task, approval = await world.waiting(world.session())
        world.judge.admission = Admission(False, "closed", "closed for the night")
        world.votes(approval.number)
        no = await refused(task, Why.POLICY)
        assert (no.message, no.rule) == ("closed for the night", "closed")
        assert world.grants == ()

    @at_once
    async def test_to_want_more(self) -> None:
        world = World()
        one = world.session()
        task, approval = await world.waiting(one)
        world.admit(replace(TERMS, quorum=2))
        world.votes(approval.number)
        await settle()
        assert not task.done() and world.grants == ()
        [again] = world.house.approvals.waiting()
        assert (again.number, again.terms.quorum, again.votes) == (approval.number + 1, 2, ())
        world.votes(again.number)
        world.votes(again.number, DBA2)
        await task
        assert one.grant is not None and one.grant.approval == again.number

    @at_once
    async def test_to_let_it_in_anyway(self) -> None:
        world = World()
        task, approval = await world.waiting(world.session())
        world.judge.admission = Admission(True, "reads")
        world.votes(approval.number)
        await task

    @at_once
    async def test_to_something_that_cannot_be_applied(self) -> None:
        world = World()
        task, approval = await world.waiting(world.session())

        def broken(*_: object) -> Admission:
            raise ZeroDivisionError("secret words")

        world.judge.admits = broken  # type: ignore[method-assign]  # a policy with a fault
        world.votes(approval.number)
        assert "secret words" not in str(await refused(task, Why.POLICY))
