"""Why the policy answers as it does: every rule, met or not, and the first condition that was not. For people, off the hot path.

The verdict is the judge's own; the reasons are found with the same conditions that it uses. Texts quote the names in the
statement: mask them before anybody but the one who asked sees them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hooptui.core.model import Decision, Identity, Operation, Target
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

    @property
    def lines(self) -> tuple[str, ...]:
        """The whole, ready to print."""
        terms = self.decision.terms
        found = [
            f"policy {self.version[:12]}",
            f"connect: {'yes' if self.admission.admitted else 'no'}"
            + (
                f", by {self.admission.rule}"
                if self.admission.rule
                else f", {self.admission.reason}"
                if self.admission.reason
                else ""
            )
            + (f", for at most {seconds(self.admission.session_max)}" if self.admission.session_max else ""),
            *map(str, self.rules),
            f"masks: {', '.join(self.masks) or 'none'}",
            f"{self.decision.effect}: {', '.join(self.decision.rules) or 'no rule'}"
            + (f": {self.decision.reason}" if self.decision.reason else ""),
        ]
        if terms is not None:
            found.append(
                f"needs {terms.quorum} of {', '.join(sorted(terms.by))} within {seconds(terms.expires)}, risk {terms.risk}, "
                f"for {', '.join(terms.scopes)}{', with a reason' if terms.reason_required else ''}"
            )
        if self.decision.hint:
            found.append(f"hint: {self.decision.hint}")
        return tuple(found)


def explain(policy: Policy, identity: Identity, target: Target, operation: Operation) -> Explanation:
    """What the policy says to one operation, and why."""
    judge = PolicyJudge(policy)
    return Explanation(
        judge.admits(identity, target),
        judge.decide(identity, target, operation),
        tuple(_words(rule, identity, target, operation) for rule in policy.rules),
        tuple(mask.id for mask in judge.masks(identity, target).rules),
        policy.version,
    )


def seconds(value: float) -> str:
    """`90` as `1m30s`."""
    whole, parts = round(value), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if whole >= size:
            parts.append(f"{whole // size}{unit}")
            whole %= size
    return "".join(parts) or "0s"


def _words(rule: Rule, identity: Identity, target: Target, operation: Operation) -> RuleWords:
    one = Compiled(rule)
    asked = Asked(operation.facts, operation.in_transaction)
    if not one.applies(identity, target):
        return RuleWords(rule.id, rule.effect, rule.where, False, _not_here(rule.when, identity, target))
    if rule.effect is RuleEffect.ALLOW:
        matched, why = _allow(one.what, asked)
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
    for kind, holds in what.names(asked):
        if not holds:
            yield f"its {kind} do not match {_list(asked.names(kind)) or 'nothing'}"


def _list(words: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(words)[:8]) + (" …" if len(words) > 8 else "")
