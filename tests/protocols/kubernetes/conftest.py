"""One API server for all tests of a module, and gates in front of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.demo.cluster.cluster import Cluster
from tests.protocols.kubernetes.apiserver import ApiServer, running
from tests.protocols.kubernetes.gatehouse import Gatehouse, open_gate


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    directory: Path = tmp_path_factory.mktemp("apiserver")
    directory.chmod(0o700)
    with running(directory) as found:
        yield found


@pytest.fixture
def gate(server: ApiServer) -> Iterator[Gatehouse]:
    with open_gate(server) as house:
        yield house


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    directory.chmod(0o700)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = Cluster(Path(directory))
    asyncio.run_coroutine_threadsafe(made.__aenter__(), loop).result(60)
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(made.__aexit__(None, None, None), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
