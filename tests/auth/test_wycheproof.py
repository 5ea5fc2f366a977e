"""Project Wycheproof's vectors for JWS and JWK through our own path: no invalid one is accepted, the valid ones are.

Most of them sign something else than claims, so they are read a second time with claims of any kind: what refuses then is
header, key or signature.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from joserfc.errors import JoseError

from hooptui.auth import keys, tokens
from hooptui.auth.refusals import Code
from hooptui.core.gate import LoginRefused
from hooptui.core.secret import Secret
from tests.providers.wycheproof import vectors


def published(group: dict[str, Any]) -> dict[str, Any]:
    """What an issuer with this key would publish."""
    key = group.get("public") or group.get("private") or {}
    return key if "keys" in key else {"keys": [key]}


def outcome(document: dict[str, Any], text: str) -> str:
    """`accepted`, or the code it is refused for."""
    try:
        parts = tokens.take_apart(Secret(text))
        key = keys.select(keys.read_key_set(document), parts)
        if key is None:
            return Code.UNKNOWN_KEY
        keys.verify(parts, key)
    except keys.BadKeySet:
        return Code.ISSUER_MISCONFIGURED
    except LoginRefused as refused:
        assert len(text) < 40 or text[:40] not in f"{refused.message}{refused.hint}{refused.log}"
        return refused.code
    return "accepted"


def cases(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(group, test) for group in vectors(name) for test in group["tests"] if isinstance(test.get("jws"), str)]


@pytest.mark.parametrize(("name", "count"), [("signature", 355), ("key", 21), ("crypto", 44)])
@pytest.mark.parametrize("any_claims", [False, True], ids=["whole", "any claims"])
def test_no_invalid_vector_is_accepted(
    name: str, count: int, any_claims: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if any_claims:
        monkeypatch.setattr(tokens, "_claims", lambda segment, length: {})
    invalid = [(group, test) for group, test in cases(f"json_web_{name}_test") if test["result"] != "valid"]
    found = {test["tcId"]: outcome(published(group), test["jws"]) for group, test in invalid}
    assert len(found) == count and [number for number, what in found.items() if what == "accepted"] == []
    if any_claims and name == "signature":
        # Not for the wrong reason either: what is left to be wrong is mostly the signature.
        assert Counter(found.values())[Code.BAD_SIGNATURE] > 280


STRICTER = {
    # The key is published for PS256 and the token says PS384; or for an algorithm that does not exist, ES521.
    346: Code.UNKNOWN_KEY, 347: Code.ISSUER_MISCONFIGURED, 350: Code.UNKNOWN_KEY, 351: Code.ISSUER_MISCONFIGURED,
    # Characters that base64url has not, in a signed header and in signed claims.
    372: Code.NOT_SIGNED, 373: Code.NOT_SIGNED,
}  # fmt: skip


def test_the_valid_vectors_of_accepted_algorithms_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_claims", lambda segment, length: {})
    valid = [(group, test) for group, test in cases("json_web_signature_test") if test["result"] == "valid"]
    found = {test["tcId"]: outcome(published(group), test["jws"]) for group, test in valid}
    count = Counter(found.values())
    # The rest are signed with shared secrets, which no issuer can be given.
    assert (len(found), count["accepted"], count[Code.ALGORITHM_REFUSED]) == (46, 32, 8)
    assert {number: what for number, what in found.items() if number in STRICTER} == STRICTER


RAW = {
    "ecdsa_secp256r1_sha256_p1363_test": "ES256", "ecdsa_secp384r1_sha384_p1363_test": "ES384",
    "ecdsa_secp521r1_sha512_p1363_test": "ES512", "ed25519_test": "Ed25519", "rsa_signature_2048_sha256_test": "RS256",
    "rsa_signature_3072_sha384_test": "RS384", "rsa_signature_4096_sha512_test": "RS512", "rsa_pss_2048_sha256_mgf1_32_test": "PS256",
    "rsa_pss_4096_sha384_mgf1_48_test": "PS384", "rsa_pss_4096_sha512_mgf1_64_test": "PS512",
}  # fmt: skip


@pytest.mark.parametrize(("name", "algorithm"), RAW.items())
def test_raw_signatures_of_every_algorithm(name: str, algorithm: str) -> None:
    """The same verifiers, fed with signatures over anything: r and s out of range, malleable S, small orders, padding."""
    wrong: list[tuple[int, str, bool]] = []
    count = Counter[str]()
    for group in vectors(name):
        jwk = group.get("publicKeyJwk") or group.get("keyJwk")
        if jwk is None:
            continue
        (key,) = keys.read_key_set(published({"public": jwk}))
        assert key.fits(algorithm)
        verifier = keys._REGISTRY.get_alg(algorithm)
        for test in group["tests"]:
            try:
                good = bool(verifier.verify(bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]), key.key))
            except (JoseError, ValueError):
                good = False
            count[test["result"]] += 1
            if test["result"] != "acceptable" and good != (test["result"] == "valid"):
                wrong.append((test["tcId"], test["comment"], good))
    assert wrong == [] and count["valid"] > 0 and count["invalid"] > 40
