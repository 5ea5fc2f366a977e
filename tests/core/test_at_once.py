"""`ask_at_once` is `ask` where nothing has to be waited for: the same permit and record, or nothing at all."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.core.clock import ManualClock
from hooptui.core.events import Decided
from hooptui.core.gate import Permit, Refused, Why
from hooptui.core.model import Access, Decision, Operation
from hooptui.core.session import READ_ONLY, Session

from .world import TERMS, Book, Says, allow, deny, hold, house, operation, session


def told(approval: object, remaining: float) -> None:
    raise AssertionError("nobody is told anything")


def nothing_happened(one: Session, book: Book, before: int = 0) -> bool:
    return book.events[before:] == [] and one.counters.operations == 0 and one.state != "running"


@given(st.sets(st.sampled_from(sorted(READ_ONLY)), min_size=1), st.lists(st.text(), max_size=2))
def test_permit_and_record_are_those_of_ask(commands, parameters):
    permits, books = [], []
    for quick in (True, False):
        book = Book()
        one = session(house(Says(lambda _: allow()), book))
        asked = operation("SELECT SECRET", *sorted(commands))
        asked = Operation(asked.protocol, asked.verb, asked.text, asked.facts, tuple(parameters))
        if quick:
            permit = one.ask_at_once(asked)
        else:
            with pytest.raises(StopIteration) as done:
                one.ask(asked, told).send(None)
            permit = done.value.value
        assert isinstance(permit, Permit) and one.state == "running" and one.counters.operations == 1
        permits.append((permit.number, permit.rules))
        books.append([event.body for event in book.events])
    assert permits[0] == permits[1] and books[0] == books[1]
    assert [type(body).__name__ for body in books[0]] == ["Asked", "Decided"]


@pytest.mark.parametrize("answer", [deny(), hold()], ids=["deny", "hold"])
def test_any_other_answer_than_allow_is_left_to_ask(answer):
    book = Book()
    one = session(house(Says(lambda _: answer), book))
    assert one.ask_at_once(operation("SELECT 1", "select")) is None
    assert nothing_happened(one, book)


@pytest.mark.parametrize("command", ["delete", "call", "set", "drop", "unknown"])
def test_what_may_change_something_is_left_to_ask_which_waits_for_the_disk(command):
    book = Book()
    one = session(house(Says(lambda _: allow()), book))
    assert one.ask_at_once(operation("SELECT 1", "select", command)) is None
    assert nothing_happened(one, book)


def test_what_is_not_understood_is_left_to_ask_whatever_the_policy_says():
    book = Book()
    one = session(house(Says(lambda _: allow()), book))
    assert one.ask_at_once(operation("SELECT 1", "select", unknown="no idea")) is None
    assert nothing_happened(one, book)


def test_a_policy_that_fails_is_left_to_ask():
    def fails(_: Operation) -> Decision:
        raise ZeroDivisionError

    book = Book()
    one = session(house(Says(fails), book))
    assert one.ask_at_once(operation("SELECT 1", "select")) is None
    assert nothing_happened(one, book)


@dataclass
class Shut:
    """A session that may not go on, and what there is on record of that."""

    session: Session
    book: Book

    @property
    def silent(self) -> bool:
        before = len(self.book.events)
        return self.session.ask_at_once(operation("SELECT 1", "select")) is None and len(self.book.events) == before


def shut(*, deadline: float | None = None) -> Shut:
    book = Book()
    return Shut(session(house(Says(lambda _: allow()), book, ManualClock(100.0)), deadline=deadline), book)


def test_a_frozen_session_asks_nothing_until_it_is_thawed():
    one = shut()
    one.session.freeze(True, "ops-1")
    assert one.silent
    one.session.freeze(False, "ops-1")
    assert one.session.ask_at_once(operation("SELECT 1", "select")) is not None


async def test_a_killed_session_asks_nothing():
    one = shut()
    await one.session.kill("ops-1", "now")
    assert one.silent


def test_a_closed_session_asks_nothing():
    one = shut()
    one.session.closed("the client left")
    assert one.silent


def test_a_session_past_its_deadline_asks_nothing():
    one = shut(deadline=100.0)
    assert one.silent


def test_a_session_that_nobody_has_let_in_asks_nothing():
    one = shut()
    one.session.access = Access(frozenset({"jit"}), TERMS, "in time")
    assert one.silent


def test_what_cannot_be_recorded_does_not_run():
    book = Book()
    one = session(house(Says(lambda _: allow()), book))
    book.broken = "disk full"
    with pytest.raises(Refused) as no:
        one.ask_at_once(operation("SELECT 1", "select"))
    assert no.value.why is Why.UNRECORDED and no.value.detail == "disk full" and one.state == "live"


def test_a_verdict_that_cannot_be_recorded_is_a_refusal_on_record_where_that_can_be():
    book = Book()
    one = session(house(Says(lambda _: allow()), book))
    append = book.append

    def once(event):
        if isinstance(event.body, Decided) and event.body.effect == "allow":
            book.broken = "disk full"
            try:
                append(event)
            finally:
                book.broken = ""
        append(event)

    book.append = once  # type: ignore[method-assign]
    with pytest.raises(Refused):
        one.ask_at_once(operation("SELECT 1", "select"))
    assert [(body.effect, body.why) for body in book.bodies(Decided)] == [("deny", "unrecorded")]
