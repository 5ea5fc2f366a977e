"""`kubectl delete` of what it lists first: one review for exactly what was listed, and for nothing beyond it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.kubectl.gateway import POLICY, Gateway, gateway
from tests.e2e.kubectl.programs import chosen, one
from tests.e2e.kubectl.world import world

pytestmark = pytest.mark.e2e
HELD = POLICY.replace(
    "tests:",
    """  - id: deletes-need-somebody
    effect: approve
    when: {resource: {protocol: kubernetes}, kubernetes: {verbs: [delete]}}
    approval: {by: [oncall], expires: 5m}
tests:""",
)


def test_one_review_for_what_was_listed(tmp_path: Path) -> None:
    if not chosen():
        one()
    with world() as cluster, gateway(cluster, policy=HELD) as through:
        for program in chosen():
            kubectl = cluster.kubectl(program, through.kubeconfig, tmp_path / "work", "/clusters/prod-eu")
            for name in "abcde":
                kubectl(f"create configmap {name}")
                kubectl(f"label configmap {name} app=x")
            with kubectl.running("delete configmap -l app=x") as deleting:
                held = through.held()
                assert held.scopes == ("group", "once") and held.group == 5
                assert through.do("approve", number=str(held.number), scope="group", reason="all of them").ok
                assert deleting.end() == 0, deleting.err
            assert not any(cluster.has("configmaps", "shop", name) for name in "abcde")
