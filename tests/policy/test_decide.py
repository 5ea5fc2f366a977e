"""What the judge says, case by case."""

from __future__ import annotations

import pytest

from hooptui.core.model import Effect, Identity, Kind, MaskAction, Operation, Risk, Scope, Target
from hooptui.policy import decide
from hooptui.policy.decide import PolicyJudge
from tests.policy.making import DEV, PROD, ask, facts, policy, who

BASE = policy(
    """\
    rules:
      - {id: read, effect: allow, when: {principal: {groups: [agents]}, postgres: {commands: [select, show]}}}
      - {id: write, effect: allow, session_max: 1h, when: {principal: {groups: [agents]}, postgres: {commands: [update, delete]}}}
      - {id: no-drop, effect: deny, reason: DDL goes through migrations, hint: ask the pipeline,
         when: {resource: {labels: {env: prod}}, postgres: {commands: [drop, truncate]}}}
      - {id: held, effect: approve, reason: look twice, when: {resource: {labels: {env: prod}}, postgres: {commands: [delete]}},
         approval: {by: [dba], scopes: [fingerprint, once], risk: high}}
    """
)


class TestAllow:
    def test_covered(self) -> None:
        decision = ask(BASE, facts("select"))
        assert (decision.effect, decision.rules, decision.terms, decision.policy) == (
            Effect.ALLOW,
            ("read",),
            None,
            BASE.version,
        )

    def test_every_command_needs_cover_and_two_rules_may_give_it(self) -> None:
        assert ask(BASE, facts("select update")).rules == ("read", "write")
        decision = ask(BASE, facts("select truncate insert"), on=DEV)
        assert decision.effect is Effect.DENY
        assert decision.rules == ()
        assert decision.reason == "no rule lets you insert, truncate on orders-2"
        assert decision.hint == "you may delete, select, show, update here"

    def test_neutral_statements_need_admission_alone(self) -> None:
        assert ask(BASE, facts(neutral="begin")).effect is Effect.ALLOW
        stranger = ask(BASE, facts(neutral="begin"), by=who("staff"))
        assert (stranger.effect, stranger.reason) == (Effect.DENY, "no rule lets you use orders-1")

    def test_a_harmless_set_beside_the_command_set(self) -> None:
        rules = policy(
            """\
            rules:
              - {id: a, effect: allow, when: {principal: {groups: [agents]}, postgres: {commands: [select]}}}
              - {id: d, effect: deny, when: {postgres: {commands: [set, prepare]}}}
            """
        )
        assert ask(rules, facts(neutral="set")).effect is Effect.ALLOW
        assert ask(rules, facts("set")).rules == ("d",)
        assert ask(rules, facts(neutral="prepare")).rules == ("d",), "a neutral word that is named is met"

    def test_all_relations_must_be_covered(self) -> None:
        rules = policy(
            """\
            rules:
              - {id: a, effect: allow, when: {principal: {groups: [agents]}, postgres: {commands: [select], reads: [public.t, t]}}}
              - {id: b, effect: allow, when: {principal: {groups: [agents]}, postgres: {commands: [insert], writes: [log]}}}
            """
        )
        assert ask(rules, facts("select", reads="t public.t")).effect is Effect.ALLOW
        refused = ask(rules, facts("select", reads="t secret"))
        assert (refused.effect, refused.hint) == (
            Effect.DENY,
            "a would allow it under conditions that this statement does not meet",
        )
        assert "secret" not in refused.reason + refused.hint
        assert ask(rules, facts("select insert", reads="t", writes="log")).rules == ("a", "b")
        assert ask(rules, facts("select insert", reads="t", writes="t")).effect is Effect.DENY

    def test_relations_are_read_or_written(self) -> None:
        rules = policy(
            "rules: [{id: a, effect: allow, when: {postgres: {commands: [select, insert], relations: [t]}}}]"
        )
        assert ask(rules, facts("select insert", reads="t", writes="t")).effect is Effect.ALLOW
        assert ask(rules, facts("select insert", reads="u", writes="t")).effect is Effect.DENY
        assert ask(rules, facts("select insert", reads="t", writes="u")).effect is Effect.DENY

    def test_functions(self) -> None:
        rules = policy("rules: [{id: a, effect: allow, when: {postgres: {commands: [select, call], functions: [f]}}}]")
        assert ask(rules, facts("select call", functions="f")).effect is Effect.ALLOW
        assert ask(rules, facts("select call", functions="f public.f")).effect is Effect.DENY

    def test_where_and_transaction(self) -> None:
        rules = policy(
            "rules: [{id: a, effect: allow, when: {postgres: {commands: [update], missing_where: false, in_transaction: true}}}]"
        )
        assert ask(rules, facts("update"), in_transaction=True).effect is Effect.ALLOW
        assert ask(rules, facts("update")).effect is Effect.DENY
        assert ask(rules, facts("update", missing_where=True), in_transaction=True).effect is Effect.DENY


class TestDeny:
    def test_beats_everything_and_says_why(self) -> None:
        decision = ask(BASE, facts("select drop"))
        assert (decision.effect, decision.rules) == (Effect.DENY, ("no-drop",))
        assert (decision.reason, decision.hint) == ("DDL goes through migrations", "ask the pipeline")

    @pytest.mark.parametrize("commands", ["select", "drop", "", "unknown"])
    def test_not_understood(self, commands: str) -> None:
        anything = policy("rules: [{id: all, effect: allow, when: {resource: {protocol: postgres}}}]")
        decision = ask(anything, facts(commands, unknown="it does not parse"))
        assert (decision.effect, decision.reason) == (Effect.DENY, "not understood: it does not parse")

    @pytest.mark.parametrize("commands", ["unknown", "select unknown", "teleport"])
    def test_a_word_that_nobody_knows(self, commands: str) -> None:
        anything = policy("rules: [{id: all, effect: allow, when: {resource: {protocol: postgres}}}]")
        assert ask(anything, facts(commands)).effect is Effect.DENY
        assert ask(anything, facts("select drop do")).effect is Effect.ALLOW

    def test_nothing_allows_nothing(self) -> None:
        assert ask(policy("rules: []"), facts("select")).effect is Effect.DENY

    def test_any_touch_is_enough(self) -> None:
        rules = policy(
            """\
            rules:
              - {id: a, effect: allow, when: {resource: {protocol: postgres}}}
              - {id: d, effect: deny, when: {postgres: {relations: [secret.t]}}}
              - {id: w, effect: deny, when: {postgres: {missing_where: true}}}
              - {id: x, effect: deny, when: {postgres: {in_transaction: true, commands: [delete]}}}
            """
        )
        assert ask(rules, facts("select", reads="a b t")).rules == ("d",)
        assert ask(rules, facts("select", reads="public.t")).effect is Effect.ALLOW
        assert ask(rules, facts("update", missing_where=True)).rules == ("w",)
        assert ask(rules, facts("delete"), in_transaction=True).rules == ("x",)
        assert ask(rules, facts("delete")).effect is Effect.ALLOW

    def test_case_is_ignored(self) -> None:
        rules = policy(
            "rules: [{id: a, effect: allow, when: {resource: {protocol: postgres}}},"
            " {id: d, effect: deny, when: {postgres: {relations: [Secret.t], commands: [select]}}}]"
        )
        assert ask(rules, facts("select", reads="SECRET.T")).rules == ("d",)

    def test_all_that_are_met_are_named(self) -> None:
        rules = policy(
            "rules: [{id: b, effect: deny, when: {postgres: {commands: [drop]}}, reason: two},"
            " {id: a, effect: deny, when: {postgres: {commands: [ddl]}}, reason: one}]"
        )
        decision = ask(rules, facts("drop"))
        assert (decision.rules, decision.reason) == (("a", "b"), "one")


class TestHold:
    def test_terms(self) -> None:
        decision = ask(BASE, facts("delete"))
        assert (decision.effect, decision.rules, decision.reason) == (Effect.HOLD, ("held", "write"), "look twice")
        terms = decision.terms
        assert terms is not None
        assert (terms.rule, terms.by, terms.quorum, terms.risk) == ("held", {"dba"}, 1, Risk.HIGH)
        assert terms.scopes == (Scope.ONCE, Scope.FINGERPRINT)

    def test_it_narrows_an_allow_and_never_replaces_one(self) -> None:
        assert ask(BASE, facts("delete insert")).effect is Effect.DENY

    def test_it_does_not_hold_what_does_nothing(self) -> None:
        rules = policy(
            """\
            rules:
              - {id: a, effect: allow, when: {resource: {protocol: postgres}}}
              - {id: h, effect: approve, when: {resource: {labels: {env: prod}}}, approval: {by: [dba]}}
              - {id: i, effect: approve, when: {postgres: {in_transaction: true}}, approval: {by: [dba]}}
            """
        )
        assert ask(rules, facts(neutral="commit"), in_transaction=True).effect is Effect.ALLOW
        assert ask(rules, facts("select")).effect is Effect.HOLD
        assert ask(rules, facts("select"), on=DEV, in_transaction=True).rules == ("i", "a")

    def test_several_combine_to_the_strictest(self) -> None:
        rules = policy(
            """\
            rules:
              - {id: a, effect: allow, when: {resource: {protocol: postgres}}}
              - {id: one, effect: approve, reason: first, when: {postgres: {commands: [delete]}},
                 approval: {by: [dba, lead], quorum: 2, expires: 10m, scopes: [once, fingerprint, rule], scope_lasts: 1h, risk: low}}
              - {id: two, effect: approve, reason: second, hint: slowly, when: {postgres: {missing_where: true}},
                 approval: {by: [lead, boss], expires: 5m, scopes: [rule, fingerprint], scope_lasts: 10m, risk: high, reason: required}}
            """
        )
        decision = ask(rules, facts("delete", missing_where=True))
        terms = decision.terms
        assert terms is not None
        assert decision.rules == ("two", "one", "a"), "the gravest first"
        assert (decision.reason, decision.hint) == ("second; first", "slowly")
        assert terms.rule == "two+one"
        assert (terms.by, terms.quorum, terms.expires, terms.scope_lasts) == ({"lead"}, 2, 300.0, 600.0)
        assert (terms.scopes, terms.risk, terms.reason_required) == ((Scope.FINGERPRINT, Scope.RULE), Risk.HIGH, True)

    def test_a_grant_for_one_rule_is_none_for_two(self) -> None:
        # Session looks grants up by terms.rule: were it the first rule's id, a grant for it would let go what the second holds.
        rules = policy(
            """\
            rules:
              - {id: a, effect: allow, when: {resource: {protocol: postgres}}}
              - {id: one, effect: approve, when: {postgres: {commands: [delete]}}, approval: {by: [x], scopes: [rule]}}
              - {id: two, effect: approve, when: {postgres: {writes: [pay]}}, approval: {by: [x], scopes: [rule]}}
            """
        )
        alone, both = ask(rules, facts("delete", writes="t")).terms, ask(rules, facts("delete", writes="pay")).terms
        assert alone is not None and both is not None
        assert alone.rule == "one" and both.rule == "one+two"

    def test_scopes_that_do_not_meet_leave_once(self) -> None:
        rules = policy(
            """\
            rules:
              - {id: a, effect: allow, when: {resource: {protocol: postgres}}}
              - {id: one, effect: approve, when: {postgres: {commands: [delete]}}, approval: {by: [x], scopes: [rule]}}
              - {id: two, effect: approve, when: {postgres: {commands: [delete]}}, approval: {by: [x], scopes: [fingerprint]}}
            """
        )
        terms = ask(rules, facts("delete")).terms
        assert terms is not None and terms.scopes == (Scope.ONCE,)

    def test_no_common_approver_is_a_deny(self) -> None:
        rules = policy(
            """\
            rules:
              - {id: a, effect: allow, when: {resource: {protocol: postgres}}}
              - {id: one, effect: approve, when: {postgres: {commands: [delete]}}, approval: {by: [x]}}
              - {id: two, effect: approve, when: {postgres: {commands: [delete]}}, approval: {by: [y]}}
            """
        )
        decision = ask(rules, facts("delete"))
        assert (decision.effect, decision.rules, decision.terms) == (Effect.DENY, ("one", "two"), None)
        assert decision.reason == "one and two each want an approval, and no group may give both"

    def test_grants_stands_for_a_missing_allow(self) -> None:
        rules = policy(
            """\
            rules:
              - {id: a, effect: allow, when: {principal: {groups: [oncall]}, postgres: {commands: [select]}}}
              - {id: jit, effect: approve, grants: true, when: {principal: {groups: [oncall]}, postgres: {commands: [update], writes: [t]}},
                 approval: {by: [dba]}}
              - {id: e, effect: approve, grants: true, when: {principal: {groups: [guest]}, postgres: {commands: [select], reads: [t]}},
                 approval: {by: [dba]}}
            """
        )
        oncall, guest = who("oncall"), who("guest")
        assert ask(rules, facts("select"), by=oncall).effect is Effect.ALLOW
        decision = ask(rules, facts("select update", writes="t"), by=oncall)
        assert (decision.effect, decision.rules) == (Effect.HOLD, ("jit", "a"))
        assert ask(rules, facts("update", writes="t u"), by=oncall).effect is Effect.DENY, (
            "it covers as an allow does: all or nothing"
        )
        assert ask(rules, facts("update drop", writes="t"), by=oncall).effect is Effect.DENY
        assert PolicyJudge(rules).admits(guest, PROD).admitted
        assert ask(rules, facts("select"), by=guest).effect is Effect.HOLD, (
            "what it covers it also holds, though it is touched by nothing"
        )


class TestAdmission:
    def test_by_any_allow(self) -> None:
        admission = PolicyJudge(BASE).admits(who("agents"), PROD)
        assert (admission.admitted, admission.rule, admission.session_max) == (True, "read", 3600.0)

    def test_the_smallest_limit_holds(self) -> None:
        rules = policy(
            "rules: [{id: a, effect: allow, session_max: 8h, when: {principal: {groups: [x]}}},"
            " {id: b, effect: allow, session_max: 2h, when: {principal: {groups: [y]}}}]"
        )
        assert PolicyJudge(rules).admits(who("x", "y"), PROD).session_max == 7200.0
        assert PolicyJudge(rules).admits(who("x"), PROD).session_max == 28800.0

    def test_strangers_are_told_so(self) -> None:
        admission = PolicyJudge(BASE).admits(who("staff"), PROD)
        assert (admission.admitted, admission.rule, admission.reason) == (False, "", "no rule lets you use orders-1")

    def test_a_plain_deny_closes_the_target(self) -> None:
        rules = policy(
            "rules: [{id: a, effect: allow, when: {resource: {protocol: postgres}}},"
            " {id: shut, effect: deny, reason: suspended, when: {principal: {subjects: [ops-1]}}}]"
        )
        judge = PolicyJudge(rules)
        assert (
            judge.admits(who(), PROD).admitted,
            judge.admits(who(), PROD).rule,
            judge.admits(who(), PROD).reason,
        ) == (False, "shut", "suspended")
        assert ask(judge, facts(neutral="begin"), by=who()).rules == ("shut",), "also in a session that was open before"
        assert judge.admits(who(subject="ops-2"), PROD).admitted

    def test_other_protocols(self) -> None:
        ssh = Target("web-1", "ssh", {})
        rules = policy(
            "rules: [{id: a, effect: allow, when: {principal: {groups: [x]}, postgres: {commands: [select]}}},"
            " {id: b, effect: allow, when: {principal: {groups: [y]}}}]"
        )
        assert not PolicyJudge(rules).admits(who("x"), ssh).admitted
        assert PolicyJudge(rules).admits(who("y"), ssh).admitted


class TestWhoAndWhere:
    @pytest.mark.parametrize(
        ("principal", "identity", "yes"),
        [
            ("{groups: [a, b]}", who("b"), True),
            ("{groups: [a, b]}", who("c"), False),
            ("{groups_none: [a]}", who("b"), True),
            ("{groups_none: [a]}", who("a", "b"), False),
            ("{groups: [b], groups_none: [a]}", who("a", "b"), False),
            ("{issuers: ['https://id.example']}", who(), True),
            ("{issuers: ['https://id.example']}", who(issuer="https://id.example.evil"), False),
            ("{issuers: ['https://id.example'], subjects: ['svc:*']}", who(subject="svc:ci"), True),
            (
                "{issuers: ['https://id.example'], subjects: ['svc:*']}",
                who(subject="svc:ci", issuer="https://other.example"),
                False,
            ),
            ("{issuers: ['https://id.example'], subjects: ['svc:*']}", who(subject="x-svc:ci"), False),
            ("{kinds: [human]}", who(kind=Kind.WORKLOAD), False),
            ("{kinds: [human, workload]}", who(kind=Kind.WORKLOAD), True),
        ],
    )
    def test_principal(self, principal: str, identity: Identity, yes: bool) -> None:
        rules = policy(f"rules: [{{id: a, effect: allow, when: {{principal: {principal}}}}}]")
        assert PolicyJudge(rules).admits(identity, PROD).admitted is yes

    def test_a_display_name_means_nothing(self) -> None:
        rules = policy(
            "rules: [{id: a, effect: allow, when: {principal: {issuers: ['https://id.example'], subjects: [ops-1]}}}]"
        )
        assert not PolicyJudge(rules).admits(Identity("https://id.example", "x", "ops-1"), PROD).admitted

    @pytest.mark.parametrize(
        ("resource", "target", "yes"),
        [
            ("{names: ['orders-*']}", PROD, True),
            ("{names: ['orders-*']}", Target("old-orders-1", "postgres"), False),
            ("{labels: {env: prod}}", PROD, True),
            ("{labels: {env: [dev, prod]}}", PROD, True),
            ("{labels: {env: prod, tier: gold}}", PROD, False),
            ("{labels: {env: prod}}", Target("x", "postgres"), False),
            ("{protocol: postgres}", Target("x", "ssh"), False),
        ],
    )
    def test_resource(self, resource: str, target: Target, yes: bool) -> None:
        rules = policy(f"rules: [{{id: a, effect: allow, when: {{resource: {resource}}}}}]")
        assert PolicyJudge(rules).admits(who(), target).admitted is yes


class TestMasks:
    RULES = policy(
        "masks: [{id: p, columns: ['*.email'], action: partial}, {id: h, columns: ['*.email'], action: hash},"
        " {id: n, columns: [ssn], action: 'null', when: {principal: {groups_none: [dba]}}},"
        " {id: r, detect: [jwt, email], action: redact, when: {resource: {labels: {env: prod}}}}]"
    )

    def test_the_union_strictest_first(self) -> None:
        masks = PolicyJudge(self.RULES).masks(who("agents"), PROD)
        assert [rule.id for rule in masks.rules] == ["n", "r", "h", "p"]
        assert masks.version == self.RULES.version
        assert (masks.rules[1].detect, masks.rules[0].columns, masks.rules[0].action) == (
            ("email", "jwt"),
            ("ssn",),
            MaskAction.NULL,
        )

    def test_conditions(self) -> None:
        assert [rule.id for rule in PolicyJudge(self.RULES).masks(who("dba"), DEV).rules] == ["h", "p"]

    def test_the_same_object_again(self) -> None:
        judge = PolicyJudge(self.RULES)
        assert judge.masks(who("agents"), PROD) is judge.masks(who("agents", subject="other"), PROD)


class TestCache:
    def test_equal_questions_share_one_answer(self) -> None:
        judge = PolicyJudge(BASE)
        first = ask(judge, facts("select", reads="t"))
        assert ask(judge, facts("select", reads="t"), by=who("agents", subject="another")) is first
        assert ask(judge, facts("select", reads="t"), in_transaction=True) is not first

    def test_nothing_is_remembered_for_the_wrong_identity(self) -> None:
        judge = PolicyJudge(BASE)
        for number in range(3000):  # more than are remembered, with ids of freed objects coming back
            inside = number % 2 == 0
            identity = who("agents" if inside else "staff", subject=f"s{number}")
            assert judge.admits(identity, Target(f"t{number}", "postgres")).admitted is inside

    def test_bounds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(decide, "MAX_VIEWS", 8)
        monkeypatch.setattr(decide, "MAX_DECISIONS", 16)
        judge = PolicyJudge(BASE)
        for number in range(200):
            target = Target(f"t{number % 20}", "postgres", {"env": "prod"})
            answer = judge.decide(
                who("agents"), target, Operation("postgres", "x", "", facts("select", reads=f"r{number}"))
            )
            assert answer.effect is Effect.ALLOW
            assert len(judge._views) <= 8 and len(judge._shared) <= 8
            assert sum(len(view.cache) for view in judge._shared.values()) <= 16

    def test_decisions_are_bounded_within_one_view(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(decide, "MAX_DECISIONS", 16)
        judge = PolicyJudge(BASE)
        for number in range(100):
            assert ask(judge, facts("select", reads=f"r{number}")).effect is Effect.ALLOW
            assert sum(len(view.cache) for view in judge._shared.values()) <= 16

    def test_large_facts_are_not_kept(self) -> None:
        judge = PolicyJudge(BASE)
        many = facts("select", reads=" ".join(f"t{n}" for n in range(decide.MAX_NAMES + 1)))
        assert ask(judge, many).effect is Effect.ALLOW
        assert sum(len(view.cache) for view in judge._shared.values()) == 0
