"""An agent on a host: one login through the gateway, and commands over it, one after the other.

With the stock ssh where there is one, else with asyncssh; a fresh token is the password. Knows nothing of what is allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import asyncssh

from hooptui.core.secret import Secret
from hooptui.demo.agents import Gate
from hooptui.demo.received import Received
from hooptui.demo.scripts import Script, Step

LOGIN_WITHIN: Final = 20.0
END_WITHIN: Final = 2.0
"""Seconds that a connection may need to notice that it is gone."""
HOST: Final = "127.0.0.1"
CUT_OFF: Final = 255
"""The stock client's own status: no command gave it, or its connection is gone."""
ASKPASS: Final = '#!/bin/sh\nprintf "%s\\n" "$HOOPTUI_DEMO_TOKEN"\n'
"""How the stock client is given a password without a terminal."""


class ShellAgent:
    """One login and its commands."""

    def __init__(self, script: Script, gate: Gate, received: Received, *, ssh: str | None = None) -> None:
        """`ssh` is the stock client's path; found when None, and asyncssh is used when it is empty."""
        self._script = script
        self._gate = gate
        self._received = received
        self._ssh = shutil.which("ssh") or "" if ssh is None else ssh
        self._socket = f"ssh-{script.name}"
        """Of the shared connection: below the home, where it is short enough for a socket's name."""
        self._master: asyncio.subprocess.Process | None = None
        self._errors: asyncio.Task[None] | None = None
        self._connection: asyncssh.SSHClientConnection | None = None

    async def __aenter__(self) -> Self:
        gate = self._gate
        token = await gate.token(self._script.name)
        if not self._ssh:
            self._connection = await self._login(token)
            return self
        askpass, known = gate.home / "ssh-askpass", gate.home / "ssh-known_hosts"
        _file(askpass, ASKPASS, 0o700)
        _file(known, f"[{HOST}]:{gate.ssh_port} {gate.ssh_host_key}\n", 0o600)
        # A login that was killed has left it.
        await asyncio.to_thread((gate.home / self._socket).unlink, missing_ok=True)
        self._master = await self._start(
            "-M", "-N", "-o", f"UserKnownHostsFile={known}", "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes",
            "-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
            environment={"SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "none", "HOOPTUI_DEMO_TOKEN": token.reveal()},
        )  # fmt: skip
        self._errors = asyncio.create_task(self._listen(self._master), name=f"errors of {self._script.name}")
        deadline = time.monotonic() + LOGIN_WITHIN
        while self._master.returncode is None and time.monotonic() < deadline:
            if (gate.home / self._socket).exists():
                break
            await asyncio.sleep(0.05)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.abort()
            await self._connection.wait_closed()
        if self._master is not None and self._errors is not None:
            await self._end(self._master)
            await self._errors

    async def say(self, step: Step) -> bool:
        """Run one command to its end, however long people take over it; False when the connection is gone."""
        if self._connection is not None:
            return await self._run(self._connection, step)
        if self._master is None or self._master.returncode is not None:
            return False
        process = await self._start(step.text)
        try:
            out, err = await process.communicate()
        except asyncio.CancelledError:
            await self._end(process)
            raise
        self._heard(out, err)
        if process.returncode != CUT_OFF:
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_WITHIN):
                await self._master.wait()
        return self._master.returncode is None

    # --- inside

    async def _start(self, *more: str, environment: dict[str, str] | None = None) -> asyncio.subprocess.Process:
        gate, name = self._gate, self._script.target
        options, command = (more, ()) if more[0].startswith("-") else ((), more)
        return await asyncio.create_subprocess_exec(
            self._ssh, "-F", "none", "-T", "-S", self._socket, "-p", str(gate.ssh_port), *options, f"{name}@{HOST}", *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(gate.home), "LC_ALL": "C.UTF-8", **(environment or {})},
            cwd=gate.home,
            # Ctrl-C in the demo's terminal is the demo's.
            start_new_session=True,
        )  # fmt: skip

    async def _listen(self, master: asyncio.subprocess.Process) -> None:
        """To what the login says."""
        assert master.stderr is not None
        while chunk := await master.stderr.read(65_536):
            self._heard(b"", chunk)

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        # Not asked to go: a client that shares a connection may be told so just before it begins to wait, and then never hears it.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _login(self, token: Secret) -> asyncssh.SSHClientConnection | None:
        try:
            return await asyncssh.connect(
                HOST, self._gate.ssh_port, config=None, username=self._script.target, password=token.reveal(),
                preferred_auth="password", known_hosts=([asyncssh.import_public_key(self._gate.ssh_host_key)], [], []),
                agent_path=None, client_keys=None, encoding=None,
            )  # fmt: skip
        except (asyncssh.Error, OSError) as no:
            self._received.add(f"{self._script.name} (errors)", str(no).encode())
            return None

    async def _run(self, connection: asyncssh.SSHClientConnection, step: Step) -> bool:
        try:
            done = await connection.run(step.text, encoding=None)
        except (asyncssh.Error, OSError) as no:
            self._received.add(f"{self._script.name} (errors)", str(no).encode())
            return False
        self._heard(_bytes(done.stdout), _bytes(done.stderr))
        if done.exit_status is None or done.exit_status >= 0:
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_WITHIN):
                await connection.wait_closed()
        return not connection.is_closed()

    def _heard(self, out: bytes, err: bytes) -> None:
        self._received.add(self._script.name, out)
        self._received.add(f"{self._script.name} (errors)", err)


def _bytes(content: bytes | str | None) -> bytes:
    return content.encode() if isinstance(content, str) else content or b""


def _file(path: Path, content: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
