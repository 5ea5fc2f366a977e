"""The body of a request as a value: JSON, YAML, protobuf, and the kinds of patches. Pure.

Read strictly: what an API server, or anything behind it, might read differently from this module is not understood, and then denied.
Keys that are there twice are the plainest case, for one reader takes the first and the other the last.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from hooptui.protocols.kubernetes import protobuf
from hooptui.protocols.kubernetes.info import RequestInfo
from hooptui.protocols.kubernetes.unread import Unread
from hooptui.strictyaml import Node, YamlError
from hooptui.strictyaml import load as load_yaml

Form = Literal["object", "merge", "strategic", "json", "apply", "options"]

_PATCHES: Final[dict[str, Form]] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"[ \t\r\n]*(:?)')
_YAML: Final = frozenset({"application/yaml", "application/apply-patch+yaml"})
MAX_YAML: Final = 128 * 1024
"""Bytes of YAML that is no JSON; its reader is slow, and clients send JSON."""
_PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_JSON: Final = frozenset({"application/json", ""})


@dataclass(frozen=True, slots=True)
class Body:
    """What a write says."""

    form: Form
    """A whole object, one of the four patches, or the options of a delete."""
    value: Any
    """Plain JSON: an object, or for a JSON patch a list."""


def decode(info: RequestInfo, media_type: str, body: bytes) -> Body:
    """Read a body by its media type (lower case, without parameters; empty is JSON, as for an API server).

    Raises:
        Unread: it is not understood, or could be read in more than one way.
    """
    if info.verb in ("delete", "deletecollection"):
        return Body("options", _mapping(_value(media_type, body, None)))
    if info.verb == "patch":
        form = _PATCHES.get(media_type)
        if form is None:
            raise Unread("a patch of a type that is not known here")
        value = _yaml(body) if media_type in _YAML else _json(body)
        return Body(form, value if form == "json" else _mapping(value))
    return Body("object", _mapping(_value(media_type, body, info)))


def _value(media_type: str, body: bytes, info: RequestInfo | None) -> Any:
    if media_type in _JSON:
        return _json(body)
    if media_type == _PROTOBUF:
        return protobuf.decode_options(body) if info is None else protobuf.decode(body, info)
    if media_type in _YAML:
        return _yaml(body)
    raise Unread("a body of a type that is not known here: send JSON")


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unread("a body that is no object")
    return value


def _json(body: bytes) -> Any:
    sizes: list[int] = []

    def counted(found: dict[str, Any]) -> dict[str, Any]:
        sizes.append(len(found))
        return found

    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_hook=counted, parse_constant=_constant)
    except RecursionError:
        raise Unread("a JSON body that is too deep") from None
    except UnicodeDecodeError:
        raise Unread("a body that is not UTF-8") from None
    except Unread:
        raise
    except ValueError:
        raise Unread("a body that is no JSON") from None
    # In JSON, a text before a colon is a key. If fewer are left in the value, some object had one of them twice.
    if _STRING.findall(text).count(":") != sum(sizes):
        raise Unread("a JSON body with a key twice in one object")
    return value


def _constant(word: str) -> NoReturn:
    raise Unread("a JSON body with a number that is none")


def _yaml(body: bytes) -> Any:
    """YAML that has one reading only; JSON is YAML, and read as such."""
    if body.lstrip(b" \r\n\t")[:1] in (b"{", b"["):
        return _json(body)
    if len(body) > MAX_YAML:
        raise Unread(f"a YAML body of more than {MAX_YAML} bytes: send JSON")
    try:
        return _plain(load_yaml(body, "body"))
    except YamlError:
        raise Unread(
            "a YAML body that is not read here: anchors, tags, several documents, or a fault. Send JSON"
        ) from None


def _plain(node: Node) -> Any:
    if node.odd:
        raise Unread("a YAML body with a bare word that other readers take for something else. Send JSON")
    match node.value:
        case tuple():
            return [_plain(item) for item in node.value]
        case None | str() | int() | float():
            return node.value
        case mapping:
            # A key may be such a word too: `on:` is a boolean to some.
            for key in mapping:
                if node.keys[key].odd:
                    raise Unread(
                        "a YAML body with a bare word for a key that others take for something else. Send JSON"
                    )
            return {key: _plain(value) for key, value in mapping.items()}
