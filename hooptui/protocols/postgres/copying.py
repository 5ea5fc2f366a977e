"""COPY TO STDOUT under masks: CopyData messages taken apart into fields, masked, and put together again. Pure.

Source: PostgreSQL documentation, COPY, "File Formats". The server sends one row a message; a message that is not exactly one
row of exactly the described columns cannot be masked with certainty and ends the session.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hooptui.core.ports import ResultMask
from hooptui.protocols.postgres import build
from hooptui.protocols.postgres.facts_model import CopyShape
from hooptui.protocols.postgres.rows import Layout, Masks, Tally, frames, mask_values
from hooptui.protocols.postgres.wire import HEADER, ProtocolViolation, length_at

if TYPE_CHECKING:
    from mypy_extensions import i64  # see `wire`

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_ESCAPES: Final[dict[int, bytes]] = {
    0x62: b"\b", 0x66: b"\f", 0x6E: b"\n", 0x72: b"\r", 0x74: b"\t", 0x76: b"\v",
}  # fmt: skip
_ESCAPED: Final[dict[int, bytes]] = {
    0x08: b"\\b", 0x0C: b"\\f", 0x0A: b"\\n", 0x0D: b"\\r", 0x09: b"\\t", 0x0B: b"\\v", 0x5C: b"\\\\",
}  # fmt: skip


class CopyOut:
    """One COPY TO STDOUT whose columns are known."""

    def __init__(self, shape: CopyShape, layout: Layout) -> None:
        self._shape = shape
        self._layout = layout
        self._header = shape.header
        """The first row is one of names."""
        self._delimiter = shape.delimiter.encode()
        self._null_word = shape.null.encode()
        self._quote = shape.quote.encode()
        self._escape = shape.escape.encode()
        self._signs = (self._delimiter, self._quote, self._escape, b"\r", b"\n")
        """What a CSV value cannot hold without quotes."""
        self._escaped = re.compile(b"[\x08-\x0d\\\\" + re.escape(self._delimiter) + b"]")
        """What a text value cannot hold as it is."""
        self._began = False
        self._over = False

    def mask(self, run: bytes, tally: Tally) -> bytes:
        """A run of CopyData messages as the client may see them.

        Raises:
            ProtocolViolation: it cannot be told which bytes belong to which column.
        """
        plan = self._layout.plan
        if plan is None or self._harmless(run, plan):
            return run
        every, needed = plan.columns, plan.needed(run)
        if self._shape.format == "text":
            return self._text_run(run, every, needed, tally)
        parts: list[bytes] = []
        for frame in frames(run):
            # The look at raw bytes is good for values as they are; where something is escaped, all masks have to see them.
            masks = every if self._escapes(frame) else needed
            parts.append(self._one(frame[HEADER:], frame, masks, tally))
        return b"".join(parts)

    def _text_run(self, run: bytes, every: Masks, needed: Masks, tally: Tally) -> bytes:
        """Rows of text, most of which have nothing escaped; written out, because the bulk of every great COPY passes here."""
        parts: list[bytes] = []
        position: i64 = 0
        end: i64 = len(run)
        while position < end:
            after = position + 1 + length_at(run, position + 1)
            data = run[position + HEADER : after]
            if self._header or b"\\" in data or not data.endswith(b"\n") or data.endswith(b"\r\n"):
                masks = every if b"\\" in data else needed
                parts.append(self._one(data, run[position:after], masks, tally))
            else:
                parts.append(self._unescaped(data[:-1], b"\n", run[position:after], needed, tally))
            position = after
        return b"".join(parts)

    def _escapes(self, raw: bytes) -> bool:
        match self._shape.format:
            case "text":
                return b"\\" in raw
            case "csv":
                return self._quote in raw
            case "binary":
                return False

    def _harmless(self, run: bytes, plan: ResultMask) -> bool:
        """Whether no field can hold anything that the detectors look for, by a look at the raw bytes alone."""
        if plan.forced or self._header or (self._shape.format == "binary" and not self._began):
            return False
        return not self._escapes(run) and not plan.suspects(run)

    def _one(self, data: bytes, frame: bytes, masks: Masks, tally: Tally) -> bytes:
        if self._shape.format == "binary":
            return self._binary(data, frame, masks, tally)
        if self._header:
            self._header = False
            return frame
        if self._shape.format == "text" and data == b"\\.\n":
            return frame
        ending = b"\r\n" if data.endswith(b"\r\n") else b"\n"
        if not data.endswith(b"\n"):
            raise ProtocolViolation("a copied row has no end")
        line = data[: -len(ending)]
        if self._shape.format == "csv":
            row = self._csv(line)
            self._check(len(row))
            if not mask_values(row, masks, tally):
                return frame
            return build.copy_data(self._delimiter.join(map(self._to_csv, row)) + ending)
        if b"\\" not in line:
            return self._unescaped(line, ending, frame, masks, tally)
        parts = _split(line, self._delimiter) if self._layout.columns or line else []
        row = [None if part == self._null_word else _unescape(part) for part in parts]
        self._check(len(row))
        before = tuple(row)
        if not mask_values(row, masks, tally):
            return frame
        fields = (
            part if after is old else self._to_text(after) for part, old, after in zip(parts, before, row, strict=True)
        )
        return build.copy_data(self._delimiter.join(fields) + ending)

    def _unescaped(self, line: bytes, ending: bytes, frame: bytes, masks: Masks, tally: Tally) -> bytes:
        """A row of text in which nothing is escaped: only what a mask wants to see is looked at."""
        parts = line.split(self._delimiter) if self._layout.columns or line else []
        self._check(len(parts))
        changed = False
        for index, mask in enumerate(masks):
            if mask is None:
                continue
            value = parts[index]
            if value == self._null_word:
                continue
            shown, rule = mask.apply(value)
            if rule:
                tally.hit(rule)
            if shown is not value:
                parts[index] = self._to_text(shown)
                changed = True
        return build.copy_data(self._delimiter.join(parts) + ending) if changed else frame

    def _check(self, count: int) -> None:
        if count != len(self._layout.columns):
            raise ProtocolViolation(f"a copied row has {count} fields, {len(self._layout.columns)} were described")

    # --- text

    def _to_text(self, value: bytes | None) -> bytes:
        if value is None:
            return self._null_word
        if not self._escaped.search(value):
            return value
        delimiter = self._delimiter[0]
        out = bytearray()
        for byte in value:
            if byte in _ESCAPED:
                out += _ESCAPED[byte]
            elif byte == delimiter:
                out += b"\\" + self._delimiter
            else:
                out.append(byte)
        return bytes(out)

    # --- csv

    def _csv(self, line: bytes) -> list[bytes | None]:
        if not self._layout.columns and not line:
            return []
        quote, escape, delimiter = self._quote[0], self._escape[0], self._delimiter[0]
        row: list[bytes | None] = []
        field = bytearray()
        inside = quoted = False
        position, end = 0, len(line)
        while position < end:
            byte = line[position]
            position += 1
            if inside:
                if byte == escape and position < end and line[position] in (quote, escape):
                    field.append(line[position])
                    position += 1
                elif byte == quote:
                    inside = False
                else:
                    field.append(byte)
            elif byte == quote:
                inside = quoted = True
            elif byte == delimiter:
                row.append(self._csv_value(field, quoted))
                field, quoted = bytearray(), False
            else:
                field.append(byte)
        if inside:
            raise ProtocolViolation("a copied row ends inside quotes")
        row.append(self._csv_value(field, quoted))
        return row

    def _csv_value(self, field: bytearray, quoted: bool) -> bytes | None:
        value = bytes(field)
        return None if not quoted and value == self._null_word else value

    def _to_csv(self, value: bytes | None) -> bytes:
        if value is None:
            return self._null_word
        # The server's own rule: quotes where something would be misread without them, also as NULL or as the end of data.
        if value != self._null_word and value != b"\\." and not any(sign in value for sign in self._signs):
            return value
        escaped = value.replace(self._escape, self._escape * 2)
        if self._escape != self._quote:
            escaped = escaped.replace(self._quote, self._escape + self._quote)
        return self._quote + escaped + self._quote

    # --- binary

    def _binary(self, data: bytes, frame: bytes, masks: Masks, tally: Tally) -> bytes:
        if self._over:
            raise ProtocolViolation("copied data go on behind their end")
        out = bytearray()
        position = 0
        if not self._began:
            if len(data) < 19 or not data.startswith(_SIGNATURE):
                raise ProtocolViolation("binary copy does not begin with its signature")
            position = 19 + int.from_bytes(data[15:19], "big")
            if data[11:15] != b"\0\0\0\0" or position > len(data):
                raise ProtocolViolation("binary copy has a header that is not known")
            out += data[:position]
            self._began = True
        while position < len(data):
            count = int.from_bytes(_take(data, position, 2), "big", signed=True)
            position += 2
            if count == -1:
                if position != len(data):
                    raise ProtocolViolation("copied data go on behind their end")
                self._over = True
                out += b"\xff\xff"
                break
            self._check(count)
            row: list[bytes | None] = []
            for _ in range(count):
                size = int.from_bytes(_take(data, position, 4), "big", signed=True)
                position += 4
                if size < -1:
                    raise ProtocolViolation("a copied field has a negative length")
                row.append(None if size == -1 else _take(data, position, size))
                position += max(size, 0)
            mask_values(row, masks, tally)
            # The row's fields are written as in a DataRow: a count, then lengths and values.
            out += build.data_row(row)[HEADER:]
        return frame if out == data else build.copy_data(bytes(out))


def _take(data: bytes, position: int, size: int) -> bytes:
    if position + size > len(data):
        raise ProtocolViolation("a copied row ends before its content does")
    return data[position : position + size]


def _split(line: bytes, delimiter: bytes) -> list[bytes]:
    """Fields of a row in text format, still escaped; a delimiter behind a backslash is none."""
    if b"\\" not in line:
        return line.split(delimiter)
    parts: list[bytes] = []
    start = position = 0
    sign = delimiter[0]
    while position < len(line):
        byte = line[position]
        if byte == 0x5C:
            position += 2
            continue
        if byte == sign:
            parts.append(line[start:position])
            start = position + 1
        position += 1
    parts.append(line[start:])
    return parts


def _unescape(part: bytes) -> bytes:
    if b"\\" not in part:
        return part
    out = bytearray()
    position, end = 0, len(part)
    while position < end:
        byte = part[position]
        position += 1
        if byte != 0x5C or position == end:
            out.append(byte)
            continue
        # The server writes no octal or hexadecimal escapes.
        follower = part[position]
        position += 1
        out += _ESCAPES.get(follower, bytes((follower,)))
    return bytes(out)
