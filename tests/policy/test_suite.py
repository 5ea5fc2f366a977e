"""The policy's own tests: they fail when they should, and coverage names what they would not notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooptui.core.model import SqlFacts
from hooptui.policy.suite import check, coverage, run_tests, warnings
from tests.policy.making import facts, policy

RULES = """\
rules:
  - {id: read, effect: allow, when: {principal: {groups: [agents]}, postgres: {commands: [select]}}}
  - {id: no-drop, effect: deny, reason: by migrations, when: {postgres: {commands: [drop]}}}
masks:
  - {id: pii, columns: [email], action: redact, when: {principal: {groups_none: [dba]}}}
"""


def reader(sql: str) -> SqlFacts:
    """As much SQL as these tests need."""
    words = sql.lower().split()
    return facts(words[0]) if words[0] in ("select", "drop") else facts(unknown="it does not parse")


def results(tests: str) -> list[str]:
    return [str(result) for result in run_tests(policy(RULES + "tests:\n" + tests), reader).results]


def test_tests_that_pass() -> None:
    report = run_tests(
        policy(
            RULES
            + """\
tests:
  - {name: reads, request: {groups: [agents], resource: r, sql: SELECT 1}, expect: allow, by: read, masks: [pii]}
  - {name: drops, request: {groups: [agents], resource: r, sql: DROP TABLE t}, expect: deny, by: no-drop}
  - {name: garbles, request: {groups: [agents], resource: r, sql: xyzzy}, expect: deny}
  - {name: connects, request: {groups: [agents], resource: r}, expect: allow}
  - {name: stranger, request: {resource: r}, expect: refused-to-connect}
  - {name: facts, request: {groups: [agents], resource: r, facts: {commands: [select], reads: [t]}}, expect: allow}
  - {name: only masks, request: {groups: [dba], resource: r}, masks: []}
"""
        ),
        reader,
    )
    assert report.ok and not report.failed and len(report.results) == 7
    assert str(report.results[0]) == "a.yaml:8: reads: ok"
    assert report.results[1].got == "deny by no-drop"


def test_tests_that_fail_say_what_they_got() -> None:
    assert results(
        """\
  - {name: a, request: {groups: [agents], resource: r, sql: DROP TABLE t}, expect: allow}
  - {name: b, request: {groups: [agents], resource: r, sql: SELECT 1}, expect: allow, by: no-drop}
  - {name: c, request: {resource: r, sql: SELECT 1}, expect: allow}
  - {name: d, request: {groups: [agents], resource: r}, masks: []}
  - {name: e, request: {groups: [dba], resource: r}, masks: [pii]}
"""
    ) == [
        "a.yaml:8: a: expected allow, got deny by no-drop (by migrations)",
        "a.yaml:9: b: expected rule no-drop to decide, got read",
        "a.yaml:10: c: expected allow, got refused-to-connect by no rule (no rule lets you use r)",
        "a.yaml:11: d: expected masks none, got pii",
        "a.yaml:12: e: expected masks pii, got none",
    ]


DOOR = """\
rules:
  - {id: jit, effect: approve, grants: true, reason: why, when: {principal: {groups: [eng], groups_none: [interns]}, postgres: {commands: [select]}},
     approval: {by: [dba]}}
  - {id: read, effect: allow, when: {principal: {groups: [dba], kinds: [human]}, postgres: {commands: [select]}}}
tests:
"""


def at_the_door(tests: str) -> list[str]:
    return [str(one).partition(": ")[2] for one in run_tests(policy(DOOR + tests), reader).results]


def test_connections_that_wait_and_what_they_may_do_once_in() -> None:
    assert at_the_door(
        """\
  - {name: a, request: {groups: [eng], resource: r}, expect: access, by: jit}
  - {name: b, request: {groups: [eng], resource: r, sql: DROP TABLE t}, expect: access}
  - {name: c, request: {groups: [eng], resource: r, sql: SELECT 1}, granted: [jit], expect: allow, by: jit}
  - {name: d, request: {groups: [eng], resource: r, sql: DROP TABLE t}, granted: [jit], expect: deny}
  - {name: e, request: {groups: [eng], kind: agent, resource: r}, expect: access}
  - {name: f, request: {groups: [eng, interns], resource: r}, expect: refused-to-connect}
  - {name: g, request: {groups: [dba], kind: agent, resource: r}, expect: refused-to-connect}
"""
    ) == [f"{name}: ok" for name in "abcdefg"]


def test_access_that_is_not_as_expected() -> None:
    assert at_the_door(
        """\
  - {name: a, request: {groups: [eng], resource: r}, expect: allow}
  - {name: b, request: {groups: [dba], resource: r}, expect: access}
  - {name: c, request: {groups: [dba], resource: r}, granted: [jit], expect: allow}
  - {name: d, request: {groups: [eng], resource: r, sql: SELECT 1}, granted: [jit, read], expect: allow}
  - {name: e, request: {resource: r}, granted: [jit], expect: refused-to-connect}
"""
    ) == [
        "a: expected allow, got access by jit (why)",
        "b: expected access, got allow by no rule",
        "c: found granted jit, expected some of what lets this connection in: none",
        "d: found granted jit, read, expected some of what lets this connection in: jit",
        "e: found granted jit, expected some of what lets this connection in: none",
    ]


def test_coverage_notices_a_door_that_is_gone() -> None:
    tests = "  - {name: a, request: {groups: [eng], resource: r, sql: SELECT 1}, granted: [jit], expect: allow}\n"
    assert [one.id for one in coverage(policy(DOOR + tests), reader).uncovered] == ["read"]


def test_no_tests_are_no_pass() -> None:
    assert not run_tests(policy(RULES), reader).ok


def test_coverage_names_what_no_test_notices() -> None:
    report = coverage(
        policy(
            RULES
            + """\
tests:
  - {name: reads, request: {groups: [agents], resource: r, sql: SELECT 1}, expect: allow}
  - {name: drops, request: {groups: [agents], resource: r, sql: DROP TABLE t}, expect: deny}
"""
        ),
        reader,
    )
    assert (report.total, report.covered, report.ok, report.failing) == (3, 1, False, ())
    assert [str(one) for one in report.uncovered] == [
        "a.yaml:4: no test fails without no-drop",
        "a.yaml:6: no test fails without pii",
    ]


def test_coverage_with_all_covered() -> None:
    report = coverage(
        policy(
            RULES
            + """\
tests:
  - {name: reads, request: {groups: [agents], resource: r, sql: SELECT 1}, expect: allow, masks: [pii]}
  - {name: drops, request: {groups: [agents], resource: r, sql: DROP TABLE t}, expect: deny, by: no-drop}
"""
        ),
        reader,
    )
    assert report.ok and report.covered == 3


def test_coverage_means_nothing_while_tests_fail() -> None:
    report = coverage(policy(RULES + "tests: [{name: x, request: {resource: r}, expect: allow}]"), reader)
    assert not report.ok and len(report.failing) == 1


def test_check(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\n" + RULES)
    report = check([tmp_path])
    assert report.ok and report.policy is not None and not report.warnings
    (tmp_path / "a.yaml").write_text("version: 1\nrules: [{}]")
    report = check([tmp_path])
    assert not report.ok and report.policy is None and len(report.problems) == 3


class TestWarnings:
    def test_nothing_allowed(self) -> None:
        assert list(warnings(policy("masks: [{id: m, columns: [a], action: hash}]"))) == [
            "a.yaml:1: nothing is allowed: nobody can connect"
        ]

    def test_approvers_that_never_meet(self) -> None:
        rules = """\
rules:
  - {id: all, effect: allow, when: {resource: {protocol: postgres}}}
  - {id: a, effect: approve, when: {postgres: {commands: [writes]}}, approval: {by: [x]}}
  - {id: b, effect: approve, when: {postgres: {commands: [delete]}%s}, approval: {by: [y]}}
"""
        assert list(warnings(policy(rules % ""))) == [
            "a.yaml:5: b and a (a.yaml:4) share no approvers: what both hold is denied"
        ]
        assert not list(warnings(policy((rules % "").replace("[delete]", "[drop]"))))
        apart = (rules % ", resource: {labels: {env: dev}}").replace(
            "{commands: [writes]}", "{commands: [writes]}, resource: {labels: {env: prod}}"
        )
        assert not list(warnings(policy(apart)))

    def test_an_approve_that_can_hold_nothing(self) -> None:
        rules = """\
rules:
  - {id: r, effect: allow, when: {postgres: {commands: [select]}}}
  - {id: h, effect: approve, when: {postgres: {commands: [delete]}}, approval: {by: [x]}%s}
"""
        assert list(warnings(policy(rules % ""))) == [
            "a.yaml:4: h holds what no rule allows: it needs an allow beside it, or grants: true"
        ]
        assert not list(warnings(policy(rules % ", grants: true, reason: why")))

    DOORS = """\
rules:
  - {id: a, effect: approve, grants: true, reason: r, when: {principal: {groups: [x]}, postgres: {commands: [select]}}, approval: {by: [%s]%s}}
  - {id: b, effect: approve, grants: true, reason: r, when: {principal: {groups: [x]%s}, postgres: {commands: [drop]}}, approval: {by: [y]%s}}
"""

    @pytest.mark.parametrize(
        ("parts", "says"),
        [
            (("x", "", "", ""), "share no approvers: who needs access by both gets none"),
            (("y", "", "", ""), ""),
            (("y", ", break_glass: [s]", "", ""), ""),
            (("x", "", ", kinds: [agent]", ""), "share no approvers: who needs access by both gets none"),
        ],
    )
    def test_doors_that_only_open_together(self, parts: tuple[str, ...], says: str) -> None:
        assert list(warnings(policy(self.DOORS % parts))) == ([f"a.yaml:4: b and a (a.yaml:3) {says}"] if says else [])

    def test_doors_for_different_kinds_never_meet(self) -> None:
        rules = (self.DOORS % ("x", "", ", kinds: [agent]", "")).replace(
            "{groups: [x]}", "{groups: [x], kinds: [human]}"
        )
        assert not list(warnings(policy(rules)))

    def test_access_without_a_reason(self) -> None:
        rules = "rules: [{id: a, effect: approve, grants: true, when: {principal: {groups: [x]}}, approval: {by: [y]}}]"
        assert list(warnings(policy(rules))) == [
            "a.yaml:2: a gives access without a reason: approvers see nothing of it but its id"
        ]

    def test_a_whole_schema_meets_bare_names(self) -> None:
        rules = """\
rules:
  - {id: r, effect: allow, when: {postgres: {commands: [select], reads: ["s.*"]}}}
  - {id: d, effect: deny, when: {postgres: {reads: ["secret.*", "*.*", "s.t*"]}}}
"""
        assert list(warnings(policy(rules))) == [
            "a.yaml:4: d: secret.* meets every name without a schema as well, for that may be any schema's"
        ]
