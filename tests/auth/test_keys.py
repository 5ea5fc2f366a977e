"""Which published keys are usable, and which one a token names."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwk

from hooptui.auth.keys import MAX_KEYS, BadKeySet, read_key_set

from .forge import EC, EC384, ED, RSA, b64, public


def usable(*members: dict[str, Any]) -> list[str | None]:
    return [key.kid for key in read_key_set({"keys": [*members, public(ED, kid="witness")]})][:-1]


def test_signature_keys_of_every_kind_are_read() -> None:
    assert usable(public(RSA), public(EC), public(EC384), public(ED)) == ["rsa-1", "ec-1", "ec-384", "ed-1"]
    assert usable(public(RSA, use="sig", key_ops=["verify"], alg="PS512", x5c=["AA"])) == ["rsa-1"]


@pytest.mark.parametrize(
    "member",
    [
        public(RSA, use="enc"),
        public(RSA, alg="RSA-OAEP"),
        public(RSA, alg="none"),
        public(RSA, alg=7),
        public(RSA, key_ops=["encrypt"]),
        public(RSA, key_ops="verify"),
        public(RSA, kid=7),
        public(RSA, n=None),
        public(RSA, n=""),
        public(RSA, n=7),
        public(RSA, n="!!!"),
        public(RSA, n="é"),
        public(RSA, e=b64(b"\x01")),
        public(RSA, e=b64(b"\x02")),
        public(RSA, e=b64(b"\xff" * 200)),
        public(RSA, n=b64(b"\xff" * 2000)),
        public(EC, x=public(EC384)["x"]),
        public(EC, y=b64(bytes(32))),
        public(EC, crv="secp256k1"),
        public(EC, crv="P-384"),
        public(ED, crv="X25519"),
        public(ED, x="AA"),
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        {"kty": ["RSA"]},
        {},
    ],
)
def test_other_keys_are_left_out_and_spoil_nothing(member: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert usable(member) == []


def test_a_weak_rsa_key_is_left_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weak = jwk.RSAKey.generate_key(1024, {"kid": "weak"})
    assert usable(public(weak)) == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "no list"),
        ({"keys": {}}, "no list"),
        ({"keys": ["x"]}, "not an object"),
        ({"keys": []}, "none of its 0"),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "none of its 1"),
        ({"keys": [public(RSA)] * (MAX_KEYS + 1)}, "101 keys"),
        ({"keys": [public(ED), RSA.as_dict(private=True)]}, "private key"),
        ({"keys": [EC.as_dict(private=True)]}, "private key"),
    ],
)
def test_what_is_no_key_set_is_refused(document: dict[str, Any], words: str) -> None:
    with pytest.raises(BadKeySet, match=words):
        read_key_set(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
NAMES = st.sampled_from(["kty", "kid", "alg", "use", "key_ops", "crv", "n", "e", "x", "y", "d", "k", "x5c"])


@given(st.sampled_from([RSA, EC, ED]), st.dictionaries(NAMES, JSON, max_size=3))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_any_member_is_a_key_or_is_left_out(key: jwk.Key, changes: dict[str, Any]) -> None:
    try:
        keys = read_key_set({"keys": [public(key, **changes)]})
    except BadKeySet:
        return
    assert [one.kid for one in keys] == [changes.get("kid", key.kid)]
