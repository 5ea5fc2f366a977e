"""The screen's end of the control socket: a Desk onto a gateway in another process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hooptui.control import wire
from hooptui.control.server import SOCKET
from hooptui.core.desk import (
    Command,
    DeskClosed,
    JournalLine,
    Outcome,
    RecordingView,
    Review,
    Snapshot,
    VerifyView,
)
from hooptui.core.events import Event
from hooptui.core.secret import Secret

T = TypeVar("T")

POLL = 0.25
"""Seconds between two looks at a watch; the screen paints no faster."""


class RemoteWatch:
    """A watch drained in the background, so that `drain` never blocks."""

    def __init__(self, desk: RemoteDesk, number: int, capacity: int = 8192) -> None:
        self._desk = desk
        self._number = number
        self._events: deque[Event] = deque()
        self._lost = 0
        self._capacity = capacity
        self._task = asyncio.create_task(self._poll())

    def drain(self) -> tuple[Sequence[Event], int]:
        events, lost = tuple(self._events), self._lost
        self._events.clear()
        self._lost = 0
        return events, lost

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(DeskClosed):  # the gateway forgot the watch when the connection went
            await self._desk.call("unwatch", type(None), watch=self._number)

    async def _poll(self) -> None:
        while True:
            try:
                texts, lost = await self._desk.call("drain", tuple[list[str], int], watch=self._number)
            except DeskClosed:
                return
            self._lost += lost
            self._events.extend(wire.events(texts))
            while len(self._events) > self._capacity:
                self._events.popleft()
                self._lost += 1
            await asyncio.sleep(POLL)


class RemoteDesk:
    """See core.desk.Desk. One connection; calls are answered in order."""

    def __init__(self, state_dir: Path, *, readonly: bool) -> None:
        self.path = state_dir / SOCKET
        self._readonly = readonly
        self._numbers = itertools.count(1)
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def readonly(self) -> bool:
        return self._readonly

    async def open(self) -> None:
        """Raises:
        DeskClosed: nobody answers on the socket.
        """
        try:
            self._streams = await asyncio.open_unix_connection(str(self.path), limit=wire.LONGEST)
        except OSError as fault:
            raise DeskClosed(f"no gateway answers on {self.path}: {fault.strerror or fault}") from None

    async def call(self, name: str, kind: type[T], **args: Any) -> T:
        """One request and its answer.

        Raises:
            DeskClosed: the connection is gone; the next call tries a new one.
        """
        async with self._lock:
            if self._streams is None:
                await self.open()
            assert self._streams is not None
            reader, writer = self._streams
            number = next(self._numbers)
            try:
                writer.write(wire.encode(wire.Request(number, name, args)) + b"\n")
                await writer.drain()
                line = await reader.readline()
            except BaseException as fault:
                # Half a conversation cannot be taken up again, also when it was the caller who gave up.
                self._drop()
                if isinstance(fault, (OSError, ValueError)):
                    raise DeskClosed(f"the gateway on {self.path} went away") from None
                raise
            if not line:
                self._drop()
                raise DeskClosed(f"the gateway on {self.path} has closed")
        try:
            reply = wire.read_reply(line)
            if reply.error:
                raise DeskClosed(reply.error)
            return wire.result(reply.result, kind)
        except msgspec.MsgspecError as fault:
            raise DeskClosed(f"the gateway speaks another version: {fault}") from None

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None

    async def sit(self, credential: Secret) -> str:
        """Prove who sits at this desk with a token or lease; returns the name that the gateway knows them by.

        Raises:
            DeskClosed: the gateway does not accept it, in words.
        """
        return await self.call("sit", str, credential=credential.reveal())

    async def snapshot(self) -> Snapshot:
        return await self.call("snapshot", Snapshot)

    async def review(self, number: int) -> Review | None:
        answer: Review | None = await self.call("review", Review | None, number=number)  # type: ignore[arg-type]  # a union is a type
        return answer

    async def run(self, command: Command) -> Outcome:
        args = {"verb": command.verb, "args": dict(command.args)}
        return await self.call("run", Outcome, command=args, readonly=self._readonly)

    async def watch(self, session: str) -> RemoteWatch:
        return RemoteWatch(self, await self.call("watch", int, session=session))

    async def transcript(self, session: str, *, after: int = 0, limit: int = 2000) -> tuple[tuple[Event, ...], int]:
        texts, position = await self.call(
            "transcript", tuple[list[str], int], session=session, after=after, limit=limit
        )
        return wire.events(texts), position

    async def recordings(self) -> tuple[RecordingView, ...]:
        return await self.call("recordings", tuple[RecordingView, ...])

    async def journal(self, *, before: int | None = None, limit: int = 200) -> tuple[JournalLine, ...]:
        return wire.journal_lines(await self.call("journal", list[tuple[int, str]], before=before, limit=limit))

    async def verify(self) -> VerifyView:
        return await self.call("verify", VerifyView)

    async def close(self) -> None:
        self._drop()
