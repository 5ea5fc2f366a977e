"""Is the policy what its author meant: checks, the tests in its files, and whether these tests notice a missing rule.

Pure functions from a policy to reports; whoever calls them prints. SQL is read by a function that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from types import MappingProxyType

from hooptui.core.model import (
    Decision,
    Facts,
    Identity,
    Invocation,
    KubernetesFacts,
    Operation,
    SqlFacts,
    SshFacts,
    Target,
    nothing,
)
from hooptui.core.watch import WatchRule
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.loader import load
from hooptui.policy.match import spoken
from hooptui.policy.rules import Expect, Policy, PolicyError, Request, Rule, RuleEffect, StatedFacts, Test, When, expand
from hooptui.policy.rules_kubernetes import StatedKubernetes
from hooptui.policy.rules_kubernetes import expand as expand_kubernetes
from hooptui.policy.rules_ssh import expand as expand_ssh
from hooptui.strictyaml import Where

SqlReader = Callable[[str], SqlFacts]
"""What a text of SQL does; total."""

CommandReader = Callable[[str], SshFacts]
"""What a command line does; total."""

RequestReader = Callable[[str, bytes, str], KubernetesFacts]
"""What a request does: `METHOD /path`, its body and the body's media type; total."""

_NOTHING = SqlFacts(frozenset(), frozenset({"empty"}), statements=0)


def _unread(text: str) -> SshFacts:
    return SshFacts(frozenset({"exec"}), unknown="no reader of commands was given")


def _unasked(line: str, body: bytes, media_type: str) -> KubernetesFacts:
    return KubernetesFacts(frozenset({"get"}), unknown="no reader of requests was given")


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What reading the files yields."""

    policy: Policy | None
    """None when there are problems."""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """Lines `file:line: …` on what is allowed and probably not meant."""

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test of the policy's own."""

    __test__ = False

    name: str
    where: Where
    got: str
    """Effect and rules, in words."""
    wrong: tuple[str, ...] = ()
    """What differs from what the test expects."""

    @property
    def ok(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        return f"{self.where}: {self.name}: {'ok' if self.ok else '; '.join(self.wrong)}"


@dataclass(frozen=True, slots=True)
class TestReport:
    __test__ = False

    results: tuple[TestResult, ...]

    @property
    def failed(self) -> tuple[TestResult, ...]:
        return tuple(result for result in self.results if not result.ok)

    @property
    def ok(self) -> bool:
        """False as well when there is no test at all."""
        return bool(self.results) and not self.failed


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A rule, mask or watch whose absence no test notices."""

    id: str
    where: Where

    def __str__(self) -> str:
        return f"{self.where}: no test fails without {self.id}"


@dataclass(frozen=True, slots=True)
class CoverageReport:
    total: int
    """Rules, masks and watches."""
    uncovered: tuple[Uncovered, ...]
    failing: tuple[TestResult, ...]
    """Tests that fail as it is; coverage means nothing until they pass."""

    @property
    def covered(self) -> int:
        return self.total - len(self.uncovered)

    @property
    def ok(self) -> bool:
        return not self.uncovered and not self.failing


def check(paths: Sequence[Path | str]) -> CheckReport:
    """Read files as the gateway would, and look for what reads well and is probably wrong."""
    try:
        policy = load(paths)
    except PolicyError as wrong:
        return CheckReport(None, wrong.problems)
    return CheckReport(policy, (), tuple(warnings(policy)))


def warnings(policy: Policy) -> Iterator[str]:
    """What is allowed and probably not meant."""
    opening = [rule for rule in policy.rules if rule.effect is RuleEffect.ALLOW or rule.grants]
    if not opening:
        yield f"{policy.files[0] if policy.files else 'policy'}:1: nothing is allowed: nobody can connect"
    approves = [rule for rule in policy.rules if rule.effect is RuleEffect.APPROVE]
    for one, other in combinations(approves, 2):
        if one.approval is None or other.approval is None:
            continue
        both = f"{other.where}: {other.id} and {one.id} ({one.where})"
        if one.grants and other.grants and _may_apply_together(one.when, other.when):
            if not one.approval.by & other.approval.by:
                yield f"{both} share no approvers: who needs access by both gets none"
        elif not one.approval.by & other.approval.by and _may_meet(one, other):
            yield f"{both} share no approvers: what both hold is denied"
    for rule in approves:
        if rule.grants and not rule.reason:
            yield f"{rule.where}: {rule.id} gives access without a reason: approvers see nothing of it but its id"
    for rule in policy.rules:
        for glob in _schema_wide(rule):
            yield f"{rule.where}: {rule.id}: {glob} meets every name without a schema as well, for that may be any schema's"
    for rule in approves:
        if not rule.grants and not any(_may_meet(rule, allow) for allow in opening):
            yield f"{rule.where}: {rule.id} holds what no rule allows: it needs an allow beside it, or grants: true"


def _schema_wide(rule: Rule) -> Iterator[str]:
    what = rule.when.postgres
    if what is not None and rule.effect is not RuleEffect.ALLOW:
        for globs in (what.relations, what.reads, what.writes, what.functions):
            yield from (glob for glob in globs or () if glob.endswith(".*") and glob != "*.*")


def _may_meet(one: Rule, other: Rule) -> bool:
    """Whether one operation might concern both; yes unless plainly not."""
    mine, theirs = one.when, other.when
    if not _may_apply_together(mine, theirs):
        return False
    if spoken(mine) and spoken(theirs) and spoken(mine) != spoken(theirs):
        return False
    if mine.postgres and theirs.postgres and mine.postgres.commands and theirs.postgres.commands:
        return not expand(mine.postgres.commands).isdisjoint(expand(theirs.postgres.commands))
    if mine.ssh and theirs.ssh and mine.ssh.actions and theirs.ssh.actions:
        return not expand_ssh(mine.ssh.actions).isdisjoint(expand_ssh(theirs.ssh.actions))
    if mine.kubernetes and theirs.kubernetes and mine.kubernetes.verbs and theirs.kubernetes.verbs:
        return not expand_kubernetes(mine.kubernetes.verbs).isdisjoint(expand_kubernetes(theirs.kubernetes.verbs))
    return True


def _may_apply_together(mine: When, theirs: When) -> bool:
    """Whether both might apply to one identity on one target; yes unless plainly not."""
    if mine.principal and theirs.principal:
        for groups, none in (
            (mine.principal.groups, theirs.principal.groups_none),
            (theirs.principal.groups, mine.principal.groups_none),
        ):
            if groups is not None and none is not None and groups <= none:
                return False
        kinds, others = mine.principal.kinds, theirs.principal.kinds
        if kinds is not None and others is not None and not kinds & others:
            return False
    if mine.resource and theirs.resource:
        ours = theirs.resource.labels or {}
        for key, values in (mine.resource.labels or {}).items():
            if key in ours and not set(values) & set(ours[key]):
                return False
    return True


def run_tests(
    policy: Policy, reader: SqlReader, commands: CommandReader = _unread, requests: RequestReader = _unasked
) -> TestReport:
    """Every test in the policy's files."""
    return _run(policy, [(test, facts_of(test.request, reader, commands, requests)) for test in policy.tests])


def coverage(
    policy: Policy, reader: SqlReader, commands: CommandReader = _unread, requests: RequestReader = _unasked
) -> CoverageReport:
    """Take away each rule, mask and watch in turn; some test must fail then."""
    ready = [(test, facts_of(test.request, reader, commands, requests)) for test in policy.tests]
    parts = [(one.id, one.where) for several in (policy.rules, policy.masks, policy.watches) for one in several]
    uncovered = tuple(Uncovered(name, where) for name, where in parts if not _run(policy.without(name), ready).failed)
    return CoverageReport(len(parts), uncovered, _run(policy, ready).failed)


def facts_of(
    request: Request, reader: SqlReader, commands: CommandReader = _unread, requests: RequestReader = _unasked
) -> Facts:
    """What the request of a test does."""
    if request.sql is not None:
        return reader(request.sql)
    if request.ssh is not None:
        return commands(request.ssh)
    if request.kubernetes is not None:
        return _stated(request.kubernetes, requests)
    if (asks := request.asks) is not None:
        started = tuple(Invocation(*_program(line)) for line in asks.programs)
        return SshFacts(asks.actions, started, asks.paths, asks.destinations, size=asks.size, unknown=asks.unknown)
    if request.speaks != "postgres":
        return nothing(request.speaks)
    said: StatedFacts | None = request.facts
    if said is None:
        return _NOTHING
    return SqlFacts(
        said.commands, said.neutral, said.reads, said.writes, said.functions, said.missing_where, unknown=said.unknown
    )  # fmt: skip


MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "json": "application/json",
        "yaml": "application/yaml",
        "merge": "application/merge-patch+json",
        "strategic": "application/strategic-merge-patch+json",
        "json-patch": "application/json-patch+json",
        "apply": "application/apply-patch+yaml",
    }
)
"""Media types of bodies by their short names."""


def _stated(said: StatedKubernetes, requests: RequestReader) -> KubernetesFacts:
    if said.request is not None:
        return requests(said.request, (said.body or "").encode(), MEDIA_TYPES[said.type] if said.body else "")
    whole, _, subresource = (said.resource or "").partition("/")
    resource, _, group = whole.partition(".")
    return KubernetesFacts(
        said.verbs or frozenset(), group=group, resource=resource, subresource=subresource, namespace=said.namespace,
        name=said.name, path=said.path, traits=said.traits, command=said.command, unknown=said.unknown,
    )  # fmt: skip


def _program(line: str) -> tuple[str, tuple[str, ...]]:
    program, *arguments = line.split(" ")
    return program, tuple(arguments)


def asked(request: Request, facts: Facts) -> tuple[Identity, Target, Operation]:
    """The request of a test as the gateway would put it."""
    identity = Identity(request.issuer, request.subject, request.subject, request.groups, kind=request.kind)
    target = Target(request.resource, request.speaks, request.labels or {})
    stated = request.kubernetes.request if request.kubernetes else None
    return (
        identity,
        target,
        Operation(
            request.speaks, "", request.sql or request.ssh or stated or "", facts, in_transaction=request.in_transaction
        ),
    )


def _run(policy: Policy, ready: Sequence[tuple[Test, Facts]]) -> TestReport:
    judge = PolicyJudge(policy)
    return TestReport(tuple(_one(judge, test, facts) for test, facts in ready))


def _one(judge: PolicyJudge, test: Test, facts: Facts) -> TestResult:
    identity, target, operation = asked(test.request, facts)
    wrong: list[str] = []
    admission, granted = judge.admits(identity, target), test.granted or frozenset()
    wanted = admission.access.rules if admission.access else frozenset()
    if not granted <= wanted:
        wrong.append(
            f"found granted {_listed(granted)}, expected some of what lets this connection in: {_listed(wanted)}"
        )
    decision: Decision | None = None
    rules: tuple[str, ...]
    if not admission.admitted:
        effect, rules = Expect.REFUSED, (admission.rule,) if admission.rule else ()
    elif admission.access is not None and not granted:
        effect, rules = Expect.ACCESS, tuple(sorted(wanted))
    else:
        decision = judge.decide(identity, target, operation, granted)
        effect, rules = Expect(decision.effect), decision.rules
    got = f"{effect} by {', '.join(rules) if rules else 'no rule'}"
    if test.expect is not None and effect is not test.expect:
        because = decision.reason if decision else admission.reason
        wrong.append(f"expected {test.expect}, got {got}{f' ({because})' if because else ''}")
    if test.by is not None and test.by not in rules:
        wrong.append(f"expected rule {test.by} to decide, got {', '.join(rules) if rules else 'no rule'}")
    if test.masks is not None:
        masks = frozenset(rule.id for rule in judge.masks(identity, target).rules)
        if masks != test.masks:
            wrong.append(f"expected masks {_listed(test.masks)}, got {_listed(masks)}")
    if test.watches is not None:
        noticed = frozenset(one.id for one in judge.watches(identity, target) if _notices(one, test.request))
        if noticed != test.watches:
            wrong.append(f"expected watches {_listed(test.watches)} to notice it, got {_listed(noticed)}")
    return TestResult(test.name, test.where, got, tuple(wrong))


def _notices(watch: WatchRule, request: Request) -> bool:
    pairs = ((watch.typed, request.typed), (watch.output, request.output))
    return any(matches is not None and line is not None and matches(line) for matches, line in pairs)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"
