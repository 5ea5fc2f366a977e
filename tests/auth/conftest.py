"""What several tests of this room share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .forge import Publisher
from .watching import PATH, Book


@pytest.fixture
async def book() -> AsyncIterator[Book]:
    async with Publisher() as publisher:
        made = Book(publisher)
        publisher.discovery = lambda: {
            "issuer": publisher.url,
            "jwks_uri": f"{publisher.url}/jwks",
            "introspection_endpoint": publisher.url + PATH,
            "userinfo_endpoint": publisher.url + "/me",
        }
        publisher.answers |= {PATH: made.introspect, "/me": made.userinfo}
        yield made
