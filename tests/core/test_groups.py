"""One review for a group: it covers what was shown, each object once, and nothing that was not shown."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.approvals import Approvals, Vote, VoteRefused
from hooptui.core.events import Asked, Decided, GrantGiven, Held
from hooptui.core.gate import Masked, Permit, Refused, Why
from hooptui.core.group import REFUSALS, Group, Member, Refusals
from hooptui.core.model import Bound, Grant, HoldTerms, Identity, Operation, Scope
from hooptui.core.session import Session
from tests.golden.virtual import START, run, settle

from .waiting import World, at_once, deaf
from .world import BOT, DBA, DBA2, ORDERS, hold, operation

TERMS = HoldTerms("w", frozenset({"dba"}), expires=60, scope_lasts=100)
A, B, C, D = (Member(f"shop/configmaps/{name}", f"uid-{name}") for name in "abcd")


def deletion(own: Member, *members: Member, like: str = "run") -> Operation:
    made = operation(f"delete {own.about}")
    return Operation(made.protocol, made.verb, made.text, made.facts, group=Group(like, own, members or (own,)))


class Asking:
    """A session whose every operation is held."""

    def __init__(self, terms: HoldTerms = TERMS) -> None:
        self.world = World()
        self.terms = terms
        self.world.judge.answer = lambda _: hold(self.terms)
        self.session = self.another()

    def another(self, number: str = "") -> Session:
        made = self.world.session(bounds={Bound.TOKEN: START + 1000})
        made.access = None
        made.id = number or made.id
        return made

    async def first(self, asked: Operation, *scopes: Scope, approve: bool = True) -> asyncio.Task[Permit]:
        """Ask, and vote on it once for each scope, by one after the other."""
        task = asyncio.create_task(self.session.ask(asked, deaf))
        await settle()
        for by, scope in zip((DBA, DBA2), scopes, strict=False):
            self.vote(scope, by, approve=approve)
        await settle()
        return task

    def vote(self, scope: Scope, by: Identity = DBA, *, approve: bool = True) -> None:
        approvals, now = self.world.house.approvals, self.world.house.clock.now()
        [held] = approvals.waiting()
        approvals.vote(held.number, Vote(by, approve, Masked("no"), scope, now))

    async def then(self, asked: Operation, session: Session | None = None) -> str:
        """How it is decided: `granted #1`, `denied #1`; `asked` when somebody is asked anew, who then withdraws."""
        session = session or self.session
        task = asyncio.create_task(session.ask(asked, deaf))
        await settle()
        if self.world.house.approvals.waiting():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return "asked"
        with contextlib.suppress(Refused):
            await task
        last = self.world.book.bodies(Decided)[-1]
        return f"{last.why} #{last.approval}"


@at_once
async def test_what_was_shown_goes_each_once_and_nothing_else() -> None:
    one = Asking()
    task = await one.first(deletion(A, A, B, C), Scope.GROUP)
    assert (await task).only == "uid-a", "the very object"
    assert one.world.book.bodies(Held)[0].group == (A.about, B.about, C.about)
    assert [given.scope for given in one.world.book.bodies(GrantGiven)] == ["group"]
    assert await one.then(deletion(A, A, B, C)) == "asked", "its own turn is over"
    assert await one.then(deletion(B, B, C)) == "granted #1"
    assert await one.then(deletion(B, B, C)) == "asked", "twice"
    assert await one.then(deletion(D, C, D)) == "asked", "was not shown"
    assert await one.then(deletion(replace(C, identity="uid-new"), C)) == "asked", "another object of that name"
    assert await one.then(deletion(C, C, like="other options")) == "asked"
    assert await one.then(operation("delete c")) == "asked", "says nothing of a group"
    assert await one.then(deletion(C, C), one.another("another")) == "asked", "another session says the same"
    assert await one.then(deletion(C, C)) == "granted #1", "what is refused uses nothing up"
    assert one.world.grants == (), "nothing is left of it"


@at_once
async def test_each_is_let_go_for_the_object_that_was_shown() -> None:
    one = Asking()
    await (await one.first(deletion(A, A, B), Scope.GROUP))
    assert (await one.session.ask(deletion(B, B), deaf)).only == "uid-b"


@at_once
async def test_this_one_alone_leaves_nothing() -> None:
    one = Asking()
    task = await one.first(deletion(A, A, B), Scope.ONCE)
    assert (await task).only == ""
    assert one.world.grants == ()
    assert await one.then(deletion(B, B)) == "asked"


@at_once
async def test_the_last_of_a_group_is_no_group() -> None:
    one = Asking()
    await one.first(deletion(A, A))
    assert one.world.book.bodies(Held)[0].group == ()
    with pytest.raises(VoteRefused, match="does not offer scope group; it offers once"):
        one.vote(Scope.GROUP)


@at_once
async def test_a_no_is_for_all_of_them_at_once() -> None:
    one = Asking()
    task = await one.first(deletion(A, A, B, C), Scope.ONCE, approve=False)
    with pytest.raises(Refused):
        await task
    for member in (B, C, B):
        with pytest.raises(Refused) as no:
            await one.session.ask(deletion(member, B, C), deaf)
        assert (no.value.why, no.value.rule) == (Why.DENIED, "w")
        assert no.value.message == "denied by ops-1: no (review #1 was of all 3 of its group)"
    said = one.world.book.bodies(Decided)
    assert {(one.effect, one.why, one.approval, one.by) for one in said} == {("deny", "denied", 1, DBA.key)}
    assert [one.operation for one in said] == [asked.operation for asked in one.world.book.bodies(Asked)]
    assert len(one.world.book.bodies(Held)) == 1
    for other in (deletion(D, B, D), deletion(replace(B, identity="new"), B), deletion(B, B, like="other")):
        assert await one.then(other) == "asked"
    assert await one.then(deletion(B, B), one.another("another")) == "asked"


@at_once
async def test_that_nobody_came_is_an_answer_for_all_of_them() -> None:
    one = Asking()
    with pytest.raises(Refused):
        await one.session.ask(deletion(A, A, B), deaf)
    assert await one.then(deletion(B, B)) == "expired #1"


@at_once
async def test_a_client_that_left_was_not_refused() -> None:
    one = Asking()
    assert await one.then(deletion(A, A, B)) == "asked"
    assert await one.then(deletion(B, B)) == "asked"
    two = Asking()
    task = await two.first(deletion(A, A, B))
    two.session.withdraw()
    with pytest.raises(Refused):
        await task
    assert await two.then(deletion(B, B)) == "asked"


@at_once
async def test_other_terms_ask_anew() -> None:
    """What was approved or denied stands under what was asked then."""
    for approve in (True, False):
        one = Asking()
        task = await one.first(deletion(A, A, B), Scope.GROUP, approve=approve)
        with contextlib.suppress(Refused):
            await task
        one.terms = replace(TERMS, quorum=2)
        assert await one.then(deletion(B, B)) == "asked"
        one.terms = TERMS
        assert await one.then(deletion(B, B)) == ("granted #1" if approve else "denied #1")


@at_once
async def test_its_time_is_over() -> None:
    for approve in (True, False):
        one = Asking(replace(TERMS, scope_lasts=20))
        task = await one.first(deletion(A, A, B), Scope.GROUP, approve=approve)
        with contextlib.suppress(Refused):
            await task
        await asyncio.sleep(21)
        assert await one.then(deletion(B, B)) == "asked"


@at_once
async def test_taken_back_killed_or_over_it_lets_nothing_go() -> None:
    one = Asking()
    await (await one.first(deletion(A, A, B, C), Scope.GROUP))
    assert one.world.house.approvals.take_back(lambda grant: grant.approval == 1)
    assert await one.then(deletion(B, B, C)) == "asked"
    two = Asking()
    await (await two.first(deletion(A, A, B), Scope.GROUP))
    await two.session.kill("ops-1", "")
    assert two.world.grants == ()
    with pytest.raises(Refused) as no:
        await two.session.ask(deletion(B, B), deaf)
    assert no.value.why is Why.KILLED


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((Scope.GROUP, Scope.GROUP), "granted #1"),
        ((Scope.GROUP, Scope.ONCE), "asked"),
        ((Scope.GROUP, Scope.RULE), "granted #1"),
        ((Scope.GROUP, Scope.RUN), "asked"),
        ((Scope.FINGERPRINT, Scope.GROUP), "asked"),
    ],
)
def test_a_quorum_lets_go_what_all_of_it_gave(given: tuple[Scope, ...], expected: str) -> None:
    async def each() -> None:
        one = Asking(replace(TERMS, quorum=2, scopes=(Scope.ONCE, Scope.FINGERPRINT, Scope.RUN, Scope.RULE)))
        await (await one.first(deletion(A, A, B), *given))
        assert await one.then(deletion(B, B)) == expected
        assert await one.then(deletion(C, B, C)) == "asked"

    run(each())


def test_only_so_many_refusals_are_remembered() -> None:
    async def remembered() -> None:
        kept = Refusals()
        for number in range(REFUSALS + 1):
            approvals = Approvals(lambda _, __: None)
            group = Group(f"run {number}", A, (A, B))
            held, _ = approvals.open("s", 1, BOT, ORDERS, TERMS, "", START, group=group)
            kept.add(approvals.vote(held.number, Vote(DBA, False, Masked(""), Scope.ONCE, START)))
        assert kept.of(Group("run 0", B, (B,)), TERMS, START) is None
        assert kept.of(Group("run 1", B, (B,)), TERMS, START) is not None

    run(remembered())


NAMES = st.sampled_from([Member(f"ns/{kind}/{name}", uid) for kind in ("x", "y") for name in "abc" for uid in "12"])


@settings(deadline=None)
@given(
    st.frozensets(NAMES),
    st.lists(st.tuples(NAMES, st.sampled_from(["s run", "s other", "t run"]), st.sampled_from([TERMS, replace(TERMS, quorum=2)])), max_size=30),
)  # fmt: skip
def test_it_covers_nothing_that_was_not_shown(
    shown: frozenset[Member], asked: list[tuple[Member, str, HoldTerms]]
) -> None:
    approvals = Approvals(lambda _, __: None)
    approvals.grant(Grant(Scope.GROUP, BOT.key, ORDERS.name, "w", "s run", START + 10, 1, members=shown, terms=TERMS))
    let: list[Member] = []
    for own, like, terms in asked:
        assert approvals.covered(DBA, ORDERS, terms, like, own, START) is None, "somebody else's"
        assert approvals.granted(BOT, ORDERS, "w", like, START, like) is None, "no other way to it"
        if approvals.covered(BOT, ORDERS, terms, like, own, START) is not None:
            assert like == "s run" and terms == TERMS
            let.append(own)
    assert len(set(let)) == len(let) and set(let) <= shown
    assert set(let) == shown & {own for own, like, terms in asked if like == "s run" and terms == TERMS}
    assert all(approvals.covered(BOT, ORDERS, TERMS, "s run", own, START + 10) is None for own in shown), "over"
