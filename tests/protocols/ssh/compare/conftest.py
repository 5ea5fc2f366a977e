"""One gate in front of each of two servers for all comparisons: one passes signals on, the other hands out terminals."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.protocols.ssh.compare.sides import MASKS, Sides, everything
from tests.protocols.ssh.gatehouse import open_gate
from tests.ssh_server import running


@contextmanager
def _opened(*, terminals: bool) -> Iterator[Sides]:
    # Not below pytest's own directory, which is closed to the server's account.
    root = Path(tempfile.mkdtemp(prefix="hooptui-compare-"))
    try:
        with (
            running(terminals=terminals) as server,
            open_gate(server, everything, masks=MASKS) as gate,
        ):
            yield Sides(gate, root)
            assert not gate.door.troubles
    finally:
        shutil.rmtree(root)


@pytest.fixture(scope="package")
def sides() -> Iterator[Sides]:
    with _opened(terminals=False) as made:
        yield made


@pytest.fixture(scope="package")
def terminals() -> Iterator[Sides]:
    with _opened(terminals=True) as made:
        yield made
