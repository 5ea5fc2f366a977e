"""The portal's socket on the gateway's own kind of loop, where a TLS transport is none of asyncio's classes."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import uvloop

from hooptui.portal import gauge
from tests.portal.porter import portal_bed


def connect(port: int, tls: ssl.SSLContext) -> ssl.SSLSocket:
    """A client that blocks, so that no loop of ours closes it on the side."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=60)
    return tls.wrap_socket(plain, server_hostname="localhost")


def ended(client: ssl.SSLSocket) -> bool:
    """Whether the other side is gone, waiting for it a while."""
    with client:
        try:
            return client.recv(1) == b""
        except TimeoutError:
            return False
        except (ConnectionError, ssl.SSLError):
            return True


def test_a_silent_client_is_cut_in_time(certified: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "REQUEST", 0.2)

    async def life() -> None:
        async with portal_bed(certified) as bed:
            client = await asyncio.to_thread(connect, bed.port, bed.trust)
            assert await asyncio.to_thread(ended, client)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(life())


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_stopping_cuts_what_is_open(certified: Path) -> None:
    async def life() -> ssl.SSLSocket:
        async with portal_bed(certified) as bed:
            client = await asyncio.to_thread(connect, bed.port, bed.trust)
            await bed.portal.stop()
        return client

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        client = runner.run(life())
    assert ended(client)
