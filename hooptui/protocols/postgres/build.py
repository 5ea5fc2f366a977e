"""Values to messages, both directions: the inverse of `codec` and `packets`. Pure.

A string that holds a zero byte cannot be sent and is this package's own fault: ValueError. Text that came from outside and
goes into an error or notice is cut at its first zero byte by `fields`, because a refusal must always be sayable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from struct import pack

from hooptui.protocols.postgres.codec import KEY_MAX, KEY_MIN, Field
from hooptui.protocols.postgres.packets import CANCEL, GSSENC, SSL

SYNC = b"S\0\0\0\4"
FLUSH = b"H\0\0\0\4"
TERMINATE = b"X\0\0\0\4"
COPY_DONE = b"c\0\0\0\4"
PARSE_COMPLETE = b"1\0\0\0\4"
BIND_COMPLETE = b"2\0\0\0\4"
CLOSE_COMPLETE = b"3\0\0\0\4"
NO_DATA = b"n\0\0\0\4"
EMPTY_QUERY = b"I\0\0\0\4"
PORTAL_SUSPENDED = b"s\0\0\0\4"
AUTH_OK = b"R\0\0\0\x08\0\0\0\0"
CLEARTEXT_REQUEST = b"R\0\0\0\x08\0\0\0\3"
SSL_REQUEST = pack(">II", 8, SSL)
GSSENC_REQUEST = pack(">II", 8, GSSENC)


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Any message with a type byte."""
    if len(kind) != 1:
        raise ValueError("a message type is one byte")
    return kind + pack(">I", len(body) + 4) + body


def string(value: bytes | str) -> bytes:
    """A String with its zero byte.

    Raises:
        ValueError: it holds a zero byte itself.
    """
    raw = value.encode() if isinstance(value, str) else value
    if b"\0" in raw:
        raise ValueError("a protocol string cannot hold a zero byte")
    return raw + b"\0"


# --- what a server says


def fields(kind: bytes, values: Mapping[str, bytes]) -> bytes:
    """ErrorResponse (`b"E"`) or NoticeResponse (`b"N"`) of these fields, in this order."""
    parts = [code.encode("ascii") + value.split(b"\0", 1)[0] + b"\0" for code, value in values.items()]
    return message(kind, b"".join(parts) + b"\0")


def error(
    code: str, text: str, *, severity: str = "ERROR", detail: str = "", hint: str = "", position: int = 0
) -> bytes:
    """An ErrorResponse. `code` is an SQLSTATE; `severity` ERROR is recoverable, FATAL ends the connection.

    `position` is that of the error in the statement, in characters from 1; 0 leaves it out.
    """
    return _report(b"E", severity, code, text, detail, hint, str(position) if position else "")


def notice(text: str, *, code: str = "00000", severity: str = "NOTICE", detail: str = "", hint: str = "") -> bytes:
    return _report(b"N", severity, code, text, detail, hint)


def ready(status: bytes) -> bytes:
    """ReadyForQuery with transaction status `b"I"`, `b"T"` or `b"E"`."""
    if status not in (b"I", b"T", b"E"):
        raise ValueError(f"no transaction status: {status!r}")
    return b"Z\0\0\0\5" + status


def parameter_status(name: bytes | str, value: bytes | str) -> bytes:
    return message(b"S", string(name) + string(value))


def backend_key(pid: int, key: bytes) -> bytes:
    if not KEY_MIN <= len(key) <= KEY_MAX:
        raise ValueError(f"a cancel key has {KEY_MIN} to {KEY_MAX} bytes")
    return message(b"K", pack(">I", pid) + key)


def command_complete(tag: bytes | str) -> bytes:
    return message(b"C", string(tag))


def negotiate(minor: int, unknown: Sequence[str]) -> bytes:
    """NegotiateProtocolVersion: what is spoken instead, and which `_pq_.` parameters are not known."""
    body = pack(">II", 3 << 16 | minor, len(unknown)) + b"".join(string(name) for name in unknown)
    return message(b"v", body)


def row_description(columns: Sequence[Field]) -> bytes:
    parts = [
        string(f.name) + pack(">IhIhiH", f.table, f.attnum, f.type_oid, f.type_length, f.type_modifier, f.format)
        for f in columns
    ]
    return message(b"T", pack(">H", len(columns)) + b"".join(parts))


def data_row(values: Sequence[bytes | None]) -> bytes:
    parts = [b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value for value in values]
    return message(b"D", pack(">H", len(values)) + b"".join(parts))


def parameter_description(types: Sequence[int]) -> bytes:
    return message(b"t", pack(f">H{len(types)}I", len(types), *types))


def notification(pid: int, channel: bytes, payload: bytes) -> bytes:
    return message(b"A", pack(">I", pid) + string(channel) + string(payload))


def copy_data(data: bytes) -> bytes:
    return message(b"d", data)


# --- what a client says


def startup(parameters: Iterable[tuple[str, str]], *, minor: int = 0) -> bytes:
    """A StartupMessage of protocol 3.`minor`."""
    body = b"".join(string(name) + string(value) for name, value in parameters)
    return pack(">II", len(body) + 9, 3 << 16 | minor) + body + b"\0"


def cancel(pid: int, key: bytes) -> bytes:
    """A CancelRequest."""
    if not KEY_MIN <= len(key) <= KEY_MAX:
        raise ValueError(f"a cancel key has {KEY_MIN} to {KEY_MAX} bytes")
    return pack(">III", len(key) + 12, CANCEL, pid) + key


def password(text: bytes | str) -> bytes:
    return message(b"p", string(text))


def sasl_initial(mechanism: str, response: bytes) -> bytes:
    return message(b"p", string(mechanism) + pack(">I", len(response)) + response)


def sasl_response(response: bytes) -> bytes:
    return message(b"p", response)


def query(text: bytes | str) -> bytes:
    return message(b"Q", string(text))


def parse(statement: bytes, text: bytes | str, types: Sequence[int] = ()) -> bytes:
    return message(b"P", string(statement) + string(text) + pack(f">H{len(types)}I", len(types), *types))


def bind(
    portal: bytes,
    statement: bytes,
    parameters: Sequence[bytes | None] = (),
    *,
    formats: Sequence[int] = (),
    results: Sequence[int] = (),
) -> bytes:
    values = [b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value for value in parameters]
    return message(
        b"B",
        b"".join(
            (
                string(portal),
                string(statement),
                pack(f">H{len(formats)}H", len(formats), *formats),
                pack(">H", len(parameters)),
                *values,
                pack(f">H{len(results)}H", len(results), *results),
            )
        ),
    )


def describe(name: bytes, *, portal: bool = False) -> bytes:
    return message(b"D", (b"P" if portal else b"S") + string(name))


def close(name: bytes, *, portal: bool = False) -> bytes:
    return message(b"C", (b"P" if portal else b"S") + string(name))


def execute(portal: bytes = b"", rows: int = 0) -> bytes:
    return message(b"E", string(portal) + pack(">i", rows))


def copy_fail(reason: bytes | str) -> bytes:
    return message(b"f", string(reason))


def _report(kind: bytes, severity: str, code: str, text: str, detail: str, hint: str, position: str = "") -> bytes:
    # S may be translated, V never is; clients that know V prefer it, older ones have only S.
    values = {"S": severity, "V": severity, "C": code, "M": text, "D": detail, "H": hint, "P": position}
    return fields(kind, {name: value.encode("utf-8", "replace") for name, value in values.items() if value})
