"""The nouns: small frozen values that every room shares. Knows no socket, no file, no screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, final

from hooptui.core.group import Group as Group
from hooptui.core.group import Member as Member
from hooptui.core.kubernetes import KubernetesFacts as KubernetesFacts
from hooptui.core.vocabulary import SSH_CHANGES

EMPTY: Mapping[str, str] = MappingProxyType({})


def _empty() -> Mapping[str, str]:
    return EMPTY


class Kind(StrEnum):
    """What stands behind an identity."""

    HUMAN = "human"
    WORKLOAD = "workload"
    AGENT = "agent"
    """A program that acts for a person; `Identity.owner` says for whom."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who: issuer and subject are the key for policy and audit; everything else is for people to read."""

    issuer: str
    subject: str
    name: str
    """Display name; may be set by the person at some providers, so never a key."""
    groups: frozenset[str] = frozenset()
    expires_at: float | None = None
    """Unix seconds at which the credential that proved this identity ends; None when it has no end."""
    kind: Kind = Kind.HUMAN
    owner: str | None = None
    """Key of the person an agent acts for, when known; that person may not approve for it either."""

    @property
    def key(self) -> str:
        """Issuer and subject in one string, the only name by which two identities are compared."""
        return f"{self.issuer}#{self.subject}"


@dataclass(frozen=True, slots=True)
class Target:
    """A protected PostgreSQL database, SSH host or Kubernetes cluster."""

    name: str
    protocol: str
    """`postgres`, `ssh` or `kubernetes`."""
    labels: Mapping[str, str] = field(default_factory=_empty, hash=False)


@dataclass(frozen=True, slots=True)
class SqlFacts:
    """What PostgreSQL's own parser says a text does, by effect. A batch is one value: the union of its statements."""

    commands: frozenset[str]
    """Lower-case effects: select insert update delete merge truncate drop … ; `unknown` when not understood.

    Transaction control and other statements without effect of their own are in `neutral`, never here."""
    neutral: frozenset[str] = frozenset()
    """begin commit rollback savepoint release close deallocate … : need no allow of their own."""
    reads: frozenset[str] = frozenset()
    """Relations read, lower-case as PostgreSQL folds them, `schema.name` when the text says the schema, else `name`."""
    writes: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    """Functions called, like relations."""
    missing_where: bool = False
    """An UPDATE or DELETE has no WHERE, or one that mentions no column."""
    statements: int = 1
    unknown: str = ""
    """Why the text was not understood; empty when it was."""

    def __hash__(self) -> int:
        # Decisions are remembered by facts, and asked for with each operation: sets remember their hashes, the rest seldom differs.
        return hash((self.commands, self.neutral, self.reads, self.writes))

    @property
    def understood(self) -> bool:
        return not self.unknown


@dataclass(frozen=True, slots=True)
class Invocation:
    """One program that a command line starts, as far as its text says."""

    program: str
    """As bash would look it up, quotes and escapes taken away; empty when only the target can tell."""
    arguments: tuple[str, ...] = ()
    """Likewise. A word that is worked out on the target is there as written, and a trait says that there is one."""


@dataclass(frozen=True, slots=True)
class SshFacts:
    """What an SSH client asks for: a command, a file, a forward. A command line is one value: the union of what it starts."""

    actions: frozenset[str]
    """Words of `core.vocabulary.SSH_ACTIONS`."""
    invocations: tuple[Invocation, ...] = ()
    """Every program that is started, in the order of the text, whatever it is part of."""
    paths: frozenset[str] = frozenset()
    """Files that are named, `.`, `..` and doubled slashes taken out of absolute ones."""
    destinations: frozenset[str] = frozenset()
    """Of forwards: `host:port`, or the path of a socket."""
    traits: frozenset[str] = frozenset()
    """Words of `core.vocabulary.SSH_TRAITS`: what a command line does beside starting programs with fixed arguments."""
    size: int | None = None
    """Bytes to be transferred, when known before."""
    unknown: str = ""
    """Why it was not understood; empty when it was."""

    @property
    def understood(self) -> bool:
        return not self.unknown

    # What every kind of facts can be asked.

    @property
    def commands(self) -> frozenset[str]:
        return self.actions

    @property
    def neutral(self) -> frozenset[str]:
        return frozenset()

    @property
    def reads(self) -> frozenset[str]:
        """Every path, unless nothing is done but changing files."""
        return frozenset() if self.actions and self.actions <= SSH_CHANGES else self.paths

    @property
    def writes(self) -> frozenset[str]:
        """Every path, when files may be changed: by their own operations, or by a redirection."""
        return self.paths if self.actions & SSH_CHANGES or "redirects_out" in self.traits else frozenset()

    @property
    def functions(self) -> frozenset[str]:
        """The programs."""
        return frozenset(one.program for one in self.invocations)

    @property
    def missing_where(self) -> bool:
        return False

    @property
    def statements(self) -> int:
        return len(self.invocations)


Facts = SqlFacts | SshFacts | KubernetesFacts
"""One frozen facts type for each protocol."""


def nothing(protocol: str) -> Facts:
    """The facts of what does nothing yet: a connection that asks to be let in."""
    match protocol:
        case "ssh":
            return SshFacts(frozenset())
        case "kubernetes":
            return KubernetesFacts(frozenset())
        case _:
            return SqlFacts(frozenset())


@final
class Operation:
    """One thing a client asks for. `text` is raw: it reaches people only through a masker.

    Not a dataclass, because one is made for each small query."""

    __slots__ = ("context", "facts", "group", "in_transaction", "parameters", "protocol", "run", "text", "verb")

    def __init__(
        self,
        protocol: str,
        verb: str,
        text: str,
        facts: Facts,
        parameters: tuple[str | None, ...] = (),
        in_transaction: bool = False,
        context: Mapping[str, str] = EMPTY,
        run: str = "",
        group: Group | None = None,
    ) -> None:
        self.protocol: Final = protocol
        self.verb: Final = verb
        """The leading command, for a narrow column: `delete`."""
        self.text: Final = text
        self.facts: Final = facts
        self.parameters: Final = parameters
        """Bound values as text where they can be shown; raw, like `text`."""
        self.in_transaction: Final = in_transaction
        self.context: Final = context
        """What only the protocol knows and a reviewer should see, e.g. `prepared: s1`."""
        self.run: Final = run
        """Equal for operations of one session that differ in nothing but the object, and that their client says are one
        command's; empty where it says nothing."""
        self.group: Final = group
        """What else of that command is known beforehand, object by object; None where nothing is."""


class Effect(StrEnum):
    """The policy's answer."""

    ALLOW = "allow"
    DENY = "deny"
    HOLD = "hold"


class Scope(StrEnum):
    """How far one approval reaches."""

    ONCE = "once"
    FINGERPRINT = "fingerprint"
    GROUP = "group"
    """The objects that were shown with it, each once: `Operation.group`. No rule offers it: nothing in it is unseen."""
    RUN = "run"
    """The rest of one run of a command, as far as it goes on as it began: `Operation.run`."""
    RULE = "rule"


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """What it takes to let a held operation go on."""

    rule: str
    by: frozenset[str]
    """Groups whose members may vote."""
    quorum: int = 1
    expires: float = 600.0
    """Seconds until the hold denies itself."""
    scopes: tuple[Scope, ...] = (Scope.ONCE,)
    scope_lasts: float = 900.0
    """Seconds a `fingerprint`, `group`, `run` or `rule` grant lives."""
    risk: Risk = Risk.MEDIUM
    reason_required: bool = False
    break_glass: frozenset[str] = frozenset()
    """Groups whose members may let their own request go in an emergency: alone, with a reason, for everybody to see."""
    break_glass_lasts: float = 900.0
    """Longest access in seconds that a broken glass gives."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a connection without a standing allow must wait for: just-in-time access."""

    rules: frozenset[str]
    """The approve rules with `grants: true` that people are asked to put in force."""
    terms: HoldTerms
    """`scope_lasts` is the longest access that may be given."""
    words: str
    """The rules' own reason."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The policy's answer to one operation, with the rules that led there."""

    effect: Effect
    rules: tuple[str, ...]
    """Identifiers of the rules that decided, the first one the one to show."""
    reason: str
    """The rule's own words."""
    hint: str = ""
    """Advice for the client."""
    terms: HoldTerms | None = None
    """Set exactly when `effect` is HOLD."""
    policy: str = ""
    """Version of the policy that spoke: a hash of its files."""


class MaskAction(StrEnum):
    REDACT = "redact"
    PARTIAL = "partial"
    HASH = "hash"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class MaskRule:
    """One protection: columns by name or provenance, detectors by content, and what to do with a hit."""

    id: str
    columns: tuple[str, ...] = ()
    """Glob patterns over `column`, `table.column` or `schema.table.column`, lower case."""
    detect: tuple[str, ...] = ()
    """Detector names: credit-card us-ssn email iban phone jwt api-key private-key."""
    action: MaskAction = MaskAction.REDACT
    secrets: bool = False
    """Values of Kubernetes' Secrets, and of what else is a credential by its kind, wherever they show up."""
    fields: tuple[str, ...] = ()
    """Fields of Kubernetes' objects: `configmaps.data.*`, `*.**.env[*].value`."""
    secrets_except: tuple[str, ...] = ()
    """Types of Secrets that `secrets` leaves as they are: `helm.sh/release.v1`."""


@dataclass(frozen=True, slots=True)
class MaskSet:
    """The union of the masks that hold for one identity on one target under one policy version."""

    rules: tuple[MaskRule, ...] = ()
    version: str = ""

    def __bool__(self) -> bool:
        return bool(self.rules)


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """Where a result column truly comes from."""

    schema: str
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result as the protocol announces it."""

    name: str
    source: ColumnSource | None
    """None when the column is an expression, or its relation could not be named."""
    type_oid: int
    """PostgreSQL type OID."""
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """What an approval left behind for later operations of the same identity on the same target."""

    scope: Scope
    identity: str
    target: str
    rule: str
    fingerprint: str
    until: float
    """Unix seconds."""
    approval: int
    """Number of the approval that gave it."""
    access: frozenset[str] = frozenset()
    """For just-in-time access: the granting rules that count as allows until then. Such a grant opens connections."""
    members: frozenset[Member] = frozenset()
    """Of a `group`: the objects it has not let go yet."""
    terms: HoldTerms | None = None
    """Of a `group`: what it was approved under. Under other terms it lets nothing go."""


class Bound(StrEnum):
    """What limits the life of a session; the earliest one ends it."""

    TOKEN = "token"  # noqa: S105 - a word, not a secret
    LEASE = "lease"
    POLICY = "policy"
    GRANT = "grant"


@dataclass(frozen=True, slots=True)
class Lease:
    """A short gateway-minted secret that stands for an identity where a stock client cannot carry its token.

    The value has no secret in it: that is shown once, and only a verifier of it is kept.
    """

    id: str
    """`hl_` and twelve characters; the user name of a SCRAM login and what operators see."""
    identity: Identity
    """With `expires_at` set to the lease's own end."""
    issued_at: float
    """Unix seconds."""
    expires_at: float
    how: str
    """What the identity was proved with: `device`, `browser`, `saml`, `exchange`."""


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server needs to check a SCRAM-SHA-256 login (RFC 5802 section 3, RFC 7677), without the secret itself."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
