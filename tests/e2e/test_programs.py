"""pg_dump, pgbench, asyncpg and psycopg through the gateway, unchanged."""

from __future__ import annotations

import asyncio
import ssl

import asyncpg
import psycopg
import pytest

from tests.e2e.bed import Bed

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def pgbench(world: Bed) -> str:
    """Tables of pgbench, made directly."""
    world.server.sql(
        """CREATE TABLE pgbench_branches (bid int primary key, bbalance int, filler char(88));
        CREATE TABLE pgbench_tellers (tid int primary key, bid int, tbalance int, filler char(84));
        CREATE TABLE pgbench_accounts (aid int primary key, bid int, abalance int, filler char(84));
        CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
        INSERT INTO pgbench_branches VALUES (1, 0); INSERT INTO pgbench_tellers SELECT i, 1, 0 FROM generate_series(1, 10) i;
        INSERT INTO pgbench_accounts SELECT i, 1, 0 FROM generate_series(1, 100000) i;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO scram""",
        database=world.database,
    )
    return "pgbench"


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
@pytest.mark.parametrize("script", ["tpcb-like", "select-only"])
def test_pgbench_in_every_mode(world: Bed, pgbench: str, mode: str, script: str) -> None:
    done = world.run(
        pgbench,
        "-n",
        "-b",
        script,
        "-M",
        mode,
        "-c",
        "4",
        "-t",
        "40",
        "-s",
        "1",
        token=world.token("bench", ("admins",)),
    )
    assert done.returncode == 0, done.stderr
    assert "number of transactions actually processed: 160/160" in done.stdout, done.stdout + done.stderr
    assert "number of failed transactions: 0" in done.stdout


def test_pgbench_pipeline(world: Bed, pgbench: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    script = tmp_path_factory.mktemp("pgbench") / "pipeline.sql"
    script.write_text(
        "\\set aid random(1, 1000)\n\\startpipeline\n"
        + "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n" * 20
        + "\\endpipeline\n"
    )
    done = world.run(
        pgbench,
        "-n",
        "-f",
        str(script),
        "-M",
        "extended",
        "-c",
        "2",
        "-t",
        "20",
        token=world.token("bench", ("admins",)),
    )
    assert "number of failed transactions: 0" in done.stdout, done.stdout + done.stderr


def test_pg_dump_of_a_schema_and_its_masked_data(world: Bed) -> None:
    done = world.run("pg_dump", "--schema-only", token=world.token("dump", ("admins",)))
    assert done.returncode == 0, done.stderr
    assert "CREATE TABLE public.customers" in done.stdout
    data = world.run("pg_dump", "--data-only", "--table=customers")
    assert data.returncode == 0, data.stderr
    assert "COPY public.customers" in data.stdout
    assert "█" in data.stdout


async def connect_asyncpg(world: Bed) -> asyncpg.Connection:
    trust = ssl.create_default_context(cafile=str(world.ca))
    return await asyncpg.connect(
        host="127.0.0.1", port=world.port, user="anyone", password=world.token(), database="orders-db", ssl=trust
    )


async def test_asyncpg_prepared_and_binary(world: Bed) -> None:
    connection = await connect_asyncpg(world)
    try:
        statement = await connection.prepare("SELECT id, name, email, ssn FROM customers WHERE id = $1")
        for _ in range(3):
            row = await statement.fetchrow(1)
            assert row["name"] == "ada"
            assert "█" in row["email"]
            world.seen.append(repr(dict(row)))
        assert await connection.fetchval("SELECT total FROM orders WHERE id = $1", 2) == 3
        async with connection.transaction():
            assert [r["id"] async for r in connection.cursor("SELECT id FROM orders ORDER BY id", prefetch=50)][:3] == [
                1,
                2,
                3,
            ]
        copied = await connection.copy_from_query(
            "SELECT id, ssn FROM customers", output=lambda data: collect(world, data), format="csv"
        )
        assert copied == "COPY 2"
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="DDL goes through migrations"):
            await connection.execute("DROP TABLE orders")
        assert await connection.fetchval("SELECT 1") == 1
    finally:
        await connection.close()


async def collect(world: Bed, data: bytes) -> None:
    world.seen.append(data.decode())


async def test_asyncpg_cancel_and_listen(world: Bed) -> None:
    connection = await connect_asyncpg(world)
    try:
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetchval("SELECT pg_sleep(30)", timeout=0.3)
        assert await connection.fetchval("SELECT 42") == 42
        heard: asyncio.Queue[str] = asyncio.Queue()
        await connection.add_listener("news", lambda *args: heard.put_nowait(args[3]))
        world.server.sql("NOTIFY news, 'hello'", database=world.database)
        assert await asyncio.wait_for(heard.get(), 60) == "hello"
    finally:
        await connection.close()


def test_psycopg_pipeline_and_copy(world: Bed) -> None:
    with psycopg.connect(world.dsn()) as connection:
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int + id FROM orders WHERE id = 1", (i,)) for i in range(200)]
        assert [cursor.fetchone() for cursor in cursors][-1] == (200,)
        with connection.cursor().copy("COPY orders (id, total) FROM STDIN") as copy:
            for i in range(3000, 3500):
                copy.write_row((i, i))
        with connection.cursor().copy("COPY (SELECT id, email FROM customers) TO STDOUT") as copy:
            rows = list(copy.rows())
        world.seen.append(repr(rows))
        assert all("█" in row[1] for row in rows)
        binary = connection.execute("SELECT id, email, ssn FROM customers ORDER BY id", binary=True).fetchall()
        world.seen.append(repr(binary))
        assert binary[0][0] == 1
        connection.rollback()


def test_a_notification_names_its_sender(world: Bed) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as connection:
        connection.execute("LISTEN here")
        connection.execute("NOTIFY here, 'hello'")
        [heard] = list(connection.notifies(timeout=60, stop_after=1))
        assert (heard.payload, heard.pid) == ("hello", connection.info.backend_pid)
        assert connection.execute("SELECT pg_backend_pid()").fetchone() == (heard.pid,)


def test_a_denial_inside_a_psycopg_pipeline_keeps_the_order(world: Bed) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as connection:
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="DDL goes through migrations") as denied,
            connection.pipeline(),
        ):
            before = connection.execute("SELECT 1")
            connection.execute("DROP TABLE orders")
            connection.execute("SELECT 2")
        assert denied.value.diag.message_detail is not None
        assert before.fetchone() == (1,)
        assert connection.execute("SELECT 3").fetchone() == (3,)


def test_a_server_side_cursor_is_masked(world: Bed) -> None:
    with psycopg.connect(world.dsn()) as connection, connection.cursor("c") as cursor:
        cursor.execute("SELECT email FROM customers")
        rows = cursor.fetchall()
        world.seen.append(repr(rows))
        assert all("█" in row[0] for row in rows)


def test_a_large_result_arrives_whole(world: Bed) -> None:
    with psycopg.connect(world.dsn()) as connection:
        total = sum(
            1 for _ in connection.cursor().stream("SELECT i, repeat('x', 50) FROM generate_series(1, 200000) i")
        )
        assert total == 200_000
        wide = connection.execute("SELECT repeat('y', 20000000)").fetchone()
        assert wide is not None
        assert len(wide[0]) == 20_000_000
