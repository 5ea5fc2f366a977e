"""PostgreSQL values as people read them: text as it is, binary rendered by type. Knows no mask; never raises.

Bounded: a value costs no more than a few kilobytes of reading, however long it is.
"""

from __future__ import annotations

import datetime
import struct
import uuid
from collections.abc import Callable

from hooptui.masking import pg_binary, pg_types
from hooptui.masking.pg_text import Unreadable
from hooptui.masking.pg_types import Family

_MAX_BYTES = 8 * 1024
_MAX_ITEMS = 64
_MAX_DEPTH = 4
_EPOCH = datetime.datetime(2000, 1, 1)
_EPOCH_DATE = _EPOCH.date()


def render(value: bytes, oid: int, binary: bool) -> str:
    """One value; `‹binary 12›` for twelve bytes that nobody can read."""
    if not binary:
        return value[:_MAX_BYTES].decode(errors="replace")
    return _render(value, oid, 0)


def _render(value: bytes, oid: int, depth: int) -> str:
    try:
        return _known(value, oid, depth)
    except (Unreadable, struct.error, OverflowError, ValueError):
        return f"‹binary {len(value)}›"


def _known(value: bytes, oid: int, depth: int) -> str:
    simple = _SIMPLE.get(oid)
    if simple is not None:
        return simple(value)
    match pg_types.family(oid):
        case Family.TEXT | Family.JSON:
            return value[:_MAX_BYTES].decode(errors="replace")
        case Family.JSONB if value[:1] == b"\x01":
            return value[1:_MAX_BYTES].decode(errors="replace")
        case _ if depth < _MAX_DEPTH and len(value) <= _MAX_BYTES:
            if oid == pg_types.RECORD:
                return "(" + _items(pg_binary.record, value, depth) + ")"
            if oid in pg_types.ELEMENTS:
                return "{" + _items(pg_binary.array, value, depth) + "}"
    raise Unreadable(str(oid))


def _items(reader: Callable[[bytes, pg_binary.Change], bytes], value: bytes, depth: int) -> str:
    """What a container holds, in one line; NULLs are not told apart from what is missing."""
    items: list[str] = []

    def look(element: int, body: bytes) -> bytes:
        if len(items) < _MAX_ITEMS:
            items.append(_render(body, element, depth + 1))
        elif len(items) == _MAX_ITEMS:
            items.append("…")
        return body

    reader(value, look)
    return ",".join(items)


def _integer(layout: str) -> Callable[[bytes], str]:
    unpack = struct.Struct(layout).unpack
    return lambda value: str(unpack(value)[0])


def _float4(value: bytes) -> str:
    return f"{struct.unpack('!f', value)[0]:.7g}"


def _bool(value: bytes) -> str:
    return "t" if value == b"\x01" else "f"


def _bytea(value: bytes) -> str:
    shown = value[:256].hex()
    return f"\\x{shown}" + ("…" if len(value) > 256 else "")


def _timestamp(value: bytes) -> str:
    micros = struct.unpack("!q", value)[0]
    if micros in (2**63 - 1, -(2**63)):
        return "infinity" if micros > 0 else "-infinity"
    text = (_EPOCH + datetime.timedelta(microseconds=micros)).isoformat(" ")
    return text.rstrip("0") if "." in text else text


def _date(value: bytes) -> str:
    days = struct.unpack("!i", value)[0]
    if days in (2**31 - 1, -(2**31)):
        return "infinity" if days > 0 else "-infinity"
    return (_EPOCH_DATE + datetime.timedelta(days=days)).isoformat()


def _clock(micros: int) -> str:
    seconds, fraction = divmod(abs(micros), 1_000_000)
    sign = "-" if micros < 0 else ""
    text = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def _time(value: bytes) -> str:
    return _clock(struct.unpack("!q", value)[0])


def _timetz(value: bytes) -> str:
    micros, west = struct.unpack("!qi", value)
    east = -west
    return f"{_clock(micros)}{'-' if east < 0 else '+'}{abs(east) // 3600:02d}:{abs(east) // 60 % 60:02d}"


def _interval(value: bytes) -> str:
    micros, days, months = struct.unpack("!qii", value)
    parts = [f"{months} mons"] * bool(months) + [f"{days} days"] * bool(days)
    if micros or not parts:
        parts.append(_clock(micros))
    return " ".join(parts)


_SIMPLE: dict[int, Callable[[bytes], str]] = {
    pg_types.BOOL: _bool,
    pg_types.INT2: _integer("!h"),
    pg_types.INT4: _integer("!i"),
    pg_types.INT8: _integer("!q"),
    pg_types.OID: _integer("!I"),
    pg_types.FLOAT4: _float4,
    pg_types.FLOAT8: lambda value: repr(pg_binary.float8(value)),
    pg_types.NUMERIC: pg_binary.numeric_text,
    pg_types.UUID: lambda value: str(uuid.UUID(bytes=value)),
    pg_types.BYTEA: _bytea,
    pg_types.TIMESTAMP: _timestamp,
    pg_types.TIMESTAMPTZ: lambda value: _timestamp(value) + "+00",
    pg_types.DATE: _date,
    pg_types.TIME: _time,
    pg_types.TIMETZ: _timetz,
    pg_types.INTERVAL: _interval,
    pg_types.CHAR: lambda value: value.decode("latin-1"),
    pg_types.VOID: lambda _: "",
}
