"""A session's wait for people: opens the approval, reminds the client, and comes back with the one verdict.

Used by `Session.ask` and `Session.enter` alone. Knows no policy, no socket and no screen.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hooptui.core.approvals import Approval, Status, Vote, VoteRefused
from hooptui.core.events import Held, Voted
from hooptui.core.gate import Masked, Refused, Why
from hooptui.core.model import HoldTerms, Operation
from hooptui.core.ports import Tell

if TYPE_CHECKING:
    from hooptui.core.session import Session


async def wait(
    session: Session,
    number: int,
    operation: Operation,
    terms: HoldTerms,
    words: str,
    tell: Tell,
    access: frozenset[str] = frozenset(),
) -> Approval:
    """Hold operation `number` until it is settled, one way or another; `words` are the rule's own.

    Raises:
        Refused: as many operations wait as the gateway keeps.
        CannotRecord: the hold could not be recorded; nobody was asked.
    """
    clock, approvals = session.house.clock, session.house.approvals
    group = operation.group if operation.group is not None and len(operation.group.members) > 1 else None
    try:
        approval, settled = approvals.open(
            session.id, number, session.identity, session.target, terms, words, clock.now(), access, group
        )
    except VoteRefused as full:
        raise Refused(Why.ERROR, str(full), rule=terms.rule, number=number) from None
    session.held[approval.number] = operation
    by, in_emergency = tuple(sorted(terms.by)), tuple(sorted(terms.break_glass))
    members = group.members if group is not None else ()
    try:
        session.record(
            Held(
                number, approval.number, terms.rule, words, by, terms.quorum, terms.risk, approval.expires_at,
                bool(access), in_emergency, tuple(session.masker.text(one.about) for one in members),
            )
        )  # fmt: skip
        while not settled.done():
            remaining = approval.expires_at - clock.now()
            if session.deadline is not None:
                remaining = min(remaining, session.deadline - clock.now())
            if remaining <= 0:
                approvals.end(approval.number, Status.EXPIRED, clock.now())
                break
            tell(approvals.get(approval.number) or approval, remaining)
            await asyncio.wait((settled,), timeout=min(session.house.tell_every, remaining))
        return await settled
    finally:
        # Whatever ended the wait (also a cancelled task: the client is gone), nobody may approve it any more.
        approvals.end(approval.number, Status.WITHDRAWN, clock.now())
        session.held.pop(approval.number, None)


def ballot(approval: Approval, vote: Vote, name: Masked) -> Voted:
    """What is written of a vote; `approval` has counted it, and `name` is the voter's own, masked for the session."""
    terms = approval.terms
    return Voted(
        approval.number,
        approval.operation,
        vote.by.key,
        name,
        vote.approve,
        vote.reason,
        vote.scope,
        approval.lasts if approval.access and vote.approve else 0.0,
        vote.break_glass,
        tuple(sorted(vote.by.groups & (terms.break_glass if vote.break_glass else terms.by))),
    )


def refusal(number: int, approval: Approval, killed: str) -> Refused:
    """The refusal for an approval that ended without a yes; `killed` is what the operator who ended the session said."""
    last = approval.last
    detail, hint = approval.rule_words, ""
    match approval.status:
        case Status.DENIED:
            words = f": {last.reason}" if last and last.reason else ""
            why, message = Why.DENIED, f"denied by {last.by.name if last else 'an approver'}{words}"
        case Status.EXPIRED:
            why, message = Why.EXPIRED, "nobody approved it in time"
            hint = "ask the people who may approve it, then send it again"
        case Status.KILLED:
            why, message = Why.KILLED, killed or "the session was killed"
        case Status.UNRECORDED:
            why, message = Why.UNRECORDED, "hooptui cannot record this operation, so it may not run"
        case Status.WITHDRAWN | Status.APPROVED | Status.WAITING:
            why, message = Why.WITHDRAWN, "withdrawn by the client before a verdict"
    if approval.operation != number:
        message += f" (review #{approval.number} was of all {len(approval.group.members) if approval.group else 0} of its group)"
    return Refused(why, message, rule=approval.terms.rule, detail=detail, hint=hint, number=number)
