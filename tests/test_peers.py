"""Who is at the other end: written as an address, counted as a network."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.peers import Peer, origin, peer


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("192.0.2.7", 50000), Peer("192.0.2.7", "192.0.2.7:50000")),
        (("2001:db8::7", 50000, 0, 0), Peer("2001:db8::7", "[2001:db8::7]:50000")),
        ("", Peer("", "unix")),
        (None, Peer("", "unix")),
    ],
)
def test_an_address_is_written(address: object, expected: Peer) -> None:
    assert peer(address) == expected


def test_a_network_of_ipv6_is_one_origin() -> None:
    assert peer(("2001:db8::7", 1, 0, 0)).origin == peer(("2001:db8::8", 2, 0, 0)).origin == "2001:db8::/64"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("192.0.2.7:50000", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7:50000", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:50000", "192.0.2.7"),
        ("[2001:db8:1:2:3:4:5:6]:50000", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:4:5:6:50000", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:4:5:6", "2001:db8:1:2::/64"),
        ("[::1]:50000", "::/64"),
        ("[fe80::1%eth0]:50000", "fe80::/64"),
        ("unix", "unix"),
        ("", ""),
        ("x" * 1_000, "x" * 64),
    ],
)
def test_where_somebody_comes_from(name: str, place: str) -> None:
    assert origin(name) == place


@settings(max_examples=100, derandomize=True)
@given(st.text(max_size=200))
def test_any_peer_has_a_short_origin(name: str) -> None:
    assert len(origin(name)) <= 64
