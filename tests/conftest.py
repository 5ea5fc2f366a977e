"""Fixtures that every room shares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# `--import-mode=importlib` leaves sys.path alone; test modules import their helpers as `tests.…`.
sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.postgres_server import PostgresServer, running

FIRST = (
    "test_form.py",
    "ui/test_pictures.py",
    "test_cli.py",
    "demo/test_demo.py",
    "test_house.py",
    "e2e/",
    "ui/",
    "protocols/ssh/",
)
"""Where the long files are: begun early, so that no process is left with one when the others are done."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long files. Leave out what is marked `long`, unless it is asked for by its mark or by its file: `-m long`, or
    `tests/test_form.py`."""
    items.sort(key=_rank)
    if "long" in config.option.markexpr:
        return
    named = {(config.invocation_params.dir / word.split("::")[0]).resolve() for word in config.args}
    left = [item for item in items if item.get_closest_marker("long") and item.path.resolve() not in named]
    if left:
        out = set(left)
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=left)


def _rank(item: pytest.Item) -> int:
    path = item.path.relative_to(Path(__file__).parent).as_posix()
    return next((rank for rank, start in enumerate(FIRST) if path.startswith(start)), len(FIRST))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One real server for the whole run; make a database of your own by `postgres.database(name)`."""
    with running() as server:
        yield server
