"""The contract of every protocol, for PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from hooptui.core.approvals import Approval
from hooptui.core.gate import Killed
from hooptui.core.model import Decision, Operation
from hooptui.protocols.postgres import build, codec
from tests.core.world import Book
from tests.postgres_server import PostgresServer
from tests.protocols.contract import WITHIN, Outcome, ProtocolContract
from tests.protocols.postgres.gatehouse import Gatehouse, Raw, open_gate

WRITE = "INSERT INTO ledger VALUES (1)"


class PostgresPending:
    """A simple query, its answers read in a thread."""

    def __init__(self, client: Raw, text: str) -> None:
        self.told: list[str] = []
        self._messages: list[bytes] = []
        self._client = client
        client.send(build.query(text))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while raw := self._client.read():
                self._messages.append(raw)
                if raw[:1] == b"N":
                    self.told.append(codec.error_fields(raw)["M"].decode())
                if raw[:1] == b"Z":
                    return
        except OSError:
            # The test has closed the socket under it.
            return

    def outcome(self, within: float = WITHIN) -> Outcome:
        self._thread.join(within)
        assert not self._thread.is_alive(), "no answer"
        words = [codec.error_fields(raw)["M"].decode() for raw in self._messages if raw[:1] == b"E"]
        done = any(raw[:1] == b"C" for raw in self._messages) and not words
        return Outcome(done, "; ".join(words), self.told)


class PostgresClient:
    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._last: PostgresPending | None = None

    def write(self) -> PostgresPending:
        self._last = PostgresPending(self._raw, WRITE)
        return self._last

    def gibberish(self) -> PostgresPending:
        return PostgresPending(self._raw, "MAKE ALL TABLES GO AWAY")

    def leave(self) -> None:
        self._raw.close()

    def cut(self, within: float) -> str:
        assert self._last is not None
        return self._last.outcome(within).words


class PostgresWorld:
    def __init__(self, house: Gatehouse, database: str) -> None:
        self._house = house
        self._database = database
        self._clients: list[Raw] = []

    @property
    def book(self) -> Book:
        return self._house.book

    def client(self) -> PostgresClient:
        raw = Raw(self._house)
        self._clients.append(raw)
        return PostgresClient(raw)

    def judge(self, answer: Callable[[Operation], Decision]) -> None:
        self._house.judge.answer = answer

    def writes(self) -> int:
        return int(self._house.server.sql("SELECT count(*) FROM ledger", database=self._database))

    def waiting(self) -> tuple[Approval, ...]:
        return self._house.door.house.approvals.waiting()

    def vote(self, approve: bool, reason: str = "") -> None:
        self._house.vote(approve, reason)

    def kill(self, reason: str) -> Killed:
        return self._house.call(self._house.door.sessions[-1].kill("ops-1", reason))

    def upstream_alive(self) -> int:
        return int(
            self._house.server.sql(
                f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self._database}'"
                " AND pid <> pg_backend_pid() AND application_name NOT LIKE 'hooptui%'"
            )
        )

    def close(self) -> None:
        for raw in self._clients:
            raw.close()


@pytest.fixture(scope="module")
def house(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    name = postgres.database("contract", "CREATE TABLE ledger (n int)")
    with open_gate(postgres, name, tmp_path_factory.mktemp("gate")) as gatehouse:
        yield gatehouse


class TestPostgres(ProtocolContract):
    @pytest.fixture
    def world(self, house: Gatehouse) -> Iterator[PostgresWorld]:
        house.server.sql("TRUNCATE ledger", database="contract")
        house.book.events.clear()
        house.book.broken = house.book.sync_broken = ""
        made = PostgresWorld(house, "contract")
        yield made
        made.close()
        house.until(lambda: house.gate.connections == 0)
