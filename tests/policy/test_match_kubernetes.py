"""Conditions on Kubernetes: an allow must cover all of it, a deny or approve is touched by what may be meant; and what a rule may not say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.cli import main
from hooptui.core.model import Decision, Effect, Identity, KubernetesFacts, Operation, SqlFacts, Target
from hooptui.core.vocabulary import KUBERNETES_ACTIONS, KUBERNETES_TRAITS, UNKNOWN
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.explain import explain
from hooptui.policy.rules import Policy
from hooptui.policy.rules_kubernetes import HOMES
from hooptui.policy.suite import coverage, run_tests, warnings
from hooptui.protocols.kubernetes.stated import read_request, read_stated
from hooptui.protocols.postgres.facts import read_sql
from hooptui.protocols.ssh.commands import read_command
from tests.policy.making import PROD, policy, problems, who

SHIPPED = Path(__file__).resolve().parents[2] / "policies" / "kubernetes.yaml"

EU = Target("eu", "kubernetes", {"env": "dev"})
ME: Identity = who("ops")
N = "/api/v1/namespaces/web"
A = "/apis/apps/v1/namespaces/web"


def rules(*listed: str) -> Policy:
    return policy("rules:\n" + "\n".join(f"  - {{id: r{at}, {one}}}" for at, one in enumerate(listed)))


def allow(what: str) -> str:
    return f"effect: allow, when: {{principal: {{groups: [ops]}}, kubernetes: {what}}}"


def deny(what: str) -> str:
    return f"effect: deny, when: {{kubernetes: {what}}}"


def approve(what: str, grants: bool = False) -> str:
    return f"effect: approve, grants: {str(grants).lower()}, when: {{kubernetes: {what}}}, approval: {{by: [lead]}}"


ANY = allow("{verbs: [reads, writes, streams, dry_run]}")


def ask(listed: Policy, what: str | KubernetesFacts, body: str = "", kind: str = "application/json") -> Decision:
    facts = read_request(what, body.encode(), kind if body else "") if isinstance(what, str) else what
    return PolicyJudge(listed).decide(ME, EU, Operation("kubernetes", "x", "", facts))


def effect(listed: Policy, what: str | KubernetesFacts, body: str = "") -> Effect:
    return ask(listed, what, body).effect


class TestAllow:
    @pytest.mark.parametrize(
        ("what", "line", "yes"),
        [
            ("{verbs: [get], resources: pods}", f"GET {N}/pods/a", True), ("{verbs: [get], resources: pods}", f"GET {N}/pods", False),
            ("{verbs: [get], resources: pods}", f"GET {N}/pods/a/log", False), ("{verbs: [get], resources: pods/log}", f"GET {N}/pods/a/log", True),
            ("{verbs: [get], resources: pods/*}", f"GET {N}/pods/a/log", True), ("{verbs: [get], resources: pods/*}", f"GET {N}/pods/a", False),
            ("{verbs: [get], resources: pods}", "GET /apis/metrics.k8s.io/v1beta1/namespaces/web/pods/a", False),
            ("{verbs: [get], resources: '*'}", "GET /apis/metrics.k8s.io/v1beta1/namespaces/web/pods/a", True), ("{verbs: [get], resources: '*'}", f"GET {N}/pods/a/log", True),
            ("{verbs: [get], resources: '*'}", "GET /version", False), ("{verbs: [get]}", "GET /version", True), ("{verbs: [get]}", f"GET {N}/pods/a/log", True),
            ("{verbs: [get], resources: deployments.apps}", f"GET {A}/deployments/w", True), ("{verbs: [get], resources: '*.apps'}", f"GET {A}/deployments/w", True),
            ("{verbs: [get], resources: '*.apps'}", f"GET {A}/deployments/w/scale", False), ("{verbs: [get], resources: '*/scale'}", f"GET {A}/deployments/w/scale", True),
            ("{verbs: [get], resources: deployments.apps}", "GET /apis/evil.apps/v1/namespaces/web/deployments/w", False),
            ("{verbs: [get], resources: '*.example.com'}", "GET /apis/a.example.com/v1/namespaces/web/things/w", False),
            ("{verbs: [get], resources: '*.*example.com'}", "GET /apis/a.example.com/v1/namespaces/web/things/w", True),
            ("{verbs: [get], resources: pod?}", f"GET {N}/pods/a", True), ("{verbs: [get], resources: [nodes, pods]}", f"GET {N}/pods/a", True),
            ("{verbs: [get], paths: /version}", "GET /version", True), ("{verbs: [get], paths: /version}", f"GET {N}/pods/a", False), ("{verbs: [get], paths: '/ap*'}", f"GET {N}/pods/a", False),
            ("{verbs: [get], paths: '/ap*'}", "GET /apis/apps/v1", True), ("{verbs: [get], paths: /version, resources: pods}", f"GET {N}/pods/a", True),
            ("{verbs: [get], paths: /version, resources: pods}", "GET /version", True), ("{verbs: [get], paths: /version, resources: nodes}", f"GET {N}/pods/a", False),
            ("{verbs: [reads], namespaces: web}", f"GET {N}/pods", True), ("{verbs: [reads], namespaces: web}", "GET /api/v1/pods", False), ("{verbs: [reads], namespaces: '*'}", "GET /api/v1/pods", False),
            ("{verbs: [reads], namespaces: w*}", f"GET {N}/pods/a", True), ("{verbs: [reads], namespaces: x}", f"GET {N}/pods/a", False), ("{verbs: [reads], namespaces: web}", "GET /api/v1/nodes", False),
            ("{verbs: [reads], namespaces: web}", "GET /api/v1/namespaces/web", True), ("{verbs: [reads], namespaces: web}", "GET /version", False),
            ("{verbs: [reads], names: a}", f"GET {N}/pods/a", True), ("{verbs: [reads], names: a}", f"GET {N}/pods", False), ("{verbs: [reads], names: '*'}", f"GET {N}/pods", False),
            ("{verbs: [reads], names: a}", f"GET {N}/pods?fieldSelector=metadata.name%3Da", True), ("{verbs: [reads], names: a}", f"GET {N}/pods?watch=1&fieldSelector=metadata.name%3Db", False),
            ("{verbs: [exec], resources: pods/exec, programs: [{run: 'ls *'}]}", f"GET {N}/pods/a/exec?command=ls&command=-l", True),
            ("{verbs: [exec], resources: pods/exec, programs: [{run: 'ls *'}]}", f"GET {N}/pods/a/exec?command=/bin/ls", True),
            ("{verbs: [exec], resources: pods/exec, programs: [{run: 'ls *'}]}", f"GET {N}/pods/a/exec?command=./ls", False),
            ("{verbs: [exec], resources: pods/exec, programs: [{run: 'ls *'}]}", f"GET {N}/pods/a/exec?command=ls&stdin=1", False),
            ("{verbs: [exec], resources: pods/exec, programs: [{run: 'ls *'}], traits: [stdin]}", f"GET {N}/pods/a/exec?command=ls&stdin=1", True),
            ("{verbs: [exec], resources: pods/exec, programs: [{run: ls}]}", f"GET {N}/pods/a/exec?command=ls&command=-l", False),
            ("{verbs: [exec], resources: pods/exec, programs: [{run: 'sh *'}]}", f"GET {N}/pods/a/exec?command=sh&command=-c&command=x", False),
            ("{verbs: [exec], resources: pods/exec, programs: [{run: 'ls *'}]}", f"GET {N}/pods/a/exec?command=ls+-l", False),
            ("{verbs: [attach], resources: pods/attach}", f"GET {N}/pods/a/attach", True), ("{verbs: [streams], resources: '*'}", f"GET {N}/pods/a/exec?command=x", True),
            ("{verbs: [get], resources: pods/exec}", f"GET {N}/pods/a/exec?command=x", False), ("{verbs: [reads, writes], resources: '*'}", f"GET {N}/services/a/proxy/x", False),
            ("{verbs: [reads], selectors: app=*}", f"GET {N}/pods?labelSelector=app%3Dweb", True), ("{verbs: [reads], selectors: app=*}", f"GET {N}/pods", False),
            ("{verbs: [deletes], without_selector: false}", f"DELETE {N}/pods?labelSelector=a", True), ("{verbs: [deletes], without_selector: false}", f"DELETE {N}/pods", False),
            ("{verbs: [delete]}", f"DELETE {N}/pods", False), ("{verbs: [deletecollection]}", f"DELETE {N}/pods", False), ("{verbs: [deletes]}", f"DELETE {N}/pods", True),
            ("{verbs: [reads]}", "GET /api/v1/namespaces/web%2fsecrets", False), ("{verbs: [reads]}", f"GET {N}/Pods/a", False),
        ],
    )  # fmt: skip
    def test_all_of_it_must_be_covered(self, what: str, line: str, yes: bool) -> None:
        assert effect(rules(allow(what)), line) is (Effect.ALLOW if yes else Effect.DENY)

    @pytest.mark.parametrize(
        ("what", "line", "body", "yes"),
        [
            ("{verbs: [create], resources: pods}", f"POST {N}/pods/a/eviction", '{"metadata":{"name":"a"}}', False),
            ("{verbs: [create], resources: pods/eviction}", f"POST {N}/pods/a/eviction", '{"metadata":{"name":"a"}}', False),
            ("{verbs: [create, delete], resources: pods/eviction}", f"POST {N}/pods/a/eviction", '{"metadata":{"name":"a"}}', True),
            ("{verbs: [create], resources: pods, names: a}", f"POST {N}/pods", '{"metadata":{"name":"a"}}', True),
            ("{verbs: [create], resources: pods, names: a}", f"POST {N}/pods", '{"metadata":{"name":"b"}}', False),
            ("{verbs: [create], resources: pods, names: '*'}", f"POST {N}/pods", '{"metadata":{"generateName":"b"}}', False),
            ("{verbs: [create], resources: pods, traits: [workload]}", f"POST {N}/pods", '{"metadata":{"name":"a"},"spec":{"containers":[]}}', True),
            ("{verbs: [create], resources: pods, traits: [workload]}", f"POST {N}/pods", '{"metadata":{"name":"a"},"spec":{"containers":[],"hostPID":true}}', False),
            ("{verbs: [create], resources: pods}", f"POST {N}/pods", '{"metadata":{"name":"a"},"metadata":{"name":"b"}}', False),
            ("{verbs: [dry_run]}", f"POST {N}/pods?dryRun=All", '{"metadata":{"name":"a"}}', True), ("{verbs: [dry_run]}", f"POST {N}/pods", '{"metadata":{"name":"a"}}', False),
            ("{verbs: [writes]}", f"POST {N}/pods?dryRun=All", '{"metadata":{"name":"a"}}', False),
        ],
    )  # fmt: skip
    def test_of_a_write(self, what: str, line: str, body: str, yes: bool) -> None:
        assert effect(rules(allow(what)), line, body) is (Effect.ALLOW if yes else Effect.DENY)

    def test_an_apply_needs_both(self) -> None:
        listed = rules(allow("{verbs: [patch], resources: deployments.apps}"))
        line, kind = f"PATCH {A}/deployments/w", "application/apply-patch+yaml"
        decision = ask(listed, line, '{"spec":{}}', kind)
        assert decision.effect is Effect.DENY and "create" in decision.reason
        both = rules(allow("{verbs: [patch, create], resources: deployments.apps}"))
        assert ask(both, line, '{"spec":{}}', kind).effect is Effect.ALLOW


class TestTouch:
    @pytest.mark.parametrize(
        ("what", "line", "yes"),
        [
            ("{resources: pods}", f"GET {N}/pods/a/log", True), ("{resources: pods}", f"GET {N}/pods/a/exec?command=x", True), ("{resources: pods/exec}", f"GET {N}/pods/a", False),
            ("{resources: deployments}", f"GET {A}/deployments/w", True), ("{resources: deployments}", f"GET {A}/deployments/w/scale", True),
            ("{resources: deployments.apps}", "GET /apis/extensions/v1beta1/namespaces/web/deployments/w", False), ("{resources: secrets}", "GET /apis/any.io/v1/secrets", True),
            ("{resources: '*.apps'}", f"GET {A}/deployments/w/scale", True), ("{resources: '*/proxy'}", f"GET {N}/services/a/proxy/x", True), ("{resources: nodes}", "GET /api/v1/proxy/nodes/n", True),
            ("{resources: '*'}", "GET /version", False), ("{paths: '*'}", "GET /version", True), ("{paths: '*'}", f"GET {N}/pods", False),
            ("{namespaces: web}", f"GET {N}/pods", True), ("{namespaces: web}", "GET /api/v1/pods", True), ("{namespaces: web}", "GET /api/v1/nodes", False), ("{namespaces: web}", "DELETE /api/v1/namespaces/web", True),
            ("{namespaces: db}", f"GET {N}/pods", False), ("{namespaces: web}", "GET /version", False), ("{namespaces: db}", "GET /api/v1/pods?watch=1", True),
            ("{names: a}", f"GET {N}/pods/a", True), ("{names: a}", f"GET {N}/pods/b", False), ("{names: a}", f"GET {N}/pods", True), ("{names: a}", f"DELETE {N}/pods?labelSelector=x", True),
            ("{names: a}", f"GET {N}/pods?fieldSelector=metadata.name%3Db", False), ("{verbs: [delete]}", f"DELETE {N}/pods", True), ("{verbs: [deletecollection]}", f"DELETE {N}/pods/a", False),
            ("{verbs: [exec]}", f"POST {N}/pods/a/exec?command=x", True), ("{verbs: [get]}", f"GET {N}/pods/a/exec?command=x", False), ("{verbs: [create]}", f"POST {N}/pods/a/exec?command=x", False),
            ("{traits: [interpreter]}", f"GET {N}/pods/a/exec?command=bash", True), ("{programs: [{run: rm}]}", f"GET {N}/pods/a/exec?command=/tmp/RM&command=-rf", True),
            ("{programs: [{run: rm, arguments: '/'}]}", f"GET {N}/pods/a/exec?command=rm&command=-rf&command=/", True), ("{programs: [{run: rm}]}", f"GET {N}/pods/a/exec?command=ls", False),
            ("{programs: [{run: rm}]}", f"GET {N}/pods", False), ("{without_selector: true}", f"DELETE {N}/pods", True), ("{without_selector: true}", f"DELETE {N}/pods?labelSelector=a", False),
            ("{selectors: app=db}", f"GET {N}/pods", True), ("{selectors: app=db}", f"GET {N}/pods?labelSelector=app%3Dweb", False), ("{}", f"GET {N}/pods", True), ("{}", "GET /version", True),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("rule", [deny, approve])
    def test_what_may_be_meant_is(self, rule: object, what: str, line: str, yes: bool) -> None:
        made = deny(what) if rule is deny else approve(what)
        expected = Effect.DENY if rule is deny else Effect.HOLD
        assert effect(rules(ANY, made), line) is (expected if yes else Effect.ALLOW)

    def test_who_makes_up_a_name_may_mean_any(self) -> None:
        listed = rules(ANY, deny("{verbs: [create], names: admin}"))
        assert effect(listed, f"POST {N}/pods", '{"metadata":{"generateName":"ad"}}') is Effect.DENY
        assert effect(listed, f"POST {N}/pods", '{"metadata":{"name":"web"}}') is Effect.ALLOW

    def test_an_eviction_meets_a_deny_of_either(self) -> None:
        for verb in ("create", "delete"):
            assert (
                effect(
                    rules(ANY, deny(f"{{verbs: [{verb}], resources: pods}}")),
                    f"POST {N}/pods/a/eviction",
                    '{"metadata":{"name":"a"}}',
                )
                is Effect.DENY
            )

    def test_a_namespace_is_in_itself_from_the_start(self) -> None:
        listed = rules(ANY, deny("{verbs: [create], namespaces: kube-system}"))
        assert effect(listed, "POST /api/v1/namespaces", '{"metadata":{"name":"kube-system"}}') is Effect.DENY
        assert effect(listed, "POST /api/v1/namespaces", '{"metadata":{"name":"x"}}') is Effect.ALLOW

    def test_an_approve_for_the_rest_stands_in_for_an_allow_alone(self) -> None:
        listed = rules(allow("{verbs: [reads]}"), approve("{verbs: [writes, reads], rest: true}", grants=True))
        assert effect(listed, f"GET {N}/pods") is Effect.ALLOW
        assert effect(listed, f"DELETE {N}/pods/a") is Effect.HOLD
        assert effect(listed, f"GET {N}/pods/a/exec?command=x") is Effect.DENY


class TestRest:
    def test_rules_of_other_protocols_say_nothing_here(self) -> None:
        listed = policy(
            "rules:\n- {id: k, effect: allow, when: {resource: {names: [eu]}, kubernetes: {verbs: [get]}}}\n"
            "- {id: d, effect: deny, when: {ssh: {}}}\n- {id: e, effect: deny, when: {postgres: {}}}"
        )
        assert effect(listed, f"GET {N}/pods/a") is Effect.ALLOW
        assert not PolicyJudge(listed).admits(ME, PROD).admitted

    def test_facts_of_another_protocol_are_refused(self) -> None:
        facts = SqlFacts(frozenset({"select"}))
        assert PolicyJudge(rules(ANY)).decide(ME, EU, Operation("postgres", "x", "", facts)).effect is Effect.DENY
        both = policy("rules: [{id: r, effect: allow, when: {resource: {names: ['*']}}}]")
        # `delete` is a word of both.
        for on, foreign in ((PROD, KubernetesFacts(frozenset({"delete"}))), (EU, SqlFacts(frozenset({"delete"})))):
            decision = PolicyJudge(both).decide(ME, on, Operation("x", "x", "", foreign))
            assert (decision.effect, decision.reason) == (
                Effect.DENY,
                "not understood: it is of another protocol than its target",
            )

    @pytest.mark.parametrize("actions", [{UNKNOWN}, {"get", UNKNOWN}, {"conjure"}, {"select"}])
    def test_an_action_without_a_word_is_denied(self, actions: set[str]) -> None:
        assert effect(rules(ANY), KubernetesFacts(frozenset(actions), resource="pods")) is Effect.DENY

    @given(
        st.frozensets(st.sampled_from(sorted(KUBERNETES_ACTIONS)), max_size=3), st.sampled_from(["", "pods", "secrets"]), st.sampled_from(["", "web"]),
        st.sampled_from(["", "a"]), st.frozensets(st.sampled_from(sorted(KUBERNETES_TRAITS)), max_size=3), st.sampled_from(["", "why"]),
    )  # fmt: skip
    def test_one_more_deny_never_allows_more(
        self, actions: frozenset[str], resource: str, namespace: str, name: str, traits: frozenset[str], unknown: str
    ) -> None:
        facts = KubernetesFacts(
            actions,
            "get",
            resource=resource,
            namespace=namespace,
            name=name,
            path="" if resource else "/x",
            traits=traits,
            unknown=unknown,
        )
        base = [
            allow("{verbs: [reads, writes], namespaces: web}"),
            approve("{verbs: [writes], rest: true}", grants=True),
        ]
        order = {Effect.DENY: 0, Effect.HOLD: 1, Effect.ALLOW: 2}
        before, after = (
            effect(rules(*base), facts),
            effect(rules(*base, deny("{resources: secrets, traits: [rbac]}")), facts),
        )
        assert order[after] <= order[before]
        if unknown or UNKNOWN in actions:
            assert before is Effect.DENY
        if before is Effect.ALLOW and actions:
            assert namespace == "web" and resource

    def test_the_same_question_has_the_same_answer_again(self) -> None:
        judge = PolicyJudge(rules(allow("{verbs: [get], names: a}")))
        for name, expected in (("a", Effect.ALLOW), ("b", Effect.DENY)) * 2:
            facts = read_request(f"GET {N}/pods/{name}")
            assert judge.decide(ME, EU, Operation("kubernetes", "x", "", facts)).effect is expected

    def test_it_explains_itself(self) -> None:
        listed = rules(
            allow("{verbs: [reads], namespaces: db}"),
            deny("{traits: [node_proxy]}"),
            approve("{verbs: [deletes], without_selector: true}"),
        )
        lines = explain(listed, ME, EU, read_stated(f"DELETE {N}/pods?labelSelector=a")).lines
        assert any("covers get, list, review, watch, not delete, deletecollection" in line for line in lines)
        assert any("its traits do not match nothing" in line for line in lines)
        assert any("is not for what has a selector" in line for line in lines)
        lines = explain(listed, ME, EU, read_stated(f"GET {N}/pods/a")).lines
        assert any("its namespaces do not match web" in line for line in lines)

    def test_tests_state_requests(self) -> None:
        listed = policy(
            """
            rules: [{id: r, effect: allow, when: {resource: {names: [eu]}, kubernetes: {verbs: [get, create, exec], resources: [pods, pods/exec, deployments.apps/scale], traits: [workload]}}}]
            tests:
            - {name: a, request: {resource: eu, kubernetes: {request: "GET /api/v1/namespaces/x/pods/a"}}, expect: allow, by: r}
            - {name: b, request: {resource: eu, kubernetes: {request: "POST /api/v1/namespaces/x/pods", type: yaml, body: "metadata: {name: a}\\nspec: {containers: []}"}}, expect: allow}
            - {name: c, request: {resource: eu, kubernetes: {verbs: [get], resource: deployments.apps/scale, namespace: x, name: y}}, expect: allow}
            - {name: d, request: {resource: eu, kubernetes: {verbs: [get], path: /version}}, expect: deny}
            - {name: e, request: {resource: eu, kubernetes: {verbs: [exec], resource: pods/exec, traits: [tty], command: [ls]}}, expect: deny}
            - {name: f, request: {resource: eu, kubernetes: {verbs: [get], resource: pods, unknown: because}}, expect: deny}
            - {name: g, request: {resource: eu, kubernetes: {request: "TRACE /x"}}, expect: deny}
            """
        )
        assert [str(one) for one in run_tests(listed, read_sql, read_command, read_request).failed] == []
        assert coverage(listed, read_sql, read_command, read_request).ok
        assert {one.name for one in run_tests(listed, read_sql).failed} == {"a", "b"}, (
            "without a reader nothing is understood"
        )

    def test_warnings_know_verbs(self) -> None:
        listed = rules(allow("{verbs: [reads]}"), approve("{verbs: [writes]}"))
        assert [line.partition(": ")[2] for line in warnings(listed)] == [
            "r1 holds what no rule allows: it needs an allow beside it, or grants: true"
        ]


class TestProblems:
    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            (allow("{resources: pods}"), "resources without verbs"), (allow("{namespaces: web}"), "namespaces without verbs"), (allow("{programs: [{run: ls}]}"), "programs without verbs"),
            (allow("{verbs: [get], resources: deployments}"), "deployments.apps: without a group it is one of the core"), (allow("{verbs: [get], resources: ingresses/status}"), "ingresses.networking.k8s.io/status"),
            (allow("{verbs: [exec], resources: pods}"), "exec without */exec among resources"), (allow("{verbs: [exec, get], programs: [{run: ls}]}"), "get beside programs"),
            (deny("{programs: [{run: ls, never: ['-x']}]}"), "never"), (deny("{rest: true}"), "rest"), (allow("{verbs: [get], rest: true}"), "rest"),
            (deny("{verbs: [gte]}"), "did you mean get?"), (deny("{verbs: [unknown]}"), "a verb such as"), (deny("{traits: [privilege]}"), "did you mean privileged?"),
            (deny("{resources: Pods}"), "a resource with its group"), (deny("{resources: []}"), "at least one"), (deny("{paths: version}"), "begins with a slash"), (deny("{names: a/b}"), "a name"),
            (deny("{what: x}"), "unknown key"), ("effect: deny, when: {kubernetes: {}, ssh: {}}", "ssh and kubernetes"), ("effect: allow, when: {kubernetes: {}}", "no condition at all"),
        ],
    )  # fmt: skip
    def test_of_a_rule(self, rule: str, said: str) -> None:
        found = problems(f"rules: [{{id: r, {rule}}}]")
        assert any(said in line for line in found), found

    def test_a_deny_may_name_a_resource_without_its_group(self) -> None:
        assert rules(*(deny(f"{{resources: {name}}}") for name in sorted(HOMES)))

    @pytest.mark.parametrize(
        ("stated", "said"),
        [
            ("{}", "both or neither"), ("{request: 'GET /x', verbs: [get]}", "both or neither"), ("{resource: pods}", "words without verbs"), ("{request: GET}", "a method and a path"),
            ("{verbs: [get], path: /x, body: x}", "with a body"), ("{verbs: [gte], path: /x}", "a verb"), ("{request: 'GET /x', type: cbor}", "cbor"),
        ],
    )  # fmt: skip
    def test_of_a_test(self, stated: str, said: str) -> None:
        found = problems(f"tests: [{{name: t, request: {{resource: r, kubernetes: {stated}}}, expect: deny}}]")
        assert any(said in line for line in found), found

    def test_a_test_is_of_one_protocol(self) -> None:
        found = problems(
            "tests: [{name: t, request: {resource: r, sql: x, kubernetes: {request: GET /x}}, expect: deny}]"
        )
        assert any("sql and kubernetes" in line for line in found)
        found = problems(
            "tests: [{name: t, request: {resource: r, protocol: ssh, kubernetes: {request: GET /x}}, expect: deny}]"
        )
        assert any("kubernetes, or no protocol" in line for line in found)

    def test_masks_of_objects(self) -> None:
        made = policy(
            "masks: [{id: m, action: redact, secrets: true, fields: ['configmaps.data.*', 'pods.spec.containers[*].env[*].value']}]"
        )
        [rule] = PolicyJudge(made).masks(ME, EU).rules
        assert rule.secrets and rule.fields == ("configmaps.data.*", "pods.spec.containers[*].env[*].value")
        assert problems("masks: [{id: m, action: redact, secrets: false}]") and problems(
            "masks: [{id: m, action: redact, fields: [x]}]"
        )


class TestCommandLine:
    """`hooptui policy explain --kubernetes`."""

    CALL = (
        "policy",
        "explain",
        str(SHIPPED),
        "--target",
        "eu",
        "--label",
        "env=prod",
        "--group",
        "oncall",
        "--kubernetes",
    )

    def test_a_request(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*self.CALL, f"GET {N}/secrets/db"]) == 0
        said = capsys.readouterr().out
        assert "allow: kubernetes-looks" in said and "masks: kubernetes-said, kubernetes-secrets" in said

    def test_with_a_body(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        body = tmp_path / "patch.json"
        body.write_text('{"spec":{"replicas":0}}')
        assert main([*self.CALL, f"PATCH {A}/deployments/web/scale", "--body", str(body), "--type", "merge"]) == 0
        said = capsys.readouterr().out
        assert "hold: kubernetes-stops-wait, kubernetes-writes-wait" in said and "risk high" in said

    def test_what_a_client_would_not_get_past(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*self.CALL, "GET /api/v1/namespaces/x%2fsecrets"]) == 0
        assert "refused with 400: a segment of the path holds an encoded slash" in capsys.readouterr().out

    def test_a_body_that_is_not_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*self.CALL, f"POST {N}/pods", "--body", str(tmp_path / "none")]) == 2
        assert "--body: " in capsys.readouterr().err
