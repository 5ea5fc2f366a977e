"""The judge: one policy applied to identities, targets and operations. Pure, total, and it says which rules spoke.

- What was not understood is denied. Then any deny that is met denies.
- Every command must be covered by some allow; statements without effect (BEGIN, SET …) need no more than admission.
- Then every approve that is met holds, all at once: the terms combine to the strictest (see `combine`).
- An approve with `grants: true` also covers what no allow covers. Where there is no allow at all, the connection itself waits for
  access by it; while that access lasts the rule counts as an allow, and no longer holds.
- Masks are the union of all that apply.

The order of rules means nothing. Texts of decisions quote the policy, the vocabulary, the target's name and the reader's own words
for what it did not understand, never the statement, so that they need no masking. Knows no file and no clock. For one thread at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hooptui.core.model import (
    Access,
    Decision,
    Effect,
    Facts,
    HoldTerms,
    Identity,
    KubernetesFacts,
    MaskAction,
    MaskRule,
    MaskSet,
    Operation,
    Risk,
    Scope,
    SqlFacts,
    SshFacts,
    Target,
)
from hooptui.core.ports import NOTHING, Admission
from hooptui.core.vocabulary import COMMANDS, KUBERNETES_ACTIONS, SSH_ACTIONS, UNKNOWN
from hooptui.core.watch import WatchEffect, WatchRule
from hooptui.policy.match import Asked, What, applies
from hooptui.policy.match_watch import looked_for
from hooptui.policy.rules import Mask, Policy, Rule, RuleEffect

# Not Final: the compiled form would have them for good where tests want them small.
MAX_VIEWS = 2048
"""Pairs of identity and target that are remembered."""
MAX_DECISIONS = 8192
"""Decisions that are remembered, over all pairs."""
MAX_NAMES: Final = 32
"""Facts with more names are decided afresh each time, so that what is remembered stays small."""
MAX_TEXT: Final = 2048
"""The same for facts of SSH and Kubernetes, by the characters in them."""

_SPEAKS: Final[Mapping[str, tuple[type[Facts], frozenset[str]]]] = {
    "postgres": (SqlFacts, COMMANDS),
    "ssh": (SshFacts, SSH_ACTIONS),
    "kubernetes": (KubernetesFacts, KUBERNETES_ACTIONS),
}
"""By protocol: what facts are of, and the words that their commands are."""

_RISKS: Final = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)
_SCOPES: Final = (Scope.ONCE, Scope.FINGERPRINT, Scope.RUN, Scope.RULE)
_STRICT: Final = (MaskAction.NULL, MaskAction.REDACT, MaskAction.HASH, MaskAction.PARTIAL)
"""Masks in the order of what they still tell, least first: a masker that takes the first that hits takes the strictest."""


class Compiled:
    """A rule with its conditions as functions."""

    __slots__ = ("applies", "grant", "id", "rule", "what")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.id = rule.id
        self.applies = applies(rule.when)
        self.what = What(rule, strict=rule.effect is RuleEffect.ALLOW)
        self.grant = What(rule, strict=True) if rule.grants else None
        """For an approve that grants: what it covers, as an allow would."""


class View:
    """What of a policy applies to one identity on one target."""

    __slots__ = ("admission", "allows", "approves", "cache", "denies", "kind", "masks", "target", "version", "words")

    def __init__(self, applicable: Sequence[Compiled], masks: Sequence[Mask], target: Target, version: str) -> None:
        self.target = target.name
        self.kind, self.words = _SPEAKS.get(target.protocol, _SPEAKS["postgres"])
        self.version = version
        self.denies = [one for one in applicable if one.rule.effect is RuleEffect.DENY]
        self.allows = [one for one in applicable if one.rule.effect is RuleEffect.ALLOW]
        self.approves = sorted((one for one in applicable if one.rule.effect is RuleEffect.APPROVE), key=_gravest_first)
        self.admission = self._admission()
        ordered = sorted(masks, key=lambda mask: (_STRICT.index(mask.action), mask.id))
        self.masks = MaskSet(
            tuple(
                MaskRule(
                    one.id,
                    one.columns or (),
                    tuple(sorted(one.detect or ())),
                    one.action,
                    one.secrets,
                    one.fields or (),
                    tuple(sorted(one.secrets_except or ())),
                )
                for one in ordered
            ),
            version,
        )
        self.cache: dict[tuple[Facts, bool, frozenset[str]], Decision] = {}

    def _admission(self) -> Admission:
        shut = next((one.rule for one in self.denies if not one.what.narrow), None)
        if shut is not None:
            return Admission(False, shut.id, shut.reason or f"rule {shut.id} closes {self.target} to you")
        granting = [one.rule for one in self.approves if one.grant]
        opening = [one.rule for one in self.allows] or granting
        if not opening:
            return Admission(False, "", f"no rule lets you use {self.target}")
        limits = [rule.session_max for rule in opening + granting if rule.session_max is not None]
        access = None
        if not self.allows:
            access = _access(granting)
            if access is None:
                rules = " and ".join(rule.id for rule in granting)
                return Admission(False, opening[0].id, f"{rules} each want an approval, and no group may give both")
        return Admission(True, opening[0].id, opening[0].reason, min(limits) if limits else None, access)

    def decide(self, facts: Facts, in_transaction: bool, granted: frozenset[str] = NOTHING) -> Decision:
        """The decision, worked out afresh; the approves in `granted` that still grant count as allows."""
        if not isinstance(facts, self.kind):
            return self._deny((), "not understood: it is of another protocol than its target")
        if not facts.understood or UNKNOWN in facts.commands or not facts.commands <= self.words:
            reason = f"not understood: {facts.unknown[:200] or 'it has an effect that this version has no word for'}"
            return self._deny((), reason, "send one plain statement; what is not understood never runs")
        asked = Asked(facts, in_transaction)
        met = [one.rule for one in self.denies if one.what.met(asked, everything=True)]
        if met:
            return self._deny(
                tuple(rule.id for rule in met), met[0].reason or f"denied by rule {met[0].id}", met[0].hint
            )
        if not self.admission.admitted:
            return self._deny((), self.admission.reason)
        missing = facts.commands
        covering: list[str] = []
        granting: list[str] = []
        for one in self.allows:
            if covered := self._covered(one.what, facts.commands, asked):
                covering.append(one.id)
                missing -= covered
        in_force = [one for one in self.approves if one.grant and one.id in granted]
        waiting = [one for one in self.approves if one not in in_force]
        for ids, rules in ((covering, in_force), (granting, waiting)):
            for one in rules:
                if missing and one.grant and (covered := self._covered(one.grant, missing, asked)):
                    ids.append(one.id)
                    missing -= covered
        if missing:
            return self._not_covered(missing)
        held = [one.rule for one in waiting if one.id in granting or one.what.met(asked, everything=False)]
        if held:
            return self._hold(held, tuple(covering))
        return Decision(Effect.ALLOW, tuple(covering), "", policy=self.version)

    @staticmethod
    def _covered(what: What, commands: frozenset[str], asked: Asked) -> frozenset[str]:
        """The commands that an allow with these conditions covers."""
        covered = commands if what.commands is None else commands & what.commands
        return covered if covered and what.fits(asked) else frozenset()

    def _deny(self, rules: tuple[str, ...], reason: str, hint: str = "") -> Decision:
        return Decision(Effect.DENY, rules, reason, hint, policy=self.version)

    def _not_covered(self, missing: frozenset[str]) -> Decision:
        words = ", ".join(sorted(missing))
        close = [
            one.id for one in self.allows if one.what.commands is None or not one.what.commands.isdisjoint(missing)
        ]
        if close:
            hint = f"{', '.join(close[:3])} would allow it under conditions that this statement does not meet"
        else:
            may = sorted(frozenset().union(*(one.what.commands or () for one in self.allows)))
            hint = f"you may {', '.join(may)} here" if may else "ask for a rule that allows it"
        return self._deny((), f"no rule lets you {words} on {self.target}", hint)

    def _hold(self, held: Sequence[Rule], covering: tuple[str, ...]) -> Decision:
        ids = tuple(rule.id for rule in held)
        terms = combine(held)
        if terms is None:
            return self._deny(
                ids,
                f"{' and '.join(ids)} each want an approval, and no group may give both",
                "send the parts one by one, or ask for a group that may approve for each of these rules",
            )
        reasons = dict.fromkeys(rule.reason for rule in held if rule.reason)
        reason = "; ".join(reasons) or f"rule {ids[0]} wants an approval"
        hint = next((rule.hint for rule in held if rule.hint), "")
        return Decision(Effect.HOLD, ids + covering, reason, hint, terms, self.version)


def _small(facts: Facts) -> bool:
    """Whether these facts may be kept as the key of a decision."""
    if isinstance(facts, SshFacts):
        words = [*facts.paths, *facts.destinations]
        for one in facts.invocations:
            words += (one.program, *one.arguments)
        return len(words) <= MAX_TEXT // 16 and sum(map(len, words)) <= MAX_TEXT
    if isinstance(facts, KubernetesFacts):
        words = [facts.about, facts.label_selector, facts.field_selector, facts.container, *facts.command]
        return len(words) <= MAX_TEXT // 16 and sum(map(len, words)) <= MAX_TEXT
    return len(facts.reads) + len(facts.writes) + len(facts.functions) <= MAX_NAMES


def _gravest_first(one: Compiled) -> tuple[int, str]:
    return (-_RISKS.index(one.rule.approval.risk) if one.rule.approval else 0, one.id)


def combine(held: Sequence[Rule]) -> HoldTerms | None:
    """The terms of one hold for all the rules that are met, each at its strictest.

    The highest quorum and risk, the shortest times, only scopes that all offer (`once` when they share none), a reason when one
    wants it, and only groups that every rule names: each vote must count for each rule. None when no group is named by all,
    which denies. `rule` joins the ids with `+`, so that a grant for one rule never lets go what another holds as well.
    """
    approvals = [rule.approval for rule in held if rule.approval is not None]
    by = frozenset.intersection(*(one.by for one in approvals))
    if not by:
        return None
    scopes = frozenset.intersection(*(one.scopes for one in approvals)) or frozenset({"once"})
    return HoldTerms(
        rule="+".join(rule.id for rule in held),
        by=by,
        quorum=max(one.quorum for one in approvals),
        expires=min(one.expires for one in approvals),
        scopes=tuple(scope for scope in _SCOPES if scope in scopes),
        scope_lasts=min(one.scope_lasts for one in approvals),
        risk=max((one.risk for one in approvals), key=_RISKS.index),
        reason_required=any(one.reason == "required" for one in approvals),
        break_glass=frozenset.intersection(*(one.break_glass for one in approvals)),
        break_glass_lasts=min(one.break_glass_lasts for one in approvals),
    )


def _access(granting: Sequence[Rule]) -> Access | None:
    """What a connection that only these rules can let in waits for; None when nobody may approve all of them."""
    terms = combine(granting)
    if terms is None:
        return None
    words = "; ".join(dict.fromkeys(rule.reason for rule in granting if rule.reason))
    return Access(
        frozenset(rule.id for rule in granting), terms, words or f"rule {granting[0].id} gives access on approval"
    )


class PolicyJudge:
    """A policy behind `core.ports.Judge`."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.version = policy.version
        self._rules = [Compiled(rule) for rule in policy.rules]
        self._masks = [(mask, applies(mask.when)) for mask in policy.masks]
        ordered = sorted(policy.watches, key=lambda watch: (watch.effect is not WatchEffect.KILL, watch.id))
        self._watches = [(looked_for(watch), applies(watch.when)) for watch in ordered]
        # The identity and the target stay in the value: as long as the entry lives, nothing else can have their ids.
        self._views: dict[tuple[int, int], tuple[Identity, Target, View]] = {}
        self._shared: dict[tuple[tuple[str, ...], tuple[str, ...], str, str], View] = {}
        self._decisions = 0

    def view(self, identity: Identity, target: Target) -> View:
        """The part of the policy that applies; shared by all to whom the same rules apply on the same target."""
        known = self._views.get((id(identity), id(target)))
        if known is not None:
            return known[2]
        rules = [one for one in self._rules if one.applies(identity, target)]
        masks = [mask for mask, matches in self._masks if matches(identity, target)]
        if len(self._views) >= MAX_VIEWS:
            self._views.clear()
            self._shared.clear()
            self._decisions = 0
        key = (tuple(one.id for one in rules), tuple(mask.id for mask in masks), target.protocol, target.name)
        view = self._shared.get(key)
        if view is None:
            view = self._shared[key] = View(rules, masks, target, self.version)
        self._views[id(identity), id(target)] = (identity, target, view)
        return view

    def admits(self, identity: Identity, target: Target) -> Admission:
        """Whether a session may be opened: some allow, or approve that grants, applies to this identity on this target, and no
        deny that is free of conditions on operations. `session_max` is the smallest of the rules that would open it."""
        return self.view(identity, target).admission

    def masks(self, identity: Identity, target: Target) -> MaskSet:
        """Every mask that applies, the strictest action first; the same object for the same policy, identity and target."""
        return self.view(identity, target).masks

    def watches(self, identity: Identity, target: Target) -> tuple[WatchRule, ...]:
        """Every watch that applies, those that kill first; none where there is no terminal."""
        if target.protocol != "ssh":
            return ()
        return tuple(watch for watch, matches in self._watches if matches(identity, target))

    def decide(
        self, identity: Identity, target: Target, operation: Operation, granted: frozenset[str] = NOTHING
    ) -> Decision:
        """See the module."""
        facts = operation.facts
        view = self.view(identity, target)
        key = (facts, operation.in_transaction, granted)
        known = view.cache.get(key)
        if known is not None:
            return known
        decision = view.decide(facts, operation.in_transaction, granted)
        if facts.understood and _small(facts):
            if self._decisions >= MAX_DECISIONS:
                for one in self._shared.values():
                    one.cache.clear()
                self._decisions = 0
            view.cache[key] = decision
            self._decisions += 1
        return decision
