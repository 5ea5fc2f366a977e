"""Requests that the target has not answered: which answer each may get, and what the answer says of the file. Pure."""

from __future__ import annotations

import asyncio
from typing import Final

from hooptui.protocols.ssh.sftp.entry import Entry
from hooptui.protocols.ssh.sftp.files import File
from hooptui.protocols.ssh.sftp.packets import Type
from hooptui.protocols.ssh.sftp.wire import SftpViolation

_ANSWERS: Final[dict[int, Type]] = {
    Type.OPEN: Type.HANDLE,
    Type.OPENDIR: Type.HANDLE,
    Type.READ: Type.DATA,
    Type.READDIR: Type.NAME,
    Type.REALPATH: Type.NAME,
    Type.READLINK: Type.NAME,
    Type.STAT: Type.ATTRS,
    Type.LSTAT: Type.ATTRS,
    Type.FSTAT: Type.ATTRS,
}
"""The answer to each request beside STATUS, which answers any."""

_EXTENDED: Final = frozenset({Type.EXTENDED_REPLY, Type.NAME})
"""Extensions answer with data of their own, expand-path and home-directory with a name."""


class Flight:
    """One request on its way."""

    __slots__ = ("entry", "file", "id", "kind", "length", "offset", "probe", "started")

    def __init__(
        self, kind: Type, started: float, number: int = 0, entry: Entry | None = None, file: File | None = None
    ) -> None:
        self.kind = kind
        self.started = started
        self.id = number
        """The client's."""
        self.entry = entry
        self.file = file
        """For a request that went through a handle unasked."""
        self.offset = 0
        self.length = 0
        """Of a READ."""
        self.probe: asyncio.Future[bytes] | None = None
        """Set for a question of the guard's own."""

    def content(self, body: bytes, result: str) -> None:
        """Count what the answer to a READ or WRITE says was moved.

        Raises:
            SftpViolation: more data than was asked for.
        """
        file = self.file
        if file is None:
            return
        if body[0] == Type.DATA:
            if len(body) < 9 or len(body) - 9 != int.from_bytes(body[5:9], "big") or len(body) - 9 > self.length:
                raise SftpViolation(
                    "the target answered an SFTP read with another length than its packet or the question has"
                )
            file.read.add(self.offset, memoryview(body)[9:])
        elif self.kind is Type.READ and result not in ("ok", "end of file"):
            file.failed = f"a read failed: {result}"
        elif self.kind is Type.WRITE and result != "ok":
            file.failed = f"a write failed: {result}"
            file.written.spoil()


class Flights:
    """By the id that the target was given, which is never one of the client's."""

    __slots__ = ("_flying", "_last")

    def __init__(self) -> None:
        self._flying: dict[int, Flight] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._flying)

    def add(self, flight: Flight) -> int:
        number = self._last = (self._last + 1) & 0xFFFFFFFF
        while number in self._flying:
            number = self._last = (self._last + 1) & 0xFFFFFFFF
        self._flying[number] = flight
        return number

    def take(self, number: int, body: bytes) -> Flight:
        """The request that this is the answer to.

        Raises:
            SftpViolation: nobody waits for it (any more), or it is no answer to what was asked.
        """
        flight = self._flying.pop(number, None)
        if flight is None:
            raise SftpViolation("the target answered an SFTP request that it was not asked, or one twice")
        kind = body[0]
        fits = kind in _EXTENDED if flight.kind is Type.EXTENDED else kind == _ANSWERS.get(flight.kind)
        if kind == Type.HANDLE and (
            len(body) < 9 or len(body) - 9 != int.from_bytes(body[5:9], "big") or len(body) > 265
        ):
            raise SftpViolation("the target gave out an SFTP handle of a broken length")
        if kind != Type.STATUS and not fits:
            raise SftpViolation(f"the target answered an SFTP request of type {flight.kind} with one of type {kind}")
        return flight

    def drop(self) -> None:
        """Nobody waits for any answer any more."""
        for flight in self._flying.values():
            if flight.probe is not None:
                flight.probe.cancel()
        self._flying.clear()
