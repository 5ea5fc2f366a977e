"""Just-in-time access: which connections wait, for whom, and what the rules that were granted allow and do not."""

from __future__ import annotations

import pytest

from hooptui.core.model import Decision, Effect, Kind, Operation, SqlFacts
from hooptui.core.ports import Admission
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.rules import Policy
from tests.policy.making import DEV, PROD, facts, policy, who
from tests.policy.making import ask as ask_plainly

DOOR = """\
  - {{id: jit, effect: approve, {grants}reason: why, when: {{principal: {{groups: [eng]}}, resource: {{labels: {{env: prod}}}},
     postgres: {{commands: [select, update]}}}}, approval: {{by: [dba, lead], scope_lasts: 1h, break_glass: [duty]}}}}
"""


def rules(more: str = "", grants: str = "grants: true, session_max: 2h, ") -> Policy:
    return policy("rules:\n" + DOOR.format(grants=grants) + more)


def admits(rules: Policy, *groups: str, kind: Kind = Kind.HUMAN) -> Admission:
    return PolicyJudge(rules).admits(who(*groups, kind=kind), PROD)


def ask(rules: Policy, what: SqlFacts, *granted: str, groups: tuple[str, ...] = ("eng",)) -> Decision:
    return PolicyJudge(rules).decide(who(*groups), PROD, Operation("postgres", "x", "", what), frozenset(granted))


class TestTheDoor:
    def test_nobody_but_whom_the_rule_is_for(self) -> None:
        one = admits(rules(), "eng")
        assert (one.admitted, one.rule, one.session_max) == (True, "jit", 7200)
        assert one.access is not None and (one.access.rules, one.access.words) == ({"jit"}, "why")
        assert (one.access.terms.by, one.access.terms.break_glass) == ({"dba", "lead"}, {"duty"})
        assert not admits(rules(), "staff").admitted
        assert not PolicyJudge(rules()).admits(who("eng"), DEV).admitted

    def test_a_standing_allow_opens_it(self) -> None:
        one = admits(
            rules("  - {id: a, effect: allow, when: {principal: {groups: [eng]}, postgres: {commands: [show]}}}"), "eng"
        )
        assert (one.admitted, one.rule, one.access) == (True, "a", None)

    def test_a_deny_without_conditions_shuts_it(self) -> None:
        one = admits(rules("  - {id: d, effect: deny, reason: closed, when: {resource: {labels: {env: prod}}}}"), "eng")
        assert (one.admitted, one.reason, one.access) == (False, "closed", None)

    def test_an_approve_that_does_not_grant_opens_nothing(self) -> None:
        assert not admits(rules(grants=""), "eng").admitted

    def test_who_is_in_an_excluded_group_or_of_another_kind_is_no_guest(self) -> None:
        text = """\
        rules:
          - {id: jit, effect: approve, grants: true, reason: r, when: {principal: {groups: [eng], groups_none: [interns], kinds: [human, agent]}},
             approval: {by: [dba]}}
        """
        for groups, kind, may in (
            (("eng",), Kind.HUMAN, True),
            (("eng",), Kind.AGENT, True),
            (("eng",), Kind.WORKLOAD, False),
            (("eng", "interns"), Kind.HUMAN, False),
            (("eng", "interns"), Kind.AGENT, False),
        ):
            assert admits(policy(text), *groups, kind=kind).admitted is may, (groups, kind)

    SECOND = """\
  - {id: two, effect: approve, grants: true, reason: as well, session_max: 30m, when: {principal: {groups: [eng]}, postgres: {commands: [drop]}},
     approval: {by: [%s], quorum: 3, expires: 1m, scope_lasts: 5m, reason: required, risk: high, break_glass: [%s], break_glass_lasts: 1m}}
"""

    def test_all_that_might_open_it_open_it_together_at_the_strictest(self) -> None:
        one = admits(rules(self.SECOND % ("lead", "duty, sre")), "eng")
        assert one.access is not None and one.access.rules == {"jit", "two"} and one.session_max == 1800
        terms = one.access.terms
        assert (terms.rule, terms.by, terms.quorum, terms.expires, terms.scope_lasts) == (
            "two+jit",
            {"lead"},
            3,
            60,
            300,
        )
        assert (terms.break_glass, terms.break_glass_lasts, terms.reason_required) == ({"duty"}, 60, True)

    def test_where_one_has_no_glass_there_is_none(self) -> None:
        one = admits(rules(self.SECOND % ("lead", "sre")), "eng")
        assert one.access is not None and one.access.terms.break_glass == frozenset()

    def test_approvers_that_never_agree_let_nobody_in(self) -> None:
        one = admits(rules(self.SECOND % ("boss", "duty")), "eng")
        assert (one.admitted, one.access) == (False, None)
        assert "no group may give both" in one.reason


class TestOnceIn:
    def test_the_rule_allows_what_it_covers(self) -> None:
        assert (ask(rules(), facts("select update"), "jit").effect, ask(rules(), facts("select")).effect) == (
            Effect.ALLOW,
            Effect.HOLD,
        )
        assert ask(rules(), facts("drop"), "jit").effect is Effect.DENY
        assert ask(rules(), facts("select drop"), "jit").effect is Effect.DENY
        assert ask(rules(), facts(unknown="garble"), "jit").effect is Effect.DENY
        assert ask(rules(), facts(neutral="begin"), "jit").effect is Effect.ALLOW

    def test_a_deny_beats_it(self) -> None:
        text = "  - {id: d, effect: deny, when: {postgres: {reads: [secret]}}}"
        assert ask(rules(text), facts("select", reads="secret"), "jit").rules == ("d",)

    def test_another_approve_still_holds(self) -> None:
        text = "  - {id: h, effect: approve, when: {postgres: {commands: [update]}}, approval: {by: [dba]}}"
        decision = ask(rules(text), facts("update"), "jit")
        assert (decision.effect, decision.rules) == (Effect.HOLD, ("h", "jit"))
        assert decision.terms is not None and decision.terms.rule == "h"
        assert ask(rules(text), facts("select"), "jit").effect is Effect.ALLOW

    @pytest.mark.parametrize("other", ["nothing", "a-rule-that-is-gone"])
    def test_what_nobody_granted_counts_for_nothing(self, other: str) -> None:
        assert ask(rules(), facts("select"), other) == ask(rules(), facts("select"))

    def test_who_is_not_admitted_any_more_may_nothing(self) -> None:
        assert ask(rules(), facts("select"), "jit", groups=("staff",)).effect is Effect.DENY

    def test_a_rule_that_grants_no_more_holds_again(self) -> None:
        """The policy was loaded anew while somebody was in by it."""
        text = "  - {id: a, effect: allow, when: {principal: {groups: [eng]}}}"
        decision = ask(rules(text, grants=""), facts("update"), "jit")
        assert (decision.effect, decision.rules) == (Effect.HOLD, ("jit", "a"))

    def test_a_graver_rule_that_covers_the_same_does_not_hold_what_is_in_force(self) -> None:
        """It came with a reload, after the access was given; it still holds what it is about, as any approve does."""
        text = """\
  - {id: grave, effect: approve, grants: true, when: {principal: {groups: [eng]}, postgres: {commands: [select], reads: ["*"]}},
     approval: {by: [dba], risk: high}}
"""
        assert ask(rules(text), facts("select"), "jit").effect is Effect.ALLOW
        assert ask(rules(text), facts("select", reads="t"), "jit").rules == ("grave", "jit")

    def test_what_is_remembered_is_remembered_with_what_was_granted(self) -> None:
        judge, by, asked = PolicyJudge(rules()), who("eng"), Operation("postgres", "x", "", facts("select"))
        for _ in range(2):
            assert judge.decide(by, PROD, asked).effect is Effect.HOLD
            assert judge.decide(by, PROD, asked, frozenset({"jit"})).effect is Effect.ALLOW
        assert ask_plainly(judge, facts("select"), by=by).effect is Effect.HOLD
