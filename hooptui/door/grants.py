"""Grants of access that outlive the gateway's process: approvals whose access grants are kept in the store.

A grant for one statement or rule is for this run alone; access has one absolute end that a restart must not change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hooptui.core.approvals import Approval, Approvals, Vote
from hooptui.core.gate import CannotRecord
from hooptui.core.model import Grant
from hooptui.errors import UserError


class GrantBook(Protocol):
    """Where access grants are kept."""

    def save(self, row: Grant, /) -> None: ...

    def delete(self, key: int, /) -> bool: ...

    def all(self) -> tuple[Grant, ...]: ...


class KeptApprovals(Approvals):
    """See the module."""

    def __init__(
        self,
        on_vote: Callable[[Approval, Vote], None],
        book: GrantBook,
        now: float,
        trouble: Callable[[str], None],
    ) -> None:
        """`trouble` is told, once for each grant, that the book did not forget it; that is tried again until it does.

        Raises:
            StoreTrouble: the book cannot be read.
        """
        kept = book.all()
        # A number is what people say aloud, and a kept grant still goes by the one that gave it.
        super().__init__(on_vote, first=max((grant.approval for grant in kept), default=0) + 1)
        self._book = book
        self._trouble = trouble
        self._unforgotten: set[int] = set()
        for grant in kept:
            if grant.until > now:
                super().grant(grant)
            else:
                self._forget(grant.approval)

    def grant(self, grant: Grant) -> None:
        """Raises:
        CannotRecord: access cannot be kept, so it is not given.
        """
        if grant.access:
            try:
                self._book.save(grant)
            except (UserError, ValueError) as fault:
                raise CannotRecord(f"the store does not keep the grant: {fault}") from None
        super().grant(grant)

    def take_back(self, wanted: Callable[[Grant], bool]) -> tuple[Grant, ...]:
        gone = super().take_back(wanted)
        for number in {grant.approval for grant in gone if grant.access} | self._unforgotten:
            self._forget(number)
        return gone

    def _forget(self, approval: int) -> None:
        """Take it out of the book. What cannot be taken out is over all the same, until the next start."""
        try:
            self._book.delete(approval)
        except UserError as fault:
            if approval not in self._unforgotten:
                self._unforgotten.add(approval)
                self._trouble(f"the grant of #{approval} is over, but would be good again after a restart: {fault}")
        else:
            self._unforgotten.discard(approval)
