"""What approvals leave behind: what is looked up before an operation is held, and what is left after one was approved.

Used by `Session.ask` alone. Waits for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from hooptui.core.approvals import Approval
from hooptui.core.events import GrantGiven
from hooptui.core.group import Member
from hooptui.core.model import Decision, Effect, Grant, Operation, Scope

if TYPE_CHECKING:
    from hooptui.core.account import Trail
    from hooptui.core.session import Session


def granted(session: Session, decision: Decision, operation: Operation) -> Grant | None:
    """A live grant that lets this operation go; one for a group is less by it from then on."""
    house, terms = session.house, decision.terms
    if terms is None:
        return None
    approvals, now = house.approvals, house.clock.now()
    if operation.group is not None:
        like = _of(session, operation.group.like)
        if found := approvals.covered(session.identity, session.target, terms, like, operation.group.own, now):
            return found
    if terms.scopes == (Scope.ONCE,):
        return None
    fingerprint = house.ledger.fingerprint(session.identity, session.target, operation)
    run = _of(session, operation.run) if Scope.RUN in terms.scopes else ""
    return approvals.granted(session.identity, session.target, terms.rule, fingerprint, now, run)


def refused(session: Session, decision: Decision, operation: Operation) -> Approval | None:
    """The review that has said no to this operation already, with others of its group."""
    if decision.terms is None:
        return None
    return session.refusals.of(operation.group, decision.terms, session.house.clock.now())


def left(session: Session, trail: Trail, operation: Operation) -> Grant | None:
    """The grant that the approval of an operation leaves beyond it, recorded and not yet in force; None without one.

    Raises:
        CannotRecord: it could not be recorded.
    """
    approval, decision = trail.approval, trail.decision
    if approval is None or approval.scope is Scope.ONCE or decision is None or decision.effect is not Effect.HOLD:
        return None
    rule, until = approval.terms.rule, session.house.clock.now() + approval.lasts
    members: frozenset[Member] = frozenset()
    match approval.scope:
        case Scope.GROUP:
            group = operation.group
            fingerprint = _of(session, group.like) if group is not None else ""
            members = frozenset(group.members) - {group.own} if group is not None else members
        case Scope.RUN:
            fingerprint = _of(session, operation.run)
        case Scope.FINGERPRINT | Scope.RULE:
            fingerprint = session.house.ledger.fingerprint(session.identity, session.target, operation)
        case never:
            assert_never(never)
    if not fingerprint:
        return None
    session.record(GrantGiven(approval.number, approval.scope, rule, until))
    return Grant(
        approval.scope, session.identity.key, session.target.name, rule, fingerprint, until, approval.number,
        members=members, terms=approval.terms if members else None,
    )  # fmt: skip


def only(trail: Trail, operation: Operation) -> str:
    """The identifier of the one object that an operation was let go for, when it was by the review of its group; else empty."""
    return operation.group.own.identity if operation.group is not None and trail.grouped else ""


def _of(session: Session, said: str) -> str:
    """Which run, or group, of which session. What a client says about that can only narrow."""
    return f"{session.id} {said}" if said else ""
