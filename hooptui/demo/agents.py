"""Busy agents: real psql and psycopg processes that work through the gateway as anybody would, over verified TLS.

Knows addresses and tokens; nothing of policy, masking or the gateway's inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hooptui.core.secret import Secret
from hooptui.demo import client
from hooptui.demo.received import Received
from hooptui.demo.scripts import Script, Step

LINE = 1024 * 1024
END_WITHIN = 5.0
"""Seconds an agent has to go when asked, before it is killed."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Where and how to connect."""

    psql: str
    """Path of the program."""
    port: int
    """For PostgreSQL."""
    ca_file: Path
    target: str
    home: Path
    """Stands for the agents' home, so that no dot file of the user's meddles."""
    token: Callable[[str], Awaitable[Secret]]
    ssh_port: int = 0
    """0 when nothing listens for SSH."""
    ssh_host_key: str = ""
    """The gateway's own, one line."""
    kubernetes_port: int = 0
    """0 when nothing listens for Kubernetes."""


class Agent:
    """One client process and its conversation."""

    def __init__(self, script: Script, gate: Gate, received: Received) -> None:
        self._script = script
        self._gate = gate
        self._received = received
        self._process: asyncio.subprocess.Process | None = None
        self._errors: asyncio.Task[None] | None = None
        self._markers = (f"-- end of {script.name} {number}" for number in itertools.count(1))

    async def __aenter__(self) -> Self:
        gate = self._gate
        token = await gate.token(self._script.name)
        if self._script.program == "psql":
            command = [gate.psql, "-X", "-q", "-f", "-"]
        else:
            command = [sys.executable, "-P", client.__file__]
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(gate.home), "LC_ALL": "C.UTF-8", "PGHOST": "localhost",
            "PGPORT": str(gate.port), "PGDATABASE": self._script.target or gate.target, "PGUSER": self._script.name, "PGPASSWORD": token.reveal(),
            "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(gate.ca_file), "PGAPPNAME": f"{self._script.name} {self._script.program}",
            "PGCLIENTENCODING": "UTF8", "PYTHONIOENCODING": "utf-8:backslashreplace",
        }  # fmt: skip
        if self._script.purpose:
            environment["PGOPTIONS"] = f"-c hooptui.reason='{self._script.purpose}'"
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd=gate.home,
            limit=LINE,
            # Ctrl-C in the demo's terminal is the demo's.
            start_new_session=True,
        )
        self._errors = asyncio.create_task(self._listen(), name=f"errors of {self._script.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, errors = self._process, self._errors
        if process is None or errors is None or process.stdin is None or process.stdout is None:
            return
        process.stdin.close()
        if kind is not None and process.returncode is None:
            process.terminate()
        with contextlib.suppress(ProcessLookupError):
            try:
                async with asyncio.timeout(END_WITHIN):
                    self._received.add(self._script.name, await process.stdout.read())
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        await errors

    async def say(self, step: Step) -> bool:
        """Send one statement and wait for its answer, however long that takes; False when the connection is gone."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return False
        marker = next(self._markers)
        if self._script.program == "psql":
            text = f"{step.text};\n\\echo {marker}\n"
        else:
            text = json.dumps({"sql": step.text, "args": step.args, "then": marker}) + "\n"
        try:
            process.stdin.write(text.encode())
            await process.stdin.drain()
        except ConnectionError:
            return False
        while line := await _line(process.stdout):
            self._received.add(self._script.name, line)
            if line.rstrip() == marker.encode():
                return True
        return False

    async def _listen(self) -> None:
        process = self._process
        if process is None or process.stderr is None:
            return
        while chunk := await process.stderr.read(65_536):
            self._received.add(f"{self._script.name} (errors)", chunk)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """A line, or a piece of one that is too long; empty at the end."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.LimitOverrunError as long:
        return await stream.readexactly(long.consumed)
    except asyncio.IncompleteReadError as end:
        return end.partial
