"""What is asked of whoever knows whether a credential is still good, and what it answers. Knows no network and no timer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hooptui.auth import tokens
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity
from hooptui.core.secret import Secret


@dataclass(frozen=True, slots=True)
class Mark:
    """One credential, by everything it may be known by."""

    issuer: str
    subjects: frozenset[str]
    """The subject of its token and that of its identity, which differ when an agent acts for a person."""
    token: Secret | None = field(default=None, repr=False)
    """None when it is not at hand: a lease that was read back from the store."""
    jti: str | None = None
    issued: float | None = None
    """`iat` of its token, Unix seconds."""
    expires: float | None = None
    """Unix seconds at which it ends by itself, which is no revocation."""

    def digest(self) -> bytes:
        """What tells it from others, fit to be kept: a hash of the token."""
        said = f"\0{self.issuer}\0{min(self.subjects)}" if self.token is None else self.token.reveal()
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Verdict:
    active: bool
    words: str = ""
    """Why not, for people."""


ACTIVE = Verdict(True)


class Oracle(Protocol):
    """One issuer's source of truth about its credentials."""

    async def look(self, mark: Mark) -> Verdict:
        """Whether this credential is still good.

        Raises:
            LoginRefused: nobody can tell now. That is never to be taken for a yes.
        """

    async def probe(self) -> None:
        """Ask about a credential that nobody issued, to see at start whether answers can be had and mean something.

        Raises:
            LoginRefused: they cannot, or do not.
        """

    def answers(self, mark: Mark) -> bool:
        """Whether it can say anything about this credential at all."""


def mark(identity: Identity, token: Secret | None, until: float | None = None) -> Mark:
    """The mark of a credential that proved `identity`: its token, signed or opaque, where it is at hand.

    `until` says when it ends by itself (Unix seconds); a signed token says so itself.
    """
    subjects = {identity.subject}
    prefix = f"{identity.issuer}#"
    if identity.owner is not None and identity.owner.startswith(prefix):
        subjects.add(identity.owner.removeprefix(prefix))
    said = _claims(token)
    if isinstance(subject := said.get("sub"), str):
        subjects.add(subject)
    jti = said.get("jti")
    return Mark(
        identity.issuer,
        frozenset(subjects),
        token,
        jti if isinstance(jti, str) else None,
        _date(said.get("iat")),
        until if (ends := _date(said.get("exp"))) is None else ends,
    )


def _claims(token: Secret | None) -> Mapping[str, object]:
    """The claims of a signed token, which was verified when it came; nothing for an opaque one."""
    if token is None:
        return {}
    try:
        return tokens.take_apart(token).claims
    except LoginRefused:
        return {}


def _date(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
