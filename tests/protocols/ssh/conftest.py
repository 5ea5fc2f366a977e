"""One sshd for all tests of a module, and gates in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.protocols.ssh.gatehouse import Gatehouse, open_gate
from tests.ssh_server import SshServer, running


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def terminals() -> Iterator[SshServer]:
    """One that can hand out a pty."""
    with running(terminals=True) as found:
        yield found


@pytest.fixture
def gate(server: SshServer) -> Iterator[Gatehouse]:
    with open_gate(server) as house:
        yield house
