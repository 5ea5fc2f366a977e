"""Credentials made for one session alone: what every mint can do, whatever its target takes (a role, a certificate, a token).

Protocol-neutral; knows no target. `custody` looks after what was minted while its session lives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hooptui.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Minted:
    """A credential that exists on the target from now on."""

    kind: str
    """`role`, `certificate` or `token`."""
    name: str
    """What it is called on the target; unique for the session."""
    secret: Secret
    until: float
    """Unix seconds at which the target itself stops accepting it."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A minted credential that was taken back."""

    kind: str
    name: str
    confirmed: bool
    """It was seen to be gone."""
    how: str
    """The proof in words: what was done, and what was seen afterwards."""


class MintTrouble(Exception):
    """A credential cannot be made or taken back. `code` is stable, the message for the operator; holds no secret.

    Codes: `mint-unreachable`, `mint-refused` (the target does not let the gateway do it), `mint-timeout`, `mint-misconfigured`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Mint(Protocol):
    """Makes credentials on one target. Every call is safe to repeat; each is bounded in time."""

    def name(self, session: str) -> str:
        """What the credential of this session is called, whether or not it exists."""

    async def issue(self, session: str, identity: str, until: float | None) -> Minted:
        """Make the credential of this session.

        Args:
            identity: key of the identity that it stands for, for the target's own people to read.
            until: Unix seconds at which the session ends; None when nothing limits it, and the mint's own bound holds.

        Raises:
            MintTrouble: it does not exist, or what there is of it is taken back by the next `sweep`.
        """

    async def retire(self, name: str) -> Removed:
        """End what uses it, take it back, and look that it is gone; also when it never existed or is gone already.

        Raises:
            MintTrouble: it may still be there.
        """

    async def sweep(self, alive: Callable[[str], bool]) -> tuple[Removed, ...]:
        """Take back what an earlier life of this gateway, or a failure, has left behind; what stays is not `confirmed`.

        `alive` tells by its name whether a credential belongs to a session that lives; it is asked right before each removal, so
        that a session opened meanwhile keeps its own.

        Raises:
            MintTrouble: the target could not be looked at.
        """
