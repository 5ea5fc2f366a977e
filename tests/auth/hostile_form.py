"""Hostile tokens, first table: what is no compact token, and headers that no honest issuer sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hooptui.auth.refusals import Code

from .cases import H, Make, claims, hmac_with, pem, signed
from .forge import RSA, b64, dump, public, token

PUBLIC = RSA.public_key
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PKCS1 = PUBLIC.public_bytes(Encoding.DER, PublicFormat.PKCS1)
MODULUS = PUBLIC.public_numbers().n.to_bytes(256, "big")


def flattened(url: str) -> str:
    head, body, signature = token(url).split(".")
    return json.dumps({"protected": head, "payload": body, "signature": signature})


def general(url: str) -> str:
    head, body, signature = token(url).split(".")
    return json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}]})


def inside(url: str, what: str, at: int = 40) -> str:
    text = token(url)
    return text[:at] + what + text[at:]


def header(raw: bytes | dict[str, object], url: str) -> str:
    """Exactly this header, truly signed."""
    return signed(raw, claims(url))


def spelled(alg: bytes, url: str) -> str:
    """`alg` in exactly this JSON spelling, without a signature."""
    head = b'{"alg":' + alg + b"}"
    return f"{b64(head)}.{b64(dump(claims(url)))}."


def headed(**members: object) -> Make:
    """A good token with these header members."""
    return lambda url: signed(H | members, claims(url))


def keyed(key: bytes) -> Make:
    return lambda url: hmac_with(key, url)


FORM: list[tuple[str, Code, Make]] = [
    ("flattened JSON serialization", Code.NOT_SIGNED, flattened),
    ("general JSON serialization", Code.NOT_SIGNED, general),
    ("the whole token answer", Code.NOT_SIGNED, lambda u: json.dumps({"access_token": token(u), "token_type": "Bearer"})),
    ("with its header line", Code.NOT_SIGNED, lambda u: "Authorization: Bearer " + token(u)),
    ("with DPoP", Code.NOT_SIGNED, lambda u: "DPoP " + token(u)),
    ("Bearer and a tab", Code.NOT_SIGNED, lambda u: "Bearer\t" + token(u)),
    ("as a variable", Code.NOT_SIGNED, lambda u: "TOKEN=" + token(u)),
    ("in single quotes", Code.NOT_SIGNED, lambda u: f"'{token(u)}'"),
    ("in typographic quotes", Code.NOT_SIGNED, lambda u: f"“{token(u)}”"),
    ("in angle brackets", Code.NOT_SIGNED, lambda u: f"<{token(u)}>"),
    ("with a comma after it", Code.NOT_SIGNED, lambda u: token(u) + ","),
    ("with a shell's end", Code.NOT_SIGNED, lambda u: token(u) + ";id"),
    ("with a carriage return", Code.NOT_SIGNED, lambda u: token(u) + "\r"),
    ("with a tab before it", Code.NOT_SIGNED, lambda u: "\t" + token(u)),
    ("with a no-break space", Code.NOT_SIGNED, lambda u: token(u) + "\u00a0"),
    ("with a line separator", Code.NOT_SIGNED, lambda u: token(u) + "\u2028"),
    ("with a byte order mark", Code.NOT_SIGNED, lambda u: "\ufeff" + token(u)),
    ("with a zero width space inside", Code.NOT_SIGNED, lambda u: inside(u, "\u200b")),
    ("with a soft hyphen inside", Code.NOT_SIGNED, lambda u: inside(u, "\u00ad")),
    ("with a vertical tab inside", Code.NOT_SIGNED, lambda u: inside(u, "\v")),
    ("with a delete character inside", Code.NOT_SIGNED, lambda u: inside(u, "\x7f")),
    ("with an escape sequence inside", Code.NOT_SIGNED, lambda u: inside(u, "\x1b[2J")),
    ("a Cyrillic e", Code.NOT_SIGNED, lambda u: "е" + token(u)[1:]),
    ("fullwidth letters", Code.NOT_SIGNED, lambda u: "ｅｙ" + token(u)[2:]),
    ("a middle dot", Code.NOT_SIGNED, lambda u: token(u).replace(".", "·")),
    ("dots percent-encoded", Code.NOT_SIGNED, lambda u: token(u).replace(".", "%2E")),
    ("padding percent-encoded", Code.NOT_SIGNED, lambda u: token(u) + "%3D"),
    ("padded signature", Code.NOT_SIGNED, lambda u: token(u) + "=="),
    ("padded header", Code.NOT_SIGNED, lambda u: token(u).replace(".", "=.", 1)),
    ("a dot before it", Code.NOT_SIGNED, lambda u: "." + token(u)),
    ("a dot after it", Code.NOT_SIGNED, lambda u: token(u) + "."),
    ("two dots between", Code.NOT_SIGNED, lambda u: token(u).replace(".", "..", 1)),
    ("twice", Code.NOT_SIGNED, lambda u: token(u) + token(u)),
    ("two, one a line", Code.NOT_SIGNED, lambda u: f"{token(u)}\n{token(u)}"),
    ("two with a dot", Code.NOT_SIGNED, lambda u: f"{token(u)}.{token(u)}"),
    ("encoded once more", Code.NOT_SIGNED, lambda u: b64(token(u).encode())),
    ("its segments in another order", Code.NOT_SIGNED, lambda u: ".".join(reversed(token(u).split(".")))),
    ("detached claims", Code.NOT_SIGNED, lambda u: token(u).split(".")[0] + ".." + token(u).split(".")[2]),
    ("an encrypted token", Code.NOT_SIGNED, lambda u: f"{b64(dump({'alg': 'dir', 'enc': 'A256GCM'}))}..AAAA.AAAA.AAAA"),
    ("a signed token inside an encrypted one", Code.NOT_SIGNED, lambda u: f"{b64(dump({'alg': 'RSA-OAEP', 'enc': 'A256GCM', 'cty': 'JWT'}))}.{token(u)[:200].replace('.', '')}.AAAA.AAAA.AAAA"),
    ("a selective disclosure token", Code.NOT_SIGNED, lambda u: token(u) + "~WyJzIiwic3ViIiwicm9vdCJd~"),
    ("a PASETO", Code.NOT_SIGNED, lambda u: "v4.public.eyJkYXRhIjoidGhpcyBpcyBhIHNpZ25lZCBtZXNzYWdlIn0"),
    ("a macaroon", Code.NOT_SIGNED, lambda u: "MDAyMWxvY2F0aW9uIGh0dHA6Ly9leGFtcGxl"),
    ("a SAML response", Code.NOT_SIGNED, lambda u: base64.b64encode(b"<samlp:Response/>").decode()),
    ("a lease of ours", Code.NOT_SIGNED, lambda u: "hl_abcdefghijkl.abcdefghijklmnopqrstuvwxyz"),
    ("a private key", Code.NOT_SIGNED, lambda u: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
    ("the issuer's key set", Code.NOT_SIGNED, lambda u: json.dumps({"keys": [public(RSA)]})),
    ("a format string", Code.NOT_SIGNED, lambda u: "%s%n{0.__class__}"),
    ("a look-up", Code.NOT_SIGNED, lambda u: "${jndi:ldap://127.0.0.1/x}"),
    ("only NUL", Code.NOT_SIGNED, lambda u: "\0"),
    ("a compressed header", Code.NOT_SIGNED, lambda u: header(zlib.compress(dump(H)), u)),
    ("a header in CBOR", Code.NOT_SIGNED, lambda u: header(bytes.fromhex("a10126"), u)),
    ("header null", Code.NOT_SIGNED, lambda u: header(b"null", u)),
    ("header a text", Code.NOT_SIGNED, lambda u: header(b'"RS256"', u)),
    ("header a number", Code.NOT_SIGNED, lambda u: header(b"7", u)),
    ("header with a comment", Code.NOT_SIGNED, lambda u: header(b'{"alg":"RS256"/**/}', u)),
    ("header with a comma at the end", Code.NOT_SIGNED, lambda u: header(b'{"alg":"RS256",}', u)),
    ("header in single quotes", Code.NOT_SIGNED, lambda u: header(b"{'alg':'RS256'}", u)),
    ("header with something after it", Code.NOT_SIGNED, lambda u: header(dump(H) + b"x", u)),
    ("two headers", Code.NOT_SIGNED, lambda u: header(dump(H) + dump(H), u)),
    ("header in an overlong encoding", Code.NOT_SIGNED, lambda u: header(b'{"alg":"RS256","x":"\xc0\xaf"}', u)),
    ("header with a control character", Code.NOT_SIGNED, lambda u: header(b'{"alg":"RS256","x":"\x01"}', u)),
]  # fmt: skip

HEADER: list[tuple[str, Code, Make]] = [
    ("no members", Code.BAD_HEADER, lambda u: header(b"{}", u)),
    ("alg twice by an escape", Code.BAD_HEADER, lambda u: header(b'{"alg":"RS256","\\u0061lg":"none","kid":"rsa-1"}', u)),
    ("a duplicate deep inside", Code.BAD_HEADER, lambda u: header(b'{"alg":"RS256","kid":"rsa-1","x":{"a":1,"a":2}}', u)),
    ("minus infinity in the header", Code.BAD_HEADER, lambda u: header(b'{"alg":"RS256","kid":"rsa-1","x":-Infinity}', u)),
    ("1e999", Code.BAD_HEADER, lambda u: header(b'{"alg":"RS256","kid":"rsa-1","x":1e999}', u)),
    ("alg is null", Code.BAD_HEADER, headed(alg=None)),
    ("alg a number", Code.BAD_HEADER, headed(alg=256)),
    ("alg true", Code.BAD_HEADER, headed(alg=True)),
    ("alg an object", Code.BAD_HEADER, headed(alg={"name": "RS256"})),
    ("a private jwk", Code.BAD_HEADER, headed(jwk=RSA.as_dict(private=True))),
    ("jwk null", Code.BAD_HEADER, headed(jwk=None)),
    ("jku to the metadata service", Code.BAD_HEADER, headed(jku="http://169.254.169.254/")),
    ("jku to a file", Code.BAD_HEADER, headed(jku="file:///etc/passwd")),
    ("x5c of nobody", Code.BAD_HEADER, headed(x5c=[base64.b64encode(DER).decode()])),
    ("x5u and x5c", Code.BAD_HEADER, headed(x5u="https://idp.example/c", x5c=[])),
    ("crit null", Code.BAD_HEADER, headed(crit=None)),
    ("crit a text", Code.BAD_HEADER, headed(crit="exp")),
    ("crit with b64", Code.BAD_HEADER, headed(crit=["b64"], b64=False)),
    ("crit with an unknown name", Code.BAD_HEADER, headed(crit=["http://example.com/x"])),
    ("b64 true", Code.BAD_HEADER, headed(b64=True)),
    ("zip null", Code.BAD_HEADER, headed(zip=None)),
    ("cty empty", Code.BAD_HEADER, headed(cty="")),
    ("epk", Code.BAD_HEADER, headed(epk={"kty": "EC"})),
    ("kid a list", Code.BAD_HEADER, headed(kid=["rsa-1"])),
    ("kid an object", Code.BAD_HEADER, headed(kid={"$ne": None})),
    ("kid true", Code.BAD_HEADER, headed(kid=True)),
    ("kid a fraction", Code.BAD_HEADER, headed(kid=1e3)),
    ("kid with NUL", Code.BAD_HEADER, headed(kid="rsa-1\0")),
    ("kid with a zero width space", Code.BAD_HEADER, headed(kid="rsa-1\u200b")),
    ("kid turned around", Code.BAD_HEADER, headed(kid="\u202e1-asr")),
    ("kid a lone surrogate", Code.BAD_HEADER, headed(kid="\udc80")),
    ("kid with a newline", Code.BAD_HEADER, headed(kid="rsa-1\n")),
    ("kid of 4,000 characters", Code.BAD_HEADER, headed(kid="k" * 2900)),
    ("typ null", Code.BAD_HEADER, headed(typ=None)),
    ("typ a list", Code.BAD_HEADER, headed(typ=["at+jwt"])),
    *((f"kid {kid}", Code.UNKNOWN_KEY, headed(kid=kid)) for kid in (
        "rsa-1 ", " rsa-1", "RSA-1", "rsa‐1", "rsa-1%00", "http://169.254.169.254/latest/meta-data", "file:///dev/null", "/dev/null",
        "..\\..\\windows\\win.ini", "| sleep 9", "$(id)", "1 OR 1=1", "'; DROP TABLE keys; --", "${jndi:ldap://x}", "{{7*7}}", "*", "rsa-*",
        "__proto__", "null", "0", "shared",
    )),
    *((f"typ {kind}", Code.WRONG_TYPE, headed(typ=kind)) for kind in (
        "JWT ", " at+jwt", "at+jwt; charset=utf-8", "text/at+jwt", "application/jwt+x", "JWS", "JOSE", "JOSE+JSON", "kb+jwt", "dc+sd-jwt",
        "vc+jwt", "oauth-authz-req+jwt", "token-introspection+jwt", "client-authentication+jwt", "rt+jwt", "refresh", "id_token", "ID", "jwt\0",
    )),
]  # fmt: skip

ALGORITHM: list[tuple[str, Code, Make]] = [
    *((f"alg {alg}", Code.ALGORITHM_REFUSED, headed(alg=alg)) for alg in (
        "NONE", "none ", " none", "nonE", "RS256 ", "Rs256", "RS-256", "ＲＳ２５６", "RS256\0", "RS256,none", "SHA256", "RSA", "dir", "RSA-OAEP",
        "A128KW", "PBES2-HS256+A128KW", "ML-DSA-44", "EdDSA448", "Ed448", "HS256", "hs256", "PS1", "ES224", "null", "RS256\u200b", "RS２56",
    )),
    ("none by an escape", Code.ALGORITHM_REFUSED, lambda u: spelled(b'"n\\u006fne"', u)),
    ("none, and a signature of zeros", Code.ALGORITHM_REFUSED, lambda u: spelled(b'"none"', u) + "A" * 342),
    ("HS256 with the public key in DER", Code.ALGORITHM_REFUSED, keyed(DER)),
    ("HS256 with the public key in PKCS1", Code.ALGORITHM_REFUSED, keyed(PKCS1)),
    ("HS256 with the modulus", Code.ALGORITHM_REFUSED, keyed(MODULUS)),
    ("HS256 with the modulus as text", Code.ALGORITHM_REFUSED, keyed(b64(MODULUS).encode())),
    ("HS256 with PEM without its last newline", Code.ALGORITHM_REFUSED, keyed(pem(RSA).rstrip())),
    ("HS256 with PEM in one line", Code.ALGORITHM_REFUSED, keyed(pem(RSA).replace(b"\n", b""))),
    ("HS256 with the key id", Code.ALGORITHM_REFUSED, keyed(b"rsa-1")),
    ("HS256 with nothing", Code.ALGORITHM_REFUSED, keyed(b"")),
    ("HS384 with the public key", Code.ALGORITHM_REFUSED, lambda u: hmac_with(pem(RSA), u, "HS384")),
    ("a shared secret's signature under RS256", Code.TRUNCATED, lambda u: (text := f"{b64(dump(H))}.{b64(dump(claims(u)))}") + "." + b64(hmac.digest(pem(RSA), text.encode(), hashlib.sha256))),
    ("a refresh token as Keycloak signs it", Code.ALGORITHM_REFUSED, lambda u: hmac_with(b"realm", u, "HS512")),
]  # fmt: skip
