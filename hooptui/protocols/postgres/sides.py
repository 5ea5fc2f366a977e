"""The relay as its two transports see it: asyncio's names for what the relay calls by its own."""

from __future__ import annotations

import asyncio
from typing import cast

from hooptui.protocols.postgres.relay import Relay


class ClientSide(asyncio.Protocol):
    """For the client's transport."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, for uvloop's TLS transport is a Transport in everything but its bases.
        self._relay.client_made(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._relay.client_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.client_lost(exc)

    def pause_writing(self) -> None:
        self._relay.client_writable(False)

    def resume_writing(self) -> None:
        self._relay.client_writable(True)


class ServerSide(asyncio.Protocol):
    """For the server's transport."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._relay.server_made(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._relay.server_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.server_lost(exc)

    def pause_writing(self) -> None:
        self._relay.server_writable(False)

    def resume_writing(self) -> None:
        self._relay.server_writable(True)
