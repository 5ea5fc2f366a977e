"""Held operations and access requests: a state machine of frozen values, and the book that keeps the open ones.

One approval has exactly one verdict. Any deny ends it; a quorum of distinct approvers lets it go; nobody votes for
their own request or for an agent they own, unless they break the glass, which everybody hears. Runs on the gateway's
loop only; knows no clock but the one handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from hooptui.core.gate import Masked
from hooptui.core.model import Grant, Group, HoldTerms, Identity, Kind, Member, Scope, Target

RUN_MOST: Final = 100
"""Operations that one approval of a run lets go beyond its own."""


class Status(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    KILLED = "killed"
    UNRECORDED = "unrecorded"
    """The journal broke while it waited."""


class VoteRefused(Exception):
    """A vote does not count; the message tells the voter why."""


@dataclass(frozen=True, slots=True)
class Vote:
    by: Identity
    approve: bool
    reason: Masked
    scope: Scope
    at: float
    """Unix seconds."""
    lasts: float | None = None
    """Seconds of access to give; None for the longest that the rule offers."""
    break_glass: bool = False
    """The voter acts alone, in an emergency, also for their own request."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody is looking into it."""

    by: Identity
    at: float
    """Unix seconds."""


CLAIM_LASTS = 300.0
"""Seconds after which a claim is forgotten."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One held operation, or one connection that asks for access, waiting for people."""

    number: int
    """Unique for the life of the gateway; what operators say aloud."""
    session: str
    operation: int
    requester: Identity
    target: Target
    terms: HoldTerms
    rule_words: str
    opened_at: float
    expires_at: float
    status: Status = Status.WAITING
    votes: tuple[Vote, ...] = ()
    settled_at: float | None = None
    access: frozenset[str] = frozenset()
    """The granting rules, when a connection waits for access and not an operation for its turn."""
    claim: Claim | None = None
    group: Group | None = None
    """What is shown with the operation, for one review of all."""

    @property
    def open(self) -> bool:
        return self.status is Status.WAITING

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What an approver may choose from: what the rule offers, and the group where there is one."""
        return self.terms.scopes if self.group is None else (Scope.GROUP, *self.terms.scopes)

    @property
    def approvals(self) -> int:
        return sum(vote.approve for vote in self.votes)

    @property
    def last(self) -> Vote | None:
        """The vote that settled it, when one did."""
        return self.votes[-1] if self.votes and self.status in (Status.APPROVED, Status.DENIED) else None

    def voted(self, vote: Vote) -> Approval:
        """This approval with one more vote.

        Raises:
            VoteRefused: it is settled or past its time, the voter asked for it or owns the agent that did, is in no
                approving group, voted before, or asks for a scope that the rule does not offer or gives no reason where one is due.
        """
        terms = self.terms
        self.may(vote.by, vote.at, terms.break_glass if vote.break_glass else terms.by, own=vote.break_glass)
        if vote.break_glass and not vote.approve:
            raise VoteRefused("breaking the glass approves; it cannot deny")
        if vote.approve and not self.access and vote.scope not in self.scopes:
            raise VoteRefused(
                f"rule {terms.rule} does not offer scope {vote.scope}; it offers {', '.join(self.scopes)}"
            )
        if (terms.reason_required or vote.break_glass) and not vote.reason.strip():
            raise VoteRefused(f"rule {terms.rule} wants a reason")
        longest = terms.break_glass_lasts if vote.break_glass else terms.scope_lasts
        if vote.lasts is not None and not 0 < vote.lasts <= longest:
            raise VoteRefused(f"found {vote.lasts:g} s of access, expected more than 0 and at most {longest:g}")
        after = replace(self, votes=(*self.votes, vote))
        if not vote.approve:
            return replace(after, status=Status.DENIED, settled_at=vote.at)
        if after.approvals >= terms.quorum or vote.break_glass:
            return replace(after, status=Status.APPROVED, settled_at=vote.at)
        return after

    def claimed(self, by: Identity, at: float) -> Approval:
        """This approval with `by` looking into it; who did before them is relieved only when their claim is over.

        Raises:
            VoteRefused: `by` may not vote on it, or somebody else is at it.
        """
        self.may(by, at, self.terms.by, own=False)
        if self.claim is not None and self.claim.by.key != by.key and at < self.claim.at + CLAIM_LASTS:
            raise VoteRefused(f"{self.claim.by.name} is looking into #{self.number} already")
        return replace(self, claim=Claim(by, at))

    def may(self, by: Identity, at: float, groups: frozenset[str], *, own: bool) -> None:
        """Whether `by` has a say now.

        Raises:
            VoteRefused: settled, too late, their own (unless `own`), in no such group, or heard already.
        """
        if not self.open:
            raise VoteRefused(f"#{self.number} is already {self.status}")
        if at >= self.expires_at:
            raise VoteRefused(f"#{self.number} has expired")
        if by.kind is not Kind.HUMAN:
            raise VoteRefused(f"{by.name} is no person, and only people judge")
        if by.expires_at is not None and at >= by.expires_at:
            raise VoteRefused(f"{by.name} is not logged in any more: the login has expired")
        if not own and by.key == self.requester.key:
            raise VoteRefused(f"{by.name} asked for #{self.number} and cannot judge it")
        if not own and self.requester.owner is not None and by.key == self.requester.owner:
            raise VoteRefused(f"{by.name} owns the agent that asked for #{self.number} and cannot judge it")
        if not by.groups & groups:
            what = "may break the glass for" if own else "may judge"
            raise VoteRefused(
                f"{by.name} is in none of the groups that {what} #{self.number}: {', '.join(sorted(groups)) or 'none'}"
            )
        if any(earlier.by.key == by.key for earlier in self.votes):
            raise VoteRefused(f"{by.name} has already voted on #{self.number}")

    def ended(self, status: Status, at: float) -> Approval:
        """This approval settled without a vote; unchanged when it was settled already."""
        return replace(self, status=status, settled_at=at) if self.open else self

    @property
    def scope(self) -> Scope:
        """The narrowest scope that an approver gave."""
        order = (Scope.ONCE, Scope.FINGERPRINT, Scope.GROUP, Scope.RUN, Scope.RULE)
        given = [vote.scope for vote in self.votes if vote.approve]
        if len({Scope.FINGERPRINT, Scope.GROUP, Scope.RUN} & set(given)) > 1:
            # None is within another.
            return Scope.ONCE
        return min(given, key=order.index) if given else Scope.ONCE

    @property
    def lasts(self) -> float:
        """Seconds of access given: the shortest that an approver named, at most what the rule offers."""
        longest = (
            self.terms.break_glass_lasts if any(vote.break_glass for vote in self.votes) else self.terms.scope_lasts
        )
        return min([longest, *(vote.lasts for vote in self.votes if vote.approve and vote.lasts is not None)])


class Approvals:
    """The open approvals and the grants that settled ones left behind."""

    def __init__(
        self, on_vote: Callable[[Approval, Vote], None], *, limit: int = 1000, each: int = 100, first: int = 1
    ) -> None:
        """`on_vote` is called with each counted vote before its verdict is known to anybody; if it raises, the vote does not count.

        At most `limit` are open, at most `each` of one identity, so that nobody keeps the others out by asking."""
        self._on_vote = on_vote
        self._limit = limit
        self._each = each
        self._next = first
        self._open: dict[int, tuple[Approval, asyncio.Future[Approval]]] = {}
        self._grants: list[Grant] = []
        self._covered: dict[int, int] = {}
        """How many operations each `run` grant let go, by its approval."""

    def open(
        self,
        session: str,
        operation: int,
        requester: Identity,
        target: Target,
        terms: HoldTerms,
        rule_words: str,
        now: float,
        access: frozenset[str] = frozenset(),
        group: Group | None = None,
    ) -> tuple[Approval, asyncio.Future[Approval]]:
        """Start an approval; the future yields it once, settled.

        Raises:
            VoteRefused: as many are open as the gateway keeps, of all or of this identity.
        """
        if len(self._open) >= self._limit:
            raise VoteRefused(f"{self._limit} operations are held already")
        if sum(one.requester.key == requester.key for one, _ in self._open.values()) >= self._each:
            raise VoteRefused(f"{self._each} operations of {requester.name} are held already")
        approval = Approval(
            self._next,
            session,
            operation,
            requester,
            target,
            terms,
            rule_words,
            opened_at=now,
            expires_at=now + terms.expires,
            access=access,
            group=group,
        )
        self._next += 1
        future: asyncio.Future[Approval] = asyncio.get_running_loop().create_future()
        self._open[approval.number] = (approval, future)
        return approval, future

    def waiting(self) -> tuple[Approval, ...]:
        """The open approvals, oldest first."""
        return tuple(approval for approval, _ in self._open.values())

    def get(self, number: int) -> Approval | None:
        entry = self._open.get(number)
        return entry[0] if entry else None

    def vote(self, number: int, vote: Vote) -> Approval:
        """Count one vote.

        Raises:
            VoteRefused: see `Approval.voted`; also when no such approval is open.
        """
        entry = self._open.get(number)
        if entry is None:
            raise VoteRefused(f"#{number} is not waiting: it was settled or never existed")
        after = entry[0].voted(vote)
        self._on_vote(after, vote)
        self._put(after)
        return after

    def end(self, number: int, status: Status, now: float) -> Approval | None:
        """Settle without a vote; None when it was settled before."""
        entry = self._open.get(number)
        if entry is None:
            return None
        after = entry[0].ended(status, now)
        self._put(after)
        return after

    def end_all(self, status: Status, now: float) -> None:
        for number in tuple(self._open):
            self.end(number, status, now)

    def claim(self, number: int, by: Identity, now: float) -> Approval:
        """Say that `by` looks into it.

        Raises:
            VoteRefused: see `Approval.claimed`; also when no such approval is open.
        """
        entry = self._open.get(number)
        if entry is None:
            raise VoteRefused(f"#{number} is not waiting: it was settled or never existed")
        after = entry[0].claimed(by, now)
        self._put(after)
        return after

    # --- grants

    def grant(self, grant: Grant) -> None:
        self._grants.append(grant)

    def grants(self, now: float) -> tuple[Grant, ...]:
        """What is in force, oldest first."""
        self._grants = [grant for grant in self._grants if grant.until > now]
        if self._covered:
            live = {grant.approval for grant in self._grants}
            self._covered = {number: count for number, count in self._covered.items() if number in live}
        return tuple(self._grants)

    def granted(
        self, identity: Identity, target: Target, rule: str, fingerprint: str, now: float, run: str = ""
    ) -> Grant | None:
        """A live grant that covers this operation; `run` is the fingerprint of the run that it is part of, if of any."""
        for grant in self.grants(now):
            if grant.access or grant.identity != identity.key or grant.target != target.name or grant.rule != rule:
                continue
            if grant.scope is Scope.RULE or (grant.scope is Scope.FINGERPRINT and grant.fingerprint == fingerprint):
                return grant
            if grant.scope is Scope.RUN and run and grant.fingerprint == run:
                covered = self._covered.get(grant.approval, 0)
                if covered < RUN_MOST:
                    self._covered[grant.approval] = covered + 1
                    return grant
        return None

    def covered(
        self, identity: Identity, target: Target, terms: HoldTerms, like: str, own: Member, now: float
    ) -> Grant | None:
        """The live grant for a group that has this object in it still; not any more from now on."""
        for at, grant in enumerate(self.grants(now)):
            if grant.scope is not Scope.GROUP or grant.identity != identity.key or grant.target != target.name:
                continue
            if grant.terms == terms and grant.fingerprint == like and own in grant.members:
                others = grant.members - {own}
                self._grants[at : at + 1] = [replace(grant, members=others)] if others else []
                return grant
        return None

    def access(self, identity: Identity, target: Target, rules: frozenset[str], now: float) -> Grant | None:
        """The live grant that lets this identity use this target by some of these rules; the one that lasts longest."""
        found = [
            grant
            for grant in self.grants(now)
            if grant.access and grant.identity == identity.key and grant.target == target.name and grant.access <= rules
        ]
        return max(found, key=lambda grant: grant.until, default=None)

    def take_back(self, wanted: Callable[[Grant], bool]) -> tuple[Grant, ...]:
        """End the grants that are `wanted` before their time; what they opened is the caller's to close."""
        gone = tuple(grant for grant in self._grants if wanted(grant))
        self._grants = [grant for grant in self._grants if not wanted(grant)]
        return gone

    def _put(self, approval: Approval) -> None:
        _, future = self._open[approval.number]
        if approval.open:
            self._open[approval.number] = (approval, future)
            return
        del self._open[approval.number]
        if not future.done():
            future.set_result(approval)
