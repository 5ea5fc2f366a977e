"""What a client may ask in SFTP version 3, as values; and the codec of their packets. Pure; knows no path's meaning and no policy.

Sources: draft-ietf-secsh-filexfer-02 sections 6 and 7; OpenSSH's PROTOCOL, section 4, for the extensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from hooptui.protocols.ssh.sftp.wire import Cursor, Malformed, framed, string, u32


class Type(IntEnum):
    """SSH_FXP_*, the types of packets."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Flag(IntFlag):
    """SSH_FXF_*: how a file is opened."""

    READ = 1
    WRITE = 2
    APPEND = 4
    CREAT = 8
    TRUNC = 16
    EXCL = 32


KNOWN_FLAGS: Final = 0x3F

EXTENSIONS: Final[dict[bytes, bytes]] = {
    b"posix-rename@openssh.com": b"1",
    b"statvfs@openssh.com": b"2",
    b"fstatvfs@openssh.com": b"2",
    b"hardlink@openssh.com": b"1",
    b"fsync@openssh.com": b"1",
    b"lsetstat@openssh.com": b"1",
    b"limits@openssh.com": b"1",
    b"expand-path@openssh.com": b"1",
    b"copy-data": b"1",
    b"home-directory": b"1",
    b"users-groups-by-id@openssh.com": b"1",
}
"""Extensions that are understood, with their version. A client is told of no others."""

REQUESTS: Final = frozenset(range(Type.OPEN, Type.SYMLINK + 1)) | {Type.EXTENDED}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a packet sets of a file; None where it says nothing."""

    size: int | None = None
    owner: tuple[int, int] | None = None
    mode: int | None = None
    times: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Open:
    path: bytes
    flags: Flag
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class OnPath:
    """LSTAT, STAT, OPENDIR, REMOVE, RMDIR, REALPATH, READLINK; or an extension, by name."""

    kind: Type
    path: bytes
    extension: bytes = b""


@dataclass(frozen=True, slots=True)
class Change:
    """MKDIR or SETSTAT; as an extension, lsetstat."""

    kind: Type
    path: bytes
    attributes: Attributes
    extension: bytes = b""


@dataclass(frozen=True, slots=True)
class Pair:
    """RENAME, SYMLINK; posix-rename and hardlink. In the order of the wire."""

    kind: Type
    first: bytes
    second: bytes
    extension: bytes = b""


@dataclass(frozen=True, slots=True)
class OnHandle:
    """CLOSE, FSTAT, READDIR; fsync and fstatvfs."""

    kind: Type
    handle: bytes
    extension: bytes = b""


@dataclass(frozen=True, slots=True)
class ChangeHandle:
    """FSETSTAT."""

    handle: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Read:
    handle: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Write:
    handle: bytes
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Copy:
    """copy-data: from one open file to another, on the target. A length of 0 means up to the end."""

    source: bytes
    offset: int
    length: int
    sink: bytes
    sink_offset: int


@dataclass(frozen=True, slots=True)
class Asking:
    """An extension that touches no file: limits, home-directory, users-groups-by-id."""

    extension: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    """An extension that nobody here understands."""

    extension: bytes


Request = Open | OnPath | Change | Pair | OnHandle | ChangeHandle | Read | Write | Copy | Asking | Unknown


def parse(body: bytes) -> Request:
    """The request in a packet whose type is one of REQUESTS. The caller reads the id, the four bytes after the type.

    Raises:
        Malformed: its fields do not fill the packet exactly, or have bits that version 3 does not know.
    """
    cursor = Cursor(body, 5)
    kind = Type(body[0])
    request: Request
    match kind:
        case Type.READ:
            request = Read(cursor.string(), cursor.u64(), cursor.u32())
        case Type.WRITE:
            request = Write(cursor.string(), cursor.u64(), cursor.string())
        case Type.OPEN:
            path, flags = cursor.string(), cursor.u32()
            if flags & ~KNOWN_FLAGS:
                raise Malformed("it opens a file with flags that SFTP version 3 does not have")
            request = Open(path, Flag(flags), _attributes(cursor))
        case Type.LSTAT | Type.STAT | Type.OPENDIR | Type.REMOVE | Type.RMDIR | Type.REALPATH | Type.READLINK:
            request = OnPath(kind, cursor.string())
        case Type.MKDIR | Type.SETSTAT:
            request = Change(kind, cursor.string(), _attributes(cursor))
        case Type.RENAME | Type.SYMLINK:
            request = Pair(kind, cursor.string(), cursor.string())
        case Type.CLOSE | Type.FSTAT | Type.READDIR:
            request = OnHandle(kind, cursor.string())
        case Type.FSETSTAT:
            request = ChangeHandle(cursor.string(), _attributes(cursor))
        case Type.EXTENDED:
            request = _extended(cursor)
        case _:
            raise Malformed(f"packets of type {kind} are not requests")
    cursor.end()
    return request


def _extended(cursor: Cursor) -> Request:
    name = cursor.string()
    match name:
        case b"posix-rename@openssh.com" | b"hardlink@openssh.com":
            return Pair(Type.EXTENDED, cursor.string(), cursor.string(), name)
        case b"statvfs@openssh.com" | b"expand-path@openssh.com":
            return OnPath(Type.EXTENDED, cursor.string(), name)
        case b"lsetstat@openssh.com":
            return Change(Type.EXTENDED, cursor.string(), _attributes(cursor), name)
        case b"fsync@openssh.com" | b"fstatvfs@openssh.com":
            return OnHandle(Type.EXTENDED, cursor.string(), name)
        case b"copy-data":
            return Copy(cursor.string(), cursor.u64(), cursor.u64(), cursor.string(), cursor.u64())
        case b"limits@openssh.com":
            return Asking(name)
        case b"home-directory":
            cursor.string()
            return Asking(name)
        case b"users-groups-by-id@openssh.com":
            cursor.string()
            cursor.string()
            return Asking(name)
        case _:
            cursor.rest()
            return Unknown(name)


def _attributes(cursor: Cursor) -> Attributes:
    flags = cursor.u32()
    if flags & ~0x8000000F:
        raise Malformed("it has file attributes that SFTP version 3 does not have")
    size = cursor.u64() if flags & 1 else None
    owner = (cursor.u32(), cursor.u32()) if flags & 2 else None
    mode = cursor.u32() if flags & 4 else None
    times = (cursor.u32(), cursor.u32()) if flags & 8 else None
    if flags & 0x80000000:
        # No client that is known sends any, and what they would mean is up to each server.
        raise Malformed("it has extended file attributes, which nothing here could judge")
    return Attributes(size, owner, mode, times)


def forwarded(body: bytes, number: int, paths: tuple[bytes | None, ...] = ()) -> bytes:
    """A request or answer, framed, under another id, and with other paths in place of its first ones where they are not None."""
    head = body[:1] + u32(number)
    if not any(path is not None for path in paths):
        # The bulk of every transfer goes through here: one copy.
        return b"".join((u32(len(body)), head, memoryview(body)[5:]))
    cursor = Cursor(body, 5)
    parts = [head]
    if body[0] == Type.EXTENDED:
        parts.append(string(cursor.string()))
    for path in paths:
        was = cursor.string()
        parts.append(string(was if path is None else path))
    parts.append(cursor.rest())
    return framed(b"".join(parts))
