"""The two stamps the type checker watches, and the one refusal.

`Permit`: the policy (and where needed a person) said yes. `Masked`: masking has seen this text.
Nothing else in the package may make either; `tests/test_house.py` proves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, final

Masked = NewType("Masked", str)
"""Text that a masker has passed. Journal, bus, recording and screen take nothing else from outside.

Made by `hooptui.masking` and, from text that was masked when it was written, by the codec in `hooptui.audit`."""

_MINT = object()


@final
class Permit:
    """Proof that one operation may go to its target. Made only by `Session.ask`; used once."""

    __slots__ = ("number", "only", "rules", "used")

    def __init__(self, number: int, rules: tuple[str, ...], mint: object, only: str) -> None:
        if mint is not _MINT:
            raise TypeError("a Permit is made by Session.ask only")
        self.number = number
        self.rules = rules
        self.only = only
        """The target's own identifier of the one object that it is for; empty when it is for whatever the operation names."""
        self.used = False

    def use(self) -> None:
        """Mark the permit as spent.

        Raises:
            RuntimeError: it was spent already; one permit moves one operation.
        """
        if self.used:
            raise RuntimeError(f"permit of operation {self.number} was used twice")
        self.used = True


class Why(StrEnum):
    """Why an operation was refused; each protocol has its own words for each."""

    POLICY = "policy"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    KILLED = "killed"
    DEADLINE = "deadline"
    UNRECORDED = "unrecorded"
    ERROR = "error"


class Refused(Exception):
    """The operation may not go to its target. Carries only text that is fit for the client."""

    def __init__(
        self, why: Why, message: str, *, rule: str = "", detail: str = "", hint: str = "", number: int = 0
    ) -> None:
        super().__init__(message)
        self.why = why
        self.message = message
        self.rule = rule
        self.detail = detail
        self.hint = hint
        self.number = number


class LoginRefused(Exception):
    """A connection was not admitted. `message` and `hint` go to the client, `code` and `log` to operator and journal.

    `code` is stable and distinct for each reason: `token-expired`, `wrong-audience`, `unknown-key`, `no-access`, …
    """

    def __init__(self, code: str, message: str, *, hint: str = "", log: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.log = log or message


class CannotRecord(Exception):
    """The journal cannot take an event or cannot make it durable. The message is for the operator: path and cause."""


@dataclass(frozen=True, slots=True)
class Killed:
    """What a kill achieved, measured."""

    confirmed: bool
    """The backend (process, stream) was seen to be gone."""
    how: str
    """What was done and seen, in words: `cancelled, terminated, gone from pg_stat_activity`."""
    seconds: float


def mint(number: int, rules: tuple[str, ...], only: str) -> Permit:
    """For `core.session` alone."""
    return Permit(number, rules, _MINT, only)
