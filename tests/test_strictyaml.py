"""The strict YAML loader: what it refuses, where it says so, and what it makes of a tree."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui import strictyaml
from hooptui.strictyaml import (
    MAX_BYTES,
    Between,
    Duration,
    Hidden,
    Matches,
    Node,
    NotEmpty,
    OneOf,
    OneOrMany,
    Size,
    Where,
    YamlError,
    decode,
    duration,
    load,
    nearest,
    size,
    tree,
)


def refused(text: str | bytes) -> str:
    with pytest.raises(YamlError) as caught:
        load(text, "f.yaml")
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def plain(node: Node) -> Any:
    """The tree as plain values."""
    if isinstance(node.value, tuple):
        return [plain(item) for item in node.value]
    if isinstance(node.value, Mapping):
        return {key: plain(item) for key, item in node.value.items()}
    return node.value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", 'f.yaml:2:1: found the key "a" again (first on line 1), expected each key once'),
        ("a: 1\n'a': 2", 'f.yaml:2:1: found the key "a" again (first on line 1), expected each key once'),
        ("x: {b: 1, b: 2}", 'f.yaml:1:11: found the key "b" again (first on line 1), expected each key once'),
        ("a: &x 1", "f.yaml:1:4: found an anchor, expected the value without it; anchors are not read (text with & goes in quotes)"),
        ("a: *x", "f.yaml:1:4: found an alias, expected the value itself; aliases are not read (text with * goes in quotes)"),
        ("a: !!str x", "f.yaml:1:4: found a tag, expected the value without it; tags are not read (text with ! goes in quotes)"),
        ("a: !!python/name:os.system ''", "f.yaml:1:4: found a tag, expected the value without it; tags are not read (text with ! goes in quotes)"),
        ("a: ! x", "f.yaml:1:4: found a tag, expected the value without it; tags are not read (text with ! goes in quotes)"),
        ("<<: {a: 1}", "f.yaml:1:1: found a merge key <<, expected the keys themselves; merge keys are not read"),
        ("a:\n\t- b", "f.yaml:2:1: found a tab, expected spaces for indentation"),
        ("a: b: c", "f.yaml:1:5: found a second colon, expected text that holds a colon and a space to be in quotes"),
        ("1: a", "f.yaml:1:1: found the number 1 as a key, expected text as a key (in quotes where it looks like something else)"),
        ("true: a", "f.yaml:1:1: found true as a key, expected text as a key (in quotes where it looks like something else)"),
        ("? [a]\n: b", "f.yaml:1:3: found a list of 1 as a key, expected text as a key (in quotes where it looks like something else)"),
        ("---\na\n---\nb", "f.yaml:3:1: found a second document, expected one document in a file"),
        ("a: \x1b[2J", "f.yaml:1:4: found the character U+001B, expected printable text"),
        ("a: b\nc: x\u202ey", "f.yaml:2:5: found the character U+202E, expected printable text"),
        ("a: x\u2028b: y", "f.yaml:1:5: found the character U+2028, expected printable text"),
        (b"a: \xff", "f.yaml:1:4: found the byte 0xff, expected UTF-8"),
        (b"a: b\nc: \xc3", "f.yaml:2:4: found the byte 0xc3, expected UTF-8"),
        ("%YAML 1.1\n---\na", "f.yaml:1:1: found a directive, expected the document without it; directives are not read"),
        ("%TAG ! x\n---", "f.yaml:1:1: found a directive, expected the document without it; directives are not read"),
        ("[" * 100, "f.yaml:1:33: found more than 32 levels, expected a flatter file"),
    ],
)  # fmt: skip
def test_refused_where_and_why(text: str | bytes, said: str) -> None:
    assert refused(text) == said


@pytest.mark.parametrize("text", ["[1", "x: 'abc", "a: @x", "a: `x", "{a: 1", "- a\n b: c", "a: |\n b\nc"])
def test_broken_text_says_where(text: str) -> None:
    assert refused(text).startswith("f.yaml:")
    assert ": found " in refused(text) and ", expected " in refused(text)


def test_the_same_without_the_c_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_LOADER", yaml.SafeLoader)
    assert refused("a:\n\t- b") == "f.yaml:2:1: found a tab, expected spaces for indentation"
    assert refused("[" * 100) == "f.yaml:1:33: found more than 32 levels, expected a flatter file"
    assert plain(load("a: [no, 1, {b: ''}]")) == {"a": ["no", 1, {"b": ""}]}


@pytest.mark.parametrize(
    ("text", "value", "odd"),
    [
        ("no", "no", "false"),
        ("Off", "Off", "false"),
        ("yes", "yes", "true"),
        ("TRUE", "TRUE", "true"),
        ("NULL", "NULL", "null"),
        ("010", "010", "a plain decimal number"),
        ("0x1F", "0x1F", "a plain decimal number"),
        ("1_000", "1_000", "a plain decimal number"),
        ("1e3", "1e3", "a plain decimal number"),
        (".inf", ".inf", "a plain decimal number"),
        ("2026-01-01", "2026-01-01", "a plain decimal number"),
        ("12:30:45", "12:30:45", ""),
        ("true", True, ""),
        ("false", False, ""),
        ("null", None, ""),
        ("~", None, ""),
        ("", None, ""),
        ("0", 0, ""),
        ("-7", -7, ""),
        ("1.5", 1.5, ""),
        ("'1.5'", "1.5", ""),
        ('"no"', "no", ""),
        ("9" * 40, "9" * 40, "a plain decimal number"),
    ],
)
def test_plain_scalars_are_never_guessed(text: str, value: object, odd: str) -> None:
    node = load(f"a: {text}").get("a")
    assert node is not None
    assert node.value == value and type(node.value) is type(value)
    assert node.odd == odd


def test_positions() -> None:
    node = load("a: 1\nb:\n  - x\n  - {c: y}\n", "p.yaml")
    listed = node.get("b")
    assert listed is not None
    assert [(item.line, item.column) for item in listed.items()] == [(3, 5), (4, 5)]
    assert str(listed.items()[1].where) == "p.yaml:4"
    assert (node.keys["b"].line, node.keys["b"].column) == (2, 1)


def test_a_mark_at_the_start_is_skipped() -> None:
    assert plain(load(b"\xef\xbb\xbfa: 1")) == {"a": 1}


def test_an_empty_text_is_nothing() -> None:
    assert load("").value is None
    assert load("# only words\n").value is None


class TestBounds:
    def test_size(self) -> None:
        assert (
            refused(b"a: " + b"x" * MAX_BYTES)
            == f"f.yaml:1:1: found more than {MAX_BYTES} bytes, expected at most 1 MiB"
        )
        assert load(b"a: " + b"x" * (MAX_BYTES - 3)).value is not None

    def test_count(self) -> None:
        assert "more than 100000 values" in refused("[" + "a," * 100_001 + "]")

    @pytest.mark.parametrize(
        "bomb",
        [
            "a: &a [x]\nb: &b [*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b]",
            "[" * 500_000,
            "{a: " * 200_000,
            "- " * 400_000,
            "? " * 400_000,
            "'" + "x" * 900_000,
            "a: |\n" + " " * 900_000,
            "&" + "a" * 900_000,
            "\n" * 1_000_000,
        ],
    )
    def test_bombs_are_defused_quickly(self, bomb: str) -> None:
        started = time.thread_time()
        with contextlib.suppress(YamlError):
            load(bomb)
        assert time.thread_time() - started < 3


class TestFiles:
    def test_read(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text("a: 1")
        assert plain(load(tmp_path / "a.yaml")) == {"a": 1}

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(YamlError, match=r"no\.yaml:1:1: found no readable file \(No such file or directory\)"):
            load(tmp_path / "no.yaml")

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(YamlError, match="expected a YAML file"):
            load(tmp_path, "dir")

    def test_a_pipe_does_not_block(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.yaml")
        with pytest.raises(YamlError, match="not a regular file"):
            load(tmp_path / "pipe.yaml")

    def test_an_endless_device(self) -> None:
        with pytest.raises(YamlError, match="not a regular file"):
            load(Path("/dev/zero"))

    def test_a_large_file_is_not_read_whole(self, tmp_path: Path) -> None:
        with (tmp_path / "big.yaml").open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(YamlError, match="at most 1 MiB"):
            load(tmp_path / "big.yaml")


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_text_gives_a_tree_or_one_problem(text: str) -> None:
    try:
        load(text, "f.yaml")
    except YamlError as wrong:
        assert len(wrong.problems) == 1
        assert wrong.problems[0].startswith("f.yaml:") and "\n" not in wrong.problems[0]
        assert wrong.problems[0].isprintable()


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", min_size=1), inner, max_size=4),
    max_leaves=10,
)


@given(TREES)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_what_stock_yaml_writes_is_read_back(value: object) -> None:
    # PyYAML puts in quotes whatever YAML 1.1 would take for something else, so both agree on what it writes.
    text = yaml.dump(value, Dumper=_NoAliases)
    assert plain(load(text)) == value


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


# --- the decoder


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, slots=True)
class Inner:
    name: Annotated[str, Matches("[a-z]+", "lower case")]
    where: Where


@dataclass(frozen=True, slots=True)
class Outer:
    count: Annotated[int, Between(1, 5)]
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    colours: frozenset[Colour] = frozenset()
    labels: Mapping[str, Annotated[tuple[str, ...], OneOrMany(), NotEmpty()]] | None = None
    wait: Duration = Duration(1.0)
    room: Size = Size(1)
    on: bool = False
    ratio: float = 0.5
    mode: Literal["fast", "safe"] = "safe"
    place: Path | None = None
    password: Annotated[str, Hidden()] = ""
    animal: Annotated[str, OneOf(frozenset({"cat", "dog"}), "an animal")] = "cat"
    rest: Node | None = None


def wrong(text: str, kind: type = Outer, path: str = "") -> list[str]:
    with pytest.raises(YamlError) as caught:
        decode(load(text, "f.yaml"), kind, path)
    return list(caught.value.problems)


def test_everything_decodes() -> None:
    value = decode(
        load(
            "count: 3\ninner: {name: abc}\nmany:\n  - {name: x}\n  - {name: y}\ncolours: [red]\nlabels: {env: prod, tier: [a, b]}\n"
            "wait: 1h30m\nroom: 256KiB\non: true\nratio: 2\nmode: fast\nplace: /tmp/x\npassword: s3cret\nanimal: dog\nrest: {a: [1]}\n",
            "f.yaml",
        ),
        Outer,
    )
    assert value.count == 3
    assert value.inner == Inner("abc", Where("f.yaml", 2))
    assert [one.where.line for one in value.many] == [4, 5]
    assert value.colours == {Colour.RED}
    assert dict(value.labels or {}) == {"env": ("prod",), "tier": ("a", "b")}
    assert (value.wait, value.room, value.on, value.ratio, value.mode) == (5400.0, 262144, True, 2.0, "fast")
    assert value.place == Path("/tmp/x")
    assert value.password == "s3cret"
    assert value.animal == "dog"
    assert isinstance(value.rest, Node)


def test_all_problems_come_at_once_each_where_it_is() -> None:
    assert wrong("count: 9\ninner: {name: ABC, nmae: x}\nmany: [1]\ncolours: [rde, red, red]\nlabels: {env: 1}\nwait: 5\nroom: 5KB\n"
                 "on: no\nratio: x\nmode: fats\nplace: 7\nanimal: dgo\nrooms: 1\n") == [
        'f.yaml:13: found the unknown key "rooms", expected one of count, inner, many, colours, labels, wait, room, on, ratio, mode, place, '
        "password, animal, rest (did you mean room?)",
        "f.yaml:1: count: found the number 9, expected 1 to 5",
        'f.yaml:2: inner: found the unknown key "nmae", expected one of name (did you mean name?)',
        'f.yaml:2: inner.name: found "ABC", expected lower case',
        "f.yaml:3: many[0]: found the number 1, expected a mapping",
        'f.yaml:4: colours[0]: found "rde", expected one of red, green (did you mean red?)',
        "f.yaml:5: labels.env: found the number 1, expected text (in quotes where it looks like something else)",
        "f.yaml:6: wait: found the number 5, expected a duration such as 45s, 10m, 1h30m or 7d",
        'f.yaml:7: room: found "5KB", expected a size such as 512B, 256KiB or 1MiB',
        'f.yaml:8: on: found "no", expected true or false: write false',
        'f.yaml:9: ratio: found "x", expected a number',
        'f.yaml:10: mode: found "fats", expected one of fast, safe (did you mean fast?)',
        "f.yaml:11: place: found the number 7, expected text (in quotes where it looks like something else)",
        'f.yaml:12: animal: found "dgo", expected an animal (did you mean dog?)',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("on: 1", "f.yaml:1: found no key count, expected the key count"),
        ("[]", "f.yaml:1: found a list of 0, expected a mapping"),
        ("", "f.yaml:1: found nothing, expected a mapping"),
        ("count: 010", 'f.yaml:1: count: found "010", expected a whole number: write a plain decimal number'),
        ("count: 1.0", "f.yaml:1: count: found the number 1.0, expected a whole number"),
        ("count: true", "f.yaml:1: count: found true, expected a whole number"),
        ("count: '1'", 'f.yaml:1: count: found "1", expected a whole number'),
        ("{count: 1, on: 1}", "f.yaml:1: on: found the number 1, expected true or false"),
        ("{count: 1, colours: red}", 'f.yaml:1: colours: found "red", expected a list'),
        ("{count: 1, colours: [red, red]}", 'f.yaml:1: colours[1]: found "red" twice, expected each once'),
        ("{count: 1, labels: {a: []}}", "f.yaml:1: labels.a: found a list of 0, expected at least one"),
        ("{count: 1, labels: []}", "f.yaml:1: labels: found a list of 0, expected a mapping"),
    ],
)
def test_one_problem(text: str, said: str) -> None:
    assert wrong(text)[0] == said


def test_a_secret_is_in_no_error() -> None:
    said = wrong("{count: 1, password: 12345678}")
    assert said == ["f.yaml:1: password: found something else, expected text in quotes"]


def test_what_is_found_cannot_drive_a_terminal() -> None:
    (said,) = wrong('count: "\\e[31mred\\u202e"')
    assert said.isprintable()
    assert "\\u001b[31mred\\u202e" in said


def test_what_is_found_is_cut() -> None:
    (said,) = wrong(f"count: {'x' * 5000}")
    assert len(said) < 200


def test_a_class_may_refuse() -> None:
    @dataclass(frozen=True)
    class Range:
        low: int
        high: int

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low to be at most high")

    assert wrong("\nlow: 3\nhigh: 2", Range, "range") == [
        "f.yaml:2: range: found this, expected low to be at most high"
    ]


def test_a_struct_decodes_too() -> None:
    class Point(msgspec.Struct, frozen=True):
        x: int
        y: int = 7
        tags: tuple[str, ...] = ()

    assert decode(load("x: 1"), Point) == Point(1)
    assert wrong("y: 1\nz: 2", Point) == [
        'f.yaml:2: found the unknown key "z", expected one of x, y, tags',
        "f.yaml:1: found no key x, expected the key x",
    ]


def test_a_type_that_cannot_be_is_the_programmers_fault() -> None:
    with pytest.raises(TypeError, match="cannot decode"):
        decode(load("1"), complex)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("10m", 600), ("1h30m", 5400), ("7d", 604800), ("250ms", 0.25), ("1d1h1m1s", 90061)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "1h 30m", "30m1h", "-5s", "1.5h", "1H", "5s\n", "٣s", "9999999s"])
def test_not_durations(text: str) -> None:
    with pytest.raises(ValueError, match="a duration such as"):
        duration(text)


@pytest.mark.parametrize(("text", "count"), [("512B", 512), ("256KiB", 262144), ("1MiB", 1 << 20), ("2GiB", 1 << 31)])
def test_sizes(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "5", "5KB", "5kib", "KiB", "1.5MiB", "1MiB\n"])
def test_not_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="a size such as"):
        size(text)


def test_did_you_mean() -> None:
    assert nearest("session-max", ["session_max", "reason"]) == " (did you mean session_max?)"
    assert nearest("credit_card", ["credit-card"]) == " (did you mean credit-card?)"
    assert nearest("xyzzy", ["session_max"]) == ""
    assert nearest("x" * 100_000, ["session_max"]) == ""


def test_what_is_public_exists() -> None:
    assert all(hasattr(strictyaml, name) for name in strictyaml.__all__)
