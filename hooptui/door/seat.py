"""Who sits at one desk: the operator that the configuration names, or a person who proved who they are. Knows no gateway and no screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hooptui.core.clock import Clock
from hooptui.core.model import Identity


@dataclass(frozen=True, slots=True)
class Invitation:
    """A login that an operator has begun and not yet ended: where to go, and the code to type there."""

    user_code: str
    url: str
    until: float
    """Unix seconds."""
    withdraw: Callable[[], None]
    """Take it back."""


class Seat:
    """One screen, or one connection of the control socket. Lives on the gateway's loop."""

    def __init__(self, local: Identity | None, clock: Clock, locked_out: Callable[[Identity], bool]) -> None:
        """`local` decides until somebody logs in; `locked_out` says whether an identity has been blocked."""
        self._local = local
        self._clock = clock
        self._locked_out = locked_out
        self._person: Identity | None = None
        self.invitation: Invitation | None = None

    @property
    def operator(self) -> Identity | None:
        """Who decides here now; None when nobody may. A login that is over falls back to the local operator, if there is one."""
        person = self._person
        if person is None:
            return self._local
        if person.expires_at is not None and person.expires_at <= self._clock.now():
            return self._local
        return None if self._locked_out(person) else person

    @property
    def person(self) -> Identity | None:
        """Who logged in here, even if the login is over by now."""
        return self._person

    def sit(self, person: Identity) -> None:
        """`person` has logged in."""
        self._person, self.invitation = person, None

    def leave(self) -> Identity | None:
        """Whoever logged in is gone; the local operator, if any, decides again."""
        if self.invitation is not None:
            self.invitation.withdraw()
        gone, self._person, self.invitation = self._person, None, None
        return gone
