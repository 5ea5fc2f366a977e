"""Bytes to packets of SFTP version 3: a length, a type byte, a body. And the fields that bodies are made of.

Source: draft-ietf-secsh-filexfer-02, sections 3 to 5. Pure: bytes in, packets out. Knows no meaning of any packet.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 3

MAX_PACKET: Final = 256 * 1024 + 1024
"""Longest body that is taken: 256 KiB of data, as OpenSSH's `limits@openssh.com` has it, and the fields before them."""

MAX_DATA: Final = 255 * 1024
"""Longest READ that is asked of a target, the most that OpenSSH answers. A longer one is cut, which a server may do anyway."""


class SftpViolation(Exception):
    """The peer broke the protocol; the channel must end. The message holds no bytes of the peer's."""


class Malformed(Exception):
    """A packet whose body is not what its type says. The message holds no bytes of the peer's."""


class Framer:
    """The stream of one direction: pushed as it comes, popped packet by packet, so that whoever pops may pause."""

    __slots__ = ("_at", "_data", "_limit", "_whose")

    def __init__(self, whose: str, limit: int = MAX_PACKET) -> None:
        self._whose = whose
        self._limit = limit
        self._data = bytearray()
        self._at = 0

    @property
    def waiting(self) -> int:
        """Bytes that are pushed and not popped."""
        return len(self._data) - self._at

    @property
    def whole(self) -> bool:
        """Whether there is a packet to pop."""
        start = self._at + 4
        return (
            len(self._data) >= start + int.from_bytes(self._data[self._at : start], "big") and len(self._data) >= start
        )

    def push(self, data: bytes) -> None:
        if self._at:
            del self._data[: self._at]
            self._at = 0
        self._data += data

    def pop(self) -> bytes | None:
        """The next packet from its type byte on, never empty; None when it is not whole yet.

        Raises:
            SftpViolation: it announces no byte at all, or more than the limit.
        """
        start = self._at + 4
        if len(self._data) < start:
            return None
        length = int.from_bytes(self._data[self._at : start], "big")
        if not 1 <= length <= self._limit:
            raise SftpViolation(f"{self._whose} sent an SFTP packet of {length} bytes; 1 to {self._limit} are taken")
        if len(self._data) < start + length:
            return None
        with memoryview(self._data) as view:
            packet = bytes(view[start : start + length])
        self._at = start + length
        return packet


class Cursor:
    """Reads the fields of one body in their order.

    Every method raises Malformed where the body ends too early.
    """

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes, at: int = 1) -> None:
        self._data = data
        self.at = at

    def u32(self) -> int:
        return self._number(4)

    def u64(self) -> int:
        return self._number(8)

    def string(self) -> bytes:
        length = self._number(4)
        end = self.at + length
        if end > len(self._data):
            raise Malformed("a string is longer than its packet")
        text = self._data[self.at : end]
        self.at = end
        return text

    def rest(self) -> bytes:
        text = self._data[self.at :]
        self.at = len(self._data)
        return text

    def more(self) -> bool:
        return self.at < len(self._data)

    def end(self) -> None:
        """Nothing may follow."""
        if self.at != len(self._data):
            raise Malformed("bytes follow the last field")

    def _number(self, width: int) -> int:
        end = self.at + width
        if end > len(self._data):
            raise Malformed("it ends in the middle of a number")
        number = int.from_bytes(self._data[self.at : end], "big")
        self.at = end
        return number


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def string(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body
