"""What a rule, a mask and a test are, as written in YAML and as kept. Knows neither files nor how a rule is applied.

The field names are the keys of the YAML; `schema` and the loader both read these types, so that neither can forget a key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Literal

from hooptui.core.model import Kind, MaskAction, Risk
from hooptui.core.vocabulary import COMMANDS, GROUPS, NEUTRAL, UNKNOWN
from hooptui.core.watch import WatchEffect
from hooptui.policy.rules_kubernetes import Kubernetes, StatedKubernetes
from hooptui.policy.rules_ssh import Ssh, StatedSsh, Texts
from hooptui.strictyaml import Between, Duration, Matches, NotEmpty, OneOf, OneOrMany, Where, nearest

DETECTORS = frozenset({"credit-card", "us-ssn", "email", "iban", "phone", "jwt", "api-key", "private-key"})
DAY = 86400.0
_TEN_MINUTES = Duration(600.0)
_QUARTER_HOUR = Duration(900.0)


class PolicyError(ValueError):
    """The policy cannot be used; `problems` has a line `file:line: …` for everything that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Command:
    """A word of the vocabulary, or of its groups."""

    known: frozenset[str] = (COMMANDS | NEUTRAL | frozenset(GROUPS)) - {UNKNOWN}

    def wrong(self, value: str) -> str | None:
        if value in self.known:
            return None
        if value == UNKNOWN:
            return "nothing here: what is not understood is always denied"
        groups = ", ".join(sorted(GROUPS))
        return f"a command such as select, update, drop, or one of the groups {groups}{nearest(value, self.known)}"


Identifier = Annotated[
    str, Matches(r"[a-z0-9][a-z0-9._-]{0,62}", "an id of lower-case letters, digits, dot, dash and underscore")
]
Words = Annotated[str, Matches(r"[^\n]{1,400}", "one line of text, at most 400 characters")]
Exact = Annotated[str, Matches(r"[^\s*?]{1,256}", "a name without spaces or wildcards")]
Group = Annotated[str, Matches(r"[^\n*?]{1,256}", "the name of a group, without wildcards")]
Glob = Annotated[str, Matches(r"[^\s\[\]]{1,256}", "a name, where * stands for any text and ? for one character")]
Relation = Annotated[
    str,
    Matches(
        r"""[^\s."'\[\]]{1,64}(\.[^\s."'\[\]]{1,64})?""",
        "name or schema.name, where * stands for any text and ? for one character",
    ),
]
ColumnGlob = Annotated[
    str,
    Matches(
        r"""[^\sA-Z."'\[\]]{1,64}(\.[^\sA-Z."'\[\]]{1,64}){0,2}""",
        "column, table.column or schema.table.column in lower case, where * stands for any text",
    ),
]
SecretType = Annotated[str, Matches(r"[A-Za-z0-9._/-]{1,253}", "a type of Secrets, such as helm.sh/release.v1")]
FieldPath = Annotated[
    str,
    Matches(
        r'(?=.{3,256}$)(\*|[a-z0-9-]{1,63})\.[^\s.\[\]"]+(\.[^\s.\[\]"]+|\[\*\]|\["[^"]{1,200}"\])*(?<!\*\*)',
        "a resource without its group and a path into it, such as configmaps.data.* or *.**.env[*].value",
    ),
]
Protocol = Literal["postgres", "ssh", "kubernetes"]
Globs = Annotated[tuple[Glob, ...], NotEmpty()]
Relations = Annotated[tuple[Relation, ...], NotEmpty()]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who. Any one of a list is enough; every key that is there must agree."""

    groups: Annotated[frozenset[Group], NotEmpty()] | None = None
    groups_none: Annotated[frozenset[Group], NotEmpty()] | None = None
    """Matches who is in none of these."""
    issuers: Annotated[frozenset[Exact], NotEmpty()] | None = None
    subjects: Globs | None = None
    """Globs. A subject means something only together with its issuer."""
    kinds: Annotated[frozenset[Kind], NotEmpty()] | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """Where."""

    protocol: Protocol | None = None
    names: Globs | None = None
    """Globs over names of targets."""
    labels: Mapping[str, Annotated[tuple[str, ...], OneOrMany(), NotEmpty()]] | None = None
    """Every label must have the value, or one of the values."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """What. Patterns of relations and functions are `name` or `schema.name`.

    A deny or approve is touched by any one match, and takes a bare name for one in any schema: `public.t` and `*.t` match `t`,
    `t` matches `a.t`; case is ignored. An allow covers only when all match, exactly: `t` covers the bare name alone and
    `public.t` that alone; `*` by itself covers everything.
    """

    commands: Annotated[frozenset[Annotated[str, Command()]], NotEmpty()] | None = None
    relations: Relations | None = None
    """Read or written."""
    reads: Relations | None = None
    writes: Relations | None = None
    functions: Relations | None = None
    missing_where: bool | None = None
    """Whether an UPDATE or DELETE has no WHERE worth the name."""
    in_transaction: bool | None = None


@dataclass(frozen=True, slots=True)
class When:
    principal: Principal | None = None
    resource: Resource | None = None
    postgres: Postgres | None = None
    ssh: Ssh | None = None
    kubernetes: Kubernetes | None = None


@dataclass(frozen=True, slots=True)
class MaskWhen:
    principal: Principal | None = None
    resource: Resource | None = None


class RuleEffect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    APPROVE = "approve"


Offer = Literal["once", "fingerprint", "run", "rule"]
"""Values of `core.model.Scope` that a rule may offer: a `group` covers what its reviewer sees and nothing else, and needs no offer."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What it takes to let a held operation go on."""

    by: Annotated[frozenset[Group], NotEmpty()]
    """Groups whose members may vote."""
    quorum: Annotated[int, Between(1, 5)] = 1
    expires: Annotated[Duration, Between(5, DAY, "a duration from 5s to 1d")] = _TEN_MINUTES
    scopes: Annotated[frozenset[Offer], NotEmpty()] = frozenset({"once"})
    scope_lasts: Annotated[Duration, Between(10, DAY, "a duration from 10s to 1d")] = _QUARTER_HOUR
    risk: Risk = Risk.MEDIUM
    reason: Literal["required", "optional"] = "optional"
    break_glass: Annotated[frozenset[Group], NotEmpty()] = frozenset()
    """Groups whose members may let their own request go in an emergency; needs a reason, and everybody is told."""
    break_glass_lasts: Annotated[Duration, Between(10, DAY, "a duration from 10s to 1d")] = _QUARTER_HOUR
    """Longest access that a broken glass gives."""


@dataclass(frozen=True, slots=True)
class Rule:
    id: Identifier
    effect: RuleEffect
    when: When
    where: Where
    reason: Words = ""
    """Shown to whoever is refused and to whoever approves."""
    hint: Words = ""
    """Advice for the client."""
    grants: bool = False
    """An approve that stands for a missing allow: just-in-time access."""
    session_max: Annotated[Duration, Between(60, 30 * DAY, "a duration from 1m to 30d")] | None = None
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class Mask:
    id: Identifier
    action: MaskAction
    where: Where
    when: MaskWhen = MaskWhen()
    columns: Annotated[tuple[ColumnGlob, ...], NotEmpty()] | None = None
    secrets: bool = False
    """The values of Kubernetes Secrets, in every shape in which they leave."""
    secrets_except: Annotated[frozenset[SecretType], NotEmpty()] | None = None
    """Types of Secrets that this mask leaves as they are."""
    fields: Annotated[tuple[FieldPath, ...], NotEmpty()] | None = None
    """Of Kubernetes objects: a resource and a path into it."""
    detect: (
        Annotated[frozenset[Annotated[str, OneOf(DETECTORS, f"one of {', '.join(sorted(DETECTORS))}")]], NotEmpty()]
        | None
    ) = None


@dataclass(frozen=True, slots=True)
class Watch:
    """What is looked for in an open terminal of an SSH session. By the time it is seen it has been typed, or shown."""

    id: Identifier
    effect: WatchEffect
    where: Where
    reason: Words = ""
    """Shown to the operator, and to the client whose session it ends."""
    when: MaskWhen = MaskWhen()
    typed: Texts | None = None
    """Globs over whole typed lines, as the target echoed them, without the prompt and blanks around them; case is ignored."""
    output: Texts | None = None
    """Globs over whole lines of output, without colours; case is ignored."""


@dataclass(frozen=True, slots=True)
class StatedFacts:
    """What a statement does, said instead of read from SQL."""

    commands: frozenset[Annotated[str, OneOf(COMMANDS - {UNKNOWN}, "a command")]] = frozenset()
    neutral: frozenset[Annotated[str, OneOf(NEUTRAL, "a neutral command such as begin")]] = frozenset()
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    missing_where: bool = False
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks what of which target. Without `sql`, `facts`, `ssh`, `asks` and `kubernetes` it only connects."""

    resource: Exact
    protocol: Protocol = "postgres"
    labels: Mapping[str, str] | None = None
    groups: frozenset[Group] = frozenset()
    issuer: Exact = "https://issuer.example"
    subject: Exact = "someone"
    kind: Kind = Kind.HUMAN
    sql: str | None = None
    facts: StatedFacts | None = None
    ssh: str | None = None
    """A command line for a target of SSH."""
    asks: StatedSsh | None = None
    """What else may be asked of one."""
    kubernetes: StatedKubernetes | None = None
    """What is asked of a cluster."""
    in_transaction: bool = False
    typed: Words | None = None
    """A line typed into a terminal of a target of SSH."""
    output: Words | None = None
    """A line that such a terminal shows."""

    @property
    def speaks(self) -> str:
        """The protocol: the one of what is asked."""
        if self.kubernetes is not None:
            return "kubernetes"
        said = (self.ssh, self.asks, self.typed, self.output)
        return self.protocol if all(one is None for one in said) else "ssh"


class Expect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    HOLD = "hold"
    REFUSED = "refused-to-connect"
    ACCESS = "access"
    """The connection waits until people let it in."""


@dataclass(frozen=True, slots=True)
class Test:
    """An example that the policy must get right."""

    __test__ = False

    name: Words
    request: Request
    where: Where
    expect: Expect | None = None
    granted: Annotated[frozenset[Identifier], NotEmpty()] | None = None
    """Rules that grant, as if people had let this connection in by them."""
    by: Identifier | None = None
    """A rule that must be among those that decided."""
    masks: frozenset[Identifier] | None = None
    """Exactly the masks that must hold for this identity on this target."""
    watches: frozenset[Identifier] | None = None
    """Exactly the watches that must notice the typed line and the output of the request."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All files as one value. Order of files and of rules in them means nothing: everything is sorted by id."""

    rules: tuple[Rule, ...]
    masks: tuple[Mask, ...]
    tests: tuple[Test, ...]
    version: str
    """SHA-256, hexadecimal, over the texts of the files; see `loader`."""
    files: tuple[str, ...] = ()
    watches: tuple[Watch, ...] = ()

    @property
    def short(self) -> str:
        """The version as people say it."""
        return self.version[:12]

    def without(self, name: str) -> Policy:
        """The same policy less one rule, mask or watch."""
        return replace(
            self,
            rules=tuple(rule for rule in self.rules if rule.id != name),
            masks=tuple(mask for mask in self.masks if mask.id != name),
            watches=tuple(watch for watch in self.watches if watch.id != name),
        )


def expand(commands: frozenset[str]) -> frozenset[str]:
    """Commands with the group names replaced by what they stand for."""
    return frozenset().union(*(GROUPS.get(word, (word,)) for word in commands))
