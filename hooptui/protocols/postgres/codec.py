"""Message bodies to values, both directions. Takes whole frames as `wire` cuts them; pure.

Source: PostgreSQL documentation, "Message Formats", protocol 3.0 and 3.2. Every function checks every bound and raises
`ProtocolViolation` for a body that is shorter or longer than its content. Names and statement texts stay bytes: their
encoding is the session's `client_encoding`, which only the relay knows. The inverse functions are in `build`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hooptui.protocols.postgres.reader import Reader
from hooptui.protocols.postgres.wire import HEADER, ProtocolViolation, length_at

KEY_MIN, KEY_MAX = 4, 256
"""Bytes of a cancel key: exactly four in protocol 3.0, up to 256 in 3.2."""

COPY_IN, COPY_OUT, COPY_BOTH = 0x47, 0x48, 0x57

_STATUS = {status: status for status in (b"I", b"T", b"E")}

# --- what a client says


class Parse:
    __slots__ = ("query", "statement", "types")

    def __init__(self, statement: bytes, query: bytes, types: tuple[int, ...]) -> None:
        self.statement: Final = statement
        """Name; empty for the unnamed statement."""
        self.query: Final = query
        self.types: Final = types
        """OIDs of the first parameters; 0 leaves it to the server."""


class Bind:
    __slots__ = ("formats", "parameters", "portal", "results", "statement")

    def __init__(
        self,
        portal: bytes,
        statement: bytes,
        formats: tuple[int, ...],
        parameters: tuple[bytes | None, ...],
        results: tuple[int, ...],
    ) -> None:
        self.portal: Final = portal
        self.statement: Final = statement
        self.formats: Final = formats
        """None, one for all, or one for each parameter; 0 text, 1 binary."""
        self.parameters: Final = parameters
        self.results: Final = results
        """Formats the client wants its columns in: none, one for all, or one for each."""

    def format_of(self, index: int) -> int:
        """Format of parameter `index`."""
        return pick_format(self.formats, index)


@dataclass(frozen=True, slots=True)
class Named:
    """Describe or Close: a statement or a portal by name."""

    portal: bool
    """False: a prepared statement."""
    name: bytes


@dataclass(frozen=True, slots=True)
class Execute:
    portal: bytes
    rows: int
    """At most so many; 0 is all."""


def pick_format(formats: tuple[int, ...], index: int) -> int:
    """The format of value `index` under the rule of Bind: none is text, one is for all."""
    if not formats:
        return 0
    return formats[0] if len(formats) == 1 else formats[index]


def query(raw: bytes) -> bytes:
    """The text of a simple Query."""
    return _only_string(raw, "Query")


def password(raw: bytes) -> bytes:
    """The content of a PasswordMessage."""
    return _only_string(raw, "PasswordMessage")


def copy_fail(raw: bytes) -> bytes:
    """The client's reason for giving up a COPY FROM STDIN."""
    return _only_string(raw, "CopyFail")


def parse(raw: bytes) -> Parse:
    body = Reader(raw, "Parse")
    statement, text, count = body.string(), body.string(), body.uint16()
    if 4 * count > body.left:
        raise body.violation("ends before its content does")
    types = tuple(body.uint32() for _ in range(count))
    body.end()
    return Parse(statement, text, types)


def bind(raw: bytes) -> Bind:
    body = Reader(raw, "Bind")
    portal, statement = body.string(), body.string()
    # The format codes stand before the count of values that says how many there may be.
    formats = body.formats(None)
    count = body.uint16()
    if len(formats) not in (0, 1, count):
        raise body.violation(f"has {len(formats)} format codes for {count} values")
    if 4 * count > body.left:
        raise body.violation("ends before its content does")
    parameters = tuple(body.value() for _ in range(count))
    results = body.formats(None)
    body.end()
    return Bind(portal, statement, formats, parameters, results)


def describe(raw: bytes) -> Named:
    return _named(raw, "Describe")


def close(raw: bytes) -> Named:
    return _named(raw, "Close")


def execute(raw: bytes) -> Execute:
    if raw[HEADER:] == _UNNAMED_ALL:
        return _EXECUTE_ALL
    body = Reader(raw, "Execute")
    portal, rows = body.string(), body.int32()
    body.end()
    # The server treats a negative limit as none.
    return Execute(portal, max(rows, 0))


# What drivers send time and again: nothing of it has to be read twice.
_UNNAMED_ALL = bytes(5)
_UNNAMED_PORTAL = b"P\0"
_EXECUTE_ALL = Execute(b"", 0)
_PORTAL = Named(True, b"")

# --- what a server says


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a RowDescription."""

    name: bytes
    table: int
    """OID of the relation the column is a plain reference to, else 0."""
    attnum: int
    """Its attribute number there, else 0."""
    type_oid: int
    type_length: int
    type_modifier: int
    format: int
    """0 text, 1 binary; always 0 in the answer to Describe of a statement."""


@dataclass(frozen=True, slots=True)
class CopyResponse:
    """CopyInResponse, CopyOutResponse or CopyBothResponse."""

    binary: bool
    formats: tuple[int, ...]
    """One for each column."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """What the server wants to be shown; `code` as on the protocol page, 0 is ok."""

    code: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class BackendKey:
    pid: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Notification:
    pid: int
    channel: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Negotiation:
    """The server speaks less than was asked for."""

    minor: int
    options: tuple[str, ...]
    """`_pq_.` parameters it does not know."""


def row_description(raw: bytes) -> tuple[Field, ...]:
    body = Reader(raw, "RowDescription")
    count = body.uint16()
    fields = tuple(
        Field(
            body.string(), body.uint32(), body.int16(), body.uint32(), body.int16(), body.int32(), body.uint16()
        )
        for _ in range(count)
    )  # fmt: skip
    body.end()
    if any(field.format not in (0, 1) for field in fields):
        raise body.violation("has a format code that is neither text nor binary")
    return fields


def data_row(raw: bytes) -> list[bytes | None]:
    """The values of one row; None is NULL."""
    end = len(raw)
    if end < HEADER + 2:
        raise ProtocolViolation("DataRow ends before its content does")
    count = raw[5] << 8 | raw[6]
    position = HEADER + 2
    values: list[bytes | None] = []
    # A masked result passes here row by row: the reader's calls would triple its price.
    for _ in range(count):
        start = position + 4
        if start > end:
            raise ProtocolViolation("DataRow ends before its content does")
        size = length_at(raw, position)
        if size == 0xFFFFFFFF:
            values.append(None)
            position = start
            continue
        position = start + size
        if position > end:
            raise ProtocolViolation("DataRow ends before its content does")
        values.append(raw[start:position])
    if position != end:
        raise ProtocolViolation(f"DataRow has {end - position} bytes too many")
    return values


def parameter_description(raw: bytes) -> tuple[int, ...]:
    """Type OIDs of a prepared statement's parameters."""
    body = Reader(raw, "ParameterDescription")
    count = body.uint16()
    if 4 * count > body.left:
        raise body.violation("ends before its content does")
    types = tuple(body.uint32() for _ in range(count))
    body.end()
    return types


def error_fields(raw: bytes) -> dict[str, bytes]:
    """The fields of an ErrorResponse or NoticeResponse by their one-letter code, in the server's order."""
    body = Reader(raw, "ErrorResponse or NoticeResponse")
    fields: dict[str, bytes] = {}
    while True:
        code = body.byte()
        if code == 0:
            body.end()
            return fields
        if not 0x41 <= code <= 0x7A:
            raise body.violation(f"has a field of type {code:#04x}")
        if chr(code) in fields:
            raise body.violation(f"has field {chr(code)} twice")
        fields[chr(code)] = body.string()


def command_complete(raw: bytes) -> bytes:
    """The tag: `SELECT 5`."""
    return _only_string(raw, "CommandComplete")


def ready_for_query(raw: bytes) -> bytes:
    """The transaction status: `b"I"` idle, `b"T"` in a transaction, `b"E"` in a failed one."""
    status = _STATUS.get(raw[HEADER:])
    if status is not None:
        return status
    body = Reader(raw, "ReadyForQuery")
    status = body.take(1)
    body.end()
    raise body.violation(f"has the unknown transaction status {status[0]:#04x}")


def parameter_status(raw: bytes) -> tuple[bytes, bytes]:
    """Name and value of a setting the server reports."""
    body = Reader(raw, "ParameterStatus")
    name, value = body.string(), body.string()
    body.end()
    return name, value


def backend_key(raw: bytes) -> BackendKey:
    body = Reader(raw, "BackendKeyData")
    pid, key = body.uint32(), body.rest()
    if not KEY_MIN <= len(key) <= KEY_MAX:
        raise body.violation(f"has a key of {len(key)} bytes")
    return BackendKey(pid, key)


def notification(raw: bytes) -> Notification:
    body = Reader(raw, "NotificationResponse")
    pid, channel, payload = body.uint32(), body.string(), body.string()
    body.end()
    return Notification(pid, channel, payload)


def copy_response(raw: bytes) -> CopyResponse:
    body = Reader(raw, "CopyResponse")
    overall = body.byte()
    if overall not in (0, 1):
        raise body.violation("has a format code that is neither text nor binary")
    formats = body.formats(None)
    body.end()
    if overall == 0 and any(formats):
        raise body.violation("is textual with a binary column")
    return CopyResponse(overall == 1, formats)


def authentication(raw: bytes) -> Authentication:
    """Any of the Authentication messages; the data of a code is checked by whoever answers it."""
    body = Reader(raw, "Authentication")
    return Authentication(body.uint32(), body.rest())


def sasl_mechanisms(data: bytes) -> tuple[str, ...]:
    """The list in AuthenticationSASL."""
    body = Reader(data, "AuthenticationSASL", 0)
    names: list[str] = []
    while name := body.string():
        if not name.isascii():
            raise body.violation("names a mechanism in letters no mechanism has")
        names.append(name.decode("ascii"))
    body.end()
    return tuple(names)


def negotiation(raw: bytes) -> Negotiation:
    body = Reader(raw, "NegotiateProtocolVersion")
    version, count = body.uint32(), body.uint32()
    # Servers send the whole version; the documentation speaks of the minor one alone. Both mean the same here.
    if version >> 16 not in (0, 3):
        raise body.violation(f"offers protocol {version >> 16}")
    if count > body.left:
        raise body.violation("ends before its content does")
    options = tuple(body.string().decode("utf-8", "backslashreplace") for _ in range(count))
    body.end()
    return Negotiation(version & 0xFFFF, options)


def empty(raw: bytes) -> None:
    """Check a message that has no body: Sync, Flush, Terminate, CopyDone, ParseComplete, BindComplete, NoData, …"""
    if len(raw) != HEADER:
        raise ProtocolViolation(f"a message without a body has {len(raw) - HEADER} bytes of one")


def _only_string(raw: bytes, what: str) -> bytes:
    # Every statement and every tag passes here: one search instead of the reader's calls.
    end = raw.find(0, HEADER)
    if end != len(raw) - 1 or end < 0:
        body = Reader(raw, what)
        body.string()
        body.end()
    return raw[HEADER:end]


def _named(raw: bytes, what: str) -> Named:
    if raw[HEADER:] == _UNNAMED_PORTAL:
        return _PORTAL
    body = Reader(raw, what)
    kind, name = body.byte(), body.string()
    body.end()
    if kind not in (0x53, 0x50):
        raise body.violation(f"is of {kind:#04x}, neither statement nor portal")
    return Named(kind == 0x50, name)
