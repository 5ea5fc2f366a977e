"""What is remembered: the same answer as without a memory, whatever was asked before, and never more than the bound."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast import parser

from hooptui.protocols.postgres import facts as room
from hooptui.protocols.postgres.facts import Understood, understand


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_by_text", room._Cache[Understood](room.CACHED))
    monkeypatch.setattr(room, "_by_shape", room._Cache[Understood](room.CACHED))
    monkeypatch.setattr(room, "_by_digits", room._Cache[Understood](room.CACHED))


class Count:
    """Counts how often the text is really parsed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parses = 0
        parse = parser.parse_sql_json

        def counted(sql: str) -> str:
            self.parses += 1
            return str(parse(sql))

        monkeypatch.setattr(room.parser, "parse_sql_json", counted)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    return Count(monkeypatch)


def test_the_same_text_is_parsed_once(count: Count) -> None:
    assert understand("SET ROLE a") is understand("SET ROLE a")
    assert count.parses == 1


@pytest.mark.parametrize(
    "form",
    [
        "SELECT abalance FROM pgbench_accounts WHERE aid = {};",
        "UPDATE pgbench_accounts SET abalance = abalance + {} WHERE aid = {};",
        "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ({}, {}, {}, -{}, CURRENT_TIMESTAMP);",
        "DELETE FROM t WHERE id = {} AND name = 'x{}'",
        "SELECT * FROM t WHERE a IN ({}, {}) LIMIT {}",
    ],
)
def test_other_constants_need_no_parse(form: str, count: Count) -> None:
    for number in range(50):
        sql = form.format(*[number] * 4)
        understood = understand(sql)
        assert understood.facts.understood
        assert not understood.facts.missing_where
    assert count.parses == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("SELECT set_config('timezone', 'UTC', false)", "SELECT set_config('role', 'UTC', false)"),
        ("DELETE FROM t WHERE name LIKE 'a'", "DELETE FROM t WHERE name LIKE '%'"),
        ("DELETE FROM t WHERE a = 1 OR a <> 2", "DELETE FROM t WHERE a = 1 OR a <> 1"),
        ("SET statement_timeout = 1", "SET statement_timeout = 2"),
        ("SET standard_conforming_strings = on", "SET standard_conforming_strings = off"),
        ("EXPLAIN (ANALYZE 0) DELETE FROM t", "EXPLAIN (ANALYZE 1) DELETE FROM t"),
        ("COPY t TO '/a'", "COPY t TO '/b'"),
        ("SELECT 1; SELECT 2", "SELECT 3; SELECT 4"),
        ("DO 'a'", "DO 'b'"),
        ("UPDATE t SET (a, b) = (1, 2) WHERE id = 1", "UPDATE t SET (a, b) = (3, 4) WHERE id = 1"),
    ],
)
def test_where_a_constant_may_matter_each_text_is_parsed(first: str, second: str, count: Count) -> None:
    understand(first)
    understand(second)
    assert count.parses == 2


def test_the_memory_is_bounded() -> None:
    cache = room._Cache[int](10)
    for number in range(1000):
        cache.put(str(number), number)
        cache.get("0")
    assert len(cache._young) + len(cache._old) <= 20
    assert cache.get("999") == 999
    assert cache.get("0") == 0, "what is asked for again and again stays"
    assert cache.get("500") is None


def test_long_texts_are_not_remembered(count: Count) -> None:
    long = "SELECT '" + "x" * room.CACHED_TEXT + "'"
    understand(long)
    understand(long)
    assert count.parses == 2


CONSTANTS = (
    "1", "-1", "1.5e3", "'x'", "''", "'%'", "'role'", "'it''s'", r"E'\'; DROP TABLE t; --'", "$$a'b$$", "$q$ $$ $q$", "NULL", "true", "false", "$1", "$2",
    "'a'::text", "DATE '2020-01-01'", "INTERVAL '1' DAY", r"U&'\0061'", "B'1'", "X'1F'", "N'x'", "/* 'c' */ 5", "'a'\n'b'", "9223372036854775808", "1_000", "0x1F",
    "CAST('1' AS int)", "ARRAY[1, 2]",
)  # fmt: skip
FORMS = tuple(
    line.strip()
    for line in """
SELECT a FROM t WHERE b = {} AND c IN ({}, {}) ORDER BY {} LIMIT {}
SELECT {}, "a {}", f({}), lower({}) FROM "t$1" -- {}
SELECT set_config({}, {}, {})
SELECT ({}).f, x.g FROM unnest({}) x
INSERT INTO t VALUES ({}, {}), ({}, {}) ON CONFLICT DO NOTHING
UPDATE t SET a = {}, b = {} WHERE id = {} OR a LIKE {}
UPDATE t SET a = {} WHERE id - {} = id - {}
UPDATE t SET a = {} WHERE {}
DELETE FROM t WHERE a = {} OR a <> {}
DELETE FROM t WHERE (a + {}) - (a + {}) = {} AND b BETWEEN {} AND {}
DELETE FROM t WHERE a SIMILAR TO {} OR b IS NULL AND NOT c = {}
WITH x AS (DELETE FROM t WHERE a > {} RETURNING {}) SELECT * FROM x, u WHERE {} = {}
MERGE INTO t USING s ON t.id = {} WHEN MATCHED AND {} THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES ({})
EXPLAIN (ANALYZE {}) DELETE FROM t WHERE a = {}
SET timezone = {}
SELECT {}; DELETE FROM t WHERE a = {}
SELECT set_config(name, {}, false) FROM pg_settings WHERE name = {}
SELECT 1 /* {} */ WHERE {} = ANY ({})
""".strip().splitlines()
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    form = draw(st.sampled_from(FORMS))
    holes = form.count("{}")
    constants = st.lists(st.sampled_from(CONSTANTS), min_size=holes, max_size=holes)
    return form.format(*draw(constants)), form.format(*draw(constants))


def _fresh(sql: str) -> Understood:
    room._by_text = room._Cache(room.CACHED)
    room._by_shape = room._Cache(room.CACHED)
    room._by_digits = room._Cache(room.CACHED)
    return understand(sql)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(pairs())
def test_what_was_asked_before_changes_no_answer(pair: tuple[str, str]) -> None:
    first, second = pair
    expected = _fresh(second)
    _fresh(first)
    understood = understand(second)
    assert understood == expected
    assert all(statement.text in second for statement in understood.statements)


DIGITS = st.integers(0, 10**10).map(str) | st.sampled_from(
    ["0", "00", "007", "1_0", "0x1F", "1.5", "5e3", "-1", "2147483647", "2147483648"]
)
SHAPES = tuple(
    line.strip()
    for line in """
SELECT a FROM t WHERE b = {} AND c IN ({}, {}) ORDER BY {} LIMIT {}
SELECT a{} FROM t{} WHERE b = {}
SELECT {}, f({}), {} FROM t -- {}
SELECT {} /* {} */, '{}', "c{}" FROM t WHERE x <{} AND y>{};
DELETE FROM t WHERE a = {} OR a <> {}
UPDATE t SET a = {} WHERE ({} , {}) = ({},{})
SELECT a::numeric({},{}), b::float({}), INTERVAL '1' SECOND({}) FROM t
SELECT a FROM t FETCH FIRST {} ROWS ONLY
SELECT $1, {} FROM t TABLESAMPLE system ({})
INSERT INTO t{} VALUES ({}, {})
SET x = {}; SELECT {}
DELETE FROM t WHERE {} = {}
SELECT set_config('a', {}, {})
PREPARE p AS SELECT {}
""".strip().splitlines()
)


@st.composite
def same_lengths(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts that differ in nothing but some of their digits."""
    shape = draw(st.sampled_from(SHAPES))
    first = shape.format(*draw(st.lists(DIGITS, min_size=8, max_size=8)))
    digit = st.sampled_from("0123456789")
    second = "".join(draw(digit) if char.isdigit() and draw(st.booleans()) else char for char in first)
    return first, second


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(same_lengths())
def test_a_memory_by_digits_changes_no_answer(pair: tuple[str, str]) -> None:
    first, second = pair
    expected = _fresh(second)
    _fresh(first)
    assert understand(second) == expected


def test_other_numbers_of_the_same_length_need_no_normalising(monkeypatch: pytest.MonkeyPatch) -> None:
    understand("SELECT abalance FROM pgbench_accounts WHERE aid = 12345;")
    monkeypatch.setattr(room.parser, "normalize", lambda sql: 1 / 0)
    understood = understand("SELECT abalance FROM pgbench_accounts WHERE aid = 54321;")
    assert understood.facts.reads == {"pgbench_accounts"}


def test_no_two_texts_of_the_tools_share_a_memory_wrongly() -> None:
    texts = Path(__file__).with_name("tools.sql").read_text("utf-8").replace("\n=== ", "\n---\n").split("\n---\n")
    warm = [understand(text) for text in texts]
    assert [_fresh(text) for text in texts] == warm
