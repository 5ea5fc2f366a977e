"""Patterns: the two directions in which they fail closed, and hostile names."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.policy.match import any_glob, covers, split, touches


def touched(pattern: str, name: str) -> bool:
    return touches([pattern])([split(name.lower())])


def covered(pattern: str, *names: str) -> bool:
    return covers([pattern])(frozenset(names))


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("t", "t"),
        ("t", "public.t"),
        ("public.t", "public.t"),
        ("public.t", "t"),
        ("*.t", "t"),
        ("*.t", "a.t"),
        ("secret.*", "anything"),
        ("secret.*", "secret.x"),
        ("t*", "a.t1"),
        ("*", "a.b"),
        ("*", "a"),
        ("T", "t"),
        ("t", "T"),
        ("Public.T", "PUBLIC.t"),
        ("se?ret.t", "secret.t"),
        ("t", '"x.y".t'),
        ("secret.*", 'secret."a.b"'),
        ("a?b", '"a.b"'),
    ],
)
def test_a_deny_is_touched(pattern: str, name: str) -> None:
    assert touched(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("t", "tt"),
        ("t", "t.x"),
        ("public.t", "other.t"),
        ("public.t", "public.tt"),
        ("secret.*", "public.t"),
        ("*.t", "a.tt"),
        ("secret.*", '"secret.x".t'),
        ("s.t", '"s.t"'),
        ("t?", "t"),
    ],
)
def test_a_deny_is_not_touched(pattern: str, name: str) -> None:
    assert not touched(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("t", "t"),
        ("public.t", "public.t"),
        ("t*", "t1"),
        ("public.*", "public.x"),
        ("*.t", "a.t"),
        ("*", "a.b"),
        ("*", '"a.b".c'),
        ("*.*", "a.b"),
    ],
)
def test_an_allow_covers(pattern: str, name: str) -> None:
    assert covered(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("t", "public.t"),
        ("public.t", "t"),
        ("*.t", "t"),
        ("t*", "secret.t"),
        ("t*", "t.secret"),
        ("public.*", "t"),
        ("public.*", "public.a.b"),
        ("*.*", "a"),
        ("t", "T"),
        ("T", "t"),
        ("public.t", '"public.t"'),
        ("public.*", '"public.t"'),
        ("public.*", '"public.x".t'),
        ("t*", '"t.x"'),
        ("*.*", '"a.b"'),
        ("?public.t?", '"public.t"'),
        ("public.*", 'public."a""b"'),
        ("t", "t\n"),
        ("t*", "t\n.x"),
    ],
)
def test_an_allow_does_not_cover(pattern: str, name: str) -> None:
    assert not covered(pattern, name)


def test_an_allow_wants_all_and_a_deny_wants_one() -> None:
    assert covered("a", "a")
    assert not covered("a", "a", "b")
    assert covers(["a", "b*"])(frozenset({"a", "b", "b2"}))
    assert touches(["a"])([split("z"), split("a")])
    assert not touches(["a"])([])
    assert covered("a"), "what touches nothing is covered by any pattern"


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("t", (None, "t")),
        ("s.t", ("s", "t")),
        ('"a.b"', (None, "a.b")),
        ('s."a.b"', ("s", "a.b")),
        ('"a.b".t', ("a.b", "t")),
        ('"a""b"', (None, 'a"b')),
        ('d.s."x.y"', ("s", "x.y")),
        ("", (None, "")),
        ('"', (None, '"')),
    ],
)
def test_names_come_apart(name: str, pair: tuple[str | None, str]) -> None:
    assert split(name) == pair


@given(st.text("ab*?", max_size=6), st.text("ab", max_size=8))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_globs_mean_what_fnmatch_means(glob: str, text: str) -> None:
    assert any_glob((glob,))(text) == fnmatch.fnmatchcase(text, glob)


@given(st.text(max_size=12), st.text(max_size=12))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_other_characters_stand_for_themselves(glob: str, text: str) -> None:
    plain = glob.replace("*", "").replace("?", "")
    assert any_glob((plain,))(text) == (plain == text)
    assert any_glob((plain + "*",))(plain + text)


NAMES = st.from_regex(r'[ab]{1,2}(\.[ab]{1,2})?|"a\.b"|a\."b\.a"', fullmatch=True)
PATTERNS = st.from_regex(r"[ab*?]{1,2}(\.[ab*?]{1,2})?", fullmatch=True)


@given(PATTERNS, NAMES)
@settings(max_examples=500, deadline=None, derandomize=True)
def test_what_an_allow_covers_a_deny_of_the_same_words_touches(pattern: str, name: str) -> None:
    if covered(pattern, name):
        assert touched(pattern, name)


def test_no_name_makes_a_pattern_slow() -> None:
    glob = "*a" * 30 + "b"
    started = time.thread_time()
    assert not any_glob((glob,))("a" * 50_000)
    assert not covered(glob, "a" * 50_000)
    assert not touched(glob, "a" * 50_000)
    assert time.thread_time() - started < 2
