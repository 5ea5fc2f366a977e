"""Every event survives its line; nothing else is read."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.audit import encoding
from hooptui.audit.codec import Unreadable, Unwritable, decode_event, encode_event
from hooptui.core.events import BODIES, Alert, Body, Event, Finished, GatewayStopped, Held, SessionOpened
from hooptui.core.gate import Masked
from tests.audit.making import body_of, opened

SAMPLE = Event(1.5, "7f3a", Alert("code", Masked("text")))


@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
def test_every_kind_comes_back_the_same(kind: type[Body]) -> None:
    for text in ("x", "", "\x00\x1b[31m\u202e\n\r\\\"'é日本🙂"):
        event = Event(1_700_000_000.123456, "7f3a", body_of(kind, text))
        line = encode_event(event)
        assert b"\n" not in line
        line.decode("utf-8")
        assert decode_event(line) == event
        assert list(json.loads(line)) == ["at", "session", "kind", "data"]


def test_kinds_are_snake_case_of_the_class() -> None:
    assert json.loads(encode_event(Event(1.0, "a", opened())))["kind"] == "session_opened"


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=()), max_size=5))
def test_any_text_is_one_utf8_line_and_surrogates_are_replaced_the_same_way_every_time(text: str, session: str) -> None:
    event = Event(1.0, session, Alert(text, Masked(text)))
    line = encode_event(event)
    assert line == encode_event(event)
    assert b"\n" not in line
    kept = text.encode("utf-8", "backslashreplace").decode()
    back = decode_event(line)
    assert back.body == Alert(kept, Masked(kept))
    assert back.session == session.encode("utf-8", "backslashreplace").decode()


def test_surrogates_deep_inside_are_replaced() -> None:
    event = Event(1.0, "a", replace(opened(), groups=("ok", "\ud83d")))
    body = decode_event(encode_event(event)).body
    assert isinstance(body, SessionOpened)
    assert body.groups == ("ok", "\\ud83d")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_are_refused_by_name(number: float) -> None:
    finished = body_of(Finished)
    assert isinstance(finished, Finished)
    with pytest.raises(Unwritable, match=r"finished\.milliseconds is not a finite number"):
        encode_event(Event(1.0, "a", replace(finished, milliseconds=number)))
    held = body_of(Held)
    assert isinstance(held, Held)
    with pytest.raises(Unwritable, match=r"held\.expires_at"):
        encode_event(Event(1.0, "a", replace(held, expires_at=number)))
    with pytest.raises(Unwritable, match="time of an event"):
        encode_event(Event(number, "a", GatewayStopped("x")))


def test_what_cannot_be_written_names_the_kind_and_never_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = body_of(Finished)
    assert isinstance(huge, Finished)
    assert decode_event(encode_event(Event(1.0, "a", replace(huge, rows=1 << 70)))).body == replace(huge, rows=1 << 70)
    with pytest.raises(Unwritable, match="finished: TypeError"):
        encode_event(Event(1.0, "a", replace(huge, tag=object())))  # type: ignore[arg-type]  # what a defect might do
    with pytest.raises(Unwritable, match="Body is no kind of event"):
        encode_event(Event(1.0, "a", Body()))
    monkeypatch.setattr(encoding, "MAX_LINE", 100)
    with pytest.raises(Unwritable, match="alert takes 1089 bytes") as caught:
        encode_event(Event(1.0, "a", Alert("c", Masked("s3cret" * 170))))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda line: line | {"kind": "nonsense"}, "unknown kind of event: 'nonsense'"),
        (lambda line: line | {"kind": "\x1b[2J"}, r"unknown kind of event: '\\x1b\[2J'"),
        (lambda line: line | {"extra": 1}, "extra"),
        (lambda line: line | {"data": line["data"] | {"zz": 1}}, "zz"),
        (lambda line: line | {"data": {"code": "c"}}, "text"),
        (lambda line: line | {"data": {"code": "c", "text": 7}}, "text"),
        (lambda line: line | {"at": None}, "at"),
        (lambda line: {key: value for key, value in line.items() if key != "session"}, "session"),
    ],
)
def test_reading_is_strict_and_names_what_is_wrong(change, words) -> None:  # type: ignore[no-untyped-def]  # lambdas above
    with pytest.raises(Unreadable, match=words):
        decode_event(json.dumps(change(json.loads(encode_event(SAMPLE)))).encode())


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=200) | st.integers(0, 400).map(lambda n: (encode_event(SAMPLE) * 3)[:n]))
def test_garbage_is_an_error_of_ours_or_an_event(garbage: bytes) -> None:
    try:
        decode_event(garbage)
    except Unreadable:
        return
    assert garbage == encode_event(SAMPLE)


def test_deep_nesting_is_an_error_of_ours() -> None:
    with pytest.raises(Unreadable):
        decode_event(b'{"at":1,"session":"a","kind":"alert","data":' + b"[" * 100_000)


def test_a_line_written_before_a_field_had_a_default_is_read_with_the_default() -> None:
    line = json.loads(encode_event(Event(1.0, "a", body_of(Finished))))
    del line["data"]["masks"]
    body = decode_event(json.dumps(line).encode()).body
    assert isinstance(body, Finished)
    assert body.masks == ()
