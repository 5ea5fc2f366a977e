"""Who let what through, from the journal alone: `who_let` walks it and gathers the evidence for one verdict.

It takes the journal's word: whether that was changed is for `audit.verify` to say. Reads, never writes; memory grows with what is
open at a time (sessions, leases, holds and their grants), not with the journal's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from hooptui.audit.chain import ABSENT, parse
from hooptui.audit.codec import Unreadable, decode_event, kind_of
from hooptui.audit.evidence import Ballot, Case, Given, Issued, Proof, Who
from hooptui.audit.files import Layout, pieces
from hooptui.audit.journal import LONGEST
from hooptui.core.desk import JournalLine
from hooptui.core.events import (
    Asked,
    Body,
    Claimed,
    DeadlineMoved,
    Decided,
    Event,
    GatewayStarted,
    GrantEnded,
    GrantGiven,
    Held,
    SessionClosed,
    SessionOpened,
    Voted,
)
from hooptui.core.events_people import LeaseEnded, LeaseIssued

_EVERYBODYS: Final = frozenset(
    kind_of(body)
    for body in (
        GatewayStarted, SessionOpened, SessionClosed, Held, Voted, Claimed, GrantGiven, GrantEnded, LeaseIssued, LeaseEnded, DeadlineMoved,
    )
)  # fmt: skip
"""Kinds that may bear on another session than their own."""
_HEAD: Final = re.compile(rb'"session":"([^"\\]*)","kind":"([a-z_]+)"')
_SWEEP: Final = 4096
"""Leases after which those that are over are forgotten."""
_CLOSED: Final = 1000
"""Sessions that are remembered beyond their end."""
_CASES: Final = 100_000
"""Approvals that are remembered; the oldest are forgotten beyond."""


class NoVerdict(ValueError):
    """The journal shows no verdict on such an operation; the message says what it does show."""


def who_let(state: Path, session: str, operation: int) -> Proof:
    """Who let this operation of this session through, or did not; the last verdict on it counts.

    Args:
        session: its whole name.
        operation: its number in the session, as the journal and the recording have it.

    Raises:
        NoVerdict: there is no such session, or no verdict on the operation.
        Unreadable: a line of the journal that bears on it is none of ours; the message names it.
        OSError: the journal cannot be read.
    """
    return find(history(state, session), session, operation)


def find(journal: Iterable[JournalLine], session: str, operation: int) -> Proof:
    """The same for a journal at hand.

    Raises:
        NoVerdict: as for `who_let`.
    """
    found: Proof | None = None
    walk = _Walk(session)
    for line in journal:
        proof = walk.take(line)
        if proof is not None and proof.operation == operation:
            found = proof
    if found is not None:
        return found
    if not walk.seen:
        raise NoVerdict(f"the journal shows no session {session}")
    raise NoVerdict(
        f"session {session} began in record {walk.seen}, and no verdict on its operation {operation} follows"
    )


def prove(journal: Iterable[JournalLine]) -> Iterator[Proof]:
    """A proof for each verdict on any operation, in order; a later one on the same operation takes its place."""
    walk = _Walk("")
    for line in journal:
        proof = walk.take(line)
        if proof is not None:
            yield proof


def history(state: Path, session: str = "") -> Iterator[JournalLine]:
    """The journal's events in order, those that can bear on `session`; empty for all.

    Raises:
        Unreadable, OSError: as for `who_let`.
    """
    only = session.encode()
    for _, path in Layout(state).segments():
        for piece in pieces(path, limit=LONGEST):
            if not piece.whole:
                break
            try:
                record = parse(piece.data)
                if record.event is ABSENT or (only and not _bears(bytes(record.event), only)):
                    continue
                event = decode_event(record.event)
            except Unreadable as fault:
                raise Unreadable(f"{path}: at byte {piece.start}: {fault}") from None
            yield JournalLine(record.seq, event)


def _bears(event: bytes, session: bytes) -> bool:
    head = _HEAD.search(event, 0, 200)
    return head is None or head[1] == session or head[2].decode() in _EVERYBODYS


@dataclass(slots=True)
class _Open:
    """A session while it is open."""

    seq: int
    who: Who
    target: str
    lease: Issued | None
    problems: tuple[str, ...]
    """What is wrong with how it was opened."""
    asked: dict[int, str] = field(default_factory=dict)
    """By its number the one object that an operation deletes; nothing for any other operation."""
    grant: Given | None = None
    """By what it was let in."""


class _Walk:
    """One walk along the journal, for the operations of one session or of all."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.seen = 0
        """Record in which the session began."""
        self._run = 0
        self._open: dict[str, _Open] = {}
        self._closed: dict[str, _Open] = {}
        """Whose last verdicts may still come: what a killed session had asked for is refused after its end."""
        self._leases: dict[str, Issued] = {}
        self._cases: dict[int, Case] = {}
        self._grants: dict[int, Given] = {}

    def take(self, line: JournalLine) -> Proof | None:
        """Take the next event; the proof when it is a verdict that was asked for."""
        seq, event = line.seq, line.event
        match event.body:
            case GatewayStarted():
                self._run += 1
                self._open.clear()
                self._closed.clear()
            case LeaseIssued() as lease:
                self._issued(seq, event.at, lease)
            case LeaseEnded(lease=name) if name in self._leases:
                self._leases[name] = replace(self._leases[name], ended=event.at)
            case SessionOpened() as opened:
                self._opened(seq, event, opened)
            case SessionClosed() if event.session in self._open:
                self._closed[event.session] = self._open.pop(event.session)
                if len(self._closed) > _CLOSED:
                    del self._closed[next(iter(self._closed))]
            case Asked(operation=number, commands=commands, relations=about) if (
                one := self._open.get(event.session)
            ) is not None:
                if self.session in ("", event.session):
                    one.asked[number] = about[0] if commands == ("delete",) and len(about) == 1 else ""
            case Decided() as verdict if self.session in ("", event.session):
                return self._proof(seq, event, verdict)
            case body:
                self._people(seq, event, body)
        return None

    def _issued(self, seq: int, at: float, lease: LeaseIssued) -> None:
        self._leases[lease.lease] = Issued(seq, lease)
        if len(self._leases) % _SWEEP == 0:
            self._leases = {name: one for name, one in self._leases.items() if one.lease.expires_at > at}

    def _opened(self, seq: int, event: Event, body: SessionOpened) -> None:
        who = Who(body.issuer, body.subject, body.name, body.groups, body.kind, body.owner)
        lease = self._leases.get(body.lease) if body.lease else None
        problems: tuple[str, ...] = ()
        if lease is not None:
            problems = tuple(lease.problems(who, event.at))
        elif body.lease:
            problems = (f"nothing shows that lease {body.lease} was issued",)
        self._open[event.session] = _Open(seq, who, body.target, lease, problems)
        self._closed.pop(event.session, None)
        if event.session == self.session:
            self.seen = seq

    def _people(self, seq: int, event: Event, body: Body) -> None:
        """What was held, voted and granted."""
        one = self._open.get(event.session)
        match body:
            case Held(approval=number):
                self._cases[number] = Case(
                    seq, event.session, one.who if one else None, one.target if one else "", body
                )
                if len(self._cases) > _CASES:
                    del self._cases[next(iter(self._cases))]
            case Voted(approval=number) if (case := self._case(number, event.session)) is not None:
                self._cases[number] = replace(case, ballots=(*case.ballots, Ballot(seq, event.at, body)))
            case Claimed(approval=number, by=by) if (case := self._case(number, event.session)) is not None:
                self._cases[number] = replace(case, claims=(*case.claims, by))
            case GrantGiven(approval=number):
                case = self._case(number, event.session)
                self._grants[number] = Given(seq, body.scope, body.rule, body.until, self._run, case, number)
                if len(self._grants) > _CASES:
                    del self._grants[next(iter(self._grants))]
            case GrantEnded(approval=number) if number in self._grants:
                self._grants[number] = replace(self._grants[number], ended=event.at)
            case DeadlineMoved(approval=number) if number and one is not None:
                one.grant = self._grants.get(number) or Given(seq, "access", "", body.until, self._run, None, number)
            case _:
                return

    def _case(self, number: int, session: str) -> Case | None:
        case = self._cases.get(number)
        return case if case is not None and case.session == session else None

    def _proof(self, seq: int, event: Event, verdict: Decided) -> Proof:
        one = self._open.get(event.session) or self._closed.get(event.session)
        problems: list[str] = []
        if one is None:
            problems.append("nothing shows who opened this session")
            one = _Open(0, Who("", "", "?", (), "", ""), "", None, ())
        problems += one.problems
        if verdict.operation not in one.asked:
            problems.append("nothing shows that it was asked for")
        case, grant, access = None, None, None
        if verdict.why == "granted":
            grant = self._grants.get(verdict.approval) or Given(seq, "?", "", 0.0, self._run, None, verdict.approval)
        elif verdict.approval:
            case = self._case(verdict.approval, event.session)
            if case is None or not case.about(verdict.operation, one.asked.get(verdict.operation, "")):
                problems.append(f"nothing shows that #{verdict.approval} was about it")
        if one.grant is not None and (not one.grant.rule or set(one.grant.rule.split("+")) & set(verdict.rules)):
            # As it is now: it may have been taken back since.
            now = self._grants.get(one.grant.number, one.grant)
            access = now if now.seq == one.grant.seq else one.grant
        if verdict.effect == "allow":
            problems += self._holes(one, event.at, verdict, case, grant, access)
        return Proof(
            event.session, verdict.operation, one.who, one.target, one.seq, one.lease, verdict, seq, case, grant, access,
            tuple(dict.fromkeys(problems)),
        )  # fmt: skip

    def _holes(
        self, one: _Open, at: float, verdict: Decided, case: Case | None, grant: Given | None, access: Given | None
    ) -> Iterator[str]:
        """What is missing for this yes."""
        match verdict.why:
            case "policy":
                pass
            case "approved" if case is not None and case.held.operation != verdict.operation:
                yield f"#{case.held.approval} was about another"
            case "approved" if case is not None:
                yield from case.problems()
            case "approved":
                yield "nothing shows who approved it"
            case "granted":
                if grant is not None:
                    if grant.scope == "access":
                        yield f"the grant of #{grant.number} opens connections and lets no held operation go"
                    yield from grant.problems(one.who, one.target, at, self._run)
                    yield from grant.strays(one.asked.get(verdict.operation, ""))
            case other:
                yield f"an allow cannot be {other}"
        if access is not None:
            yield from access.problems(one.who, one.target, at, self._run)
