"""Rewriting the leaves of a JSON text where they stand; all else keeps its bytes. Knows no mask and no wire."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"[\s{}\[\]:,]++"
    r'|"(?:[^"\\]|\\.)*+"'
    r"|-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
    r"|true|false|null",
    re.DOTALL,
)


class NotJson(ValueError):
    """The text is not made of JSON tokens."""


def rewrite(text: str, string: Callable[[str, str], str | None], number: Callable[[str], bool]) -> str:
    """`text` with each string as `string(decoded, label)` wants it, and each number that `number` objects to as null.

    `label` is the key in front of a value, empty for keys and array items. A `string` that answers None becomes null, or
    an empty key. Returns the very same object when nothing changes.

    Raises:
        NotJson: the text cannot be read, so that nothing can be promised about it.
    """
    out: list[str] = []
    at = done = 0
    key, pending = "", ""
    size = len(text)
    while at < size:
        token = _TOKEN.match(text, at)
        if token is None:
            raise NotJson
        start, at = at, token.end()
        first = text[start]
        if first == '"':
            body = text[start + 1 : at - 1]
            decoded = _decode(text[start:at]) if "\\" in body else body
            is_key = text[at : at + 1] == ":" or text[at : at + 64].lstrip()[:1] == ":"
            label = "" if is_key else pending
            key = decoded if is_key else ""
            pending = ""
            after = string(decoded, label)
            if after == decoded:
                continue
            out.append(text[done:start])
            out.append(_encode(after if after is not None else "") if after is not None or is_key else "null")
            done = at
        elif first in "-0123456789":
            pending = ""
            if number(text[start:at]):
                out.append(text[done:start])
                out.append("null")
                done = at
        else:
            pending = key if text[start:at].strip() == ":" else ""
    if not out:
        return text
    out.append(text[done:])
    return "".join(out)


def quoted(text: str) -> str:
    """`text` as a JSON string."""
    return _encode(text)


def _decode(literal: str) -> str:
    try:
        value = json.loads(literal, strict=False)
    except ValueError:
        raise NotJson from None
    return str(value)


def _encode(text: str) -> str:
    """As characters where UTF-8 can carry them; a lone surrogate stays an escape."""
    encoded = json.dumps(text, ensure_ascii=False)
    return encoded if encoded.isascii() or not re.search("[\ud800-\udfff]", encoded) else json.dumps(text)
