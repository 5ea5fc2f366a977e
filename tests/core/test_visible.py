"""Text from outside is shown, never obeyed."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SELECT 1", "SELECT 1"),
        ("\x1b[31mred\x1b]0;title\x07", "␛[31mred␛]0;title␇"),
        ("\x9b2J", "\\x9b2J"),
        ("a\x00b\x7f", "a␀b␡"),
        ("DROP\u202e elbat", "DROP\\u202e elbat"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028para\u2029", "line\\u2028para\\u2029"),
        ("lone\ud83d", "lone\\ud83d"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("vs\ufe0f\U000e0100", "vs\\ufe0f\\U000e0100"),
        ("Grüße 日本語 🙂 █", "Grüße 日本語 🙂 █"),
        ("a\nb\tc\r", "a␊b␉c␍"),
    ],
)
def test_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_newlines_and_tabs_stay_only_when_asked() -> None:
    assert visible("a\nb\tc\r\x1b", keep="\n\t") == "a\nb\tc␍␛"
    assert visible("a\nb\tc", keep="\n") == "a\nb␉c"
    assert visible("a\nb\tc", keep="\t") == "a␊b\tc"


def test_every_control_format_surrogate_and_separator_character_is_replaced() -> None:
    """Against Python's own character database, so that a newer Unicode version shows what was forgotten."""
    passed = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and chr(code) in visible(chr(code))
    ]
    assert passed == []


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_the_result_is_printable_encodable_and_stable(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in shown)
    assert visible(shown) == shown
