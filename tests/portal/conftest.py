"""One real provider and one real browser for the room's tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop

from hooptui.credentials import certificates
from tests.providers.browser import Chromium, chromium, spki
from tests.providers.oidc_provider import OidcProvider, oidc_provider


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The gateway's own kind of loop; for the socket both kinds, whose TLS transports share nothing but their methods."""
    both = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return both if item.path.name == "test_gauge.py" else {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider() as running:
        yield running


@pytest.fixture
def idp(provider: OidcProvider) -> Iterator[OidcProvider]:
    """The provider on a good day, whatever a test does to it."""
    yield provider
    provider.trouble({})


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the certificates that all portals of the browser's tests share."""
    directory = tmp_path_factory.mktemp("portal")
    certificates.ensure(directory / "tls", [], now=time.time())
    return directory


@pytest.fixture(scope="session")
def browser(certified: Path) -> Iterator[Chromium]:
    made = certificates.ensure(certified / "tls", [], now=time.time())
    with chromium(trust=[spki(made.certificate)]) as running:
        yield running
