"""Grants of access that outlive the gateway's process: approvals whose access grants are kept in the store.

A grant for one statement or rule is for this run alone; access has one absolute end that a restart must not change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hooptui.core.approvals import Approval, Approvals, Vote
from hooptui.core.model import Grant


class GrantBook(Protocol):
    """Where access grants are kept."""

    def save(self, row: Grant, /) -> None: ...

    def delete(self, key: int, /) -> bool: ...

    def all(self) -> tuple[Grant, ...]: ...


class KeptApprovals(Approvals):
    """See the module."""

    def __init__(self, on_vote: Callable[[Approval, Vote], None], book: GrantBook, now: float) -> None:
        kept = book.all()
        # A number is what people say aloud, and a kept grant still goes by the one that gave it.
        super().__init__(on_vote, first=max((grant.approval for grant in kept), default=0) + 1)
        self._book = book
        for grant in kept:
            if grant.until > now:
                super().grant(grant)
            else:
                book.delete(grant.approval)

    def grant(self, grant: Grant) -> None:
        if grant.access:
            self._book.save(grant)
        super().grant(grant)

    def take_back(self, wanted: Callable[[Grant], bool]) -> tuple[Grant, ...]:
        gone = super().take_back(wanted)
        for grant in gone:
            if grant.access:
                self._book.delete(grant.approval)
        return gone
