"""An agent at a cluster: commands of kubectl through the gateway, one after the other.

With the stock kubectl where there is one, else the same requests with kubernetes_asyncio; a fresh token says who it is. Knows nothing
of what is allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from hooptui.core.secret import Secret
from hooptui.demo.agents import Gate
from hooptui.demo.received import Received
from hooptui.demo.scripts import Script, Step

END_WITHIN: Final = 5.0
"""Seconds a program has to go when asked, before it is killed."""
DEPLOYMENT: Final = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "canary", "labels": {"app": "canary"}},
    "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": "canary"}},
        "template": {
            "metadata": {"labels": {"app": "canary"}},
            "spec": {"containers": [{"name": "canary", "image": "registry.example/shop/web:1.5"}]},
        },
    },
}  # fmt: skip
SHOP: Final = "/namespaces/shop"
REQUESTS: Final[dict[str, tuple[str, str, object]]] = {
    "get pods": ("GET", f"/api/v1{SHOP}/pods", None),
    "get secret db-credentials -o yaml": ("GET", f"/api/v1{SHOP}/secrets/db-credentials", None),
    "get configmap web-config -o yaml": ("GET", f"/api/v1{SHOP}/configmaps/web-config", None),
    "create deployment canary --image=registry.example/shop/web:1.5": ("POST", f"/apis/apps/v1{SHOP}/deployments", DEPLOYMENT),
    "delete namespace shop": ("DELETE", "/api/v1/namespaces/shop", {"propagationPolicy": "Background"}),
    "delete deployment canary": ("DELETE", f"/apis/apps/v1{SHOP}/deployments/canary", {"propagationPolicy": "Background"}),
}  # fmt: skip
"""What each command of the scripts is as a request, for where there is no kubectl."""


class KubeAgent:
    """One kubeconfig and its commands."""

    def __init__(self, script: Script, gate: Gate, received: Received, *, kubectl: str | None = None) -> None:
        """`kubectl` is the stock client's path; found when None, and kubernetes_asyncio is used when it is empty."""
        self._script = script
        self._gate = gate
        self._received = received
        self._kubectl = shutil.which("kubectl") or "" if kubectl is None else kubectl
        self._config = gate.home / f"{script.name}.kubeconfig"
        self._token = Secret("")
        self._api: Any = None
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._token = await self._gate.token(self._script.name)
        if self._kubectl:
            await asyncio.to_thread(_private, self._config, json.dumps(self._kubeconfig()))
        else:
            self._api = self._client()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
                try:
                    async with asyncio.timeout(END_WITHIN):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()
        if self._api is not None:
            await self._api.close()
        await asyncio.to_thread(self._config.unlink, missing_ok=True)

    async def say(self, step: Step) -> bool:
        """Run one command and wait for its end, however long that takes; always True, because each has a connection of its own."""
        if self._api is not None:
            await self._request(*REQUESTS[step.text])
            return True
        self._process = await asyncio.create_subprocess_exec(
            self._kubectl, f"--kubeconfig={self._config}", f"--cache-dir={self._gate.home / 'kube-cache'}", *shlex.split(step.text),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(self._gate.home), "LC_ALL": "C.UTF-8"},
            # Ctrl-C in the demo's terminal is the demo's.
            start_new_session=True,
        )  # fmt: skip
        out, err = await self._process.communicate()
        self._received.add(self._script.name, out)
        self._received.add(f"{self._script.name} (errors)", err)
        return True

    # --- the stock client

    @property
    def _server(self) -> str:
        return f"https://localhost:{self._gate.kubernetes_port}/clusters/{self._script.target}"

    def _kubeconfig(self) -> dict[str, object]:
        name = self._script.name
        cluster = {"server": self._server, "certificate-authority": str(self._gate.ca_file)}
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "demo", "clusters": [{"name": "demo", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": self._token.reveal()}}],
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": name, "namespace": "shop"}}],
        }  # fmt: skip

    # --- without it

    def _client(self) -> Any:
        from kubernetes_asyncio import client

        settings = client.Configuration(host=self._server)
        settings.ssl_ca_cert = str(self._gate.ca_file)
        return client.ApiClient(settings)

    async def _request(self, method: str, path: str, body: object) -> None:
        headers = {
            "Accept": "application/json", "Content-Type": "application/json", "Authorization": f"Bearer {self._token.reveal()}",
        }  # fmt: skip
        try:
            answer = await self._api.call_api(path, method, header_params=headers, body=body, _preload_content=False)
            said = await answer.read()
        except (OSError, aiohttp.ClientError) as fault:
            self._received.add(f"{self._script.name} (errors)", str(fault).encode())
        else:
            self._received.add(self._script.name if answer.status < 400 else f"{self._script.name} (errors)", said)


def _private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
