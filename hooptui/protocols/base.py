"""What every protocol is handed, and nothing more: a doorman that turns a credential into a Session.

And, for the protocol whose stock client can show a line and wait, a way to log in without a credential.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hooptui.core.model import Lease, ScramKeys
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

    def kill(self, session: Session, by: str, reason: str) -> None:
        """Kill a session, in a task that nobody's end ends; `by` is who or what does it."""

    def left(self, session: Session, reason: str) -> None:
        """The connection is gone on both sides; closes the session's record."""


class BrowserLogin(Protocol):
    """A person is asked to log in with a browser, for a client that waits (RFC 8628)."""

    @property
    def page(self) -> str:
        """URL where the code is typed."""

    @property
    def complete(self) -> str:
        """URL with the code in it."""

    @property
    def code(self) -> str:
        """`XXXX-XXXX`."""

    @property
    def lasts(self) -> float:
        """Seconds until it is of no use any more."""

    async def done(self) -> Lease:
        """Wait until somebody has logged in there and said yes to this code; their lease, whose secret nobody was given.

        Raises:
            LoginRefused: they said no, may not be here, or its time is over.
        """

    def withdraw(self) -> None:
        """The client does not wait any more."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate for a client's key; nothing in it is secret."""

    certificate: str
    """One line, as in `id_ed25519-cert.pub`."""
    until: float
    """Unix seconds."""


class Logins(Protocol):
    """How somebody logs in without asking for a target; made by the gateway. Whatever is refused is journaled."""

    @property
    def browser(self) -> bool:
        """Whether there is a page to log in at."""

    def begin(self, *, peer: str) -> BrowserLogin:
        """Ask a person to log in with a browser.

        Raises:
            LoginRefused: there is no such page, or too many wait.
        """

    async def lease(self, credential: Credential, *, peer: str) -> Lease:
        """The lease that a credential is, or is changed for.

        Raises:
            LoginRefused: with words for the client.
        """

    def sign(self, lease: Lease, public_key: bytes, *, peer: str) -> Signed:
        """A certificate for one OpenSSH public key line, on record before it is given out.

        Raises:
            LoginRefused: the key is none, the lease is over, or it cannot be recorded.
        """
