"""Texts that only look destructive, and what well-known programs send by themselves: nothing but looking may show."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooptui.core.model import SqlFacts
from hooptui.core.vocabulary import NEUTRAL
from hooptui.protocols.postgres.facts import understand, with_prepared

LOOKING = frozenset({"select", "show", "explain", "copy_to"})

# One text a line; ¶ is a line break.
LOOKALIKES = r"""
SELECT 'DROP TABLE t'
SELECT 'DELETE FROM t;' AS "DROP TABLE t"
SELECT "DROP TABLE t" FROM logs
SELECT $$DROP TABLE t; DELETE FROM t$$
SELECT $x$ $$; DROP TABLE t; $$ $x$
SELECT E'\'; DROP TABLE t; --'
SELECT E'it''s \\'
SELECT 'a\'
SELECT U&'\0044ROP TABLE t'
SELECT 'a' -- DROP TABLE t
SELECT 'a' /* ; DROP TABLE t; */
SELECT /* /* DROP */ TABLE */ 1
--DROP TABLE t¶SELECT 1
SELECT 'it''s; DROP TABLE t'
SELECT 'a'¶'; DROP TABLE t'
SELECT drop_count, delete_flag, "update", truncated_at FROM drops
SELECT * FROM "delete"
SELECT * FROM "drop table"
SELECT "delete"."drop" FROM s."delete"
SELECT update_at FROM updates WHERE action = 'DELETE'
SELECT count(*) FROM audit WHERE query LIKE '%DROP TABLE%'
SELECT * FROM pg_stat_activity WHERE query ~* 'drop|delete|truncate'
SELECT a AS insert, b AS update, c AS delete FROM t
SELECT a "drop" FROM t
SELECT replace(note, 'DELETE', 'x') FROM t
SELECT position('DROP' IN note) FROM t
SELECT '; COMMIT; DROP TABLE t' || name FROM t
SELECT B'1', X'DEAD', N'DROP'
SELECT '{"cmd": "DROP TABLE t"}'::jsonb -> 'cmd'
SELECT jsonb_path_query(d, '$.drop ? (@.delete == 1)') FROM docs
SELECT * FROM xmltable('/drop' PASSING '<drop/>' COLUMNS delete text) x
SELECT string_agg(cmd, ';') FROM (VALUES ('DROP TABLE t'), ('DELETE FROM t')) v(cmd)
SELECT * FROM t WHERE note = 'x''; DROP TABLE t; --'
SELECT lower('TRUNCATE'), upper('drop'), substring('delete' FROM 1 FOR 3), trim(both ' ' from 'x'), overlay('a' placing 'b' from 1)
SELECT extract(year FROM now()), now() AT TIME ZONE 'UTC', current_date, current_timestamp(0), localtime, current_user, current_schema
SELECT count(*) FILTER (WHERE a > 1) OVER w FROM t WINDOW w AS (PARTITION BY b ORDER BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
SELECT coalesce(a, 0), nullif(a, 0), greatest(a, b), CASE WHEN a THEN 1 ELSE 2 END FROM t
SELECT * FROM generate_series(1, 10) g(n) WHERE g.n > 3
SELECT g.n, x.key, x.value, o.ordinality FROM generate_series(1, 2) g(n), json_each('{}') x, unnest(ARRAY[1]) WITH ORDINALITY o
SELECT unnest.unnest FROM unnest(ARRAY[1])
SELECT x.a FROM json_to_record('{}') AS x(a int)
SELECT * FROM a LEFT JOIN b USING (id) CROSS JOIN LATERAL (SELECT * FROM c WHERE c.id = a.id LIMIT 1) d
SELECT DISTINCT ON (a) a, b FROM t GROUP BY GROUPING SETS ((a), (b), ROLLUP (a, b)) HAVING count(*) > 1 ORDER BY 1 DESC NULLS LAST OFFSET 5 FETCH FIRST 3 ROWS WITH TIES
SELECT a::text, CAST(a AS s.mytype), a COLLATE "C", a IS DISTINCT FROM b, a[1:2], (a).*, ROW(1, 2) FROM t
SELECT a OPERATOR(pg_catalog.+) b FROM t ORDER BY a USING <
SELECT regclass('t'), 't'::regclass, date('2020-01-01'), int4(a) FROM t
SELECT * FROM t TABLESAMPLE system (10) REPEATABLE (1)
SELECT EXISTS (SELECT 1 FROM t), ARRAY(SELECT a FROM t), a = ANY (SELECT b FROM u), a IN (1, 2) FROM t
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SEARCH DEPTH FIRST BY n SET o SELECT * FROM r
WITH d AS MATERIALIZED (SELECT 1) SELECT * FROM d
TABLE t
VALUES (1, 'DROP'), (2, 'DELETE')
SELECT (current_setting('server_version_num')::int / 10000)
SELECT json_object('a' VALUE 1), json_array(1, 2), json_value('{}', '$.a'), a IS JSON, xmlelement(name drop, 'x') FROM t
SELECT array_agg(a ORDER BY b), percentile_cont(0.5) WITHIN GROUP (ORDER BY a), max(a) FROM t
SELECT gen_random_uuid(), random(), clock_timestamp(), pg_backend_pid(), version()
SELECT has_table_privilege('t', 'DELETE'), pg_table_is_visible('t'::regclass), obj_description('t'::regclass)
SELECT pg_size_pretty(pg_total_relation_size('t'))
SELECT pg_get_viewdef('v'::regclass, true), pg_get_functiondef('f'::regproc)
SHOW search_path
SHOW ALL
SHOW TRANSACTION ISOLATION LEVEL
EXPLAIN DELETE FROM t
EXPLAIN (FORMAT json) UPDATE t SET a = 1
EXPLAIN (ANALYZE false) DELETE FROM t
EXPLAIN (ANALYZE 0, COSTS off) MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE
EXPLAIN (ANALYZE off) INSERT INTO t VALUES (1)
EXPLAIN CREATE TABLE n AS SELECT 1
EXPLAIN VERBOSE SELECT * FROM t FOR UPDATE
EXPLAIN ANALYZE SELECT * FROM t
PREPARE x AS DELETE FROM t
PREPARE x AS SELECT 1; EXECUTE x
PREPARE x AS DELETE FROM t; EXPLAIN EXECUTE x
PREPARE x AS SELECT $1::int; EXECUTE x(1 + 2); DEALLOCATE ALL
DECLARE c CURSOR FOR SELECT * FROM t
FETCH ALL FROM c
MOVE 5 IN c; CLOSE c; CLOSE ALL
DISCARD ALL
RESET ALL
RESET search_path
UNLISTEN *
DEALLOCATE x
SET application_name = 'DROP TABLE t'
SET timezone TO 'UTC'
SET TIME ZONE LOCAL
SET statement_timeout = '5s'
SET LOCAL lock_timeout = 100
SET search_path TO DEFAULT
SET search_path = public
SET search_path TO "$user", public
SET search_path = pg_catalog, public
SET search_path = ''
SET NAMES 'UTF8'
SET client_encoding TO utf8
SET standard_conforming_strings = on
SET default_transaction_read_only = true
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, DEFERRABLE
SET CONSTRAINTS ALL DEFERRED
SET TRANSACTION SNAPSHOT '00000003-0000001B-1'
SET extra_float_digits = 3; SET DateStyle = 'ISO'; SET row_security = off; SET enable_seqscan = off
BEGIN; SELECT 1; COMMIT
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE
START TRANSACTION; SAVEPOINT a; RELEASE a; ROLLBACK TO a; ROLLBACK; END; ABORT
COMMIT AND CHAIN
SELECT set_config('search_path', '', false)
SELECT pg_catalog.set_config('timezone', $1, true)
SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'
LOCK TABLE t IN ACCESS SHARE MODE
COPY t TO STDOUT
COPY (SELECT 'DROP TABLE t') TO STDOUT (FORMAT csv, HEADER)
;
;;  ;
-- nothing here
/* DROP TABLE t */
""".strip().splitlines()

# The two writes and upkeep that pgbench is for, and nothing else in the file.
PGBENCH = {"update", "insert", "vacuum", "truncate"}


def _tools() -> list[tuple[str, tuple[str, ...]]]:
    text = Path(__file__).with_name("tools.sql").read_text("utf-8")
    groups = []
    for group in text.split("\n=== ")[1:]:
        name, _, body = group.partition("\n")
        groups.append((name, tuple(body.rstrip("\n").split("\n---\n"))))
    return groups


@pytest.mark.parametrize("text", LOOKALIKES, ids=lambda text: text[:60])
def test_a_look_alike_is_harmless(text: str) -> None:
    facts = with_prepared(understand(text.replace("¶", "\n")), {})
    assert facts.understood
    assert facts.commands <= LOOKING
    assert facts.commands or facts.neutral
    assert facts.neutral <= NEUTRAL
    assert not facts.writes
    assert not facts.missing_where


def test_there_are_enough_look_alikes() -> None:
    assert len(set(LOOKALIKES)) == len(LOOKALIKES) >= 110


@pytest.mark.parametrize(("tool", "texts"), _tools(), ids=[name for name, _ in _tools()])
def test_a_tool_only_looks(tool: str, texts: tuple[str, ...]) -> None:
    prepared: dict[str, SqlFacts] = {}
    harmful = []
    for text in texts:
        understood = understand(text)
        facts = with_prepared(understood, prepared)
        for statement in understood.statements:
            if statement.prepares is not None and statement.body is not None:
                prepared[statement.prepares] = statement.body
        if not facts.understood or not facts.commands <= (LOOKING | PGBENCH if tool == "pgbench" else LOOKING):
            harmful.append((sorted(facts.commands), sorted(facts.functions), facts.unknown, text[:200]))
    assert not harmful


def test_the_tools_are_all_there() -> None:
    sizes = {name: len(texts) for name, texts in _tools()}
    assert sizes.keys() == {"psql", "pg_dump", "pg_dumpall", "pgbench", "psycopg", "asyncpg", "SQLAlchemy", "JDBC"}
    assert sum(sizes.values()) > 300
