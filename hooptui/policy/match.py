"""The conditions of a rule as functions: of who and where, once a session; of what, once an operation. Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from hooptui.core.model import Facts, Identity, KubernetesFacts, SshFacts, Target
from hooptui.core.vocabulary import COMMANDS
from hooptui.policy.globs import any_glob, pattern, wild
from hooptui.policy.match_kubernetes import KubernetesWhat
from hooptui.policy.match_ssh import SshWhat
from hooptui.policy.rules import MaskWhen, Postgres, Principal, Resource, Rule, When, expand

_QUOTED = re.compile(r'"((?:[^"]|"")*)"|([^."]+)')

Pair = tuple[str | None, str]
"""Schema, None when the text names none, and name."""


def covers(globs: Iterable[str]) -> Callable[[Iterable[str]], bool]:
    """For an allow: whether *every* name matches, bare names only bare patterns, qualified ones only qualified patterns.

    What the search path would make of a bare name is not known here, so neither stands for the other. `*` alone matches all.
    A name with a quoted part (one that holds a dot or a quote) matches nothing but `*`.
    """
    listed = tuple(globs)
    if "*" in listed:
        return lambda names: True
    exact = frozenset(glob for glob in listed if not wild(glob))
    wilds = [r"\.".join(pattern(part, "[^.]") for part in glob.split(".")) for glob in listed if wild(glob)]
    if not wilds:
        return exact.issuperset
    matches = re.compile("|".join(f"(?:{one})" for one in wilds), re.DOTALL).fullmatch
    return lambda names: all(name in exact or ('"' not in name and matches(name) is not None) for name in names)


def touches(globs: Iterable[str]) -> Callable[[Iterable[Pair]], bool]:
    """For a deny or approve: whether *any* name may be one that is meant.

    A bare name may be in any schema, so `public.t` and `*.t` are met by `t`; a bare pattern means any schema's. Case is ignored.
    """
    listed = [split(glob.lower()) for glob in globs]
    exact = {pair for pair in listed if not wild(pair[0] or "") and not wild(pair[1])}
    wilds = [(any_glob((schema,)), any_glob((name,))) for schema, name in set(listed) - exact if schema is not None]
    bare = frozenset(name for schema, name in exact if schema is None)
    bare_wild = _wilds(name for schema, name in set(listed) - exact if schema is None)
    either = frozenset(name for _, name in exact)
    either_wild = _wilds(name for _, name in set(listed) - exact)

    def any_of(pairs: Iterable[Pair]) -> bool:
        for pair in pairs:
            schema, name = pair
            if schema is None:
                if name in either or (either_wild is not None and either_wild(name)):
                    return True
            elif (
                name in bare
                or pair in exact
                or (bare_wild is not None and bare_wild(name))
                or (wilds and any(is_schema(schema) and is_name(name) for is_schema, is_name in wilds))
            ):
                return True
        return False

    return any_of


def _wilds(globs: Iterable[str]) -> Callable[[str], object] | None:
    patterns = sorted({f"(?:{pattern(glob)})" for glob in globs})
    return re.compile("|".join(patterns), re.DOTALL).fullmatch if patterns else None


def split(name: str) -> Pair:
    """Schema (None when the text names none) and name, without the quotes that a part with a dot or a quote carries."""
    if '"' not in name:
        schema, dot, last = name.rpartition(".")
        return (schema if dot else None), last
    parts = [quoted.replace('""', '"') or plain for quoted, plain in _QUOTED.findall(name)]
    return (parts[-2] if len(parts) > 1 else None), parts[-1] if parts else name


def who(principal: Principal | None) -> Callable[[Identity], bool]:
    """The conditions on an identity."""
    if principal is None:
        return lambda identity: True
    groups, none, issuers, kinds = principal.groups, principal.groups_none, principal.issuers, principal.kinds
    subjects = any_glob(principal.subjects) if principal.subjects is not None else None

    def matches(identity: Identity) -> bool:
        return (
            (groups is None or not groups.isdisjoint(identity.groups))
            and (none is None or none.isdisjoint(identity.groups))
            and (issuers is None or identity.issuer in issuers)
            and (subjects is None or subjects(identity.subject))
            and (kinds is None or identity.kind in kinds)
        )

    return matches


def where(resource: Resource | None) -> Callable[[Target], bool]:
    """The conditions on a target."""
    if resource is None:
        return lambda target: True
    protocol, names = resource.protocol, any_glob(resource.names) if resource.names is not None else None
    labels: Mapping[str, tuple[str, ...]] = resource.labels or {}

    def matches(target: Target) -> bool:
        return (
            (protocol is None or target.protocol == protocol)
            and (names is None or names(target.name))
            and all(target.labels.get(key) in values for key, values in labels.items())
        )

    return matches


def spoken(when: When) -> str:
    """The protocol of whose operations a rule speaks; empty when of none."""
    if when.postgres is not None:
        return "postgres"
    if when.ssh is not None:
        return "ssh"
    return "kubernetes" if when.kubernetes is not None else ""


def _other(rule: Rule, *, strict: bool) -> SshWhat | KubernetesWhat | None:
    """The conditions of a rule that speaks of another protocol than PostgreSQL."""
    if rule.when.ssh is not None:
        return SshWhat(rule, strict=strict)
    return KubernetesWhat(rule, strict=strict) if rule.when.kubernetes is not None else None


def applies(when: When | MaskWhen) -> Callable[[Identity, Target], bool]:
    """Who and where in one; a rule that speaks of a protocol applies to no other."""
    is_who, is_where = who(when.principal), where(when.resource)
    protocol = spoken(when) if isinstance(when, When) else ""
    if protocol:
        return lambda identity, target: target.protocol == protocol and is_where(target) and is_who(identity)
    return lambda identity, target: is_where(target) and is_who(identity)


KINDS: Final = ("relations", "reads", "writes", "functions")


class Asked:
    """An operation as conditions look at it; its names are taken apart once, for all rules."""

    __slots__ = ("_pairs", "facts", "in_transaction")

    def __init__(self, facts: Facts, in_transaction: bool) -> None:
        self.facts = facts
        self.in_transaction = in_transaction
        self._pairs: dict[str, list[Pair]] = {}

    def names(self, kind: str) -> frozenset[str]:
        """The names that a condition of this kind is about."""
        match kind:
            case "relations":
                return self.facts.reads | self.facts.writes
            case "reads":
                return self.facts.reads
            case "writes":
                return self.facts.writes
            case _:
                return self.facts.functions

    def pairs(self, kind: str) -> list[Pair]:
        """The same, lower-cased and split."""
        known = self._pairs.get(kind)
        if known is None:
            known = self._pairs[kind] = [split(name.lower()) for name in self.names(kind)]
        return known


class What:
    """The conditions of one rule on an operation."""

    __slots__ = ("_covers", "_other", "_touches", "commands", "in_transaction", "missing_where", "narrow", "neutral")

    def __init__(self, rule: Rule, *, strict: bool) -> None:
        """`strict`: for an allow, where all names must match; else for a deny or approve, where one is enough."""
        postgres = rule.when.postgres or Postgres()
        self._other = _other(rule, strict=strict)
        self.narrow = rule.when.postgres is not None or self._other is not None
        """False when the rule says nothing of operations, and so means all."""
        words = None if postgres.commands is None else expand(postgres.commands)
        self.commands = None if words is None else words & COMMANDS
        self.neutral = frozenset[str]() if words is None else words - COMMANDS
        """`set` is both: the harmless one needs no rule and meets none."""
        named = [(kind, globs) for kind in KINDS if (globs := getattr(postgres, kind)) is not None]
        self._covers = [(kind, covers(globs)) for kind, globs in named] if strict else []
        self._touches = [] if strict else [(kind, touches(globs)) for kind, globs in named]
        self.missing_where = postgres.missing_where
        self.in_transaction = postgres.in_transaction
        if self._other is not None:
            self.commands = self._other.commands

    def fits(self, asked: Asked) -> bool:
        """Whether everything but the commands agrees."""
        if self._other is not None:
            return self._other.fits(asked.facts)
        if self.missing_where is not None and self.missing_where is not asked.facts.missing_where:
            return False
        if self.in_transaction is not None and self.in_transaction is not asked.in_transaction:
            return False
        for kind, all_of in self._covers:
            if not all_of(asked.names(kind)):
                return False
        for kind, any_of in self._touches:  # noqa: SIM110 - on the hot path, where a generator costs more than the test
            if not any_of(asked.pairs(kind)):
                return False
        return True

    def names(self, asked: Asked) -> list[tuple[str, bool, frozenset[str]]]:
        """Each condition on names, whether it agrees, and the names, for people."""
        match self._other, asked.facts:
            case (SshWhat() as ssh, SshFacts() as facts):
                return list(ssh.checks(facts))
            case (KubernetesWhat() as kubernetes, KubernetesFacts() as facts):
                return list(kubernetes.checks(facts))
            case (SshWhat() | KubernetesWhat(), _):
                return []
        strict = [(kind, all_of(asked.names(kind)), asked.names(kind)) for kind, all_of in self._covers]
        return strict + [(kind, any_of(asked.pairs(kind)), asked.names(kind)) for kind, any_of in self._touches]

    def met(self, asked: Asked, *, everything: bool) -> bool:
        """Whether a deny or approve is met.

        Args:
            everything: whether a rule without conditions on operations is met by one that does nothing (BEGIN, SET …) too: so
                for a deny, which closes the target; an approve must not hold every COMMIT.
        """
        if self._other is not None:
            return self._other.met(asked.facts)
        if not self.narrow:
            return everything or bool(asked.facts.commands)
        if self.commands is not None:
            if self.commands.isdisjoint(asked.facts.commands) and self.neutral.isdisjoint(asked.facts.neutral):
                return False
        elif not asked.facts.commands and not self._touches:
            return False
        return self.fits(asked)
