"""Operations that one review covers: the same, done to each of some objects that are all named beforehand. Knows no protocol.

What a client says of them only proposes a group. What an approval of it covers is what was shown: these objects, each once, in the same
session, with nothing else different. Unlike the scopes that a rule offers it covers nothing unseen, and so needs no offer.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hooptui.core.approvals import Approval
    from hooptui.core.model import HoldTerms

REFUSALS: Final = 8
"""Refused groups that a session remembers."""


@dataclass(frozen=True, slots=True)
class Member:
    """One object that an operation is to be done to."""

    about: str
    """What it is, in one word, as the facts of the operation have it: `shop/configmaps/a`. Raw."""
    identity: str
    """The target's own identifier of this very object, which no other ever has."""


@dataclass(frozen=True, slots=True)
class Group:
    """What one operation is part of, as it was known when it was asked for."""

    like: str
    """Equal for operations of one session that differ in nothing but the object."""
    own: Member
    """The operation's own object; one of `members`."""
    members: tuple[Member, ...]
    """All that the client has not asked for yet, in the order in which they were named. The last of a group is alone here, which is
    nothing to review together."""
    more: bool = False
    """The client was told of others that are not kept here. They are not covered."""


class Refusals:
    """What reviews have said no to, for the rest of their groups; of one session."""

    def __init__(self) -> None:
        self._said: OrderedDict[str, Approval] = OrderedDict()

    def add(self, approval: Approval) -> None:
        """It was denied, or nobody approved it in time."""
        if approval.group is None:
            return
        self._said[approval.group.like] = approval
        self._said.move_to_end(approval.group.like)
        while len(self._said) > REFUSALS:
            self._said.popitem(last=False)

    def of(self, group: Group | None, terms: HoldTerms, now: float) -> Approval | None:
        """The review that said no to this operation with others: it was shown there, and the terms are what they were."""
        approval = self._said.get(group.like) if group is not None else None
        if group is None or approval is None or approval.group is None or approval.settled_at is None:
            return None
        if group.own not in approval.group.members or approval.terms != terms:
            return None
        return approval if now < approval.settled_at + terms.scope_lasts else None
