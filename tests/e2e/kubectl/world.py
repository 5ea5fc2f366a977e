"""The cluster that the cases run in: the demo's, on a loop of its own; or a real one, when the environment names it.

`HOOPTUI_TEST_KUBECONFIG` is the kubeconfig of a cluster to use; `KUBEBUILDER_ASSETS` is a directory with kube-apiserver and etcd, which
are started here. What is run there is run directly, in namespaces of its own, as far as an API server alone allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hooptui.demo.cluster.cluster import Cluster
from tests.e2e.kubectl.client import Kubectl
from tests.e2e.kubectl.programs import Program
from tests.e2e.kubectl.real import started

T = TypeVar("T")
KUBECONFIG = "HOOPTUI_TEST_KUBECONFIG"
ASSETS = "KUBEBUILDER_ASSETS"


class World:
    """See the module."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cluster", daemon=True)
        self._thread.start()
        (home / "cluster").mkdir(mode=0o700)
        self.cluster = Cluster(home / "cluster")
        self.call(self.cluster.__aenter__())
        self.kubeconfig = self.cluster.kubeconfig(home / "direct.config")
        self.token = self.cluster.people.issue(_admin())

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the cluster's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def do(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return self.call(run())

    def has(self, key: str, namespace: str, name: str) -> bool:
        """Is there such an object, asked past every server?"""
        return self.do(lambda: self.cluster.store.get(key, namespace, name) is not None)

    def reset(self) -> None:
        self.call(self.cluster.reset())

    def close(self) -> None:
        self.call(self.cluster.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def kubectl(self, program: Program, kubeconfig: Path, work: Path, prefix: str = "") -> Kubectl:
        """One person with an empty directory to work in."""
        if work.exists():
            shutil.rmtree(work)
        work.mkdir(parents=True)
        (self.home / "user").mkdir(exist_ok=True)
        return Kubectl(program, kubeconfig, self.home / "user", work, prefix)


def _admin() -> Any:
    from hooptui.demo.cluster.cluster import ADMIN

    return ADMIN


@contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="kubectl-") as home:
        made = World(Path(home))
        try:
            yield made
        finally:
            made.close()


# --- a real one


@contextmanager
def real_kubeconfig() -> Iterator[Path | None]:
    """The kubeconfig of the real cluster that the environment names; None when it names none."""
    if os.environ.get(KUBECONFIG):
        yield Path(os.environ[KUBECONFIG])
    elif os.environ.get(ASSETS):
        with started(Path(os.environ[ASSETS])) as kubeconfig:
            yield kubeconfig
    else:
        yield None


@contextmanager
def namespace(program: Program, kubeconfig: Path, name: str) -> Iterator[Path]:
    """A namespace of a real cluster, and a kubeconfig that is in it."""
    with tempfile.TemporaryDirectory(prefix="kubectl-") as home:
        own = Path(home) / "config"
        shutil.copy(kubeconfig, own)

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            command = [program.path, f"--kubeconfig={own}", f"--cache-dir={home}/cache", *words]
            return subprocess.run(command, capture_output=True, text=True, timeout=120)

        run("create", "namespace", name).check_returncode()
        run("config", "set-context", "--current", f"--namespace={name}").check_returncode()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and run("get", "sa", "default").returncode:
            # A service account is made by a controller, and there may be none.
            time.sleep(0.2)
        try:
            yield own
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run("delete", "namespace", name, "--wait=false")
