"""Real programs and drivers through the gate to a real PostgreSQL."""

from __future__ import annotations

import asyncio
import io
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest

from hooptui.core.events import Asked, Decided, Finished, Omitted, Rows
from tests.postgres_server import PostgresServer
from tests.protocols.postgres.gatehouse import TOKEN, Gatehouse, open_gate

SETUP = """
CREATE TABLE customers (id int PRIMARY KEY, name text, email text, ssn text);
INSERT INTO customers SELECT i, 'name ' || i, 'user' || i || '@acme.io', lpad((i * 7 % 700 + 100)::text, 3, '0') || '-45-6789'
  FROM generate_series(1, 500) i;
CREATE TABLE orders (id serial PRIMARY KEY, customer int, total numeric);
INSERT INTO orders (customer, total) SELECT i, i * 1.5 FROM generate_series(1, 100) i;
"""


@pytest.fixture(scope="module")
def house(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    name = postgres.database("relayed", SETUP)
    with open_gate(postgres, name, tmp_path_factory.mktemp("gate")) as gatehouse:
        yield gatehouse


@pytest.fixture
def connection(house: Gatehouse) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(house.dsn(), autocommit=True) as made:
        yield made


def since(house: Gatehouse) -> int:
    return len(house.book.events)


# --- psql


def test_psql_reads_and_is_recorded(house: Gatehouse) -> None:
    before = since(house)
    done = house.psql("-At", "-c", "SELECT name FROM customers WHERE id = 7")
    assert (done.stdout, done.stderr, done.returncode) == ("name 7\n", "", 0)
    bodies = [event.body for event in house.book.events[before:]]
    assert [body.text for body in bodies if isinstance(body, Asked)] == ["SELECT name FROM customers WHERE id = 7"]
    assert [body.rows for body in bodies if isinstance(body, Rows)] == [(("name 7",),)]
    assert [(body.tag, body.ok, body.rows) for body in bodies if isinstance(body, Finished)] == [("SELECT 1", True, 1)]


def test_psql_is_denied_in_its_own_words_and_goes_on(house: Gatehouse) -> None:
    done = house.psql("-At", stdin="DROP TABLE customers;\nSELECT 'still here';\n\\dt\n")
    assert "ERROR:  DDL goes through migrations" in done.stderr
    assert "DETAIL:  Rule no-drop" in done.stderr
    assert "HINT:  ask" in done.stderr
    assert "still here" in done.stdout
    assert "customers" in done.stdout


def test_a_denial_in_a_transaction_aborts_it_like_any_error(house: Gatehouse) -> None:
    done = house.psql("-At", stdin="BEGIN;\nDROP TABLE customers;\nSELECT 1;\nROLLBACK;\nSELECT 2;\n")
    assert "current transaction is aborted" in done.stderr
    assert done.stdout == "BEGIN\nROLLBACK\n2\n"


def test_psql_is_held_told_approved_and_served(house: Gatehouse) -> None:
    process = subprocess.Popen(
        [house.server.bin("psql"), "-X", house.dsn(), "-c", "UPDATE orders SET total = total + 0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    approval = house.held()
    house.until(lambda: any(session.state == "held" for session in house.door.sessions))
    assert process.stderr is not None
    said: list[str] = []
    while sum(line.startswith(f"NOTICE:  held for approval #{approval.number}") for line in said) < 2:
        said.append(process.stderr.readline())
        assert said[-1], said
    house.vote(True)
    out, err = process.communicate(timeout=60)
    assert out == "UPDATE 100\n"
    assert "Ctrl-C withdraws it" in "".join(said) + err


def test_psql_is_told_of_an_operators_no(house: Gatehouse) -> None:
    process = subprocess.Popen(
        [house.server.bin("psql"), "-X", house.dsn(), "-c", "DELETE FROM orders"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    house.vote(False, "not on a Friday")
    out, err = process.communicate(timeout=60)
    assert out == ""
    assert "ERROR:  denied by ops-1: not on a Friday" in err
    assert house.server.sql("SELECT count(*) FROM orders", database="relayed") == "100"


def test_ctrl_c_withdraws_what_is_held(house: Gatehouse) -> None:
    process = subprocess.Popen(
        [house.server.bin("psql"), "-X", house.dsn(), "-c", "DELETE FROM orders"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    house.held()
    process.send_signal(2)
    _, err = process.communicate(timeout=60)
    assert "ERROR:  canceling statement due to user request" in err
    assert "writes-need-dba" in err
    assert not house.door.house.approvals.waiting()
    assert house.server.sql("SELECT count(*) FROM orders", database="relayed") == "100"


def test_ctrl_c_cancels_what_runs(house: Gatehouse) -> None:
    before = since(house)
    process = subprocess.Popen(
        [house.server.bin("psql"), "-X", house.dsn(), "-c", "SELECT pg_sleep(30)"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    running(house, "pg_sleep(30)")
    process.send_signal(2)
    _, err = process.communicate(timeout=60)
    assert "canceling statement due to user request" in err
    finished = [event.body for event in house.book.events[before:] if isinstance(event.body, Finished)]
    assert [(body.ok, body.tag[:5]) for body in finished] == [(False, "57014")]


def test_a_client_that_is_gone_withdraws_and_nothing_runs(house: Gatehouse) -> None:
    before = since(house)
    process = subprocess.Popen(
        [house.server.bin("psql"), "-X", house.dsn(), "-c", "DELETE FROM orders"], stderr=subprocess.DEVNULL
    )
    house.held()
    process.kill()
    process.wait()
    house.until(lambda: not house.door.house.approvals.waiting())
    house.until(lambda: house.gate.connections == 0)
    decided = [event.body for event in house.book.events[before:] if isinstance(event.body, Decided)]
    assert [(body.effect, body.why) for body in decided] == [("deny", "withdrawn")]
    assert house.server.sql("SELECT count(*) FROM orders", database="relayed") == "100"


def test_psql_copies_in_and_out_and_watches(house: Gatehouse) -> None:
    done = house.psql(
        stdin="CREATE TEMP TABLE c (a int, b text);\n\\copy c from stdin\n1\tx\n2\ty\n\\.\n\\copy c to stdout\n"
        "\\copy (select b from c) to stdout csv header\nSELECT count(*) FROM c \\watch c=2 i=0.05\n",
    )
    assert "COPY 2" in done.stdout
    assert "1\tx\n2\ty\n" in done.stdout
    assert "b\nx\ny\n" in done.stdout
    assert done.stdout.count("(1 row)") == 2
    assert done.stderr == ""


def test_pg_dump_is_the_same_as_without(house: Gatehouse) -> None:
    program = house.server.bin("pg_dump")
    there = subprocess.run([program, "--restrict-key=x", house.dsn()], capture_output=True, text=True, check=False)
    direct = subprocess.run(
        [program, "--restrict-key=x", house.server.dsn("postgres", "relayed")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stderr == ""
    assert there.stdout == direct.stdout
    assert "user500@acme.io" in there.stdout


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(house: Gatehouse, mode: str) -> None:
    base = ["host=127.0.0.1", f"port={house.port}", "user=bot", f"password={TOKEN}", "dbname=orders"]
    dsn = " ".join([*base, "sslmode=verify-full", f"sslrootcert={house.ca}"])
    program = house.server.bin("pgbench")
    made = subprocess.run(
        [program, "-i", "-q", "-s", "1", "-I", "tgvp", dsn], capture_output=True, text=True, check=False
    )
    if "already exists" in made.stderr:
        made = subprocess.run([program, "-i", "-q", "-I", "g", dsn], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    done = subprocess.run(
        [program, "-n", "-M", mode, "-c", "3", "-j", "1", "-t", "50", dsn], capture_output=True, text=True, check=False
    )
    assert "number of failed transactions: 0" in done.stdout, done.stdout + done.stderr
    assert "150/150" in done.stdout


def test_a_pgbench_pipeline(house: Gatehouse, tmp_path: Path) -> None:
    script = tmp_path / "pipeline.sql"
    script.write_text(
        "\\startpipeline\nSELECT 1;\nUPDATE orders SET total = 3 WHERE id = 1;\nSELECT 2;\n\\syncpipeline\nSELECT 3;\n\\endpipeline\n"
    )
    done = subprocess.run(
        [house.server.bin("pgbench"), "-n", "-M", "extended", "-t", "50", "-f", str(script), house.dsn()],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "50/50" in done.stdout, done.stdout + done.stderr


# --- psycopg


def test_psycopg_keeps_its_session_after_a_denial(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
        connection.execute("DROP TABLE orders")
    assert refused.value.diag.message_hint == "ask"
    assert connection.execute("SELECT count(*) FROM orders").fetchone() == (100,)


def test_a_pipeline_is_refused_in_order(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with connection.pipeline():
        one = connection.execute("SELECT 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE orders").fetchone()
        assert one.fetchone() == (1,)
    with connection.pipeline() as pipeline:
        first = connection.execute("SELECT %s::int", (5,))
        pipeline.sync()
        second = connection.execute("SELECT 6")
        assert (first.fetchone(), second.fetchone()) == ((5,), (6,))
    assert connection.execute("SELECT 7").fetchone() == (7,)


def test_a_long_pipeline_sends_without_reading(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with connection.pipeline():
        cursors = [connection.execute("SELECT repeat('x', 5000), %s::int", (i,)) for i in range(2000)]
        assert [cursor.fetchone()[1] for cursor in cursors] == list(range(2000))  # type: ignore[index]


def test_psycopg_prepares_and_forgets(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    for i in range(12):
        assert connection.execute("SELECT name FROM customers WHERE id = %s", (i + 1,), prepare=True).fetchone() == (
            f"name {i + 1}",
        )
    connection.execute("DEALLOCATE ALL")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_sql_prepare_is_judged_when_executed(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    connection.execute("PREPARE fine AS SELECT count(*) FROM orders")
    assert connection.execute("EXECUTE fine").fetchone() == (100,)
    connection.execute("PREPARE bad AS DELETE FROM orders")
    connection.execute("SET statement_timeout = '20s'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not understood"):
        connection.execute("EXECUTE nothing")
    connection.execute("DEALLOCATE fine")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not understood"):
        connection.execute("EXECUTE fine")


def test_cursors(house: Gatehouse) -> None:
    with psycopg.connect(house.dsn()) as connection:
        with connection.cursor("c1") as cursor:
            cursor.execute("SELECT id FROM customers ORDER BY id")
            assert [row[0] for row in cursor.fetchmany(3)] == [1, 2, 3]
            assert len(cursor.fetchall()) == 497
        with connection.cursor(binary=True) as cursor:
            assert cursor.execute("SELECT id, name FROM customers WHERE id = %b", (3,)).fetchone() == (3, "name 3")


def test_copy_both_ways(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    connection.execute("CREATE TEMP TABLE many (a int, b text)")
    with connection.cursor() as cursor:
        with cursor.copy("COPY many FROM STDIN") as copy:
            for i in range(5000):
                copy.write_row((i, "x" * 50))
        with cursor.copy("COPY many TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            assert sum(1 for _ in copy.rows()) == 5000
        with pytest.raises(psycopg.errors.BadCopyFileFormat), cursor.copy("COPY many FROM STDIN") as copy:
            copy.write("no\tnumber\tat all\n")
        with pytest.raises(RuntimeError, match="gives up"), cursor.copy("COPY many FROM STDIN") as copy:
            copy.write_row((1, "y"))
            raise RuntimeError("gives up")
    assert connection.execute("SELECT count(*) FROM many").fetchone() == (5000,)


def test_notifications_pass_at_any_time(connection: psycopg.Connection[tuple[object, ...]], house: Gatehouse) -> None:
    connection.execute("LISTEN news")
    house.server.sql("NOTIFY news, 'hello'", database="relayed")
    got = next(connection.notifies(timeout=60, stop_after=1))
    assert (got.channel, got.payload) == ("news", "hello")


def test_psycopg_cancels_over_tls(connection: psycopg.Connection[tuple[object, ...]], house: Gatehouse) -> None:
    timer = threading.Timer(0.0, lambda: (running(house, "pg_sleep(31)"), connection.cancel_safe()))
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(31)")
    timer.join()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_wrong_token_and_a_wrong_database(house: Gatehouse) -> None:
    with pytest.raises(psycopg.OperationalError, match="the token is not valid"):
        psycopg.connect(house.dsn(password="nonsense"))
    with pytest.raises(psycopg.OperationalError, match="not configured"):
        psycopg.connect(house.dsn("elsewhere"))


def test_rows_beyond_the_cap_are_stated(house: Gatehouse, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    before = since(house)
    rows = connection.execute("SELECT i, repeat('y', 100) FROM generate_series(1, 20000) i").fetchall()
    assert len(rows) == 20000
    bodies = [event.body for event in house.book.events[before:]]
    kept = sum(len(body.rows) for body in bodies if isinstance(body, Rows))
    (omitted,) = [body for body in bodies if isinstance(body, Omitted)]
    assert kept + omitted.rows == 20000
    assert 1000 < kept < 3000
    assert [body.rows for body in bodies if isinstance(body, Finished)] == [20000]


# --- asyncpg


def test_asyncpg_prepared_binary_and_cursor(house: Gatehouse) -> None:
    async def use() -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=house.port, user="bot", password=TOKEN, database="orders", ssl=tls(house)
        )
        try:
            statement = await connection.prepare("SELECT id, name FROM customers WHERE id = $1")
            for i in range(1, 20):
                assert tuple(await statement.fetchrow(i)) == (i, f"name {i}")
            async with connection.transaction():
                found = [
                    row["id"] async for row in connection.cursor("SELECT id FROM customers ORDER BY 1", prefetch=40)
                ]
                assert found == list(range(1, 501))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("DROP TABLE orders")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch("DROP TABLE orders")
            await connection.executemany("UPDATE orders SET total = $1 WHERE id = $2", [(i, i) for i in range(1, 50)])
            target = io.BytesIO()
            await connection.copy_from_query("SELECT id FROM customers WHERE id < 4 ORDER BY 1", output=target)
            assert target.getvalue() == b"1\n2\n3\n"
            with pytest.raises(asyncio.TimeoutError):
                await connection.fetchval("SELECT pg_sleep(32)", timeout=0.3)
            assert await connection.fetchval("SELECT 8") == 8
        finally:
            await connection.close()

    asyncio.run(use())


def tls(house: Gatehouse):  # type: ignore[no-untyped-def]  # tests only
    import ssl

    return ssl.create_default_context(cafile=house.ca)


def running(house: Gatehouse, text: str) -> None:
    """Wait until a backend runs a statement with this text."""
    house.until(
        lambda: house.server.sql(
            f"SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{text}%' AND pid <> pg_backend_pid()"
        )
    )
