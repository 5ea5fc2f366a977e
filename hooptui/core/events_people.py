"""What happens to identities, leases and operators: the part of the vocabulary that belongs to no session. Knows no encoding."""

from __future__ import annotations

from dataclasses import dataclass

from hooptui.core.body import Body
from hooptui.core.gate import Masked


@dataclass(frozen=True, slots=True)
class LeaseIssued(Body):
    lease: str
    issuer: str
    subject: str
    name: Masked
    groups: tuple[str, ...]
    kind: str
    owner: str
    how: str
    """`device`, `browser`, `saml` or `exchange`."""
    peer: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class LeaseEnded(Body):
    """A lease was taken back before its time."""

    lease: str
    why: str
    """`revoked`, `blocked`, `replaced`."""
    by: str


@dataclass(frozen=True, slots=True)
class IdentityBlocked(Body):
    """From now on this identity has no session, no lease, no grant and no login."""

    identity: str
    """Issuer and subject."""
    by: str
    reason: Masked
    sessions: int
    """Sessions that were killed."""
    leases: int
    grants: int


@dataclass(frozen=True, slots=True)
class IdentityUnblocked(Body):
    identity: str
    by: str


@dataclass(frozen=True, slots=True)
class OperatorLoggedIn(Body):
    """A person proved who they are at a screen; from now on their votes count as theirs."""

    issuer: str
    subject: str
    name: Masked
    groups: tuple[str, ...]
    how: str
    """`device`, `saml`, or `local` for the operator that the configuration names."""
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class OperatorLoggedOut(Body):
    identity: str
    why: str


@dataclass(frozen=True, slots=True)
class CertificateIssued(Body):
    """An SSH certificate was signed for somebody's key."""

    identity: str
    """Issuer and subject."""
    lease: str
    """The lease it was asked for with; empty when the client brought its own token."""
    key_id: str
    """What the certificate says of itself (OpenSSH PROTOCOL.certkeys, `key id`)."""
    serial: int
    until: float
    """Unix seconds."""
    peer: str
