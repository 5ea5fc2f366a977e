"""A program on client-go, straight at the cluster and through the gateway: informers, leases, streams, and what masks and people say."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clientgo.building import built
from tests.e2e.kubectl.gateway import POLICY, Gateway, gateway
from tests.e2e.kubectl.world import World, world

pytestmark = [pytest.mark.e2e, pytest.mark.long]

CASES = {
    "pages": "3 pages [default/kube-root-ca.crt",
    "informer": "kept map[a:1]\ndeleted watched\n",
    "resume": "ADDED before\nADDED after\n",
    "apply": "conflict: true\nforced map[a:3 b:2]\n",
    "patch": "tried map[json:4 merge:2 strategic:3]\nis map[a:1 json:4 merge:2 strategic:3]\n",
    "conflict": "late: true Conflict\nanother's: true\nnothing: true",
    "delete": "deleted: <nil>\ngone: true\n",
    "protobuf": "map[a:1]\nmap[a:1 b:2]\n1 registry.example/tools:1\n",
    "anything": "made map[keep:3 schedule:@daily]\n2 BackupList\n",
    "table": "Name Data Age \n",
    "exec": 'sh: out "out\\n" err "err\\n" code 7, <nil>\ncat: out "320000 bytes, as sent: true"',
    "port-forward": "70000 bytes back, as sent: true <nil>\nended: <nil>\n",
    "logs": "working\nworking\nworking\nworking\n",
    "lease": 'first led: true, then held by ""\nsecond led: true, then held by ""\n',
    "access": "get true\ndelete true\n",
    "evict": "evicted: <nil>\n",
    "scale": "is 2\nwants 3\n",
}
"""Each case of the program, and what it says when all is well. Over streams, all is said twice: over WebSocket and over SPDY."""

MASKS = """
masks:
  - {id: secrets, when: {resource: {protocol: kubernetes}}, secrets: true, action: redact}
  - {id: cards, when: {resource: {protocol: kubernetes}}, detect: [credit-card], action: redact}
"""
HELD = POLICY.replace(
    "tests:",
    """  - id: deletes-need-somebody
    effect: approve
    when: {resource: {protocol: kubernetes}, kubernetes: {verbs: [delete]}}
    approval: {by: [oncall], expires: 5m}
tests:""",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(".", "clientgo", tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def cluster(program: Path) -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture(scope="module")
def plain(cluster: World) -> Iterator[Gateway]:
    with gateway(cluster) as made:
        yield made


@pytest.fixture(scope="module")
def masked(cluster: World) -> Iterator[Gateway]:
    with gateway(cluster, policy=POLICY.replace("\ntests:", f"{MASKS}tests:")) as made:
        yield made


def said(program: Path, kubeconfig: Path, case: str) -> str:
    """What it prints, with its exit status; what client-go logs beside is not compared."""
    done = subprocess.run([program, kubeconfig, case], capture_output=True, text=True, timeout=60)
    return f"{done.stdout}exit {done.returncode}"


@pytest.mark.parametrize("case", CASES)
def test_the_same_directly_and_through_the_gateway(
    case: str, program: Path, cluster: World, plain: Gateway, masked: Gateway
) -> None:
    found = []
    for kubeconfig in (cluster.kubeconfig, plain.kubeconfig, masked.kubeconfig):
        cluster.reset()
        found.append(said(program, kubeconfig, case))
    assert CASES[case] in found[0] and found[0].endswith("\nexit 0"), found[0]
    assert found[1] == found[0]
    assert found[2] == found[0], "with masks, that have nothing to mask here"


def test_a_secret_is_masked_and_not_written_back(program: Path, cluster: World, masked: Gateway) -> None:
    cluster.reset()
    password = cluster.cluster.planted.password
    assert f"password={password}\n" in said(program, cluster.kubeconfig, "secret")
    through = said(program, masked.kubeconfig, "secret")
    assert "password=masked-by-hooptui." in through and "username=masked-by-hooptui." in through
    assert password not in through
    assert "writing it back would destroy the real ones" in through
    assert f"password={password}\n" in said(program, cluster.kubeconfig, "secret")


@pytest.mark.parametrize(
    ("verb", "words"), [("approve", "deleted: <nil>\ngone: true\n"), ("deny", "not in the freeze")]
)
def test_a_delete_waits_for_somebody(verb: str, words: str, program: Path, cluster: World) -> None:
    cluster.reset()
    with gateway(cluster, policy=HELD) as through:
        with subprocess.Popen([program, through.kubeconfig, "delete"], stdout=subprocess.PIPE, text=True) as running:
            held = through.held()
            assert cluster.has("deployments.apps", "shop", "worker") and running.poll() is None
            assert through.do(verb, number=str(held.number), reason="not in the freeze").ok
            out, _ = running.communicate(timeout=60)
        assert words in out
        assert cluster.has("deployments.apps", "shop", "worker") is (verb == "deny")
        if verb == "deny":
            assert "403 Forbidden" in out and "gone: false" in out
