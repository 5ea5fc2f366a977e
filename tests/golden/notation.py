"""PostgreSQL messages and journal events as lines that people read, and some of the lines back to messages."""

from __future__ import annotations

import re
from dataclasses import fields
from enum import StrEnum

from hooptui.core.events import Body
from hooptui.protocols.postgres import build, codec
from hooptui.protocols.postgres.codec import Field

_TOKEN = re.compile(rb"(hooptui (?:refused #\d+|columns)) [0-9a-f]{16}")
"""The connection's own secret in a name of the gateway's own."""

_BARE = {
    "S": ("Sync", build.SYNC), "H": ("Flush", build.FLUSH), "X": ("Terminate", build.TERMINATE),
    "c": ("CopyDone", build.COPY_DONE), "1": ("ParseComplete", build.PARSE_COMPLETE),
    "2": ("BindComplete", build.BIND_COMPLETE), "3": ("CloseComplete", build.CLOSE_COMPLETE), "n": ("NoData", build.NO_DATA),
    "I": ("EmptyQueryResponse", build.EMPTY_QUERY), "s": ("PortalSuspended", build.PORTAL_SUSPENDED),
}  # fmt: skip


def _name(raw: bytes) -> str:
    return _TOKEN.sub(rb"\1", raw).decode() or "''"


def _value(value: bytes | None) -> str:
    return (
        "null" if value is None else value.decode("utf-8", "backslashreplace").replace("\n", "\\n").replace("\t", "\\t")
    )


def _report(raw: bytes) -> str:
    found = {code: value.decode() for code, value in codec.error_fields(raw).items()}
    words = f"{found.get('V', found['S'])} {found['C']} {found['M']}"
    return words + "".join(f" | {code}: {found[code]}" for code in "DH" if code in found)


def show_client(raw: bytes) -> str:
    """A message that a client sends."""
    kind = chr(raw[0])
    if kind in "SHXc":
        return _BARE[kind][0]
    match kind:
        case "Q":
            return f"Query {codec.query(raw).decode()}"
        case "P":
            parse = codec.parse(raw)
            return f"Parse {_name(parse.statement)} {parse.query.decode()}"
        case "B":
            bind = codec.bind(raw)
            values = "".join(f" {_value(value)}" for value in bind.parameters)
            return f"Bind {_name(bind.portal)} {_name(bind.statement)}{values}"
        case "D" | "C":
            named = codec.describe(raw) if kind == "D" else codec.close(raw)
            return f"{'Describe' if kind == 'D' else 'Close'} {'portal' if named.portal else 'statement'} {_name(named.name)}"
        case "E":
            execute = codec.execute(raw)
            return f"Execute {_name(execute.portal)}" + (f" {execute.rows}" if execute.rows else "")
        case "d":
            return f"CopyData {_value(raw[5:])}"
        case "f":
            return f"CopyFail {codec.copy_fail(raw).decode()}"
    raise AssertionError(raw)


def show_server(raw: bytes) -> str:
    """A message that a server sends."""
    kind = chr(raw[0])
    match kind:
        case "E":
            return f"ErrorResponse {_report(raw)}"
        case "N":
            return f"NoticeResponse {_report(raw)}"
        case "T":
            return "RowDescription " + " ".join(
                f"{one.name.decode()}:{one.type_oid}" + (f"@{one.table}.{one.attnum}" if one.table else "")
                for one in codec.row_description(raw)
            )
        case "D":
            return "DataRow " + " | ".join(map(_value, codec.data_row(raw)))
        case "C":
            return f"CommandComplete {codec.command_complete(raw).decode()}"
        case "Z":
            return f"ReadyForQuery {codec.ready_for_query(raw).decode()}"
        case "S":
            name, value = codec.parameter_status(raw)
            return f"ParameterStatus {name.decode()} {value.decode()}"
        case "G" | "H":
            return f"Copy{'In' if kind == 'G' else 'Out'}Response {len(codec.copy_response(raw).formats)}"
        case "d":
            return f"CopyData {_value(raw[5:])}"
        case "A":
            said = codec.notification(raw)
            return f"NotificationResponse {said.channel.decode()} {said.payload.decode()}"
    return _BARE[kind][0]


def show_event(body: Body) -> str:
    """One entry of the journal or the recording."""
    parts = [
        f"{one.name}={_shown(getattr(body, one.name))}" for one in fields(body) if _worth_it(getattr(body, one.name))
    ]
    return " ".join([type(body).__name__, *parts])


def _shown(value: object) -> str:
    return repr(str(value) if isinstance(value, StrEnum) else value)


def _worth_it(value: object) -> bool:
    return value not in ("", (), None, 0, 0.0) or value is False


def read_client(line: str) -> bytes:
    """A line that `show_client` writes, as a message."""
    word, _, rest = line.partition(" ")
    for name, raw in _BARE.values():
        if name == word:
            return raw
    parts = [b"" if part == "''" else part.encode() for part in rest.split(" ")]
    match word:
        case "Query":
            return build.query(rest)
        case "Parse":
            name, _, text = rest.partition(" ")
            return build.parse(b"" if name == "''" else name.encode(), text)
        case "Bind":
            return build.bind(parts[0], parts[1], [None if part == b"null" else part for part in parts[2:]])
        case "Describe":
            return build.describe(parts[1], portal=parts[0] == b"portal")
        case "Close":
            return build.close(parts[1], portal=parts[0] == b"portal")
        case "Execute":
            return build.execute(parts[0], int(parts[1]) if len(parts) > 1 else 0)
        case "CopyData":
            return build.copy_data(rest.replace("\\n", "\n").replace("\\t", "\t").encode())
        case "CopyFail":
            return build.copy_fail(rest)
    raise AssertionError(f"no message of a client: {line}")


def read_server(line: str) -> bytes:
    """A line that `show_server` writes, as a message."""
    word, _, rest = line.partition(" ")
    for name, raw in _BARE.values():
        if name == word:
            return raw
    match word:
        case "ErrorResponse" | "NoticeResponse":
            head, *more = rest.split(" | ")
            severity, code, text = head.split(" ", 2)
            values = {"S": severity, "V": severity, "C": code, "M": text} | {part[0]: part[3:] for part in more}
            return build.fields(word[:1].encode(), {key: value.encode() for key, value in values.items()})
        case "RowDescription":
            return build.row_description([_field(part) for part in rest.split(" ")])
        case "DataRow":
            return build.data_row([None if part == "null" else part.encode() for part in rest.split(" | ")])
        case "CommandComplete":
            return build.command_complete(rest)
        case "ReadyForQuery":
            return build.ready(rest.encode())
        case "ParameterStatus":
            name, _, value = rest.partition(" ")
            return build.parameter_status(name, value)
        case "CopyInResponse" | "CopyOutResponse":
            columns = int(rest)
            body = b"\0" + columns.to_bytes(2, "big") + bytes(2 * columns)
            return build.message(b"G" if word == "CopyInResponse" else b"H", body)
        case "CopyData":
            return build.copy_data(rest.replace("\\n", "\n").replace("\\t", "\t").encode())
        case "NotificationResponse":
            channel, _, payload = rest.partition(" ")
            return build.notification(7, channel.encode(), payload.encode())
    raise AssertionError(f"no message of a server: {line}")


def _field(part: str) -> Field:
    name, _, rest = part.partition(":")
    oid, _, where = rest.partition("@")
    table, _, attnum = where.partition(".")
    return Field(name.encode(), int(table or 0), int(attnum or 0), int(oid), -1, -1, 0)
