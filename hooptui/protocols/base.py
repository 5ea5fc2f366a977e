"""What every protocol is handed, and nothing more: a doorman that turns a credential into a Session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hooptui.core.model import ScramKeys
from hooptui.core.secret import Secret
from hooptui.core.session import Session


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever has this text is let in: an OIDC token, or a lease as one text, `hl_…` with its secret after a dot."""

    secret: Secret


@dataclass(frozen=True, slots=True)
class ProvedLease:
    """The client proved to the protocol, by SCRAM with the doorman's own keys, that it has the secret of this lease."""

    lease: str


Credential = Bearer | ProvedLease


class Doorman(Protocol):
    """Identity, admission and the session's life; made by the gateway."""

    async def admit(
        self,
        credential: Credential,
        target: str,
        *,
        protocol: str,
        peer: str,
        application: str,
        purpose: str = "",
        emergency: str = "",
    ) -> Session:
        """Authenticate, check that some rule lets this identity on this target, and open a recorded session.

        `purpose` is the client's own word on why it wants access; `emergency` likewise, when it asks to break the glass. When the
        session comes back with `access` set, `session.enter` must succeed before anything else.

        Raises:
            LoginRefused: with words for the client and a code for the operator. The doorman has journaled it.
        """

    def lease_keys(self, lease: str, *, peer: str) -> ScramKeys:
        """The keys to check a SCRAM login of this lease with. For one that does not exist they are made up, the same each time, so
        that guessing tells nothing.

        Raises:
            LoginRefused: too many wrong guesses came from there, or for this lease.
        """

    def lease_failed(self, lease: str, *, protocol: str, target: str, peer: str) -> None:
        """A SCRAM login of this lease was wrong; the doorman counts and journals it."""

    def refused(self, code: str, message: str, *, protocol: str, target: str, peer: str) -> None:
        """Journal a connection that the protocol itself turned away: no TLS, garbage, too slow, too many."""

    def trouble(self, target: str, code: str, message: str) -> None:
        """Tell the operator that a target is not as it should be: down, wrong credential, wrong certificate."""

    def left(self, session: Session, reason: str) -> None:
        """The connection is gone on both sides; closes the session's record."""
