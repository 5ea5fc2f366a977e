"""The conditions of a rule on a Kubernetes request as functions. Decides nothing.

For an allow all that is asked must be covered. For a deny or approve it is enough that something may be meant: any group of a resource
and any subresource, each object of a collection, each namespace of what is over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hooptui.core.model import Invocation, KubernetesFacts
from hooptui.core.vocabulary import KUBERNETES_TRAITS
from hooptui.policy.globs import any_glob
from hooptui.policy.match_ssh import covers as covers_program
from hooptui.policy.match_ssh import touches as touches_program
from hooptui.policy.rules import Rule
from hooptui.policy.rules_kubernetes import Kubernetes, expand

_Kinds = Callable[[KubernetesFacts], bool]


def covers_kind(globs: Iterable[str]) -> _Kinds:
    """For an allow: exactly this resource of this group, and this subresource. `*` is everything; `*` with no group is of any."""
    listed = tuple(globs)
    if "*" in listed:
        return lambda facts: True
    patterns = [
        (_one(name), _one("*" if name == "*" and not group else group), _part(part))
        for name, group, part in map(_split, listed)
    ]
    return lambda facts: any(
        name(facts.resource) and group(facts.group) and part(facts.subresource) for name, group, part in patterns
    )


def touches_kind(globs: Iterable[str]) -> _Kinds:
    """For a deny or approve: a name without a group is of any group, one without a subresource has all of them. Case is ignored."""
    patterns = [
        (_one(name), _one(group or "*"), _part(part) if part else _one("*")) for name, group, part in map(_split, globs)
    ]
    return lambda facts: any(
        name(facts.resource.lower()) and group(facts.group.lower()) and part(facts.subresource.lower())
        for name, group, part in patterns
    )


def _split(glob: str) -> tuple[str, str, str]:
    whole, _, part = glob.partition("/")
    name, _, group = whole.partition(".")
    return name, group, part


def _part(glob: str) -> Callable[[str], bool]:
    """Of a subresource: `pods/*` is not pods."""
    matches = _one(glob)
    return lambda text: matches(text) and bool(text) is bool(glob)


def _one(glob: str) -> Callable[[str], bool]:
    return any_glob((glob,))


class KubernetesWhat:
    """The conditions of one rule on a Kubernetes request; has the face of `match.What`."""

    __slots__ = (
        "_kinds",
        "_names",
        "_namespaces",
        "_paths",
        "_programs",
        "_selectors",
        "_traits",
        "commands",
        "strict",
        "what",
    )

    def __init__(self, rule: Rule, *, strict: bool) -> None:
        """`strict`: for an allow, where all must match; else for a deny or approve, where it is enough that something may."""
        what = rule.when.kubernetes or Kubernetes()
        self.what = what
        self.strict = strict
        self.commands = None if what.verbs is None else expand(what.verbs)
        kinds = covers_kind if strict else touches_kind
        self._kinds = None if what.resources is None else kinds(what.resources)
        self._paths = None if what.paths is None else any_glob(what.paths)
        self._namespaces = None if what.namespaces is None else any_glob(what.namespaces)
        self._names = None if what.names is None else any_glob(what.names)
        self._selectors = None if what.selectors is None else any_glob(what.selectors)
        programs = covers_program if strict else touches_program
        self._programs = None if what.programs is None else [programs(one) for one in what.programs]
        self._traits = what.traits
        if strict and what.traits is None:
            self._traits = frozenset() if what.programs is not None else KUBERNETES_TRAITS

    def fits(self, facts: object) -> bool:
        """Whether everything but the verbs agrees."""
        return isinstance(facts, KubernetesFacts) and all(holds for _, holds, _ in self.checks(facts))

    def met(self, facts: object) -> bool:
        """Whether a deny or approve is met. A rule for the rest never is: it only stands in for an allow."""
        if not isinstance(facts, KubernetesFacts) or self.what.rest:
            return False
        if self.commands is not None and self.commands.isdisjoint(facts.actions):
            return False
        return self.fits(facts)

    def checks(self, facts: KubernetesFacts) -> Iterator[tuple[str, bool, frozenset[str]]]:
        """Each condition, whether it agrees, and what it is about."""
        if facts.actions:
            yield from self._object(facts)
        if self._traits is not None and (self.strict or self.what.traits is not None):
            agrees = facts.traits <= self._traits if self.strict else not facts.traits.isdisjoint(self._traits)
            yield "traits", agrees, facts.traits
        if self._programs is not None:
            yield "programs", self._program(facts), facts.functions
        if self._selectors is not None:
            said = facts.label_selector
            yield "selectors", self._selectors(said) or (not said and not self.strict), frozenset({said} - {""})
        if self.what.without_selector is not None:
            yield "without_selector", self.what.without_selector is facts.missing_where, frozenset()

    def _object(self, facts: KubernetesFacts) -> Iterator[tuple[str, bool, frozenset[str]]]:
        """The conditions on what it is about."""
        if not facts.resource:
            about = frozenset({facts.path})
            if self._paths is not None:
                yield "paths", self._paths(facts.path), about
            else:
                # A rule that speaks of resources means no path.
                yield "resources", self._kinds is None and self._namespaces is None and self._names is None, about
            return
        if self._kinds is not None:
            yield "resources", self._kinds(facts), frozenset({facts.kind})
        elif self._paths is not None:
            yield "paths", False, frozenset({facts.kind})
        if self._namespaces is not None:
            place = facts.namespace or (facts.name if facts.resource == "namespaces" else "")
            everywhere = not self.strict and "all_namespaces" in facts.traits
            agrees = everywhere or self._in(self._namespaces, place)
            yield "namespaces", agrees, frozenset({place} - {""})
        if self._names is not None:
            many = not self.strict and not facts.name
            yield "names", many or self._in(self._names, facts.name), frozenset({facts.name} - {""})

    def _in(self, globs: Callable[[str], bool], name: str) -> bool:
        """For an allow, what has no name is covered by no glob, not even by `*`."""
        return bool(name) and globs(name)

    def _program(self, facts: KubernetesFacts) -> bool:
        if not facts.command:
            # Whatever runs behind an attach, no rule about programs covers it.
            return False
        invocation = Invocation(facts.command[0], facts.command[1:])
        return any(one(invocation) for one in self._programs or ())
