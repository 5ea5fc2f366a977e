"""A PostgreSQL relay between two transports in memory, with a policy, masks and a journal to look into."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace

from hooptui.core.model import ColumnSource, Decision, MaskRule, Operation
from hooptui.core.session import Session
from hooptui.masking.masker import make_masker
from hooptui.protocols.postgres.limits import Limits
from hooptui.protocols.postgres.relay import Relay
from hooptui.protocols.postgres.sides import ClientSide, ServerSide
from hooptui.protocols.postgres.wire import Framer
from tests.core.world import BOT, ORDERS, Book, allow, deny, hold, house
from tests.golden.virtual import LoopClock
from tests.protocols.postgres.gatehouse import Masks

COLUMNS = {(100, 1): ColumnSource("public", "customers", "id"), (100, 2): ColumnSource("public", "customers", "email")}
"""What the catalogue knows."""


def judge(operation: Operation) -> Decision:
    """DROP never, DELETE and UPDATE without WHERE by approval, the rest always."""
    if "drop" in operation.facts.commands:
        return deny()
    return hold() if operation.facts.missing_where else allow()


class Wire(asyncio.Transport):
    """One side's transport: keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self._protocol: asyncio.BaseProtocol | None = None
        self._closed = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closed:
            self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            assert self._protocol is not None
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def take(self) -> list[bytes]:
        """The messages written since the last call."""
        data, self.written = bytes(self.written), bytearray()
        return [raw for _, raw in Framer(1 << 30).feed(data)]


class Names:
    async def lineage(self, keys: Collection[tuple[int, int]], /) -> Mapping[tuple[int, int], tuple[ColumnSource, ...]]:
        await asyncio.sleep(0)
        return {key: (COLUMNS[key],) if key in COLUMNS else () for key in keys}


class Wires:
    """See the module. Made inside a running loop."""

    def __init__(self, rules: tuple[MaskRule, ...] = ()) -> None:
        clock = LoopClock(asyncio.get_running_loop())
        self.book = Book()
        self.judge = Masks(judge, rules)
        self.house = replace(
            house(self.judge, self.book, clock),
            make_masker=lambda masks: make_masker(masks, b"k" * 32),
            tell_every=20.0,
        )
        self.session = Session(self.house, "7f3a", BOT, ORDERS, peer="127.0.0.1:5", application="psql")
        settings = {b"standard_conforming_strings": b"on", b"client_encoding": b"UTF8"}
        self.troubles: list[str] = []
        self.relay = Relay(
            self.session,
            settings,
            Names(),
            Limits(),
            trouble=lambda code, words: self.troubles.append(f"{code}: {words}"),
        )
        self.client, self.server = Wire(), Wire()
        self._client_side, self._server_side = ClientSide(self.relay), ServerSide(self.relay)
        self.client.set_protocol(self._client_side)
        self.server.set_protocol(self._server_side)

    def from_client(self, data: bytes) -> None:
        self._client_side.data_received(data)

    def from_server(self, data: bytes) -> None:
        self._server_side.data_received(data)

    def client_gone(self) -> None:
        self.client.abort()

    def server_gone(self) -> None:
        self.server.abort()
