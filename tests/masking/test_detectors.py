"""What the detectors find and leave alone, and that hostile text cannot make them slow."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.masking import detectors, digits
from tests.masking.samples import AWS_SECRET, NEGATIVE, PEM, POSITIVE, TOKEN

POSITIVES = [(name, *sample) for name, samples in POSITIVE.items() for sample in samples]
NEGATIVES = [(name, text) for name, samples in NEGATIVE.items() for text in samples]


def found(name: str, text: str) -> list[str]:
    return [text[start:end] for start, end in detectors.find(name, text)]


def test_table_is_large_enough():
    assert len(POSITIVES) + len(NEGATIVES) >= 120
    assert set(POSITIVE) == set(NEGATIVE) == set(detectors.ALL)


@pytest.mark.parametrize(("name", "text", "part"), POSITIVES)
def test_finds(name: str, text: str, part: str):
    assert part in found(name, text)


@pytest.mark.parametrize(("name", "text"), NEGATIVES)
def test_leaves_alone(name: str, text: str):
    assert found(name, text) == []


@pytest.mark.parametrize(("name", "text", "part"), POSITIVES)
@pytest.mark.parametrize("around", ["({})", '"{}"', "a {} b", "\n{}\n", "x:{};", "\x00{}\x00", "<{}>"])
def test_finds_in_other_company(name: str, text: str, part: str, around: str):
    whole = around.format(text)
    spans = [(start, end) for start, end in detectors.find(name, whole)]
    at = whole.index(part)
    assert any(start <= at and at + len(part) <= end for start, end in spans)


def test_two_finds_in_one_text():
    assert found("email", "a@b.io, c@d.io") == ["a@b.io", "c@d.io"]
    assert found("credit-card", "4242424242424242 and 5555555555554444") == ["4242424242424242", "5555555555554444"]
    assert found("private-key", f"{PEM}\n{PEM}") == [PEM, PEM]
    assert found("jwt", f"{TOKEN} {TOKEN}") == [TOKEN, TOKEN]


def test_a_truncated_key_does_not_take_the_next_one_along():
    text = f"-----BEGIN PRIVATE KEY-----\nMIIE\n{PEM}"
    assert found("private-key", text) == ["-----BEGIN PRIVATE KEY-----\nMIIE\n", PEM]


def test_overlapping_finds_become_one_hit():
    text = f"secret_access_key={AWS_SECRET} +4915112345678@acme.io"
    hits = detectors.hits(detectors.ALL, text)
    assert [(text[hit.start : hit.end], hit.detector, hit.whole) for hit in hits] == [
        (AWS_SECRET, "api-key", True),
        ("+4915112345678@acme.io", "email", True),
    ]
    assert hits[1].names == {"email", "phone"}


def test_unknown_detector_is_an_error():
    with pytest.raises(KeyError):
        detectors.hits(("ssn",), "x")


@settings(deadline=None, derandomize=True)
@given(st.integers(13, 19), st.data())
def test_one_wrong_digit_is_no_card(size: int, data: st.DataObject):
    body = "4" + data.draw(st.text("0123456789", min_size=size - 2, max_size=size - 2))
    numbers = [body + last for last in "0123456789"]
    assert sum(digits.is_card(number) for number in numbers) <= 1


@settings(deadline=None, derandomize=True)
@given(
    st.sampled_from(["DE89370400440532013000", "GB82WEST12345698765432", "NO9386011117947"]),
    st.integers(4, 14),
    st.sampled_from("0123456789"),
)
def test_one_wrong_digit_is_no_iban(iban: str, place: int, digit: str):
    changed = iban[:place] + digit + iban[place + 1 :]
    assert digits.is_iban(changed) == (changed == iban)


FRAGMENTS = [text for _, text, _ in POSITIVES] + [
    "@",
    "-",
    ".",
    " ",
    "+",
    "0",
    "4",
    "e",
    "ey",
    "\ud800",
    "\x00",
    "é",
    "-----",
    "secret=",
    "\\",
]
MESS = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8)), max_size=12).map("".join)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(MESS)
def test_never_fails_and_keeps_in_bounds(text: str):
    for name in detectors.ALL:
        for start, end in detectors.find(name, text):
            assert 0 <= start < end <= len(text)
    last = 0
    for hit in detectors.hits(detectors.ALL, text):
        assert last <= hit.start < hit.end
        last = hit.end


UNITS = [
    "4 ", "4242 ", "4242-", "424 ", "4", "1-", "a@", "a@b.", "@", "a" * 320 + "@", "a.", "eyJ-", "-ew", "eyJhbGciOiJIUzI1NiJ9.", "ey" * 20 + ".",
    "DE00 ", "DE89", "de89370400440532013001 ", "+1", "+49 ", "0123 ", "(415) ", "415-555-", "01 23 ", "AKIA", "sk-", "ghp_", "secret ", "secret key=",
    "AKIAIOSFODNN7EXAMPLE ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-----END", "123-45-", "xox", "\\", "SG.", "hooks.slack.com/services/", "'a", "é@é.",
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", detectors.ALL)
def test_hostile_text_comes_to_an_end(name: str):
    """A quadratic step would take minutes for one of these, and the limit of the test would name it."""
    for unit in UNITS:
        text = unit * (256_000 // len(unit))
        for start, end in detectors.find(name, text):
            assert 0 <= start < end <= len(text), unit
