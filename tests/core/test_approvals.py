"""One verdict for each approval, whoever races whom; and nobody judges their own request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooptui.core.approvals import CLAIM_LASTS, Approval, Approvals, Status, Vote, VoteRefused
from hooptui.core.gate import Masked
from hooptui.core.model import Grant, HoldTerms, Identity, Kind, Scope

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


async def test_nobody_keeps_the_others_out_by_asking() -> None:
    book = Approvals(lambda *_: None, each=2)
    for _ in range(2):
        book.open("s", 1, BOT, ORDERS, TERMS, "", NOW)
    with pytest.raises(VoteRefused, match="2 operations of bot are held"):
        book.open("s", 1, BOT, ORDERS, TERMS, "", NOW)
    book.open("s", 1, DBA, ORDERS, TERMS, "", NOW)


LOUD = replace(TERMS, break_glass=frozenset({"sre"}), break_glass_lasts=300.0, quorum=3)
SRE = Identity("https://idp", "s1", "sre-1", frozenset({"sre"}))


def glass(by: Identity, *, approve: bool = True, reason: str = "INC-1", lasts: float | None = None) -> Vote:
    return Vote(by, approve, Masked(reason), Scope.ONCE, NOW, lasts, break_glass=True)


@pytest.mark.parametrize(
    "requester", [BOT, SRE, replace(BOT, kind=Kind.AGENT, owner=SRE.key)], ids=["of-another", "own", "of-own-agent"]
)
def test_breaking_the_glass_needs_nobody_else(requester: Identity) -> None:
    done = approval(LOUD, requester).voted(glass(SRE))
    assert done.status is Status.APPROVED
    assert done.last is not None and done.last.break_glass
    assert done.lasts == 300.0


@pytest.mark.parametrize(
    ("ballot", "says"),
    [
        (glass(DBA), "none of the groups that may break the glass for #1: sre"),
        (glass(SRE, reason=" "), "wants a reason"),
        (glass(SRE, approve=False), "cannot deny"),
        (glass(SRE, lasts=300.5), "at most 300"),
        (glass(SRE, lasts=float("nan")), "found nan s"),
        (glass(replace(SRE, kind=Kind.AGENT)), "no person"),
        (glass(replace(SRE, expires_at=NOW)), "login has expired"),
    ],
)
def test_who_may_not_break_the_glass(ballot: Vote, says: str) -> None:
    with pytest.raises(VoteRefused, match=says):
        approval(LOUD).voted(ballot)


def test_no_glass_no_breaking() -> None:
    with pytest.raises(VoteRefused, match="break the glass for #1: none"):
        approval().voted(glass(SRE))


@pytest.mark.parametrize("lasts", [0.0, -1.0, 900.1, float("inf"), float("nan")])
def test_no_access_for_longer_than_the_rule_offers(lasts: float) -> None:
    with pytest.raises(VoteRefused, match="of access, expected more than 0 and at most 900"):
        approval().voted(replace(vote(DBA, True, NOW), lasts=lasts))


def test_the_shortest_access_that_an_approver_named_is_given() -> None:
    two = replace(approval(replace(TERMS, quorum=2)), access=frozenset({"r"}))
    done = two.voted(replace(vote(DBA, True, NOW), lasts=120.0)).voted(replace(vote(DBA2, True, NOW), lasts=600.0))
    assert (done.status, done.lasts) == (Status.APPROVED, 120.0)


def test_access_is_for_the_whole_target_whatever_scopes_the_rule_offers() -> None:
    one = replace(approval(replace(TERMS, scopes=(Scope.FINGERPRINT,))), access=frozenset({"r"}))
    assert one.voted(vote(DBA, True, NOW)).status is Status.APPROVED


class TestClaims:
    def test_another_must_wait_until_the_claim_is_over(self) -> None:
        taken = approval(replace(TERMS, expires=3600)).claimed(DBA, NOW)
        with pytest.raises(VoteRefused, match="ops-1 is looking into #1"):
            taken.claimed(DBA2, NOW + CLAIM_LASTS - 0.001)
        again = taken.claimed(DBA, NOW + 200).claim
        assert again is not None and again.at == NOW + 200, "renewed by the one who has it"
        relieved = taken.claimed(DBA2, NOW + CLAIM_LASTS).claim
        assert relieved is not None and relieved.by is DBA2

    def test_it_stops_no_vote(self) -> None:
        assert approval().claimed(DBA, NOW).voted(vote(DBA2, False, NOW)).status is Status.DENIED

    @pytest.mark.parametrize(
        ("by", "at", "says"),
        [
            (BOT, NOW, "asked for #1"),
            (replace(DBA, groups=frozenset()), NOW, "none of the groups that may judge #1: dba"),
            (replace(DBA, kind=Kind.WORKLOAD), NOW, "no person"),
            (DBA, NOW + 60, "has expired"),
        ],
    )
    def test_who_may_not(self, by: Identity, at: float, says: str) -> None:
        with pytest.raises(VoteRefused, match=says):
            approval().claimed(by, at)

    async def test_it_is_over_with_the_approval(self) -> None:
        book = Approvals(lambda *_: None)
        one, _ = book.open("s", 1, BOT, ORDERS, TERMS, "", NOW)
        assert book.claim(one.number, DBA, NOW).claim is not None
        book.end(one.number, Status.WITHDRAWN, NOW)
        with pytest.raises(VoteRefused, match="not waiting"):
            book.claim(one.number, DBA, NOW)


class TestGrants:
    ACCESS = Grant(Scope.RULE, BOT.key, ORDERS.name, "a+b", "", NOW + 10, 7, frozenset({"a", "b"}))

    def test_access_ends_at_its_time_for_everybody(self) -> None:
        book = Approvals(lambda *_: None)
        book.grant(self.ACCESS)
        assert book.access(BOT, ORDERS, frozenset("ab"), NOW + 9.999) is self.ACCESS
        assert book.access(BOT, ORDERS, frozenset("ab"), NOW + 10) is None
        assert book.grants(NOW) == ()

    def test_it_is_for_this_identity_target_and_these_rules(self) -> None:
        book = Approvals(lambda *_: None)
        book.grant(self.ACCESS)
        assert book.access(BOT, ORDERS, frozenset("abc"), NOW) is self.ACCESS
        assert book.access(BOT, ORDERS, frozenset("a"), NOW) is None, "the policy offers one of the two no more"
        assert book.access(BOT, ORDERS, frozenset(), NOW) is None
        assert book.access(replace(BOT, subject="other"), ORDERS, frozenset("ab"), NOW) is None
        assert book.access(BOT, replace(ORDERS, name="other"), frozenset("ab"), NOW) is None
        assert book.granted(BOT, ORDERS, "a+b", "", NOW) is None, "it opens connections and settles no hold"

    def test_the_one_that_lasts_longest_counts(self) -> None:
        book = Approvals(lambda *_: None)
        longer = replace(self.ACCESS, until=NOW + 20, approval=8)
        for one in (longer, self.ACCESS):
            book.grant(one)
        assert book.access(BOT, ORDERS, frozenset("ab"), NOW) is longer

    def test_what_is_taken_back_is_gone(self) -> None:
        book = Approvals(lambda *_: None)
        other = replace(self.ACCESS, identity="x", approval=8)
        book.grant(self.ACCESS)
        book.grant(other)
        assert book.take_back(lambda grant: grant.identity == BOT.key) == (self.ACCESS,)
        assert book.grants(NOW) == (other,)
        assert book.access(BOT, ORDERS, frozenset("ab"), NOW) is None
        assert book.take_back(lambda grant: grant.identity == BOT.key) == ()
