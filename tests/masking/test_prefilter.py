"""The fast look over raw bytes: it may doubt too much, never too little."""

from __future__ import annotations

import dataclasses
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import Column, MaskAction, MaskRule, MaskSet
from hooptui.masking import detectors, pg_types, prefilter
from hooptui.masking.masker import make_masker
from hooptui.masking.plan import NetColumn, Plan
from hooptui.masking.prefilter import PythonScreen, screen, watched
from tests.masking.samples import POSITIVE
from tests.masking.test_detectors import MESS

KEY = bytes(32)
EVERY = frozenset(detectors.ALL)
ENGINES = {"chosen": screen(EVERY), "python": PythonScreen(watched(EVERY))}
MASKER = make_masker(MaskSet((MaskRule("net", detect=detectors.ALL, action=MaskAction.PARTIAL),)), KEY)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "text"), [(name, text) for name, samples in POSITIVE.items() for text, _ in samples])
def test_each_sample_passes_its_own_screen(engine: str, name: str, text: str):
    data = text.encode()
    assert ENGINES[engine](data)
    assert name in ENGINES[engine].which(data)
    assert screen(frozenset((name,)))(data)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(MESS, st.sampled_from(sorted(ENGINES)))
def test_no_detector_finds_what_its_screen_missed(text: str, engine: str):
    names = ENGINES[engine].which(text.encode("utf-8", "surrogatepass"))
    assert detectors.hits(detectors.ALL, text) == detectors.hits(names, text)


def test_ordinary_statements_are_not_suspected():
    one = ENGINES["chosen"]
    for text in (
        "SELECT id, name FROM orders WHERE created_at > '2026-11-22 10:10:10+01' AND id = 123456 LIMIT 50",
        "BEGIN",
        "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y') RETURNING *",
        "SELECT '550e8400-e29b-41d4-a71b-4466554400ab'::uuid, 192.168.0.1, 3.14159",
    ):
        assert not one(text.encode())
        assert one.which(text.encode()) == frozenset()


# --- whole messages: whatever a column's mask would change, the look at the message sees


def data_row(values: list[bytes]) -> bytes:
    body = struct.pack("!H", len(values)) + b"".join(struct.pack("!i", len(value)) + value for value in values)
    return b"D" + struct.pack("!i", len(body) + 4) + body


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 and at % 2 else char for at, char in enumerate(text))


def array_literal(text: str) -> str:
    return '{x,"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"}'


def record_literal(text: str) -> str:
    return '(1,"' + text.replace("\\", "\\\\").replace('"', '""') + '")'


def binary_array(element: int, value: bytes) -> bytes:
    return struct.pack("!iiI", 1, 0, element) + struct.pack("!ii", 1, 1) + struct.pack("!i", len(value)) + value


def json_string(text: str) -> str:
    return (
        '{"secret_key": "'
        + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\x00", "")
        + '"}'
    )


CARD_NUMBERS = st.sampled_from(["4242424242424242", "378282246310005", "1234567890", "4242424242424241"])


@st.composite
def fields(draw: st.DrawFn) -> tuple[int, bool, bytes]:
    """A type, a format and a value of it."""
    text = draw(MESS).replace("\ud800", "?")
    raw = text.encode()
    card = draw(CARD_NUMBERS)
    return draw(
        st.sampled_from(
            [
                (pg_types.TEXT, False, raw),
                (pg_types.VARCHAR, True, raw),
                (pg_types.TEXT, False, text.encode("latin-1", "replace")),
                (pg_types.JSON, False, json_string(text).encode()),
                (pg_types.JSON, False, f'["{escaped(card)}", {card}, {card[0]}.{card[1:]}e{len(card) - 1}]'.encode()),
                (pg_types.JSONB, True, b"\x01" + json_string(text).encode()),
                (pg_types.JSONB, False, b"[" + card.encode() + b".00]"),
                (pg_types.INT8, False, card.encode()),
                (pg_types.INT8, True, struct.pack("!q", int(card))),
                (pg_types.NUMERIC, False, f"-{card}.50".encode()),
                (pg_types.FLOAT8, False, repr(float(card)).encode()),
                (pg_types.FLOAT8, False, f"{float(card):.15e}".encode()),
                (pg_types.FLOAT8, False, b"4.24242e+15"),
                (pg_types.JSON, False, b"[4.24242E15]"),
                (pg_types.FLOAT8, True, struct.pack("!d", float(card))),
                (pg_types.BYTEA, False, b"\\x" + raw.hex().encode()),
                (pg_types.BYTEA, True, raw),
                (1009, False, array_literal(text).encode()),
                (1009, True, binary_array(pg_types.TEXT, raw)),
                (1016, False, f"{{1,{card}}}".encode()),
                (1016, True, binary_array(pg_types.INT8, struct.pack("!q", int(card)))),
                (199, False, array_literal(f'"{escaped(card)}"').encode()),
                (pg_types.RECORD, False, record_literal(text).encode()),
                (pg_types.RECORD, True, struct.pack("!iIi", 1, pg_types.INT8, 8) + struct.pack("!q", int(card))),
                (90_001, False, raw),
                (90_001, True, raw),
                (90_002, True, struct.pack("!iIi", 1, pg_types.TEXT, len(raw)) + raw),
                (3926, False, f"[{card},)".encode()),
                (pg_types.XML, False, raw),
            ]
        )
    )


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.lists(fields(), min_size=1, max_size=4), st.booleans())
def test_suspects_whatever_would_change(row: list[tuple[int, bool, bytes]], python: bool):
    plan = MASKER.plan([Column(f"c{at}", None, oid, binary) for at, (oid, binary, _) in enumerate(row)])
    if plan is None:
        return
    if python:
        plan = dataclasses.replace(plan, screen=PythonScreen(watched(EVERY, frozenset(prefilter.EXTRA))))
    message = data_row([value for _, _, value in row])
    for mask, (_, _, value) in zip(plan.columns, row, strict=True):
        if mask is None:
            continue
        assert isinstance(mask, NetColumn)
        bare = dataclasses.replace(mask, gate=None).apply(value)
        assert mask.apply(value)[0] == bare[0]
        if bare[0] is not value:
            assert plan.suspects(message)
            assert plan.suspects(data_row([b"", value]) + message)


@pytest.mark.parametrize("size", range(16, 200))
def test_no_field_length_hides_a_card(size: int):
    """The word boundary trap: bytes of the length word in front of a value can be digits and letters."""
    value = b"4242424242424242" + b" " * (size - 16)
    plan = MASKER.plan([Column("c", None, pg_types.TEXT)])
    assert plan is not None
    assert plan.suspects(data_row([value]))
    assert plan.suspects(data_row([b"9" * 12, value, b"4" * 12]))


@pytest.mark.parametrize(
    "oid", [pg_types.INT8, pg_types.NUMERIC, pg_types.FLOAT8, 1016, 1231, 3926, 3906, pg_types.RECORD, 90_001]
)
def test_binary_numbers_make_every_row_worth_reading(oid: int):
    columns = [Column("a", None, pg_types.TEXT), Column("n", None, oid, binary=True)]
    plan = MASKER.plan(columns)
    assert isinstance(plan, Plan)
    assert plan.forced
    assert plan.suspects(data_row([b"x", struct.pack("!q", 1)]))
    other = make_masker(MaskSet((MaskRule("m", detect=("email",)),)), KEY).plan(columns)
    assert other is not None
    assert other.forced == (oid in (pg_types.RECORD, 90_001))


def test_inert_columns_need_no_plan():
    columns = [
        Column("c", None, oid, binary)
        for oid in (16, 21, 23, 26, 1082, 1114, 1184, 2950, 869, 1007, 22, 30)
        for binary in (True, False)
    ]
    assert MASKER.plan(columns) is None


def test_databases_are_shared():
    assert screen(frozenset(("email", "iban"))) is screen(frozenset(("iban", "email")))


def test_threads_have_their_own_scratch():
    one = screen(EVERY)
    wrong: list[bytes] = []

    def look(data: bytes, expected: bool) -> None:
        wrong.extend(data for _ in range(300) if one(data) is not expected)

    threads = [
        threading.Thread(target=look, args=(b"x" * 5000 + end, flag))
        for end, flag in ((b" bob@acme.io", True), (b"", False)) * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_watched_suspects_nothing():
    assert not screen(frozenset())(b"4242424242424242")
    assert not PythonScreen([])(b"4242424242424242")
