"""The cases run straight at the cluster, so that its double is known to be one; and at a real one, when there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kubectl import reading, streaming, writing
from tests.e2e.kubectl.cases import Case
from tests.e2e.kubectl.programs import one
from tests.e2e.kubectl.world import namespace, real_kubeconfig

pytestmark = pytest.mark.e2e
CASES = (*reading.CASES, *writing.CASES, *streaming.CASES)


def must_say(case: Case, said: str) -> None:
    missing = [text for text in case.says if text not in said]
    assert not missing, f"{case.name} never said {missing}:\n{said}"


@pytest.fixture(scope="module")
def real() -> Iterator[Path]:
    with real_kubeconfig() as found:
        if found is None:
            pytest.skip("neither HOOPTUI_TEST_KUBECONFIG nor KUBEBUILDER_ASSETS names a real cluster")
        yield found


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.seeded and not case.pods], ids=lambda case: case.name
)
def test_on_a_real_cluster(case: Case, real: Path, tmp_path: Path) -> None:
    program = one()
    name = f"hooptui-{case.name.replace('_', '-')}"
    with namespace(program, real, name) as kubeconfig:
        from tests.e2e.kubectl.client import Kubectl

        kubectl = Kubectl(program, kubeconfig, tmp_path, tmp_path)
        case.run(kubectl)
    must_say(case, "\n".join(str(said) for said in kubectl.said))
