"""Fixtures that every room shares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# `--import-mode=importlib` leaves sys.path alone; test modules import their helpers as `tests.…`.
sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.postgres_server import PostgresServer, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One real server for the whole run; make a database of your own by `postgres.database(name)`."""
    with running() as server:
        yield server
