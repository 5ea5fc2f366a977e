"""What protected values become."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import MaskAction
from hooptui.masking import detectors, strategies
from hooptui.masking.strategies import REDACTED, Ruling
from tests.masking.samples import MIXED, PEM, POSITIVE, TOKEN

KEY = bytes(range(32))
SAMPLES = [(name, part) for name, samples in POSITIVE.items() for _, part in samples]


@pytest.mark.parametrize(
    ("detector", "value", "expected"),
    [
        ("credit-card", "4242424242424242", "████████████4242"),
        ("credit-card", "4242 4242 4242 4242", "████ ████ ████ 4242"),
        ("credit-card", "4242-4242-4242-4242", "████-████-████-4242"),
        ("us-ssn", "123-45-6789", "███-██-6789"),
        ("email", "bob@acme.io", "████@acme.io"),
        ("iban", "GB82 WEST 1234 5698 7654 32", "GB██ ████ ████ ████ ██54 32"),
        ("phone", "+49 151 12345678", "+██ ███ ████5678"),
        ("phone", "415-555-2671", "███-███-█671"),
        ("phone", "+4915123", "+█████23"),
        ("jwt", TOKEN, "████"),
        ("private-key", PEM, "████"),
        ("api-key", f"sk_live_{MIXED}", "████████████i9J0"),
        ("", "abc", "████"),
        ("", "secretword", "████████rd"),
        ("", "x" * 1000 + "tail", "████████████tail"),
        ("", "", "████"),
    ],
)
def test_partial(detector: str, value: str, expected: str):
    assert strategies.partial(value, detector) == expected


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_partial_keeps_a_quarter_at_most(value: str):
    shown = strategies.partial(value, "")
    kept = len(shown) - shown.count("█") + value[-4:].count("█")
    assert kept <= min(4, len(value) // 4) + value[-4:].count("█")
    assert shown.startswith("████")


@pytest.mark.parametrize(("name", "value"), SAMPLES)
@pytest.mark.parametrize("action", MaskAction)
def test_result_matches_no_detector(name: str, value: str, action: MaskAction):
    after = strategies.replaced(action, value, name, KEY)
    if action is MaskAction.NULL:
        assert after is None
        return
    assert after is not None
    assert value not in after
    assert detectors.hits(detectors.ALL, after) == []
    assert detectors.hits(detectors.ALL, strategies.plain(after)) == []


def test_pseudonym_is_keyed_stable_and_tells_kinds_apart():
    one = strategies.pseudonym("bob@acme.io", "email", KEY)
    assert one == strategies.pseudonym("bob@acme.io", "email", KEY)
    assert one != strategies.pseudonym("bob@acme.io", "email", bytes(32))
    assert one != strategies.pseudonym("bob@acme.io", "", KEY)
    assert one != strategies.pseudonym("eve@acme.io", "email", KEY)
    label, _, digest = one.partition("_")
    assert label == "email"
    assert len(digest) == 16
    assert set(digest) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("detector", "one", "other"),
    [
        ("credit-card", "4242 4242 4242 4242", "4242424242424242"),
        ("email", "Bob@Acme.IO", "bob@acme.io"),
        ("iban", "de89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("phone", "+49 151 123-45678", "+4915112345678"),
        ("us-ssn", "123-45-6789", "123456789"),
    ],
)
def test_pseudonym_does_not_depend_on_the_spelling(detector: str, one: str, other: str):
    assert strategies.pseudonym(one, detector, KEY) == strategies.pseudonym(other, detector, KEY)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=20), st.sampled_from(["", *detectors.ALL]))
def test_pseudonym_looks_like_nothing_real(value: str, detector: str):
    assert detectors.hits(detectors.ALL, strategies.pseudonym(value, detector, KEY)) == []


def test_the_stronger_ruling_wins_and_the_first_of_equals():
    order = [MaskAction.PARTIAL, MaskAction.HASH, MaskAction.REDACT, MaskAction.NULL]
    for weak, strong in itertools.pairwise(order):
        assert strategies.stronger(Ruling(weak, "a"), Ruling(strong, "b")).rule == "b"
        assert strategies.stronger(Ruling(strong, "b"), Ruling(weak, "a")).rule == "b"
    assert strategies.stronger(Ruling(order[0], "a"), Ruling(order[0], "b")).rule == "a"
    assert strategies.stronger(None, Ruling(order[0], "a")).rule == "a"


def test_kind_is_of_the_whole_value_only():
    assert strategies.kind("bob@acme.io") == "email"
    assert strategies.kind("mail bob@acme.io") == ""
    assert strategies.kind("") == ""


def test_ascii_variant():
    assert strategies.plain(REDACTED + "@acme.io") == "****@acme.io"


def test_no_pseudonym_has_a_run_of_digits():
    digests = [strategies.pseudonym(str(value), "", KEY) for value in range(400)]
    assert not [digest for digest in digests if re.search(r"[0-9]{9}|_be[0-9]{2}", digest)]
    assert len(set(digests)) == 400
