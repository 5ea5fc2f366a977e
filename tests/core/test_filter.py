"""The filter grammar: what it reads, what it refuses, and that no pattern can hold the screen up."""

from __future__ import annotations

import time
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.filter import FIELDS, LONGEST, FilterError, parse

NOW = 1_767_276_120.0  # 2026-01-01 14:02:00 UTC
LINE = {
    "id": "7f3a",
    "who": ("bot", "https://id.example#bot-7"),
    "via": "pg",
    "state": "live",
    "text": "DELETE FROM Payments WHERE id = 3",
}


def holds(text: str, at: float = NOW) -> bool:
    return parse(text, NOW, UTC).holds(LINE, at)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("who:bot", True),
        ("WHO:BOT", True),
        ("who:bo*", True),
        ("who:b?t", True),
        ("who:o*", False),
        ("who:bot-7", True),
        ("who:etl", False),
        ("via:pg|ssh", True),
        ("via:ssh|k8s", False),
        ("!via:ssh", True),
        ("!state:live", False),
        ("who:bot via:ssh", False),
        ("payments", True),
        ('"from payments"', True),
        ('text:"from payments"', True),
        ("!delete", False),
        ("~delete.*where", True),
        ("~^update", False),
        ("!~^update", True),
        ("text:~paym", True),
        ("who:~paym", False),
        ("rule:x", False),
        ("!rule:x", True),
        ("who:bot via:pg|ssh !state:idle ~payments after:-10m", True),
    ],
)
def test_terms(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("after:-10m", NOW - 599, True),
        ("after:-10m", NOW - 601, False),
        ("before:-10m", NOW - 601, True),
        ("!after:-1h", NOW - 3601, True),
        ("after:14:00", NOW - 119, True),
        ("after:14:00", NOW - 121, False),
        ("after:23:59", NOW - 3600, True),  # yesterday's, since today's is still to come
        ("after:2026-01-01T14:01", NOW - 59, True),
        ("after:2026-01-01T14:01", NOW - 61, False),
    ],
)
def test_times(text: str, at: float, expected: bool) -> None:
    assert holds(text, at) is expected


@pytest.mark.parametrize(
    ("text", "words", "column"),
    [
        ("via:pg whom:bot", "no field `whom`", 7),
        ("who:", "a value is missing", 0),
        ("via:pg|", "a value is missing", 0),
        ("!", "`!` stands before", 0),
        ("~", "`~` stands before", 0),
        ("~(", "not a regular expression", 0),
        ("after:soon", "is no time", 0),
        ("x" * (LONGEST + 1), "at most", LONGEST),
        ("~(a+)+b", "at most two open", 0),
        ("~(a|a)*b", "at most two open", 0),
        ("~a*b*c*d", "at most two open", 0),
        (r"~(a)\1", "at most two open", 0),
        ("~" + "a?" * 9, "at most two open", 0),
    ],
)
def test_refusals(text: str, words: str, column: int) -> None:
    with pytest.raises(FilterError, match=words.replace("`", ".").replace("(", r"\(")) as no:
        parse(text, NOW)
    assert no.value.column == column


def test_no_regular_expression_that_is_let_through_takes_long() -> None:
    worst = parse("~a*a*b", NOW)
    line = dict.fromkeys(FIELDS, "a" * 100000)
    began = time.process_time()
    worst.holds(line, NOW)
    assert time.process_time() - began < 5


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet='who:via|!~"*?()[]{}+\\ -10m', max_size=40))
def test_any_text_is_a_filter_or_an_error(text: str) -> None:
    try:
        found = parse(text, NOW, UTC)
    except FilterError as no:
        assert 0 <= no.column <= len(text)
        return
    assert found.holds(LINE, NOW) in (True, False)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.sampled_from(["who:bot", "via:ssh", "payments", "~delete", "after:-10m", "rule:x"]))
def test_negation_is_the_opposite(term: str) -> None:
    assert holds(term) is not holds("!" + term)
