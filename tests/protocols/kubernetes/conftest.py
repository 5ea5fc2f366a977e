"""One API server for all tests of a module, and gates in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
