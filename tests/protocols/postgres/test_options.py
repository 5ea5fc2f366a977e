"""What clients ask for at start-up: the server's rules for what is the server's, and wishes that go no further."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.protocols.postgres.options import WISH_MAX, Asked, OptionsRefused, read

quick = settings(max_examples=150, deadline=None, derandomize=True)


def asked(options: str, **more: str) -> Asked:
    return read({"user": "u", "options": options, **more})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", {}),
        ("-c a=b", {"a": "b"}),
        ("-ca=b  --work-mem=1MB\t-c c=", {"a": "b", "work_mem": "1MB", "c": ""}),
        ("-c search_path=a\\ b,\\\\c -c X=1=2", {"search_path": "a b,\\c", "x": "1=2"}),
        ("-c a=1 -c a=2", {"a": "2"}),
    ],
)
def test_options_are_read_as_the_server_does(options, expected):
    assert read({"user": "u", "database": "d", "options": options}).settings == expected


def test_a_parameter_wins_over_the_same_in_options():
    found = read({"user": "u", "options": "-c application_name=a", "application_name": "b"})
    assert found.settings == {"application_name": "b"}


@pytest.mark.parametrize(
    "parameters",
    [
        {"options": "-c role=admin"},
        {"options": "--Session-Authorization=x"},
        {"options": "-c\\ role=admin"},
        {"role": "admin"},
        {"ROLE": "admin"},
        {"options": "-cSESSION_PRELOAD_LIBRARIES=x"},
        {"options": "-d 5"},
        {"options": "-c"},
        {"options": "-c a"},
        {"options": "--"},
        {"options": "--=x"},
        {"options": "-c a\\ =x"},
        {" role": "admin"},
        {"options": "stray"},
        {"options": "\\"},
    ],
)
def test_options_not_understood_or_not_allowed_are_refused(parameters):
    with pytest.raises(OptionsRefused):
        read({"user": "u", **parameters})


@pytest.mark.parametrize(
    "options",
    [
        "-c hooptui.reason=INC-812:\\ rebuild\\ index",
        "-chooptui.reason=INC-812:\\ rebuild\\ index",
        "--hooptui.reason=INC-812:\\ rebuild\\ index",
        "-c hooptui.reason='INC-812: rebuild index'",
        "--hooptui.reason='INC-812: rebuild 'index",
        "-c HOOPTUI.Reason='INC-812: rebuild index  '",
    ],
)
def test_a_reason_is_taken_out_in_each_way_of_writing_it(options):
    found = asked(f"-c work_mem=1MB {options} -c search_path=a\\ b")
    assert found.purpose == "INC-812: rebuild index" and not found.emergency
    assert found.settings == {"work_mem": "1MB", "search_path": "a b"}
    assert found.parameters == {"user": "u", "options": "-c work_mem=1MB -c search_path=a\\ b"}


def test_a_wish_may_be_a_parameter_of_its_own():
    found = read({"user": "u", "hooptui.break_glass": "orders are down", "Hooptui.reason": "x y", "work_mem": "1MB"})
    assert (found.purpose, found.emergency) == ("x y", "orders are down")
    assert found.parameters == {"user": "u", "work_mem": "1MB"} and found.settings == {"work_mem": "1MB"}


def test_nothing_is_left_of_options_that_held_wishes_only():
    found = asked("-c hooptui.reason='it\\'s' --hooptui.break-glass=now")
    assert (found.purpose, found.emergency) == ("it's", "now")
    assert found.parameters == {"user": "u"} and not found.settings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            "-c hooptui.reasons=x",
            "has no start-up setting hooptui.reasons; it has hooptui.reason and hooptui.break_glass",
        ),
        ("-c hooptui.=x", "hooptui."),
        ("-c hooptui.reason=", "hooptui.reason is empty"),
        ("-c hooptui.break_glass='  '", "hooptui.break_glass is empty"),
        (f"-c hooptui.reason={'x' * (WISH_MAX + 1)}", "has 501 characters; 500 are allowed"),
        ("-c hooptui.reason='open", "the quote in start-up option 'hooptui.reason=open' is not closed"),
        ("-c hooptui.reason=two words", "'words' is not supported"),
    ],
)
def test_a_wish_that_cannot_be_taken_is_refused_by_name(options, words):
    with pytest.raises(OptionsRefused) as refused:
        asked(options)
    assert words in str(refused.value)


def test_quotes_are_the_server_s_own_business_elsewhere():
    assert asked("-c a='x -c b=y'").settings == {"a": "'x", "b": "y'"}


def test_a_text_full_of_quotes_costs_no_time():
    began = time.process_time()
    for text in ("-c hooptui.reason=" + "'" * 9_900, "-c a=" + "'" * 9_900, "-c hooptui." + "a" * 5_000 + "'" * 4_000):
        with contextlib.suppress(OptionsRefused):
            asked(text)
    assert time.process_time() - began < 1.0


@quick
@given(st.text("-c=h'\\ \tab.", max_size=40) | st.text(max_size=40))
def test_no_text_makes_a_wish_go_on(text):
    with contextlib.suppress(OptionsRefused):
        found = asked(f"-c hooptui.reason={text} -c work_mem=1MB")
        assert "hooptui" not in str(found.settings)
        # What goes on is read by the server as it was read here.
        again = read(found.parameters)
        assert again.settings == found.settings and not again.purpose and not again.emergency
