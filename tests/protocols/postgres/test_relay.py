"""A client that says exactly what it is told: order, names, ends and violations, against a real PostgreSQL."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from hooptui.core.events import Asked, Body, Decided, Event, Finished, Header, KillDone, Output, Rows
from hooptui.core.gate import Why
from hooptui.core.session import Session
from hooptui.protocols.postgres import build
from hooptui.protocols.postgres.proxy import Limits
from tests.core.world import allow, deny
from tests.postgres_server import PostgresServer
from tests.protocols.postgres.gatehouse import Gatehouse, Raw, errors, kinds, open_gate, rows, usual

SETUP = """
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i;
"""

SYNC, FLUSH = build.SYNC, build.FLUSH


@pytest.fixture(scope="module")
def house(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    name = postgres.database("raw", SETUP)
    with open_gate(
        postgres, name, tmp_path_factory.mktemp("gate"), limits=Limits(message=1 << 20, ahead=100_000, left_behind=0.3)
    ) as gatehouse:
        yield gatehouse


@pytest.fixture
def raw(house: Gatehouse) -> Iterator[Raw]:
    client = Raw(house)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def as_before(house: Gatehouse) -> Iterator[None]:
    yield
    house.book.broken = house.book.sync_broken = ""
    house.judge.answer = usual
    house.until(lambda: not house.door.house.approvals.waiting())


def run(text: str, *, name: bytes = b"", portal: bytes = b"") -> bytes:
    """Parse, Bind and Execute."""
    return build.parse(name, text) + build.bind(portal, name) + build.execute(portal)


def gone(house: Gatehouse, text: str) -> None:
    house.until(
        lambda: (
            house.server.sql(
                f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{text}%' AND pid <> pg_backend_pid()"
            )
            == "0"
        )
    )


def active(house: Gatehouse, text: str) -> None:
    house.until(
        lambda: house.server.sql(
            f"SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{text}%' AND pid <> pg_backend_pid()"
        )
    )


WAITS = "pg_advisory_xact_lock(4711)"
"""In a query: it runs until `blocked` ends."""


@contextmanager
def blocked(house: Gatehouse) -> Iterator[None]:
    with psycopg.connect(house.server.dsn(database="raw")) as other:
        other.execute(f"SELECT {WAITS}")
        yield


def last(house: Gatehouse) -> Session:
    return house.door.sessions[-1]


# --- order


def test_a_greeting_is_the_servers_with_a_key_of_the_gateways(house: Gatehouse, raw: Raw) -> None:
    said = kinds(raw.greeting)
    assert said.startswith("R") and said.endswith("KZ") and "S" in said
    # The process id is the backend's own, for people look it up; the key never is.
    assert rows(raw.ask(build.query("SELECT pg_backend_pid()"))) == [[str(raw.pid).encode()]]
    assert len(raw.key) == 4
    newer = Raw(house, minor=2)
    assert len(newer.key) == 32
    newer.close()


def test_a_refused_query_is_an_error_and_ready(raw: Raw) -> None:
    answer = raw.ask(build.query("DROP TABLE t"))
    assert kinds(answer) == "EZ"
    assert errors(answer) == [("42501", "DDL goes through migrations")]
    assert kinds(raw.ask(build.query("SELECT 1"))) == "TDCZ"


def test_a_refused_execute_skips_to_sync(raw: Raw) -> None:
    answer = raw.ask(run("SELECT 1"), run("DROP TABLE t"), run("SELECT 2"), SYNC)
    assert kinds(answer) == "12DC12EZ"
    assert errors(answer)[0][0] == "42501"
    assert kinds(raw.ask(run("SELECT 3"), SYNC)) == "12DCZ"


def test_segments_behind_a_refusal_run(raw: Raw) -> None:
    raw.send(run("DROP TABLE t"), SYNC, run("SELECT 2"), SYNC, build.query("SELECT 3"))
    assert [kinds(raw.until()) for _ in range(3)] == ["12EZ", "12DCZ", "TDCZ"]


def test_a_batch_is_judged_as_a_whole(house: Gatehouse, raw: Raw) -> None:
    answer = raw.ask(build.query("SELECT 1; DROP TABLE t"))
    assert kinds(answer) == "EZ"
    assert house.server.sql("SELECT count(*) FROM t", database="raw") == "100"


def test_a_query_in_an_unfinished_segment_waits_for_it(raw: Raw) -> None:
    raw.send(run("SELECT 1"), build.query("SELECT 2"))
    assert kinds(raw.until()) == "12DCTDCZ"
    raw.send(run("SELECT 1 / (id - 1) FROM t WHERE id = 1"), build.query("SELECT 2"), SYNC)
    assert kinds(raw.until()) == "12EZ"
    assert kinds(raw.ask(build.query("SELECT 3"))) == "TDCZ"


def test_empty_queries_and_flush(raw: Raw) -> None:
    assert kinds(raw.ask(build.query(""))) == "IZ"
    assert kinds(raw.ask(run(""), SYNC)) == "12IZ"
    raw.send(run("SELECT 1"), FLUSH)
    assert kinds(raw.until(b"C")) == "12DC"
    assert kinds(raw.ask(SYNC)) == "Z"


def test_a_portal_in_pieces_is_asked_about_each_time(house: Gatehouse, raw: Raw) -> None:
    before = len(house.book.events)
    raw.send(build.parse(b"", "SELECT generate_series(1, 5)"), build.bind(b"p", b""), build.describe(b"p", portal=True))
    raw.send(build.execute(b"p", 2), build.execute(b"p", 2), build.execute(b"p", 2), SYNC)
    assert kinds(raw.until()) == "12TDDsDDsDCZ"
    bodies = [event.body for event in house.book.events[before:]]
    assert sum(isinstance(body, Asked) for body in bodies) == 3
    assert [(body.tag, body.rows) for body in bodies if isinstance(body, Finished)] == [
        ("portal suspended", 2), ("portal suspended", 2), ("SELECT 1", 1),
    ]  # fmt: skip


def test_skipped_operations_finish_once(house: Gatehouse, raw: Raw) -> None:
    before = len(house.book.events)
    raw.ask(run("SELECT 1"), run("SELECT 1 / (id - 1) FROM t WHERE id = 1"), run("SELECT 2"), run("SELECT 3"), SYNC)
    raw.ask(build.query("SELECT 4"))
    finished = [event.body for event in house.book.events[before:] if isinstance(event.body, Finished)]
    assert len({body.operation for body in finished}) == len(finished)
    words = {body.operation: body.tag for body in finished}
    assert sorted(words.values())[0].startswith("22012")
    assert [body.ok for body in finished].count(True) == 2
    allowed = [event.body for event in house.book.events[before:] if isinstance(event.body, Decided)]
    assert {body.operation for body in allowed} == set(words)


def test_function_calls_and_unknown_types(house: Gatehouse, raw: Raw) -> None:
    call = build.message(b"F", struct.pack(">IHHH", 1598, 0, 0, 0))
    answer = raw.ask(call)
    assert kinds(answer) == "EZ"
    assert errors(answer)[0][0] == "42501"
    raw.send(build.message(b"~"))
    (said,) = errors(raw.until(b""))
    assert said[0] == "08P01"


# --- names


def test_a_name_keeps_what_the_server_confirmed(house: Gatehouse, raw: Raw) -> None:
    assert kinds(raw.ask(build.parse(b"s", "SELECT 1"), SYNC)) == "1Z"
    # The server refuses a second Parse under the name: it must stay the SELECT, here as there.
    assert kinds(raw.ask(build.parse(b"s", "DROP TABLE t"), SYNC)) == "EZ"
    assert kinds(raw.ask(build.bind(b"", b"s"), build.execute(), SYNC)) == "2DCZ"
    assert kinds(raw.ask(build.close(b"s"), build.parse(b"s", "DROP TABLE t"), SYNC)) == "31Z"
    answer = raw.ask(build.bind(b"", b"s"), build.execute(), SYNC)
    assert (kinds(answer), errors(answer)[0][0]) == ("2EZ", "42501")


def test_names_in_flight_are_waited_for(raw: Raw) -> None:
    raw.send(
        build.parse(b"s", "SELECT 1"), SYNC,
        build.close(b"s"), build.parse(b"s", "SELEC nonsense"), SYNC,
        build.bind(b"", b"s"), build.execute(), SYNC,
        build.query("PREPARE s AS DROP TABLE nothing"), build.query("PREPARE s AS SELECT 5"),
        build.query("EXECUTE s"), build.query("DEALLOCATE s"), build.query("EXECUTE s"),
    )  # fmt: skip
    assert [kinds(raw.until()) for _ in range(8)] == ["1Z", "3EZ", "EZ", "EZ", "CZ", "TDCZ", "CZ", "EZ"]


def test_a_long_name_cannot_hide_another(house: Gatehouse, raw: Raw) -> None:
    """The server cuts names at 63 bytes: 64 and more would let one statement pass for another."""
    stem = b"x" * 63
    answer = raw.ask(build.parse(stem + b"a", "SELECT 1"), SYNC)
    assert errors(answer)[0][0] == "42622"
    raw.ask(build.parse(stem, "DROP TABLE t"), SYNC)
    answer = raw.ask(build.bind(b"", stem + b"a"), build.execute(), SYNC)
    assert errors(answer)[0][0] == "42622"
    for message in (
        build.execute(stem + b"a"), build.describe(stem + b"a"), build.close(stem + b"a", portal=True),
        build.parse("é".encode(), "SELECT 1"), build.bind("é".encode(), b""),
    ):  # fmt: skip
        assert errors(raw.ask(message, SYNC))[0][0] == "42622"
    assert house.server.sql("SELECT count(*) FROM t", database="raw") == "100"


def test_a_portal_is_gone_with_its_transaction_and_with_sql(raw: Raw) -> None:
    raw.ask(build.query("BEGIN"))
    raw.ask(build.parse(b"s", "SELECT 1"), build.bind(b"p", b"s"), SYNC)
    raw.ask(build.query("CLOSE p"))
    answer = raw.ask(build.execute(b"p"), SYNC)
    assert errors(answer)[0][0] == "42501"
    raw.ask(build.query("ROLLBACK"))
    raw.ask(build.query("BEGIN"))
    raw.ask(build.bind(b"p", b"s"), SYNC)
    raw.ask(build.query("COMMIT"))
    raw.ask(build.query("BEGIN"))
    raw.ask(build.query("DECLARE p CURSOR FOR SELECT v FROM t"))
    answer = raw.ask(build.execute(b"p"), SYNC)
    assert errors(answer)[0] == ("42501", "not understood: the portal 'p' is not known to this gateway")


def test_a_stand_ins_portal_cannot_be_made(house: Gatehouse, raw: Raw) -> None:
    """A client that guesses the name of the portal that cannot exist would run what was refused."""
    for guess in (b"hooptui refused #1", b"hooptui refused #2"):
        raw.ask(build.query("BEGIN"))
        raw.ask(build.parse(b"", "DELETE FROM t WHERE id = 1"), build.bind(guess, b""), SYNC)
        assert errors(raw.ask(build.query("DROP TABLE t")))[0][0] == "42501"
        raw.ask(build.query("ROLLBACK"))
    assert house.server.sql("SELECT count(*) FROM t", database="raw") == "100"


# --- how texts are read


def test_backslashes_are_not_guessed_at(house: Gatehouse, raw: Raw) -> None:
    """With standard_conforming_strings off the second statement would be part of a string, or the other way round."""
    sly = r"SELECT '\'; DROP TABLE t; --'"
    assert errors(raw.ask(build.query(sly)))[0][0] == "42501"
    raw.ask(build.query("SET standard_conforming_strings = off"))
    answer = raw.ask(build.query(r"SELECT 'a\'; -- '' "))
    assert "escapes a quote" in errors(answer)[0][1]
    raw.ask(build.query("RESET standard_conforming_strings"))
    assert kinds(raw.ask(build.query(r"SELECT E'a\'b'"))) == "TDCZ"
    # In flight: the setting is changed before the text is read, and nobody has said so yet.
    raw.send(build.query("SET standard_conforming_strings = off"), build.query(r"SELECT 'a\'"))
    assert [kinds(raw.until()) for _ in range(2)] == ["CSZ", "EZ"]
    raw.send(build.query("SET standard_conforming_strings = on"), build.query(r"SELECT 'a\'"))
    assert [kinds(raw.until()) for _ in range(2)] == ["CSZ", "TDCZ"]
    answer = raw.ask(run("SET standard_conforming_strings = off"), run(r"SELECT 'a\' -- '"), SYNC)
    assert "may have changed since the last Sync" in errors(answer)[0][1]


def test_an_encoding_that_hides_quotes_is_not_guessed_at(raw: Raw) -> None:
    assert kinds(raw.ask(build.query("SELECT 'é'"))) == "TDCZ"
    raw.ask(build.query("SET client_encoding = 'SJIS'"))
    answer = raw.ask(build.query(b"SELECT '\x83\x5c'"))
    assert "SJIS" in errors(answer)[0][1]
    assert kinds(raw.ask(build.query("SELECT 'plain'"))) == "TDCZ"
    raw.ask(build.query("SET client_encoding = 'LATIN1'"))
    assert rows(raw.ask(build.query(b"SELECT '\xe9'"))) == [[b"\xe9"]]
    raw.ask(build.query("SET client_encoding = 'UTF8'"))
    answer = raw.ask(build.query(b"SELECT '\xe9'"))
    assert "not valid UTF8" in errors(answer)[0][1]


def test_a_text_that_is_too_long_is_refused_whole(house: Gatehouse) -> None:
    client = Raw(house)
    client.send(build.query("SELECT 1 -- " + "x" * (1 << 20)))
    answer = client.until(b"ZE")
    assert errors(answer)[0][0] == "08P01"
    client.close()


# --- copying


def test_copy_in_only_when_the_server_waits_for_it(raw: Raw) -> None:
    assert kinds(raw.ask(build.copy_data(b"1\n"), build.COPY_DONE, build.query("SELECT 1"))) == "TDCZ"
    raw.ask(build.query("CREATE TEMP TABLE c (a int)"))
    # Sent ahead, before the server has said that it copies.
    raw.send(build.query("COPY c FROM STDIN; COPY c FROM STDIN"), build.copy_data(b"1\n"), build.COPY_DONE)
    raw.send(build.copy_data(b"2\n3\n"), build.COPY_DONE, build.query("SELECT count(*) FROM c"))
    assert kinds(raw.until()) == "GCGCZ"
    assert rows(raw.until()) == [[b"3"]]
    # The server gives up half way; what comes late is ignored, also a CopyDone.
    raw.send(build.query("COPY c FROM STDIN"), build.copy_data(b"x\n"), build.copy_data(b"1\n") * 3, build.COPY_DONE)
    assert kinds(raw.until()) == "GEZ"
    raw.send(build.COPY_DONE, build.query("SELECT count(*) FROM c"))
    assert rows(raw.until()) == [[b"3"]]
    raw.send(build.query("COPY c FROM STDIN"))
    assert kinds(raw.until(b"G")) == "G"
    raw.send(build.copy_fail("no more"))
    assert kinds(raw.until()) == "EZ"
    # Extended: the first Sync is ignored while copying, as libpq sends it.
    raw.send(run("COPY c FROM STDIN"), SYNC)
    assert kinds(raw.until(b"G")) == "12G"
    raw.send(build.copy_data(b"4\n"), build.COPY_DONE, SYNC)
    assert kinds(raw.until()) == "CZ"
    raw.send(run("COPY c FROM STDIN"), SYNC)
    raw.until(b"G")
    raw.send(build.copy_data(b"x\n"), build.COPY_DONE, SYNC)
    assert kinds(raw.until()) == "EZ"
    raw.send(build.query("COPY c FROM STDIN"))
    raw.until(b"G")
    raw.send(build.query("SELECT 1"))
    assert errors(raw.until(b""))[-1][0] == "08P01"


# --- waiting


def test_earlier_answers_flow_while_one_is_held(house: Gatehouse, raw: Raw) -> None:
    raw.send(run("SELECT 1"), run("DELETE FROM t"), run("SELECT 2"), SYNC)
    got = raw.until(b"C")
    assert kinds(got).replace("N", "") == "12DC"
    assert "N" in kinds(got) or kinds([raw.read() for _ in range(3)]).endswith("N")
    house.vote(False)
    rest = kinds(raw.until()).replace("N", "")
    assert rest.endswith("EZ") and "D" not in rest
    assert house.server.sql("SELECT count(*) FROM t", database="raw") == "100"


def test_a_failed_segment_withdraws_what_is_held_in_it(house: Gatehouse, raw: Raw) -> None:
    with blocked(house):
        raw.send(run(f"SELECT {WAITS}, 1 / (id - 1) FROM t WHERE id = 1"), run("DELETE FROM t"), SYNC)
        house.held()
    assert errors(raw.until()) == [("22012", "division by zero")]
    assert not house.door.house.approvals.waiting()


def at_rest(count: Callable[[], int], looks: int = 10) -> None:
    """Returns when the count was the same for ten looks in a row, 50 ms apart."""
    seen, same = count(), 0
    while same < looks:
        time.sleep(0.05)
        now = count()
        seen, same = now, same + 1 if now == seen else 0


def test_what_is_sent_ahead_is_bounded_and_kept(house: Gatehouse, raw: Raw) -> None:
    raw.send(build.query("DELETE FROM t WHERE true"))
    house.held()
    done = threading.Event()

    def send() -> None:
        raw.send(*[build.query(f"SELECT {i}, '{'x' * 10_000}'") for i in range(2000)])
        done.set()

    sender = threading.Thread(target=send, daemon=True)
    session = last(house)
    before = session.counters.bytes_in
    sender.start()
    house.until(lambda: session.counters.bytes_in > before, 60)
    at_rest(lambda: session.counters.bytes_in)
    assert session.counters.bytes_in < 2_000_000
    assert not done.is_set()
    house.vote(False)
    assert kinds(raw.until()).strip("N") == "EZ"
    for i in range(2000):
        assert rows(raw.until())[0][0] == str(i).encode()
    sender.join(60)
    assert done.is_set()


def test_a_client_that_sent_far_ahead_and_is_gone_is_noticed(house: Gatehouse) -> None:
    raw = Raw(house)
    raw.send(build.query("DELETE FROM t"), build.query(f"SELECT '{'x' * 500_000}'"))
    house.held()
    raw.close()
    house.until(lambda: not house.door.house.approvals.waiting(), 60)
    assert house.server.sql("SELECT count(*) FROM t", database="raw") == "100"


def test_a_held_operation_keeps_its_transaction(house: Gatehouse, raw: Raw) -> None:
    raw.ask(build.query("BEGIN"))
    raw.ask(build.query("INSERT INTO t VALUES (1000, 'mine')"))
    raw.send(build.query("UPDATE t SET v = v"))
    house.vote(True)
    answer = raw.until()
    assert kinds(answer).replace("N", "") == "CZ" and answer[-1][-1:] == b"T"
    assert answer[-2].endswith(b"UPDATE 101\0")
    raw.ask(build.query("ROLLBACK"))


def test_frozen_sessions_wait_and_can_be_cancelled(house: Gatehouse, raw: Raw) -> None:
    session = last(house)

    async def freeze(on: bool) -> None:
        session.freeze(on, "ops-1")

    house.call(freeze(True))
    raw.send(build.query("SELECT 1"))
    with psycopg.connect(house.dsn()):
        pass
    cancel(house, raw)
    assert errors(raw.until()) == [("57014", "canceling statement due to user request")]
    raw.send(build.query("SELECT 2"))
    house.call(freeze(False))
    assert kinds(raw.until()) == "TDCZ"


# --- cancel


def cancel(house: Gatehouse, raw: Raw, *, key: bytes | None = None) -> None:
    """A cancel request in plaintext, as psql sends it; returns when the gate has acted on it."""
    import socket

    with socket.create_connection(("127.0.0.1", house.port), timeout=60) as plain:
        plain.sendall(build.cancel(raw.pid, raw.key if key is None else key))
        assert plain.recv(1) == b""


def test_a_late_cancel_never_hits_the_next_query(house: Gatehouse, raw: Raw) -> None:
    for i in range(30):
        raw.send(build.query(f"SELECT pg_sleep(0.00{i % 10})"))
        cancel(house, raw)
        answer = raw.until()
        assert kinds(answer) in ("TDCZ", "TDEZ", "TEZ", "EZ")
        assert rows(raw.ask(build.query("SELECT 'mine', pg_sleep(0.001)"))) == [[b"mine", b""]]


def test_a_wrong_key_cancels_nothing(house: Gatehouse, raw: Raw) -> None:
    with blocked(house):
        raw.send(build.query(f"SELECT {WAITS}, 1"))
        active(house, f"{WAITS}, 1")
        cancel(house, raw, key=bytes(byte ^ 1 for byte in raw.key))
    assert kinds(raw.until()) == "TDCZ"


def test_cancel_while_idle_does_nothing(house: Gatehouse, raw: Raw) -> None:
    cancel(house, raw)
    assert kinds(raw.ask(build.query("SELECT 1"))) == "TDCZ"


# --- the end


@pytest.mark.parametrize("state", ["idle", "running", "held", "copying", "deaf", "transaction"])
def test_kill(house: Gatehouse, state: str) -> None:
    raw = Raw(house)
    session = last(house)
    mark = f"killed while {state}"
    raw.ask(build.query(f"SELECT '{mark}'"))
    match state:
        case "running":
            raw.send(build.query(f"SELECT pg_sleep(60), '{mark}'"))
            active(house, mark)
        case "held":
            raw.send(build.query(f"DELETE FROM t /* {mark} */"))
            house.held()
        case "copying":
            raw.ask(build.query("CREATE TEMP TABLE c (a text)"))
            raw.send(build.query("COPY c FROM STDIN"), build.copy_data(b"x\n"))
            raw.until(b"G")
        case "deaf":
            raw.send(build.query(f"SELECT repeat('x', 1000), '{mark}' FROM generate_series(1, 1000000)"))
            house.until(lambda: session.counters.bytes_out > 1000)
            at_rest(lambda: session.counters.bytes_out)
        case "transaction":
            raw.ask(build.query("BEGIN; UPDATE t SET v = 'lost' WHERE id = 1"))
    done = house.call(session.kill("ops-1", "enough"))
    assert done.confirmed, done.how
    assert "gone from pg_stat_activity" in done.how
    assert done.seconds < 1.0
    said = raw.until(b"")
    if state != "deaf":
        assert errors(said)[-1] == ("57P01", "terminated by ops-1: enough")
    assert (
        house.server.sql(
            f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{mark}%' AND pid <> pg_backend_pid()"
        )
        == "0"
    )
    assert house.server.sql("SELECT count(*) FROM t WHERE v = 'lost'", database="raw") == "0"
    assert [
        event.body.confirmed
        for event in house.book.events
        if event.session == session.id and isinstance(event.body, KillDone)
    ] == [True]
    house.until(lambda: any(left[0] == session.id for left in house.door.leavings))
    assert session.state == "closed"
    raw.close()


def test_the_end_of_its_time_is_polite(house: Gatehouse, raw: Raw) -> None:
    session = last(house)
    raw.send(build.query("SELECT pg_sleep(33)"))
    active(house, "pg_sleep(33)")
    house.call(session.end(Why.DEADLINE, "this session's time is over"))
    assert errors(raw.until(b""))[-1] == ("57P01", "this session's time is over")
    gone(house, "pg_sleep(33)")


def test_the_servers_death_is_told(house: Gatehouse, raw: Raw) -> None:
    raw.send(build.query("SELECT pg_sleep(34)"))
    active(house, "pg_sleep(34)")
    house.server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(34)%' AND pid <> pg_backend_pid()"
    )
    said = errors(raw.until(b""))
    assert said == [("57P01", "terminating connection due to administrator command")]
    house.until(lambda: any(code == "lost" for _, code, _ in house.door.troubles))
    finished = [
        event.body
        for event in house.book.events
        if event.session == last(house).id and isinstance(event.body, Finished)
    ]
    assert [body.ok for body in finished] == [False]


def test_what_a_client_leaves_behind_is_cancelled(house: Gatehouse) -> None:
    raw = Raw(house)
    session = last(house)
    raw.send(build.query("SELECT pg_sleep(35)"))
    active(house, "pg_sleep(35)")
    raw.close()
    gone(house, "pg_sleep(35)")
    house.until(lambda: session.state == "closed")
    finished = [
        event.body for event in house.book.events if event.session == session.id and isinstance(event.body, Finished)
    ]
    assert len(finished) == 1 and not finished[0].ok


def test_a_slow_reader_stops_the_server_and_memory_stays(house: Gatehouse, raw: Raw) -> None:
    session = last(house)
    raw.send(build.query("SELECT repeat('x', 10000) FROM generate_series(1, 20000)"))
    house.until(lambda: session.counters.bytes_out)
    at_rest(lambda: session.counters.bytes_out)
    assert session.counters.bytes_out < 30_000_000
    assert len(raw.until()) == 20003


# --- violations


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 64,
        b"Q\0\0\0\3",
        b"Q\x7f\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        build.message(b"Q", b"SELECT 1"),
        build.message(b"B", b"\0\0\xff\xff"),
        build.message(b"P", b"s\0SELECT 1\0\xff\xff"),
        build.message(b"S", b"x"),
        build.message(b"p", b"again\0"),
        build.message(b"E", b"\0"),
    ],
)
def test_garbage_ends_only_its_own_session(house: Gatehouse, raw: Raw, garbage: bytes) -> None:
    other = Raw(house)
    raw.send(garbage)
    assert errors(raw.until(b""))[-1][0] == "08P01"
    assert kinds(other.ask(build.query("SELECT 1"))) == "TDCZ"
    other.close()


def test_byte_by_byte_is_the_same(raw: Raw) -> None:
    for byte in run("SELECT 1") + SYNC + build.query("DROP TABLE t") + build.query("SELECT 2"):
        raw.send(bytes((byte,)))
    assert [kinds(raw.until()) for _ in range(3)] == ["12DCZ", "EZ", "TDCZ"]


# --- fail closed


def test_a_broken_journal_refuses_and_recovers(house: Gatehouse, raw: Raw) -> None:
    house.book.broken = "disk full"
    answer = raw.ask(build.query("SELECT 1"))
    assert errors(answer) == [("42501", "hooptui cannot record this operation, so it may not run")]
    house.book.broken = ""
    house.book.sync_broken = "no sync"
    assert errors(raw.ask(build.query("UPDATE t SET v = v WHERE id = 1")))[0][0] == "42501"
    house.book.sync_broken = ""
    assert kinds(raw.ask(build.query("SELECT 1"))) == "TDCZ"


@pytest.mark.parametrize("breaks", [Header, Rows, Finished])
@pytest.mark.parametrize("way", ["simple", "extended"])
def test_results_that_cannot_be_recorded_are_not_shown(
    house: Gatehouse, raw: Raw, monkeypatch: pytest.MonkeyPatch, way: str, breaks: type[Body]
) -> None:
    """Whichever part of it the journal does not take: a small answer goes on record at once and is shown whole or not at all."""
    keep = house.book.append

    def append(event: Event) -> None:
        if isinstance(event.body, breaks):
            house.book.broken = "disk full"
        keep(event)

    monkeypatch.setattr(house.book, "append", append)
    raw.send(
        build.query("SELECT v FROM t WHERE id = 77") if way == "simple" else run("SELECT v FROM t WHERE id = 77") + SYNC
    )
    said = raw.until(b"")
    assert "D" not in kinds(said) and "C" not in kinds(said)
    assert errors(said)[-1][0] == "08006"


def test_a_policy_that_raises_refuses(house: Gatehouse, raw: Raw) -> None:
    def fails(_operation: object) -> object:
        raise ZeroDivisionError

    house.judge.answer = fails  # type: ignore[assignment]  # on purpose
    assert "the policy could not be applied" in errors(raw.ask(build.query("SELECT 1")))[0][1]


def test_what_is_not_understood_is_refused(raw: Raw) -> None:
    assert errors(raw.ask(build.query("SELEC 1"))) == [("42601", 'syntax error at or near "SELEC"')]
    assert kinds(raw.ask(build.query("SELECT 1"))) == "TDCZ"


def test_the_transaction_is_a_fact(house: Gatehouse, raw: Raw) -> None:
    seen: list[bool] = []

    def note(operation):  # type: ignore[no-untyped-def]  # a judge's answer
        seen.append(operation.in_transaction)
        return allow() if "drop" not in operation.facts.commands else deny()

    house.judge.answer = note
    raw.ask(build.query("SELECT 1"))
    raw.ask(build.query("BEGIN"))
    raw.ask(build.query("SELECT 1"))
    raw.ask(build.query("COMMIT"))
    raw.ask(run("BEGIN"), run("SELECT 1"), run("COMMIT"), run("SELECT 2"), SYNC)
    assert seen == [False, False, True, True, False, True, True, False]


def test_notices_are_recorded(house: Gatehouse, raw: Raw) -> None:
    before = len(house.book.events)
    assert kinds(raw.ask(build.query("DO $$BEGIN RAISE NOTICE 'ahem'; END$$"))) == "NCZ"
    said = [event.body for event in house.book.events[before:] if isinstance(event.body, Output)]
    assert [(body.stream, body.text) for body in said] == [("notice", "00000 ahem")]
