"""One verdict for each approval, whoever races whom; and nobody judges their own request."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hooptui.core.approvals import Approval, Approvals, Status, VoteRefused
from hooptui.core.model import HoldTerms, Identity, Scope

from .world import BOT, DBA, DBA2, ORDERS, TERMS, vote

NOW = 1_700_000_000.0


def approval(terms: HoldTerms = TERMS, requester: Identity = BOT) -> Approval:
    return Approval(1, "7f3a", 1, requester, ORDERS, terms, "words", NOW, NOW + terms.expires)


@pytest.mark.parametrize(
    ("terms", "requester", "ballot", "says"),
    [
        (TERMS, DBA, vote(DBA, True, NOW), "asked for #1"),
        (TERMS, replace(BOT, owner=DBA.key), vote(DBA, True, NOW), "owns the agent"),
        (TERMS, BOT, vote(BOT, True, NOW), "asked for #1"),
        (TERMS, BOT, vote(replace(DBA, groups=frozenset({"ops"})), True, NOW), "none of the groups"),
        (TERMS, BOT, vote(DBA, True, NOW + 60), "expired"),
        (TERMS, BOT, vote(DBA, True, NOW, scope=Scope.RULE), "does not offer scope"),
        (replace(TERMS, reason_required=True), BOT, vote(DBA, True, NOW, reason="  "), "wants a reason"),
        (replace(TERMS, reason_required=True), BOT, vote(DBA, False, NOW), "wants a reason"),
    ],
)
def test_votes_that_do_not_count(terms: HoldTerms, requester: Identity, ballot: object, says: str) -> None:
    with pytest.raises(VoteRefused, match=says):
        approval(terms, requester).voted(ballot)  # type: ignore[arg-type]  # a Vote


def test_the_same_person_by_another_name_votes_once() -> None:
    two = replace(TERMS, quorum=2)
    once = approval(two).voted(vote(DBA, True, NOW))
    with pytest.raises(VoteRefused, match="already voted"):
        once.voted(vote(replace(DBA, name="someone else"), True, NOW))


def test_quorum_of_two_and_the_narrowest_scope() -> None:
    two = replace(TERMS, quorum=2)
    once = approval(two).voted(vote(DBA, True, NOW, scope=Scope.FINGERPRINT))
    assert once.open
    done = once.voted(vote(DBA2, True, NOW, scope=Scope.ONCE))
    assert done.status is Status.APPROVED
    assert done.scope is Scope.ONCE


def test_any_deny_ends_it() -> None:
    two = replace(TERMS, quorum=2)
    done = approval(two).voted(vote(DBA, True, NOW)).voted(vote(DBA2, False, NOW))
    assert done.status is Status.DENIED
    assert done.last is not None
    assert done.last.by == DBA2


async def test_a_vote_that_cannot_be_journaled_does_not_count() -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    book = Approvals(full)
    one, settled = book.open("s", 1, BOT, ORDERS, TERMS, "", NOW)
    with pytest.raises(OSError, match="disk full"):
        book.vote(one.number, vote(DBA, True, NOW))
    assert not settled.done()
    waiting = book.get(one.number)
    assert waiting is not None
    assert waiting.votes == ()


async def test_only_so_many_are_held() -> None:
    book = Approvals(lambda *_: None, limit=2)
    for _ in range(2):
        book.open("s", 1, BOT, ORDERS, TERMS, "", NOW)
    with pytest.raises(VoteRefused, match="2 operations are held"):
        book.open("s", 1, BOT, ORDERS, TERMS, "", NOW)


class Voting(RuleBasedStateMachine):
    """Any order of votes, ends and time: one verdict, never changed, reached only by a true quorum."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.book = Approvals(lambda *_: None)
        self.now = NOW
        self.verdict: Status | None = None
        self.yes: set[str] = set()
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        terms = replace(TERMS, quorum=2)
        self.one, self.settled = self.book.open("s", 1, BOT, ORDERS, terms, "", self.now)

    def teardown(self) -> None:
        self.loop.close()

    @rule(who=st.sampled_from(["a", "b", "c", "bot"]), approve=st.booleans())
    def votes(self, who: str, approve: bool) -> None:
        by = BOT if who == "bot" else Identity("local", who, who, frozenset({"dba"}))
        try:
            after = self.book.vote(self.one.number, vote(by, approve, self.now))
        except VoteRefused:
            return
        assert by is not BOT
        assert self.verdict is None
        assert self.now < self.one.expires_at
        if approve:
            self.yes.add(who)
        if not after.open:
            self.verdict = after.status

    @rule(status=st.sampled_from([Status.EXPIRED, Status.WITHDRAWN, Status.KILLED, Status.UNRECORDED]))
    def ends(self, status: Status) -> None:
        after = self.book.end(self.one.number, status, self.now)
        if self.verdict is not None:
            assert after is None
        else:
            self.verdict = status

    @precondition(lambda self: self.now < NOW + 120)
    @rule(seconds=st.integers(1, 70))
    def passes(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def one_verdict(self) -> None:
        assert self.settled.done() == (self.verdict is not None)
        if self.settled.done():
            done = self.settled.result()
            assert done.status is self.verdict
            if done.status is Status.APPROVED:
                assert len(self.yes) >= 2


TestVoting = Voting.TestCase
TestVoting.settings = settings(max_examples=60, stateful_step_count=12, deadline=None, derandomize=True)
