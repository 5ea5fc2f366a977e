"""A whole SSH gate on a loop and thread of its own, in front of a real sshd: small real collaborators, the stock client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import uvloop

from hooptui.core.approvals import Approval
from hooptui.core.clock import SystemClock
from hooptui.core.model import Decision, Invocation, MaskRule, Operation, SshFacts, Target
from hooptui.core.secret import Secret
from hooptui.credentials.ssh_certificates import SshCa
from hooptui.masking.masker import make_masker
from hooptui.protocols.ssh.gate import Keys, Limits, SshGate, SshTarget
from hooptui.protocols.ssh.upstream import HostKeys, Upstream
from tests.core.world import BOT, DBA, Book, allow, deny, hold, house, vote
from tests.protocols.postgres.gatehouse import LEASE, TOKEN, Door, Masks
from tests.ssh_server import SshServer

T = TypeVar("T")

NAME = "web-01"


def plain(raw: bytes) -> SshFacts:
    """A reader of command lines that understands words and nothing else."""
    text = raw.decode("utf-8", "backslashreplace")
    if "<<<unreadable" in text:
        return SshFacts(frozenset({"exec"}), unknown="cannot be parsed")
    first, *rest = text.split() or [""]
    return SshFacts(frozenset({"exec"}), (Invocation(first, tuple(rest)),))


def usual(operation: Operation) -> Decision:
    """`deny-me` does not run, `hold-me` waits, everything else goes."""
    if "deny-me" in operation.text:
        return deny()
    if "hold-me" in operation.text:
        return hold()
    return allow()


@dataclass
class Gatehouse:
    """What a test holds of a running gate."""

    gate: SshGate
    door: Door
    book: Book
    judge: Masks
    server: SshServer
    port: int
    home: Path
    """With `id`, `id-cert.pub`, `known_hosts`, `askpass`."""
    loop: asyncio.AbstractEventLoop
    ca: SshCa
    programs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def on_loop(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return self.call(run())

    def waiting(self) -> tuple[Approval, ...]:
        return self.on_loop(self.door.house.approvals.waiting)

    def vote(self, approve: bool, reason: str = "") -> None:
        deadline = time.monotonic() + 60
        while not (found := self.waiting()):
            assert time.monotonic() < deadline, "nothing waits"
            time.sleep(0.01)
        self.on_loop(
            lambda: self.door.house.approvals.vote(found[0].number, vote(DBA, approve, time.time(), reason=reason))
        )

    # --- the stock client

    def options(self, *more: str) -> list[str]:
        """Of a client that comes with its certificate through the gate."""
        return [
            "-F", "none", "-o", f"Port={self.port}", "-i", str(self.home / "id"), "-o", f"UserKnownHostsFile={self.home}/known_hosts",
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=none", *more,
        ]  # fmt: skip

    def through(self, *words: str, user: str = NAME, more: tuple[str, ...] = ()) -> list[str]:
        return ["ssh", *self.options("-o", "BatchMode=yes", *more), f"{user}@127.0.0.1", *words]

    def direct(self, *words: str, more: tuple[str, ...] = ()) -> list[str]:
        """The same without the gate, as the gate's own login."""
        return [
            "ssh", "-F", "none", "-p", str(self.server.port), "-i", str(self.home / "direct"), "-o", "BatchMode=yes",
            "-o", f"UserKnownHostsFile={self.home}/known_hosts", "-o", "IdentitiesOnly=yes", "-o", "GlobalKnownHostsFile=none",
            "-o", "StrictHostKeyChecking=yes", *more, f"{self.server.user}@127.0.0.1", *words,
        ]  # fmt: skip

    def run(
        self, command: list[str], *, stdin: bytes | None = b"", within: float = 60.0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, input=stdin, capture_output=True, timeout=within, env=self.environment(**(env or {})), check=False
        )

    def start(self, command: list[str], **more: Any) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        program = subprocess.Popen(command, env=self.environment(), **pipes)
        self.programs.append(program)
        return program

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SSH_", "LC_", "LANG"))}
        return {**kept, "LANG": "C.UTF-8", **more}

    def password(
        self, secret: str, *words: str, user: str = NAME, more: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[bytes]:
        """Log in with a password, by askpass."""
        command = [
            "ssh", *self.options("-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1", *more),
            f"{user}@127.0.0.1", *words,
        ]  # fmt: skip
        askpass = {"SSH_ASKPASS": str(self.home / "askpass"), "SSH_ASKPASS_REQUIRE": "force", "ASKPASS_SAYS": secret}
        return self.run(command, env=askpass)


@contextmanager
def open_gate(
    server: SshServer,
    answer: Callable[[Operation], Decision] = usual,
    *,
    masks: tuple[MaskRule, ...] = (),
    limits: Limits | None = None,
    read: Callable[[bytes], SshFacts] = plain,
    host_keys: HostKeys | None = None,
    more: dict[str, SshTarget] | None = None,
    cap: int = 256 * 1024,
    terminal_cap: int = 1024 * 1024,
) -> Iterator[Gatehouse]:
    home = Path(tempfile.mkdtemp(prefix="hooptui-ssh-"))
    book = Book()
    judge = Masks(answer, masks)
    made = house(judge, book, SystemClock())
    made = type(made)(
        made.judge, made.ledger, made.approvals, made.bus, made.clock, lambda rules: make_masker(rules, key=b"k" * 32),
        tell_every=0.1, recording_cap=cap, terminal_cap=terminal_cap,
    )  # fmt: skip
    door = Door(made)
    (home / "state").mkdir(mode=0o700)
    ca = SshCa.kept(home / "state")
    host = asyncssh.generate_private_key("ssh-ed25519")
    upstream = Upstream(
        server.host, server.port, server.user, host_keys or HostKeys(keys=(server.host_key,)), Secret(server.key)
    )
    target = Target(NAME, "ssh", {"env": "prod"})
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="ssh-gate", daemon=True)
    thread.start()

    async def build() -> tuple[SshGate, int]:
        gate = SshGate(
            door,
            {NAME: SshTarget(target, upstream), **(more or {})},
            Keys(host, lambda: None, ca.public_key),
            limits or Limits(),
            read=read,
            mask_key=b"k" * 32,
        )
        return gate, await gate.start("127.0.0.1", 0)

    gate, port = asyncio.run_coroutine_threadsafe(build(), loop).result(60)
    gatehouse = Gatehouse(gate, door, book, judge, server, port, home, loop, ca)
    try:
        _equip(gatehouse, host)
        yield gatehouse
    finally:
        for program in gatehouse.programs:
            if program.poll() is None:
                program.kill()
            program.wait()
            for pipe in (program.stdin, program.stdout, program.stderr):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        gatehouse.call(gate.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
        for file in sorted(home.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        home.rmdir()


def _equip(house: Gatehouse, host: asyncssh.SSHKey) -> None:
    home, server = house.home, house.server
    key = asyncssh.generate_private_key("ssh-ed25519")
    _private(home / "id", key.export_private_key())
    public = key.export_public_key()
    signed = house.ca.sign(public, BOT, LEASE, now=time.time())
    (home / "id-cert.pub").write_text(signed.certificate + "\n")
    (home / "id.pub").write_bytes(public)
    _private(home / "direct", server.key.encode())
    gate_key = host.export_public_key().decode().strip()
    (home / "known_hosts").write_text(
        f"[127.0.0.1]:{house.port} {gate_key}\n[127.0.0.1]:{server.port} {server.host_key}\n"
    )
    (home / "askpass").write_text('#!/bin/sh\nprintf "%s\\n" "$ASKPASS_SAYS"\n')
    (home / "askpass").chmod(0o700)


def _private(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


__all__ = ["LEASE", "NAME", "TOKEN", "Gatehouse", "open_gate", "plain", "usual"]
