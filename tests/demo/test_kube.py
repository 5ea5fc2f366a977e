"""The agent at a cluster, through a whole gateway: with the stock client and without one."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.core.secret import Secret
from hooptui.demo.agents import Gate
from hooptui.demo.kube import REQUESTS, KubeAgent
from hooptui.demo.received import Received
from hooptui.demo.scripts import DEPLOYER, Step
from tests.e2e.kubectl.gateway import Gateway, gateway
from tests.e2e.kubectl.world import World, world


@pytest.fixture(scope="module")
def cluster() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture(scope="module")
def through(cluster: World) -> Iterator[Gateway]:
    with gateway(cluster) as made:
        yield made


@pytest.fixture(params=["kubectl", "kubernetes_asyncio"])
def client(request: pytest.FixtureRequest) -> str:
    """Path of the stock client, or nothing for the library."""
    if request.param == "kubernetes_asyncio":
        return ""
    found = shutil.which("kubectl")
    if found is None:
        if os.environ.get("CI") == "true":
            raise RuntimeError("no kubectl")
        pytest.skip("no kubectl")
    return found


def gate(through: Gateway, home: Path, secret: str) -> Gate:
    async def token(_client: str) -> Secret:
        return Secret(secret)

    ca = through.home / "state" / "tls" / "ca.crt"
    return Gate("psql", 0, ca, "none", home, token, kubernetes_port=through.port)


async def test_the_script_is_done_through_the_gateway(
    cluster: World, through: Gateway, client: str, tmp_path: Path
) -> None:
    await asyncio.to_thread(cluster.reset)
    received, token = Received(), through.issuer.mint("deployer-5", ("admins",)).reveal()
    async with KubeAgent(DEPLOYER, gate(through, tmp_path, token), received, kubectl=client) as agent:
        for step in DEPLOYER.steps:
            if "namespace" not in step.text:
                assert await agent.say(step)
            if "create" in step.text:
                assert await asyncio.to_thread(cluster.has, "deployments.apps", "shop", "canary")
    said = dict(received.places())
    assert "deployer-5 (errors)" not in said or not said["deployer-5 (errors)"]
    for text in (b"console", b"db-credentials", b"web-config"):
        assert text in said["deployer-5"]
    assert not await asyncio.to_thread(cluster.has, "deployments.apps", "shop", "canary")
    assert token not in repr(said)
    assert not list(tmp_path.glob("*.kubeconfig")), "and no token is left behind"


async def test_who_is_not_let_in_is_told_so(through: Gateway, client: str, tmp_path: Path) -> None:
    received = Received()
    async with KubeAgent(DEPLOYER, gate(through, tmp_path, "wrong"), received, kubectl=client) as agent:
        assert await agent.say(Step("get pods"))
    said = dict(received.places())
    assert not said.get("deployer-5")
    assert said["deployer-5 (errors)"]


def test_every_command_is_known_without_kubectl() -> None:
    assert {step.text for step in DEPLOYER.steps} == set(REQUESTS)
