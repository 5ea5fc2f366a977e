"""Hostile tokens, second table: signatures and keys. What is published here would let some verifier accept a forgery."""

from __future__ import annotations

import hashlib
import math
import warnings

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from joserfc import jwk, jws

from hooptui.auth.refusals import Code

from .cases import H, Make, claims, cut_in_signature, es_raw
from .forge import EC, ED, OTHER_RSA, RSA, b64, dump, public, signed, token

N256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of P-256."""
L = 2**252 + 27742317777372353535851937790883648493
"""Order of Ed25519's base point."""

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    WEAK = jwk.RSAKey.generate_key(1024, {"kid": "weak"})
THREE_PRIVATE = rsa.generate_private_key(3, 2048)
THREE = jwk.RSAKey.import_key(THREE_PRIVATE, {"kid": "three"})
OPS = jwk.RSAKey.generate_key(2048, {"kid": "ops"})
OAEP = jwk.RSAKey.generate_key(2048, {"kid": "oaep"})
EC_ENC = jwk.ECKey.generate_key("P-256", {"kid": "ec-enc"})
EC521 = jwk.ECKey.generate_key("P-521", {"kid": "ec-521"})
WITHDRAWN = jwk.RSAKey.generate_key(2048, {"kid": "last-year"})
TENANT = jwk.ECKey.generate_key("P-256", {"kid": "ec-tenant"})

ZERO_POINT = {"kty": "OKP", "crv": "Ed25519", "kid": "small", "x": b64((1).to_bytes(32, "little"))}
"""The neutral element as a public key: R = it, S = 0 is a signature of everything."""
PUBLISHED = [
    public(WEAK), public(THREE), public(OPS, key_ops=["encrypt"]), public(OAEP, alg="RSA-OAEP"), public(EC_ENC, use="enc"), public(EC521),
    public(RSA, kid="one", e=b64(b"\x01")), public(RSA, kid="two", e=b64(b"\x02")), public(EC, kid="off", y=b64(bytes(32))),
    public(EC, kid="mixed", crv="P-384"), ZERO_POINT,
]  # fmt: skip
"""Beside the good keys of the stage."""


def made(head: dict[str, object], url: str, signature: bytes) -> str:
    return f"{b64(dump(head))}.{b64(dump(claims(url)))}.{b64(signature)}"


def text(head: dict[str, object], url: str) -> bytes:
    return f"{b64(dump(head))}.{b64(dump(claims(url)))}".encode()


def pkcs1(message: bytes, size: int = 256, digest: str = "sha256") -> bytes:
    """EMSA-PKCS1-v1_5 (RFC 8017 section 9.2)."""
    info = {
        "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
        "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    }[digest] + hashlib.new(digest, message).digest()
    return b"\x00\x01" + b"\xff" * (size - 3 - len(info)) + b"\x00" + info


def root_of(padded: bytes) -> bytes:
    """A number whose cube begins with these bytes: Bleichenbacher's forgery for e = 3 against parsers that stop early."""
    wanted = int.from_bytes(padded + b"\xff" * (256 - len(padded)), "big")
    low = 0
    high = 1 << (wanted.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= wanted else (low, middle - 1)
    assert (low**3).to_bytes(256, "big").startswith(padded)
    return low.to_bytes(256, "big")


def forged_cube(url: str) -> str:
    head = H | {"kid": "three"}
    info = pkcs1(text(head, url), 62)[2:]
    return made(head, url, root_of(b"\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff" + info[info.index(0) :]))


def private_of(key: jwk.RSAKey) -> rsa.RSAPrivateNumbers:
    return key.private_key.private_numbers()


def raw_rsa(key: jwk.RSAKey, block: bytes) -> bytes:
    numbers = private_of(key)
    return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")


def plus_modulus(signature: bytes) -> bytes:
    """The same residue, out of range."""
    value = int.from_bytes(signature, "big") + private_of(RSA).public_numbers.n
    return value.to_bytes(math.ceil(value.bit_length() / 8), "big")


def der(signature: bytes) -> bytes:
    return utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def both(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def es(url: str, change: object) -> str:
    return es_raw(token(url, key=EC, alg="ES256"), change)  # type: ignore[arg-type]


def over_sha384(url: str) -> str:
    head: dict[str, object] = {"alg": "ES256", "kid": "ec-1"}
    r, s = utils.decode_dss_signature(EC.private_key.sign(text(head, url), ec.ECDSA(hashes.SHA384())))
    return made(head, url, both(r, s))


def ed(url: str, change: object) -> str:
    return es_raw(token(url, key=ED, alg="Ed25519"), change)  # type: ignore[arg-type]


def more_s(signature: bytes) -> bytes:
    return signature[:32] + (int.from_bytes(signature[32:], "little") + L).to_bytes(32, "little")


KEYS: list[tuple[str, Code, Make]] = [
    ("an RSA key of 1024 bits", Code.UNKNOWN_KEY, lambda u: token(u, head={"kid": "weak"})),
    ("an exponent of one", Code.UNKNOWN_KEY, lambda u: made(H | {"kid": "one"}, u, pkcs1(text(H | {"kid": "one"}, u)))),
    ("an even exponent", Code.UNKNOWN_KEY, lambda u: token(u, head={"kid": "two"})),
    ("a key that may only encrypt", Code.UNKNOWN_KEY, lambda u: token(u, key=OPS)),
    ("a key for RSA-OAEP", Code.UNKNOWN_KEY, lambda u: token(u, key=OAEP)),
    ("an EC key for encryption", Code.UNKNOWN_KEY, lambda u: token(u, key=EC_ENC, alg="ES256")),
    ("a point off its curve", Code.UNKNOWN_KEY, lambda u: token(u, key=EC, alg="ES256", head={"kid": "off"})),
    ("a point of another curve", Code.UNKNOWN_KEY, lambda u: token(u, key=EC, alg="ES256", head={"kid": "mixed"})),
    ("a P-521 key under ES256", Code.UNKNOWN_KEY, lambda u: token(u, key=EC, alg="ES256", head={"kid": "ec-521"})),
    ("an Ed25519 key under ES256", Code.UNKNOWN_KEY, lambda u: token(u, key=EC, alg="ES256", head={"kid": "ed-1"})),
    ("an EC key under EdDSA", Code.UNKNOWN_KEY, lambda u: token(u, key=ED, alg="EdDSA", head={"kid": "ec-1"})),
    ("the neutral element as a key", Code.UNKNOWN_KEY, lambda u: made({"alg": "Ed25519", "kid": "small"}, u, (1).to_bytes(32, "little") + bytes(32))),
    ("a key withdrawn last year", Code.UNKNOWN_KEY, lambda u: token(u, key=WITHDRAWN)),
    ("the key of another tenant", Code.UNKNOWN_KEY, lambda u: token(u, key=TENANT, alg="ES256")),
    ("no kid, and a kind of key that nobody has", Code.AMBIGUOUS_KEY, lambda u: token(u, key=EC, alg="ES256", head={"kid": None})),
    ("P-256 under ES384", Code.ALGORITHM_REFUSED, lambda u: made(H | {"alg": "ES384", "kid": "ec-1"}, u, bytes(96))),
    ("P-521 under ES512", Code.ALGORITHM_REFUSED, lambda u: token(u, key=EC521, alg="ES512")),
]  # fmt: skip

SIGNATURES: list[tuple[str, Code, Make]] = [
    ("a forgery for exponent three", Code.BAD_SIGNATURE, forged_cube),
    ("a SHA-1 digest under RS256", Code.BAD_SIGNATURE, lambda u: made(H, u, raw_rsa(RSA, pkcs1(text(H, u), digest="sha1")))),
    ("block type 2", Code.BAD_SIGNATURE, lambda u: made(H, u, raw_rsa(RSA, b"\x00\x02" + pkcs1(text(H, u))[2:]))),
    ("short padding and garbage", Code.BAD_SIGNATURE, lambda u: made(H, u, raw_rsa(RSA, (pkcs1(text(H, u), 100) + b"\0" * 156)))),
    ("padding with a zero in it", Code.BAD_SIGNATURE, lambda u: made(H, u, raw_rsa(RSA, pkcs1(text(H, u)).replace(b"\xff\xff", b"\xff\x00", 1)))),
    ("no padding at all", Code.BAD_SIGNATURE, lambda u: made(H, u, raw_rsa(RSA, hashlib.sha256(text(H, u)).digest().rjust(256, b"\0")))),
    ("the padded digest itself", Code.BAD_SIGNATURE, lambda u: made(H, u, pkcs1(text(H, u)))),
    ("plus the modulus", Code.BAD_SIGNATURE, lambda u: es_raw(token(u), plus_modulus)),
    ("zero", Code.BAD_SIGNATURE, lambda u: made(H, u, bytes(256))),
    ("one", Code.BAD_SIGNATURE, lambda u: made(H, u, (1).to_bytes(256, "big"))),
    ("all ones", Code.BAD_SIGNATURE, lambda u: made(H, u, b"\xff" * 256)),
    ("the modulus", Code.BAD_SIGNATURE, lambda u: made(H, u, private_of(RSA).public_numbers.n.to_bytes(256, "big"))),
    ("with a zero after it", Code.BAD_SIGNATURE, lambda u: es_raw(token(u), lambda s: s + b"\0")),
    ("a signature twice", Code.BAD_SIGNATURE, lambda u: es_raw(token(u), lambda s: s + s)),
    ("its bytes reversed", Code.BAD_SIGNATURE, lambda u: es_raw(token(u), lambda s: s[::-1])),
    ("of another token", Code.BAD_SIGNATURE, lambda u: ".".join((*token(u).split(".")[:2], token(u, sub="ops-1").split(".")[2]))),
    ("of the claims alone", Code.BAD_SIGNATURE, lambda u: made(H, u, jws.JWSRegistry.algorithms["RS256"].sign(b64(dump(claims(u))).encode(), RSA))),
    ("of the decoded text", Code.BAD_SIGNATURE, lambda u: made(H, u, jws.JWSRegistry.algorithms["RS256"].sign(dump(H) + b"." + dump(claims(u)), RSA))),
    ("by a stranger's key", Code.BAD_SIGNATURE, lambda u: signed(H, claims(u), OTHER_RSA)),
    ("a header with other spaces", Code.BAD_SIGNATURE, lambda u: f"{b64(dump(H).replace(b': ', b':'))}.{token(u).split('.', 1)[1]}"),
    ("PSS under RS256", Code.BAD_SIGNATURE, lambda u: made(H, u, jws.JWSRegistry.algorithms["PS256"].sign(text(H, u), RSA))),
    ("ES256 in DER", Code.BAD_SIGNATURE, lambda u: es(u, der)),
    ("ES256, r and s exchanged", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: s[32:] + s[:32])),
    ("ES256, r zero", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: bytes(32) + s[32:])),
    ("ES256, s zero", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: s[:32] + bytes(32))),
    ("ES256, r and s one", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: both(1, 1))),
    ("ES256, r the order", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: both(N256, 1))),
    ("ES256, s the order", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: s[:32] + N256.to_bytes(32, "big"))),
    ("ES256, both the order", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: both(N256, N256))),
    ("ES256, all ones", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: b"\xff" * 64)),
    ("ES256, two bytes more", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: b"\0" + s[:32] + b"\0" + s[32:])),
    ("ES256, of ES384's length", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: bytes(16) + s[:32] + bytes(16) + s[32:])),
    ("ES256, over SHA-384", Code.BAD_SIGNATURE, over_sha384),
    ("ES256, its bytes reversed", Code.BAD_SIGNATURE, lambda u: es(u, lambda s: s[::-1])),
    ("ES256, a byte less", Code.TRUNCATED, lambda u: es(u, lambda s: s[:-1])),
    ("ES256, empty", Code.TRUNCATED, lambda u: es(u, lambda s: b"")),
    ("Ed25519, S plus the order", Code.BAD_SIGNATURE, lambda u: ed(u, more_s)),
    ("Ed25519, S zero", Code.BAD_SIGNATURE, lambda u: ed(u, lambda s: s[:32] + bytes(32))),
    ("Ed25519, R the neutral element", Code.BAD_SIGNATURE, lambda u: ed(u, lambda s: (1).to_bytes(32, "little") + s[32:])),
    ("Ed25519, R's sign turned", Code.BAD_SIGNATURE, lambda u: ed(u, lambda s: s[:31] + bytes([s[31] ^ 0x80]) + s[32:])),
    ("Ed25519, of Ed448's length", Code.BAD_SIGNATURE, lambda u: ed(u, lambda s: s + bytes(50))),
    ("Ed25519, a byte less", Code.TRUNCATED, lambda u: ed(u, lambda s: s[:-1])),
    ("cut at ssh's prompt, in the signature", Code.TRUNCATED, lambda u: cut_in_signature(u, 1023)),
    ("cut at ssh's prompt, two bytes short", Code.TRUNCATED, lambda u: cut_in_signature(u, 1023, RSA, 2)),
]  # fmt: skip
