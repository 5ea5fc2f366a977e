"""A bounds-checked walk over one message body. Every read beyond the end is the peer's violation, never an IndexError."""

from __future__ import annotations

from typing import final

from hooptui.protocols.postgres.wire import HEADER, ProtocolViolation, length_at


@final
class Reader:
    """Reads what the protocol page calls Int16, Int32, String and Byten, in order."""

    __slots__ = ("_data", "_end", "_position", "_what")

    def __init__(self, raw: bytes, what: str, start: int = HEADER) -> None:
        """`what` names the message in violations; `start` skips its header."""
        self._data = raw
        self._end = len(raw)
        self._position = start
        self._what = what
        if start > self._end:
            raise self.violation("is shorter than its header")

    def violation(self, words: str) -> ProtocolViolation:
        return ProtocolViolation(f"{self._what} {words}")

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return self._end - self._position

    def _advance(self, size: int) -> int:
        position = self._position
        if size > self._end - position:
            raise self.violation("ends before its content does")
        self._position = position + size
        return position

    def byte(self) -> int:
        return self._data[self._advance(1)]

    def int16(self) -> int:
        value = self.uint16()
        return value - 0x10000 if value & 0x8000 else value

    def uint16(self) -> int:
        """A count: the server, too, reads these without a sign."""
        position = self._advance(2)
        return self._data[position] << 8 | self._data[position + 1]

    def int32(self) -> int:
        value = self.uint32()
        return value - 0x100000000 if value & 0x80000000 else value

    def uint32(self) -> int:
        return length_at(self._data, self._advance(4))

    def take(self, size: int) -> bytes:
        position = self._advance(size)
        return self._data[position : position + size]

    def rest(self) -> bytes:
        return self.take(self.left)

    def string(self) -> bytes:
        """Up to the next zero byte, which is read and left out."""
        start = self._position
        end = self._data.find(0, start)
        if end < 0:
            raise self.violation("has a string without an end")
        self._position = end + 1
        return self._data[start:end]

    def value(self) -> bytes | None:
        """A length and that many bytes; a length of -1 is NULL."""
        start = self._position + 4
        if start > self._end:
            raise self.violation("ends before its content does")
        size = length_at(self._data, start - 4)
        if size == 0xFFFFFFFF:
            self._position = start
            return None
        if size & 0x80000000:
            raise self.violation(f"has a value of length {size - 0x100000000}")
        end = start + size
        if end > self._end:
            raise self.violation("ends before its content does")
        self._position = end
        return self._data[start:end]

    def formats(self, columns: int | None) -> tuple[int, ...]:
        """Format codes: none, one for all, or one for each of `columns` (None: not known here)."""
        count = self.uint16()
        if not count:
            return ()
        if 2 * count > self.left:
            raise self.violation("ends before its content does")
        codes = tuple(self.uint16() for _ in range(count))
        if any(code not in (0, 1) for code in codes):
            raise self.violation("has a format code that is neither text nor binary")
        if columns is not None and count not in (0, 1, columns):
            raise self.violation(f"has {count} format codes for {columns} values")
        return codes

    def end(self) -> None:
        """Nothing may follow."""
        if self._position != self._end:
            raise self.violation(f"has {self.left} bytes too many")
