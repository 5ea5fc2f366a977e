"""One bed for each module of end-to-end tests; at its end no canary may be anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.bed import Bed, bed
from tests.postgres_server import PostgresServer


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Iterator[Bed]:
    with bed(postgres) as made:
        yield made
        made.gateway.stop("the module is over")
        assert made.leaks() == []


@pytest.fixture(autouse=True)
def nothing_is_left_held(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "world" in request.fixturenames:
        assert request.getfixturevalue("world").snapshot().held == ()
