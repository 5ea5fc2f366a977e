"""Understanding statements: names, scopes, batches, COPY shapes, prepared statements, bounds and totality."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hooptui.core.model import SqlFacts
from hooptui.core.vocabulary import COMMANDS, NEUTRAL
from hooptui.protocols.postgres import facts as room
from hooptui.protocols.postgres.facts import CopyShape, understand, with_prepared


def reads(sql: str) -> set[str]:
    facts = understand(sql).facts
    assert facts.understood, facts.unknown
    return set(facts.reads)


def copied(sql: str) -> CopyShape:
    shape = understand(sql).statements[0].copy
    assert shape is not None
    return shape


@pytest.mark.parametrize(
    ("sql", "relations"),
    [
        ("SELECT * FROM Orders", {"orders"}),
        ('SELECT * FROM "Orders"', {"Orders"}),
        ("SELECT * FROM Public.Orders o JOIN s.items i ON i.o = o.id", {"public.orders", "s.items"}),
        ("SELECT * FROM db.public.t", {"public.t"}),
        ('SELECT * FROM "a.b"', {'"a.b"'}),
        ('SELECT * FROM a."b.c"', {'a."b.c"'}),
        ('SELECT * FROM "x""y"', {'"x""y"'}),
        ("SELECT * FROM ONLY t, u *", {"t", "u"}),
        ("SELECT o.id FROM t AS o, (SELECT * FROM u) AS p", {"t", "u"}),
        ("WITH t AS (SELECT 1) SELECT * FROM t", set()),
        ("WITH t AS (SELECT * FROM t) SELECT * FROM t", {"t"}),
        ("WITH RECURSIVE t AS (SELECT * FROM t) SELECT * FROM t", set()),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b", {"b"}),
        ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", set()),
        ("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b", set()),
        ("WITH t AS (SELECT 1) SELECT * FROM public.t", {"public.t"}),
        ("SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) x, t", {"t"}),
        (
            "WITH t AS (SELECT 1) SELECT (SELECT count(*) FROM t), (WITH u AS (SELECT * FROM v) SELECT 1 FROM u, t)",
            {"v"},
        ),
        ("WITH t AS (SELECT 1) (SELECT * FROM t UNION SELECT * FROM u) ORDER BY (SELECT 1 FROM t)", {"u"}),
        ("SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x IN (SELECT x FROM c))", {"a", "b", "c"}),
        ("SELECT 1 FROM a ORDER BY (SELECT x FROM b) LIMIT (SELECT y FROM c)", {"a", "b", "c"}),
        ("SELECT * FROM a TABLESAMPLE system (1)", {"a"}),
        ("SELECT json_array(SELECT x FROM a)", {"a"}),
        ("WITH t AS (SELECT 1 AS id) DELETE FROM t WHERE id IN (SELECT id FROM t)", {"t"}),
        ("INSERT INTO t SELECT * FROM u", {"u"}),
        ("INSERT INTO t VALUES (1) RETURNING *", {"t"}),
        ("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND EXISTS (SELECT 1 FROM v) THEN DELETE", {"t", "s", "v"}),
        ("COPY (SELECT * FROM a) TO STDOUT", {"a"}),
    ],
)
def test_relations_read(sql: str, relations: set[str]) -> None:
    assert reads(sql) == relations


def test_a_modified_relation_is_never_a_with_name() -> None:
    facts = understand("WITH t AS (SELECT 1) UPDATE t SET a = 1 WHERE id = 1").facts
    assert facts.writes == {"t"}


def test_functions_are_named() -> None:
    facts = understand('SELECT a.F(1), "G"(2), count(*), pg_catalog.now() FROM h(3)').facts
    assert facts.functions == {"a.f", "G", "count", "pg_catalog.now", "h"}
    assert "call" in facts.commands


# --- batches


def test_a_batch_is_the_union_of_its_parts() -> None:
    understood = understand("BEGIN; DELETE /* é */ FROM a;SELECT 'ü;' FROM b ; COMMIT")
    assert [s.verb for s in understood.statements] == ["begin", "delete", "select", "commit"]
    assert understood.verb == "delete"
    assert understood.facts == SqlFacts(
        frozenset({"delete", "select"}), frozenset({"begin", "commit"}), frozenset({"a", "b"}), frozenset({"a"}),
        missing_where=True, statements=4,
    )  # fmt: skip


def test_one_part_that_is_not_understood_makes_the_batch_unknown() -> None:
    facts = understand("SELECT 1; EXECUTE nobody").facts
    assert not facts.understood
    assert "unknown" in facts.commands


def test_the_text_of_what_is_prepared_is_kept_as_sent_and_no_other() -> None:
    for number in range(3):
        sql = f" /* c */ PREPARE p AS SELECT {number} ; "
        assert understand(sql).statements[0].text == sql
    batch = understand("SELECT 'é'; PREPARE p /* é */ AS DELETE FROM a WHERE b = 'ü;' ; PREPARE q AS SELECT 1")
    assert [s.text for s in batch.statements] == [
        "",
        "PREPARE p /* é */ AS DELETE FROM a WHERE b = 'ü;'",
        "PREPARE q AS SELECT 1",
    ]


@pytest.mark.parametrize("sql", ["", ";", " ;; ", "-- x", "/* x */ ;"])
def test_nothing_is_empty(sql: str) -> None:
    understood = understand(sql)
    assert understood.statements == ()
    assert understood.verb == "empty"
    assert understood.facts == SqlFacts(frozenset(), frozenset({"empty"}), statements=0)


# --- prepared statements, settings, DISCARD

DELETES = SqlFacts(frozenset({"delete"}), writes=frozenset({"t"}), reads=frozenset({"t"}), missing_where=True)


def test_prepare_does_nothing_yet() -> None:
    understood = understand("PREPARE p(int) AS DELETE FROM t")
    (statement,) = understood.statements
    assert (statement.prepares, statement.body) == ("p", DELETES)
    assert statement.facts == SqlFacts(frozenset(), frozenset({"prepare"}))


def test_execute_is_unknown_until_resolved() -> None:
    understood = understand("EXECUTE p")
    assert not understood.facts.understood
    assert not with_prepared(understood, {}).understood
    assert not with_prepared(understood, {"P": DELETES}).understood
    resolved = with_prepared(understood, {"p": DELETES})
    assert resolved.understood
    assert (resolved.commands, resolved.writes, resolved.missing_where) == ({"delete"}, {"t"}, True)
    assert resolved.neutral == {"execute"}


def test_execute_keeps_what_its_arguments_do() -> None:
    resolved = with_prepared(understand("EXECUTE p((SELECT evil(a) FROM secret))"), {"p": DELETES})
    assert resolved.commands == {"call", "select", "delete"}
    assert "secret" in resolved.reads


def test_explain_of_execute_runs_nothing_but_stays_unknown_when_it_is() -> None:
    understood = understand("EXPLAIN EXECUTE p")
    assert not with_prepared(understood, {}).understood
    resolved = with_prepared(understood, {"p": DELETES})
    assert (resolved.commands, resolved.writes, resolved.missing_where) == ({"explain"}, set(), False)
    calls = SqlFacts(frozenset({"call", "select"}), functions=frozenset({"evil"}))
    assert "call" in with_prepared(understood, {"p": calls}).commands
    nobody = SqlFacts(frozenset({"unknown"}), unknown="x")
    assert not with_prepared(understood, {"p": nobody}).understood


@pytest.mark.parametrize("forget", ["DEALLOCATE p", "DEALLOCATE ALL", "DISCARD ALL", "DEALLOCATE PREPARE p"])
def test_what_a_batch_forgets_it_cannot_execute(forget: str) -> None:
    understood = understand(f"{forget}; EXECUTE p")
    assert not with_prepared(understood, {"p": DELETES}).understood


def test_resolving_leaves_the_session_s_names_alone() -> None:
    names = {"p": DELETES}
    with_prepared(understand("PREPARE q AS SELECT 1; DEALLOCATE p; EXECUTE q"), names)
    assert names == {"p": DELETES}


def test_what_a_statement_does_to_the_session() -> None:
    batch = understand(
        'SET "TimeZone" = UTC; RESET ALL; DISCARD ALL; DISCARD PLANS; DEALLOCATE ALL; DEALLOCATE "X"; BEGIN READ ONLY'
    )
    assert [s.sets for s in batch.statements] == [("timezone",), ("all",), (), (), (), (), ("transaction_read_only",)]
    assert [s.discards for s in batch.statements] == [False, False, True, False, False, False, False]
    assert [s.deallocates for s in batch.statements] == [None, None, None, None, "", "X", None]


# --- COPY


def test_copy_of_a_table() -> None:
    shape = copied('COPY s."T""x" (a, "B") TO STDOUT')
    assert (shape.direction, shape.relation, shape.columns) == ("to", ("s", 'T"x'), ("a", "B"))
    assert shape.select == 'SELECT "a", "B" FROM "s"."T""x"'
    assert (shape.format, shape.delimiter, shape.null, shape.quote, shape.escape, shape.header) == (
        "text",
        "\t",
        "\\N",
        "",
        "",
        False,
    )
    assert (shape.program, shape.file, shape.query, shape.encoding) == (False, False, "", "")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a, ')' FROM t",
        "SELECT (1), $$)$$ -- )\n",
        "SELECT 'é)', \"ü(\" /* ( */ FROM t WHERE a IN (1, (2))",
        "DELETE FROM t RETURNING a",
        "WITH x AS (SELECT 1) TABLE x",
        "VALUES (1), (2)",
        "(SELECT 1)",
    ],
)
@pytest.mark.parametrize(
    "form", ["COPY ({}) TO STDOUT", "/* ( */ copy({})to stdout with (format csv)", "SELECT '('; COPY ({}) TO STDOUT"]
)
def test_copy_of_a_query_keeps_its_text(query: str, form: str) -> None:
    shape = understand(form.format(query)).statements[-1].copy
    assert shape is not None
    assert shape.query == shape.select == query
    assert shape.relation is None


def test_copy_options() -> None:
    shape = copied(
        "COPY t FROM STDIN WITH (FORMAT csv, HEADER match, DELIMITER ';', NULL 'x', QUOTE '|', ENCODING 'LATIN1')"
    )
    assert (shape.direction, shape.format, shape.delimiter, shape.null, shape.quote, shape.escape) == (
        "from",
        "csv",
        ";",
        "x",
        "|",
        "|",
    )
    assert (shape.header, shape.encoding) == (True, "LATIN1")
    old = copied("COPY t TO STDOUT CSV HEADER ESCAPE 'e'")
    assert (old.format, old.header, old.delimiter, old.null, old.quote, old.escape) == ("csv", True, ",", "", '"', "e")
    assert copied("COPY t TO STDOUT (HEADER false)").header is False
    assert copied("COPY t TO STDOUT BINARY").format == "binary"


def test_copy_to_elsewhere() -> None:
    assert copied("COPY t TO PROGRAM 'x'").program
    assert not copied("COPY t TO PROGRAM 'x'").file
    assert copied("COPY t TO '/x'").file


@pytest.mark.parametrize("options", ["FORMAT json", "FORMAT csv, FORMAT text", "NEWS 1", "DELIMITER 1.5"])
def test_copy_with_strange_options_is_unknown(options: str) -> None:
    assert not understand(f"COPY t TO STDOUT ({options})").facts.understood


# --- what is not understood


@pytest.mark.parametrize(
    "sql",
    ["SELEC 1", "SELECT (", "SELECT 'a", "SELECT 1 /*", "\x00", "SELECT 1\x00", "\ud800", "x" * 100, "SELECT a b c"],
)
def test_what_does_not_parse_is_unknown(sql: str) -> None:
    understood = understand(sql)
    assert understood.facts.commands == {"unknown"}
    assert understood.facts.unknown
    assert understood.verb == "unknown"
    assert sql[:20] not in understood.facts.unknown or len(sql) < 5


def _nested_assignments(depth: int) -> str:
    sql = "select 1"
    for _ in range(depth):
        sql = f"with y as (update t set (a, a) /* = */ -- =\n = row(1, ({sql}))) select 1"
    return sql


BOMBS = {
    "brackets": "SELECT " + "(" * 100_000 + "1" + ")" * 100_000,
    "sums": "SELECT " + "1+" * 100_000 + "1",
    "small sums": "SELECT " + "1+" * 1900 + "1",
    "nots": "SELECT " + "NOT " * 100_000 + "true",
    "unions": "SELECT 1" + " UNION SELECT 1" * 60_000,
    "casts": "SELECT 1" + "::int" * 100_000,
    "subqueries": "SELECT " + "(SELECT " * 400 + "1" + ")" * 400,
    "cases": "SELECT " + "CASE WHEN a THEN " * 1000 + "1" + " END" * 1000,
    "conditions": "DELETE FROM t WHERE " + "(a = 1 OR (b = 2 AND " * 300 + "a = 1" + "))" * 300,
    "nested assignments": _nested_assignments(40),
    "wide assignments": f"UPDATE t SET ({','.join('a' * 3000)}) = (SELECT {','.join('1' * 3000)})",
    "small wide assignments": f"UPDATE t SET ({','.join('a' * 300)}) = (SELECT {','.join('1' * 300)})",
    "open comments": "/*" * 300_000,
    "operators": "SELECT 1 " + "+" * 100_000 + " 1",
    "many statements": "SELECT 1;" * 100_000,
    "many values": "INSERT INTO t VALUES " + ",".join(["(1,2,3)"] * 130_000),
    "too long": "SELECT '" + "a" * (1 << 20) + "'",
    "too long in bytes": "SELECT '" + "€" * (1 << 19) + "'",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_unknown_and_costs_little(name: str) -> None:
    started = time.process_time()
    facts = understand(BOMBS[name]).facts
    assert not facts.understood
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t WHERE a IN (" + ",".join(map(str, range(5000))) + ")",
        "INSERT INTO t VALUES " + ",".join(["(1,'a',2.5,NULL)"] * 5000),
        "SELECT 1 FROM a" + " UNION ALL SELECT 1 FROM a" * 200,
        "SELECT a" + " || 'x'" * 150 + " FROM t",
        "SELECT '" + "-" * 5000 + "' -- " + "=" * 2000,
        "UPDATE t SET (a, b, c) = (SELECT 1, 2, 3) WHERE id = 1",
        "/* " + "*" * 5000 + " */ SELECT 1",
    ],
)
def test_large_but_honest_texts_are_understood(sql: str) -> None:
    assert understand(sql).facts.understood


def test_a_fault_inside_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(node: object, text: str) -> None:
        raise KeyError("no such thing as secret")

    monkeypatch.setattr(room, "read_statement", broken)
    facts = understand("SELECT fault FROM a_text_that_no_other_test_reads").facts
    assert "KeyError" in facts.unknown
    assert "secret" not in facts.unknown


def test_a_node_that_is_not_in_the_table_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    from hooptui.protocols.postgres import facts_nodes

    monkeypatch.delitem(facts_nodes.FIELDS, "CoalesceExpr")
    assert not understand("SELECT coalesce(node_missing, 1)").facts.understood
    monkeypatch.delitem(facts_nodes.FIELDS["SelectStmt"], "havingClause")
    assert not understand("SELECT field_missing FROM t HAVING true").facts.understood


WORDS = """
SELECT FROM WHERE DELETE UPDATE SET t a b = ( ) , ; 1 'x' $1 AND OR NOT NULL true WITH AS INSERT INTO VALUES x. * " ' /* */ -- $$
EXPLAIN ANALYZE COPY TO STDOUT PREPARE EXECUTE MERGE USING ON WHEN MATCHED THEN :: E'\\' U&'\\00' [ ] LIKE IN ANY CREATE DROP TABLE
"""


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS.split()), max_size=40).map(" ".join)))
@example("SELECT 1 \U0001f600; SELECT '\U0001f600'")
def test_any_text_has_an_answer(sql: str) -> None:
    understood = understand(sql)
    facts = with_prepared(understood, {})
    assert facts.commands <= COMMANDS
    assert facts.neutral <= NEUTRAL
    assert facts.understood is ("unknown" not in facts.commands)
    assert facts.commands or facts.neutral
    assert (
        "could not be read" not in facts.unknown
        or "\ud800" <= max(sql, default="") <= "\udfff"
        or any("\ud800" <= c <= "\udfff" for c in sql)
    )
