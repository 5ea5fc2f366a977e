"""Why the policy answers as it does: every rule, met or not, and the first condition that was not. For people, off the hot path.

The verdict is the judge's own; the reasons are found with the same conditions that it uses. Texts quote the names in the
statement: mask them before anybody but the one who asked sees them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hooptui.core.model import Decision, HoldTerms, Identity, Operation, Target
from hooptui.core.ports import Admission
from hooptui.policy.decide import Compiled, PolicyJudge
from hooptui.policy.match import Asked, What, who
from hooptui.policy.rules import Policy, Rule, RuleEffect, When
from hooptui.strictyaml import Where


@dataclass(frozen=True, slots=True)
class RuleWords:
    """One rule and what became of it."""

    id: str
    effect: str
    where: Where
    matched: bool
    why: str
    """Why not, or what it does."""

    def __str__(self) -> str:
        return f"{'✓' if self.matched else '·'} {self.effect:7} {self.id}: {self.why} ({self.where})"


@dataclass(frozen=True, slots=True)
class Explanation:
    admission: Admission
    decision: Decision
    rules: tuple[RuleWords, ...]
    masks: tuple[str, ...]
    version: str
    granted: frozenset[str] = frozenset()
    """The granting rules under which the decision was made."""
    watches: tuple[str, ...] = ()
    """What is looked for in this identity's terminals there."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The whole, ready to print."""
        decision = self.decision
        found = [
            f"policy {self.version[:12]}",
            *self._connect(),
            *map(str, self.rules),
            f"masks: {', '.join(self.masks) or 'none'}",
            *([f"watches: {', '.join(self.watches)}"] if self.watches else []),
            f"{f'in by {_list(self.granted)}: ' if self.granted else ''}{decision.effect}: {', '.join(decision.rules) or 'no rule'}"
            + (f": {decision.reason}" if decision.reason else ""),
        ]
        if decision.terms is not None:
            found += _needs(decision.terms, f", for {', '.join(decision.terms.scopes)}")
        if decision.hint:
            found.append(f"hint: {decision.hint}")
        return tuple(found)

    def _connect(self) -> list[str]:
        admission, access = self.admission, self.admission.access
        limit = f", for at most {seconds(admission.session_max)}" if admission.session_max else ""
        if access is not None:
            return [
                f"connect: needs access by {_list(access.rules)}: {access.words}{limit}",
                *_needs(access.terms, f", for at most {seconds(access.terms.scope_lasts)}"),
            ]
        by = f"by {admission.rule}" if admission.rule else admission.reason
        return [f"connect: {'yes' if admission.admitted else 'no'}{f', {by}' if by else ''}{limit}"]


def explain(
    policy: Policy, identity: Identity, target: Target, operation: Operation, granted: frozenset[str] | None = None
) -> Explanation:
    """What the policy says to one operation, and why.

    `granted` are the granting rules by which people have let the connection in; None for all that it needs.

    Raises:
        ValueError: one of them does not let this connection in.
    """
    judge = PolicyJudge(policy)
    admission = judge.admits(identity, target)
    wanted = admission.access.rules if admission.access else frozenset[str]()
    if granted is None:
        granted = wanted
    if not granted <= wanted:
        raise ValueError(
            f"found {_list(granted - wanted)}, expected a rule that lets this connection in: {_list(wanted) or 'it needs none'}"
        )
    return Explanation(
        admission,
        judge.decide(identity, target, operation, granted),
        tuple(_words(rule, identity, target, operation, granted) for rule in policy.rules),
        tuple(mask.id for mask in judge.masks(identity, target).rules),
        policy.version,
        granted,
        tuple(watch.id for watch in judge.watches(identity, target)),
    )


def _needs(terms: HoldTerms, reach: str) -> list[str]:
    """What it takes; `reach` says what an approval is good for."""
    found = [
        f"needs {terms.quorum} of {_list(terms.by)} within {seconds(terms.expires)}, risk {terms.risk}"
        f"{reach}{', with a reason' if terms.reason_required else ''}"
    ]
    if terms.break_glass:
        lasts = seconds(terms.break_glass_lasts)
        found.append(f"in an emergency: {_list(terms.break_glass)}, alone, with a reason, for at most {lasts}")
    return found


def seconds(value: float) -> str:
    """`90` as `1m30s`."""
    whole, parts = round(value), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if whole >= size:
            parts.append(f"{whole // size}{unit}")
            whole %= size
    return "".join(parts) or "0s"


def _words(rule: Rule, identity: Identity, target: Target, operation: Operation, granted: frozenset[str]) -> RuleWords:
    one = Compiled(rule)
    asked = Asked(operation.facts, operation.in_transaction)
    if not one.applies(identity, target):
        return RuleWords(rule.id, rule.effect, rule.where, False, _not_here(rule.when, identity, target))
    if rule.effect is RuleEffect.ALLOW:
        matched, why = _allow(one.what, asked)
    elif one.grant is not None and rule.id in granted:
        matched, why = _allow(one.grant, asked)
        why = f"in force: {why}"
    else:
        matched = one.what.met(asked, everything=rule.effect is RuleEffect.DENY)
        why = (
            (rule.reason or "meets it")
            if matched
            else next(_unmet(rule, one.what, asked), "does nothing that it is about")
        )
        if not matched and one.grant is not None:
            matched, why = _allow(one.grant, asked)
    return RuleWords(rule.id, rule.effect, rule.where, matched, why)


def _allow(what: What, asked: Asked) -> tuple[bool, str]:
    commands = asked.facts.commands
    covered = commands if what.commands is None else commands & what.commands
    if not asked.facts.understood:
        return False, "what is not understood is never covered"
    if not commands:
        return True, "lets in, and that is all this needs"
    if not covered:
        return False, f"covers {_list(what.commands or ())}, not {_list(commands)}"
    if not what.fits(asked):
        return False, next(_unfit(what, asked))
    rest = commands - covered
    return True, f"covers {_list(covered)}" + (f", not {_list(rest)}" if rest else "")


def _not_here(when: When, identity: Identity, target: Target) -> str:
    if not who(when.principal)(identity):
        principal = when.principal
        if principal is not None and principal.groups is not None and principal.groups.isdisjoint(identity.groups):
            return f"is for members of {_list(principal.groups)}"
        if principal is not None and principal.groups_none is not None and principal.groups_none & identity.groups:
            return f"is not for members of {_list(principal.groups_none & identity.groups)}"
        if principal is not None and principal.kinds is not None and identity.kind not in principal.kinds:
            return f"is for {' and '.join(sorted(f'{kind}s' for kind in principal.kinds))}"
        return "is for somebody else"
    resource = when.resource
    for key, values in ((resource.labels if resource else None) or {}).items():
        if target.labels.get(key) not in values:
            return f"is for targets with {key}: {' or '.join(values)}"
    return "is for other targets"


def _unmet(rule: Rule, what: What, asked: Asked) -> Iterator[str]:
    if (
        what.commands is not None
        and what.commands.isdisjoint(asked.facts.commands)
        and what.neutral.isdisjoint(asked.facts.neutral)
    ):
        yield f"is about {_list(what.commands | what.neutral)}"
    yield from _unfit(what, asked)


def _unfit(what: What, asked: Asked) -> Iterator[str]:
    """The conditions beside the commands that do not agree, in the order of `What.fits`."""
    if what.missing_where is not None and what.missing_where is not asked.facts.missing_where:
        yield "is for changes without WHERE" if what.missing_where else "is not for changes without WHERE"
    if what.in_transaction is not None and what.in_transaction is not asked.in_transaction:
        yield (
            "is for statements inside a transaction"
            if what.in_transaction
            else "is for statements outside a transaction"
        )
    for kind, holds, names in what.names(asked):
        if not holds and kind == "without_selector":
            yield (
                "is not for what has a selector" if asked.facts.missing_where is False else "is for what has a selector"
            )
        elif not holds:
            yield f"its {kind} do not match {_list(names) or 'nothing'}"


def _list(words: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(words)[:8]) + (" …" if len(words) > 8 else "")
