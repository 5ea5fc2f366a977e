"""The masks of one session, as the other rooms use them."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given, settings

from hooptui.core.model import Column, ColumnSource, MaskAction, MaskRule, MaskSet
from hooptui.core.ports import Masker, ResultMask
from hooptui.masking import detectors, make_masker
from hooptui.masking.masker import TEXT_LIMIT, VALUE_LIMIT
from tests.masking.helpers import BLOCKS, KEY
from tests.masking.samples import PEM, TOKEN
from tests.masking.test_detectors import MESS

NET = make_masker(MaskSet((MaskRule("net", detect=detectors.ALL, action=MaskAction.PARTIAL),)), KEY)
NOTHING = make_masker(MaskSet(), KEY)


def text_column(name: str, *source: str) -> Column:
    return Column(name, ColumnSource(*source) if source else None, 25)


def test_is_what_the_core_asks_for():
    masker: Masker = NET
    plan: ResultMask | None = masker.plan([text_column("note")])
    assert plan is not None
    assert masker.masks.rules[0].id == "net"
    assert not plan.forced


# --- free text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("SELECT 1", "SELECT 1"),
        (
            "INSERT INTO t VALUES ('bob@acme.io', '4242 4242 4242 4242')",
            "INSERT INTO t VALUES ('████@acme.io', '████ ████ ████ 4242')",
        ),
        (
            'invalid input syntax for type integer: "123-45-6789"',
            'invalid input syntax for type integer: "███-██-6789"',
        ),
        ("Key (email)=(bob@acme.io) already exists.", "Key (email)=(████@acme.io) already exists."),
        (f"token {TOKEN}", "token ████"),
        ("\x00bob@acme.io\x00", "\x00████@acme.io\x00"),
        ("\ud800 bob@acme.io \udfff", "\ud800 ████@acme.io \udfff"),
        ("\ud800\x00", "\ud800\x00"),
        ("", ""),
    ],
)
def test_text(raw: str, expected: str):
    assert NET.text(raw) == expected


def test_text_without_masks_is_the_very_same_object():
    raw = "bob@acme.io " * 10_000
    assert NOTHING.text(raw) is raw
    columns_only = make_masker(MaskSet((MaskRule("m", columns=("email",)),)), KEY)
    assert columns_only.text(raw) is raw


def test_clean_text_is_the_very_same_object():
    raw = "SELECT id FROM orders WHERE at > '2026-11-22 10:00:00'"
    assert NET.text(raw) is raw


@pytest.mark.parametrize("action", MaskAction)
def test_text_has_no_null(action: MaskAction):
    masker = make_masker(MaskSet((MaskRule("m", detect=("email",), action=action),)), KEY)
    shown = masker.text("to bob@acme.io now")
    assert shown.startswith("to ")
    assert shown.endswith(" now")
    assert "bob@" not in shown


@settings(max_examples=300, deadline=None, derandomize=True)
@given(MESS)
def test_text_is_masked_as_a_field_is(text: str):
    text = text.replace("\ud800", "")
    plan = NET.plan([text_column("c")])
    assert plan is not None
    mask = plan.columns[0]
    assert mask is not None
    after, _ = mask.apply(text.encode())
    assert after is not None
    assert after.decode() == NET.text(text)
    assert NET.text(NET.text(text)) == NET.text(text)


def test_long_text_is_cut_and_says_so():
    shown = NET.text("x " * TEXT_LIMIT)
    assert shown == "x " * (TEXT_LIMIT // 2) + f"… ‹{TEXT_LIMIT} characters more›"
    assert NET.text("x" * TEXT_LIMIT) == "x" * TEXT_LIMIT


@pytest.mark.parametrize(
    "value",
    [
        "4242 4242 4242 4242",
        "bob@acme.io",
        "DE89 3704 0044 0532 0130 00",
        TOKEN,
        PEM,
        "+49 151 12345678",
        "123-45-6789",
    ],
)
@pytest.mark.parametrize("inside", [1, 4, 8, 10])
def test_the_cut_never_shows_half_a_find(value: str, inside: int):
    for spare in ("", " tail" * 40_000):
        raw = ". " * ((TEXT_LIMIT - inside) // 2) + " " * (inside % 2) + value + spare
        shown = NET.text(raw)
        assert shown.endswith("characters more›")
        rest = shown[shown.rindex(". ") + 2 :].strip()
        assert rest.startswith("…")


def test_a_secret_longer_than_the_window_is_left_out_whole():
    header, _, rest = TOKEN.partition(".")
    raw = "x " * (TEXT_LIMIT // 2 - 100) + f"{header}.{rest.partition('.')[0]}" + "A" * (3 * TEXT_LIMIT) + ".sig"
    shown = NET.text(raw)
    assert header not in shown
    assert shown.startswith("x x ")
    assert NET.text("A" * (4 * TEXT_LIMIT)).startswith("… ‹")


@pytest.mark.parametrize("unit", ["4242 ", "a@b.io ", "eyJ-", "4 ", "@", "-----BEGIN PRIVATE KEY-----", "DE89 "])
def test_text_of_any_length_takes_bounded_time(unit: str):
    started = time.thread_time()
    shown = NET.text(unit * (8_000_000 // len(unit)))
    assert time.thread_time() - started < 5
    assert len(shown) < 3 * TEXT_LIMIT


# --- plans


def test_nothing_to_mask_needs_no_plan():
    columns = [text_column("id"), text_column("note")]
    assert NOTHING.plan(columns) is None
    assert make_masker(MaskSet((MaskRule("m", columns=("email",)),)), KEY).plan(columns) is None
    assert NET.plan([]) is None


def test_neither_alias_nor_rename_escapes():
    masker = make_masker(MaskSet((MaskRule("pii", columns=("*.email", "customers.ssn")),)), KEY)
    plan = masker.plan(
        [
            text_column("x", "public", "customers", "email"),
            text_column("email", "public", "customers", "id"),
            text_column("email"),
            text_column("id", "public", "customers", "ssn"),
            text_column("ssn", "public", "orders", "ssn"),
            text_column("id", "public", "customers", "id"),
        ]
    )
    assert plan is not None
    assert plan.forced
    assert plan.suspects(b"")
    assert [mask is not None for mask in plan.columns] == [True, True, True, True, False, False]
    for mask in plan.columns[:4]:
        assert mask is not None
        assert mask.apply(b"anything") == (BLOCKS.encode(), "pii")


def test_rules_unite_and_the_strongest_wins():
    rules = (
        MaskRule("soft", columns=("email",), detect=("email", "iban"), action=MaskAction.PARTIAL),
        MaskRule("hard", columns=("*mail",), detect=("email",), action=MaskAction.NULL),
        MaskRule("late", columns=("email",), detect=("email",), action=MaskAction.HASH),
    )
    for order in (rules, rules[::-1]):
        plan = make_masker(MaskSet(order), KEY).plan([text_column("email"), text_column("note")])
        assert plan is not None
        forced, net = plan.columns
        assert forced is not None
        assert net is not None
        assert forced.apply(b"bob@acme.io") == (None, "hard")
        assert net.apply(b"see bob@acme.io") == (None, "hard")
        assert net.apply(b"NO9386011117947") == ("NO█████████7947".encode(), "soft")


def test_only_the_detectors_in_force_look():
    masker = make_masker(MaskSet((MaskRule("m", detect=("iban",)),)), KEY)
    plan = masker.plan([text_column("c")])
    assert plan is not None
    assert not plan.suspects(b"bob@acme.io 4242 4242 4242 4242")
    assert plan.suspects(b"NO9386011117947")
    assert masker.text("bob@acme.io") == "bob@acme.io"


def test_ascii_for_other_client_encodings():
    columns = [text_column("note"), Column("j", None, 3802), text_column("email")]
    plan = make_masker(
        MaskSet((MaskRule("m", columns=("email",), detect=("email",), action=MaskAction.PARTIAL),)), KEY
    ).plan(columns, ascii_only=True)
    assert plan is not None
    for mask, value in zip(plan.columns, (b"bob@acme.io", b'["bob@acme.io"]', b"bob@acme.io"), strict=True):
        assert mask is not None
        after, _ = mask.apply(value)
        assert after is not None
        assert after.isascii()
        assert b"****@acme.io" in after


# --- transcripts


def test_transcribe_shows_rows_as_people_read_them():
    columns = [
        Column("n", None, 20, binary=True),
        text_column("t"),
        Column("u", None, 90_001, binary=True),
        Column("b", None, 16),
    ]
    rows = [[struct.pack("!q", 7), "é".encode(), b"\x00\x01", b"t"], [None, b"\xff", None, b""]]
    assert NET.transcribe(columns, rows) == (("7", "é", "‹binary 2›", "t"), (None, "\ufffd", None, ""))
    assert NOTHING.transcribe(columns, rows) == NET.transcribe(columns, rows)
    assert NET.transcribe([], [[b"bob@acme.io"]]) == (("‹11 bytes›",),)


def test_transcribe_masks_what_slipped_through():
    columns = [Column("n", None, 20, binary=True), text_column("t"), Column("a", None, 1009, binary=True)]
    array = struct.pack("!iiIiii", 1, 0, 25, 1, 1, 11) + b"bob@acme.io"
    row = NET.transcribe(columns, [[struct.pack("!q", 4242424242424242), b"bob@acme.io", array]])[0]
    assert row == ("████████████4242", "████@acme.io", "{████@acme.io}")


def test_transcribe_cuts_long_values_but_never_through_a_find():
    [[shown]] = NET.transcribe([text_column("t")], [[b"x" * 5000]])
    assert shown is not None
    assert shown == "x" * VALUE_LIMIT + "…"
    [[shown]] = NET.transcribe([text_column("t")], [[b"x " * 95 + b" 4242 4242 4242 4242 and more" * 3]])
    assert shown is not None
    assert "4242" not in shown
    assert len(shown) < VALUE_LIMIT + 40
    [[shown]] = NOTHING.transcribe([text_column("t")], [["é".encode() * 100_000]])
    assert shown == "é" * VALUE_LIMIT + "…"


@pytest.mark.timeout(30)
def test_statement_of_a_huge_value_stays_cheap():
    """Only the beginning of a value is ever looked at, or 70 MB would not be done within the test's limit."""
    [[shown]] = NET.transcribe([text_column("t")], [[b"a@b.io " * 10_000_000]])
    assert shown is not None
    assert len(shown) < 4 * VALUE_LIMIT, "a mask may be longer than what it hides"


# --- construction


def test_wrong_rules_do_not_make_a_masker():
    with pytest.raises(ValueError, match="no detector 'ssn'"):
        make_masker(MaskSet((MaskRule("m", detect=("ssn",)),)), KEY)
    with pytest.raises(ValueError, match="column pattern"):
        make_masker(MaskSet((MaskRule("m", columns=("a.b.c.d",)),)), KEY)
    with pytest.raises(ValueError, match="32 bytes"):
        make_masker(MaskSet(), b"short")


def test_the_key_is_not_shown():
    plan = NET.plan([text_column("c")])
    for thing in (NET, plan, plan.columns[0] if plan else None):
        assert repr(KEY) not in repr(thing)
        assert KEY.hex() not in repr(thing)
