"""A compact JWS taken apart strictly (RFC 7515, RFC 7519, RFC 8725): text in, header and claims out, nothing believed yet.

Two readings of one token are how tokens are forged, so this reader takes one form only: three canonical base64url
segments, strict JSON without duplicate members, a header without anything that points at keys or changes the rules.
Knows no key, no clock and no network.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from hooptui.auth.issuer import ASYMMETRIC
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.core.secret import Secret

MAX_BYTES = 16 * 1024
MAX_HEADER = 4 * 1024
"""Bytes of the header segment; x5t and long key ids fit, anything more is no header."""

CUTS = {4095: "psql's password prompt", 1023: "OpenSSH's password prompt"}
"""Lengths at which programs silently cut what is typed or pasted."""

FORBIDDEN = ("jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "cty", "enc", "epk")
"""Header members that bring their own keys, change how the token is read, or belong to encrypted tokens."""

TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt", "jose"})
"""Media types compare without case (RFC 2045); a token without `typ` is accepted as well. JOSE is for SPIFFE alone."""

SIGNATURE_BYTES = {"ES256": 64, "ES384": 96, "ES512": 132, "Ed25519": 64, "EdDSA": 64}
"""Exact sizes; RSA's is the size of its key, at least 256."""
LEAST_RSA = 256

_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_MAX_KID = 256


@dataclass(frozen=True, slots=True)
class Token:
    """One token, taken apart. Its text is in none of the fields that print."""

    compact: Secret
    algorithm: str
    kid: str | None
    claims: Mapping[str, object] = field(repr=False)
    signature_bytes: int = 0
    type: str = ""
    """`typ` in lower case, without `application/`; empty when the header has none."""


class NotStrict(ValueError):
    """Bytes that are not the one JSON object they should be; the message quotes nothing."""


def strict_object(raw: bytes) -> dict[str, object]:
    """Parse one JSON object: UTF-8 without mark, no duplicate members at any depth, no NaN or infinity.

    Raises:
        NotStrict: what is wrong, without the text itself.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except NotStrict:
        raise
    except UnicodeDecodeError:
        raise NotStrict("not UTF-8") from None
    except RecursionError:
        raise NotStrict("nested too deep") from None
    except ValueError:
        raise NotStrict("not JSON") from None
    if not isinstance(value, dict):
        raise NotStrict("not a JSON object")
    return value


def take_apart(secret: Secret) -> Token:
    """Read a token without believing it.

    Raises:
        LoginRefused: token-missing, token-too-large, token-truncated, not-a-token, bad-header, algorithm-refused,
            wrong-type or bad-claims.
    """
    text = secret.reveal()
    if not text.strip():
        raise refusal(Code.MISSING, "the client sent an empty password")
    if len(text) > MAX_BYTES or len(raw := text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise refusal(Code.TOO_LARGE, f"the token has more than {MAX_BYTES} bytes")
    segments = raw.split(b".")
    _check_form(raw, segments)
    header = _header(segments[0])
    algorithm = _algorithm(header)
    kind = _type(header)
    kid = _kid(header)
    claims = _claims(segments[1], len(raw))
    size = _signature(segments[2], algorithm, len(raw))
    return Token(secret, algorithm, kid, claims, size, kind)


def truncated(length: int, found: str) -> NoReturn:
    """Refuse a token that ends too early.

    Raises:
        LoginRefused: token-truncated, naming the program that cuts at this length when one is known to.
    """
    by = f"; {CUTS[length]} cuts at exactly {length} bytes" if length in CUTS else ""
    raise refusal(Code.TRUNCATED, f"a token of {length} bytes is cut off: {found}{by}")


def _check_form(raw: bytes, segments: list[bytes]) -> None:
    if raw[:7].lower() == b"bearer ":
        raise refusal(Code.NOT_SIGNED, "the password starts with 'Bearer '; only the token itself is expected")
    if any(not _ALPHABET.issuperset(segment) for segment in segments):
        raise refusal(
            Code.NOT_SIGNED,
            "the password has characters that no compact token has (spaces, line ends, quotes, padding)",
        )
    jose = segments[0][:3] in (b"eyJ", b"ewo", b"ewk", b"ewi", b"eyA")
    match len(segments):
        case 3:
            return
        case 1 | 2 if jose:
            truncated(len(raw), f"it has {len(segments)} of 3 segments")
        case 5 if jose:
            raise refusal(Code.NOT_SIGNED, "the token is encrypted (JWE, 5 segments); a signed token is expected")
        case count:
            raise refusal(Code.NOT_SIGNED, f"the password has {count} dot-separated segments; a signed token has 3")


def _decode(segment: bytes) -> bytes | None:
    """Base64url without padding, canonical (RFC 4648 section 3.5); None when it is not."""
    if len(segment) % 4 == 1:
        return None
    try:
        value = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except (binascii.Error, ValueError):
        return None
    return value if base64.urlsafe_b64encode(value).rstrip(b"=") == segment else None


def _header(segment: bytes) -> dict[str, object]:
    if not segment:
        raise refusal(Code.NOT_SIGNED, "the token's header is empty")
    if len(segment) > MAX_HEADER:
        raise refusal(Code.BAD_HEADER, f"the header has more than {MAX_HEADER} bytes")
    raw = _decode(segment)
    if raw is None:
        raise refusal(Code.NOT_SIGNED, "the header is not canonical base64url")
    try:
        header = strict_object(raw)
    except NotStrict as bad:
        code = Code.NOT_SIGNED if str(bad) in ("not JSON", "not UTF-8", "not a JSON object") else Code.BAD_HEADER
        raise refusal(code, f"the header is {bad}") from None
    for name in FORBIDDEN:
        if name in header:
            raise refusal(Code.BAD_HEADER, f"the header has {name}")
    return header


def _algorithm(header: Mapping[str, object]) -> str:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise refusal(Code.BAD_HEADER, "the header names no algorithm")
    if algorithm not in ASYMMETRIC:
        raise refusal(Code.ALGORITHM_REFUSED, f"alg is {quoted(algorithm)}; only asymmetric signatures are accepted")
    return algorithm


def _type(header: Mapping[str, object]) -> str:
    if "typ" not in header:
        return ""
    kind = header["typ"]
    if not isinstance(kind, str):
        raise refusal(Code.BAD_HEADER, "typ is not a string")
    if kind.lower() not in TYPES:
        raise refusal(Code.WRONG_TYPE, f"typ is {quoted(kind)}; expected at+jwt, JWT or none")
    return kind.lower().removeprefix("application/")


def _kid(header: Mapping[str, object]) -> str | None:
    if "kid" not in header:
        return None
    kid = header["kid"]
    if not isinstance(kid, str) or not kid or len(kid) > _MAX_KID or not kid.isprintable():
        raise refusal(Code.BAD_HEADER, f"kid is not a printable string of 1 to {_MAX_KID} characters")
    return kid


def _claims(segment: bytes, length: int) -> dict[str, object]:
    raw = _decode(segment)
    if not raw:
        if length in CUTS:
            truncated(length, "its claims are not complete")
        raise refusal(Code.NOT_SIGNED, "the claims are not canonical base64url")
    try:
        return strict_object(raw)
    except NotStrict as bad:
        raise refusal(Code.BAD_CLAIMS, f"the claims are {bad}") from None


def _signature(segment: bytes, algorithm: str, length: int) -> int:
    """Size of the signature in bytes; too short for its algorithm means that the end is missing."""
    size = len(segment) * 3 // 4
    if size < SIGNATURE_BYTES.get(algorithm, LEAST_RSA):
        truncated(length, f"its {algorithm} signature has only {size} bytes")
    if _decode(segment) is None:
        # RSA keys come in steps of 512 bits; a loose end at any other size is where something was cut.
        if length in CUTS or size % 64:
            truncated(length, "its signature is not complete")
        raise refusal(Code.NOT_SIGNED, "the signature is not canonical base64url")
    return size


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrict("JSON with a duplicate member")
    return members


def _no_constant(name: str) -> NoReturn:
    raise NotStrict("JSON with NaN or infinity")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotStrict("JSON with a number out of range")
    return value
