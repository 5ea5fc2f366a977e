"""A place where OpenSSH's own sftp and scp talk through a guard to OpenSSH's own sftp-server and scp, without any SSH between."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shlex
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hooptui.core.gate import Permit, Refused, Why, mint
from hooptui.core.model import Operation, SshFacts
from hooptui.protocols.ssh.sftp.guard import SftpGuard
from hooptui.protocols.ssh.sftp.report import Report

SERVER = "/usr/lib/openssh/sftp-server"
BRIDGE = Path(__file__).with_name("bridge.py")
CHUNK = 1 << 18

Verdict = Callable[[Operation], "str | Awaitable[str]"]
"""The reason to refuse an operation; empty to allow it."""


def facts(operation: Operation) -> SshFacts:
    assert isinstance(operation.facts, SshFacts)
    return operation.facts


class Stream(Protocol):
    def from_client(self, data: bytes) -> None: ...
    def from_upstream(self, data: bytes) -> None: ...
    async def settled(self) -> None: ...
    async def close(self) -> None: ...


@dataclass
class Bed:
    root: Path
    verdict: Verdict = lambda _operation: ""
    asked: list[Operation] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    guarded: bool = True
    make: Callable[[Bed, str, Callable[[bytes], None], Callable[[bytes], None]], Stream] | None = None
    """What stands between for a command that is not the sftp subsystem."""

    @property
    def socket(self) -> Path:
        return self.root / "bridge.sock"

    @property
    def home(self) -> Path:
        """The target's."""
        return self.root / "home"

    @property
    def here(self) -> Path:
        """The client's."""
        return self.root / "here"

    async def ask(self, operation: Operation) -> Permit:
        self.asked.append(operation)
        number = next(self.numbers)
        said = self.verdict(operation)
        reason = said if isinstance(said, str) else await said
        if reason:
            raise Refused(Why.POLICY, reason, rule="no-such-thing", number=number)
        return mint(number, ("all",), "")

    def verbs(self) -> list[str]:
        return [one.verb for one in self.asked]

    def lines(self) -> list[str]:
        return [one.line for one in self.reports]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        argv = json.loads(await reader.readline())
        command = argv[-1] if argv and argv[-1] != "sftp" else f"{SERVER} -d {shlex.quote(str(self.home))}"
        target = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", command, cwd=self.home, limit=CHUNK, env={**os.environ, "HOME": str(self.home)},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        up, down = target.stdin, target.stdout
        assert up is not None
        assert down is not None
        guard: Stream | None = None
        if self.guarded:
            if command.startswith(SERVER) or self.make is None:
                guard = SftpGuard(
                    self.ask, up.write, writer.write, report=self.reports.append, end=lambda why: self.end(why, writer)
                )
            else:
                guard = self.make(self, command, up.write, writer.write)

        async def downwards() -> None:
            while data := await down.read(CHUNK):
                guard.from_upstream(data) if guard else writer.write(data)
                await writer.drain()
            writer.close()

        async def upwards() -> None:
            while data := await reader.read(CHUNK):
                guard.from_client(data) if guard else up.write(data)
                await up.drain()
            if guard:
                await guard.settled()
            up.close()

        with contextlib.suppress(ConnectionError):
            both = await asyncio.gather(downwards(), upwards(), return_exceptions=True)
            for one in both:
                if isinstance(one, BaseException) and not isinstance(one, ConnectionError):
                    raise one
        if guard:
            await guard.close()
        up.close()
        await target.wait()
        writer.close()

    def end(self, why: str, writer: asyncio.StreamWriter) -> None:
        self.ended.append(why)
        writer.close()

    async def run(self, *argv: str, batch: str = "") -> tuple[int, str, str]:
        """Exit status, stdout and stderr of a client program that starts the bridge where it would start ssh."""
        child = await asyncio.create_subprocess_exec(
            *argv, cwd=self.here, env={**os.environ, "BRIDGE": str(self.socket), "LC_ALL": "C.UTF-8"},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(child.communicate(batch.encode("utf-8", "surrogateescape")), 60)
        assert child.returncode is not None
        return child.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    async def sftp(self, batch: str, *options: str) -> tuple[int, str, str]:
        bridge = f"{sys.executable} {BRIDGE} sftp"
        return await self.run("sftp", *options, "-b", "-", "-D", bridge, batch=batch)

    async def scp(self, *argv: str) -> tuple[int, str, str]:
        wrapper = self.root / "ssh"
        if not wrapper.exists():
            wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {BRIDGE} "$@"\n')
            wrapper.chmod(0o755)
        return await self.run("scp", "-S", str(wrapper), *argv)


@contextlib.asynccontextmanager
async def bed(root: Path) -> AsyncIterator[Bed]:
    place = Bed(root)
    place.home.mkdir()
    place.here.mkdir()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await place.serve(reader, writer)

    server = await asyncio.start_unix_server(serve, str(place.socket), limit=CHUNK)
    try:
        yield place
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
        assert [one for one in done if one is not None] == []
    finally:
        server.close()
        await server.wait_closed()
