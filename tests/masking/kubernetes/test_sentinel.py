"""A masked value that comes back is known, however it is wrapped; what only looks like one is not."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.masking.kubernetes.sentinel import UNPACKED, found, sentinel

KEY = bytes(range(32))
MARK = sentinel(b"value", KEY)

WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda mark: mark,
    "base64": base64.b64encode,
    "url-safe": base64.urlsafe_b64encode,
    "without padding": lambda mark: base64.b64encode(mark).rstrip(b"="),
    "base64 of base64": lambda mark: base64.b64encode(base64.b64encode(mark)),
    "with others in base64": lambda mark: base64.b64encode(b"user:" + mark + b"@host"),
    "hexadecimal": lambda mark: mark.hex().encode(),
    "capital hexadecimal": lambda mark: mark.hex().upper().encode(),
    "escapes": lambda mark: "".join(f"\\u{one:04x}" for one in mark).encode(),
    "JSON in JSON": lambda mark: json.dumps(json.dumps({"a": mark.decode()})).encode(),
    "a release of Helm's": lambda mark: base64.b64encode(
        base64.b64encode(gzip.compress(b"data:\n  p: " + base64.b64encode(mark)))
    ),
    "YAML": lambda mark: b"data:\n  p: " + mark + b"\n",
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("before", [b"", b"x", b"ab-", b'{"data":{"p":"'])
def test_it_is_found(wrap: Callable[[bytes], bytes], before: bytes) -> None:
    assert found(before + wrap(MARK.encode()) + b'" }', KEY)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_it_is_found_in_anything(before: bytes, after: bytes) -> None:
    assert found(base64.b64encode(before + MARK.encode() + after), KEY)


def test_what_is_packed_is_unpacked_once_and_up_to_a_bound() -> None:
    bomb = gzip.compress(bytes(UNPACKED))
    assert not found(base64.b64encode(bomb) + b" " + base64.b64encode(gzip.compress(MARK.encode())), KEY)
    twice = gzip.compress(base64.b64encode(gzip.compress(MARK.encode())))
    assert not found(base64.b64encode(twice), KEY)
    assert not found(base64.b64encode(gzip.compress(MARK.encode())[:-20]) + b" x", KEY)


def test_nobody_else_can_make_one_up() -> None:
    other = sentinel(b"value", bytes(32))
    assert found(other.encode(), bytes(32))
    for wrap in WRAPS.values():
        assert not found(wrap(other.encode()), KEY)
    assert not found(b"masked-by-hooptui.00000000.0000000000000000", KEY)


@given(st.binary(max_size=500))
def test_other_bodies_are_let_through(body: bytes) -> None:
    assert not found(body, KEY)
    assert not found(gzip.compress(body), KEY)


def test_a_stand_in_tells_nothing_of_its_value_unless_it_should() -> None:
    assert sentinel(b"a", KEY) == sentinel(b"b", KEY)
    assert sentinel(b"a", KEY, same=True) != sentinel(b"b", KEY, same=True)
    assert sentinel(b"a", KEY, same=True) == sentinel(b"a", KEY, same=True)
