"""What must hold for every policy: total, pure, monotone, and blind to order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import Effect, Identity, Kind, MaskAction, Operation, Risk, Scope, SqlFacts, Target
from hooptui.core.vocabulary import COMMANDS, GROUPS, NEUTRAL, OPAQUE, UNKNOWN
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.explain import explain
from hooptui.policy.rules import Approval, Mask, MaskWhen, Policy, Postgres, Principal, Resource, Rule, RuleEffect, When
from hooptui.strictyaml import Duration, Where

HERE = Where("p.yaml", 1)
some = settings(max_examples=120, deadline=None, derandomize=True)


def few(values: list[str], low: int = 0) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), min_size=low, max_size=3)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


GROUP_NAMES = ["agents", "dba", "oncall"]
WORDS = ["select", "update", "delete", "drop", "call"]
RELATIONS = ["t", "u", "public.t", "secret.t", '"a.b"', "T"]
PATTERNS = ["t", "u", "public.t", "secret.*", "*.t", "*", "t*"]

principals = st.builds(
    Principal,
    groups=maybe(few(GROUP_NAMES, 1)),
    groups_none=maybe(few(GROUP_NAMES, 1)),
    kinds=maybe(st.frozensets(st.sampled_from(Kind), min_size=1)),
)
resources = st.builds(
    Resource,
    protocol=maybe(st.just("postgres")),
    names=maybe(st.lists(st.sampled_from(["orders-*", "orders-1", "*"]), min_size=1, max_size=2).map(tuple)),
    labels=maybe(st.dictionaries(st.just("env"), st.just(("prod",)), max_size=1)),
)
patterns = maybe(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2).map(tuple))
operations = st.builds(
    Postgres,
    commands=maybe(few([*WORDS, "reads", "writes", "begin"], 1)),
    relations=patterns,
    reads=patterns,
    writes=patterns,
    functions=patterns,
    missing_where=maybe(st.booleans()),
    in_transaction=maybe(st.booleans()),
)
whens = st.builds(When, principal=maybe(principals), resource=maybe(resources), postgres=maybe(operations))
approvals = st.builds(
    Approval,
    by=few(GROUP_NAMES, 1),
    quorum=st.integers(1, 5),
    expires=st.floats(5, 600).map(Duration),
    scopes=st.frozensets(st.sampled_from(Scope), min_size=1),
    scope_lasts=st.floats(10, 600).map(Duration),
    risk=st.sampled_from(Risk),
    reason=st.sampled_from(["required", "optional"]),
)


@st.composite
def rules(draw: st.DrawFn, effects: tuple[RuleEffect, ...] = tuple(RuleEffect)) -> tuple[Rule, ...]:
    count = draw(st.integers(0, 5))
    found = []
    for number in range(count):
        effect = draw(st.sampled_from(effects))
        approval = draw(approvals) if effect is RuleEffect.APPROVE else None
        grants = effect is RuleEffect.APPROVE and draw(st.booleans())
        found.append(Rule(f"r{number}", effect, draw(whens), HERE, grants=grants, approval=approval))
    return tuple(found)


identities = st.builds(
    Identity,
    issuer=st.just("i"),
    subject=st.just("s"),
    name=st.just("n"),
    groups=few(GROUP_NAMES),
    kind=st.sampled_from(Kind),
)
targets = st.sampled_from(
    [Target("orders-1", "postgres", {"env": "prod"}), Target("x", "postgres"), Target("orders-1", "ssh")]
)
names = st.frozensets(st.sampled_from(RELATIONS), max_size=3)
sql_facts = st.builds(
    SqlFacts,
    commands=st.frozensets(st.sampled_from([*WORDS, "insert"]), max_size=3)
    | st.frozensets(st.sampled_from(sorted(COMMANDS)), max_size=2),
    neutral=st.frozensets(st.sampled_from(sorted(NEUTRAL)), max_size=1),
    reads=names,
    writes=names,
    functions=names,
    missing_where=st.booleans(),
    unknown=st.sampled_from(["", "", "", "it does not parse"]),
)
asked = st.builds(
    Operation,
    protocol=st.just("postgres"),
    verb=st.just("x"),
    text=st.just(""),
    facts=sql_facts,
    in_transaction=st.booleans(),
)

LOOSE = {Effect.DENY: 0, Effect.HOLD: 1, Effect.ALLOW: 2}


def as_policy(parts: tuple[Rule, ...], masks: tuple[Mask, ...] = ()) -> Policy:
    return Policy(
        tuple(sorted(parts, key=lambda rule: rule.id)), tuple(sorted(masks, key=lambda mask: mask.id)), (), "v"
    )


@given(rules(), identities, targets, asked)
@some
def test_it_is_total_and_pure_and_whole(
    parts: tuple[Rule, ...], identity: Identity, target: Target, operation: Operation
) -> None:
    judge = PolicyJudge(as_policy(parts))
    decision = judge.decide(identity, target, operation)
    assert (
        judge.decide(identity, target, operation)
        == decision
        == PolicyJudge(as_policy(parts)).decide(identity, target, operation)
    )
    assert (decision.terms is not None) == (decision.effect is Effect.HOLD)
    assert set(decision.rules) <= {rule.id for rule in parts}
    assert decision.policy == "v"
    if decision.effect is Effect.DENY:
        assert decision.reason
    else:
        assert judge.admits(identity, target).admitted
        assert operation.facts.understood and UNKNOWN not in operation.facts.commands
    if decision.terms is not None:
        approves = [rule for rule in parts if rule.id in decision.rules and rule.approval is not None]
        for rule in approves:
            assert rule.approval is not None
            assert decision.terms.by <= rule.approval.by
            assert decision.terms.quorum >= rule.approval.quorum
            assert decision.terms.expires <= rule.approval.expires
            assert set(decision.terms.scopes) <= rule.approval.scopes | {Scope.ONCE}
        assert decision.terms.rule == "+".join(rule for rule in decision.rules if rule in {one.id for one in approves})


@given(rules(), whens, identities, targets, asked)
@some
def test_one_more_deny_never_allows_more(
    parts: tuple[Rule, ...], when: When, identity: Identity, target: Target, operation: Operation
) -> None:
    before, after = (
        PolicyJudge(as_policy(parts)),
        PolicyJudge(as_policy((*parts, Rule("a-deny", RuleEffect.DENY, when, HERE)))),
    )
    assert (
        LOOSE[after.decide(identity, target, operation).effect]
        <= LOOSE[before.decide(identity, target, operation).effect]
    )
    assert after.admits(identity, target).admitted <= before.admits(identity, target).admitted


@given(rules(), st.integers(0, 4), identities, targets, asked)
@some
def test_one_allow_less_never_allows_more(
    parts: tuple[Rule, ...], at: int, identity: Identity, target: Target, operation: Operation
) -> None:
    allows = [rule for rule in parts if rule.effect is RuleEffect.ALLOW]
    if not allows:
        return
    gone = allows[at % len(allows)]
    before, after = (
        PolicyJudge(as_policy(parts)),
        PolicyJudge(as_policy(tuple(rule for rule in parts if rule is not gone))),
    )
    assert (
        LOOSE[after.decide(identity, target, operation).effect]
        <= LOOSE[before.decide(identity, target, operation).effect]
    )
    assert after.admits(identity, target).admitted <= before.admits(identity, target).admitted


@given(rules(), whens, approvals, identities, targets, asked)
@some
def test_one_more_approve_never_lets_more_go_by_itself(
    parts: tuple[Rule, ...], when: When, approval: Approval, identity: Identity, target: Target, operation: Operation
) -> None:
    before = PolicyJudge(as_policy(parts)).decide(identity, target, operation)
    more = Rule("an-approve", RuleEffect.APPROVE, when, HERE, approval=approval)
    after = PolicyJudge(as_policy((*parts, more))).decide(identity, target, operation)
    assert LOOSE[after.effect] <= LOOSE[before.effect]
    if before.terms is not None and after.terms is not None:
        assert after.terms.by <= before.terms.by
        assert after.terms.quorum >= before.terms.quorum
        assert after.terms.expires <= before.terms.expires


@given(rules(), st.randoms(use_true_random=False), identities, targets, asked)
@some
def test_order_means_nothing(
    parts: tuple[Rule, ...], random: Any, identity: Identity, target: Target, operation: Operation
) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)
    one, other = PolicyJudge(as_policy(parts)), PolicyJudge(as_policy(tuple(shuffled)))
    assert one.decide(identity, target, operation) == other.decide(identity, target, operation)
    assert one.admits(identity, target) == other.admits(identity, target)


@given(
    rules((RuleEffect.ALLOW, RuleEffect.DENY)), identities, targets, asked, st.sampled_from([*RELATIONS, "secret.zzz"])
)
@some
def test_one_more_relation_never_allows_more(
    parts: tuple[Rule, ...], identity: Identity, target: Target, operation: Operation, name: str
) -> None:
    judge = PolicyJudge(as_policy(parts))
    facts = operation.facts
    wider = replace(facts, reads=facts.reads | {name}, functions=facts.functions | {name})
    more = Operation(operation.protocol, operation.verb, operation.text, wider, in_transaction=operation.in_transaction)
    assert LOOSE[judge.decide(identity, target, more).effect] <= LOOSE[judge.decide(identity, target, operation).effect]


@given(rules(), identities, targets, asked, st.sets(st.sampled_from([f"r{n}" for n in range(6)])))
@some
def test_access_lets_more_go_and_breaks_no_deny(
    parts: tuple[Rule, ...], identity: Identity, target: Target, operation: Operation, granted: set[str]
) -> None:
    judge = PolicyJudge(as_policy(parts))
    without = judge.decide(identity, target, operation)
    under = judge.decide(identity, target, operation, frozenset(granted))
    grants = {rule.id for rule in parts if rule.grants}
    if LOOSE[without.effect] == LOOSE[Effect.ALLOW] or not granted & grants:
        assert (under.effect, set(under.rules)) == (without.effect, set(without.rules))
    if without.effect is Effect.DENY and under.effect is not Effect.DENY:
        assert granted & grants, "nothing else has changed"
        assert without.rules, "no deny was met, but a hold that nobody may settle"
    if under.effect is Effect.HOLD and under.terms is not None:
        assert not set(under.terms.rule.split("+")) & granted & grants, "what is in force holds nothing"
        assert {one.id for one in parts if one.effect is RuleEffect.APPROVE} >= set(under.terms.rule.split("+"))
    denies = {rule.id for rule in parts if rule.effect is RuleEffect.DENY}
    if set(without.rules) & denies:
        assert under == without
    assert judge.masks(identity, target) == PolicyJudge(as_policy(parts)).masks(identity, target)


masks = st.lists(
    st.builds(
        Mask,
        id=st.sampled_from([f"m{n}" for n in range(6)]),
        action=st.sampled_from(MaskAction),
        where=st.just(HERE),
        when=st.builds(MaskWhen, principal=maybe(principals), resource=maybe(resources)),
        columns=st.just(("*.email",)),
    ),
    max_size=5,
    unique_by=lambda mask: mask.id,
).map(tuple)


@given(masks, masks, identities, targets)
@some
def test_masks_are_a_union_that_no_more_masks_can_weaken(
    some_masks: tuple[Mask, ...], more: tuple[Mask, ...], identity: Identity, target: Target
) -> None:
    taken = {mask.id for mask in some_masks}
    both = some_masks + tuple(mask for mask in more if mask.id not in taken)
    before = PolicyJudge(as_policy((), some_masks)).masks(identity, target).rules
    after = PolicyJudge(as_policy((), both)).masks(identity, target).rules
    assert set(before) <= set(after)
    assert [rule for rule in after if rule in before] == list(before), "their order is stable"
    strict = [MaskAction.NULL, MaskAction.REDACT, MaskAction.HASH, MaskAction.PARTIAL]
    order = [strict.index(rule.action) for rule in after]
    assert order == sorted(order), "the strictest first"
    assert PolicyJudge(as_policy((), tuple(reversed(both)))).masks(identity, target).rules == after


@given(rules(), identities, targets, asked)
@some
def test_the_explanation_agrees_with_the_judge(
    parts: tuple[Rule, ...], identity: Identity, target: Target, operation: Operation
) -> None:
    judge = PolicyJudge(as_policy(parts))
    access = judge.admits(identity, target).access
    said = explain(as_policy(parts), identity, target, operation)
    assert said.granted == (access.rules if access else frozenset())
    assert said.decision == judge.decide(identity, target, operation, said.granted)
    matched = {one.id for one in said.rules if one.matched}
    assert {one.id for one in said.rules} == {rule.id for rule in parts}
    assert said.lines and all(one.why for one in said.rules)
    if operation.facts.understood and operation.facts.commands <= COMMANDS - {UNKNOWN}:
        assert set(said.decision.rules) <= matched
    denies = {rule.id for rule in parts if rule.effect is RuleEffect.DENY}
    if said.decision.effect is not Effect.DENY:
        assert not matched & denies


def test_the_vocabulary_is_sound() -> None:
    assert UNKNOWN in COMMANDS
    assert {"set"} == COMMANDS & NEUTRAL, "a word that is both needs care in decide"
    for name, members in GROUPS.items():
        assert name not in COMMANDS | NEUTRAL
        assert members and members <= COMMANDS - {UNKNOWN}
    assert OPAQUE <= COMMANDS
