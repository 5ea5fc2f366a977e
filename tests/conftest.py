"""Fixtures that every room shares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# `--import-mode=importlib` leaves sys.path alone; test modules import their helpers as `tests.…`.
sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.postgres_server import PostgresServer, running


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `long`, unless it is asked for by its mark or by its file: `-m long`, or `tests/test_form.py`."""
    if "long" in config.option.markexpr:
        return
    named = {(config.invocation_params.dir / word.split("::")[0]).resolve() for word in config.args}
    left = [item for item in items if item.get_closest_marker("long") and item.path.resolve() not in named]
    if left:
        out = set(left)
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One real server for the whole run; make a database of your own by `postgres.database(name)`."""
    with running() as server:
        yield server
