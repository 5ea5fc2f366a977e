"""Masking a stream: the same as masking the whole, however it is cut, and nothing a person waits for is held."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import MaskAction, MaskRule, MaskSet
from hooptui.masking import detectors, seams, strategies
from hooptui.masking.prefilter import screen
from hooptui.masking.strategies import Ruling
from hooptui.masking.streams import HELD_MAX, LONG_PATIENCE, PATIENCE, StreamMasker
from hooptui.masking.treatments import Net
from tests.masking.samples import AWS_SECRET, NEGATIVE, PEM, POSITIVE, TOKEN
from tests.masking.streaming import KEY, PAINT, STAMPS, chunked, fed, interleaved, masker, steering, visible
from tests.masking.test_detectors import FRAGMENTS

MORE = [
    ("MT84 MALT 0110 0001 2345 MTLC AST0 01S",) * 2,
    (f"AKIAIOSFODNN7EXAMPLE  |  {AWS_SECRET}", AWS_SECRET),
    (f"AccountKey={'aB3d' * 21}==",) * 2,
    (f"https://hooks.slack.com/services/{'T0/B1/x9' * 3}", f"hooks.slack.com/services/{'T0/B1/x9' * 3}"),
]
SECRETS = [*(sample for samples in POSITIVE.values() for sample in samples), *MORE]
"""A text, and the part of it that is the secret."""
LONG_TOKEN = f"{TOKEN.split('.', maxsplit=1)[0]}.{'aB3_' * 3500}.{'c2ln' * 500}"
LONG_KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{('MIIEpAIBAAKCAQEA' * 4 + chr(10)) * 240}-----END RSA PRIVATE KEY-----"
ACTIONS = (MaskAction.REDACT, MaskAction.PARTIAL, MaskAction.HASH)


def whole(text: str, action: MaskAction) -> str:
    """What the masks of free text make of it, in the characters a stream may use."""
    rulings = {name: Ruling(action, "net") for name in detectors.ALL}
    return strategies.plain(Net(rulings, KEY).text(text) or "")


# --- the same as the whole


WORDS = [
    *FRAGMENTS,
    *(text for texts in NEGATIVE.values() for text in texts),
    "\n",
    " ",
    "\r\n",
    ",",
    '"',
    "1 2 ",
    "- ",
    "(",
    "de89 3704 ",
]
TEXT = st.lists(
    st.one_of(st.sampled_from([word for word in WORDS if "\ud800" not in word]), st.text("ab4 .-@\n:,é", max_size=6)), max_size=14
).map("".join)  # fmt: skip


@settings(max_examples=500, deadline=None, derandomize=True)
@given(TEXT, st.sampled_from(ACTIONS), st.lists(st.integers(1, 40), max_size=30))
def test_any_chunks_give_what_the_detectors_make_of_the_whole(text: str, action: MaskAction, sizes: list[int]):
    text = text.replace("\x1b", "")
    data = text.encode()
    chunks, at = [], 0
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    assert strategies.plain(fed(masker(action), [*chunks, data[at:]]).decode()) == whole(text, action)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(TEXT)
def test_no_detector_looks_across_a_seam(text: str):
    for end in range(1, len(text)):
        if seams.last(text[:end]) == end:
            parts = [*detectors.hits(detectors.ALL, text[:end])]
            for hit in detectors.hits(detectors.ALL, text[end:]):
                parts.append(detectors.Hit(hit.start + end, hit.end + end, hit.detector, hit.names, hit.whole))
            assert parts == detectors.hits(detectors.ALL, text), (text[:end], text[end:])


@pytest.mark.parametrize(("sample", "secret"), SECRETS)
def test_every_sample_byte_by_byte(sample: str, secret: str):
    for around in ("{}", "a {} b\n", '"{}",', "x:{};"):
        text = around.format(sample)
        data = text.encode()
        for action in ACTIONS:
            out = fed(masker(action), [data[at : at + 1] for at in range(len(data))])
            assert out.decode() == whole(text, action)
            assert secret not in out.decode()


MESSY = st.lists(
    st.one_of(
        st.sampled_from([word.encode() for word in WORDS if "\ud800" not in word]),
        st.sampled_from(
            [b"\x1b", b"\x1b[", b"\x1b[31m", b"\x1b]0;", b"bob@acme.io\x07", b"\x1bP", b"\x1b\\", b"\r", b"\x08", b"\x1b[5;1H", b"\x9b", b"\xc3", b"\x1b(", b"\x18"]
        ),
        st.binary(max_size=6),
    ),
    max_size=14,
).map(b"".join)  # fmt: skip


@settings(max_examples=600, deadline=None, derandomize=True)
@given(MESSY, st.randoms(use_true_random=False))
def test_chunks_make_no_difference_to_any_bytes(data: bytes, dice: random.Random):
    once = fed(masker(), [data])
    assert fed(masker(), chunked(data, dice)) == once
    assert fed(masker(), [data[at : at + 1] for at in range(len(data))]) == once


@settings(max_examples=400, deadline=None, derandomize=True)
@given(MESSY, st.randoms(use_true_random=False))
def test_bytes_without_a_find_come_out_as_they_went_in(data: bytes, dice: random.Random):
    stream = masker()
    out = fed(stream, chunked(data, dice))
    if not stream.counts:
        assert out == data


@settings(max_examples=300, deadline=None, derandomize=True)
@given(MESSY, st.lists(st.floats(0, 0.1), max_size=200), st.randoms(use_true_random=False))
def test_whatever_the_time_bytes_without_a_find_are_untouched_and_in_order(
    data: bytes, pauses: list[float], dice: random.Random
):
    stream, now, out = masker(), 0.0, b""
    for number, chunk in enumerate(chunked(data, dice)):
        now += pauses[number] if number < len(pauses) else 0.0
        out += stream.release(now).data + stream.feed(chunk, now).data
    out += stream.close().data
    if not stream.counts:
        assert out == data


# --- nothing leaks


def planted(dice: random.Random, stamps: Sequence[bytes]) -> tuple[bytes, list[str]]:
    """A stream with secrets in it, control sequences between their characters, and the secrets."""
    out, secrets = bytearray(), []
    for _ in range(dice.randint(1, 3)):
        text, secret = dice.choice(SECRETS)
        rate = dice.choice((0.0, 0.1, 0.5))
        out += dice.choice(
            (b"", b"total 12\r\n", b"user: ", b"[ok] ", b"\x1b[32mvalue\x1b[0m = ", b"\xff\xfe, ", "größe: ".encode())
        )
        out += interleaved(text, dice, rate, stamps)
        out += dice.choice((b"\n", b"\r\n", b"; ", b'", ', b"\x1b[0m\n"))
        secrets.append(secret)
    return bytes(out), secrets


@pytest.mark.parametrize("turns", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_thousands_of_chunkings_leak_nothing(turns: int) -> None:
    dice = random.Random(4242)
    leaked: list[tuple[int, str]] = []
    for turn in range(turns):
        paint = turn % 2 == 0
        data, secrets = planted(dice, PAINT if paint else STAMPS)
        before = visible(data)
        out = fed(masker(), chunked(data, dice))
        seen = visible(out)
        assert all(secret.replace("\n", "") in before.replace("\r", "").replace("\n", "") for secret in secrets)
        assert not paint or seen == whole(before, MaskAction.REDACT), (data, out)
        leaked += [(turn, secret) for secret in secrets if secret in seen]
        assert steering(out) == steering(data), (data, out)
    assert leaked == []


@pytest.mark.parametrize("secret", [LONG_TOKEN, LONG_KEY, LONG_KEY.replace("\n", "\r\n"), LONG_KEY.replace("\n", "\\n")], ids=["jwt", "pem", "crlf", "escaped"])  # fmt: skip
@pytest.mark.parametrize("size", [1, 61, 4096, 100_000])
def test_long_secrets_are_seen_whole(secret: str, size: int):
    data = f"before {secret} after\n".encode()
    for action in ACTIONS:
        stream = masker(action)
        out = fed(stream, [data[at : at + size] for at in range(0, len(data), size)]).decode()
        assert out == whole(data.decode(), action)
        assert len(out) < 60
        assert stream.counts == {"net": 1}


@pytest.mark.parametrize(
    ("begin", "unit", "end"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----\n", "MIIEpAIBAAKCAQEAx0Y\n", "#"),
        ("sk-", "aB3d", " "),
        (TOKEN.split(".", maxsplit=1)[0] + ".", "aB3d", " "),
        ("eyJ", "aB3d", " "),
    ],
)
def test_a_value_longer_than_what_may_be_held_is_masked_to_its_end(begin: str, unit: str, end: str):
    body = unit * (200_000 // len(unit))
    data = f"x: {begin}{body}{end}after\n".encode()
    once = fed(masker(), [data])
    assert once == f"x: ****{end}after\n".encode()
    for size in (4097, 33_000):
        stream = masker()
        out = b""
        for at in range(0, len(data), size):
            out += stream.feed(data[at : at + size], 0.0).data
            assert len(stream._text) <= HELD_MAX
        assert out + stream.close().data == once


@pytest.mark.parametrize("unit", ["1 ", "4242 ", "AbCd+/", "Zz09", "+", "@", "a.", "\x1b[m", "4\r", "\x1b]0;", "\x1bP", "\u00e9", "\U0001f600", "-----BEGIN ", "ey.", "x\x08"])  # fmt: skip
def test_memory_is_bounded_and_hostile_streams_come_to_an_end(unit: str):
    data = (unit * (300_000 // len(unit))).encode()
    stream = masker()
    out = b""
    for at in range(0, len(data), 5000):
        out += stream.feed(data[at : at + 5000], 0.0).data
        assert len(stream._text) <= HELD_MAX
        assert len(stream._marks) <= 1024
    out += stream.close().data
    if not stream.counts:
        assert out == data


# --- and nothing waits


@pytest.mark.parametrize(
    "prompt",
    ["$ ", "# ", "bob-dev@web-01:~$ ", "[root@db-1 ~]# ", ">>> ", "mysql> ", "Password: ", "bob's password: ", "Continue? [y/N] ", "\x1b[01;32mroot@web\x1b[00m:\x1b[01;34m~\x1b[00m$ ",
     "\x1b]0;root@web: ~\x07root@web:~# ", "Verification code:"],
)  # fmt: skip
def test_a_prompt_is_not_held_at_all(prompt: str):
    stream = masker()
    stream.feed(b"total 0\r\n", 0.0)
    assert stream.feed(prompt.encode(), 5.0).data == prompt.encode()
    assert stream.due() is None


@pytest.mark.parametrize(
    "tail",
    ["bob", "secret: ", "secret=", "ghp_", "token=sk-", "4242 4242", "Enter 4 to 8 ", "-----", "ey", "DE89 ", "+49 ", "\x1b", "\x1b[3", "x\r"],
)  # fmt: skip
def test_what_could_be_a_beginning_is_held_for_thirty_milliseconds_at_most(tail: str):
    stream = masker()
    begun = stream.feed(tail.encode(), 1.0).data
    assert begun != tail.encode()
    due = stream.due()
    assert due is not None
    assert 0.015 <= due - 1.0 <= 0.030
    assert stream.release(due - 0.001).data == b""
    assert begun + stream.release(due).data == tail.encode()
    assert stream.due() is None


def test_keys_typed_one_by_one_are_echoed_at_once():
    stream, now, out = masker(), 0.0, b""
    stream.feed(b"$ ", now)
    for char in b"ls 4111 secret=abc ghp_x bob@we -----":
        now += 0.08
        out += stream.feed(bytes((char,)), now).data
        assert stream.due() is None
    assert out == b"ls 4111 secret=abc ghp_x bob@we -----"


def test_a_slow_screen_of_text_is_let_go_character_by_character_and_untouched():
    stream, now, out = masker(), 0.0, b""
    data = "größe \x1b[31mbob\x1b[0m at web-01, secret \x1b]0;töst\x07 4242 4242\r\n".encode()
    for at in range(len(data)):
        now += 0.1
        out += stream.feed(data[at : at + 1], now).data
        due = stream.due()
        if due is not None:
            assert due - now <= 0.030
            out += stream.release(due).data
            assert stream.due() is None
        assert out == data[: at + 1]


def test_a_beginning_is_held_from_its_first_byte_on():
    stream = masker()
    stream.feed(b"bo", 1.0)
    stream.feed(b"b.smi", 1.015)
    assert stream.due() == 1.0 + PATIENCE
    assert stream.feed(b"th, ", 1.5).data == b"bob.smith, "
    assert stream.due() is None


@pytest.mark.parametrize("tail", [f"ghp_{'a1' * 8}", TOKEN[:30], "-----BEGIN RSA PRIV", PEM[:60]])
def test_what_is_a_key_in_all_likelihood_is_waited_for(tail: str):
    stream = masker()
    stream.feed(f"x {tail}".encode(), 0.0)
    assert stream.release(PATIENCE).data == b""
    assert stream.due() == LONG_PATIENCE
    stream.release(LONG_PATIENCE)
    assert stream.due() is None


def test_a_value_that_comes_too_slowly_is_masked_from_where_it_is_known():
    stream = masker()
    assert stream.feed(b"4242 4242 4242", 0.0).data == b""
    assert stream.release(1.0).data == b"4242 4242 4242"
    stream.feed(b" 4242", 2.0)
    assert stream.release(3.0).data == b"*****"
    assert stream.feed(b"\n", 4.0).data == b"\n"
    assert stream.counts == {"net": 1}


def test_a_value_that_goes_on_behind_its_mask_stays_masked():
    stream = masker()
    stream.feed(PEM[:60].encode(), 0.0)
    assert stream.release(LONG_PATIENCE).data == b"****"
    assert stream.feed(PEM[60:].encode() + b"\n$ ", 2.0).data == b"\n$ "
    assert stream.counts == {"net": 1}


# --- rules, record, ends


def test_each_rule_does_its_own_and_is_counted():
    rules = (
        MaskRule("cards", detect=("credit-card",), action=MaskAction.PARTIAL),
        MaskRule("people", detect=("email",), action=MaskAction.HASH),
        MaskRule("keys", detect=("api-key",), action=MaskAction.NULL),
        MaskRule("columns", columns=("ssn",)),
    )
    stream = StreamMasker(MaskSet(rules), KEY)
    got = stream.feed(b"4242 4242 4242 4242, bob@acme.io, AKIAIOSFODNN7EXAMPLE|ok 123-45-6789" + b"." * 99 + b"\n", 0.0)
    words = got.data.decode().split(", ")
    assert words[0] == "**** **** **** 4242"
    assert words[1] == strategies.pseudonym("bob@acme.io", "email", KEY)
    assert words[2].startswith("****|ok 123-45-6789")
    assert got.rules == ("cards", "people", "keys")
    assert stream.counts == {"cards": 1, "people": 1, "keys": 1}
    assert got.data.isascii()


def test_the_record_gets_what_the_client_gets():
    got = masker().feed("größe \xff".encode("latin-1") + b"\x1b[31mbob@acme.io\x1b[0m\n", 0.0)
    assert got.text == "gr\ufffd\ufffde \ufffd\x1b[31m****\x1b[0m\n"


def test_titles_and_links_are_masked_and_still_work():
    data = b"\x1b]8;;mailto:bob@acme.io\x1b\\write\x1b]8;;\x1b\\\x1b]0;bob@acme.io\x07\n"
    assert fed(masker(), [data]) == b"\x1b]8;;mailto:****\x1b\\write\x1b]8;;\x1b\\\x1b]0;****\x07\n"


def test_a_move_of_the_cursor_can_part_two_values():
    assert fed(masker(), [b"12\x1b[5;1H4242424242424242\n"]) == b"12\x1b[5;1H****\n"
    assert fed(masker(), [b"77%\r4242424242424242\n"]) == b"77%\r****\n"


def test_a_coloured_label_at_the_end_of_a_chunk_still_counts():
    out = fed(masker(), [b"x secret\x1b[0m:\n", f"{AWS_SECRET}\n".encode()])
    assert out == b"x secret\x1b[0m:\n****\n"


def test_without_detectors_bytes_are_not_even_looked_at():
    stream = StreamMasker(MaskSet((MaskRule("c", columns=("x",)),)), KEY)
    chunk = b"bob@acme.io"
    assert stream.feed(chunk, 0.0).data is chunk
    assert stream.due() is None


@pytest.mark.parametrize("chunk", [b"$ ", b"line\r\n" * 1000, bytes(range(128, 256)) * 50 + b"\n", b"\x00\x01\x02" * 999 + b"\n", "größe\n".encode()])  # fmt: skip
def test_clean_chunks_are_passed_as_the_same_object(chunk: bytes):
    assert masker().feed(chunk, 0.0).data is chunk


def test_a_closed_stream_takes_nothing():
    stream = masker()
    stream.feed(b"bob", 0.0)
    assert stream.close().data == b"bob"
    assert not stream.close()
    with pytest.raises(ValueError, match="closed"):
        stream.feed(b"x", 0.0)


@pytest.mark.parametrize(
    ("rule", "key"), [(MaskRule("m", detect=("ssn",)), KEY), (MaskRule("m", detect=("email",)), b"x")]
)
def test_bad_settings_are_refused(rule: MaskRule, key: bytes):
    with pytest.raises(ValueError, match=r"detector|32 bytes"):
        StreamMasker(MaskSet((rule,)), key)


def test_the_screen_is_shared():
    assert masker()._screen is screen(frozenset(detectors.ALL))


def test_what_comes_behind_a_key_that_was_none_waits_no_longer_than_anything():
    stream = masker()
    begun = stream.feed(b"x AKIAIOSFODNN7", 0.0).data
    assert stream.release(PATIENCE).data == b"" and stream.due() == LONG_PATIENCE
    out = begun + stream.feed(b"? no.\nmail to ada@exam", 0.1).data
    due = stream.due()
    assert due is not None and due <= 0.1 + PATIENCE
    assert out + stream.release(due).data == b"x AKIAIOSFODNN7? no.\nmail to ada@exam"
