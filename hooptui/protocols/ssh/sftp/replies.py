"""What hooptui itself says in SFTP: status packets to the client, and its own few questions to the target. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from hooptui.core.visible import visible
from hooptui.protocols.ssh.sftp.packets import EXTENSIONS, Type
from hooptui.protocols.ssh.sftp.wire import (
    MAX_DATA,
    VERSION,
    Cursor,
    Malformed,
    SftpViolation,
    framed,
    string,
    u32,
    u64,
)

MAX_PACKET_TOLD: Final = 256 * 1024
MAX_REASON: Final = 1000


class Code(IntEnum):
    """SSH_FX_*, the codes of a status (draft section 7)."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    NO_CONNECTION = 6
    CONNECTION_LOST = 7
    OP_UNSUPPORTED = 8


WORDS: Final = {
    Code.OK: "ok",
    Code.EOF: "end of file",
    Code.NO_SUCH_FILE: "no such file",
    Code.PERMISSION_DENIED: "permission denied",
    Code.FAILURE: "failure",
    Code.BAD_MESSAGE: "bad message",
    Code.NO_CONNECTION: "no connection",
    Code.CONNECTION_LOST: "connection lost",
    Code.OP_UNSUPPORTED: "not supported",
}


def status(number: int, code: Code, reason: str) -> bytes:
    """A whole STATUS packet, framed."""
    text = visible(reason)[:MAX_REASON].encode()
    return framed(bytes((Type.STATUS,)) + u32(number) + u32(code) + string(text) + string(b"en"))


def outcome(body: bytes) -> tuple[bool, str]:
    """Whether a reply says yes, and in a word what it says.

    Raises:
        SftpViolation: a status without a code.
    """
    if body[0] != Type.STATUS:
        return True, "ok"
    if len(body) < 9:
        raise SftpViolation("the target sent a short SFTP status")
    code = int.from_bytes(body[5:9], "big")
    try:
        return code == Code.OK, WORDS[Code(code)]
    except ValueError:
        return False, f"status {code}"


def init() -> bytes:
    """INIT to the target: version 3, whatever the client would like."""
    return framed(bytes((Type.INIT,)) + u32(VERSION))


def question(kind: Type, number: int, path: bytes) -> bytes:
    """REALPATH or STAT of the guard's own."""
    return framed(bytes((kind,)) + u32(number) + string(path))


def version(body: bytes) -> bytes:
    """The target's VERSION with the extensions that are understood here, framed.

    Raises:
        SftpViolation: it speaks another version, or its list of extensions is broken.
    """
    cursor = Cursor(body)
    try:
        spoken = cursor.u32()
        if spoken != VERSION:
            raise SftpViolation(f"the target speaks SFTP version {spoken}, and only version {VERSION} can be judged")
        kept = bytes((Type.VERSION,)) + u32(VERSION)
        while cursor.more():
            name, value = cursor.string(), cursor.string()
            if EXTENSIONS.get(name) == value:
                kept += string(name) + string(value)
    except Malformed as fault:
        raise SftpViolation(f"the target sent a broken SFTP version packet: {fault}") from None
    return framed(kept)


def limits(body: bytes, handles: int) -> bytes:
    """The body of an answer to `limits@openssh.com`, with no more promised than is taken here. 0 means no limit.

    Raises:
        SftpViolation: it is not four numbers.
    """
    cursor = Cursor(body, 5)
    try:
        told = [cursor.u64() for _ in range(4)]
    except Malformed as fault:
        raise SftpViolation(f"the target sent a broken answer to limits@openssh.com: {fault}") from None
    caps = (MAX_PACKET_TOLD, MAX_DATA, MAX_DATA, handles)
    cut = [min(value, cap) if value else cap for value, cap in zip(told, caps, strict=True)]
    return body[:5] + b"".join(u64(value) for value in cut) + cursor.rest()


def first_name(body: bytes) -> bytes | None:
    """The one name in the answer to REALPATH; None when it is a status.

    Raises:
        SftpViolation: it is neither.
    """
    if body[0] == Type.STATUS:
        return None
    cursor = Cursor(body, 5)
    try:
        if body[0] != Type.NAME or cursor.u32() != 1:
            raise Malformed("not one name")
        return cursor.string()
    except Malformed:
        raise SftpViolation("the target answered REALPATH with something else than one name") from None


def size(body: bytes) -> int | None:
    """The size in the answer to STAT; None when there is none."""
    if body[0] != Type.ATTRS or len(body) < 17 or not body[8] & 1:
        return None
    return int.from_bytes(body[9:17], "big")
