"""The body of an answer, masked while it streams: one object, a list or table of any length, a watch without end.

A list is taken apart into its items without reading more than some of them at a time; blocks in which nothing can be masked go out with
the bytes they came in. Whatever does not parse as JSON goes to nobody. Knows no socket.
"""

from __future__ import annotations

import re
from typing import Any, Final, Protocol

import msgspec

from hooptui.masking.kubernetes.objects import DECODER, ENCODER, CannotMask, ObjectMask, kept_under
from hooptui.masking.kubernetes.scan import Scanner

OBJECT: Final = 16 * 1024 * 1024
"""Bytes of one object; an API server keeps none above 1.5 MiB."""
BLOCK: Final = 256 * 1024
"""Bytes of a list that are looked at together."""
TRIES: Final = 8
"""Places that are tried for the end of a block before every byte is looked at."""

_ITEMS: Final = re.compile(rb'"(?:items|rows)"[ \t\r\n]*:[ \t\r\n]*\Z')
_BLANK: Final = b" \t\r\n"
_COMMA: Final = re.compile(rb"[ \t\r\n]*,")
_BEGINS: Final = re.compile(rb'([ \t\r\n]*)(\{[ \t\r\n]*"[A-Za-z]{1,32}")')
_RAW_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_RAW: Final = msgspec.json.Decoder(msgspec.Raw)
_ARRAY: Final = ord("[")


class BodyMask(Protocol):
    """The masks over one answer."""

    counts: dict[str, int]
    """Values that were masked, by rule."""

    def feed(self, data: bytes) -> bytes:
        """What of it may go to the client now.

        Raises:
            CannotMask: nothing more may.
        """

    def close(self) -> bytes:
        """The rest. Raises as `feed` does."""


class Whole:
    """One object, or a list that goes out item by item."""

    def __init__(self, masks: ObjectMask, resource: str) -> None:
        self.counts: dict[str, int] = {}
        self._masks = masks
        self._resource = resource
        self._buffer = bytearray()
        self._scanner = Scanner()
        self._step = self._head
        self._between = b""
        """Where the next item begins, as it does in this list: what stands between two, and the first key."""
        self._below = resource
        self._named = False
        """Whether the list said what is in it before the items."""
        self._first = True

    def feed(self, data: bytes) -> bytes:
        """See `BodyMask`."""
        self._buffer += data
        return self._step(last=False)

    def close(self) -> bytes:
        """See `BodyMask`."""
        return self._step(last=True)

    # --- before the items

    def _head(self, *, last: bool) -> bytes:
        while (at := self._scanner.bracket(self._buffer)) >= 0:
            if (
                self._buffer[at] == _ARRAY
                and self._scanner.depth == 2
                and _ITEMS.search(self._buffer, max(0, at - 64), at)
            ):
                head = self._opened(bytes(self._buffer[: at + 1]))
                del self._buffer[: at + 1]
                self._scanner = Scanner()
                self._step = self._list
                return head + self._step(last=last)
        if last:
            return self._object()
        if len(self._buffer) > OBJECT:
            raise CannotMask(f"an object has more than {OBJECT} bytes")
        return b""

    def _object(self) -> bytes:
        data = bytes(self._buffer)
        self._buffer.clear()
        if not data.strip():
            return data
        return masked(self._masks, data, self._resource, self.counts)

    def _opened(self, head: bytes) -> bytes:
        """What comes before the items, masked; `_below` is what they are when they do not say."""
        value = decoded(head + b"]}")
        kind = value.get("kind") if isinstance(value, dict) else None
        self._named = isinstance(kind, str)
        if not isinstance(kind, str):
            # It may be said behind the items, so they are taken for the worst.
            self._below = "secrets"
        elif kind.endswith("List") and kind != "List":
            self._below = kept_under(kind[:-4], self._resource)
        if not self._masks.may_hold(head, self._resource):
            return head
        after = ENCODER.encode(self._masks.apply(value, self._resource, self.counts))
        return after.removesuffix(b"]}")

    # --- the items

    def _list(self, *, last: bool) -> bytes:
        out: list[bytes | memoryview] = []
        while len(self._buffer) >= BLOCK and self._quick(out):
            pass
        if len(self._buffer) >= 4 * BLOCK or last:
            self._walked(out, last=last)
        return b"".join(out)

    def _quick(self, out: list[bytes | memoryview]) -> bool:
        """Take all whole items of the buffer, their end found by what stands between two; False when it is not found so."""
        if not self._between:
            self._between = self._learnt()
        at = len(self._buffer)
        for _ in range(TRIES):
            at = self._buffer.rfind(self._between, 0, at) if self._between else -1
            if at <= 0:
                return False
            if self._taken(at + 1, out):
                return True
        return False

    def _learnt(self) -> bytes:
        start = self._comma()
        found = _BEGINS.match(self._buffer, start)
        return b"},%b%b" % found.groups() if found is not None else b""

    def _comma(self) -> int:
        """Where the next item begins, past the comma in front of it."""
        if self._first:
            return 0
        found = _COMMA.match(self._buffer)
        return found.end() if found is not None else 0

    def _taken(self, end: int, out: list[bytes | memoryview]) -> bool:
        """Take the items up to `end` out of the buffer, masked; False when what is there is not some whole items.

        Raises:
            CannotMask: one is nested too deep.
        """
        start = self._comma()
        with memoryview(self._buffer) as view:
            lead, data = bytes(view[:start]), b"".join((b"[", view[start:end], b"]"))
        try:
            items = _RAW_LIST.decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        del self._buffer[:end]
        self._scanner = Scanner()
        self._first = False
        out.append(lead)
        if not self._masks.may_hold(data, self._below):
            out.append(memoryview(data)[1:-1])
            return True
        parts = []
        for item in items:
            raw = bytes(item)
            if self._masks.may_hold(raw, self._below):
                raw = masked(self._masks, raw, self._below, self.counts)
            parts.append(raw)
        out.append(b",".join(parts))
        return True

    def _walked(self, out: list[bytes | memoryview], *, last: bool) -> None:
        """Find the end of items, or of all of them, by looking at every byte."""
        end = 0
        closed = False
        while (at := self._scanner.bracket(self._buffer)) >= 0:
            if self._scanner.depth == 0:
                end = at + 1
            elif self._scanner.depth < 0:
                closed = True
                break
        if closed:
            # Items that are no objects end without a bracket of their own.
            inside = bytes(self._buffer[:at])
            if inside[self._comma() :].strip(_BLANK):
                self._take(len(inside.rstrip(_BLANK)), out)
            self._step = self._tail
            out.append(self._tail(last=last))
            return
        if last:
            raise CannotMask("a list ends before it is whole")
        if end:
            self._take(end, out)
        if len(self._buffer) > OBJECT:
            raise CannotMask(f"an item of a list has more than {OBJECT} bytes")

    def _take(self, end: int, out: list[bytes | memoryview]) -> None:
        if not self._taken(end, out):
            raise CannotMask("the items of a list are no JSON")

    # --- behind the items

    def _tail(self, *, last: bool) -> bytes:
        if len(self._buffer) > OBJECT:
            raise CannotMask(f"what follows a list has more than {OBJECT} bytes")
        if not last:
            return b""
        data = bytes(self._buffer)
        self._buffer.clear()
        # The same keys again would stand for other items, and for another kind.
        value = decoded(b'{"":[' + data)
        keys = {key.lower() for key in value}
        if keys & {"items", "rows"} or ("kind" in keys and self._named):
            raise CannotMask("a list says twice what is in it")
        if not self._masks.may_hold(data, self._resource):
            return data
        after = ENCODER.encode(self._masks.apply(value, self._resource, self.counts))
        return after.removeprefix(b'{"":[')


class Watch:
    """Events one after the other, each let go when it is whole."""

    def __init__(self, masks: ObjectMask, resource: str) -> None:
        self.counts: dict[str, int] = {}
        self._masks = masks
        self._resource = resource
        self._buffer = bytearray()
        self._scanner = Scanner()

    def feed(self, data: bytes) -> bytes:
        """See `BodyMask`."""
        out = bytearray()
        if not self._buffer and data.endswith(b"\n"):
            data = self._lines(data, out)
            if not data:
                return bytes(out)
        self._buffer += data
        while (at := self._scanner.bracket(self._buffer)) >= 0:
            if self._scanner.depth == 0:
                out += self._event(at + 1)
            elif self._scanner.depth < 0:
                raise CannotMask("a watch is no JSON")
        if len(self._buffer) > OBJECT:
            raise CannotMask(f"an event of a watch has more than {OBJECT} bytes")
        if self._buffer.isspace():
            # The line's end belongs to the event before it, and clients wait for it.
            out += self._buffer
            self._buffer.clear()
            self._scanner = Scanner()
        return bytes(out)

    def close(self) -> bytes:
        """See `BodyMask`."""
        if self._buffer.strip():
            raise CannotMask("a watch ends in the middle of an event")
        return bytes(self._buffer)

    def _lines(self, data: bytes, out: bytearray) -> bytes:
        """Take events that are a line each, as API servers send them; what is left when one is not."""
        start = 0
        while start < len(data):
            end = data.index(b"\n", start) + 1
            line = data[start:end]
            try:
                _RAW.decode(line)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                break
            out += masked(self._masks, line, self._resource, self.counts)
            start = end
        return data[start:]

    def _event(self, end: int) -> bytes:
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._scanner.moved(end)
        lead = data[: len(data) - len(data.lstrip())]
        return lead + masked(self._masks, data[len(lead) :], self._resource, self.counts)


def decoded(data: bytes) -> Any:
    """Raises:
    CannotMask: it is no JSON.
    """
    try:
        return DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise CannotMask("an answer is no JSON") from None


def masked(masks: ObjectMask, data: bytes, resource: str, counts: dict[str, int]) -> bytes:
    """One JSON value, masked; with the bytes that it came in when nothing can be in it.

    Raises:
        CannotMask: it is no JSON, or nested too deep.
    """
    if not masks.may_hold(data, resource):
        try:
            _RAW.decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise CannotMask("an answer is no JSON") from None
        return data
    at_once = masks.at_once(data, resource, counts)
    if at_once is not None:
        return at_once + data[len(data.rstrip()) :]
    # Never the bytes as they came: of a key that stands twice, only one was looked at.
    after = masks.apply(decoded(data), resource, counts, detect=masks.detects(data))
    return ENCODER.encode(after) + data[len(data.rstrip()) :]
