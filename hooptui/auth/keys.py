"""Published keys (RFC 7517) and the one that a token names. Pure; knows no clock and no network."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from hooptui.auth.issuer import ASYMMETRIC
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.auth.tokens import Token, truncated

MAX_KEYS = 100
RSA_BITS = (2048, 8192)
"""Below is too weak (NIST SP 800-131A), above costs too much to verify."""

_ROCA = {
    prime: frozenset(pow(65_537, power, prime) for power in range(prime))
    for prime in (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
}
_FIELD = 2**255 - 19
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)
"""y of the points of edwards25519 whose order divides 8 (RFC 8032 section 5.1.7): under such a key forgeries verify."""
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "Ed25519": "Ed25519", "EdDSA": "Ed25519"}
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "k", "oth")


class BadKeySet(ValueError):
    """A key set that is no key set; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One usable verification key."""

    kid: str | None
    kty: str
    curve: str
    """`P-256` and so on; empty for RSA."""
    algorithm: str
    """The one algorithm it may be used with; empty when the issuer does not say."""
    key: RSAKey | ECKey | OKPKey = field(repr=False)

    def fits(self, algorithm: str) -> bool:
        """Whether a signature by `algorithm` can be this key's: type, curve and declared algorithm agree."""
        declared = self.algorithm
        # RFC 9864 renamed EdDSA over Ed25519; both names mean the same signature.
        if declared not in ("", algorithm) and {declared, algorithm} != {"EdDSA", "Ed25519"}:
            return False
        if algorithm[:2] in ("RS", "PS"):
            return self.kty == "RSA"
        return self.curve == _CURVES[algorithm]


class _Registry(jws.JWSRegistry):
    """joserfc's algorithms behind our own allow-list and bounds; headers were judged before."""

    max_header_length = 4 * 1024
    max_payload_length = 16 * 1024
    max_signature_length = 2 * 1024

    def __init__(self) -> None:
        super().__init__(algorithms=sorted(ASYMMETRIC), strict_check_header=False)

    def get_alg(self, name: str) -> Any:  # joserfc does not export its own type
        # The parent warns about EdDSA's old name at each use; here only Ed25519 keys can fit it.
        if name not in ASYMMETRIC:
            raise JoseError(f"algorithm {name!r} is not accepted")
        return self.algorithms[name]


_REGISTRY = _Registry()


def read_key_set(document: Mapping[str, object]) -> tuple[PublicKey, ...]:
    """The usable signature keys of a JWK set; others (encryption, unknown types, weak) are left out, as RFC 7517 section 5 asks.

    Raises:
        BadKeySet: not a key set, too many keys, a private key among them, or none usable.
    """
    members = document.get("keys")
    if not isinstance(members, list):
        raise BadKeySet("the key set has no list of keys")
    if len(members) > MAX_KEYS:
        raise BadKeySet(f"the key set has {len(members)} keys; at most {MAX_KEYS} are read")
    keys: list[PublicKey] = []
    for member in members:
        if not isinstance(member, dict):
            raise BadKeySet("the key set has a key that is not an object")
        if member.get("kty") != "oct" and any(name in member for name in _PRIVATE):
            raise BadKeySet("the key set publishes a private key")
        key = _public_key(member)
        if key is not None:
            keys.append(key)
    if not keys:
        raise BadKeySet(f"none of its {len(members)} keys can verify an accepted signature")
    return tuple(keys)


def select(keys: Collection[PublicKey], token: Token) -> PublicKey | None:
    """The one key that the token's header names; None when there is none.

    Raises:
        LoginRefused: ambiguous-key.
    """
    named = [key for key in keys if token.kid is None or key.kid == token.kid]
    fitting = [key for key in named if key.fits(token.algorithm)]
    if len(fitting) > 1:
        kid = "no kid" if token.kid is None else f"kid {quoted(token.kid)}"
        raise refusal(Code.AMBIGUOUS_KEY, f"{len(fitting)} keys fit a token with {kid} and alg {token.algorithm}")
    return fitting[0] if fitting else None


def verify(token: Token, key: PublicKey) -> None:
    """Check the signature.

    Raises:
        LoginRefused: bad-signature, or token-truncated when the signature is shorter than the key makes them.
    """
    if isinstance(key.key, RSAKey):
        size = (key.key.public_key.key_size + 7) // 8
        if token.signature_bytes < size:
            truncated(len(token.compact), f"its signature has {token.signature_bytes} of {size} bytes")
    try:
        jws.deserialize_compact(token.compact.reveal(), key.key, registry=_REGISTRY)
    except (JoseError, ValueError):
        raise refusal(Code.BAD_SIGNATURE, "the signature does not fit the token and the issuer's key") from None


def _public_key(member: Mapping[str, object]) -> PublicKey | None:
    kty, kid, algorithm = member.get("kty"), member.get("kid"), member.get("alg", "")
    if (
        not isinstance(kty, str)
        or kty not in _MEMBERS
        or not isinstance(kid, str | None)
        or not isinstance(algorithm, str)
    ):
        return None
    if member.get("use", "sig") != "sig":
        return None
    operations = member.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    if algorithm and algorithm not in ASYMMETRIC:
        return None
    plain: dict[str, str] = {"kty": kty}
    for name in _MEMBERS[kty]:
        value = member.get(name)
        if not isinstance(value, str):
            return None
        plain[name] = value
    curve = plain.get("crv", "")
    if (kty == "RSA" and not _sound_rsa(plain)) or (kty != "RSA" and curve not in _CURVES.values()):
        return None
    if curve == "Ed25519" and not _sound_ed25519(plain["x"]):
        return None
    try:
        key = JWKRegistry.import_key(dict(plain))
        public = key if isinstance(key, RSAKey | ECKey | OKPKey) else None
        # Import is lazy for some types; a point off its curve must fail now, not at the first login.
        if public is None or public.public_key is None:
            return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return PublicKey(kid, kty, curve, algorithm, public)


def _sound_rsa(plain: Mapping[str, str]) -> bool:
    modulus, exponent = _integer(plain["n"]), _integer(plain["e"])
    return (
        RSA_BITS[0] <= modulus.bit_length() <= RSA_BITS[1]
        and 3 <= exponent < 1 << 32
        and exponent % 2 == 1
        and not _roca(modulus)
    )


def _roca(modulus: int) -> bool:
    """Whether the key comes from the library whose keys can be factored (CVE-2017-15361): its moduli are powers of 65537
    modulo each of these primes, which others are by chance once in 2^27."""
    return all(modulus % prime in powers for prime, powers in _ROCA.items())


def _sound_ed25519(text: str) -> bool:
    y = int.from_bytes(_octets(text), "little") & ((1 << 255) - 1)
    return y < _FIELD and y not in _SMALL_ORDER


def _integer(text: str) -> int:
    return int.from_bytes(_octets(text), "big")


def _octets(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
