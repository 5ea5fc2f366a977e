"""One PostgreSQL value, text or binary, rewritten so that it stays a value of its type. Knows no rule and no column.

What is inside (characters, documents, numbers) is put to a `Treatment`; containers are taken apart and put together
again. A value that cannot be read raises `Unreadable`, and NULL stands for what cannot be said in its type: a number, a
date, a type that PostgreSQL does not bring itself, in binary.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Protocol, assert_never

from hooptui.masking import pg_binary, pg_text
from hooptui.masking.pg_text import Unreadable
from hooptui.masking.pg_types import ELEMENTS, MULTIRANGES, RANGE_ELEMENTS, Family, family
from hooptui.masking.strategies import plain

MAX_DEPTH = 16


class Treatment(Protocol):
    """What to do with what a value holds. Text answers: the same text for nothing, None for NULL."""

    def text(self, text: str) -> str | None: ...

    def bare(self, text: str) -> str | None:
        """Text of a type whose syntax is not known: the answer must not break any."""

    def document(self, text: str) -> str | None:
        """JSON text."""

    def number(self, digits: str) -> bool:
        """Whether a number with these digits before the point may not be seen."""

    def octets(self, payload: bytes) -> bool:
        """Whether bytes without known structure may not be seen."""


def rewrite(value: bytes, oid: int, binary: bool, treatment: Treatment, *, ascii_only: bool = False) -> bytes | None:
    """The value as it may be seen: the very same object when untouched, None for NULL.

    `ascii_only` writes what is new in ASCII, for a client encoding that may lack the block character.

    Raises:
        Unreadable: the value is not in its type's form, or nests deeper than anybody would.
    """
    if binary:
        return _binary(value, oid, treatment, 0, ascii_only)
    return _characters(value, partial(_text, oid=oid, treatment=treatment, depth=0), ascii_only)


def _characters(value: bytes, change: pg_text.Change, ascii_only: bool) -> bytes | None:
    """Decode, change, encode. What is not UTF-8 is read byte by byte, so that all but the change keeps its bytes."""
    try:
        text, encoding = value.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = value.decode("latin-1"), "latin-1"
    after = change(text)
    if after is None or after == text:
        return None if after is None else value
    if ascii_only or encoding == "latin-1":
        after = plain(after)
    try:
        return after.encode(encoding)
    except UnicodeEncodeError:
        raise Unreadable("encoding") from None


def _text(text: str, *, oid: int, treatment: Treatment, depth: int) -> str | None:
    if depth > MAX_DEPTH:
        raise Unreadable("depth")
    kind = family(oid)
    match kind:
        case Family.TEXT:
            return treatment.text(text)
        case Family.JSON | Family.JSONB:
            return treatment.document(text)
        case Family.INTEGER | Family.NUMERIC | Family.FLOAT:
            return None if treatment.number(pg_text.whole_digits(text)) else text
        case Family.BYTES:
            return None if treatment.octets(pg_text.bytea(text)) else text
        case Family.RANGE:
            return None if any(treatment.number(pg_text.whole_digits(one)) for one in pg_text.numbers(text)) else text
        case Family.INERT:
            return text
        case Family.ARRAY:
            return pg_text.array(text, partial(_text, oid=ELEMENTS[oid], treatment=treatment, depth=depth + 1))
        case Family.RECORD:
            return pg_text.record(text, treatment.bare)
        case Family.UNKNOWN:
            return treatment.bare(text)
        case _:
            assert_never(kind)


def _binary(value: bytes, oid: int, treatment: Treatment, depth: int, ascii_only: bool) -> bytes | None:
    if depth > MAX_DEPTH:
        raise Unreadable("depth")

    def inside(element: int, body: bytes) -> bytes | None:
        return _binary(body, element, treatment, depth + 1, ascii_only)

    kind = family(oid)
    match kind:
        case Family.TEXT:
            return _characters(value, treatment.text, ascii_only)
        case Family.JSON:
            return _characters(value, treatment.document, ascii_only)
        case Family.JSONB:
            if value[:1] != b"\x01":
                raise Unreadable("jsonb version")
            body = value[1:]
            after = _characters(body, treatment.document, ascii_only)
            return value if after is body else None if after is None else b"\x01" + after
        case Family.INTEGER:
            return None if treatment.number(pg_binary.int8(value).lstrip("-")) else value
        case Family.NUMERIC:
            return None if treatment.number(pg_binary.numeric_whole(value)) else value
        case Family.FLOAT:
            return None if treatment.number(_float_digits(pg_binary.float8(value))) else value
        case Family.BYTES:
            return None if treatment.octets(value) else value
        case Family.RANGE:
            bounds = pg_binary.multirange_bounds(value) if oid in MULTIRANGES else pg_binary.range_bounds(value)
            return None if any(inside(RANGE_ELEMENTS[oid], bound) is None for bound in bounds) else value
        case Family.INERT:
            return value
        case Family.ARRAY:
            return pg_binary.array(value, inside)
        case Family.RECORD:
            return pg_binary.record(value, inside)
        case Family.UNKNOWN:
            return None if _unknown_hides(value, treatment, depth) else value
        case _:
            assert_never(kind)


def _float_digits(number: float) -> str:
    """The whole part of a float that can be a card number."""
    size = abs(number)
    return str(int(size)) if 1e12 <= size < 1e19 else ""


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _unknown_hides(value: bytes, treatment: Treatment, depth: int) -> bool:
    """Whether a binary value of a type not known holds something that may not be seen.

    It is read as what it can be: characters (citext, an enum), a composite, an array, an hstore, else as plain bytes.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if not _CONTROL.search(text):
        return treatment.bare(text) != text

    def inside(element: int, body: bytes) -> bytes | None:
        return _binary(body, element, treatment, depth + 1, ascii_only=False)

    for reader in (pg_binary.record, pg_binary.array):
        try:
            return reader(value, inside) is not value
        except Unreadable:
            continue
    try:
        return any(treatment.octets(part) for part in pg_binary.hstore_values(value))
    except Unreadable:
        return treatment.octets(value)
