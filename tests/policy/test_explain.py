"""The words in which the policy explains itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooptui.cli import main
from hooptui.core.model import Kind, Operation, SqlFacts, Target
from hooptui.policy.explain import explain, seconds
from tests.policy.making import PROD, facts, policy, who

RULES = policy(
    """\
    rules:
      - {id: read, effect: allow, session_max: 90m, when: {principal: {groups: [agents]}, postgres: {commands: [select], reads: [t]}}}
      - {id: write, effect: allow, when: {principal: {groups: [agents]}, postgres: {commands: [update]}}}
      - {id: staff, effect: allow, when: {principal: {groups: [staff]}}}
      - {id: elsewhere, effect: allow, when: {resource: {labels: {env: dev}}}}
      - {id: other, effect: allow, when: {resource: {names: [x]}}}
      - {id: ddl, effect: deny, reason: by migrations, hint: ask, when: {postgres: {commands: [drop]}}}
      - {id: bare, effect: approve, reason: all rows, when: {postgres: {commands: [update], missing_where: true}},
         approval: {by: [dba, lead], quorum: 2, expires: 10m, risk: high, reason: required}}
      - {id: calm, effect: deny, when: {postgres: {in_transaction: true, writes: [t]}}}
    masks: [{id: m, columns: [a], action: hash}]
    """
)


def lines(what: SqlFacts, *, in_transaction: bool = False, on: Target = PROD) -> list[str]:
    said = explain(RULES, who("agents"), on, Operation("postgres", "x", "", what, in_transaction=in_transaction))
    return list(said.lines)


def test_a_hold() -> None:
    assert lines(facts("update", writes="t", missing_where=True)) == [
        f"policy {RULES.short}",
        "connect: yes, by read, for at most 1h30m",
        "✓ approve bare: all rows (a.yaml:9)",
        "· deny    calm: is for statements inside a transaction (a.yaml:11)",
        "· deny    ddl: is about drop (a.yaml:8)",
        "· allow   elsewhere: is for targets with env: dev (a.yaml:6)",
        "· allow   other: is for other targets (a.yaml:7)",
        "· allow   read: covers select, not update (a.yaml:3)",
        "· allow   staff: is for members of staff (a.yaml:5)",
        "✓ allow   write: covers update (a.yaml:4)",
        "masks: m",
        "hold: bare, write: all rows",
        "needs 2 of dba, lead within 10m, risk high, for once, with a reason",
    ]


def test_a_deny() -> None:
    said = lines(facts("drop select", reads="t"))
    assert said[-2:] == ["deny: ddl: by migrations", "hint: ask"]
    assert "✓ deny    ddl: by migrations (a.yaml:8)" in said
    assert "✓ allow   read: covers select, not drop (a.yaml:3)" in said


def test_the_condition_that_fails_is_named() -> None:
    said = lines(facts("select", reads="t secret"))
    assert "· allow   read: its reads do not match secret, t (a.yaml:3)" in said
    assert said[-2:] == [
        "deny: no rule: no rule lets you select on orders-1",
        "hint: read would allow it under conditions that this statement does not meet",
    ]
    assert "· approve bare: is about update (a.yaml:9)" in said


def test_not_understood_and_not_admitted() -> None:
    assert "· allow   write: what is not understood is never covered (a.yaml:4)" in lines(facts(unknown="garbage"))
    said = explain(RULES, who("nobody"), PROD, Operation("postgres", "x", "", facts("select")))
    assert said.lines[1] == "connect: no, no rule lets you use orders-1"


JIT = policy(
    """\
    rules:
      - {id: jit, effect: approve, grants: true, reason: just in time, session_max: 2h,
         when: {principal: {groups: [eng]}, postgres: {commands: [select]}},
         approval: {by: [dba, lead], quorum: 2, expires: 15m, scope_lasts: 1h, reason: required, break_glass: [duty], break_glass_lasts: 10m}}
      - {id: held, effect: approve, reason: t is dear, when: {postgres: {reads: [t]}}, approval: {by: [dba], break_glass: [duty]}}
    """
)


def at_the_door(what: SqlFacts, granted: frozenset[str] | None = None) -> list[str]:
    operation = Operation("postgres", "x", "", what)
    return list(explain(JIT, who("eng"), PROD, operation, granted).lines)


def test_access_says_who_gives_it_and_what_follows() -> None:
    assert at_the_door(facts("select", reads="t")) == [
        f"policy {JIT.short}",
        "connect: needs access by jit: just in time, for at most 2h",
        "needs 2 of dba, lead within 15m, risk medium, for at most 1h, with a reason",
        "in an emergency: duty, alone, with a reason, for at most 10m",
        "✓ approve held: t is dear (a.yaml:6)",
        "✓ approve jit: in force: covers select (a.yaml:3)",
        "masks: none",
        "in by jit: hold: held, jit: t is dear",
        "needs 1 of dba within 10m, risk medium, for once",
        "in an emergency: duty, alone, with a reason, for at most 15m",
    ]
    assert at_the_door(facts("select"))[-1] == "in by jit: allow: jit"
    assert at_the_door(facts("drop"))[-2:] == [
        "in by jit: deny: no rule: no rule lets you drop on orders-1",
        "hint: ask for a rule that allows it",
    ]


def test_what_would_be_without_access_and_what_cannot_be_granted() -> None:
    assert at_the_door(facts("select"), frozenset())[-3:-1] == [
        "hold: jit: just in time",
        "needs 2 of dba, lead within 15m, risk medium, for once, with a reason",
    ]
    with pytest.raises(ValueError, match="found held, expected a rule that lets this connection in: jit"):
        at_the_door(facts("select"), frozenset({"held", "jit"}))


def test_who_a_rule_is_for() -> None:
    rules = policy(
        "rules: [{id: k, effect: allow, when: {principal: {kinds: [human, agent]}}},"
        " {id: n, effect: allow, when: {principal: {groups_none: [b, interns]}}}, {id: i, effect: allow, when: {principal: {issuers: [x]}}}]"
    )
    robot = who("interns", kind=Kind.WORKLOAD)
    said = explain(rules, robot, PROD, Operation("postgres", "x", "", facts("select"))).rules
    assert [one.why for one in said] == [
        "is for somebody else",
        "is for agents and humans",
        "is not for members of interns",
    ]


def test_connecting_alone() -> None:
    assert "✓ allow   write: lets in, and that is all this needs (a.yaml:4)" in lines(facts(neutral="begin"))


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0s"), (45, "45s"), (90, "1m30s"), (5400, "1h30m"), (604800, "7d"), (59.6, "1m")]
)
def test_seconds_in_words(value: float, words: str) -> None:
    assert seconds(value) == words


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = str(Path(__file__).resolve().parents[2] / "policies" / "just-in-time.yaml")
    call = ["policy", "explain", shipped, "--target", "orders-1", "--label", "env=prod", "--group", "engineers"]
    assert main(call) == 0
    assert "connect: needs access by engineers-get-in: an engineer asks" in capsys.readouterr().out
    assert main([*call, "--kind", "agent", "--sql", "DROP TABLE t"]) == 0
    assert "in by engineers-agents-get-in: deny" in capsys.readouterr().out
    assert main([*call, "--granted", "engineers-get-in", "--sql", "SELECT 1"]) == 0
    assert "in by engineers-get-in: allow: engineers-get-in" in capsys.readouterr().out
    assert main([*call, "--granted", "dba-works"]) == 2
    assert "--granted: found dba-works, expected a rule that lets" in capsys.readouterr().err
