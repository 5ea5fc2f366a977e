"""What stands for a masked value in an object, and how it is known again in whatever a client writes back.

A masked value that is written back would replace the real one. So every stand-in carries a mark under the gateway's own key, which
nobody else can make up to keep others from writing, and which is looked for in the encodings that clients put values in.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import zlib
from collections.abc import Iterator
from typing import Final

PREFIX: Final = "masked-by-hooptui."
_PLAIN: Final = re.compile(rb"masked-by-hooptui\.([0-9a-f]{8})\.([0-9a-f]{16})")
_ESCAPE: Final = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{40,}")
_HEX: Final = re.compile(rb"[0-9a-fA-F]{60,}")
_ROUNDS: Final = 2
"""Encodings within encodings that are looked through."""
_GZIP: Final = b"\x1f\x8b\x08"
UNPACKED: Final = 16 * 1024 * 1024
"""Bytes that are unpacked of what is packed in one body. Helm packs a release by gzip, in base64 in a Secret's base64."""


def sentinel(value: bytes, key: bytes, *, same: bool = False) -> str:
    """The stand-in for `value`, printable ASCII. With `same`, equal values get equal ones; else all do."""
    number = hmac.digest(key, b"kubernetes value\0" + value, "sha256").hex()[:8] if same else "0" * 8
    return f"{PREFIX}{number}.{_mark(number, key)}"


LEAST: Final = 4
"""Characters of a Secret's value that is looked for elsewhere in the object."""


def plain(text: str) -> bytes:
    """The value that is written in base64; as it is written when it is not."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "surrogatepass")


def encoded(shown: str) -> str:
    return base64.b64encode(shown.encode()).decode()


def known_by(text: str, value: bytes) -> set[str]:
    """What a Secret's value is looked for as in the strings around it: as it is written, and as it is."""
    return {one for one in (text.strip(), value.decode("utf-8", "replace").strip()) if len(one) >= LEAST}


def _mark(number: str, key: bytes) -> str:
    return hmac.digest(key, b"kubernetes sentinel\0" + number.encode(), "sha256").hex()[:16]


def found(body: bytes, key: bytes) -> bool:
    """Whether a body holds a stand-in that was made under `key`: as it is, in base64 of either alphabet, in hexadecimal, or in
    JSON's escapes, in one of these within another, and in what Helm packs, up to `UNPACKED` bytes."""
    return _Search(key).found(body, _ROUNDS)


class _Search:
    """Of one body."""

    __slots__ = ("_key", "_left")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._left = UNPACKED

    def found(self, body: bytes, rounds: int, *, packed: bool = False) -> bool:
        if body.startswith(_GZIP) and not packed:
            # Manifests, with values in base64 in them.
            return self.found(self._unpacked(body), 1, packed=True)
        if b"\\u00" in body:
            body = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), body)
        for number, mark in _PLAIN.findall(body):
            if hmac.compare_digest(mark.decode(), _mark(number.decode(), self._key)):
                return True
        return rounds > 0 and any(self.found(inner, rounds - 1, packed=packed) for inner in _decoded(body))

    def _unpacked(self, body: bytes) -> bytes:
        if self._left <= 0:
            return b""
        try:
            inner = zlib.decompressobj(wbits=31).decompress(body, self._left)
        except zlib.error:
            return b""
        self._left -= len(inner)
        return inner


def _decoded(body: bytes) -> Iterator[bytes]:
    for match in _HEX.finditer(body):
        digits = match[0].decode()
        yield bytes.fromhex(digits[: len(digits) // 2 * 2])
    for match in _BASE64.finditer(body):
        run = match[0].replace(b"-", b"+").replace(b"_", b"/")
        # Letters in front of a value that belong to the same run shift it against the groups of four.
        for skip in range(4):
            rest = run[skip:]
            if len(rest) % 4 == 1:
                rest = rest[:-1]
            yield base64.b64decode(rest + b"=" * (-len(rest) % 4))
