"""The one renderer: every event has words, live and replayed look the same, tables line up, nothing hostile survives."""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.events import BODIES, Asked, Body, Decided, Event, Finished, Header, Omitted, Output, Rows
from hooptui.core.gate import Masked
from hooptui.tui.journal_words import describe, kind, mark_of
from hooptui.tui.player import Player
from hooptui.tui.text import clean, crop, fit, plain, row_width, span_of, width, wrap, wrap_row
from hooptui.tui.transcript import Memo, render, risky, skim
from tests.ui.scenes import HELD_TRANSCRIPT, KILLED_TRANSCRIPT, NOW, TRANSCRIPT

EVIL = "\x1b[2J\x07[bold]\u202e\x9b"


def lines_of(events: list[Event]) -> list[str]:
    memo, out = Memo(), []
    for event in events:
        lines, memo = render(event, memo)
        out += [f"{line.mark} {line.text}".strip() for line in lines]
    return out


def ev(body: Body) -> Event:
    return Event(NOW, "7f3a", body)


def filled(kind_of_body: type[Body]) -> Body:
    """A body with hostile text in every field that can hold text."""
    hints = get_type_hints(kind_of_body)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind_of_body):
        hint = str(hints[field.name])
        if "tuple[tuple" in hint:
            values[field.name] = ((EVIL, None), (EVIL, "x"))
        elif "tuple" in hint:
            values[field.name] = (EVIL, EVIL)
        elif "float" in hint:
            values[field.name] = 1.5
        elif "int" in hint:
            values[field.name] = 3
        elif "bool" in hint:
            values[field.name] = True
        else:
            values[field.name] = EVIL
    return kind_of_body(**values)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_every_event_has_words_of_its_own_and_they_are_inert(body: type[Body]) -> None:
    made = filled(body)
    row = describe(made)
    assert plain(row)
    assert not plain(row).startswith(f"{body.__name__}("), "no fallback"
    assert kind(made)
    assert mark_of(made)[0]
    texts = [plain(row), kind(made), *lines_of([ev(made)])]
    for text in texts:
        assert not set(text) & set("\x1b\x07\u202e\x9b\n")


def test_a_result_lines_up() -> None:
    table = [line for line in lines_of(TRANSCRIPT) if "│" in line]
    assert table[0] == "◀ id │ email        │ card               "[: len(table[0])].rstrip()
    assert {line.index("│") for line in (line.removeprefix("◀ ") for line in table)} == {3}
    assert "5 rows · 10 values masked (pii-cards)" in lines_of(TRANSCRIPT)


def test_rows_in_pieces_and_a_late_header_line_up_too() -> None:
    rows = [ev(Header(1, (Masked("a"), Masked("b"))))]
    rows += [ev(Rows(1, ((Masked("1"), Masked("xx")),))), ev(Rows(1, ((Masked("22"), None),)))]
    assert lines_of(rows) == ["◀ a │ b", "1 │ xx", "22 │ NULL"], "a wider value is not cut"
    assert lines_of([ev(Rows(1, ((Masked("1"),),)))])[0] == "◀ column 1"


def test_rows_beyond_what_is_shown_are_counted_and_the_cap_is_told() -> None:
    many = tuple((Masked(str(n)),) for n in range(512))
    events = [ev(Header(1, (Masked("n"),))), ev(Rows(1, many[:300])), ev(Rows(1, many[300:]))]
    done = ev(Finished(1, Masked("SELECT 512"), True, 512, 0, 3.0))
    assert "… 312 lines not shown, all recorded …" in lines_of([*events, done])
    cut = lines_of([*events, ev(Omitted(1, 1200, 3_100_000, 262_144)), done])
    assert "… 1 200 rows (3.1 MB) beyond the cap of 262.1 kB: the client saw them, the recording has not …" in cut
    assert not any("all recorded" in line for line in cut)


def test_live_and_replayed_cannot_be_told_apart() -> None:
    for events in (TRANSCRIPT, HELD_TRANSCRIPT, KILLED_TRANSCRIPT):
        assert lines_of(events) == lines_of(list(Player(events).events))


def test_skimming_counts_about_what_rendering_makes() -> None:
    for events in (TRANSCRIPT, HELD_TRANSCRIPT, KILLED_TRANSCRIPT):
        memo, counted = Memo(), 0
        for event in events:
            lines, memo = skim(event, memo)
            counted += lines
        assert abs(counted - len(lines_of(events))) <= len(events)


def test_what_a_reviewer_stops_at() -> None:
    assert [type(one.body).__name__ for one in HELD_TRANSCRIPT if risky(one)] == [
        "Decided",
        "Held",
        "Voted",
        "Decided",
        "Finished",
        "Held",
    ]
    assert not risky(ev(Decided(1, "allow", "policy", (), "", "")))
    assert not risky(ev(Output(1, "notice", Masked("x"))))


def test_a_long_statement_is_bounded() -> None:
    lines = lines_of([ev(Asked(1, "select", Masked("x\n" * 50_000), (), ()))])
    assert len(lines) < 80
    assert sum(map(len, lines)) < 10_000


# --- cells

TEXT = st.text(alphabet=st.sampled_from("ab 表🦊e\u0301\x1b\u202e\n\t█"), max_size=60)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(TEXT, st.integers(2, 40))
def test_text_fits_its_cells(text: str, cells: int) -> None:
    shown = clean(text)
    assert width(fit(shown, cells)) == cells
    for line in wrap(shown, cells):
        assert width(line) <= cells
    assert row_width(crop(((shown[:5], "a"), (shown[5:], "b")), cells)) <= cells


@settings(max_examples=300, derandomize=True, deadline=None)
@given(TEXT, TEXT, st.integers(4, 30))
def test_wrapping_spans_loses_nothing_but_spaces(one: str, other: str, cells: int) -> None:
    first, second = clean(one), clean(other)
    rows = wrap_row(((first, "a"), (second, "b")), cells)
    assert "".join(plain(row) for row in rows).replace(" ", "") == (first + second).replace(" ", "")
    assert all(row_width(row) <= cells for row in rows)


@pytest.mark.parametrize(
    ("seconds", "words"), [(-3, "0:00"), (47, "0:47"), (724, "12:04"), (8003, "2:13h"), (400_000, "4d")]
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert span_of(seconds) == words
