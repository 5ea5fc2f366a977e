"""Bytes to messages of the PostgreSQL protocol after start-up: one type byte, a length, a body.

Source: PostgreSQL documentation, "Message Formats". Pure: bytes in, frames out. Knows no socket and no meaning of any
message; the messages without a type byte that open a connection are in `packets`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, final

if TYPE_CHECKING:
    # An int that the compiled form keeps in a register; to plain Python no more than a word in an annotation.
    from mypy_extensions import i64

Frame: TypeAlias = tuple[int, bytes]
"""One message: its type byte and the whole of it, header included, so that forwarding it needs no re-encoding."""

Run: TypeAlias = tuple[int, bytes, int]
"""One message, or several consecutive ones of the same bulk type as one slice: type byte, bytes, number of messages."""

HEADER = 5
"""Bytes before a body: the type and a length that counts itself."""

DATA_ROW = 0x44
COPY_DATA = 0x64
_BULK = frozenset((DATA_ROW, COPY_DATA))


def length_at(data: bytes, position: i64) -> i64:
    """The four bytes of a length. Shifts, because compiled they are machine instructions and not a call."""
    return data[position] << 24 | data[position + 1] << 16 | data[position + 2] << 8 | data[position + 3]


class ProtocolViolation(Exception):
    """The peer broke the protocol; the stream cannot be read any further. The message holds no bytes of the peer's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.frames: list[Frame] = []
        """Set by `Framer.feed`: the whole messages that came before the broken one in the same chunk."""
        self.runs: list[Run] = []
        """Set by `RunFramer.feed`, likewise."""


def bulk(data: bytes, start: int, limit: int) -> tuple[int, int]:
    """Walk the consecutive whole messages of the same type as the one at `start`.

    Returns the offset behind the last whole one and how many there are: `(start, 0)` when not even one is whole.

    Raises:
        ProtocolViolation: a header of the run announces a length below 4 or above `limit`. Never when a whole message came
            before it: then the run ends there, and the next call says so.
    """
    # Every row of every result passes here, so no calls, slices or objects but the header's two numbers.
    end: i64 = len(data)
    last_header: i64 = end - HEADER
    longest: i64 = limit
    position: i64 = start
    if position > last_header:
        return start, 0
    count = 0
    kind: i64 = data[position]
    while position <= last_header:
        if data[position] != kind:
            break
        length = length_at(data, position + 1)
        if length < 4 or length > longest:
            if count:
                break
            raise ProtocolViolation(_bad_length(kind, length, limit))
        after = position + length + 1
        if after > end:
            break
        position = after
        count += 1
    return position, count


class _Carry:
    """The unfinished message between two chunks: never more than one, and never one above the limit."""

    __slots__ = ("_broken", "_limit", "_need", "_pending")

    def __init__(self, limit: int) -> None:
        """`limit` is the greatest length field accepted: bytes of a message without its type byte."""
        self._limit = limit
        self._pending = bytearray()
        self._need = HEADER
        self._broken = ""

    @property
    def pending(self) -> int:
        """Bytes of an unfinished message held back."""
        return len(self._pending)

    def take(self) -> bytes:
        """Give away the unfinished message's bytes, for whoever reads the stream from here on."""
        rest = bytes(self._pending)
        self._reset()
        return rest

    def _reset(self) -> None:
        self._pending = bytearray()
        self._need = HEADER

    def _break(self, message: str) -> ProtocolViolation:
        self._broken = message
        self._reset()
        return ProtocolViolation(message)

    def _complete(self, data: bytes) -> tuple[int, bytes]:
        """Go on with the unfinished message. Returns how much of `data` it took and the message, empty while unfinished."""
        position = 0
        while True:
            missing = self._need - len(self._pending)
            part = data[position : position + missing]
            self._pending += part
            position += len(part)
            if len(part) < missing:
                return position, b""
            if self._need != HEADER:
                break
            length = length_at(bytes(self._pending), 1)
            if length < 4 or length > self._limit:
                raise self._break(_bad_length(self._pending[0], length, self._limit))
            self._need = length + 1
            if length == 4:
                break
        whole = bytes(self._pending)
        self._reset()
        return position, whole

    def _keep(self, data: bytes, position: int) -> None:
        """Hold back the unfinished rest of a chunk; its header, when whole, has been checked."""
        self._pending += data[position:]
        if len(self._pending) >= HEADER:
            self._need = length_at(bytes(self._pending[:HEADER]), 1) + 1


@final
class Framer(_Carry):
    """Cuts a byte stream into frames; the same frames whatever the chunks. One for each direction."""

    __slots__ = ()

    def feed(self, data: bytes) -> list[Frame]:
        """The messages that are whole now that `data` has come.

        Raises:
            ProtocolViolation: a length is below 4 or above the limit; raised before its body is buffered, and again at
                every later call. Its `frames` are the messages before.
        """
        if self._broken:
            raise ProtocolViolation(self._broken)
        if not self._pending and len(data) >= HEADER:
            # A chunk that is one message, as small statements come.
            length = length_at(data, 1)
            if length + 1 == len(data) and 4 <= length <= self._limit:
                return [(data[0], data)]
        frames: list[Frame] = []
        position = 0
        try:
            if self._pending:
                position, whole = self._complete(data)
                if not whole:
                    return frames
                frames.append((whole[0], whole))
            end = len(data)
            last_header = end - HEADER
            limit = self._limit
            while position <= last_header:
                kind = data[position]
                length = length_at(data, position + 1)
                if length < 4 or length > limit:
                    raise self._break(_bad_length(kind, length, limit))
                after = position + length + 1
                if after > end:
                    break
                frames.append((kind, data[position:after]))
                position = after
        except ProtocolViolation as violation:
            violation.frames = frames
            raise
        if position < end:
            self._keep(data, position)
        return frames


@final
class RunFramer(_Carry):
    """A `Framer` for bulk results: consecutive DataRow or CopyData messages come as one slice and a count."""

    __slots__ = ()

    def feed(self, data: bytes) -> list[Run]:
        """The messages that are whole now that `data` has come, rows in runs.

        Where runs are cut depends on the chunks; their bytes and counts joined do not.

        Raises:
            ProtocolViolation: as `Framer.feed`; its `runs` are the messages before.
        """
        if self._broken:
            raise ProtocolViolation(self._broken)
        runs: list[Run] = []
        position = 0
        try:
            if self._pending:
                position, whole = self._complete(data)
                if not whole:
                    return runs
                runs.append((whole[0], whole, 1))
            end = len(data)
            last_header = end - HEADER
            limit = self._limit
            while position <= last_header:
                kind = data[position]
                length = length_at(data, position + 1)
                if length < 4 or length > limit:
                    raise self._break(_bad_length(kind, length, limit))
                after = position + length + 1
                if after > end:
                    break
                count = 1
                if kind in _BULK and after < end and data[after] == kind:
                    after, count = bulk(data, position, limit)
                # A chunk that is one run goes on as it is: compiled, a slice of the whole would be a copy.
                runs.append((kind, data if not position and after == end else data[position:after], count))
                position = after
        except ProtocolViolation as violation:
            if not self._broken:
                self._break(str(violation))
            violation.runs = runs
            raise
        if position < end:
            self._keep(data, position)
        return runs


def _bad_length(kind: int, length: int, limit: int) -> str:
    name = chr(kind) if 0x20 < kind < 0x7F else f"\\x{kind:02x}"
    if length < 4:
        return f"message {name!r} announces a length of {length}, less than the length field itself"
    return f"message {name!r} announces {length} bytes; {limit} are allowed"
