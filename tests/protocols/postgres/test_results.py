"""No protected value leaves unmasked: rows, copies, errors, views, re-executed statements, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest

from hooptui.core.events import Asked, Finished, Output, Rows
from hooptui.core.model import MaskAction, MaskRule
from hooptui.protocols.postgres import build
from tests.postgres_server import PostgresServer
from tests.protocols.postgres.gatehouse import TOKEN, Gatehouse, Raw, errors, kinds, open_gate, rows

SSN = "219-09-9999"
CARD = "4111111111111111"
SETUP = f"""
CREATE TABLE customers (id int PRIMARY KEY, name text, ssn text UNIQUE, note text, salary int);
INSERT INTO customers SELECT i, 'name ' || i, 'canary-' || i, 'nothing', i * 1000 FROM generate_series(1, 50) i;
UPDATE customers SET note = 'card {CARD} on file' WHERE id = 3;
CREATE VIEW contacts AS SELECT id, ssn AS reference FROM customers;
CREATE VIEW contacts2 AS SELECT reference AS r2 FROM contacts;
CREATE TABLE generated (a int, ssn text, b int GENERATED ALWAYS AS (a * 2) STORED);
INSERT INTO generated VALUES (1, 'canary-g');
CREATE TABLE "odd" ("weird ""name" text, ssn text);
INSERT INTO "odd" VALUES (E'tab\\tnew\\nline\\\\back', E'canary-\\t\\n\\\\'), (NULL, NULL), ('', ''), ('\\N', '"q",');
"""
MASKS = (
    MaskRule("ssn", columns=("*.ssn", "customers.salary"), action=MaskAction.REDACT),
    MaskRule("cards", detect=("credit-card",), action=MaskAction.REDACT),
)


@pytest.fixture(scope="module")
def house(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    name = postgres.database("masked", SETUP)
    with open_gate(postgres, name, tmp_path_factory.mktemp("gate"), masks=MASKS) as gatehouse:
        yield gatehouse


@pytest.fixture
def raw(house: Gatehouse) -> Iterator[Raw]:
    client = Raw(house)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def nothing_recorded(house: Gatehouse) -> Iterator[None]:
    yield
    for event in house.book.events:
        # What a client wrote itself it knows already; a card in it is masked all the same.
        assert "canary" not in repr(event.body) or isinstance(event.body, Asked), event
        assert CARD not in repr(event.body), event
    house.book.events.clear()


def shown(answer: list[bytes]) -> bytes:
    return b"".join(answer)


READS = [
    "SELECT * FROM customers",
    "SELECT ssn AS x FROM customers",
    "SELECT c.ssn FROM customers c JOIN customers d USING (id) ORDER BY d.ssn",
    "SELECT reference FROM contacts",
    "SELECT r2 FROM contacts2",
    "SELECT s FROM (SELECT ssn AS s FROM customers OFFSET 0) q",
    "WITH w AS (SELECT ssn AS s FROM customers) SELECT s FROM w",
    "SELECT 1; SELECT ssn FROM customers; SELECT 2",
    "TABLE customers",
]


@pytest.mark.parametrize("query", READS)
def test_a_simple_query(raw: Raw, query: str) -> None:
    answer = raw.ask(build.query(query))
    assert b"\xe2\x96\x88" in shown(answer)
    assert b"canary" not in shown(answer)
    assert "D" in kinds(answer)


@pytest.mark.parametrize("query", READS)
@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("describe", ["portal", "statement", "none"])
def test_an_extended_query(raw: Raw, query: str, form: int, describe: str) -> None:
    if ";" in query:
        return
    messages = [build.parse(b"", query)]
    if describe == "statement":
        messages.append(build.describe(b""))
    messages.append(build.bind(b"", b"", results=(form,)))
    if describe == "portal":
        messages.append(build.describe(b"", portal=True))
    answer = raw.ask(*messages, build.execute(), build.SYNC)
    assert b"canary" not in shown(answer)
    assert len(rows(answer)) == 50
    assert ("T" in kinds(answer)) == (describe != "none")
    assert kinds(answer).endswith("CZ")


def test_numbers_are_null_in_binary_and_others_pass(raw: Raw) -> None:
    answer = raw.ask(
        build.parse(b"", "SELECT salary, id FROM customers WHERE id = 7"), build.bind(b"", b"", results=(1,)),
        build.execute(), build.SYNC,
    )  # fmt: skip
    assert rows(answer) == [[None, (7).to_bytes(4, "big")]]


def test_detectors_look_into_any_column(house: Gatehouse, raw: Raw) -> None:
    before = len(house.book.events)
    answer = raw.ask(build.query("SELECT note FROM customers ORDER BY id"))
    assert CARD.encode() not in shown(answer)
    assert rows(answer)[0] == [b"nothing"]
    assert b"on file" in (rows(answer)[2][0] or b"")
    (done,) = [event.body for event in house.book.events[before:] if isinstance(event.body, Finished)]
    assert (done.rows, done.masked, done.masks) == (50, 1, ("cards",))


def test_reexecution_without_describe(raw: Raw) -> None:
    raw.ask(build.parse(b"s", "SELECT ssn FROM customers"), build.describe(b"s"), build.SYNC)
    for _ in range(3):
        answer = raw.ask(build.bind(b"", b"s"), build.execute(), build.SYNC)
        assert kinds(answer) == "2" + "D" * 50 + "CZ"
        assert b"canary" not in shown(answer)


def test_another_search_path_is_another_table(house: Gatehouse, raw: Raw) -> None:
    """What a statement's columns are is asked of the server each time, for names may mean something else by now."""
    house.server.sql(
        "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.x (v text); CREATE TABLE b.y (ssn text);"
        "CREATE VIEW b.x AS SELECT ssn AS v FROM b.y; INSERT INTO a.x VALUES ('plain'); INSERT INTO b.y VALUES ('canary-path')",
        database="masked",
    )
    raw.ask(build.query("SET search_path = a"))
    raw.ask(build.parse(b"s", "SELECT v FROM x"), build.describe(b"s"), build.SYNC)
    assert rows(raw.ask(build.bind(b"", b"s"), build.execute(), build.SYNC)) == [[b"plain"]]
    raw.ask(build.query("SET search_path = b"))
    answer = raw.ask(build.bind(b"", b"s"), build.execute(), build.SYNC)
    assert b"canary" not in shown(answer) and len(rows(answer)) == 1


def test_cursors_by_sql_and_by_protocol(raw: Raw) -> None:
    raw.ask(build.query("BEGIN"))
    raw.ask(build.query("DECLARE c CURSOR FOR SELECT ssn FROM customers"))
    answer = raw.ask(build.query("FETCH 5 FROM c"))
    assert len(rows(answer)) == 5 and b"canary" not in shown(answer)
    answer = raw.ask(build.parse(b"", "FETCH 5 FROM c"), build.bind(b"", b""), build.execute(), build.SYNC)
    assert len(rows(answer)) == 5 and b"canary" not in shown(answer)
    raw.ask(build.parse(b"s", "SELECT ssn FROM customers"), build.bind(b"p", b"s"), build.SYNC)
    for _ in range(3):
        answer = raw.ask(build.execute(b"p", 4), build.SYNC)
        assert len(rows(answer)) == 4 and b"canary" not in shown(answer)
    raw.ask(build.query("PREPARE q AS SELECT ssn FROM customers"))
    answer = raw.ask(build.query("EXECUTE q"))
    assert len(rows(answer)) == 50 and b"canary" not in shown(answer)
    answer = raw.ask(build.query("INSERT INTO customers VALUES (99, 'n', 'canary-99') RETURNING ssn, id"))
    assert rows(answer)[0][1] == b"99" and b"canary" not in shown(answer)
    raw.ask(build.query("ROLLBACK"))


# --- copies


@pytest.mark.parametrize("options", ["", "(FORMAT csv)", "(FORMAT csv, HEADER)", "(HEADER)", "(FORMAT binary)",
                                     "(DELIMITER '|', NULL 'nil')", "(FORMAT csv, QUOTE '''', ESCAPE '~', FORCE_QUOTE *)"])  # fmt: skip
@pytest.mark.parametrize("what", ["customers", "customers (id, ssn)", "odd", "(SELECT id, ssn AS innocent FROM customers)",
                                  "(SELECT reference FROM contacts)"])  # fmt: skip
@pytest.mark.parametrize("simple", [True, False])
def test_copy_out(house: Gatehouse, raw: Raw, options: str, what: str, simple: bool) -> None:
    text = f"COPY {what} TO STDOUT {options}"
    if simple:
        answer = raw.ask(build.query(text))
        assert kinds(answer).strip("d") == "H" + kinds(answer)[1:-3] + "cCZ"
    else:
        answer = raw.ask(build.parse(b"", text), build.bind(b"", b""), build.execute(), build.SYNC)
        assert kinds(answer).replace("d", "") == "12HcCZ"
    assert b"canary" not in shown(answer)
    assert CARD.encode() not in shown(answer)
    assert kinds(raw.ask(build.query("SELECT 1"))) == "TDCZ"


def test_a_copy_survives_its_masking(house: Gatehouse) -> None:
    """What is not protected comes out as it is, however it is written."""
    direct = psycopg.connect(house.server.dsn("postgres", "masked"))
    there = psycopg.connect(house.dsn())
    with direct, there:
        for options in ("", "(FORMAT csv)", "(FORMAT csv, QUOTE '''', ESCAPE '~')", "(DELIMITER '|', NULL 'nil')"):
            tables = []
            for connection in (direct, there):
                with connection.cursor() as cursor:
                    with cursor.copy(f"COPY odd TO STDOUT {options}") as copy:
                        data = b"".join(bytes(part) for part in copy)
                    cursor.execute("CREATE TEMP TABLE back (a text, b text)")
                    with cursor.copy(f"COPY back FROM STDIN {options}") as copy:
                        copy.write(data)
                    tables.append(cursor.execute("SELECT a, b FROM back").fetchall())
                connection.rollback()
            assert [row[0] for row in tables[0]] == [row[0] for row in tables[1]]
            assert [row[1] is None for row in tables[0]] == [row[1] is None for row in tables[1]]
            assert not any("canary" in (row[1] or "") for row in tables[1])


def test_a_copy_with_generated_columns_is_stopped(house: Gatehouse, raw: Raw) -> None:
    raw.send(build.query("COPY generated TO STDOUT"))
    answer = raw.until(b"E")
    assert b"canary" not in shown(answer)
    assert "list them in the COPY" in errors(answer)[0][1]
    other = Raw(house)
    answer = other.ask(build.query("COPY generated (a, ssn) TO STDOUT"))
    assert kinds(answer) == "HdcCZ" and b"canary" not in shown(answer)
    other.close()


def test_a_copy_in_a_batch_is_refused(raw: Raw) -> None:
    answer = raw.ask(build.query("SELECT 1; COPY customers TO STDOUT"))
    assert kinds(answer) == "EZ" and "one of several statements" in errors(answer)[0][1]


def test_a_copy_that_fails_fails_once_and_natively(raw: Raw) -> None:
    answer = raw.ask(build.query("COPY nothing TO STDOUT"))
    assert kinds(answer) == "EZ" and errors(answer)[0][0] == "42P01"
    answer = raw.ask(build.parse(b"", "COPY nothing TO STDOUT"), build.bind(b"", b""), build.execute(), build.SYNC)
    assert kinds(answer) == "12EZ" and errors(answer)[0][0] == "42P01"
    raw.ask(build.query("BEGIN"))
    answer = raw.ask(build.query("COPY customers TO STDOUT"))
    assert kinds(answer).replace("d", "") == "HcCZ" and answer[-1][-1:] == b"T"
    answer = raw.ask(build.query("COPY nothing TO STDOUT"))
    assert kinds(answer) == "EZ" and answer[-1][-1:] == b"E"
    answer = raw.ask(build.query("COPY customers TO STDOUT"))
    assert errors(answer)[0][0] == "25P02"
    raw.ask(build.query("ROLLBACK"))


# --- errors and notices


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ssn::int FROM customers WHERE id = 1",
        "INSERT INTO customers (id, ssn) VALUES (1000, 'canary-1')",
        "UPDATE customers SET ssn = 'canary-1' WHERE id = 2",
        "SELECT ('{\"a\": ' || ssn)::json FROM customers",
    ],
)
def test_errors_quote_no_value(raw: Raw, query: str) -> None:
    answer = raw.ask(build.query(query))
    assert kinds(answer)[-2:] == "EZ"
    assert b"canary" not in shown(answer)


def test_notices_are_looked_into(house: Gatehouse, raw: Raw) -> None:
    answer = raw.ask(build.query(f"DO $$BEGIN RAISE NOTICE 'card {CARD}' USING DETAIL = 'secret row'; END$$"))
    assert CARD.encode() not in shown(answer) and b"secret row" not in shown(answer)
    assert kinds(answer) == "NCZ"


def test_notifications_are_looked_into(house: Gatehouse, raw: Raw) -> None:
    raw.ask(build.query("LISTEN news"))
    answer = raw.ask(build.query(f"NOTIFY news, 'card {CARD}'"))
    assert "A" in kinds(answer) and CARD.encode() not in shown(answer)


def test_the_recording_shows_what_the_client_saw(house: Gatehouse, raw: Raw) -> None:
    before = len(house.book.events)
    raw.ask(build.query("SELECT id, ssn FROM customers WHERE id = 4"))
    raw.ask(build.query("COPY customers (id, ssn) TO STDOUT"))
    bodies = [event.body for event in house.book.events[before:]]
    (kept,) = [body.rows for body in bodies if isinstance(body, Rows)]
    assert kept[0][0] == "4" and "\u2588" in (kept[0][1] or "")
    text = "".join(body.text for body in bodies if isinstance(body, Output) and body.stream == "copy-out")
    assert text.count("\n") == 50 and "\u2588" in text


def test_masks_change_with_the_policy(house: Gatehouse, raw: Raw) -> None:
    query = build.query("SELECT name FROM customers WHERE id = 1")
    assert rows(raw.ask(query)) == [[b"name 1"]]
    house.judge.rules = (*MASKS, MaskRule("names", columns=("*.name",)))
    house.judge.version = "v2"
    try:
        assert b"name 1" not in shown(raw.ask(query))
    finally:
        house.judge.rules = MASKS
        house.judge.version = "v3"
    assert rows(raw.ask(query)) == [[b"name 1"]]


def test_asyncpg_sees_masks(house: Gatehouse) -> None:
    async def use() -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=house.port, user="bot", password=TOKEN, database="orders",
            ssl=ssl.create_default_context(cafile=house.ca),
        )  # fmt: skip
        try:
            statement = await connection.prepare("SELECT ssn, salary FROM customers WHERE id = $1")
            for i in (1, 2, 3):
                row = await statement.fetchrow(i)
                assert "canary" not in row["ssn"] and row["salary"] is None
        finally:
            await connection.close()

    asyncio.run(use())


def test_a_catalogue_that_fails_shows_nothing(house: Gatehouse, postgres: PostgresServer) -> None:
    raw = Raw(house)
    place = house.gate._places["orders"]
    link = place.catalogue._reading

    async def fail(_action: object) -> object:
        from hooptui.protocols.postgres.catalogue import CatalogueFailed

        raise CatalogueFailed("unreachable", "no route")

    working, link.run = link.run, fail  # type: ignore[method-assign,assignment]  # the side connection breaks
    place.catalogue.forget()
    try:
        raw.send(build.query("SELECT ssn, 'never seen before' FROM customers"))
        answer = raw.until(b"")
        assert "D" not in kinds(answer) and errors(answer)[-1][0] == "08006"
        assert ("orders", "catalogue") in [(target, code) for target, code, _ in house.door.troubles]
    finally:
        link.run = working  # type: ignore[method-assign]
    raw.close()
