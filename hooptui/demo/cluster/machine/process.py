"""A program that runs in a container: what it reads, writes and sees, and how it ends.

Knows flows and files; knows no program.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from hooptui.demo.cluster.machine.files import Files
from hooptui.demo.cluster.machine.flow import Flow

NOT_FOUND = 127
INTERRUPTED = 130
KILLED = 137

Write = Callable[[bytes], Awaitable[None]]


@dataclass(slots=True)
class Screen:
    """The size of a terminal, in characters."""

    columns: int = 80
    rows: int = 24


@dataclass(frozen=True, slots=True)
class Io:
    """What a program has."""

    stdin: Flow
    out: Write
    err: Write
    files: Files
    environment: dict[str, str]
    hostname: str
    cwd: list[str] = field(default_factory=lambda: ["/"])
    """One element, so that `cd` can change it."""
    screen: Screen | None = None
    """Set when it has a terminal."""

    async def print(self, *lines: str) -> None:
        await self.out("".join(f"{line}\n" for line in lines).encode())

    async def complain(self, text: str) -> None:
        await self.err(f"{text}\n".encode())

    def at(self, path: str) -> str:
        return self.files.at(self.cwd[0], path)

    def with_streams(self, *, stdin: Flow | None = None, out: Write | None = None, err: Write | None = None) -> Io:
        return replace(self, stdin=stdin or self.stdin, out=out or self.out, err=err or self.err)


Program = Callable[[Io, list[str]], Awaitable[int]]
"""Gets its arguments without its own name; returns its exit code."""
