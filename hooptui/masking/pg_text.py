"""PostgreSQL's text form of arrays, records and numbers: finding the values inside and writing them back. No masks here.

Source: the documentation's chapters on array and composite input and output, `array_out` and `record_out`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Change = Callable[[str], str | None]
"""What becomes of one value: the same object (nothing), another text, or None for NULL."""


class Unreadable(ValueError):
    """A value that is not in the form its type promises, so that nothing can be said about its contents."""


_BOUNDS = re.compile(r"(?:\[[+-]?[0-9]{1,10}:[+-]?[0-9]{1,10}\]){1,6}=")
_ARRAY_TOKEN = re.compile(r'[{},]|"((?:[^"\\]|\\.)*+)"|[^{},"\\]++', re.DOTALL)
_BACKSLASHED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r'[\\"]')


def array(text: str, change: Change) -> str:
    """An array with each element as `change` wants it; NULL elements and bounds stay.

    Raises:
        Unreadable: no array literal.
    """
    bounds = _BOUNDS.match(text)
    at = bounds.end() if bounds else 0
    if text[at : at + 1] != "{" or not text.endswith("}"):
        raise Unreadable("array")
    out: list[str] = [text[:at]]
    depth, touched, size = 0, False, len(text)
    while at < size:
        token = _ARRAY_TOKEN.match(text, at)
        if token is None:
            raise Unreadable("array")
        at = token.end()
        piece = token.group()
        inside = token[1]
        if inside is None and piece in "{},":
            depth += (piece == "{") - (piece == "}")
            if depth < 0 or (depth == 0 and at < size):
                raise Unreadable("array")
            out.append(piece)
            continue
        if inside is None and piece.upper() == "NULL":
            out.append(piece)
            continue
        value = piece if inside is None else _BACKSLASHED.sub(r"\1", inside) if "\\" in inside else inside
        after = change(value)
        if after == value:
            out.append(piece)
            continue
        touched = True
        out.append("NULL" if after is None else '"' + _SPECIAL.sub(r"\\\g<0>", after) + '"')
    if depth:
        raise Unreadable("array")
    return "".join(out) if touched else text


_FIELD = re.compile(r'(?:"(?:[^"\\]|\\.|"")*+"|\\.|[^",()\\]++)*+', re.DOTALL)
_PIECE = re.compile(r'"((?:[^"\\]|\\.|"")*+)"|\\(.)|([^"\\]++)', re.DOTALL)
_INNER = re.compile(r'\\(.)|""', re.DOTALL)


def record(text: str, change: Change) -> str:
    """A composite value with each field as `change` wants it; a field that becomes NULL is left empty.

    Raises:
        Unreadable: no row literal.
    """
    if not text.startswith("("):
        raise Unreadable("record")
    out = ["("]
    at, touched, size = 1, False, len(text)
    while True:
        field = _FIELD.match(text, at)
        if field is None or field.end() >= size:
            raise Unreadable("record")
        raw = field.group()
        at = field.end()
        if raw:
            value = "".join(_unquoted(piece) for piece in _PIECE.finditer(raw))
            after = change(value)
            if after != value:
                touched = True
                raw = "" if after is None else '"' + _SPECIAL.sub(r"\g<0>\g<0>", after) + '"'
        out.append(raw)
        closing = text[at]
        out.append(closing)
        at += 1
        if closing == ",":
            continue
        if closing != ")" or at != size:
            raise Unreadable("record")
        return "".join(out) if touched else text


def _unquoted(piece: re.Match[str]) -> str:
    quoted, escaped, bare = piece.groups()
    if quoted is not None:
        return _INNER.sub(lambda m: m[1] or '"', quoted)
    return escaped if escaped is not None else bare


_NUMBER = re.compile(r"\s*[+-]?([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,6}))?\s*")
_WORDS = frozenset({"nan", "infinity", "-infinity", "inf", "-inf", "+inf", "+infinity"})
_NUMBERS = re.compile(r"[0-9][0-9.]*(?:[eE][+-]?[0-9]{1,6})?")


def whole_digits(text: str) -> str:
    """The digits before the decimal point of a number in any notation, without leading zeros; cut at 20.

    Raises:
        Unreadable: no number.
    """
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        if text.strip().lower() in _WORDS:
            return ""
        raise Unreadable("number")
    whole, part, power = match[1], match[2] or "", int(match[3] or 0)
    if power > 0:
        power = min(power, 400)
        whole, part = whole + part[:power] + "0" * (power - len(part)), part[power:]
    elif power < 0:
        whole = whole[:power]
    return whole.lstrip("0")[:20]


def numbers(text: str) -> list[str]:
    """Every number in a range or multirange literal."""
    return _NUMBERS.findall(text)


_OCTAL = re.compile(r"\\(\\|[0-7]{3})")


def bytea(text: str) -> bytes:
    """The bytes of a `bytea` in its `hex` or `escape` form.

    Raises:
        Unreadable: neither.
    """
    if text.startswith("\\x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            raise Unreadable("bytea") from None
    plain = _OCTAL.sub(lambda m: "\\" if m[1] == "\\" else chr(int(m[1], 8) & 255), text)
    return plain.encode("latin-1", "replace")
