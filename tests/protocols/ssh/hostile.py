"""What the hostile tests share: a session that must not notice, a client that says what it likes, and the gate's memory."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh

from tests.protocols.ssh.gatehouse import NAME, Gatehouse

MIB = 1024 * 1024


class Neighbour:
    """Somebody else's session, a stock ssh that echoes: it must go on whatever others do."""

    def __init__(self, gate: Gatehouse) -> None:
        self.process = gate.start(gate.through("cat"))
        self.count = 0
        self.speaks()

    def speaks(self, within: float = 60.0) -> None:
        """A line there and back, through the gate."""
        self.count += 1
        line = b"still here %d\n" % self.count
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()
        seen, until = b"", time.monotonic() + within
        while not seen.endswith(line):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"the neighbour's session stands still; it has {seen!r}"
            piece = os.read(self.process.stdout.fileno(), 4096)
            assert piece, "the neighbour's session has ended"
            seen += piece


@contextmanager
def neighbour(gate: Gatehouse) -> Iterator[Neighbour]:
    """Checked before and after; so is that somebody new gets in."""
    one = Neighbour(gate)
    yield one
    one.speaks()
    one.process.kill()
    done = gate.run(gate.through("echo next"))
    assert done.stdout == b"next\n", done.stderr


async def intruder(gate: Gatehouse, **options: Any) -> asyncssh.SSHClientConnection:
    """Somebody who is in, with asyncssh's client in his hands."""
    return await asyncssh.connect(
        "127.0.0.1", gate.port, config=None, username=NAME, known_hosts=None, agent_path=None,
        client_keys=[(str(gate.home / "id"), str(gate.home / "id-cert.pub"))], **options,
    )  # fmt: skip


def raw(gate: Gatehouse) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", gate.port), 60)
    sock.settimeout(60)
    return sock


def closed(sock: socket.socket) -> bytes:
    """What came until the other side closed."""
    seen = b""
    try:
        while piece := sock.recv(65536):
            seen += piece
    except ConnectionError:
        return seen
    return seen


def resident() -> int:
    """Bytes of memory of this process, in which the gate is."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def until(what: Callable[[], Any], within: float = 60.0) -> Any:
    deadline = time.monotonic() + within
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.01)
    return found


def finished(process: subprocess.Popen[bytes], within: float = 60.0) -> tuple[bytes, bytes, int]:
    out, err = process.communicate(timeout=within)
    return out, err, process.returncode
