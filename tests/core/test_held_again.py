"""Approved is not yet let go: what may have changed meanwhile, and what an approval leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from hooptui.core.approvals import RUN_MOST, Vote
from hooptui.core.events import Decided
from hooptui.core.gate import Masked, Permit, Refused, Why
from hooptui.core.model import Bound, Decision, HoldTerms, Identity, Operation, Scope
from hooptui.core.session import Session
from tests.golden.virtual import START, settle

from .waiting import World, at_once, deaf
from .world import DBA, DBA2, allow, hold, operation


class TestHeldOperations:
    """What `ask` shares with `enter`."""

    def held(self, terms: HoldTerms, decisions: list[Decision] | None = None) -> tuple[World, Session]:
        world = World()
        answers = iter(decisions or [])
        world.judge.answer = lambda _: next(answers, hold(terms))
        one = world.session(bounds={Bound.TOKEN: START + 1000})
        one.access = None
        return world, one

    async def asking(self, one: Session) -> asyncio.Task[Permit]:
        task = asyncio.create_task(one.ask(operation(), deaf))
        await settle()
        return task

    RULE = HoldTerms("w", frozenset({"dba"}), expires=60, scopes=(Scope.ONCE, Scope.RULE), scope_lasts=100)

    def approve(self, world: World, by: Identity = DBA) -> None:
        [one] = world.house.approvals.waiting()
        world.house.approvals.vote(one.number, Vote(by, True, Masked(""), Scope.RULE, world.house.clock.now()))

    @at_once
    async def test_a_grant_names_its_approval_when_it_lets_something_go(self) -> None:
        world, one = self.held(self.RULE)
        task = await self.asking(one)
        self.approve(world)
        await task
        await one.ask(operation("DELETE FROM u"), deaf)
        assert [(said.why, said.approval) for said in world.book.bodies(Decided)] == [("approved", 1), ("granted", 1)]

    RUN = HoldTerms("w", frozenset({"dba"}), expires=60, scopes=(Scope.ONCE, Scope.RUN), scope_lasts=100)

    @staticmethod
    def deletion(name: str, run: str = "one") -> Operation:
        made = operation(f"delete {name}")
        return Operation(made.protocol, made.verb, made.text, made.facts, run=run)

    async def let_go(self, world: World, one: Session, asked: Operation) -> list[tuple[str, int | None]]:
        """Ask for one, and deny it when it is held."""
        task = asyncio.create_task(one.ask(asked, deaf))
        await settle()
        for open_one in world.house.approvals.waiting():
            world.house.approvals.vote(
                open_one.number, Vote(DBA, False, Masked(""), Scope.ONCE, world.house.clock.now())
            )
        with contextlib.suppress(Refused):
            await task
        said = world.book.bodies(Decided)[-1]
        return [(said.why, said.approval)]

    @at_once
    async def test_the_rest_of_a_run_is_let_go_and_nothing_else(self) -> None:
        world, one = self.held(self.RUN)
        task = asyncio.create_task(one.ask(self.deletion("a"), deaf))
        await settle()
        [held] = world.house.approvals.waiting()
        world.house.approvals.vote(held.number, Vote(DBA, True, Masked(""), Scope.RUN, world.house.clock.now()))
        await task
        assert [(said.why, said.approval) for said in world.book.bodies(Decided)] == [("approved", 1)]
        assert await self.let_go(world, one, self.deletion("b")) == [("granted", 1)]
        for other in (self.deletion("c", "two"), self.deletion("c", "")):
            assert (await self.let_go(world, one, other))[0][0] == "denied"
        another = world.session(bounds={Bound.TOKEN: START + 1000})
        another.id = "another"
        another.access = None
        assert (await self.let_go(world, another, self.deletion("b")))[0][0] == "denied", (
            "another session says the same"
        )
        for number in range(RUN_MOST - 1):
            assert await self.let_go(world, one, self.deletion(f"n{number}")) == [("granted", 1)]
        assert (await self.let_go(world, one, self.deletion("one too many")))[0][0] == "denied"

    @at_once
    async def test_a_run_that_nobody_named_leaves_nothing(self) -> None:
        world, one = self.held(self.RUN)
        task = asyncio.create_task(one.ask(self.deletion("a", ""), deaf))
        await settle()
        [held] = world.house.approvals.waiting()
        world.house.approvals.vote(held.number, Vote(DBA, True, Masked(""), Scope.RUN, world.house.clock.now()))
        await task
        assert world.grants == ()

    @at_once
    async def test_a_stricter_policy_is_not_undercut_by_the_grant_of_the_milder_one(self) -> None:
        strict = replace(self.RULE, quorum=2)
        world, one = self.held(strict, [hold(self.RULE)])
        task = await self.asking(one)
        self.approve(world)
        await settle()
        assert not task.done() and world.grants == ()
        self.approve(world)
        self.approve(world, DBA2)
        await task
        assert [grant.approval for grant in world.grants] == [2]

    @at_once
    async def test_no_grant_where_nothing_is_held_any_more(self) -> None:
        world, one = self.held(self.RULE, [hold(self.RULE), allow()])
        task = await self.asking(one)
        self.approve(world)
        await task
        assert world.grants == ()

    @at_once
    async def test_no_grant_without_its_record(self) -> None:
        world, one = self.held(self.RULE)
        task = await self.asking(one)
        world.book.sync_broken = "no space"
        self.approve(world)
        with pytest.raises(Refused):
            await task
        assert world.grants == ()
        assert [said.effect for said in world.book.bodies(Decided)] == ["allow", "deny"], "the last word counts"

    @at_once
    async def test_approved_and_frozen_waits_for_the_thaw(self) -> None:
        world, one = self.held(self.RULE)
        task = await self.asking(one)
        one.freeze(True, "ops-1")
        self.approve(world)
        await settle()
        assert not task.done()
        one.freeze(False, "ops-1")
        await task

    @at_once
    async def test_approved_after_its_time(self) -> None:
        world, one = self.held(self.RULE)
        task = await self.asking(one)
        one.deadline = START  # the clock jumped, and the timer has not seen it
        self.approve(world)
        with pytest.raises(Refused) as no:
            await task
        assert no.value.why is Why.DEADLINE

    @at_once
    async def test_killed_between_two_holds_is_not_asked_for_again(self) -> None:
        world, one = self.held(replace(self.RULE, quorum=2), [hold(self.RULE)])
        task = await self.asking(one)
        self.approve(world)
        killing = asyncio.create_task(one.kill("ops-1", ""))
        with pytest.raises(Refused) as no:
            await asyncio.wait_for(task, 60)
        await killing
        assert no.value.why is Why.KILLED
        assert world.house.approvals.waiting() == ()

    @at_once
    async def test_a_closed_session_gets_no_permit(self) -> None:
        _world, one = self.held(self.RULE, [allow()])
        one.closed("client gone")
        with pytest.raises(Refused) as no:
            await one.ask(operation(), deaf)
        assert no.value.why is Why.WITHDRAWN
        assert one.state == "closed"
