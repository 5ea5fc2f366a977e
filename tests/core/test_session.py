"""`ask` is the only door: what it writes, in which order, and every way it says no."""

from __future__ import annotations

import asyncio

import pytest

from hooptui.core.approvals import Approval, Status
from hooptui.core.clock import ManualClock, SystemClock
from hooptui.core.events import Decided, GrantGiven, KillAsked, KillDone, SessionClosed
from hooptui.core.gate import Permit, Refused, Why
from hooptui.core.model import HoldTerms, Scope
from hooptui.core.session import Session

from .world import DBA, DBA2, Book, Line, Says, allow, deny, hold, house, operation, session, vote


class Ear:
    """A `tell` that remembers, and lets a test wait for the first word."""

    def __init__(self) -> None:
        self.heard: list[tuple[Approval, float]] = []
        self.first = asyncio.Event()

    def __call__(self, approval: Approval, remaining: float) -> None:
        self.heard.append((approval, remaining))
        self.first.set()


def silent(approval: Approval, remaining: float) -> None:
    raise AssertionError("an operation that is not held tells nobody anything")


async def held(one: Session, text: str = "DELETE FROM t") -> tuple[asyncio.Task[Permit], Ear]:
    ear = Ear()
    task = asyncio.create_task(one.ask(operation(text), ear))
    await asyncio.wait_for(ear.first.wait(), 60)
    return task, ear


async def test_an_allowed_read_gets_its_permit_without_suspending() -> None:
    book = Book()
    one = session(house(Says(lambda _: allow()), book))
    asking = one.ask(operation("SELECT 1", "select"), silent)
    with pytest.raises(StopIteration) as done:
        asking.send(None)
    assert isinstance(done.value.value, Permit)
    assert book.kinds() == ["Asked", "Decided"]
    assert book.durable_upto == 0


async def test_a_write_waits_for_stable_storage() -> None:
    book = Book()
    one = session(house(Says(lambda _: allow()), book))
    await one.ask(operation(), silent)
    assert book.durable_upto == 2


async def test_a_sync_that_fails_refuses_the_write_and_says_so() -> None:
    book = Book()
    book.sync_broken = "/var/journal: No space left on device"
    one = session(house(Says(lambda _: allow()), book))
    with pytest.raises(Refused) as no:
        await one.ask(operation(), silent)
    assert no.value.why is Why.UNRECORDED
    assert "No space left" in no.value.detail


async def test_what_cannot_be_recorded_is_never_decided() -> None:
    book = Book()
    book.broken = "full"
    asked: list[str] = []

    def judge(op: object) -> object:
        asked.append("decided")
        return allow()

    one = session(house(Says(judge), book))  # type: ignore[arg-type]  # the answer is an allow
    with pytest.raises(Refused) as no:
        await one.ask(operation("SELECT 1", "select"), silent)
    assert no.value.why is Why.UNRECORDED
    assert asked == []


async def test_a_denial_carries_rule_and_hint_and_is_journaled() -> None:
    book = Book()
    one = session(house(Says(lambda _: deny()), book))
    with pytest.raises(Refused) as no:
        await one.ask(operation("DROP TABLE t", "drop"), silent)
    assert (no.value.why, no.value.rule, no.value.hint) == (Why.POLICY, "no-drop", "ask")
    [verdict] = book.bodies(Decided)
    assert (verdict.effect, verdict.why, verdict.rules) == ("deny", "policy", ("no-drop",))


async def test_a_policy_that_raises_denies() -> None:
    def broken(_: object) -> object:
        raise ZeroDivisionError("secret words")

    book = Book()
    one = session(house(Says(broken), book))  # type: ignore[arg-type]  # it never answers
    with pytest.raises(Refused) as no:
        await one.ask(operation("SELECT 1", "select"), silent)
    assert "secret words" not in str(no.value)
    assert book.bodies(Decided)[0].effect == "deny"


async def test_an_allow_of_something_not_understood_denies() -> None:
    one = session(house(Says(lambda _: allow()), Book()))
    with pytest.raises(Refused, match="not understood: what is this"):
        await one.ask(operation("frobnicate", "unknown", unknown="what is this"), silent)


async def test_the_statement_is_masked_before_anybody_sees_it() -> None:
    book = Book()
    one = session(house(Says(lambda _: allow()), book))
    await one.ask(operation("SELECT 'SECRET'", "select"), silent)
    assert "SECRET" not in repr(book.events)
    assert one.last == "SELECT '████'"


async def test_approved_goes_on_once_durable() -> None:
    book = Book()
    home = house(Says(lambda _: hold()), book)
    one = session(home)
    task, ear = await held(one)
    assert one.state == "held"
    assert not task.done()
    home.approvals.vote(ear.heard[0][0].number, vote(DBA, True, home.clock.now(), reason="INC-1"))
    permit = await task
    assert permit.rules == ("writes-need-dba",)
    assert book.kinds() == ["Asked", "Held", "Voted", "Decided"]
    verdict = book.bodies(Decided)[0]
    assert (verdict.why, verdict.by, verdict.approval) == ("approved", DBA.key, 1)
    assert book.durable_upto == 4
    assert one.state == "running"


async def test_denied_by_a_person_names_them_and_their_reason() -> None:
    book = Book()
    home = house(Says(lambda _: hold()), book)
    task, ear = await held(session(home))
    home.approvals.vote(ear.heard[0][0].number, vote(DBA, False, home.clock.now(), reason="not today"))
    with pytest.raises(Refused, match="denied by ops-1: not today") as no:
        await task
    assert no.value.why is Why.DENIED
    verdict = book.bodies(Decided)[0]
    assert (verdict.effect, verdict.by, verdict.approval) == ("deny", DBA.key, 1)


async def test_nobody_in_time_denies() -> None:
    terms = HoldTerms("r", frozenset({"dba"}), expires=0.05)
    book = Book()
    home = house(Says(lambda _: hold(terms)), book, SystemClock())
    with pytest.raises(Refused) as no:
        await asyncio.wait_for(session(home).ask(operation(), Ear()), 5)
    assert no.value.why is Why.EXPIRED
    assert home.approvals.waiting() == ()


async def test_the_client_withdraws() -> None:
    home = house(Says(lambda _: hold()), Book())
    one = session(home)
    task, ear = await held(one)
    one.withdraw()
    with pytest.raises(Refused) as no:
        await task
    assert no.value.why is Why.WITHDRAWN
    assert home.approvals.get(ear.heard[0][0].number) is None


async def test_a_cancelled_ask_can_no_longer_be_approved_and_is_journaled() -> None:
    book = Book()
    home = house(Says(lambda _: hold()), book)
    task, _ = await held(session(home))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert home.approvals.waiting() == ()
    assert book.bodies(Decided)[0].why == "withdrawn"


async def test_kill_ends_a_hold_and_proves_itself() -> None:
    book = Book()
    home = house(Says(lambda _: hold()), book)
    one = session(home)
    task, _ = await held(one)
    done = await one.kill("ops-1", "runaway")
    with pytest.raises(Refused) as no:
        await task
    assert no.value.why is Why.KILLED
    assert done.confirmed
    assert isinstance(one.channel, Line)
    assert one.channel.killed == ["terminated by ops-1: runaway"]
    assert book.bodies(KillAsked)[0].by == "ops-1"
    assert book.bodies(KillDone)[0].confirmed
    assert len(book.bodies(SessionClosed)) == 1
    with pytest.raises(Refused):
        await one.ask(operation("SELECT 1", "select"), silent)


async def test_an_approval_is_judged_again_when_the_policy_changed() -> None:
    answers = iter([hold(), deny("new-rule")])
    book = Book()
    home = house(Says(lambda _: next(answers)), book)
    task, ear = await held(session(home))
    home.approvals.vote(ear.heard[0][0].number, vote(DBA, True, home.clock.now()))
    with pytest.raises(Refused) as no:
        await task
    assert no.value.rule == "new-rule"
    assert book.bodies(Decided)[0].effect == "deny"


async def test_a_stricter_policy_holds_again() -> None:
    stricter = HoldTerms("two-pairs", frozenset({"dba"}), quorum=2, expires=60)
    answers = iter([hold(), hold(stricter), hold(stricter)])
    home = house(Says(lambda _: next(answers)), Book())
    task, ear = await held(session(home))
    ear.first.clear()
    home.approvals.vote(1, vote(DBA, True, home.clock.now()))
    await asyncio.wait_for(ear.first.wait(), 60)
    home.approvals.vote(2, vote(DBA, True, home.clock.now()))
    assert not task.done()
    home.approvals.vote(2, vote(DBA2, True, home.clock.now()))
    assert (await task).rules == ("two-pairs",)


async def test_a_fingerprint_grant_lets_the_same_statement_go_and_no_other() -> None:
    clock = ManualClock()
    book = Book()
    home = house(Says(lambda _: hold()), book, clock)
    one = session(home)
    task, ear = await held(one, "DELETE FROM t WHERE id = 1")
    home.approvals.vote(ear.heard[0][0].number, vote(DBA, True, clock.now(), scope=Scope.FINGERPRINT))
    await task
    assert book.bodies(GrantGiven)[0].until == clock.now() + 900
    await one.ask(operation("DELETE FROM t WHERE id = 1"), silent)
    assert book.bodies(Decided)[-1].why == "granted"
    other, _ = await held(one, "DELETE FROM t WHERE id = 2")
    one.withdraw()
    with pytest.raises(Refused):
        await other
    clock.advance(901)
    late, _ = await held(one, "DELETE FROM t WHERE id = 1")
    one.withdraw()
    with pytest.raises(Refused):
        await late


async def test_frozen_waits_and_thaws() -> None:
    one = session(house(Says(lambda _: allow()), Book()))
    one.freeze(True, "ops-1")
    task = asyncio.create_task(one.ask(operation("SELECT 1", "select"), silent))
    await asyncio.sleep(0)
    assert one.state == "frozen"
    assert not task.done()
    one.freeze(False, "ops-1")
    assert isinstance(await task, Permit)


async def test_past_its_deadline_nothing_starts() -> None:
    clock = ManualClock()
    one = session(house(Says(lambda _: allow()), Book(), clock), deadline=clock.now() + 10)
    await one.ask(operation("SELECT 1", "select"), silent)
    clock.advance(10)
    with pytest.raises(Refused) as no:
        await one.ask(operation("SELECT 1", "select"), silent)
    assert no.value.why is Why.DEADLINE


async def test_a_journal_that_breaks_denies_what_is_held() -> None:
    home = house(Says(lambda _: hold()), Book())
    task, _ = await held(session(home))
    home.approvals.end_all(Status.UNRECORDED, home.clock.now())
    with pytest.raises(Refused) as no:
        await task
    assert no.value.why is Why.UNRECORDED


async def test_a_permit_moves_one_operation() -> None:
    one = session(house(Says(lambda _: allow()), Book()))
    permit = await one.ask(operation("SELECT 1", "select"), silent)
    permit.use()
    with pytest.raises(RuntimeError, match="twice"):
        permit.use()
    with pytest.raises(TypeError):
        Permit(1, (), object())
