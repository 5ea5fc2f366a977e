"""Destructive things dressed up: each text must show its effects, whatever it looks like."""

from __future__ import annotations

import pytest

from hooptui.core.vocabulary import COMMANDS
from hooptui.protocols.postgres.facts import understand, with_prepared

# One case a line: text ⇒ exactly these commands ; relations written, if any ; whether a WHERE is missing.
# ¶ is a line break, ␣ a blank inside a name.
CASES = r"""
DROP TABLE t ⇒ drop ; t
drop table if exists public.t, s."T x" cascade ⇒ drop ; public.t s.T␣x
/* SELECT */ DROP TABLE t ⇒ drop ; t
SELECT 1; DROP TABLE t ⇒ drop select ; t
SELECT 1;;; -- x¶DROP TABLE t ⇒ drop select ; t
DrOp/**/TaBlE/**/t ⇒ drop ; t
--¶--¶DROP TABLE t ⇒ drop ; t
/* /* nested */ still comment */ DROP TABLE t ⇒ drop ; t
BEGIN; DELETE FROM t; COMMIT ⇒ delete ; t ; unbounded
WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x ⇒ delete select ; t ; unbounded
WITH x AS (UPDATE t SET a = 1 RETURNING a) SELECT count(*) FROM x ⇒ select update ; t ; unbounded
WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT a FROM x ⇒ insert select ; t
WITH a AS (SELECT 1), b AS (DELETE FROM s.t USING a RETURNING 1) SELECT * FROM a ⇒ delete select ; s.t ; unbounded
WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 1 FROM x), y AS (DELETE FROM t) SELECT * FROM x ⇒ delete select ; t ; unbounded
WITH t AS (DELETE FROM t RETURNING *) SELECT * FROM t ⇒ delete select ; t ; unbounded
WITH x AS (WITH y AS (DELETE FROM t RETURNING *) SELECT * FROM y) SELECT * FROM x ⇒ delete select ; t ; unbounded
INSERT INTO log WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d ⇒ delete insert select ; log t ; unbounded
WITH m AS (MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE RETURNING t.id) SELECT * FROM m ⇒ delete merge select ; t
EXPLAIN ANALYZE DELETE FROM t ⇒ delete explain ; t ; unbounded
EXPLAIN (ANALYZE) SELECT * INTO n FROM t ⇒ create explain select ; n
EXPLAIN (ANALYZE true) UPDATE t SET a = 1 ⇒ explain update ; t ; unbounded
EXPLAIN (ANALYZE ON, VERBOSE) DELETE FROM t WHERE id = 1 ⇒ delete explain ; t
EXPLAIN (ANALYZE off, ANALYZE) DELETE FROM t ⇒ delete explain ; t ; unbounded
EXPLAIN (ANALYZE, ANALYZE off) DELETE FROM t ⇒ delete explain ; t ; unbounded
EXPLAIN (ANALYZE 1) DELETE FROM t ⇒ delete explain ; t ; unbounded
EXPLAIN ANALYZE VERBOSE WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x ⇒ delete explain select ; t ; unbounded
EXPLAIN ANALYZE CREATE TABLE n AS SELECT * FROM t ⇒ create explain select ; n
EXPLAIN SELECT pg_read_file('/etc/passwd') ⇒ call explain
EXPLAIN SELECT my_immutable_function() ⇒ call explain
EXPLAIN ANALYZE SELECT lo_unlink(1) ⇒ call explain select
COPY t FROM STDIN ⇒ copy_from insert ; t
COPY t (a, b) FROM STDIN WITH (FORMAT csv) ⇒ copy_from insert ; t
COPY t TO STDOUT ⇒ copy_to select
COPY t TO PROGRAM 'cat > /tmp/x' ⇒ copy_program copy_to select
COPY t FROM PROGRAM 'curl evil' ⇒ copy_from copy_program insert ; t
COPY t TO '/tmp/x' ⇒ copy_file copy_to select
COPY t FROM '/etc/passwd' ⇒ copy_file copy_from insert ; t
COPY (SELECT 1) TO PROGRAM 'sh' ⇒ copy_program copy_to select
COPY (DELETE FROM t RETURNING *) TO STDOUT ⇒ copy_to delete ; t ; unbounded
COPY (WITH x AS (UPDATE t SET a = 1 RETURNING a) SELECT * FROM x) TO STDOUT ⇒ copy_to select update ; t ; unbounded
COPY (SELECT pg_read_file('x')) TO STDOUT ⇒ call copy_to select
COPY (SELECT * FROM secret) TO '/tmp/x' CSV HEADER ⇒ copy_file copy_to select
COPY BINARY t TO STDOUT ⇒ copy_to select
COPY (INSERT INTO t VALUES (1) RETURNING a) TO STDOUT ⇒ copy_to insert ; t
COPY (MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE RETURNING t.id) TO STDOUT ⇒ copy_to delete merge select ; t
SELECT * INTO n FROM t ⇒ create select ; n
SELECT 1 INTO TEMP n ⇒ create select ; n
SELECT a INTO UNLOGGED s.n FROM t ⇒ create select ; s.n
CREATE TABLE n AS SELECT * FROM t ⇒ create select ; n
CREATE TABLE n AS TABLE t ⇒ create select ; n
CREATE TEMP TABLE n AS WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x ⇒ create delete select ; n t ; unbounded
CREATE MATERIALIZED VIEW m AS SELECT * FROM t ⇒ create select ; m
CREATE TABLE n (LIKE t INCLUDING ALL) ⇒ create select ; n
CREATE VIEW v AS SELECT * FROM t ⇒ create select ; v
CREATE OR REPLACE VIEW v AS SELECT * FROM t ⇒ alter create select ; v
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE ⇒ delete merge select ; t
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = s.a WHEN NOT MATCHED THEN INSERT VALUES (s.id) ⇒ insert merge select update ; t
MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE ⇒ delete merge select ; t ; unbounded
MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE ⇒ delete merge select ; t ; unbounded
MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DO NOTHING ⇒ merge select ; t
MERGE INTO t USING (SELECT * FROM s) x ON t.id = x.id WHEN MATCHED AND x.a = 1 THEN DELETE ⇒ delete merge select ; t
DO $$ BEGIN DELETE FROM t; END $$ ⇒ do
DO LANGUAGE plpgsql 'begin perform 1; end' ⇒ do
CALL p() ⇒ call
CALL s.purge(1, 'x') ⇒ call
PREPARE x AS DELETE FROM t; EXECUTE x ⇒ delete ; t ; unbounded
PREPARE x(int) AS UPDATE t SET a = $1; EXECUTE x(1) ⇒ update ; t ; unbounded
PREPARE x AS SELECT 1; DEALLOCATE x; PREPARE x AS DELETE FROM t; EXECUTE x ⇒ delete ; t ; unbounded
PREPARE x AS DELETE FROM t; EXPLAIN ANALYZE EXECUTE x ⇒ delete explain ; t ; unbounded
PREPARE x AS SELECT * FROM t; CREATE TABLE n AS EXECUTE x ⇒ create select ; n
PREPARE x AS SELECT $1; EXECUTE x(pg_terminate_backend(1)) ⇒ call select
EXECUTE nobody_knows ⇒ unknown
DECLARE c CURSOR FOR SELECT pg_sleep(10) ⇒ call select
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM t FOR UPDATE ⇒ lock select
CREATE RULE r AS ON SELECT TO t DO INSTEAD DELETE FROM u ⇒ code create delete ; t u ; unbounded
CREATE OR REPLACE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; UPDATE w SET a = 1) ⇒ alter code create delete update ; t u w ; unbounded
CREATE RULE r AS ON INSERT TO t DO ALSO NOTIFY x ⇒ code create notify ; t
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION s.f() ⇒ code create ; t
CREATE EVENT TRIGGER g ON ddl_command_start EXECUTE FUNCTION f() ⇒ code create
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM t' ⇒ code create
CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'begin end' ⇒ alter code create
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC DELETE FROM t; SELECT 1; END ⇒ code create delete select ; t ; unbounded
CREATE PROCEDURE p() LANGUAGE sql AS '' ⇒ code create
CREATE FUNCTION f(a int DEFAULT lo_unlink(1)) RETURNS int RETURN a ⇒ call code create
CREATE EXTENSION dblink ⇒ code create
CREATE CAST (text AS int) WITH FUNCTION f(text) ⇒ code create
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f) ⇒ code create
CREATE AGGREGATE g(int) (SFUNC = f, STYPE = int) ⇒ code create
CREATE LANGUAGE l HANDLER h ⇒ code create
CREATE SCHEMA s CREATE TABLE t (a int) GRANT ALL ON t TO PUBLIC ⇒ create grant ; t
CREATE INDEX CONCURRENTLY i ON t (f(a)) ⇒ call create ; t
CREATE TABLE t (a int DEFAULT nextval('s')) ⇒ call create ; t
CREATE TABLE t (a int CHECK (f(a))) ⇒ call create ; t
CREATE POLICY p ON t USING (true) ⇒ create ; t
CREATE SUBSCRIPTION s CONNECTION 'host=evil' PUBLICATION p ⇒ create
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'evil') ⇒ create
CREATE USER MAPPING FOR u SERVER s OPTIONS (password 'x') ⇒ create
CREATE FOREIGN TABLE f (a int) SERVER s ⇒ create ; f
IMPORT FOREIGN SCHEMA public FROM SERVER s INTO local ⇒ create import_foreign_schema
CREATE ROLE r SUPERUSER ⇒ create role
CREATE DATABASE d ⇒ create
CREATE TABLESPACE x LOCATION '/x' ⇒ create
ALTER ROLE postgres PASSWORD 'x' ⇒ alter role
ALTER ROLE r SET search_path = evil ⇒ alter role
ALTER USER u RENAME TO w ⇒ alter role
DROP ROLE r ⇒ drop role
DROP OWNED BY r ⇒ drop revoke
REASSIGN OWNED BY a TO b ⇒ alter role
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC ⇒ grant
GRANT SELECT ON s.t TO u ⇒ grant ; s.t
GRANT admin TO u ⇒ grant role
REVOKE ALL ON t FROM u ⇒ revoke ; t
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC ⇒ alter grant
ALTER TABLE t DROP COLUMN a ⇒ alter drop ; t
ALTER TABLE t DROP CONSTRAINT c ⇒ alter drop ; t
ALTER TABLE t ADD COLUMN a int DEFAULT f() ⇒ alter call ; t
ALTER TABLE t ALTER a TYPE text USING lo_unlink(a)::text ⇒ alter call ; t
ALTER TABLE t DISABLE TRIGGER ALL ⇒ alter code ; t
ALTER TABLE t DISABLE ROW LEVEL SECURITY ⇒ alter ; t
ALTER TABLE t RENAME TO u ⇒ alter ; t
ALTER TABLE t OWNER TO u ⇒ alter ; t
ALTER TABLE t SET SCHEMA u ⇒ alter ; t
ALTER TABLE p DETACH PARTITION q ⇒ alter ; p q
ALTER TABLE IF EXISTS ONLY t DROP COLUMN IF EXISTS a CASCADE ⇒ alter drop ; t
ALTER TYPE c DROP ATTRIBUTE a ⇒ alter drop ; c
ALTER VIEW v RENAME TO w ⇒ alter ; v
ALTER FUNCTION f() SECURITY DEFINER ⇒ alter code
ALTER SYSTEM SET shared_preload_libraries = 'x' ⇒ alter_system
ALTER SYSTEM RESET ALL ⇒ alter_system
ALTER DATABASE d SET default_transaction_read_only = off ⇒ alter
ALTER EXTENSION e DROP FUNCTION f() ⇒ alter code drop
ALTER SEQUENCE s RESTART ⇒ alter ; s
ALTER EVENT TRIGGER g DISABLE ⇒ alter code
DROP FUNCTION f ⇒ code drop
DROP TRIGGER g ON s.t ⇒ code drop ; s.t
DROP POLICY p ON t ⇒ code drop ; t
DROP SCHEMA s CASCADE ⇒ drop
DROP DATABASE d ⇒ drop
DROP VIEW v; DROP INDEX CONCURRENTLY i ⇒ drop ; i v
DROP MATERIALIZED VIEW m ⇒ drop ; m
DROP SEQUENCE s ⇒ drop ; s
DROP EXTENSION e ⇒ code drop
TRUNCATE t ⇒ truncate ; t
TRUNCATE TABLE ONLY s.t, u RESTART IDENTITY CASCADE ⇒ truncate ; s.t u
LOCK TABLE t ⇒ lock ; t
LOCK t IN ROW SHARE MODE ⇒ lock ; t
VACUUM FULL t ⇒ vacuum ; t
VACUUM (ANALYZE) t ⇒ analyze vacuum ; t
ANALYZE t ⇒ analyze ; t
REINDEX TABLE t ⇒ reindex ; t
REINDEX DATABASE d ⇒ reindex
CLUSTER t USING i ⇒ cluster ; t
CHECKPOINT ⇒ checkpoint
REFRESH MATERIALIZED VIEW m ⇒ refresh ; m
COMMENT ON TABLE s.t IS 'x' ⇒ comment ; s.t
COMMENT ON COLUMN s.t.a IS 'x' ⇒ comment ; s.t
SECURITY LABEL FOR p ON TABLE t IS 'x' ⇒ security_label ; t
LISTEN c ⇒ listen
NOTIFY c, 'x' ⇒ notify
LOAD 'x.so' ⇒ load
PREPARE TRANSACTION 'x' ⇒ prepare_transaction
COMMIT PREPARED 'x' ⇒ commit_prepared
ROLLBACK PREPARED 'x' ⇒ rollback_prepared
SET ROLE postgres ⇒ set_role
SET LOCAL ROLE postgres ⇒ set_role
SET SESSION ROLE TO 'postgres' ⇒ set_role
RESET ROLE ⇒ set_role
SET ROLE NONE ⇒ set_role
SET SESSION AUTHORIZATION postgres ⇒ set_role
RESET SESSION AUTHORIZATION ⇒ set_role
SET "Role" = postgres ⇒ set_role
SET standard_conforming_strings = off ⇒ set
SET client_encoding = 'SJIS' ⇒ set
SET NAMES 'LATIN1' ⇒ set
SET search_path = evil, pg_catalog ⇒ set
SET search_path = public, pg_catalog ⇒ set
SET SCHEMA 'evil' ⇒ set
SET session_replication_role = replica ⇒ set
SET default_transaction_read_only = off ⇒ set
SET TRANSACTION READ WRITE ⇒ set
BEGIN READ WRITE ⇒ set
START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE ⇒ set
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE ⇒ set
SET app.tenant = 'admin' ⇒ set
SET log_statement = 'none' ⇒ set
SET synchronous_commit = off ⇒ set
SET local_preload_libraries = 'x' ⇒ set
SET transform_null_equals = on ⇒ set
SELECT set_config('role', 'postgres', false) ⇒ select set_role
SELECT set_config('app.user', 'admin', false) ⇒ select set
SELECT set_config('ro' || 'le', 'postgres', false) ⇒ call select
SELECT set_config('search_path', a, false) FROM t ⇒ select set
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'standard_conforming_strings' ⇒ select set
SELECT set_config(name, 'postgres', false) FROM pg_settings WHERE name = 'role' ⇒ select set_role
SELECT set_config(name, 'x', false) FROM pg_settings ⇒ call select
SELECT set_config(name, 'x', false) FROM evil.pg_settings WHERE name = 'timezone' ⇒ call select
SELECT pg_catalog.set_config('role', 'postgres', true) ⇒ select set_role
SELECT * FROM set_config('role'::text, 'postgres', true) ⇒ select set_role
SELECT evil.set_config('search_path', '', false) ⇒ call select
UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings' ⇒ set set_role update ; pg_settings
UPDATE pg_catalog.pg_settings SET setting = 'postgres' WHERE name = 'role' ⇒ set set_role update ; pg_catalog.pg_settings
SELECT x.pg_sleep FROM generate_series(1, 2) x, (SELECT x.pg_sleep FROM generate_series(1, 2) x(pg_sleep)) y ⇒ call select
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC DROP TABLE t; END ⇒ code create drop
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC COPY t TO PROGRAM 'x'; END ⇒ unknown
SELECT pg_terminate_backend(1) ⇒ call select
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_stat_activity ⇒ call select
SELECT "pg_sleep"(1) ⇒ call select
SELECT U&"\0070g_sleep"(1) ⇒ call select
SELECT evil.lower('x') ⇒ call select
SELECT unknown_function() ⇒ call select
SELECT nextval('s') ⇒ call select
SELECT setval('s', 1) ⇒ call select
SELECT lo_import('/etc/passwd') ⇒ call select
SELECT lo_unlink(1) FROM t ⇒ call select
SELECT * FROM dblink('x', 'DROP TABLE t') AS d(a int) ⇒ call select
SELECT query_to_xml('DELETE FROM t', true, false, '') ⇒ call select
SELECT database_to_xml(true, false, '') ⇒ call select
SELECT * FROM ts_stat('DELETE FROM t RETURNING a') ⇒ call select
SELECT ts_rewrite('a'::tsquery, 'SELECT evil()') ⇒ call select
SELECT pg_read_file('/etc/passwd') ⇒ call select
SELECT * FROM pg_ls_dir('.') ⇒ call select
SELECT pg_notify('c', 'x') ⇒ call select
SELECT pg_advisory_lock(1) ⇒ call select
SELECT pg_reload_conf() ⇒ call select
SELECT pg_switch_wal() ⇒ call select
SELECT pg_logical_emit_message(true, 'a', 'b') ⇒ call select
SELECT * FROM pg_logical_slot_get_changes('s', NULL, NULL) ⇒ call select
SELECT pg_export_snapshot() ⇒ call select
SELECT txid_current() ⇒ call select
SELECT pg_stat_reset() ⇒ call select
SELECT x.pg_read_file FROM unnest(ARRAY['/etc/passwd']) x ⇒ call select
SELECT unnest.pg_sleep FROM unnest(ARRAY[10.0]) ⇒ call select
SELECT x.drop_customer FROM generate_series(1, 9) AS x ⇒ call select
SELECT x.pg_sleep FROM generate_series(1, 9) AS x(n) ⇒ call select
SELECT (5::float8).pg_sleep ⇒ call select
SELECT ($1).pg_read_file ⇒ call select
SELECT ('/etc/passwd').pg_read_file ⇒ call select
SELECT (ARRAY['x'])[1].pg_read_file ⇒ call select
SELECT (o.note).evil FROM orders o ⇒ call select
SELECT (SELECT 'x').pg_read_file ⇒ call select
SELECT x.pg_sleep FROM CAST(5 AS float8) x ⇒ call select
SELECT * FROM coalesce(1, 2) ⇒ call select
SELECT 1 ORDER BY (SELECT x.pg_sleep FROM unnest(ARRAY[1.0]) x) ⇒ call select
SELECT a FROM t WHERE pg_sleep(1) IS NULL ⇒ call select
SELECT a FROM t ORDER BY lo_unlink(a) ⇒ call select
SELECT a FROM t LIMIT lo_unlink(1) ⇒ call select
SELECT count(*) FILTER (WHERE evil(a)) OVER (PARTITION BY evil2(a)) FROM t ⇒ call select
SELECT CASE WHEN evil() THEN 1 END ⇒ call select
SELECT ARRAY[evil()], ROW(evil2()) ⇒ call select
SELECT a OPERATOR(evil.+) b FROM t ⇒ call select
SELECT a FROM t ORDER BY a USING OPERATOR(evil.<) ⇒ call select
SELECT 1 OPERATOR(evil.=) ANY (SELECT 1) ⇒ call select
SELECT * FROM t TABLESAMPLE evil.method(1) ⇒ call select
SELECT * FROM t TABLESAMPLE bernoulli(evil()) ⇒ call select
SELECT * FROM LATERAL evil() x ⇒ call select
SELECT * FROM ROWS FROM (evil(), generate_series(1, 2)) x ⇒ call select
SELECT * FROM XMLTABLE('/a' PASSING evil() COLUMNS b int) ⇒ call select
SELECT * FROM JSON_TABLE(evil(), '$' COLUMNS (a int)) j ⇒ call select
VALUES (evil()) ⇒ call select
INSERT INTO t VALUES (evil()) ⇒ call insert ; t
INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1 ⇒ insert update ; t
INSERT INTO t SELECT * FROM secret ⇒ insert select ; t
INSERT INTO t DEFAULT VALUES RETURNING evil(a) ⇒ call insert ; t
UPDATE t SET a = evil(a) WHERE id = 1 ⇒ call update ; t
UPDATE t SET a = s.a FROM s WHERE s.id = t.id ⇒ select update ; t
UPDATE t SET (a, b) = (SELECT c, d FROM secret) WHERE id = 1 ⇒ select update ; t
DELETE FROM t USING u WHERE u.id = t.id ⇒ delete select ; t
DELETE FROM ONLY t ⇒ delete ; t ; unbounded
SELECT * FROM t FOR UPDATE ⇒ lock select
SELECT * FROM t FOR NO KEY UPDATE SKIP LOCKED ⇒ lock select
SELECT * FROM (SELECT * FROM t FOR SHARE) x ⇒ lock select
TABLE secret ⇒ select
SELECT * FROM a UNION SELECT * FROM b EXCEPT (WITH c AS (SELECT * FROM d) TABLE c) ⇒ select
""".strip().splitlines()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.split(" ⇒ ")[0][:60])
def test_a_disguise_shows_its_effects(case: str) -> None:
    text, _, expected = case.partition(" ⇒ ")
    parts = expected.split(" ; ")
    unbounded = "unbounded" in parts
    commands, *writes = (part for part in parts if part != "unbounded")
    facts = with_prepared(understand(text.replace("¶", "\n")), {})
    assert facts.commands == frozenset(commands.split())
    assert facts.writes == frozenset(name.replace("␣", " ") for part in writes for name in part.split())
    assert facts.missing_where is unbounded
    assert facts.commands <= COMMANDS
    assert facts.understood is ("unknown" not in facts.commands)


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len({case.split(" ⇒ ")[0] for case in CASES}) == len(CASES) >= 260
