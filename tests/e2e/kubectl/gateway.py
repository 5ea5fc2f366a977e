"""A whole gateway in front of the cluster that allows everything and masks nothing, so that nothing may differ."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hooptui.config.load import load_text
from hooptui.control.local import GatewayThread
from hooptui.core.desk import Command, HeldView, Outcome
from hooptui.demo.issuer import DemoIssuer
from tests.e2e.kubectl.world import World

POLICY = """
version: 1
rules:
  - {id: admins, effect: allow, when: {principal: {groups: [admins]}, resource: {protocol: kubernetes}}}
tests:
  - {name: pods, expect: allow, by: admins, request: {groups: [admins], protocol: kubernetes, resource: prod-eu, kubernetes: {request: GET /api/v1/pods}}}
"""


class Gateway:
    """See the module."""

    def __init__(self, world: World, home: Path, policy: str) -> None:
        self.world = world
        self.home = home
        self.issuer = DemoIssuer("hooptui")
        world.call(self.issuer.start())
        token = home / "token"
        token.write_text(world.token)
        token.chmod(0o600)
        (home / "policy.yaml").write_text(policy)
        self.thread = GatewayThread(
            load_text(
                f"""
name: bed
state_dir: state
listen: {{kubernetes: "127.0.0.1:0"}}
operator: {{name: ops-1, groups: [oncall]}}
issuers: [{{issuer: "{self.issuer.url}", audience: hooptui}}]
policy: policy.yaml
targets:
  prod-eu: {{protocol: kubernetes, server: "{world.cluster.url}", ca_file: "{world.cluster.ca_file}", token: {{file: token}}, labels: {{env: prod}}}}
""",
                "gateway.yaml",
                home,
            )
        )
        self.thread.start()
        self.desk = self.thread.desk()
        gateway = self.thread.gateway
        assert gateway is not None
        self.port = next(int(one.address.rpartition(":")[2]) for one in gateway.listeners if one.protocol == "k8s")
        self.kubeconfig = self.config("bot", ("admins",))

    def config(self, subject: str, groups: tuple[str, ...], *, namespace: str = "shop") -> Path:
        """A kubeconfig of somebody's, by a token of the issuer."""
        path = self.home / f"{subject}.config"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "cluster",
                    "clusters": [{"name": "cluster", "cluster": {"server": f"https://127.0.0.1:{self.port}/clusters/prod-eu", "certificate-authority": str(self.home / "state" / "tls" / "ca.crt")}}],
                    "users": [{"name": subject, "user": {"token": self.issuer.mint(subject, groups).reveal()}}],
                    "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": subject, "namespace": namespace}}],
                }
            )
        )  # fmt: skip
        path.chmod(0o600)
        return path

    def do(self, verb: str, **args: str) -> Outcome:
        """What the operator does."""
        return self.world.call(self.desk.run(Command(verb, args)))

    def held(self) -> HeldView:
        """Wait for an operation to be held."""
        return self.next(None)

    def next(self, before: HeldView | None) -> HeldView:
        """Wait for one to be held that is not the one before."""
        deadline = time.monotonic() + 60
        number = before.number if before is not None else 0
        while not (found := [one for one in self.world.call(self.desk.snapshot()).held if one.number != number]):
            assert time.monotonic() < deadline, "nothing is held"
            time.sleep(0.02)
        return found[0]

    def close(self) -> None:
        self.thread.stop("the test is over")
        self.world.call(self.issuer.stop())


@contextmanager
def gateway(world: World, *, policy: str = POLICY) -> Iterator[Gateway]:
    with tempfile.TemporaryDirectory(prefix="gateway-") as home:
        made = Gateway(world, Path(home), policy)
        try:
            yield made
        finally:
            made.close()
