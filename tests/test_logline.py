"""Log lines: one event, one line, nothing a terminal would obey."""

from __future__ import annotations

from hooptui.core.events import Decided, Event, LoginFailed, Rows
from hooptui.core.gate import Masked
from hooptui.logline import line


def test_one_line_with_keys() -> None:
    text = line(Event(0.0, "7f3a", Decided(3, "deny", "policy", ("no-ddl",), "DDL goes away", "v1")))
    assert (
        text
        == '1970-01-01T00:00:00.000+00:00 Decided session=7f3a operation=3 effect=deny why=policy rules=no-ddl reason="DDL goes away" policy=v1 approval=0'
    )


def test_hostile_text_is_shown_and_cut() -> None:
    text = line(Event(0.0, "", LoginFailed("x", "postgres", Masked("\x1b[2J\nevil=1"), "p", Masked("a" * 5000))))
    assert text is not None
    assert "\x1b" not in text
    assert "\n" not in text
    assert '"␛[2J␊evil=1"' in text
    assert len(text) < 1000


def test_rows_stay_in_recordings() -> None:
    assert line(Event(0.0, "7f3a", Rows(1, ((Masked("x"),),)))) is None
