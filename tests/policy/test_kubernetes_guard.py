"""Requests from their raw bytes to a decision: no way round a deny, nothing grave let go by the shipped policy, everyday work untouched."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from hooptui.core.model import Decision, Effect, Kind, Operation, Target
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.loader import load, parse
from hooptui.protocols.kubernetes.operations import read
from hooptui.protocols.kubernetes.wire import Malformed, read_head, split_head
from tests.policy.kubernetes_bypasses import DOING, GUARD, READING, REFUSED, WRITING, Case, every
from tests.policy.making import who

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "policies" / "kubernetes.yaml"
PRODUCTION = Target("eu", "kubernetes", {"env": "prod"})
STAGING = Target("eu", "kubernetes", {"env": "staging"})
AGENT = who("agents", kind=Kind.AGENT)

Row = tuple[str, list[tuple[str, list[tuple[str, str]], str]]]


def rows(name: str) -> list[Row]:
    """Commands, and the requests that kubectl 1.32 made for them: line, headers of interest, body in base64."""
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


EVERYDAY, CHANGES = rows("kubernetes_everyday.jsonl"), rows("kubernetes_changes.jsonl")


@pytest.fixture(scope="module")
def shipped() -> PolicyJudge:
    return PolicyJudge(load([SHIPPED]))


@pytest.fixture(scope="module")
def guard() -> PolicyJudge:
    return PolicyJudge(parse([("guard.yaml", GUARD.encode())]))


def operation(case: Case) -> Operation:
    return read(read_head(*split_head(case.raw())).request, case.body)


def name(case: Case) -> str:
    return f"{case.name}: {case.line[:60]}"


def test_the_tables_are_large_enough() -> None:
    cases = [case.raw() + case.body for case in every()]
    assert len(set(cases)) == len(cases) >= 180
    assert len({command for command, _ in EVERYDAY}) == len(EVERYDAY) >= 60
    assert len({command for command, _ in CHANGES}) == len(CHANGES) >= 50
    assert sum(len(requests) for _, requests in EVERYDAY) > 100


@pytest.mark.parametrize("case", REFUSED, ids=name)
def test_what_could_be_two_requests_is_refused_unread(case: Case) -> None:
    with pytest.raises(Malformed) as caught:
        operation(case)
    assert 400 <= caught.value.status < 600 and caught.value.reason
    assert "abc" not in caught.value.reason


@pytest.mark.parametrize("case", [*READING, *DOING, *WRITING], ids=name)
def test_no_way_round_a_deny(guard: PolicyJudge, case: Case) -> None:
    asked = operation(case)
    decision = guard.decide(AGENT, PRODUCTION, asked)
    assert decision.effect is Effect.DENY, asked.facts
    if case.forbidden:
        assert case.forbidden in decision.rules, (decision, asked.facts)
    else:
        assert not asked.facts.understood and not decision.rules


@pytest.mark.parametrize("case", [*DOING, *WRITING], ids=name)
def test_nothing_grave_is_let_go_by_the_shipped_policy(shipped: PolicyJudge, case: Case) -> None:
    asked = operation(case)
    harmless = (case.line.startswith("GET") and case.forbidden == "system") or asked.facts.commands == {"dry_run"}
    for groups in (("agents",), ("oncall",), ("engineers", "oncall", "agents")):
        for target in (PRODUCTION, STAGING):
            decision = shipped.decide(who(*groups, kind=Kind.AGENT), target, asked)
            assert (decision.effect is Effect.ALLOW) is harmless, (decision, asked.facts)


def decide(judge: PolicyJudge, line: str, headers: list[tuple[str, str]], body: str, target: Target) -> Decision:
    sent = base64.b64decode(body)
    method, _, path = line.partition(" ")
    said = [(b"host", b"x"), *((key.encode(), value.encode()) for key, value in headers)]
    if sent:
        said.append((b"content-length", b"%d" % len(sent)))
    return judge.decide(
        AGENT, target, read(read_head(method.encode(), path.encode(), said, by_path=False).request, sent)
    )


@pytest.mark.parametrize(("command", "requests"), EVERYDAY, ids=[command for command, _ in EVERYDAY])
def test_everyday_work_is_untouched(
    shipped: PolicyJudge, command: str, requests: list[tuple[str, list[tuple[str, str]], str]]
) -> None:
    for target in (PRODUCTION, STAGING):
        for line, headers, body in requests:
            assert decide(shipped, line, headers, body, target).effect is Effect.ALLOW, line


DENIED = frozenset(
    {
        "kubectl debug node/node-1 --image=busybox -- sh", "kubectl label ns shop pod-security.kubernetes.io/enforce=privileged --overwrite",
        """kubectl patch deployment web -p '{"spec":{"template":{"spec":{"hostNetwork":true}}}}'""", "kubectl create token deployer",
        "kubectl create clusterrolebinding x --clusterrole=cluster-admin --user=eve", "kubectl create role x --verb=get --resource=secrets",
        "kubectl run p2 --image=nginx --privileged", """kubectl run p3 --image=nginx --overrides='{"spec":{"hostPID":true}}'""",
        "kubectl get --raw /api/v1/nodes/node-1/proxy/pods", "kubectl get --raw /api/v1/namespaces/shop/services/web:80/proxy/",
    }
)  # fmt: skip


@pytest.mark.parametrize(("command", "requests"), CHANGES, ids=[command for command, _ in CHANGES])
def test_real_changes_wait_or_never_run(
    shipped: PolicyJudge, command: str, requests: list[tuple[str, list[tuple[str, str]], str]]
) -> None:
    if "--as=" in command:
        with pytest.raises(Malformed, match="impersonation"):
            decide(shipped, *requests[0], PRODUCTION)
        return
    effects = {decide(shipped, *one, PRODUCTION).effect for one in requests}
    if command == "kubectl delete pods -l app=web":
        assert effects == {Effect.ALLOW}, "it found nothing to delete, and so asked for no more than a list"
    else:
        assert effects - {Effect.ALLOW} == {Effect.DENY if command in DENIED else Effect.HOLD}


@pytest.mark.parametrize(
    "command", ["kubectl scale deployment web --replicas=0", "kubectl delete deployment web --cascade=foreground"]
)
def test_what_destroys_is_held_as_high_risk(shipped: PolicyJudge, command: str) -> None:
    requests = dict(CHANGES)[command]
    held = [found for one in requests if (found := decide(shipped, *one, PRODUCTION)).effect is Effect.HOLD]
    assert held and all(one.terms is not None and one.terms.risk == "high" for one in held)


def test_a_deny_list_lets_everyday_reading_go_but_for_what_it_names(guard: PolicyJudge) -> None:
    """The guard is no wall: it is the denies that decide."""
    allowed = {
        command
        for command, requests in EVERYDAY
        if all(decide(guard, *one, PRODUCTION).effect is Effect.ALLOW for one in requests)
    }
    assert {"kubectl get pods", "kubectl describe pod console", "kubectl logs console", "kubectl version"} <= allowed
    assert not allowed & {"kubectl get secrets", "kubectl get pods -A", "kubectl describe secret db-credentials"}
