"""Values of every type, masked, and read back by what clients use: psycopg's loaders and PostgreSQL itself."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import pq

from hooptui.core.model import MaskAction
from hooptui.masking import pg_binary, pg_types, transcript
from tests.masking.helpers import BLOCKS, forced, net
from tests.postgres_server import PostgresServer


@pytest.fixture(scope="module")
def server(postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(
        f"host={postgres.socket_dir} port={postgres.port} user=postgres dbname=postgres", autocommit=True
    ) as connection:
        connection.execute(
            "CREATE TYPE pair AS (n int8, note text); CREATE TYPE mood AS ENUM ('good', 'bob@acme.io');"
            "CREATE DOMAIN mail AS text; CREATE EXTENSION IF NOT EXISTS hstore; CREATE EXTENSION IF NOT EXISTS citext"
        )
        yield connection
        connection.execute("DROP TYPE pair; DROP TYPE mood; DROP DOMAIN mail")


def fetch(server: psycopg.Connection, sql: str, binary: bool) -> tuple[bytes, int]:
    result = server.pgconn.exec_params(sql.encode(), [], result_format=pq.Format(binary))
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    value = result.get_value(0, 0)
    assert value is not None
    return value, result.ftype(0)


def as_server_reads(server: psycopg.Connection, value: bytes, oid: int, binary: bool) -> str:
    """The value's text after PostgreSQL itself has read it by its type; fails when it is malformed."""
    # format_type calls bpchar `character`, which as a cast means one character.
    name = ("bpchar",) if oid == pg_types.BPCHAR else server.execute("SELECT format_type(%s, NULL)", (oid,)).fetchone()
    assert name is not None
    result = server.pgconn.exec_params(
        f"SELECT $1::{name[0]}::text".encode(),
        [value],
        param_types=[oid],
        param_formats=[pq.Format(binary)],
        result_format=pq.Format.TEXT,
    )
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    shown = result.get_value(0, 0)
    assert shown is not None
    return shown.decode()


NET_CASES = [
    # expression, what is left of it in text (None: NULL); the same in both formats unless a third says so for binary
    ("'card 4242424242424242'::text", "card ████"),
    ("'bob@acme.io'::varchar(11)", "████"),
    ("'bob@acme.io'::char(20)", "████         "),
    ("'bob@acme.io'::name", "████"),
    ("'bob@acme.io'::mail", "████"),
    ("'<a>bob@acme.io</a>'::xml", "<a>████</a>"),
    ('\'{"a": "bob@acme.io", "b": [4242424242424242, 1]}\'::json', '{"a": "████", "b": [null, 1]}'),
    ('\'{"a": "bob\\u0040acme.io", "b": 4.242424242424242e15}\'::json', '{"a": "████", "b": null}'),
    ('\'{"bob@acme.io": 1, "n": -4242424242424242.50}\'::jsonb', '{"n": null, "████": 1}'),
    ('\'["say \\"bob@acme.io\\"\\n"]\'::jsonb', '["say \\"████\\"\\n"]'),
    (
        '\'{"aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}\'::jsonb',
        '{"aws_secret_access_key": "████"}',
    ),
    ("'[4.24242e15, 4.24243E+15]'::json", "[null, 4.24243E+15]"),
    ("4242424242424242::int8", None),
    ("(-4242424242424242)::int8", None),
    ("4242424242424242.75::numeric", None),
    ("4242424242424242::float8", None),
    ("4242420000000000::float8", None),  # 4.24242e+15 in text
    ("'bob@acme.io'::bytea", None),
    ("'\\x00ff'::bytea || 'bob@acme.io'::bytea", None),
    ("ARRAY['x', 'bob@acme.io', NULL, 'say \"a@b.io\" \\']", '{x,████,NULL,"say \\"████\\" \\\\"}'),
    ("'[2:3][0:0]={{a@b.io},{y}}'::text[]", "[2:3][0:0]={{████},{y}}"),
    ("ARRAY[1, 4242424242424242, 3]::int8[]", "{1,NULL,3}"),
    ("ARRAY[4242424242424242]::numeric[]", "{NULL}"),
    ("ARRAY['\"bob@acme.io\"']::json[]", '{"\\"████\\""}'),
    ("ARRAY['[1,\"bob@acme.io\"]']::jsonb[]", '{"[1, \\"████\\"]"}'),
    ("int8range(4242424242424242, NULL)", None),
    ("numrange(1, 4242424242424242)", None),
    ("int8multirange(int8range(1, 2), int8range(5, 4242424242424242))", None),
    ("'bob@acme.io'::citext", "████", None),
    ("'bob@acme.io'::mood", "████", None),
    ("(1, 'bob@acme.io')::pair", "(1,████)", None),
    ("(4242424242424242, 'x')::pair", None),
    ("'k=>bob@acme.io'::hstore", '"k"=>"████"', None),
    ("ARRAY[(1, 'bob@acme.io')::pair]", '{"(1,████)"}', None),
]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("case", NET_CASES, ids=[case[0] for case in NET_CASES])
def test_finds_are_masked_in_every_type(server: psycopg.Connection, case: tuple[str | None, ...], binary: bool):
    sql = case[0]
    value, oid = fetch(server, f"SELECT {sql}", binary)
    mask = net()(oid, binary)
    assert mask is not None
    after, rule = mask.apply(value)
    assert rule == "net"
    expected = case[-1] if binary else case[1]
    if expected is None:
        assert after is None
        return
    assert after is not None
    if sql and sql.endswith(("mood", "pair", "pair]")):
        assert (
            after.decode() == expected
        )  # the enum has no such label, and a number column no block: readable, not storable
        return
    assert as_server_reads(server, after, oid, binary).rstrip() == expected.rstrip()


CLEAN = [
    "'ordinary'::text", "''::text", "'jörg ✓'::text", "'{}'::text[]", "ARRAY['a\"b\\c', '', 'NULL', NULL, ' x ']", "'{\"a\": [1, 2.5e3, \"x\\\\y\", null, true]}'::json",
    "'{\"a\": {}}'::jsonb", "1::int8", "'-9223372036854775808'::int8", "'NaN'::numeric", "'Infinity'::numeric", "0::numeric", "1e300::numeric", "0.00001234::numeric",
    "'NaN'::float8", "'-Infinity'::float8", "1e300::float8", "0.1::float8", "'\\x0001ff'::bytea", "''::bytea", "(1, 'a \"b\" \\c')::pair", "(NULL, NULL)::pair",
    "ROW(1, 'x', NULL)", "ROW(ARRAY[1,2], ROW('y'))", "'empty'::int8range", "'(,)'::numrange", "'{}'::int8multirange", "'{[1,2),[5,6)}'::int8multirange", "'a=>b,c=>NULL'::hstore",
    "'good'::mood", "'Text'::citext", "'[0:1]={1,2}'::int8[]", "ARRAY[[1,2],[3,4]]::int8[]", "''::tsvector", "'a:1 b:2'::tsvector", "'a & b'::tsquery", "'$.a'::jsonpath",
    "ARRAY['x']::char[]", "xmlparse(content 'x')", "ARRAY[1.5, NULL]::numeric[]", "'x'::refcursor", "'postgres=r/postgres'::aclitem", "ARRAY['{\"a\":1}']::json[]",
]  # fmt: skip


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("sql", CLEAN)
def test_clean_values_pass_as_they_are(server: psycopg.Connection, sql: str, binary: bool):
    result = server.pgconn.exec_params(f"SELECT {sql}".encode(), [], result_format=pq.Format(binary))
    if result.status != pq.ExecStatus.TUPLES_OK:
        assert binary
        assert b"no binary output function" in result.error_message
        return
    value, oid = result.get_value(0, 0), result.ftype(0)
    assert value is not None
    mask = net()(oid, binary)
    if mask is None:
        return
    assert mask.apply(value) == (value, "")
    ungated = type(mask)(mask.treatment, oid, binary, False, None)  # also when the quick look did not spare it
    assert ungated.apply(value)[0] is value


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_records_are_read_by_field(server: psycopg.Connection, binary: bool):
    value, oid = fetch(server, "SELECT ROW(1, 'bob@acme.io', ARRAY['a@b.io'], 'x \"y\"')", binary)
    assert oid == pg_types.RECORD
    mask = net()(oid, binary)
    assert mask is not None
    after, _ = mask.apply(value)
    assert after is not None
    if not binary:
        assert after.decode() == '(1,"████","{████}","x ""y""")'
        return
    seen: list[tuple[int, bytes]] = []
    pg_binary.record(after, lambda element, body: seen.append((element, body)) or body)
    assert [body for element, body in seen if element == pg_types.UNKNOWN] == [BLOCKS.encode(), b'x "y"']
    assert as_server_reads(server, seen[2][1], 1009, binary=True) == "{████}"


FORCED_CASES = [
    ("'secret'::text", BLOCKS), ("''::text", BLOCKS), ("'x'::varchar", BLOCKS), ("'x'::char(3)", BLOCKS), ("'x'::name", BLOCKS), ("'x'::mail", BLOCKS),
    ("'{\"a\": 1}'::json", '"████"'), ("'{\"a\": 1}'::jsonb", '"████"'), ("ARRAY['a', NULL, 'b']", "{████,NULL,████}"), ("'[5:5]={a}'::text[]", "[5:5]={████}"),
    ("'{}'::text[]", "{}"), ("ARRAY['1', '2']::jsonb[]", '{"\\"████\\"","\\"████\\""}'), ("1", None), ("1::int2", None), ("1::int8", None), ("1.5", None), ("1.5::float4", None),
    ("1.5::float8", None), ("true", None), ("now()", None), ("current_date", None), ("gen_random_uuid()", None), ("'x'::bytea", None), ("'10.0.0.1'::inet", None),
    ("'good'::mood", None), ("'x'::citext", None), ("'a=>b'::hstore", None), ("(1, 'x')::pair", None), ("ROW(1, 'x')", None), ("ARRAY[1, 2]", None), ("int8range(1, 2)", None),
    ("'1 day'::interval", None), ("'x'::tsvector", None), ("1::money", None), ("point(1, 2)", None), ("'x'::\"char\"", None), ("ARRAY[ROW(1)]", None),
]  # fmt: skip


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(("sql", "expected"), FORCED_CASES)
@pytest.mark.parametrize("action", [MaskAction.REDACT, MaskAction.NULL])
def test_protected_columns_stay_of_their_type(
    server: psycopg.Connection, sql: str, expected: str | None, binary: bool, action: MaskAction
):
    value, oid = fetch(server, f"SELECT {sql}", binary)
    after, rule = forced(action, oid, binary).apply(value)
    assert rule == "pii"
    if expected is None or action is MaskAction.NULL:
        assert after is None
        return
    assert after is not None
    assert as_server_reads(server, after, oid, binary) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "'sécret 12345678'::text",
        "'a@b.io'::varchar",
        "ARRAY['x', 'a@b.io']",
        "'{\"a\": 1}'::jsonb",
        "'[1]'::json",
        "ARRAY['1']::json[]",
    ],
)
@pytest.mark.parametrize("action", [MaskAction.PARTIAL, MaskAction.HASH])
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_partial_and_hash_stay_of_their_type(server: psycopg.Connection, sql: str, action: MaskAction, binary: bool):
    value, oid = fetch(server, f"SELECT {sql}", binary)
    after, _ = forced(action, oid, binary).apply(value)
    assert after is not None
    assert after != value
    as_server_reads(server, after, oid, binary)


def test_psycopg_reads_what_is_left(server: psycopg.Connection):
    """Masked values go through the loaders that clients use, by type."""
    for sql, expected in [
        ("ARRAY['x', 'bob@acme.io', NULL]", ["x", BLOCKS, None]),
        ("ARRAY[1, 4242424242424242]::int8[]", [1, None]),
        ('\'{"a": "bob@acme.io", "n": 4242424242424242}\'::jsonb', {"a": BLOCKS, "n": None}),
        ('\'{"a": "bob@acme.io"}\'::json', {"a": BLOCKS}),
    ]:
        for form in (pq.Format.TEXT, pq.Format.BINARY):
            value, oid = fetch(server, f"SELECT {sql}", bool(form))
            mask = net()(oid, bool(form))
            assert mask is not None
            after, _ = mask.apply(value)
            assert after is not None
            loader = psycopg.adapt.Transformer(server).get_loader(oid, form)
            assert loader.load(after) == expected


def test_rendering_is_as_postgres_shows_it(server: psycopg.Connection):
    for sql in ["1::int2", "12.50::numeric", "1e20::numeric", "-0.00012::numeric", "true", "'2026-11-22'::date", "'2026-11-22 10:11:12.5'::timestamp", "'{1,2}'::int4[]", "'x'::text", "gen_random_uuid()", "'10:11:12'::time"]:  # fmt: skip
        value, oid = fetch(server, f"SELECT x FROM (SELECT {sql} AS x) t", binary=True)
        if sql.startswith("gen"):
            assert len(transcript.render(value, oid, True)) == 36
            continue
        text, _ = fetch(server, f"SELECT {sql}", binary=False)
        shown = transcript.render(value, oid, binary=True)
        assert shown == text.decode()
