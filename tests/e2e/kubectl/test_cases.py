"""Every case twice, straight at the cluster and through the gateway: the same answers, the same exit codes, the same words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kubectl import reading, streaming, writing
from tests.e2e.kubectl.cases import Case
from tests.e2e.kubectl.client import Said, comparable
from tests.e2e.kubectl.gateway import Gateway, gateway
from tests.e2e.kubectl.programs import Program, chosen, one
from tests.e2e.kubectl.test_direct import must_say
from tests.e2e.kubectl.world import World, world

pytestmark = pytest.mark.e2e
CASES = (*reading.CASES, *writing.CASES, *streaming.CASES)
USUAL = frozenset({
    "get_pods", "get_json", "get_missing", "get_custom", "describe_deployment", "can_i", "watch_events", "raw", "apply",
    "apply_server_side", "create_token", "edit", "patch_json", "scale", "delete_cascade", "custom_objects", "logs_follow",
    "exec_code", "exec_stdin", "cp", "port_forward", "attach", "debug",
})  # fmt: skip
"""One or two of each kind of thing; the others are the long way to the same."""
SPDY = frozenset({"exec_stdin", "port_forward"})
"""Of these, what is usually tried by the older protocol too."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[World]:
    one()
    with world() as made:
        yield made


@pytest.fixture(scope="module")
def through(cluster: World) -> Iterator[Gateway]:
    with gateway(cluster) as made:
        yield made


def runs() -> list[object]:
    """Every case with the newest kubectl; those that stream also with one that knows SPDY alone."""
    found = chosen()
    return [
        pytest.param(
            program, case, id=f"{program}-{case.name}",
            marks=() if case.name in (USUAL if program is found[-1] else SPDY) else pytest.mark.long,
        )
        for case in CASES
        for program in found
        if program.minor >= case.least and (program is found[-1] or case.streams)
    ]  # fmt: skip


def test_what_is_usual_is_a_case() -> None:
    assert SPDY <= USUAL <= {case.name for case in CASES}


def transcript(said: list[Said], *homes: Path) -> list[str]:
    return [
        f"$ kubectl {comparable(one.command, *homes)}\n{comparable(one.out, *homes)}\n--- exit {one.code}\n{comparable(one.err, *homes)}"
        for one in said
    ]


@pytest.mark.parametrize(("program", "case"), runs())
def test_the_same_directly_and_through_the_gateway(
    program: Program, case: Case, cluster: World, through: Gateway, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    found = []
    for kubeconfig, prefix in ((cluster.kubeconfig, ""), (through.kubeconfig, "/clusters/prod-eu")):
        cluster.reset()
        kubectl = cluster.kubectl(program, kubeconfig, work, prefix)
        case.run(kubectl)
        must_say(case, "\n".join(str(said) for said in kubectl.said))
        found.append(transcript(kubectl.said, work, cluster.home))
    if not case.loose:
        assert found[1] == found[0]
