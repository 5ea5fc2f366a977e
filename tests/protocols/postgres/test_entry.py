"""Clients that only people can let in: real psql waits with notices, and everything that can happen meanwhile."""

from __future__ import annotations

import asyncio
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest

from hooptui.core.events import Asked, Decided, GrantGiven
from hooptui.core.gate import Killed, Why
from hooptui.core.model import Access, Bound, HoldTerms
from hooptui.protocols.postgres import build
from tests.postgres_server import PostgresServer
from tests.protocols.postgres.gatehouse import TOKEN, Gatehouse, errors, kinds, open_gate
from tests.protocols.postgres.test_login import Knock

TERMS = HoldTerms(
    "jit-orders",
    frozenset({"dba"}),
    expires=60.0,
    scope_lasts=300.0,
    break_glass=frozenset({"agents"}),
    break_glass_lasts=120.0,
)
ACCESS = Access(frozenset({"jit-orders"}), TERMS, "orders are read with a reason")


@pytest.fixture(scope="module")
def house(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    name = postgres.database("entered")
    with open_gate(postgres, name, tmp_path_factory.mktemp("gate")) as gatehouse:
        yield gatehouse


@pytest.fixture(autouse=True)
def waits(house: Gatehouse) -> Iterator[None]:
    house.door.access, house.door.bounds = ACCESS, {}
    del house.book.events[:]
    yield
    assert house.until(lambda: not house.door.house.approvals.waiting())
    assert house.until(lambda: house.gate.connections == 0)


class Psql:
    """psql left running, its two outputs read as they come."""

    def __init__(self, house: Gatehouse, sql: str = "SELECT 41 + 1", **environment: str) -> None:
        self.process = subprocess.Popen(
            [house.server.bin("psql"), "-XAt", "-c", sql, house.dsn()], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **environment}, bufsize=0,
        )  # fmt: skip
        self.err = b""

    def hears(self, words: str, times: int = 1, seconds: float = 10.0) -> None:
        """Read stderr until it says this so many times."""
        assert self.process.stderr is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stderr, selectors.EVENT_READ)
            while self.err.count(words.encode()) < times:
                assert selector.select(deadline - time.monotonic()), f"{words!r} did not come; so far: {self.err!r}"
                more = os.read(self.process.stderr.fileno(), 65536)
                assert more, f"psql ended without {words!r}: {self.err!r}"
                self.err += more

    def end(self) -> tuple[str, str, int]:
        out, err = self.process.communicate(timeout=60)
        return out.decode(), (self.err + err).decode(), self.process.returncode


def verdicts(house: Gatehouse) -> list[tuple[str, str]]:
    return [(body.effect, body.why) for body in house.book.bodies(Decided)]


def test_psql_is_told_at_once_waits_and_is_let_in(house: Gatehouse) -> None:
    psql = Psql(house, PGOPTIONS="-c hooptui.reason='INC-812: rebuild index'")
    psql.hears("NOTICE:  access needs approval #")
    psql.hears("waits for one of dba, 1:00 left, then it is refused.")
    assert "orders are read with a reason" in psql.err.decode()
    backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'entered' AND application_name = 'psql'"
    assert house.server.sql(backends) == "0", "nothing upstream is open yet"
    assert house.held().requester.name == "bot"
    house.vote(True)
    out, err, code = psql.end()
    assert (out, code) == ("42\n", 0)
    assert "access granted for 5:00" in err and "By approval #" in err
    assert [body.text for body in house.book.bodies(Asked)] == ["INC-812: rebuild index", "SELECT 41 + 1"]
    [given] = house.book.bodies(GrantGiven)
    assert given.rule == "jit-orders" and abs(given.until - time.time() - 300) < 30
    assert verdicts(house) == [("allow", "approved"), ("allow", "policy")]


def test_reminders_come_while_it_waits(house: Gatehouse) -> None:
    psql = Psql(house)
    psql.hears("NOTICE:  access needs approval", times=3)
    house.vote(True)
    assert psql.end()[0] == "42\n"


def test_a_denial_is_fatal_with_the_rule_and_the_approver_s_words(house: Gatehouse) -> None:
    psql = Psql(house)
    psql.hears("access needs approval")
    house.vote(False, "not during the freeze")
    out, err, code = psql.end()
    assert (out, code) == ("", 2)
    assert "FATAL:  denied by ops-1: not during the freeze" in err
    assert "DETAIL:  Rule jit-orders: orders are read with a reason" in err
    assert verdicts(house) == [("deny", "denied")]


def test_nobody_comes(house: Gatehouse) -> None:
    short = HoldTerms("jit-orders", frozenset({"dba"}), expires=0.3)
    house.door.access = Access(ACCESS.rules, short, ACCESS.words)
    _, err, code = Psql(house).end()
    assert code == 2 and "FATAL:  nobody approved it in time" in err and "HINT:" in err


@pytest.mark.parametrize("signal", [2, 9])
def test_a_client_that_goes_withdraws_what_it_asked_for(house: Gatehouse, signal: int) -> None:
    psql = Psql(house)
    psql.hears("access needs approval")
    psql.process.send_signal(signal)
    psql.end()
    assert house.until(lambda: verdicts(house) == [("deny", "withdrawn")])
    assert house.until(lambda: house.door.leavings[-1][1] == "the client left while it waited for access")
    assert house.door.house.approvals.waiting() == ()


def waiting_client(house: Gatehouse) -> Knock:
    client = Knock(house, "bot")
    assert client.auth().code == 3
    client.send(build.password(TOKEN))
    assert client.auth().code == 0
    assert client.read()[:1] == b"N"
    return client


def test_terminate_withdraws_it_politely(house: Gatehouse) -> None:
    client = waiting_client(house)
    client.send(build.TERMINATE)
    assert kinds(list(iter(client.read, b""))).strip("N") == ""
    client.socket.close()
    assert house.until(lambda: verdicts(house) == [("deny", "withdrawn")])


def test_a_client_that_talks_before_it_may_is_turned_away(house: Gatehouse) -> None:
    client = waiting_client(house)
    client.send(build.query("SELECT 1"))
    assert [code for code, _ in errors(list(iter(client.read, b"")))] == ["08P01"]
    client.socket.close()
    assert house.until(lambda: verdicts(house) == [("deny", "withdrawn")])


def test_a_kill_while_it_waits_tells_the_client_who_did_it(house: Gatehouse) -> None:
    psql = Psql(house)
    psql.hears("access needs approval")
    session = house.door.sessions[-1]
    done: Killed = house.call(session.kill("ops-1", "wrong database"))
    _, err, code = psql.end()
    assert code == 2 and "FATAL:  terminated by ops-1: wrong database" in err
    assert done.confirmed and done.how == "nothing was open upstream yet" and done.seconds < 2
    assert verdicts(house) == [("deny", "killed")]


@pytest.mark.parametrize(
    "words", ["this session's time is over: the lease it was opened with has ended", "the gateway stops"]
)
def test_an_end_while_it_waits_says_why(house: Gatehouse, words: str) -> None:
    psql = Psql(house)
    psql.hears("access needs approval")
    house.call(house.door.sessions[-1].end(Why.DEADLINE, words))
    _, err, code = psql.end()
    assert code == 2 and f"FATAL:  {words}" in err


def test_the_end_of_a_session_reaches_psql_with_its_reason(house: Gatehouse) -> None:
    psql = Psql(house, "SELECT pg_sleep(30)")
    psql.hears("access needs approval")
    house.vote(True)
    session = house.door.sessions[-1]
    house.until(lambda: session.state == "running")
    house.call(session.end(Why.DEADLINE, "this session's time is over: the access that was granted is over"))
    _, err, code = psql.end()
    assert code == 2 and "FATAL:  this session's time is over: the access that was granted is over" in err
    gone = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'entered' AND query ~ 'pg_sleep' AND state = 'active'"
    assert house.until(lambda: house.server.sql(gone) == "0")


def test_breaking_the_glass_by_option(house: Gatehouse) -> None:
    out, err, code = Psql(house, PGOPTIONS="-c hooptui.break_glass='orders are down'").end()
    assert (out, code) == ("42\n", 0) and "access granted for 2:00" in err
    assert house.door.sessions[-1].emergency == "orders are down"
    house.door.access = Access(ACCESS.rules, HoldTerms("jit-orders", frozenset({"dba"})), ACCESS.words)
    _, err, code = Psql(house, PGOPTIONS="-c hooptui.break_glass=please").end()
    assert code == 2 and "FATAL:  bot is in none of the groups that may break the glass" in err


def test_wishes_do_not_reach_the_server(house: Gatehouse) -> None:
    house.door.access = None
    options = "-c work_mem=7MB -c hooptui.reason='a b' -c search_path=pg_catalog"
    out, err, _ = Psql(house, "SHOW work_mem; SHOW search_path; SHOW hooptui.reason", PGOPTIONS=options).end()
    assert out == "7MB\npg_catalog\n" and 'unrecognized configuration parameter "hooptui.reason"' in err
    assert house.door.sessions[-1].purpose == "a b"
    _, err, code = Psql(house, PGOPTIONS="-c hooptui.approve=yes").end()
    assert code == 2 and "hooptui has no start-up setting hooptui.approve" in err


def test_drivers_wait_as_well(house: Gatehouse) -> None:
    def approve() -> None:
        house.vote(True)

    heard: list[str] = []
    for _ in range(2):
        threading.Thread(target=approve).start()
        with psycopg.connect(house.dsn()) as made:
            made.add_notice_handler(lambda notice: heard.append(str(notice.message_primary)))
            assert made.execute("SELECT 1").fetchone() == (1,)

    async def driver() -> int:
        made = await asyncpg.connect(
            host="127.0.0.1", port=house.port, user="bot", password=TOKEN, database="orders", ssl="require",
            server_settings={"hooptui.reason": "by a driver"},
        )  # fmt: skip
        try:
            return int(await made.fetchval("SELECT 5"))
        finally:
            await made.close()

    threading.Thread(target=approve).start()
    assert asyncio.run(driver()) == 5
    assert house.door.sessions[-1].purpose == "by a driver"


def test_a_broken_journal_lets_nobody_in(house: Gatehouse) -> None:
    psql = Psql(house)
    psql.hears("access needs approval")
    house.book.sync_broken = "disk full"
    try:
        house.vote(True)
        _, err, code = psql.end()
    finally:
        house.book.sync_broken = ""
    assert code == 2 and "FATAL:  hooptui cannot record this session, so it is not opened" in err
    assert house.door.sessions[-1].state in ("live", "closed") and house.door.sessions[-1].access is not None


def test_a_deadline_that_comes_first_ends_the_wait(house: Gatehouse) -> None:
    house.door.bounds = {Bound.TOKEN: time.time() + 0.5}
    _, err, code = Psql(house).end()
    assert code == 2 and "FATAL:  nobody approved it in time" in err
