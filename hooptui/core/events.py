"""Anything that happened: the one vocabulary of journal, bus, screen and replay. Knows no encoding.

Every text field that came from outside is `Masked`. Identifiers chosen by hooptui or by its operator are `str`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hooptui.core.body import Body, Event, Kept, swift
from hooptui.core.events_channels import FileDone, TerminalOpened, TerminalOutput, TerminalResized
from hooptui.core.events_people import (
    CertificateIssued,
    IdentityBlocked,
    IdentityUnblocked,
    LeaseEnded,
    LeaseIssued,
    OperatorLoggedIn,
    OperatorLoggedOut,
)
from hooptui.core.gate import Masked

__all__ = ["BODIES", "Body", "Event", "Kept"]

# --- the gateway ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GatewayStarted(Body):
    version: str
    policy: str
    listeners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GatewayStopped(Body):
    reason: str


@dataclass(frozen=True, slots=True)
class TornTail(Body):
    """The previous run ended in the middle of a line; what followed the last whole record was set aside."""

    segment: str
    after: int
    """Sequence number of the last whole record."""
    torn_bytes: int


@dataclass(frozen=True, slots=True)
class PolicyLoaded(Body):
    policy: str
    rules: int
    by: str


@dataclass(frozen=True, slots=True)
class PolicyRejected(Body):
    error: str
    """`file:line: what was found, what was expected`."""
    by: str


@dataclass(frozen=True, slots=True)
class Alert(Body):
    """Something the operator should know that belongs to no operation: a target down, an issuer unreachable."""

    code: str
    text: Masked


@dataclass(frozen=True, slots=True)
class LoginFailed(Body):
    code: str
    protocol: str
    target: Masked
    peer: str
    text: Masked


# --- a session -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionOpened(Body):
    issuer: str
    subject: str
    name: Masked
    groups: tuple[str, ...]
    kind: str
    target: str
    protocol: str
    peer: str
    """Address the client came from, `host:port`."""
    application: Masked
    deadline: float | None
    policy: str
    owner: str = ""
    """Key of the person that an agent acts for."""
    lease: str = ""
    """Identifier of the lease it was opened with; empty when the client brought its own token."""


@dataclass(frozen=True, slots=True)
class DeadlineMoved(Body):
    """The time that a session has left changed: a newer token or lease, a grant."""

    bound: str
    """What limits it by this much: `token`, `lease`, `policy` or `grant`."""
    until: float
    """Unix seconds at which this bound ends the session."""
    deadline: float
    """Unix seconds of the earliest of all bounds."""
    approval: int = 0
    """For a grant: number of the approval that gave it, perhaps to another session; the session is in by it from here on."""


@dataclass(frozen=True, slots=True)
class CredentialMinted(Body):
    """The target was given a credential for this session alone."""

    kind: str
    """`role`, `certificate` or `token`."""
    name: str
    """What it is called on the target."""
    until: float
    """Unix seconds at which the target itself stops accepting it."""


@dataclass(frozen=True, slots=True)
class CredentialRemoved(Body):
    """A minted credential was taken back; `how` is the proof."""

    target: str
    kind: str
    name: str
    confirmed: bool
    """It was seen to be gone."""
    how: str


@dataclass(frozen=True, slots=True)
class SessionClosed(Body):
    reason: Masked
    operations: int
    masked: int
    """Values masked in all."""
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True)
class RecordingSealed(Body):
    """The recording's file is whole; its hash ties it to the journal."""

    size: int
    sha256: str
    cut: bool
    """Rows beyond the configured cap were left out."""


@swift
class Asked(Body):
    """A client asked for an operation; written before anything is decided."""

    operation: int
    """Number within the session, from 1."""
    verb: str
    text: Masked
    commands: tuple[str, ...]
    relations: tuple[str, ...]
    parameters: tuple[Masked | None, ...] = ()


@swift
class Decided(Body):
    """The verdict on an operation: by the policy alone, or after people voted."""

    operation: int
    effect: str
    """`allow` or `deny`."""
    why: str
    """`policy`, `approved`, `granted`, `denied`, `expired`, `withdrawn`, `killed`, `deadline`, `unrecorded`, `error`."""
    rules: tuple[str, ...]
    reason: str
    policy: str
    approval: int = 0
    """The approval that settled it, or whose grant did."""
    by: str = ""
    """Key of the approver or denier, empty when the policy alone spoke."""


@dataclass(frozen=True, slots=True)
class Held(Body):
    operation: int
    approval: int
    rule: str
    reason: str
    by: tuple[str, ...]
    quorum: int
    risk: str
    expires_at: float
    access: bool = False
    """The connection itself waits to be let in."""
    break_glass: tuple[str, ...] = ()
    """Groups that may break the glass for it."""
    group: tuple[Masked, ...] = ()
    """The objects that were shown with it for one review of all, its own among them, as `Asked.relations` names each."""


@dataclass(frozen=True, slots=True)
class Voted(Body):
    approval: int
    operation: int
    by: str
    name: Masked
    approve: bool
    reason: Masked
    scope: str
    lasts: float = 0.0
    """Seconds of access that the voter gives; 0 where the rule's own time holds."""
    break_glass: bool = False
    """The voter let it go alone, in an emergency."""
    groups: tuple[str, ...] = ()
    """The voter's groups, as they were then, that gave them a say."""


@dataclass(frozen=True, slots=True)
class Claimed(Body):
    """An approver is looking into a held operation, so that nobody else has to."""

    approval: int
    operation: int
    by: str
    name: Masked


@dataclass(frozen=True, slots=True)
class GrantGiven(Body):
    approval: int
    scope: str
    """`fingerprint`, `group`, `run` or `rule`; `access` for just-in-time access to the whole target."""
    rule: str
    until: float


@dataclass(frozen=True, slots=True)
class GrantEnded(Body):
    """A grant was taken back before its time."""

    approval: int
    identity: str
    target: str
    by: str
    reason: Masked


@swift
class Finished(Body):
    """The target's answer to an operation is complete."""

    operation: int
    tag: Masked
    """`SELECT 5`, `UPDATE 1`, or the error's code and text."""
    ok: bool
    rows: int
    masked: int
    milliseconds: float
    masks: tuple[str, ...] = ()
    """Identifiers of the mask rules that fired."""


@dataclass(frozen=True, slots=True)
class Frozen(Body):
    by: str
    on: bool


@dataclass(frozen=True, slots=True)
class KillAsked(Body):
    by: str
    reason: Masked


@dataclass(frozen=True, slots=True)
class KillDone(Body):
    confirmed: bool
    how: str
    seconds: float


# --- what only recordings keep -------------------------------------------------------------------


@swift
class Header(Body):
    """Names of the columns that follow."""

    kept: ClassVar[Kept] = "recording"
    operation: int
    columns: tuple[Masked, ...]


@swift
class Rows(Body):
    """Result rows as the client saw them; None is SQL NULL."""

    kept: ClassVar[Kept] = "recording"
    operation: int
    rows: tuple[tuple[Masked | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Output(Body):
    """Anything else the client saw: a notice, an error, copied lines, a notification."""

    kept: ClassVar[Kept] = "recording"
    operation: int
    stream: str
    """`notice`, `error`, `copy-out`, `copy-in`, `notify`."""
    text: Masked


@dataclass(frozen=True, slots=True)
class Omitted(Body):
    """The cap of the recording was reached; the client saw these rows or bytes, the recording has not."""

    kept: ClassVar[Kept] = "recording"
    operation: int
    rows: int
    bytes: int
    cap: int
    """The configured cap in bytes for one operation, or for one terminal."""


BODIES: tuple[type[Body], ...] = (
    GatewayStarted,
    GatewayStopped,
    TornTail,
    PolicyLoaded,
    PolicyRejected,
    Alert,
    LoginFailed,
    SessionOpened,
    DeadlineMoved,
    CredentialMinted,
    CredentialRemoved,
    SessionClosed,
    RecordingSealed,
    Asked,
    Decided,
    Held,
    Voted,
    Claimed,
    GrantGiven,
    GrantEnded,
    LeaseIssued,
    LeaseEnded,
    IdentityBlocked,
    IdentityUnblocked,
    OperatorLoggedIn,
    OperatorLoggedOut,
    CertificateIssued,
    Finished,
    Frozen,
    KillAsked,
    KillDone,
    Header,
    Rows,
    Output,
    Omitted,
    TerminalOpened,
    TerminalOutput,
    TerminalResized,
    FileDone,
)
"""Every body there is; the codec takes its tags from here."""
