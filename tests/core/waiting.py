"""A session that only people can let in, in a world whose time passes at once; for the tests of what waits."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from hooptui.core.approvals import Approval
from hooptui.core.gate import Refused, Why
from hooptui.core.house import House
from hooptui.core.model import Access, Decision, Grant, HoldTerms, Identity, Operation
from hooptui.core.ports import Admission
from hooptui.core.session import Session
from tests.golden.virtual import LoopClock, run, settle

from .world import DBA, ORDERS, Book, Line, Says, allow, house, operation, vote


def at_once(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on a loop whose time passes at once, so that a minute's wait costs nothing."""

    @functools.wraps(test)
    def wrapped(*args: Any, **more: Any) -> None:
        run(test(*args, **more))

    return wrapped


TERMS = HoldTerms(
    "fix",
    frozenset({"dba"}),
    expires=60.0,
    scope_lasts=300.0,
    break_glass=frozenset({"oncall"}),
    break_glass_lasts=30.0,
)
ACCESS = Access(frozenset({"fix"}), TERMS, "a fix, just in time")
ONCALL = Identity("https://idp", "p1", "ops-9", frozenset({"oncall"}))


class World:
    """One identity that only people can let in, on a loop whose time is the clock."""

    def __init__(self, terms: HoldTerms = TERMS) -> None:
        self.book = Book()
        self.judge = Says(lambda _: allow())
        self.admit(terms)
        self.granted: list[frozenset[str]] = []
        self.house: House = house(self.judge, self.book, LoopClock(asyncio.get_running_loop()))
        decide = self.judge.decide

        def watched(
            identity: Identity, target: object, asked: Operation, granted: frozenset[str] = frozenset()
        ) -> Decision:
            self.granted.append(granted)
            return decide(identity, ORDERS, asked, granted)

        self.judge.decide = watched  # type: ignore[assignment,method-assign]  # only to hear what is handed in

    def admit(self, terms: HoldTerms) -> None:
        self.access = Access(frozenset(terms.rule.split("+")), terms, "a fix, just in time")
        self.judge.admission = Admission(True, terms.rule, access=self.access)

    def session(self, by: Identity = ONCALL, **more: object) -> Session:
        one = Session(
            self.house, "7f3a", by, ORDERS, peer="127.0.0.1:5", application="psql", access=self.access, **more  # type: ignore[arg-type]  # a session's own keywords
        )  # fmt: skip
        one.channel = Line()
        one.opened()
        return one

    async def waiting(self, one: Session) -> tuple[asyncio.Task[None], Approval]:
        task = asyncio.create_task(one.enter(lambda approval, remaining: None))
        await settle()
        [approval] = self.house.approvals.waiting()
        return task, approval

    def votes(self, number: int, by: Identity = DBA, *, approve: bool = True, lasts: float | None = None) -> Approval:
        return self.house.approvals.vote(number, replace(vote(by, approve, self.house.clock.now()), lasts=lasts))

    @property
    def grants(self) -> tuple[Grant, ...]:
        return self.house.approvals.grants(self.house.clock.now())


def read() -> Operation:
    return operation("SELECT 1", "select")


def deaf(approval: Approval, remaining: float) -> None:
    return


async def refused(task: asyncio.Task[None], why: Why) -> Refused:
    with pytest.raises(Refused) as no:
        await task
    assert no.value.why is why
    return no.value
