"""What the journal shows of one decision, and whether that suffices: votes, quorum, broken glass, grants, leases. Pure values; reads nothing.

Every value carries the sequence number of the record that shows it, so that an auditor can look it up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from hooptui.core.events import Decided, Held, Voted
from hooptui.core.events_people import LeaseIssued
from hooptui.core.visible import visible

_ROUNDING = 1e-3
"""Seconds by which times that were added up may differ."""
_SLACK = 0.1
"""Seconds that may pass between a look at the clock and what is written of it."""


@dataclass(frozen=True, slots=True)
class Who:
    """An identity as a session or a lease was opened with it."""

    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...]
    kind: str
    owner: str

    @property
    def key(self) -> str:
        return f"{self.issuer}#{self.subject}"

    def __str__(self) -> str:
        owner = f", for {visible(self.owner)}" if self.owner else ""
        return f"{visible(self.name)} ({visible(self.key)}, {visible(self.kind)}{owner})"


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote."""

    seq: int
    at: float
    vote: Voted

    def __str__(self) -> str:
        vote = self.vote
        verb = "breaks the glass" if vote.break_glass else "approves" if vote.approve else "denies"
        groups = f" as {_list(vote.groups)}" if vote.groups else ""
        reason = f": {visible(vote.reason)}" if vote.reason else ""
        return f"{visible(vote.name)} ({visible(vote.by)}) {verb}{groups}{reason} (record {self.seq})"


@dataclass(frozen=True, slots=True)
class Case:
    """One approval, as it was held and judged."""

    seq: int
    session: str
    requester: Who | None
    """None when the journal does not show who opened that session."""
    target: str
    held: Held
    ballots: tuple[Ballot, ...] = ()
    claims: tuple[str, ...] = ()
    """Keys of who looked into it."""

    @property
    def yes(self) -> tuple[Ballot, ...]:
        return tuple(one for one in self.ballots if one.vote.approve)

    @property
    def broken(self) -> Ballot | None:
        """The vote that broke the glass."""
        return next((one for one in self.ballots if one.vote.break_glass), None)

    def about(self, operation: int, deletes: str) -> bool:
        """Whether it was of this operation, or of its whole group; `deletes` is the one object that the operation deletes."""
        return self.held.operation == operation or bool(deletes and deletes in self.held.group)

    @property
    def settled_at(self) -> float:
        """Unix seconds of the last vote; 0 without one."""
        return self.ballots[-1].at if self.ballots else 0.0

    def problems(self) -> Iterator[str]:
        """Why these votes would not let it go, one line each; none when they do."""
        held, number = self.held, f"#{self.held.approval}"
        if self.requester is None:
            yield f"{number}: nothing shows who asked for it"
        keys = [one.vote.by for one in self.ballots]
        if len(set(keys)) != len(keys):
            yield f"{number}: somebody was counted twice"
        if len(self.yes) != len(self.ballots):
            yield f"{number}: somebody denied it"
        if self.broken is None and len(self.yes) < held.quorum:
            yield f"{number}: {len(self.yes)} of the {held.quorum} that it takes approved"
        for one in self.ballots:
            yield from self._ballot(one.vote, one.at)

    def _ballot(self, vote: Voted, at: float) -> Iterator[str]:
        held, who, words = self.held, self.requester, f"#{self.held.approval}: the vote of {visible(vote.by)}"
        groups = held.break_glass if vote.break_glass else held.by
        if not set(vote.groups) & set(groups):
            yield f"{words} was cast as {_list(vote.groups)}, not as {_list(groups)}"
        if at >= held.expires_at:
            yield f"{words} came after its time"
        if who is None:
            return
        if vote.break_glass:
            if not vote.reason.strip():
                yield f"{words} broke the glass without a reason"
        elif vote.by == who.key:
            yield f"{words} is on their own request"
        elif who.owner and vote.by == who.owner:
            yield f"{words} is on the request of their own agent"

    @property
    def lines(self) -> Iterator[str]:
        """For people."""
        held = self.held
        what = "asked to be let in" if held.access else f"operation {held.operation} was held"
        yield (
            f"#{held.approval}: {self.requester or 'somebody'} {what} on {visible(self.target)}; it takes {held.quorum} of"
            f" {_list(held.by)} by rule {visible(held.rule)} (record {self.seq})"
        )
        if held.group:
            yield f"  with it were shown {len(held.group)}: {_list(held.group)}"
        yield from (f"  {one}" for one in self.ballots)


@dataclass(frozen=True, slots=True)
class Given:
    """A grant and where it came from."""

    seq: int
    scope: str
    rule: str
    until: float
    run: int
    """Which start of the gateway it was given in."""
    case: Case | None
    """None when the journal does not show its approval."""
    number: int
    ended: float | None = None
    """Unix seconds at which it was taken back."""

    def problems(self, who: Who, target: str, at: float, run: int) -> Iterator[str]:
        """Why it would not let go what `who` did on `target` at `at` in the gateway's run `run`."""
        words = f"the grant of #{self.number}"
        if at >= self.until + _SLACK:
            yield f"{words} was over"
        if self.ended is not None:
            yield f"{words} had been taken back"
        if self.scope != "access" and run != self.run:
            yield f"{words} was given before the gateway's last start"
        if self.case is None:
            yield f"{words}: nothing shows its approval"
            return
        yield from self.case.problems()
        if self.case.requester is not None and self.case.requester.key != who.key:
            yield f"{words} was for somebody else: {self.case.requester}"
        if self.case.target != target:
            yield f"{words} was for another target: {visible(self.case.target)}"
        if self.case.held.access != (self.scope == "access"):
            yield f"{words} is not what was asked for"
        times = [one.vote.lasts for one in self.case.yes if one.vote.lasts]
        if self.scope == "access" and (not times or self.until > self.case.settled_at + min(times) + _ROUNDING):
            yield f"{words} lasts longer than anybody gave"

    def strays(self, deletes: str) -> Iterator[str]:
        """Why one for a group does not cover an operation, by the one object that it deletes."""
        if self.scope == "group" and self.case is not None and deletes not in self.case.held.group:
            yield f"the grant of #{self.number} was for other objects than {visible(deletes) or 'this'}"

    def __str__(self) -> str:
        scope = "access" if self.scope == "access" else f"a grant for {self.scope}"
        return f"{scope} under {visible(self.rule)} by #{self.number}, until {stamp(self.until)} (record {self.seq})"


@dataclass(frozen=True, slots=True)
class Issued:
    """The lease that a session was opened with."""

    seq: int
    lease: LeaseIssued
    ended: float | None = None
    """Unix seconds at which it was taken back."""

    def problems(self, who: Who, at: float) -> Iterator[str]:
        lease = self.lease
        words = f"lease {visible(lease.lease)}"
        if (lease.issuer, lease.subject, lease.kind, lease.owner) != (who.issuer, who.subject, who.kind, who.owner):
            yield f"{words} was issued to somebody else"
        if at >= lease.expires_at + _SLACK:
            yield f"{words} was over when it was used"
        if self.ended is not None:
            yield f"{words} had been taken back when it was used"

    def __str__(self) -> str:
        lease = self.lease
        return (
            f"lease {visible(lease.lease)}, issued after {visible(lease.how)} to {visible(lease.name)} from {visible(lease.peer)},"
            f" until {stamp(lease.expires_at)} (record {self.seq})"
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """Who let one operation through, or who did not, from the journal alone."""

    session: str
    operation: int
    who: Who
    target: str
    opened_seq: int
    lease: Issued | None
    """None when the client brought its own token."""
    verdict: Decided
    verdict_seq: int
    case: Case | None
    """The votes on this very operation."""
    grant: Given | None
    """The earlier grant that let it go."""
    access: Given | None
    """The just-in-time access without which its rules would not have held."""
    problems: tuple[str, ...]
    """What the record fails to show, or shows otherwise; empty when it proves the verdict."""

    @property
    def allowed(self) -> bool:
        return self.verdict.effect == "allow"

    @property
    def people(self) -> frozenset[str]:
        """Keys of all whose yes this rests on; empty when the policy alone let it through, or nobody did."""
        if not self.allowed:
            return frozenset()
        cases = (self.case, self.grant.case if self.grant else None, self.access.case if self.access else None)
        return frozenset(one.vote.by for case in cases if case is not None for one in case.yes)

    @property
    def emergency(self) -> bool:
        """Somebody broke the glass for it."""
        cases = (self.case, self.grant.case if self.grant else None, self.access.case if self.access else None)
        return self.allowed and any(case is not None and case.broken is not None for case in cases)

    @property
    def lines(self) -> tuple[str, ...]:
        """The whole, ready to print."""
        verdict = self.verdict
        found = [
            f"session {visible(self.session)}: {self.who} on {visible(self.target)} (record {self.opened_seq})",
            f"  came with {self.lease or 'a token of their own'}",
            f"operation {self.operation}: {visible(verdict.effect)} ({visible(verdict.why)}) by {_list(verdict.rules)},"
            f" policy {visible(verdict.policy[:12])} (record {self.verdict_seq})",
        ]
        if self.case is not None:
            found += self.case.lines
        for words, given in (("let go by", self.grant), ("in by", self.access)):
            if given is not None:
                found += [f"{words} {given}", *(given.case.lines if given.case else ())]
        found += [f"✗ {problem}" for problem in self.problems]
        return tuple(found)


def stamp(at: float) -> str:
    """A time in UTC, for people."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
    except (OverflowError, ValueError, OSError):
        return f"{at:.0f} s"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(visible(name) for name in names) or "nobody"
