"""Log lines: one event, one line, nothing a terminal would obey."""

from __future__ import annotations

from hooptui.core.events import Asked, Decided, Event, Finished, Held, LoginFailed, Rows
from hooptui.core.gate import Masked
from hooptui.logline import UNDECIDED, Log, line


def test_one_line_with_keys() -> None:
    text = line(Event(0.0, "7f3a", Decided(3, "deny", "policy", ("no-ddl",), "DDL goes away", "v1")))
    assert (
        text
        == '1970-01-01T00:00:00.000+00:00 Decided session=7f3a operation=3 effect=deny why=policy rules=no-ddl reason="DDL goes away" policy=v1 approval=0'
    )


def test_hostile_text_is_shown_and_cut() -> None:
    text = line(Event(0.0, "", LoginFailed("x", "postgres", Masked("\x1b[2J\nevil=1"), "p", Masked("a" * 5000))))
    assert "\x1b" not in text
    assert "\n" not in text
    assert '"␛[2J␊evil=1"' in text
    assert len(text) < 1000


def test_rows_stay_in_recordings() -> None:
    assert not list(Log().lines([Event(0.0, "7f3a", Rows(1, ((Masked("x"),),)))]))


def asked(session: str, number: int, text: str) -> Event:
    return Event(0.0, session, Asked(number, "select", Masked(text), ("select",), ()))


def decided(session: str, number: int, effect: str, why: str) -> Event:
    return Event(0.0, session, Decided(number, effect, why, ("a-rule",), "", "v1"))


def test_what_the_policy_alone_allows_has_no_line() -> None:
    done = Event(0.0, "a", Finished(1, Masked("SELECT 1"), True, 1, 0, 0.1))
    assert not list(Log().lines([asked("a", 1, "SELECT 1"), decided("a", 1, "allow", "policy"), done]))


def test_anything_else_has_its_question_with_it_even_when_they_come_apart() -> None:
    log = Log()
    assert not list(log.lines([asked("a", 1, "DROP-1"), asked("b", 1, "fine")]))
    told = list(log.lines([decided("b", 1, "allow", "policy"), decided("a", 1, "deny", "policy")]))
    assert ["DROP-1" in told[0], "effect=deny" in told[1], len(told)] == [True, True, 2]
    held = Event(0.0, "a", Held(2, 1, "no-where", "why", ("dba",), 1, "high", 9.0))
    told = list(log.lines([asked("a", 2, "DELETE-2"), held, decided("a", 2, "allow", "approved")]))
    assert ["DELETE-2" in told[0], "Held" in told[1], "why=approved" in told[2], len(told)] == [True, True, True, 3]


def test_questions_without_an_answer_do_not_pile_up() -> None:
    log = Log()
    assert not list(log.lines(asked(str(number), 1, "SELECT") for number in range(3 * UNDECIDED)))
    assert len(log._asked) == UNDECIDED
