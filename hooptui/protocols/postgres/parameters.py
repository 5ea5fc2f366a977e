"""Bound values as text, for reviewers and the journal. Pure.

Text is shown as it is, binary by type where the type is known and simple. What is not shown whole carries a keyed digest of
all of it, so that an approval of exactly these parameters covers no others; the key is made anew in each process, so that
nobody can try values against a journal.
"""

from __future__ import annotations

import secrets
import struct
import uuid
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from hooptui.protocols.postgres.codec import Bind

SHOWN: Final = 2048
"""Characters of one value that are shown."""

_KEY: Final = secrets.token_bytes(32)

_INT: Final[dict[int, str]] = {21: ">h", 23: ">i", 20: ">q", 26: ">I"}
_FLOAT: Final[dict[int, str]] = {700: ">f", 701: ">d"}
_TEXT: Final = frozenset({18, 19, 25, 114, 142, 705, 1042, 1043})
"""Types whose binary form is their text: char, name, text, json, xml, unknown, bpchar, varchar."""


def texts(bind: Bind, types: tuple[int, ...], codec: str) -> tuple[str | None, ...]:
    """All parameters of a Bind.

    Args:
        types: OIDs as far as they are known; 0 for those that are not.
        codec: Python's name of the client's encoding.
    """
    return tuple(
        None if value is None else _text(value, bind.format_of(index), types[index] if index < len(types) else 0, codec)
        for index, value in enumerate(bind.parameters)
    )


def _text(value: bytes, form: int, oid: int, codec: str) -> str:
    if form == 0:
        return _cut(value, codec)
    try:
        return _binary(value, oid, codec)
    except (struct.error, ValueError):
        return _digest(value)


def _cut(value: bytes, codec: str) -> str:
    try:
        text = value.decode(codec)
    except UnicodeDecodeError:
        return _digest(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… {_digest(value)}"


def _binary(value: bytes, oid: int, codec: str) -> str:
    if oid in _TEXT:
        return _cut(value, codec)
    if oid in _INT:
        return str(struct.unpack(_INT[oid], value)[0])
    if oid in _FLOAT:
        return repr(struct.unpack(_FLOAT[oid], value)[0])
    shape = _SHAPES.get(oid)
    return _digest(value) if shape is None else shape(value, codec)


def _bool(value: bytes, _codec: str) -> str:
    return "true" if struct.unpack(">?", value)[0] else "false"


def _jsonb(value: bytes, codec: str) -> str:
    if value[:1] != b"\x01":
        raise ValueError("a jsonb version that is not known")
    return _cut(value[1:], codec)


def _bytea(value: bytes, _codec: str) -> str:
    return "\\x" + value.hex() if len(value) <= SHOWN // 2 else _digest(value)


def _uuid(value: bytes, _codec: str) -> str:
    return str(uuid.UUID(bytes=value))


_SHAPES: Final[dict[int, Callable[[bytes, str], str]]] = {16: _bool, 17: _bytea, 2950: _uuid, 3802: _jsonb}


def _digest(value: bytes) -> str:
    return f"‹binary {len(value)}, {blake2b(value, digest_size=12, key=_KEY).hexdigest()}›"
