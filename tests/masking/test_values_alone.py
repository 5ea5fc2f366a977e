"""Masked values without a server: hostile payloads, encodings, and what must never be left."""

from __future__ import annotations

import decimal
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import MaskAction
from hooptui.core.ports import ColumnMask
from hooptui.masking import detectors, pg_binary, pg_text, pg_types, transcript
from tests.masking.helpers import binary_numeric, forced, net
from tests.masking.samples import NEGATIVE, POSITIVE
from tests.masking.test_detectors import MESS


def text_mask(action: MaskAction = MaskAction.PARTIAL, *, ascii_only: bool = False) -> ColumnMask:
    mask = net(action, ascii_only=ascii_only)(pg_types.TEXT, False)
    assert mask is not None
    return mask


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, samples in POSITIVE.items() for text, _ in samples])
@pytest.mark.parametrize("action", MaskAction)
def test_every_sample_is_masked_in_text(name: str, text: str, action: MaskAction):
    after, rule = text_mask(action).apply(text.encode())
    assert rule == "net"
    if action is MaskAction.NULL:
        assert after is None
        return
    assert after is not None
    assert detectors.hits(detectors.ALL, after.decode()) == []


@pytest.mark.parametrize("text", sorted({text for samples in NEGATIVE.values() for text in samples}))
def test_what_is_none_of_these_is_the_same_object(text: str):
    others = [name for name in detectors.ALL if detectors.find(name, text)]
    value = text.encode()
    after, rule = text_mask().apply(value)
    assert (after is value, rule) == (not others, "net" if others else "")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(MESS, st.sampled_from(list(MaskAction)), st.booleans())
def test_masked_text_matches_nothing(text: str, action: MaskAction, ascii_only: bool):
    value = text.replace("\ud800", "").encode()
    after, rule = text_mask(action, ascii_only=ascii_only).apply(value)
    if after is None:
        assert action is MaskAction.NULL
        return
    assert detectors.hits(detectors.ALL, after.decode()) == []
    assert (after is value) == (rule == "")


def test_what_one_mask_leaves_does_not_make_a_new_find():
    cards = " ".join(["4242 4242 4242 4242"] * 3)
    after, _ = text_mask().apply(cards.encode())
    assert after is not None
    assert detectors.hits(detectors.ALL, after.decode()) == []


def test_other_encodings_keep_their_bytes():
    value = "café bob@acme.io ü".encode("latin-1")
    assert text_mask(MaskAction.REDACT).apply(value) == ("café **** ü".encode("latin-1"), "net")
    assert text_mask(MaskAction.REDACT, ascii_only=True).apply("é bob@acme.io".encode()) == ("é ****".encode(), "net")
    assert forced(MaskAction.REDACT, pg_types.TEXT, ascii_only=True).apply(b"x") == (b"****", "pii")
    assert forced(MaskAction.PARTIAL, pg_types.TEXT, ascii_only=True).apply(b"4242424242424242") == (
        b"************4242",
        "pii",
    )


def test_padding_is_not_what_partial_keeps():
    assert forced(MaskAction.PARTIAL, pg_types.BPCHAR).apply(b"4242424242424242    ") == (
        "████████████4242".encode(),
        "pii",
    )


def test_a_hashed_column_joins_with_what_a_detector_hashed():
    column, _ = forced(MaskAction.HASH, pg_types.TEXT).apply(b"Bob@acme.io")
    found, _ = text_mask(MaskAction.HASH).apply(b"bob@acme.io")
    assert column == found
    assert column is not None
    assert column.startswith(b"email_")


BROKEN = [
    (pg_types.INT8, True, b"123"), (pg_types.NUMERIC, True, b"\x00\x05\x00\x00\x00\x00\x00\x00"), (pg_types.NUMERIC, True, b""), (pg_types.FLOAT8, True, b"1"),
    (1009, True, b"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x19\x7f\xff\xff\xff\x00\x00\x00\x01 a@b.io"), (1009, True, b"a@b.io"),
    (1009, True, struct.pack("!iii", 7, 0, 25) + b"a@b.io" * 20), (1009, False, b"{a@b.io"), (1009, False, b"a@b.io"), (1009, False, b"{a@b.io}}"), (1009, False, b'{"a@b.io}'),
    (pg_types.JSONB, True, b"\x02{\"a\": \"a@b.io\"}"), (pg_types.JSONB, True, b"\x01{a@b.io"), (pg_types.JSON, False, b"{'a@b.io'}"), (pg_types.JSON, False, b'"a@b.io'),
    (pg_types.JSON, False, b'["\\x", "a@b.io"]'), (pg_types.RECORD, False, b"(a@b.io"), (pg_types.RECORD, False, b"a@b.io"), (pg_types.RECORD, True, b"\x00\x00\x00\x02a@b.io"),
    (pg_types.RECORD, True, b"\xff\xff\xff\xff"), (pg_types.BYTEA, False, b"\\xabcdefabcdefabcdefabcdefa"), (pg_types.INT8, False, b"x4242424242424242"), (3926, True, b""),
    (3926, True, b"\x00\x00\x00\x00\x08abc"), (4536, True, b"\x00\x00\x00\x09"),
]  # fmt: skip


@pytest.mark.parametrize(("oid", "binary", "value"), BROKEN)
def test_what_cannot_be_read_becomes_null(oid: int, binary: bool, value: bytes):
    mask = net()(oid, binary)
    assert mask is not None
    assert mask.apply(value) == (None, "net")


def test_nesting_is_bounded():
    value = b"x bob@acme.io"
    for _ in range(40):
        value = struct.pack("!iIi", 1, pg_types.RECORD, len(value)) + value
    mask = net()(pg_types.RECORD, True)
    assert mask is not None
    assert mask.apply(value) == (None, "net")
    assert transcript.render(value, pg_types.RECORD, binary=True)
    deep = net()(pg_types.JSON, False)
    assert deep is not None
    assert (
        deep.apply(b"[" * 100_000 + b'"a@b.io"' + b"]" * 100_000)[0]
        == b"[" * 100_000 + '"████"'.encode() + b"]" * 100_000
    )


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.binary(max_size=80),
    st.sampled_from(
        [*sorted(pg_types.ELEMENTS)[:20], 17, 20, 25, 114, 701, 1009, 1016, 1700, 2249, 3802, 3906, 3926, 4536, 90_001]
    ),
    st.booleans(),
)
def test_hostile_payloads_are_masked_nulled_or_passed(value: bytes, oid: int, binary: bool):
    for mask in (net()(oid, binary), forced(MaskAction.PARTIAL, oid, binary)):
        if mask is None:
            continue
        after, _ = mask.apply(value)
        assert after is None or isinstance(after, bytes)
    assert isinstance(transcript.render(value, oid, binary), str)


@settings(deadline=None, derandomize=True)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**22), max_value=10**22))
def test_numeric_is_decoded_as_it_was_written(number: decimal.Decimal):
    value = binary_numeric(number)
    assert decimal.Decimal(pg_binary.numeric_text(value)) == number
    whole = str(abs(int(number))).lstrip("0")
    assert pg_binary.numeric_whole(value) in (whole, "") if len(whole) > 19 else pg_binary.numeric_whole(value) == whole
    assert pg_text.whole_digits(f"{number:f}") == whole[:20]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.sampled_from(["bob@acme.io", 4242424242424242])), lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)), max_leaves=12), st.booleans())  # fmt: skip
def test_json_stays_json_and_only_finds_change(document: object, escape: bool):
    text = json.dumps(document, ensure_ascii=escape)
    mask = net()(pg_types.JSON, False)
    assert mask is not None
    after, rule = mask.apply(text.encode("utf-8", "surrogatepass"))
    if after is None:
        assert "\ud800" <= max(text) <= "\udfff" or any("\ud800" <= char <= "\udfff" for char in text)
        return
    loaded = json.loads(after)
    if rule:
        assert "bob@acme.io" not in json.dumps(loaded)
        assert "4242424242424242" not in json.dumps(loaded)
    else:
        assert loaded == document


def test_json_with_half_a_surrogate_stays_json():
    mask = net()(pg_types.JSON, False)
    assert mask is not None
    after, _ = mask.apply(b'["\\ud800 bob@acme.io \\u00e9"]')
    assert after is not None
    assert json.loads(after) == ["\ud800 ████ é"]


def test_binary_array_says_that_it_has_a_null_now():
    value = struct.pack("!iiIii", 1, 0, pg_types.INT8, 2, 1) + struct.pack("!iqiq", 8, 7, 8, 4242424242424242)
    mask = net()(1016, True)
    assert mask is not None
    expected = struct.pack("!iiIii", 1, 1, pg_types.INT8, 2, 1) + struct.pack("!iqi", 8, 7, -1)
    assert mask.apply(value) == (expected, "net")


def test_finds_that_reach_beyond_one_another_are_hidden_whole():
    """An e-mail address that begins inside a web hook's secret path: its domain is not all that is left to hide."""
    after, _ = text_mask().apply(b"see hooks.slack.com/services/T00000000/B000/abcdefghij@acme.io now")
    assert after == "see ████ now".encode()
