"""The side connections against a real PostgreSQL, on both event loops."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, closing

import psycopg
import pytest
import uvloop

from hooptui.core.clock import ManualClock
from hooptui.core.model import ColumnSource
from hooptui.core.secret import Secret
from hooptui.protocols.postgres import catalogue as module
from hooptui.protocols.postgres.catalogue import Backend, Catalogue, CatalogueFailed
from hooptui.protocols.postgres.upstream import SslMode, Upstream
from tests.postgres_server import PASSWORD, PostgresServer

_SCHEMA = """
CREATE TABLE customers (id int PRIMARY KEY, gone int, ssn text, name text);
ALTER TABLE customers DROP COLUMN gone;
INSERT INTO customers SELECT g, lpad(g::text, 9, '0'), 'name ' || g FROM generate_series(1, 5000) g;
CREATE TABLE orders (id int, customer int, note text);
CREATE VIEW plain AS SELECT c.ssn AS number, upper(c.name) AS loud, o.note, c.id FROM customers c JOIN orders o ON o.customer = c.id;
CREATE VIEW upon AS SELECT number AS again FROM plain;
CREATE VIEW joined AS SELECT ssn FROM customers UNION ALL SELECT note FROM orders;
CREATE VIEW common AS WITH q AS (SELECT ssn AS k FROM customers) SELECT k, (SELECT ssn FROM customers LIMIT 1) AS sub FROM q;
CREATE MATERIALIZED VIEW stored AS SELECT ssn FROM customers;
CREATE SCHEMA "Odd ""schema";
CREATE VIEW "Odd ""schema"."a view" AS SELECT ssn AS "the "" one" FROM customers;
CREATE TABLE events (at date, ssn text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY RANGE (at);
CREATE TABLE events_1_a (other int, ssn text, at date);
ALTER TABLE events_1_a DROP COLUMN other;
ALTER TABLE events_1 ATTACH PARTITION events_1_a FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
GRANT ALL ON ALL TABLES IN SCHEMA public TO scram;
ANALYZE customers;
"""


@pytest.fixture(scope="module")
def upstream(postgres: PostgresServer) -> Upstream:
    name = postgres.database("catalogue", _SCHEMA)
    return Upstream(
        postgres.host, postgres.port, name, "scram", Secret(PASSWORD), ca_file=postgres.ca, connect_timeout=60.0
    )


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
    unhandled: list[object] = []

    def go(scenario):
        async def main():
            asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
            return await asyncio.wait_for(scenario, 60)

        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main())

    yield go
    assert unhandled == []


@asynccontextmanager
async def opened(upstream: Upstream, clock: ManualClock | None = None):
    catalogue = Catalogue(upstream, clock)
    try:
        yield catalogue
    finally:
        await catalogue.close()


def key(postgres: PostgresServer, relation: str, column: str) -> tuple[int, int]:
    oid, attnum = postgres.sql(
        f"SELECT attrelid, attnum FROM pg_attribute WHERE attrelid = '{relation}'::regclass AND attname = $${column}$$",
        database="catalogue",
    ).split("|")
    return int(oid), int(attnum)


SSN = ColumnSource("public", "customers", "ssn")


async def until_it_waits(postgres: PostgresServer) -> None:
    """Until the look-up connection waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hooptui catalogue' AND wait_event_type = 'Lock'"
    while await asyncio.to_thread(postgres.sql, waiting) == "0":
        pass


def test_a_column_is_named_after_its_table(run, postgres, upstream):
    ssn, note = key(postgres, "customers", "ssn"), key(postgres, "orders", "note")

    async def scenario():
        async with opened(upstream) as catalogue:
            found = await catalogue.sources(
                [ssn, note, ssn, (4_000_000_000, 1), (ssn[0], 2), (ssn[0], 99), (ssn[0], -1)]
            )
            assert found == {
                ssn: SSN,
                note: ColumnSource("public", "orders", "note"),
                (4_000_000_000, 1): None,
                (ssn[0], 2): None,
                (ssn[0], 99): None,
                (ssn[0], -1): ColumnSource("public", "customers", "ctid"),
            }
            assert await catalogue.sources([]) == {}

    run(scenario())


@pytest.mark.parametrize(
    ("relation", "column", "further"),
    [
        ("plain", "number", [SSN]),
        ("plain", "loud", []),
        ("plain", "note", [ColumnSource("public", "orders", "note")]),
        ("upon", "again", [ColumnSource("public", "plain", "number"), SSN]),
        ("joined", "ssn", []),
        ("common", "k", [SSN]),
        ("common", "sub", []),
        ("stored", "ssn", [SSN]),
        ('"Odd ""schema"."a view"', 'the " one', [SSN]),
        ("events_1_a", "ssn", [ColumnSource("public", "events_1", "ssn"), ColumnSource("public", "events", "ssn")]),
        ("events", "ssn", []),
    ],
)
def test_lineage_goes_through_views_and_up_to_parents(run, postgres, upstream, relation, column, further):
    asked = key(postgres, relation, column)

    async def scenario():
        async with opened(upstream) as catalogue:
            (chain,) = (await catalogue.lineage([asked])).values()
            assert chain[0].column == column and list(chain[1:]) == further
            assert (await catalogue.sources([asked]))[asked] == chain[0]

    run(scenario())


def test_many_columns_at_once_keep_apart(run, postgres, upstream):
    again, number, ssn = (
        key(postgres, "upon", "again"),
        key(postgres, "plain", "number"),
        key(postgres, "customers", "ssn"),
    )

    async def scenario():
        async with opened(upstream) as catalogue:
            found = await catalogue.lineage([again, number, ssn])
            assert [len(found[k]) for k in (again, number, ssn)] == [3, 2, 1]
            assert all(found[k][-1] == SSN for k in (again, number, ssn))

    run(scenario())


def test_names_are_forgotten_in_time_and_at_once_when_told(run, postgres, upstream):
    postgres.sql(
        "DROP TABLE IF EXISTS moving; CREATE TABLE moving (a int); GRANT SELECT ON moving TO scram",
        database="catalogue",
    )
    asked = key(postgres, "moving", "a")
    clock = ManualClock()

    async def name(catalogue: Catalogue) -> str | None:
        source = (await catalogue.sources([asked]))[asked]
        return None if source is None else source.column

    async def scenario():
        async with opened(upstream, clock) as catalogue:
            assert await name(catalogue) == "a"
            await asyncio.to_thread(postgres.sql, "ALTER TABLE moving RENAME a TO b", database="catalogue")
            assert await name(catalogue) == "a"
            clock.advance(module.FRESH)
            assert await name(catalogue) == "b"
            await asyncio.to_thread(postgres.sql, "DROP TABLE moving", database="catalogue")
            assert await name(catalogue) == "b"
            catalogue.forget()
            assert await name(catalogue) is None

    run(scenario())


def test_what_is_remembered_is_bounded(run, postgres, upstream, monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 3)
    oid, _ = key(postgres, "customers", "ssn")

    async def scenario():
        async with opened(upstream) as catalogue:
            found = await catalogue.sources([(oid, attnum) for attnum in range(1, 8)])
            assert len(found) == 7 and len(catalogue._known) == 3

    run(scenario())


def test_questions_at_once_are_asked_once(run, postgres, upstream, monkeypatch):
    asked = key(postgres, "customers", "ssn")
    traced = []
    trace = module._trace

    async def counted(connection, keys):
        traced.append(list(keys))
        return await trace(connection, keys)

    monkeypatch.setattr(module, "_trace", counted)

    async def scenario():
        async with opened(upstream) as catalogue:
            found = await asyncio.gather(*(catalogue.sources([asked]) for _ in range(10)))
            assert found == [{asked: SSN}] * 10

    run(scenario())
    assert [keys for keys in traced if keys] == [[asked]]


def test_views_too_deep_are_refused(run, postgres, upstream, monkeypatch):
    monkeypatch.setattr(module, "VIEW_DEPTH", 2)
    asked = key(postgres, "upon", "again")

    async def scenario():
        async with opened(upstream) as catalogue:
            with pytest.raises(CatalogueFailed) as caught:
                await catalogue.lineage([asked])
            assert caught.value.code == "54001"

    run(scenario())


# --- explain


def test_explain_plans_and_runs_nothing(run, postgres, upstream):
    async def scenario():
        async with opened(upstream) as catalogue:
            plan = await catalogue.explain("DELETE FROM customers", "public")
            assert "Delete on customers" in plan and "rows=5000" in plan
            plan = await catalogue.explain("UPDATE customers SET name = $1 WHERE id = $2", '"$user", public')
            assert "customers_pkey" in plan and "$2" in plan
            plan = await catalogue.explain("SELECT 1 -- with a comment behind it", "")
            assert "Result" in plan
            assert (
                await asyncio.to_thread(postgres.sql, "SELECT count(*) FROM customers", database="catalogue") == "5000"
            )

    run(scenario())


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM customers; DELETE FROM orders",
        "SELECT 1; COMMIT; DROP TABLE customers",
        "ANALYZE DELETE FROM customers",
        "(ANALYZE) DELETE FROM customers",
        "(ANALYZE TRUE) SELECT pg_sleep(10)",
        "EXPLAIN ANALYZE DELETE FROM customers",
        "DROP TABLE customers",
        "COMMIT",
        "",
        "-- nothing",
        "SELECT $1; DROP TABLE customers",
        "VERBOSE SELECT 1",
    ],
)
def test_explain_takes_one_plannable_statement_only(run, postgres, upstream, sql):
    async def scenario():
        async with opened(upstream) as catalogue:
            with pytest.raises(CatalogueFailed) as caught:
                await catalogue.explain(sql, "public")
            assert caught.value.code == "42601"
            # And the connection is as good as before.
            assert "Seq Scan" in await catalogue.explain("SELECT * FROM customers", "public")

    run(scenario())
    assert postgres.sql("SELECT count(*) FROM customers", database="catalogue") == "5000"


def test_explain_uses_the_path_it_is_given_and_no_other(run, upstream):
    async def scenario():
        async with opened(upstream) as catalogue:
            for path, code in (("", "42P01"), ("nowhere", "42P01")):
                with pytest.raises(CatalogueFailed) as caught:
                    await catalogue.explain("SELECT * FROM customers", path)
                assert caught.value.code == code
            assert await catalogue.explain("SELECT * FROM customers", "public")

    run(scenario())


def test_explain_cannot_write_through_a_function_that_lies(run, postgres, upstream):
    """A function declared IMMUTABLE is run by the planner; the transaction is read only."""
    postgres.sql(
        "CREATE SEQUENCE IF NOT EXISTS counter; GRANT ALL ON counter TO scram;"
        "CREATE OR REPLACE FUNCTION lies() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT nextval('public.counter') $$",
        database="catalogue",
    )

    async def scenario():
        async with opened(upstream) as catalogue:
            with pytest.raises(CatalogueFailed) as caught:
                await catalogue.explain("SELECT * FROM customers WHERE id = lies()", "public")
            assert caught.value.code == "25006"

    run(scenario())
    assert postgres.sql("SELECT is_called FROM counter", database="catalogue") == "f"


def test_explain_does_not_wait_for_a_lock(run, postgres, upstream):
    async def scenario():
        async with (
            opened(upstream) as catalogue,
            await psycopg.AsyncConnection.connect(postgres.dsn("postgres", "catalogue")) as holder,
        ):
            await holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(CatalogueFailed) as caught:
                await catalogue.explain("SELECT * FROM orders", "public")
            assert caught.value.code == "timeout"
            await holder.rollback()
            assert "orders" in await catalogue.explain("SELECT * FROM orders", "public")

    run(scenario())


def test_a_plan_is_cut(run, upstream):
    async def scenario():
        async with opened(upstream) as catalogue:
            plan = await catalogue.explain(
                "SELECT '" + "x" * 20 + "' FROM customers" + " UNION ALL SELECT name FROM customers" * 400, "public"
            )
            assert len(plan) <= module.EXPLAIN_MAX + 2 and plan.endswith("…")

    run(scenario())


# --- backends


def test_cancel_and_terminate_reach_that_backend_and_no_other(run, postgres, upstream):
    async def scenario():
        async with (
            opened(upstream) as catalogue,
            await psycopg.AsyncConnection.connect(postgres.dsn("scram", "catalogue"), autocommit=True) as victim,
        ):
            backend = await catalogue.backend(victim.info.backend_pid)
            assert backend is not None and backend.started is not None
            running = asyncio.create_task(victim.execute("SELECT pg_sleep(60)"))
            while not running.done():
                assert await catalogue.cancel_backend(backend)
                await asyncio.wait([running], timeout=0.02)
            with pytest.raises(psycopg.errors.QueryCanceled):
                await running
            other = dataclasses.replace(backend, started=backend.started.replace(year=2001))
            assert not await catalogue.cancel_backend(other)
            assert not await catalogue.terminate_backend(other)
            assert await catalogue.backend_gone(other)
            assert not await catalogue.backend_gone(backend, within=0.05)
            assert await catalogue.terminate_backend(backend)
            assert await catalogue.backend_gone(backend, within=60.0)
            assert await catalogue.backend(backend.pid) is None
            assert not await catalogue.terminate_backend(backend)
            with pytest.raises(psycopg.OperationalError):
                await victim.execute("SELECT 1")

    run(scenario())


def test_acting_never_queues_behind_looking(run, postgres, upstream):
    async def scenario():
        async with (
            opened(upstream) as catalogue,
            await psycopg.AsyncConnection.connect(postgres.dsn("postgres", "catalogue")) as holder,
        ):
            assert await catalogue.backend(1) is None
            await holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            slow = asyncio.create_task(catalogue.explain("SELECT * FROM orders", "public"))
            await until_it_waits(postgres)
            assert await catalogue.backend_gone(Backend(1, None))
            assert not slow.done()
            with pytest.raises(CatalogueFailed):
                await slow

    run(scenario())


# --- when the target is not there


def test_a_lost_connection_is_opened_again(run, postgres, upstream):
    asked = key(postgres, "customers", "ssn")

    async def scenario():
        async with opened(upstream) as catalogue:
            await catalogue.sources([asked])
            for _ in range(2):
                await asyncio.to_thread(
                    postgres.sql,
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'hooptui catalogue'",
                )
                catalogue.forget()
                assert (await catalogue.sources([asked]))[asked] == SSN

    run(scenario())


def test_side_connections_say_what_they_are(run, postgres, upstream):
    async def scenario():
        async with opened(upstream) as catalogue:
            await catalogue.sources([(1, 1)])
            await catalogue.backend(1)
            names = await asyncio.to_thread(
                postgres.sql, "SELECT application_name FROM pg_stat_activity WHERE datname = 'catalogue' ORDER BY 1"
            )
            assert names.splitlines() == ["hooptui catalogue", "hooptui control"]

    run(scenario())


def test_side_connections_resolve_nothing_that_a_user_made(run, upstream):
    async def settings(connection) -> list[str]:
        names = ("search_path", "statement_timeout", "lock_timeout")
        return [(await (await connection.execute(f"SHOW {name}")).fetchone())[0] for name in names]

    async def scenario():
        async with opened(upstream) as catalogue:
            await catalogue.explain("SELECT 1", "public")
            for link in (catalogue._reading, catalogue._acting):
                assert await link.run(settings) == ["", "2s", "500ms"]

    run(scenario())


def test_a_cancelled_question_leaves_a_usable_connection(run, postgres, upstream):
    asked = key(postgres, "customers", "ssn")

    async def scenario():
        async with (
            opened(upstream) as catalogue,
            await psycopg.AsyncConnection.connect(postgres.dsn("postgres", "catalogue")) as holder,
        ):
            await holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            slow = asyncio.create_task(catalogue.explain("SELECT * FROM orders", "public"))
            await until_it_waits(postgres)
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow
            assert (await catalogue.sources([asked]))[asked] == SSN

    run(scenario())


@pytest.mark.parametrize(
    "changes",
    [
        {"password": Secret("wrong password")},
        {"password": None},
        {"database": "nowhere"},
        {"host": "127.0.0.2"},
        {"ca_file": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_target_that_does_not_let_us_in(run, upstream, changes, caplog):
    caplog.set_level(logging.DEBUG)

    async def scenario():
        async with opened(dataclasses.replace(upstream, **changes)) as catalogue:
            with pytest.raises(CatalogueFailed) as caught:
                await catalogue.sources([(1, 1)])
            assert caught.value.code == "unreachable"
            assert "wrong password" not in caught.value.message and PASSWORD not in caught.value.message + caplog.text

    run(scenario())


def test_a_target_that_is_down_or_silent(run):
    async def scenario(port: int, timeout: float) -> CatalogueFailed:
        target = Upstream("127.0.0.1", port, "d", "svc-42", sslmode=SslMode.DISABLE, connect_timeout=timeout)
        async with opened(target) as catalogue:
            with pytest.raises(CatalogueFailed) as caught:
                await catalogue.backend(1)
            return caught.value

    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        assert run(scenario(unused.getsockname()[1], 3.0)).code == "unreachable"


def test_closed_is_closed(run, upstream):
    async def scenario():
        async with opened(upstream) as catalogue:
            await catalogue.sources([(1, 1)])
        with pytest.raises(CatalogueFailed):
            await catalogue.sources([(2, 1)])

    run(scenario())
