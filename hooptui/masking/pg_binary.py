"""PostgreSQL's binary form of numbers, arrays, records and ranges: reading and writing back. No masks here.

Source: the send and receive functions of PostgreSQL 17 (`numeric_send`, `array_send`, `record_send`, `range_send`,
`hstore_send`). Every length and count is checked against the bytes at hand before it is used.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from hooptui.masking.pg_text import Unreadable

Change = Callable[[int, bytes], bytes | None]
"""What becomes of one value of a type: the same object (nothing), other bytes, or None for NULL."""

_NUMERIC = struct.Struct("!HhHH")
_INT = struct.Struct("!i")
_PAIR = struct.Struct("!Ii")
_ARRAY = struct.Struct("!iiI")
_FLOAT = struct.Struct("!d")
_LONG = struct.Struct("!q")

MAX_DIMENSIONS = 6
MAX_FIELDS = 1664


def int8(value: bytes) -> str:
    """Raises: Unreadable: not eight bytes."""
    if len(value) != 8:
        raise Unreadable("int8")
    return str(_LONG.unpack(value)[0])


def float8(value: bytes) -> float:
    """Raises: Unreadable: not eight bytes."""
    if len(value) != 8:
        raise Unreadable("float8")
    number: float = _FLOAT.unpack(value)[0]
    return number


def numeric_whole(value: bytes) -> str:
    """The digits before the decimal point, without leading zeros; empty for zero, NaN, infinity and above 10^20.

    Raises:
        Unreadable: not a numeric.
    """
    size = len(value)
    if size < 8:
        raise Unreadable("numeric")
    count, weight, sign, _ = _NUMERIC.unpack_from(value)
    if size != 8 + 2 * count or sign not in (0, 0x4000, 0xC000, 0xD000, 0xF000):
        raise Unreadable("numeric")
    if not 0 <= weight <= 4 or sign in (0xC000, 0xD000, 0xF000):
        return ""
    groups = struct.unpack_from(f"!{count}H", value, 8)
    if groups and max(groups) > 9999:
        raise Unreadable("numeric")
    return "".join(f"{groups[i] if i < count else 0:04d}" for i in range(weight + 1)).lstrip("0")


def numeric_text(value: bytes) -> str:
    """The decimal notation.

    Raises:
        Unreadable: not a numeric, or longer than anybody would read (weight or scale above 1000).
    """
    numeric_whole(value)
    count, weight, sign, scale = _NUMERIC.unpack_from(value)
    if sign in (0xC000, 0xD000, 0xF000):
        return {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}[sign]
    if abs(weight) > 1000 or scale > 1000:
        raise Unreadable("numeric")
    groups = struct.unpack_from(f"!{count}H", value, 8)
    if groups and max(groups) > 9999:
        raise Unreadable("numeric")

    def group(power: int) -> str:
        return f"{groups[weight - power]:04d}" if 0 <= weight - power < count else "0000"

    whole = "".join(group(power) for power in range(max(weight, 0), -1, -1)).lstrip("0") or "0"
    part = "".join(group(-1 - i) for i in range((scale + 3) // 4))[:scale]
    return ("-" if sign == 0x4000 else "") + whole + ("." + part if part else "")


def array(value: bytes, change: Change) -> bytes:
    """An array with each element as `change` wants it; NULL elements, dimensions and bounds stay.

    Raises:
        Unreadable: not an array.
    """
    if len(value) < 12:
        raise Unreadable("array")
    dimensions, has_null, element = _ARRAY.unpack_from(value)
    if not 0 <= dimensions <= MAX_DIMENSIONS or has_null not in (0, 1) or len(value) < 12 + 8 * dimensions:
        raise Unreadable("array")
    count = 1 if dimensions else 0
    for axis in range(dimensions):
        length = _INT.unpack_from(value, 12 + 8 * axis)[0]
        if length < 0:
            raise Unreadable("array")
        count *= length
    at = 12 + 8 * dimensions
    if count * 4 > len(value) - at:
        raise Unreadable("array")
    out = [b"", value[12:at]]
    touched = nulls = False
    for _ in range(count):
        body, at = _sized(value, at)
        after = None if body is None else change(element, body)
        touched |= after is not body
        nulls |= after is None
        out.append(_with_size(after))
    if at != len(value):
        raise Unreadable("array")
    if not touched:
        return value
    out[0] = _ARRAY.pack(dimensions, int(nulls or has_null), element)
    return b"".join(out)


def record(value: bytes, change: Change) -> bytes:
    """A composite with each field as `change` wants it.

    Raises:
        Unreadable: not a composite.
    """
    if len(value) < 4:
        raise Unreadable("record")
    count = _INT.unpack_from(value)[0]
    if not 0 <= count <= MAX_FIELDS or count * 8 > len(value) - 4:
        raise Unreadable("record")
    out = [value[:4]]
    at, touched = 4, False
    for _ in range(count):
        if at + 8 > len(value):
            raise Unreadable("record")
        oid = _PAIR.unpack_from(value, at)[0]
        body, end = _sized(value, at + 4)
        after = None if body is None else change(oid, body)
        touched |= after is not body
        out += (value[at : at + 4], _with_size(after))
        at = end
    if at != len(value):
        raise Unreadable("record")
    return b"".join(out) if touched else value


def range_bounds(value: bytes) -> list[bytes]:
    """The bounds of a range that it holds.

    Raises:
        Unreadable: not a range.
    """
    if not value:
        raise Unreadable("range")
    flags, at = value[0], 1
    bounds: list[bytes] = []
    # range_send: 0x01 empty; 0x08 and 0x10 say that the lower, the upper bound is infinite.
    for absent in (0x01 | 0x08, 0x01 | 0x10):
        if not flags & absent:
            body, at = _sized(value, at)
            if body is None:
                raise Unreadable("range")
            bounds.append(body)
    if at != len(value):
        raise Unreadable("range")
    return bounds


def multirange_bounds(value: bytes) -> list[bytes]:
    """The bounds of every range in a multirange.

    Raises:
        Unreadable: not a multirange.
    """
    return [bound for part in _parts(value) for bound in range_bounds(part)]


def hstore_values(value: bytes) -> list[bytes]:
    """The keys and values of an hstore, one after the other; NULL values are left out.

    Raises:
        Unreadable: not an hstore.
    """
    if len(value) < 4:
        raise Unreadable("hstore")
    count = _INT.unpack_from(value)[0]
    if not 0 <= count * 8 <= len(value) - 4:
        raise Unreadable("hstore")
    at, out = 4, []
    for place in range(2 * count):
        body, at = _sized(value, at)
        if body is None and place % 2 == 0:
            raise Unreadable("hstore")
        if body is not None:
            out.append(body)
    if at != len(value):
        raise Unreadable("hstore")
    return out


def _parts(value: bytes) -> list[bytes]:
    if len(value) < 4:
        raise Unreadable("multirange")
    count = _INT.unpack_from(value)[0]
    if not 0 <= count * 4 <= len(value) - 4:
        raise Unreadable("multirange")
    at, out = 4, []
    for _ in range(count):
        body, at = _sized(value, at)
        if body is None:
            raise Unreadable("multirange")
        out.append(body)
    if at != len(value):
        raise Unreadable("multirange")
    return out


def _sized(value: bytes, at: int) -> tuple[bytes | None, int]:
    """A value behind its length word, and where the next one starts."""
    if at + 4 > len(value):
        raise Unreadable("length")
    size = _INT.unpack_from(value, at)[0]
    at += 4
    if size == -1:
        return None, at
    if size < 0 or at + size > len(value):
        raise Unreadable("length")
    return value[at : at + size], at + size


def _with_size(value: bytes | None) -> bytes:
    return _INT.pack(-1) if value is None else _INT.pack(len(value)) + value
