"""helm itself through the gateway: the same as directly; under masks nothing masked is written back; and what secrets_except gives it."""

from __future__ import annotations

import base64
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.e2e.clientgo.building import built
from tests.e2e.kubectl.client import comparable
from tests.e2e.kubectl.gateway import POLICY, Gateway, gateway
from tests.e2e.kubectl.world import World, world

pytestmark = [pytest.mark.e2e, pytest.mark.long]

CHART = Path(__file__).parent / "chart"
SECRETS = "{id: secrets, when: {resource: {protocol: kubernetes}}, secrets: true, action: redact%s}"
LIFE = (
    "install blog CHART --description first",
    "list",
    "status blog",
    "upgrade blog CHART --set colour=red,replicas=2,fresh=true,password=next-pass-2",
    "history blog",
    "get values blog",
    "get manifest blog",
    "rollback blog 1",
    "get values blog --all",
    "upgrade blog CHART --install --reuse-values --set colour=green --wait --timeout 40s",
    "get values blog",
    "upgrade nothing CHART",
    "test blog",
    "uninstall blog --keep-history",
    "list --all",
    "uninstall blog",
    "list --all",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("helm.sh/helm/v3/cmd/helm", "helm", tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def cluster(program: Path) -> Iterator[World]:
    with world() as made:
        yield made


class Helm:
    """helm as one person uses it."""

    def __init__(self, program: Path, kubeconfig: Path, home: Path) -> None:
        self._program = program
        self._kubeconfig = kubeconfig
        self._home = home
        home.mkdir(exist_ok=True)

    def __call__(self, command: str) -> str:
        """What it says, with its exit status."""
        words = shlex.split(command.replace("CHART", str(CHART)))
        done = subprocess.run(
            [self._program, "--kubeconfig", self._kubeconfig, *words], capture_output=True, text=True, timeout=60, cwd=self._home,
            env={"PATH": os.environ["PATH"], "HOME": str(self._home), "TZ": "UTC"},
        )  # fmt: skip
        return f"$ helm {command}\n{done.stdout}{done.stderr}exit {done.returncode}"


def steady(text: str, *homes: Path) -> str:
    """Without what differs from run to run, and what client-go logs of watches that end with the program."""
    text = re.sub(r"(?m)^[EWI]\d{4} .*\n", "", text)
    text = re.sub(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}", "TIME", text)
    return comparable(re.sub(r"[ \t]+", " ", text), *homes)


def password(cluster: World) -> str:
    found = cluster.do(lambda: cluster.cluster.store.get("secrets", "shop", "blog-secret"))
    assert found is not None
    return base64.b64decode(found["data"]["password"]).decode()


def test_a_life_of_a_release_is_the_same_directly_and_through_the_gateway(
    program: Path, cluster: World, tmp_path: Path
) -> None:
    found = []
    with gateway(cluster) as through:
        for kubeconfig in (cluster.kubeconfig, through.kubeconfig):
            cluster.reset()
            helm = Helm(program, kubeconfig, tmp_path / "home")
            found.append([steady(helm(command), tmp_path) for command in LIFE])
    whole = "\n".join(found[0])
    for words in (
        "Happy Helming",
        "Upgrade complete",
        "colour: red",
        "Rollback was a success",
        "colour: green",
        "uninstalled",
        "has no deployed releases",
    ):
        assert words in whole, whole
    assert found[1] == found[0]


def masking(cluster: World, exempt: str = "") -> AbstractContextManager[Gateway]:
    return gateway(cluster, policy=POLICY.replace("\ntests:", f"\nmasks:\n  - {SECRETS % exempt}\ntests:"))


def test_masked_releases_are_none_and_nothing_masked_is_written_back(
    program: Path, cluster: World, tmp_path: Path
) -> None:
    cluster.reset()
    direct = Helm(program, cluster.kubeconfig, tmp_path / "home")
    with masking(cluster) as through:
        helm = Helm(program, through.kubeconfig, tmp_path / "home")
        assert helm("install blog CHART").endswith("exit 0")
        before = direct("get all blog"), direct("history blog")
        assert before[0].endswith("exit 0") and password(cluster) == "start-pass-1"
        assert "blog" not in helm("list --short").partition("\n")[2].replace("hooptui masked", "")
        for command in (
            "history blog", "get values blog", "get manifest blog", "upgrade blog CHART --set colour=red",
            "upgrade blog CHART --install --set colour=red", "upgrade blog CHART --force --reuse-values", "rollback blog 1", "uninstall blog",
        ):  # fmt: skip
            said = helm(command)
            assert "masked" in said and "start-pass-1" not in said
            assert said.endswith("exit 1") or command == "history blog", said
        assert (direct("get all blog"), direct("history blog")) == before
        assert password(cluster) == "start-pass-1"


def test_where_releases_are_left_as_they_are_helm_works_and_secrets_staymasking(
    program: Path, cluster: World, tmp_path: Path
) -> None:
    cluster.reset()
    with masking(cluster, ", secrets_except: [helm.sh/release.v1]") as through:
        helm = Helm(program, through.kubeconfig, tmp_path / "home")
        assert helm("install blog CHART").endswith("exit 0")
        assert helm("upgrade blog CHART --set colour=red,fresh=true,password=next-pass-2").endswith("exit 0")
        assert password(cluster) == "next-pass-2"
        assert "colour: red" in helm("get values blog")
        assert helm("rollback blog 1").endswith("exit 0")
        assert password(cluster) == "start-pass-1"
        # A chart that keeps what it looks up is handed a mask, which neither its release nor its Secret may take.
        kept = helm("upgrade blog CHART --set colour=green")
        assert kept.endswith("exit 1") and "writing it back would destroy the real ones" in kept
        assert password(cluster) == "start-pass-1"
        assert "green" not in Helm(program, cluster.kubeconfig, tmp_path / "home")("get all blog")
        assert helm("uninstall blog").endswith("exit 0")
        recorded = b"".join(path.read_bytes() for path in (through.home / "state").rglob("*") if path.is_file())
        assert b"blog-config" in recorded and b"next-pass-2" not in recorded
