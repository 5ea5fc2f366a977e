"""The contract of every protocol, for SSH: the stock client with ControlMaster, so that one connection carries many commands."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hooptui.core.approvals import Approval
from hooptui.core.gate import Killed
from hooptui.core.model import Decision, Operation
from tests.core.world import Book
from tests.protocols.contract import WITHIN, Outcome, ProtocolContract, until
from tests.protocols.ssh.gatehouse import Gatehouse, open_gate
from tests.ssh_server import SshServer


class SshPending:
    """One command over the shared connection, its answers read in a thread."""

    def __init__(self, house: Gatehouse, command: list[str]) -> None:
        self.told: list[str] = []
        self.program = house.start(command, stdin=subprocess.DEVNULL)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.program.stderr is not None
        for line in self.program.stderr:
            self.told.append(line.decode())

    def outcome(self, within: float = WITHIN) -> Outcome:
        status = self.program.wait(within)
        self._thread.join(within)
        return Outcome(status == 0, "".join(self.told), self.told)


class SshClient:
    def __init__(self, house: Gatehouse, file: Path, number: int) -> None:
        self._house = house
        self._file = file
        control = ("-o", f"ControlPath={house.home}/mux-{number}")
        self._more = control
        self._master = house.start(
            house.through("-N", more=("-o", "ControlMaster=yes", *control)), stdin=subprocess.DEVNULL
        )
        until(lambda: (house.home / f"mux-{number}").exists())
        self._last: SshPending | None = None

    def write(self) -> SshPending:
        self._last = SshPending(self._house, self._house.through(f"echo x >> {self._file}", more=self._more))
        return self._last

    def gibberish(self) -> SshPending:
        return SshPending(self._house, self._house.through("<<<unreadable", more=self._more))

    def leave(self) -> None:
        self._master.kill()
        self._master.wait()

    def cut(self, within: float) -> str:
        assert self._last is not None
        return self._last.outcome(within).words


class SshWorld:
    def __init__(self, house: Gatehouse, server: SshServer, file: Path) -> None:
        self._house = house
        self._server = server
        self._file = file
        self._clients = 0

    @property
    def book(self) -> Book:
        return self._house.book

    def client(self) -> SshClient:
        self._clients += 1
        return SshClient(self._house, self._file, self._clients)

    def judge(self, answer: Callable[[Operation], Decision]) -> None:
        self._house.judge.answer = answer

    def writes(self) -> int:
        return self._file.read_bytes().count(b"x\n")

    def waiting(self) -> tuple[Approval, ...]:
        return self._house.waiting()

    def vote(self, approve: bool, reason: str = "") -> None:
        self._house.vote(approve, reason)

    def kill(self, reason: str) -> Killed:
        return self._house.call(self._house.door.sessions[-1].kill("ops-1", reason))

    def upstream_alive(self) -> int:
        return len(self._server.sessions())


class TestSsh(ProtocolContract):
    @pytest.fixture
    def world(self, server: SshServer) -> Iterator[SshWorld]:
        file = server.file(f"ledger-{os.urandom(4).hex()}", b"")
        with open_gate(server) as house:
            yield SshWorld(house, server, file)
