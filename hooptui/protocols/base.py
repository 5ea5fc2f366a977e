"""What every protocol is handed, and nothing more: a doorman that turns a credential into a Session."""

from __future__ import annotations

from typing import Protocol

from hooptui.core.secret import Secret
from hooptui.core.session import Session


class Doorman(Protocol):
    """Identity, admission and the session's life; made by the gateway."""

    async def admit(self, credential: Secret, target: str, *, protocol: str, peer: str, application: str) -> Session:
        """Authenticate, check that some rule lets this identity on this target, and open a recorded session.

        Raises:
            LoginRefused: with words for the client and a code for the operator. The doorman has journaled it.
        """

    def refused(self, code: str, message: str, *, protocol: str, target: str, peer: str) -> None:
        """Journal a connection that the protocol itself turned away: no TLS, garbage, too slow, too many."""

    def trouble(self, target: str, code: str, message: str) -> None:
        """Tell the operator that a target is not as it should be: down, wrong credential, wrong certificate."""

    def left(self, session: Session, reason: str) -> None:
        """The connection is gone on both sides; closes the session's record."""
