"""From files to a policy: every problem at once, each with its place; versions; which files are read."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import Kind, MaskAction, Risk, Scope
from hooptui.core.watch import WatchEffect
from hooptui.policy.loader import MAX_FILES, PolicyError, load, parse
from hooptui.policy.rules import Approval, RuleEffect
from tests.policy.making import policy, problems

ALLOW = "  - {id: %s, effect: allow, when: {principal: {groups: [agents]}}}\n"


def write(path: Path, *ids: str) -> Path:
    path.write_text("version: 1\nrules:\n" + "".join(ALLOW % one for one in ids))
    return path


def test_a_rule_is_kept_as_written() -> None:
    (rule,) = policy(
        """\
        rules:
          - id: writes
            effect: approve
            reason: two pairs of eyes
            hint: wait
            when:
              principal: {groups: [a, b], groups_none: [c], issuers: ["https://id.example"], subjects: ["svc:*"], kinds: [workload]}
              resource: {protocol: postgres, names: ["orders-*"], labels: {env: prod, tier: [gold, silver]}}
              postgres: {commands: [update, ddl], relations: [t, "s.*"], missing_where: true, in_transaction: false}
            approval: {by: [dba], quorum: 2, expires: 5m, scopes: [once, rule], scope_lasts: 1h, risk: high, reason: required}
        """
    ).rules
    assert rule.effect is RuleEffect.APPROVE
    assert str(rule.where) == "a.yaml:3"
    assert rule.when.principal is not None and rule.when.principal.kinds == {Kind.WORKLOAD}
    assert rule.when.resource is not None and dict(rule.when.resource.labels or {}) == {
        "env": ("prod",),
        "tier": ("gold", "silver"),
    }
    assert rule.when.postgres is not None and rule.when.postgres.relations == ("t", "s.*")
    assert rule.approval == Approval(
        frozenset({"dba"}), 2, 300.0, frozenset({Scope.ONCE, Scope.RULE}), 3600.0, Risk.HIGH, "required"
    )  # type: ignore[arg-type]  # durations


def test_a_mask_is_kept_as_written() -> None:
    (mask,) = policy("masks: [{id: m, columns: ['*.email', c.ssn], detect: [jwt], action: partial}]").masks
    assert (mask.columns, mask.detect, mask.action) == (("*.email", "c.ssn"), {"jwt"}, MaskAction.PARTIAL)


def test_a_watch_is_kept_as_written() -> None:
    made = policy(
        "watches: [{id: w, effect: kill, reason: no, when: {principal: {groups: [a]}}, typed: 'rm *', output: [x, 'y*']}]"
    )
    (watch,) = made.watches
    assert (watch.effect, watch.reason, watch.typed, watch.output) == (WatchEffect.KILL, "no", ("rm *",), ("x", "y*"))
    assert made.without("w").watches == () and made.without("v").watches == (watch,)


RULES = [
    ("- {id: A, effect: allow, when: {}}",
     'a.yaml:2: rules[0] A.id: found "A", expected an id of lower-case letters, digits, dot, dash and underscore'),
    ("- {effect: deny, when: {}}", "a.yaml:2: rules[0]: found no key id, expected the key id"),
    ("- {id: r, effect: deny}", "a.yaml:2: rules[0] r: found no key when, expected the key when"),
    ("- {id: r, effect: alow, when: {}}", 'a.yaml:2: rules[0] r.effect: found "alow", expected one of allow, deny, approve (did you mean allow?)'),
    ("- {id: r, effect: deny, when: {}, priority: 1}",
     'a.yaml:2: rules[0] r: found the unknown key "priority", expected one of id, effect, when, reason, hint, grants, session_max, approval'),
    ("- {id: r, effect: deny, when: {principal: {group: [a]}}}",
     'a.yaml:2: rules[0] r.when.principal: found the unknown key "group", expected one of groups, groups_none, issuers, subjects, kinds '
     "(did you mean groups?)"),
    ("- {id: r, effect: deny, when: {principal: {groups: []}}}", "a.yaml:2: rules[0] r.when.principal.groups: found a list of 0, expected at least one"),
    ("- {id: r, effect: deny, when: {principal: {groups: a}}}", 'a.yaml:2: rules[0] r.when.principal.groups: found "a", expected a list'),
    ("- {id: r, effect: deny, when: {principal: {groups: ['a*']}}}",
     'a.yaml:2: rules[0] r.when.principal.groups[0]: found "a*", expected the name of a group, without wildcards'),
    ("- {id: r, effect: deny, when: {ssh: {}}}", None),
    ("- {id: r, effect: deny, when: {kubernetes: {}}}", None),
    ("- {id: r, effect: deny, when: {resource: {protocol: ssh}}}", None),
    ("- {id: r, effect: deny, when: {resource: {protocol: kubernetes}}}", None),
    ("- {id: r, effect: deny, when: {resource: {labels: {env: no}}}}", None),
    ("- {id: r, effect: deny, when: {resource: {labels: {env: 1}}}}",
     "a.yaml:2: rules[0] r.when.resource.labels.env: found the number 1, expected text (in quotes where it looks like something else)"),
    ("- {id: r, effect: deny, when: {postgres: {commands: [dorp]}}}",
     'a.yaml:2: rules[0] r.when.postgres.commands[0]: found "dorp", expected a command such as select, update, drop, or one of the groups '
     "ddl, privileges, reads, server, upkeep, writes (did you mean drop?)"),
    ("- {id: r, effect: deny, when: {postgres: {commands: [unknown]}}}",
     'a.yaml:2: rules[0] r.when.postgres.commands[0]: found "unknown", expected nothing here: what is not understood is always denied'),
    ("- {id: r, effect: deny, when: {postgres: {relations: [a.b.c]}}}",
     'a.yaml:2: rules[0] r.when.postgres.relations[0]: found "a.b.c", expected name or schema.name, where * stands for any text and ? for one character'),
    ("- {id: r, effect: deny, when: {postgres: {relations: ['[ab]']}}}",
     'a.yaml:2: rules[0] r.when.postgres.relations[0]: found "[ab]", expected name or schema.name, where * stands for any text and ? for one character'),
    ("- {id: r, effect: deny, when: {}, approval: {by: [a]}}",
     "a.yaml:2: rules[0] r.approval: found approval in a rule that will deny, expected it only where effect is approve"),
    ("- {id: r, effect: allow, when: {principal: {groups: [a]}}, grants: true}",
     "a.yaml:2: rules[0] r.grants: found grants in a rule that will allow, expected it only where effect is approve"),
    ("- {id: r, effect: approve, when: {}}",
     "a.yaml:2: rules[0] r: found an approve without the key approval, expected approval: {by: [group], …}"),
    ("- {id: r, effect: approve, when: {}, approval: {by: [a], quorum: 6}}", "a.yaml:2: rules[0] r.approval.quorum: found the number 6, expected 1 to 5"),
    ("- {id: r, effect: approve, when: {}, approval: {by: [a], quorum: 0}}", "a.yaml:2: rules[0] r.approval.quorum: found the number 0, expected 1 to 5"),
    ("- {id: r, effect: approve, when: {}, approval: {by: []}}", "a.yaml:2: rules[0] r.approval.by: found a list of 0, expected at least one"),
    ("- {id: r, effect: approve, when: {}, approval: {by: [a], expires: 2d}}",
     'a.yaml:2: rules[0] r.approval.expires: found "2d", expected a duration from 5s to 1d'),
    ("- {id: r, effect: approve, when: {}, approval: {by: [a], scopes: [always]}}",
     'a.yaml:2: rules[0] r.approval.scopes[0]: found "always", expected one of once, fingerprint, run, rule'),
    ("- {id: r, effect: deny, when: {}, session_max: 1h}",
     "a.yaml:2: rules[0] r.session_max: found session_max, expected it only in an allow, or an approve that grants"),
    ("- {id: r, effect: allow, when: {}}",
     "a.yaml:2: rules[0] r.when: found no condition at all, expected a principal, a resource or a protocol: this opens everything to everybody"),
    ("- {id: r, effect: allow, when: {principal: {}, resource: {}, postgres: {}}}",
     "a.yaml:2: rules[0] r.when: found no condition at all, expected a principal, a resource or a protocol: this opens everything to everybody"),
    ("- {id: r, effect: approve, when: {}, approval: {by: [a], break_glass_lasts: 5m}}",
     "a.yaml:2: rules[0] r.approval.break_glass_lasts: found break_glass_lasts without break_glass, expected break_glass: [group] too"),
    ("- {id: r, effect: approve, when: {}, approval: {by: [a], break_glass: []}}",
     "a.yaml:2: rules[0] r.approval.break_glass: found a list of 0, expected at least one"),
    ("- {id: r, effect: approve, when: {}, approval: {by: [a], break_glass: [b], break_glass_lasts: 20m}}",
     "a.yaml:2: rules[0] r.approval.break_glass_lasts: found 1200s and scope_lasts of 900s, "
     "expected no longer access for who acts alone than for who was approved"),
    ("- {id: r, effect: approve, when: {}, approval: {by: [a], break_glass: [b], scope_lasts: 5m}}",
     "a.yaml:2: rules[0] r.approval.break_glass_lasts: found 900s, which it is when nothing is said, and scope_lasts of 300s, "
     "expected no longer access for who acts alone than for who was approved"),
    ("- {id: r, effect: allow, when: {principal: {groups: [a]}}, approval: {by: [a], break_glass: [b]}}",
     "a.yaml:2: rules[0] r.approval: found approval in a rule that will allow, expected it only where effect is approve"),
    ("- {id: r, effect: approve, break_glass: [b], when: {}, approval: {by: [a]}}",
     'a.yaml:2: rules[0] r: found the unknown key "break_glass", expected one of id, effect, when, reason, hint, grants, session_max, approval'),
    ("- {id: r, effect: approve, grants: true, when: {}, approval: {by: [a]}}",
     "a.yaml:2: rules[0] r.when: found no condition at all, expected a principal, a resource or a protocol: this opens everything to everybody"),
    ("- {id: r, effect: allow, when: {principal: {subjects: [s]}}}",
     "a.yaml:2: rules[0] r.when.principal: found subjects without issuers, expected issuers too: another issuer may know the same subject"),
    ("- {id: r, effect: deny, when: {principal: {subjects: [s]}}}", None),
    ("- {id: r, effect: allow, when: {postgres: {reads: [t]}}}",
     "a.yaml:2: rules[0] r.when.postgres: found reads without commands, expected commands too: an allow says what may be done to them"),
    ("- {id: r, effect: deny, when: {postgres: {reads: [t]}}}", None),
    ("- {id: r, effect: allow, when: {postgres: {commands: [select, do], reads: [t]}}}",
     "a.yaml:2: rules[0] r.when.postgres.commands: found do beside reads, expected it in an allow of its own: which relations do touches cannot be seen"),
    ("- {id: r, effect: allow, when: {postgres: {commands: [select, call], reads: [t]}}}",
     "a.yaml:2: rules[0] r.when.postgres.commands: found call beside reads, expected it in an allow of its own: "
     "which relations call touches cannot be seen"),
    ("- {id: r, effect: allow, when: {postgres: {commands: [select, call], reads: [t], functions: [f]}}}", None),
    ("- {id: 7, effect: deny, when: {}}",
     "a.yaml:2: rules[0].id: found the number 7, expected text (in quotes where it looks like something else)"),
    ("- {id: {a: [1]}, effect: deny, when: {}}",
     "a.yaml:2: rules[0].id: found a mapping, expected text (in quotes where it looks like something else)"),
    ("- 7", "a.yaml:2: rules[0]: found the number 7, expected a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "said"), RULES)
def test_what_is_wrong_with_a_rule(rule: str, said: str | None) -> None:
    if said is None:
        assert len(policy(f"rules: [{rule[2:]}]").rules) == 1
    else:
        assert problems(f"rules: [{rule[2:]}]") == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("masks: [{id: m, action: redact}]", "a.yaml:2: masks[0] m: found a mask of nothing, expected one of the keys columns, detect, secrets, fields"),
        ("masks: [{id: m, action: redact, columns: [a], secrets_except: [helm.sh/release.v1]}]",
         "a.yaml:2: masks[0] m: found secrets_except without secrets, expected secrets: true beside it"),
        ("masks: [{id: m, action: redact, secrets: true, secrets_except: ['helm*']}]",
         'a.yaml:2: masks[0] m.secrets_except[0]: found "helm*", expected a type of Secrets, such as helm.sh/release.v1'),
        ("masks: [{id: m, action: redact, secrets: true, secrets_except: []}]",
         "a.yaml:2: masks[0] m.secrets_except: found a list of 0, expected at least one"),
        ("masks: [{id: m, action: blur, columns: [a]}]", 'a.yaml:2: masks[0] m.action: found "blur", expected one of redact, partial, hash, null'),
        ("masks: [{id: m, action: null, columns: [a]}]", "a.yaml:2: masks[0] m.action: found nothing, expected one of redact, partial, hash, null"),
        ("masks: [{id: m, action: hash, columns: [A.b]}]",
         'a.yaml:2: masks[0] m.columns[0]: found "A.b", expected column, table.column or schema.table.column in lower case, where * stands for any text'),
        ("masks: [{id: m, action: hash, detect: [credit_card]}]",
         'a.yaml:2: masks[0] m.detect[0]: found "credit_card", expected one of api-key, credit-card, email, iban, jwt, phone, private-key, us-ssn '
         "(did you mean credit-card?)"),
        ("masks: [{id: m, action: hash, columns: [a], when: {postgres: {}}}]",
         'a.yaml:2: masks[0] m.when: found the unknown key "postgres", expected one of principal, resource'),
        ("tests: [{name: t, request: {resource: r}}]", "a.yaml:2: tests[0]: found a test of nothing, expected one of the keys expect, masks, watches"),
        ("tests: [{name: t, request: {resource: r, sql: x, facts: {}}, expect: deny}]",
         "a.yaml:2: tests[0].request: found sql and facts, expected one of the two"),
        ("tests: [{name: t, request: {resource: r}, expect: denied}]",
         'a.yaml:2: tests[0].expect: found "denied", expected one of allow, deny, hold, refused-to-connect, access (did you mean deny?)'),
        ("tests: [{name: t, request: {resource: r}, expect: deny, by: nobody}]",
         'a.yaml:2: tests[0].by: found "nobody", expected the id of a rule, mask or watch in these files'),
        ("tests: [{name: t, request: {resource: r}, masks: [mm]}]",
         'a.yaml:2: tests[0].masks[0]: found "mm", expected the id of a rule, mask or watch in these files'),
        ("watches: [{id: w, effect: alert}]", "a.yaml:2: watches[0] w: found a watch of nothing, expected one of the keys typed, output"),
        ("watches: [{id: w, effect: deny, typed: a}]", 'a.yaml:2: watches[0] w.effect: found "deny", expected one of alert, kill'),
        ("watches: [{id: w, effect: kill, typed: [a, '* ?*']}]",
         "a.yaml:2: watches[0] w.typed: found a pattern that every line matches, expected some text to look for"),
        ("watches: [{id: w, effect: kill, typed: a, when: {resource: {protocol: postgres}}}]",
         "a.yaml:2: watches[0] w.when.resource.protocol: found postgres, expected ssh: only it has terminals that are watched"),
        ("watches: [{id: w, effect: kill, typed: a, approval: {by: [a]}}]",
         'a.yaml:2: watches[0] w: found the unknown key "approval", expected one of id, effect, reason, when, typed, output'),
        ("tests: [{name: t, request: {resource: r, typed: ls}, expect: deny}]",
         "a.yaml:2: tests[0]: found typed alone, expected watches as well: which watches notice which line"),
        ("tests: [{name: t, request: {resource: r}, watches: []}]",
         "a.yaml:2: tests[0]: found watches alone, expected request.typed or request.output as well: which watches notice which line"),
        ("tests: [{name: t, request: {resource: r, typed: ls}, watches: [ww]}]",
         'a.yaml:2: tests[0].watches[0]: found "ww", expected the id of a rule, mask or watch in these files'),
        ("tests: [{name: t, request: {resource: r, protocol: postgres, typed: ls}, watches: []}]",
         "a.yaml:2: tests[0].request.protocol: found it beside typed, expected ssh, or no protocol"),
        ("ruels: []", 'a.yaml:2: found the unknown key "ruels", expected one of version, rules, masks, watches, tests (did you mean rules?)'),
        ("rules: {}", "a.yaml:2: rules: found a mapping, expected a list"),
        ("rules: [&a {id: r, effect: deny, when: {}}, *a]",
         "a.yaml:2:9: found an anchor, expected the value without it; anchors are not read (text with & goes in quotes)"),
    ],
)  # fmt: skip
def test_what_is_wrong_elsewhere(text: str, said: str) -> None:
    assert problems(text) == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "x.yaml:1: found nothing, expected a mapping"),
        (b"rules: []", "x.yaml:1: found no key version, expected the key version"),
        (b"version: 2", "x.yaml:1: version: found the number 2, expected 1"),
        (b"version: '1'", 'x.yaml:1: version: found "1", expected 1'),
        (b"version: true", "x.yaml:1: version: found true, expected 1"),
    ],
)
def test_the_version_of_the_format(text: bytes, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse([("x.yaml", text)])
    assert caught.value.problems == (said,)


def test_all_problems_of_all_files_at_once() -> None:
    said = problems(
        "rules:\n  - {id: one, effect: alow, when: {}}\n  - {id: two, effect: deny, when: {resorce: {}}}\n",
        "masks: [{id: one, action: redact, columns: [a]}]\ntests: [{name: t, request: {resource: r}, expect: deny, by: tow}]",
        "- 1",
    )
    assert [one.split(": found")[0] for one in said] == [
        "a.yaml:3: rules[0] one.effect",
        "a.yaml:4: rules[1] two.when",
        "b.yaml:2: masks[0].id",
        "c.yaml:2:1",
        "b.yaml:3: tests[0].by",
    ]
    assert "again (first at a.yaml:3)" in said[2]
    assert said[4].endswith("(did you mean two?)")


def test_an_id_is_taken_once_over_all_files() -> None:
    said = problems("rules:\n" + ALLOW % "r", "rules:\n" + ALLOW % "r")
    assert said == [
        'b.yaml:3: rules[0].id: found "r" again (first at a.yaml:3), expected an id that no other rule, mask or watch has'
    ]


class TestFiles:
    def test_a_directory_is_read_in_order(self, tmp_path: Path) -> None:
        write(tmp_path / "b.yaml", "b")
        write(tmp_path / "a.yaml", "z")
        (tmp_path / ".hidden.yaml").write_text("nonsense: [")
        (tmp_path / "README.md").write_text("words")
        loaded = load([tmp_path])
        assert [rule.id for rule in loaded.rules] == ["b", "z"]
        assert [Path(name).name for name in loaded.files] == ["a.yaml", "b.yaml"]

    def test_a_file_named_twice_is_read_once(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.yaml", "r")
        (tmp_path / "link.yaml").symlink_to(path)
        assert len(load([path, tmp_path, str(path)]).rules) == 1

    def test_a_yml_beside_is_not_forgotten(self, tmp_path: Path) -> None:
        write(tmp_path / "a.yaml", "r")
        write(tmp_path / "b.yml", "s")
        with pytest.raises(PolicyError) as caught:
            load([tmp_path])
        assert caught.value.problems == (f"{tmp_path}/b.yml:1: found a name ending in .yml, expected .yaml",)

    def test_nothing_to_read(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match=r"found no \.yaml file, expected at least one"):
            load([tmp_path])
        with pytest.raises(PolicyError, match="found no path, expected files or directories"):
            load([])
        with pytest.raises(PolicyError, match=r"no\.yaml:1:1: found no readable file"):
            load([tmp_path / "no.yaml"])

    def test_every_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError) as caught:
            load([tmp_path / "x.yaml", tmp_path / "y.yaml"])
        assert len(caught.value.problems) == 2

    def test_too_many_files(self, tmp_path: Path) -> None:
        for number in range(MAX_FILES + 1):
            write(tmp_path / f"{number}.yaml", f"r{number}")
        with pytest.raises(PolicyError, match=f"found {MAX_FILES + 1} files, expected at most {MAX_FILES}"):
            load([tmp_path])


class TestVersion:
    def test_it_can_be_worked_out_by_hand(self) -> None:
        one, two = b"version: 1\n", b"version: 1\n# more\n"
        whole = b"".join(sorted(hashlib.sha256(text).digest() for text in (one, two)))
        assert parse([("a", one), ("b", two)]).version == hashlib.sha256(whole).hexdigest()

    def test_names_order_line_ends_and_trailing_blanks_do_not_count(self) -> None:
        one, two = b"version: 1\nrules: []\n", b"version: 1\n"
        assert (
            parse([("a", one), ("b", two)]).version
            == parse([("y", two), ("x", b"version: 1  \r\nrules: []\r\n")]).version
        )

    def test_anything_else_does(self) -> None:
        assert parse([("a", b"version: 1\n")]).version != parse([("a", b"version: 1\n# words\n")]).version

    def test_short(self) -> None:
        loaded = parse([("a", b"version: 1\n")])
        assert loaded.version.startswith(loaded.short) and len(loaded.short) == 12


def test_the_error_is_all_lines() -> None:
    error = PolicyError(("a", "b"))
    assert str(error) == "a\nb"


SHIPPED = Path(__file__).resolve().parents[2] / "policies"
TREES = [yaml.safe_load(path.read_text()) for path in sorted(SHIPPED.glob("*.yaml"))]
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["deny", "prod", "select", "1h"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "when", "by", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(tree: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value."""
    yield here
    for key in range(len(tree)) if isinstance(tree, list) else tree if isinstance(tree, dict) else ():
        yield from places(tree[key], (*here, key))


@given(st.sampled_from(TREES), st.data())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_whatever_stands_where_it_should_not_is_a_problem_with_a_place(tree: Any, data: st.DataObject) -> None:
    broken = {"": copy.deepcopy(tree)}
    *way, last = ("", *data.draw(st.sampled_from(list(places(tree)))))
    inner: Any = broken
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(junk)
    try:
        parse([("x.yaml", yaml.safe_dump(broken[""]).encode())])
    except PolicyError as wrong:
        for problem in wrong.problems:
            assert re.match(r"x\.yaml:[0-9]+: .*found .*, expected ", problem)
            assert problem.isprintable()
