"""Kubernetes' protobuf (`k8s\\0` and a runtime.Unknown), to JSON and back, by a table of the messages' fields.

https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding. `messages.txt` has one message a line, each field
as name=number:flags type. Flags: `?` a pointer, so that a zero is a value and not an absence; `+` shown even when empty;
`*` repeated; `%` a map from strings; `!` its members are shown in place of it. Knows no store.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from hooptui.demo.cluster.objects import Object, stamp
from hooptui.demo.cluster.problems import bad_request

MAGIC = b"k8s\x00"
MEDIA = "application/vnd.kubernetes.protobuf"
DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    number: int
    flags: str
    type: str


@cache
def messages() -> dict[str, tuple[Field, ...]]:
    """Every message by its short name, `core/v1.Secret`."""
    found = {}
    for line in resources.files("hooptui.demo.cluster").joinpath("messages.txt").read_text("utf-8").splitlines():
        name, *columns = line.split(" ")
        fields = []
        for column in columns:
            label, _, rest = column.partition("=")
            number, _, kind = rest.partition(":")
            bare = kind.lstrip("!+?*%")
            fields.append(Field(label, int(number), kind[: len(kind) - len(bare)], bare))
        found[name] = tuple(fields)
    return found


def message_for(api_version: str, kind: str) -> str | None:
    """The table's name for a kind; None when the table has none."""
    group, _, version = api_version.rpartition("/")
    short = {"": "core", "rbac.authorization.k8s.io": "rbac"}.get(group, group.removesuffix(".k8s.io"))
    name = f"{short}/{version}.{kind}"
    if name in messages():
        return name
    return f"meta.{kind}" if f"meta.{kind}" in messages() else None


# --- reading


def decode(body: bytes, default: tuple[str, str] | None = None) -> Object:
    """An object as JSON would give it. `default` is its apiVersion and kind when the envelope has none.

    Raises:
        Problem: it is no such message, or of a kind that the table does not have (400).
    """
    if not body.startswith(MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        envelope = dict(_fields(body[len(MAGIC) :]))
        types = dict(_fields(envelope.get(1, b"")))
        api_version, kind = types.get(1, b"").decode(), types.get(2, b"").decode()
        if not kind and default:
            api_version, kind = default
        name = message_for(api_version, kind)
        if name is None:
            raise bad_request(f'no kind "{kind}" is registered for version "{api_version}" in protobuf')
        return {"kind": kind, "apiVersion": api_version, **_read(name, envelope.get(2, b""), 0)}
    except (ValueError, IndexError, TypeError, AttributeError, struct.error) as fault:
        raise bad_request(f"unable to decode protobuf: {fault}") from None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a varint is too long")


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value: bytes, or an int for varints and fixed ones."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            case 1:
                yield tag >> 3, data[at : at + 8]
                at += 8
            case 2:
                size, at = _varint(data, at)
                if at + size > len(data):
                    raise ValueError("a field is cut")
                yield tag >> 3, data[at : at + size]
                at += size
            case 5:
                yield tag >> 3, data[at : at + 4]
                at += 4
            case other:
                raise ValueError(f"wire type {other}")


def _read(name: str, data: bytes, depth: int) -> Object:
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    known = {field.number: field for field in messages()[name]}
    found: Object = {}
    for number, raw in _fields(data):
        field = known.get(number)
        if field is None:
            continue
        if "*" in field.flags:
            found.setdefault(field.name, []).append(_value(field.type, raw, depth))
        elif "%" in field.flags:
            entry = dict(_fields(raw))
            key = entry.get(1, b"").decode()
            found.setdefault(field.name, {})[key] = _value(field.type, entry.get(2, b""), depth)
        elif "!" in field.flags:
            found |= _read(field.type, raw, depth + 1)
        else:
            value = _value(field.type, raw, depth)
            if "?" in field.flags or "+" in field.flags or value not in ("", 0, False, None, {}):
                found[field.name] = value
    return found


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _value(kind: str, raw: Any, depth: int) -> Any:
    match kind:
        case "string":
            return raw.decode()
        case "bool":
            return bool(raw)
        case "int":
            return _signed(raw)
        case "double":
            return struct.unpack("<d", raw)[0]
        case "bytes":
            return base64.b64encode(raw).decode()
        case "quantity":
            return dict(_fields(raw)).get(1, b"").decode()
        case "time" | "microtime":
            parts = dict(_fields(raw))
            if not parts:
                return None
            text = stamp(_signed(parts.get(1, 0)))
            return text if kind == "time" else f"{text[:-1]}.{parts.get(2, 0) // 1000:06}Z"
        case "duration":
            return f"{dict(_fields(raw)).get(1, 0) / 1e9:g}s"
        case "intorstring":
            parts = dict(_fields(raw))
            return parts.get(3, b"").decode() if parts.get(1) else _signed(parts.get(2, 0))
        case "fields" | "raw":
            return json.loads(dict(_fields(raw)).get(1, b"") or b"null")
        case "extra":
            return [value.decode() for number, value in _fields(raw) if number == 1]
        case message:
            return _read(message, raw, depth + 1)


# --- writing


def encode(obj: Object) -> bytes | None:
    """An object, or a list of them, as protobuf; None when its kind has none here."""
    api_version, kind = obj["apiVersion"], obj["kind"]
    name = message_for(api_version, kind)
    if name is not None:
        raw = _write(name, obj)
    elif kind.endswith("List") and (item := message_for(api_version, kind.removesuffix("List"))) is not None:
        raw = block(1, _write("meta.ListMeta", obj.get("metadata") or {}))
        raw += b"".join(block(2, _write(item, one)) for one in obj.get("items") or ())
    else:
        return None
    types = block(1, api_version.encode()) + block(2, kind.encode())
    return MAGIC + block(1, types) + block(2, raw) + block(3, b"") + block(4, b"")


def watch_event(kind: str, envelope: bytes) -> bytes:
    """A frame of a protobuf watch: four bytes of length and a bare WatchEvent, which has the object in its own envelope inside."""
    event = block(1, kind.encode()) + block(2, block(1, envelope))
    return struct.pack(">I", len(event)) + event


def _number(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def block(number: int, data: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(data)) + data


def _write(name: str, obj: Object) -> bytes:
    out = bytearray()
    for field in sorted(messages()[name], key=lambda one: one.number):
        if "!" in field.flags:
            out += block(field.number, _write(field.type, obj))
            continue
        value = obj.get(field.name)
        if value is None:
            continue
        if "*" in field.flags:
            for one in value:
                out += _put(field.number, field.type, one)
        elif "%" in field.flags:
            for key in sorted(value):
                out += block(field.number, block(1, key.encode()) + _put(2, field.type, value[key]))
        else:
            out += _put(field.number, field.type, value)
    return bytes(out)


def _put(number: int, kind: str, value: Any) -> bytes:
    match kind:
        case "string":
            return block(number, str(value).encode())
        case "bool" | "int":
            return _number(number << 3) + _number(int(value))
        case "double":
            return _number(number << 3 | 1) + struct.pack("<d", value)
        case "bytes":
            return block(number, base64.b64decode(value))
        case "quantity":
            return block(number, block(1, str(value).encode()))
        case "time" | "microtime":
            seconds, nanos = _moment(value)
            return block(number, _number(8) + _number(seconds) + _number(16) + _number(nanos))
        case "duration":
            return block(number, _number(8) + _number(int(float(value.removesuffix("s")) * 1e9)))
        case "intorstring":
            text = isinstance(value, str)
            parts = _number(8) + _number(int(text)) + _number(16) + _number(0 if text else value)
            return block(number, parts + block(3, value.encode() if text else b""))
        case "fields" | "raw":
            return block(number, block(1, json.dumps(value, separators=(",", ":")).encode()))
        case "extra":
            return block(number, b"".join(block(1, one.encode()) for one in value))
        case message:
            return block(number, _write(message, value))


def _moment(text: str) -> tuple[int, int]:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.timestamp()), moment.microsecond * 1000
