"""WebSocket frames (RFC 6455 section 5) to messages and back. Pure; either role, bounded, any chunking."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from dataclasses import dataclass
from typing import Final

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CONTINUATION: Final = 0x0
CONTROL_MAX: Final = 125

NORMAL, GOING_AWAY, PROTOCOL_ERROR, POLICY, TOO_BIG, FAULT = 1000, 1001, 1002, 1008, 1009, 1011
"""Close codes (section 7.4.1)."""


class Broken(Exception):
    """The other side does not keep to the protocol; the words say how, and quote nothing."""


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message, or a control frame."""

    opcode: int
    data: bytes


def accept(key: str) -> str:
    """Sec-WebSocket-Accept for a client's key (section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + GUID, usedforsecurity=False).digest()).decode("ascii")


def new_key() -> str:
    return base64.b64encode(os.urandom(16)).decode("ascii")


def frame(opcode: int, data: bytes, *, masked: bool) -> bytes:
    """One frame that is a whole message. A client's frames are `masked`, a server's never."""
    size, flag = len(data), 0x80 if masked else 0
    if size < 126:
        head = bytes((0x80 | opcode, flag | size))
    elif size < 65536:
        head = struct.pack(">BBH", 0x80 | opcode, flag | 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, flag | 127, size)
    if not masked:
        return head + data
    key = os.urandom(4)
    return head + key + xored(data, key)


def closing(code: int, words: str) -> bytes:
    """The payload of a close frame."""
    return struct.pack(">H", code) + words.encode()[: CONTROL_MAX - 2]


def xored(data: bytes, key: bytes) -> bytes:
    """Masking and its own undoing (section 5.3)."""
    size = len(data)
    if not size:
        return b""
    whole = int.from_bytes(data, "little") ^ int.from_bytes((key * (size // 4 + 1))[:size], "little")
    return whole.to_bytes(size, "little")


class Reader:
    """Bytes of one side to messages."""

    def __init__(self, *, masked: bool, most: int) -> None:
        """`masked` says whether this side's frames must be: a client's are. A message has at most `most` bytes."""
        self._masked = masked
        self._most = most
        self._buffer = bytearray()
        self._opcode = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._closed = False

    def feed(self, data: bytes) -> list[Message]:
        """Raises:
        Broken: nothing more of this side can be understood.
        """
        self._buffer += data
        found: list[Message] = []
        while not self._closed and (one := self._frame()) is not None:
            message = self._taken(*one)
            if message is not None:
                found.append(message)
                self._closed = message.opcode == CLOSE
        if self._closed:
            # What follows a close frame means nothing.
            self._buffer.clear()
        return found

    def _frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        if first & 0x70:
            raise Broken("a frame has reserved bits, and no extension was agreed on")
        if bool(second & 0x80) != self._masked:
            raise Broken("a frame is masked" if not self._masked else "a frame is not masked")
        size, at = second & 0x7F, 2
        if size == 126:
            if len(buffer) < 4:
                return None
            (size,) = struct.unpack_from(">H", buffer, 2)
            at = 4
        elif size == 127:
            if len(buffer) < 10:
                return None
            (size,) = struct.unpack_from(">Q", buffer, 2)
            at = 10
        opcode = first & 0x0F
        if opcode >= 0x8 and (size > CONTROL_MAX or not first & 0x80):
            raise Broken("a control frame is too long or in parts")
        if size + self._size > self._most:
            raise Broken(f"a message has more than {self._most} bytes")
        whole = at + (4 if self._masked else 0) + size
        if len(buffer) < whole:
            return None
        body = bytes(buffer[whole - size : whole])
        if self._masked:
            body = xored(body, bytes(buffer[at : at + 4]))
        del buffer[:whole]
        return bool(first & 0x80), opcode, body

    def _taken(self, last: bool, opcode: int, body: bytes) -> Message | None:
        if opcode in (CLOSE, PING, PONG):
            if opcode == CLOSE and len(body) == 1:
                raise Broken("a close frame has half a code")
            return Message(opcode, body)
        if opcode == CONTINUATION:
            if not self._opcode:
                raise Broken("a message goes on that has not begun")
        elif opcode in (TEXT, BINARY):
            if self._opcode:
                raise Broken("a message begins inside another")
            self._opcode = opcode
        else:
            raise Broken("a frame of an unknown kind")
        self._parts.append(body)
        self._size += len(body)
        if len(self._parts) > 1024:
            raise Broken("a message in more than 1024 parts")
        if not last:
            return None
        message = Message(self._opcode, b"".join(self._parts))
        self._opcode, self._size = 0, 0
        self._parts.clear()
        return message
