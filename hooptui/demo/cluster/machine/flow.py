"""Bytes from one side to another, as a pipe: bounded, so that a fast writer waits; ends once.

Knows nothing of what it carries.
"""

from __future__ import annotations

import asyncio

FULL = 256 * 1024
"""Bytes from which a writer waits."""


class Broken(Exception):
    """The reading side is gone."""


class Flow:
    """See the module."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ended = False
        self._broken = False
        self._moved = asyncio.Event()

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def write(self, data: bytes) -> None:
        """Raises: Broken when nobody reads any more."""
        while len(self._data) >= FULL and not self._broken:
            await self._moved.wait()
        if self._broken:
            raise Broken
        if not self._ended:
            self._data += data
            self._move()

    def end(self) -> None:
        """Nothing comes after this."""
        self._ended = True
        self._move()

    def abandon(self) -> None:
        """Nobody reads any more."""
        self._broken = True
        self._data.clear()
        self._move()

    async def read(self, most: int = 65_536) -> bytes:
        """Some bytes; empty at the end."""
        while not self._data and not self._ended:
            await self._moved.wait()
        found = bytes(self._data[:most])
        del self._data[: len(found)]
        self._move()
        return found

    async def line(self) -> bytes:
        """A line with its newline, or what is left; empty at the end."""
        while b"\n" not in self._data and not self._ended:
            await self._moved.wait()
        place = self._data.find(b"\n")
        return await self.read(place + 1 if place >= 0 else len(self._data) or 1)

    async def rest(self) -> bytes:
        """Everything to the end."""
        parts = bytearray()
        while data := await self.read():
            parts += data
        return bytes(parts)
