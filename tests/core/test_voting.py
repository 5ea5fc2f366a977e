"""Any order of votes, claims, ends and time, for any terms: one verdict, reached only by those who may."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hooptui.core.approvals import CLAIM_LASTS, Approval, Approvals, Status, Vote, VoteRefused
from hooptui.core.gate import CannotRecord, Masked
from hooptui.core.model import HoldTerms, Identity, Kind, Scope

from .world import ORDERS

NOW = 1_700_000_000.0


def person(name: str, *groups: str, kind: Kind = Kind.HUMAN, expires_at: float | None = None) -> Identity:
    return Identity("https://idp", name, name, frozenset(groups), expires_at, kind)


OWNER = person("owner", "dba", "sre")
AGENT = replace(person("agent", "dba", "sre", kind=Kind.AGENT), owner=OWNER.key)
PEOPLE = {
    one.name: one
    for one in (
        *(person(name, "dba") for name in "abcdef"),
        person("sre", "sre"),
        person("both", "dba", "sre"),
        person("stranger", "staff"),
        person("leaving", "dba", "sre", expires_at=NOW + 40),
        person("robot", "dba", "sre", kind=Kind.WORKLOAD),
        OWNER,
        AGENT,
    )
}
REQUESTERS = ("agent", "both", "stranger", "owner", "robot")


class Voting(RuleBasedStateMachine):
    """See the module. What may happen is worked out here again, from the words of the issue and not from the code."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.broken = False
        self.written: list[tuple[Status, Vote]] = []
        self.book = Approvals(self._write)
        self.now = NOW
        self.verdict: Status | None = None
        self.heard: dict[str, Vote] = {}
        self.claim: tuple[str, float] | None = None

    def _write(self, approval: Approval, vote: Vote) -> None:
        if self.broken:
            raise CannotRecord("disk full")
        self.written.append((approval.status, vote))

    @initialize(
        quorum=st.integers(1, 5),
        requester=st.sampled_from(REQUESTERS),
        access=st.booleans(),
        reason=st.booleans(),
        loud=st.booleans(),
    )
    def opens(self, quorum: int, requester: str, access: bool, reason: bool, loud: bool) -> None:
        self.terms = HoldTerms(
            "r",
            frozenset({"dba"}),
            quorum,
            expires=60.0,
            scopes=(Scope.ONCE, Scope.RULE),
            scope_lasts=600.0,
            reason_required=reason,
            break_glass=frozenset({"sre"}) if loud else frozenset(),
            break_glass_lasts=120.0,
        )
        self.requester = PEOPLE[requester]

        async def start() -> None:
            rules = frozenset({"r"}) if access else frozenset[str]()
            self.one, self.settled = self.book.open(
                "s", 1, self.requester, ORDERS, self.terms, "", self.now, access=rules
            )

        self.loop.run_until_complete(start())

    def teardown(self) -> None:
        self.loop.close()

    def may_judge(self, who: Identity) -> bool:
        return (
            self.verdict is None
            and self.now < NOW + 60
            and who.kind is Kind.HUMAN
            and (who.expires_at is None or self.now < who.expires_at)
            and who.name not in self.heard
        )

    def may_vote(self, who: Identity) -> bool:
        own = who is self.requester or (self.requester is AGENT and who is OWNER)
        return self.may_judge(who) and not own and "dba" in who.groups

    @rule(
        who=st.sampled_from(sorted(PEOPLE)),
        approve=st.sampled_from([True, True, True, False]),
        reason=st.sampled_from(["", "  ", "INC-1"]),
        scope=st.sampled_from([*Scope]),
        lasts=st.sampled_from([None, None, 60.0, 120.0, 121.0, 600.0, 601.0, 0.0, float("nan")]),
        loud=st.sampled_from([False, False, False, True]),
    )
    def votes(self, who: str, approve: bool, reason: str, scope: Scope, lasts: float | None, loud: bool) -> None:
        by = PEOPLE[who]
        ballot = Vote(by, approve, Masked(reason), scope, self.now, lasts, loud)
        in_emergency = self.may_judge(by) and bool(by.groups & self.terms.break_glass) and approve
        may = in_emergency if loud else self.may_vote(by)
        may = may and (bool(reason.strip()) or not (self.terms.reason_required or loud))
        may = may and (not approve or bool(self.one.access) or scope in self.terms.scopes)
        may = may and (lasts is None or 0 < lasts <= (120.0 if loud else 600.0))
        before = len(self.written)
        try:
            after = self.book.vote(self.one.number, ballot)
        except VoteRefused:
            assert not may
            assert len(self.written) == before
            return
        except CannotRecord:
            assert may and self.broken
            return
        assert may and not self.broken
        self.heard[who] = ballot
        yes = sum(one.approve for one in self.heard.values())
        if not approve:
            self.verdict = Status.DENIED
        elif loud or yes >= self.terms.quorum:
            self.verdict = Status.APPROVED
        assert after.status is (self.verdict or Status.WAITING)
        assert self.written[before:] == [(after.status, ballot)], "it was written before anybody could act on it, once"

    @rule(who=st.sampled_from(sorted(PEOPLE)))
    def claims(self, who: str) -> None:
        by = PEOPLE[who]
        taken = self.claim is not None and self.claim[0] != who and self.now < self.claim[1] + CLAIM_LASTS
        try:
            after = self.book.claim(self.one.number, by, self.now)
        except VoteRefused:
            assert taken or not self.may_vote(by)
            return
        assert self.may_vote(by) and not taken
        assert after.claim is not None and after.claim.by is by
        self.claim = (who, self.now)

    @rule(status=st.sampled_from([Status.EXPIRED, Status.WITHDRAWN, Status.KILLED]))
    def ends(self, status: Status) -> None:
        after = self.book.end(self.one.number, status, self.now)
        assert (after is None) == (self.verdict is not None)
        self.verdict = self.verdict or status

    @rule()
    def the_journal_breaks(self) -> None:
        self.broken = True
        self.book.end_all(Status.UNRECORDED, self.now)
        self.verdict = self.verdict or Status.UNRECORDED

    @rule(broken=st.booleans())
    def the_journal_turns(self, broken: bool) -> None:
        self.broken = broken

    @precondition(lambda self: self.now < NOW + 120)
    @rule(seconds=st.integers(1, 40))
    def passes(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def one_verdict(self) -> None:
        if not hasattr(self, "settled"):
            return
        assert self.settled.done() == (self.verdict is not None)
        assert [one.number for one in self.book.waiting()] == ([] if self.verdict else [self.one.number])
        if not self.settled.done():
            return
        done = self.settled.result()
        assert done.status is self.verdict
        settling = [status for status, _ in self.written if status is not Status.WAITING]
        assert len(settling) == (done.status in (Status.APPROVED, Status.DENIED)), "one vote settles it, or none"
        if done.status is not Status.APPROVED:
            return
        yes = [vote for vote in self.heard.values() if vote.approve]
        assert len(yes) == len(self.heard), "whoever says no ends it"
        loud = [vote for vote in yes if vote.break_glass]
        if loud:
            assert len(loud) == 1 and loud[0] is done.last
        else:
            assert len({vote.by.key for vote in yes}) == self.terms.quorum
        longest = 120.0 if loud else 600.0
        assert done.lasts == min([longest, *(vote.lasts for vote in yes if vote.lasts is not None)])


TestVoting = Voting.TestCase
TestVoting.settings = settings(max_examples=150, stateful_step_count=16, deadline=None, derandomize=True)
