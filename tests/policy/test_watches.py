"""Which watches apply to whom, what they notice, and whether a policy's own tests notice that they are gone."""

from __future__ import annotations

import pytest

from hooptui.core.model import Operation, SqlFacts, SshFacts, Target
from hooptui.core.watch import WatchEffect
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.explain import explain
from hooptui.policy.suite import coverage, run_tests
from hooptui.protocols.ssh.commands import read_command
from tests.policy.making import policy, who

WEB, DEV = Target("web-1", "ssh", {"env": "prod"}), Target("web-2", "ssh", {"env": "dev"})
POLICY = """
rules: [{id: all, effect: allow, when: {principal: {groups: [ops]}}}]
watches:
  - {id: z-kills, effect: kill, reason: no wiping, when: {resource: {labels: {env: prod}}}, typed: ["rm -rf /", "*mkfs.*"]}
  - {id: a-tells, effect: alert, when: {principal: {groups: [ops]}}, typed: "*history -c*", output: "*is not in the sudoers*"}
"""
TESTS = """
tests:
  - {name: all of it, expect: allow, request: {groups: [ops], resource: web-1, ssh: ls}}
  - {name: wipes, watches: [z-kills], request: {groups: [ops], resource: web-1, labels: {env: prod}, typed: MKFS.ext4 /dev/sda}}
  - {name: not there, watches: [], request: {groups: [ops], resource: web-1, labels: {env: dev}, typed: mkfs.ext4 /dev/sda}}
  - {name: sudo, watches: [a-tells], request: {groups: [ops], resource: web-1, output: bob is not in the sudoers file}}
"""


def no_sql(text: str) -> SqlFacts:
    raise AssertionError(text)


def test_those_that_apply_and_the_ones_that_kill_first() -> None:
    judge = PolicyJudge(policy(POLICY))
    assert [one.id for one in judge.watches(who("ops"), WEB)] == ["z-kills", "a-tells"]
    assert [one.id for one in judge.watches(who("ops"), DEV)] == ["a-tells"]
    assert [one.id for one in judge.watches(who("dba"), WEB)] == ["z-kills"]
    assert judge.watches(who("ops"), Target("orders", "postgres", {"env": "prod"})) == ()
    first = judge.watches(who("ops"), WEB)[0]
    assert (first.effect, first.reason, first.output) == (WatchEffect.KILL, "no wiping", None)


@pytest.mark.parametrize(
    ("line", "noticed"),
    [
        ("rm -rf /", True),
        ("  RM -rf /  ", True),
        ("rm -rf /srv", False),
        ("sudo mkfs.ext4 /dev/sda", True),
        ("echo rm -rf /", False),
        ("", False),
    ],
)
def test_what_a_line_must_be_like(line: str, noticed: bool) -> None:
    watch = PolicyJudge(policy(POLICY)).watches(who("ops"), WEB)[0]
    assert watch.typed is not None
    assert bool(watch.typed(line)) is noticed


@pytest.mark.parametrize(
    ("glob", "piece"),
    [
        ("*is not in the Sudoers*", "is not in the sudoers"),
        ("a*bcd?ef", "bcd"),
        ("  x  ", "x"),
        ("??é", "é"),
        ("STRASSE ß", "strasse ss"),
    ],
)
def test_every_line_that_matches_has_the_piece_in_it(glob: str, piece: str) -> None:
    (watch,) = PolicyJudge(policy(f"watches: [{{id: w, effect: kill, output: '{glob}'}}]")).watches(who("ops"), WEB)
    assert watch.pieces == (piece,)
    line = glob.replace("*", " any ").replace("?", "!")
    assert watch.output is not None and watch.output(line) and piece in line.casefold()


def test_no_line_makes_a_pattern_slow() -> None:
    judge = PolicyJudge(policy("watches: [{id: w, effect: kill, typed: '*a*a*a*a*a*a*a*a*a*a*b'}]"))
    (watch,) = judge.watches(who("ops"), WEB)
    assert watch.typed is not None and not watch.typed("a" * 4096), "atomic: were it not, this would never end"


def test_a_policys_own_tests_of_watches() -> None:
    good = policy(POLICY + TESTS)
    assert run_tests(good, no_sql, read_command).ok
    assert coverage(good, no_sql, read_command).ok
    bad = policy(POLICY + TESTS.replace("watches: [a-tells]", "watches: [z-kills]"))
    [failed] = run_tests(bad, no_sql, read_command).failed
    assert failed.wrong == ("expected watches z-kills to notice it, got a-tells",)
    untested = policy(
        POLICY
        + TESTS.replace(
            "watches: [z-kills], request: {groups: [ops], resource: web-1, labels: {env: prod}",
            "watches: [], request: {groups: [ops], resource: web-1, labels: {env: dev}",
        )
    )
    assert [one.id for one in coverage(untested, no_sql, read_command).uncovered] == ["z-kills"]


def test_an_explanation_names_them() -> None:
    operation = Operation("ssh", "", "ls", SshFacts(frozenset()))
    assert "watches: z-kills, a-tells" in explain(policy(POLICY), who("ops"), WEB, operation).lines
    assert not any(line.startswith("watches") for line in explain(policy(POLICY), who("dba"), DEV, operation).lines)
