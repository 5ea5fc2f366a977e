"""What a session asks of the policy while it waits for people to let it in, and how it may break the glass. Waits for nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooptui.core.account import Account
from hooptui.core.approvals import Approval, Vote, VoteRefused
from hooptui.core.gate import Refused, Why
from hooptui.core.model import Access, Decision, Effect, Scope
from hooptui.core.ports import Tell

if TYPE_CHECKING:
    from hooptui.core.session import Session


def wanted(session: Account, access: Access) -> Decision:
    """What a session that only people can let in waits for, as a decision of the policy."""
    rules = tuple(sorted(access.rules))
    return Decision(Effect.HOLD, rules, access.words, terms=access.terms, policy=session.house.judge.version)


def still_wanted(session: Account, approved: Access, number: int) -> Access | None:
    """What the policy of now wants beyond what was approved; None when that is enough.

    Raises:
        Refused: it lets this identity in no more.
    """
    try:
        now = session.house.judge.admits(session.identity, session.target)
    except Exception as fault:  # noqa: BLE001 - whatever went wrong in the policy, the answer is no
        raise Refused(Why.POLICY, f"the policy could not be applied ({type(fault).__name__})", number=number) from None
    if not now.admitted:
        raise Refused(Why.POLICY, now.reason, rule=now.rule, number=number)
    return None if now.access is None or now.access.terms == approved.terms else now.access


def in_emergency(session: Session, tell: Tell) -> Tell:
    """`tell`, which also breaks the glass when the client asked for that. It is heard, and counted, as any other vote."""
    if not session.emergency:
        return tell

    def break_glass(approval: Approval, remaining: float) -> None:
        reason = session.masker.text(session.emergency)
        now = session.house.clock.now()
        try:
            vote = Vote(session.identity, True, reason, Scope.ONCE, now, break_glass=True)
            session.house.approvals.vote(approval.number, vote)
        except VoteRefused as no:
            raise Refused(Why.POLICY, str(no), rule=approval.terms.rule) from None

    return break_glass
