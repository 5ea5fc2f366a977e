"""Kubernetes' protobuf bodies, read as far as facts need them, into the shapes that JSON has. Pure and bounded.

The envelope is `k8s\\0` and a runtime.Unknown (k8s.io/apimachinery pkg/runtime/serializer/protobuf). What two readers might take
differently is not read at all: a field twice, a group, a type that is not the field's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hooptui.protocols.kubernetes.info import RequestInfo
from hooptui.protocols.kubernetes.protobuf_fields import KINDS, MESSAGES, PLAIN
from hooptui.protocols.kubernetes.unread import Unread

MAGIC: Final = b"k8s\0"
MAX_DEPTH: Final = 32
MAX_FIELDS: Final = 50_000

_WIRE: Final = {"s": 2, "m": 2, "b": 0, "i": 0}


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    repeated: bool
    inline: bool


@cache
def _fields(message: str) -> dict[int, Field]:
    found: dict[int, Field] = {}
    for line in filter(None, MESSAGES[message].split(", ")):
        number, name, kind = line.strip().split(" ")
        found[int(number)] = Field(name, kind.lstrip("*^"), kind.startswith("*"), kind.startswith("^"))
    return found


def decode(body: bytes, info: RequestInfo) -> dict[str, Any]:
    """The object in a body, as its JSON would be, with `apiVersion` and `kind` from the envelope.

    Raises:
        Unread: not the envelope, not well-formed, or a kind of which too little is known.
    """
    return _open(body, _message(info), info)


def decode_options(body: bytes) -> dict[str, Any]:
    """The DeleteOptions in a body.

    Raises:
        Unread: see `decode`.
    """
    return _open(body, "DeleteOptions", None)


def _open(body: bytes, message: str, info: RequestInfo | None) -> dict[str, Any]:
    if not body.startswith(MAGIC):
        raise Unread("a protobuf body without its envelope")
    reader = _Reader()
    raw, kind, version = b"", "", ""
    seen: set[int] = set()
    for number, wire, value in reader.fields(body[len(MAGIC) :], 1):
        if number in seen:
            raise Unread("an envelope that says something twice")
        seen.add(number)
        if number > 4 or wire != 2 or not isinstance(value, bytes):
            raise Unread("an envelope with fields that it has not")
        if number == 1:
            meta = reader.message(value, "TypeMeta", 2)
            kind, version = str(meta.get("kind", "")), str(meta.get("apiVersion", ""))
        elif number == 2:
            raw = value
        elif value not in (b"", b"application/vnd.kubernetes.protobuf"):
            raise Unread("an envelope around something that is encoded again")
    if info is None:
        if kind not in ("", "DeleteOptions"):
            raise Unread(f"options that are a {kind}")
    elif version and not info.subresource and version != _version(info):
        raise Unread("a body of another API version than its path")
    return {"apiVersion": version, "kind": kind, **reader.message(raw, message, 2)}


def _version(info: RequestInfo) -> str:
    return f"{info.api_group}/{info.api_version}" if info.api_group else info.api_version


def _message(info: RequestInfo) -> str:
    match info.subresource:
        case "scale":
            return "Scale"
        case "eviction":
            return "Eviction"
        case "" | "status" | "finalize" | "ephemeralcontainers":
            kind = KINDS.get((info.api_group, info.api_version, info.resource))
            if kind is not None:
                return kind
            if info.resource in PLAIN.get((info.api_group, info.api_version), ()):
                return "Meta"
    raise Unread("a protobuf body of a kind that is not known here: send JSON")


class _Reader:
    def __init__(self) -> None:
        self.left = MAX_FIELDS

    def message(self, data: bytes, message: str, depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise Unread("a protobuf body that is too deep")
        known = _fields(message)
        found: dict[str, Any] = {}
        seen: set[int] = set()
        for number, wire, value in self.fields(data, depth):
            field = known.get(number)
            if field is None:
                continue
            if wire != _WIRE.get(field.kind, 2):
                raise Unread(f"a protobuf body whose {field.name} is of another type")
            if field.kind == "m":
                key, text = self.entry(_bytes(value), depth + 1)
                entries = found.setdefault(field.name, {})
                if key in entries:
                    raise Unread(f"a protobuf body with a key twice in {field.name}")
                entries[key] = text
                continue
            if not field.repeated and number in seen:
                raise Unread(f"a protobuf body with {field.name} twice")
            seen.add(number)
            item = self.value(field, value, depth)
            if field.repeated:
                found.setdefault(field.name, []).append(item)
            elif field.inline:
                found.update(item)
            else:
                found[field.name] = item
        return found

    def value(self, field: Field, value: bytes | int, depth: int) -> Any:
        if isinstance(value, int):
            if field.kind == "b":
                return value != 0
            number = value - (1 << 64) if value >= 1 << 63 else value
            if not -(1 << 31) <= number < 1 << 31:
                # Some fields have 32 bits: of 2**32 replicas, a reader that cuts it off is left with 0.
                raise Unread(f"a protobuf body whose {field.name} is out of range")
            return number
        if field.kind == "s":
            return _text(value)
        return self.message(value, field.kind, depth + 1)

    def entry(self, data: bytes, depth: int) -> tuple[str, str]:
        """Key and value of a map; either may be left out when it is empty."""
        parts: dict[int, str] = {}
        for number, wire, value in self.fields(data, depth):
            if number not in (1, 2) or wire != 2 or number in parts or not isinstance(value, bytes):
                raise Unread("a protobuf body with a map that is none")
            parts[number] = _text(value)
        return parts.get(1, ""), parts.get(2, "")

    def fields(self, data: bytes, depth: int) -> list[tuple[int, int, bytes | int]]:
        """Number, wire type and raw value of every field."""
        found: list[tuple[int, int, bytes | int]] = []
        at, end = 0, len(data)
        while at < end:
            self.left -= 1
            if self.left < 0:
                raise Unread("a protobuf body with too many fields")
            tag, at = _varint(data, at)
            number, wire = tag >> 3, tag & 7
            if not 0 < number < 1 << 29:
                raise Unread("a protobuf body with a field without a number")
            if wire == 0:
                value, at = _varint(data, at)
                found.append((number, wire, value))
                continue
            if wire == 2:
                size, at = _varint(data, at)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                raise Unread("a protobuf body with a group")
            if size > end - at:
                raise Unread("a protobuf body that is cut short")
            found.append((number, wire, data[at : at + size]))
            at += size
        return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Unread("a protobuf body that is cut short")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value >= 1 << 64:
                break
            return value, at
    raise Unread("a protobuf body with a number that is too long")


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise Unread("a protobuf body with a number for a message")
    return value


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise Unread("a protobuf body with text that is not UTF-8") from None
