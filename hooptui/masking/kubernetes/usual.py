"""The Secrets of a list or a watch as API servers send them, masked without a walk through all that they hold.

Whatever has another shape, holds a sign of anything else to mask, or may repeat a value, is left to `objects`, and so is what is no JSON.
Knows the bytes of one item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from hooptui.masking.kubernetes.sentinel import encoded, known_by, plain
from hooptui.masking.kubernetes.signs import Signs

SECRETS: Final = "secrets"
BRACKETS: Final = 150
"""Of one item; with more it could be nested too deep."""
PROBE: Final = 64
"""Characters of a value that are looked for to rule out that all of it is there."""
BEGIN: Final = 128
"""Characters of base64 that are decoded of a long value; a multiple of four."""

_METADATA: Final = "PartialObjectMetadata"
_PLAIN: Final = re.compile(r"[ !#-%'-;=?-\[\]-~]+")
"""Characters that JSON has one spelling for, whoever writes it: neither quotes, backslashes nor what Go escapes. A solidus has two,
and is looked for."""
_LONG: Final = re.compile(_PLAIN.pattern.removesuffix("+") + "{8,64}")
_ROW: Final = b'{"cells":'
_EVENT: Final = b'{"type":'


class _Object(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A Secret, or the metadata of one. Of a key that stands twice the last counts, and is the only one that is written again."""

    kind: Literal["Secret", "PartialObjectMetadata"] | UnsetType = UNSET
    api_version: str | UnsetType = msgspec.field(default=UNSET, name="apiVersion")
    metadata: Raw | UnsetType = UNSET
    immutable: bool | UnsetType | None = UNSET
    data: dict[str, str | None] | UnsetType | None = UNSET
    type: str | UnsetType = UNSET


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A row of a Table."""

    cells: Raw
    object: _Object


class _Event(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An event of a watch."""

    type: str
    object: _Object


_OBJECTS: Final = msgspec.json.Decoder(_Object)
_ROWS: Final = msgspec.json.Decoder(_Row)
_EVENTS: Final = msgspec.json.Decoder(_Event)
_ENCODER: Final = msgspec.json.Encoder()


class UsualSecrets:
    """See the module. Of the masks of one session."""

    __slots__ = ("_same", "_signs", "_spared", "_stand_in")

    def __init__(self, stand_in: Callable[[bytes], str], signs: Signs, spared: frozenset[str], *, same: bool) -> None:
        """`stand_in` makes what stands for a value, the `same` for all of them or not; `spared` are types of Secrets that are not
        masked."""
        self._stand_in = stand_in
        self._same = encoded(stand_in(b"")) if same else ""
        self._signs = signs
        self._spared = spared

    def masked(self, item: bytes) -> tuple[bytes, int] | None:
        """An item kept under `secrets`, masked, and how many values were; None when it has to be looked at more closely."""
        if not item.isascii():
            return None
        try:
            whole = _read(item)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        one = whole if isinstance(whole, _Object) else whole.object
        hidden = 0
        values: list[str] = []
        if one.data:
            if one.kind == _METADATA or one.type in self._spared:
                return None
            hidden = self._hide(one.data, values)
        after = looked = _ENCODER.encode(whole)
        if one.kind == "Secret":
            # Its kind by itself is no sign of anything more.
            one.kind = UNSET
            looked = _ENCODER.encode(whole)
        if looked.count(b"{") + looked.count(b"[") > BRACKETS:
            return None
        if self._signs(looked, SECRETS) or _may_repeat(looked, values, escapes=b"\\u" in item):
            return None
        return after, hidden

    def _hide(self, data: dict[str, str | None], values: list[str]) -> int:
        hidden = 0
        for key, text in data.items():
            if text is None:
                continue
            hidden += 1
            if self._same:
                values += _begin(text)
                data[key] = self._same
            else:
                value = plain(text)
                values += known_by(text, value)
                data[key] = encoded(self._stand_in(value))
        return hidden


def _read(item: bytes) -> _Object | _Row | _Event:
    """Raises as msgspec does when it is none of them."""
    if item.startswith(_ROW):
        return _ROWS.decode(item)
    if item.startswith(_EVENT):
        return _EVENTS.decode(item)
    return _OBJECTS.decode(item)


def _begin(text: str) -> Collection[str]:
    """What a value is known by, of a long one its beginning: where this is not, the value is neither."""
    if len(text) > 2 * BEGIN:
        written = text[:BEGIN].strip()
        value = plain(text[:BEGIN]).decode("utf-8", "replace").strip()
        if min(len(written), len(value)) >= BEGIN // 4:
            return written, value
    return known_by(text, plain(text))


def _may_repeat(rest: bytes, values: list[str], *, escapes: bool) -> bool:
    """Whether one of `values` can be in a string of `rest`, or in one of a manifest that such a string quotes; what is not ASCII can
    only where there are `escapes`."""
    if b"\\/" in rest:
        return True
    for value in values:
        if not value.isascii():
            if escapes:
                return True
            continue
        found = _LONG.search(value) or _PLAIN.search(value)
        if found is None or found[0][:PROBE].encode() in rest:
            return True
    return False
