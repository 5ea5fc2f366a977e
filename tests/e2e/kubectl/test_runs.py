"""`kubectl delete` of many: one approval for the rest of the run, and for nothing beyond it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.kubectl.gateway import POLICY, gateway
from tests.e2e.kubectl.programs import one
from tests.e2e.kubectl.world import world

pytestmark = pytest.mark.e2e
HELD = POLICY.replace(
    "tests:",
    """  - id: deletes-need-somebody
    effect: approve
    when: {resource: {protocol: kubernetes}, kubernetes: {verbs: [delete]}}
    approval: {by: [oncall], expires: 5m, scopes: [once, run]}
tests:""",
)


def test_the_rest_of_a_run_goes_with_its_first(tmp_path: Path) -> None:
    program = one()
    with world() as cluster, gateway(cluster, policy=HELD) as through:
        kubectl = cluster.kubectl(program, through.kubeconfig, tmp_path / "work", "/clusters/prod-eu")
        for name in "abcde":
            kubectl(f"create configmap {name}")
        with kubectl.running("delete configmap a b c") as deleting:
            held = through.held()
            assert held.scopes == ("once", "run")
            assert all(cluster.has("configmaps", "shop", name) for name in "abc")
            assert through.do("approve", number=str(held.number), scope="run", reason="all of them").ok
            assert deleting.end() == 0
        assert not any(cluster.has("configmaps", "shop", name) for name in "abc")
        with kubectl.running("delete configmap d e") as deleting:
            assert through.do("deny", number=str(through.held().number), reason="another run").ok
            assert through.do("approve", number=str(through.held().number), reason="this one alone").ok
            assert deleting.end() == 1
        assert cluster.has("configmaps", "shop", "d") and not cluster.has("configmaps", "shop", "e")
        lines = [
            json.loads(line)
            for path in (through.home / "state" / "journal").rglob("*.jsonl")
            for line in path.read_text().splitlines()
        ]
        events = [line["event"] for line in lines if "event" in line]
        said = [(one["data"]["why"], one["data"]["approval"]) for one in events if one["kind"] == "decided"]
        assert [one for one in said if one[0] in ("approved", "granted")] == [
            ("approved", held.number), ("granted", held.number), ("granted", held.number), ("approved", held.number + 2),
        ]  # fmt: skip
