"""One container: its files, its main program and its log, and further programs that are run in it.

Knows nothing of Kubernetes but the names it is given.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hooptui.demo.cluster.machine import shell
from hooptui.demo.cluster.machine.files import Files
from hooptui.demo.cluster.machine.flow import Broken, Flow
from hooptui.demo.cluster.machine.process import INTERRUPTED, KILLED, Io, Write
from hooptui.demo.cluster.machine.terminal import Terminal

LOG_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log."""

    number: int
    when: datetime
    text: bytes
    """With its newline."""


class Log:
    """The last lines that a program wrote, for those who come later and those who wait for more."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LOG_LINES)
        self._written = 0
        self._partial = b""
        self._ended = False
        self._news = asyncio.Event()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def write(self, data: bytes, when: datetime | None = None) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for text in lines:
            self._written += 1
            self._lines.append(Line(self._written, when or datetime.now(UTC), text + b"\n"))
        self._tell()

    def end(self) -> None:
        if self._partial:
            self.write(b"\n")
        self._ended = True
        self._tell()

    def lines(self) -> list[Line]:
        return list(self._lines)

    async def follow(self, after: int) -> AsyncIterator[Line]:
        """Lines after a number, until the log ends."""
        while True:
            news = self._news
            for line in [one for one in self._lines if one.number > after]:
                after = line.number
                yield line
            if self._ended:
                return
            await news.wait()


@dataclass(frozen=True, slots=True)
class Streams:
    """The client's side of a program in a container."""

    stdin: Flow | None
    out: Write
    err: Write
    sizes: asyncio.Queue[tuple[int, int]]
    """Columns and rows, whenever the client's window changes."""
    tty: bool = False


class Container:
    """See the module."""

    def __init__(
        self,
        name: str,
        hostname: str,
        image: str,
        command: list[str],
        environment: dict[str, str],
        *,
        stdin: bool = False,
        tty: bool = False,
    ) -> None:
        self.name = name
        self.hostname = hostname
        self.image = image
        self.command = command
        self.environment = environment
        self.stdin, self.tty = stdin, tty
        self.files = Files()
        self.files.put("/etc/hostname", hostname.encode() + b"\n")
        self.log = Log()
        self.previous: Log | None = None
        self.ended = asyncio.Event()
        """Set when the container is no more: whatever runs in it ends."""
        self._stdin = Flow()
        self._watchers: list[tuple[Write, Write]] = []
        self._terminal: Terminal | None = None
        self._main: asyncio.Future[int] | None = None

    # --- the main program

    async def main(self) -> int:
        """Run it to its end; its exit code."""
        if self.tty:
            self._terminal = Terminal(self._out, self._interrupt)
            io = self._io(self._terminal.stdin, self._terminal.write, self._terminal.write, self._terminal)
        else:
            if not self.stdin:
                self._stdin.end()
            io = self._io(self._stdin, self._out, self._err, None)
        try:
            return await self._until_killed(shell.run(io, self.command))
        finally:
            self.log.end()
            self.ended.set()

    def _interrupt(self) -> None:
        if self._main is not None and not self._main.done():
            self._main.set_result(INTERRUPTED)

    async def _out(self, data: bytes) -> None:
        self.log.write(data)
        await self._tell(data, 0)

    async def _err(self, data: bytes) -> None:
        self.log.write(data)
        await self._tell(data, 1)

    async def _tell(self, data: bytes, which: int) -> None:
        for pair in list(self._watchers):
            try:
                await pair[which](data)
            except (Broken, ConnectionError):
                self._watchers.remove(pair)

    def say(self, text: str, when: datetime | None = None) -> None:
        """A line of the log that no program of ours wrote."""
        self.log.write(text.encode() + b"\n", when)

    async def attach(self, streams: Streams, *, close_stdin: bool) -> None:
        """Be the client of the main program, until it ends or the client has no more to say and nothing to hear."""
        pair = (streams.out, streams.err)
        self._watchers.append(pair)
        pump = asyncio.ensure_future(self._feed(streams, close_stdin))
        try:
            await self.ended.wait()
        finally:
            if pair in self._watchers:
                self._watchers.remove(pair)
            await _cancelled(pump)

    async def _feed(self, streams: Streams, close: bool) -> None:
        if streams.stdin is None:
            return
        if self._terminal is not None:
            await _typed(streams, self._terminal)
            return
        while data := await streams.stdin.read():
            await self._stdin.write(data)
        if close:
            self._stdin.end()

    # --- others

    async def run(self, command: list[str], streams: Streams) -> int:
        """Run a program in here for a client; 137 when the container ends before it."""
        if not streams.tty:
            stdin = streams.stdin
            if stdin is None:
                stdin = Flow()
                stdin.end()
            return await self._until_killed(shell.run(self._io(stdin, streams.out, streams.err, None), command))
        interrupted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def interrupt() -> None:
            if not interrupted.done():
                interrupted.set_result(INTERRUPTED)

        terminal = Terminal(streams.out, interrupt)
        if not streams.sizes.empty():
            terminal.screen.columns, terminal.screen.rows = streams.sizes.get_nowait()
        keys = asyncio.ensure_future(_typed(streams, terminal))
        try:
            work = shell.run(self._io(terminal.stdin, terminal.write, terminal.write, terminal), command)
            return await self._until_killed(work, interrupted)
        finally:
            await _cancelled(keys)

    def has(self, command: list[str]) -> bool:
        return shell.exists(command)

    def stop(self) -> None:
        self.ended.set()
        self.log.end()

    def _io(self, stdin: Flow, out: Write, err: Write, terminal: Terminal | None) -> Io:
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME": self.hostname,
        }
        if terminal is not None:
            environment["TERM"] = "xterm"
        return Io(
            stdin, out, err, self.files, {**environment, **self.environment, "HOME": "/root"}, self.hostname,
            screen=terminal.screen if terminal is not None else None,
        )  # fmt: skip

    async def _until_killed(self, work: object, interrupted: asyncio.Future[int] | None = None) -> int:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        end = asyncio.ensure_future(self.ended.wait())
        if interrupted is None:
            interrupted = self._main = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((task, end, interrupted), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return int(task.result())
            return interrupted.result() if interrupted.done() else KILLED
        finally:
            await _cancelled(task)
            await _cancelled(end)


async def _typed(streams: Streams, terminal: Terminal) -> None:
    """Keys and window sizes from the client to the terminal, until there are no more keys."""

    async def resized() -> None:
        while True:
            terminal.screen.columns, terminal.screen.rows = await streams.sizes.get()

    sizes = asyncio.ensure_future(resized())
    try:
        while streams.stdin is not None and (data := await streams.stdin.read()):
            await terminal.type(data)
        if streams.stdin is not None:
            terminal.stdin.end()
    finally:
        await _cancelled(sizes)


async def _cancelled(task: asyncio.Future[Any]) -> None:
    if not task.done():
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
