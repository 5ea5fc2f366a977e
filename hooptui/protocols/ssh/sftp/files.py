"""The files that a client has open, and what went through each: bytes, and their SHA-256 while they come in order. Knows no packets."""

from __future__ import annotations

import hashlib


class Tally:
    """One direction of one open file.

    The hash is of the bytes that passed from `start` on, and there is one only while each began where the last one ended: bytes
    that come twice, leave a gap or are refused by the target have no order that a hash could stand for.
    """

    __slots__ = ("_hash", "_next", "ordered", "size", "start")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._next = -1
        self.start = 0
        """Offset of the first byte; not 0 for a transfer that was resumed."""
        self.size = 0
        """Bytes that passed, those that passed twice counted twice."""
        self.ordered = True

    def add(self, offset: int, data: bytes | memoryview) -> None:
        if not data:
            return
        if self._next < 0:
            self.start = offset
        elif offset != self._next:
            self.ordered = False
        if self.ordered:
            self._hash.update(data)
        self.size += len(data)
        self._next = offset + len(data)

    def spoil(self) -> None:
        """Bytes were changed in a way that was not seen here."""
        self.ordered = False

    @property
    def sha256(self) -> str:
        """Hexadecimal; empty when the bytes did not come in order."""
        return self._hash.hexdigest() if self.ordered else ""


class File:
    """An open file or directory: what it was judged as."""

    __slots__ = (
        "failed",
        "folder",
        "handle",
        "names",
        "number",
        "path",
        "read",
        "readable",
        "started",
        "waiting",
        "writable",
        "written",
    )

    def __init__(
        self,
        path: bytes,
        names: tuple[bytes, ...],
        *,
        readable: bool,
        writable: bool,
        folder: bool,
        number: int,
        started: float,
    ) -> None:
        self.handle = b""
        """The target's name for it."""
        self.path = path
        self.names = names
        """Every path under which it was judged."""
        self.readable = readable
        self.writable = writable
        self.folder = folder
        self.number = number
        """Of the operation that opened it."""
        self.started = started
        self.read = Tally()
        self.written = Tally()
        self.failed = ""
        """The last thing about its content that went wrong."""
        self.waiting = 0
        """Requests on it that were not sent yet."""


class Files:
    """The table of handles, bounded: those that the target gave out and the client has not given back."""

    __slots__ = ("_limit", "_open", "opening")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[bytes, File] = {}
        self.opening = 0
        """Places that are kept for opens under way."""

    def __len__(self) -> int:
        return len(self._open)

    @property
    def full(self) -> bool:
        return len(self._open) + self.opening >= self._limit

    def get(self, handle: bytes) -> File | None:
        return self._open.get(handle)

    def add(self, handle: bytes, file: File) -> bool:
        """False when the target gives out a handle that is open already."""
        if handle in self._open:
            return False
        file.handle = handle
        self._open[handle] = file
        return True

    def remove(self, file: File) -> None:
        """From now on its handle is unknown."""
        if self._open.get(file.handle) is file:
            del self._open[file.handle]

    def drain(self) -> list[File]:
        """All that are still open, taken out."""
        left = list(self._open.values())
        self._open.clear()
        return left
