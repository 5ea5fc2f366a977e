"""Two ways to one sshd, directly and through the gate, and what is seen of a case on each: status, both streams, files, times.

A case is a function of a `Side` that returns what it saw. Names and paths are the same on both, so that words can be compared.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hooptui.core.model import Decision, MaskRule, Operation
from tests.core.world import allow
from tests.protocols.ssh.gatehouse import NAME, TOKEN, Gatehouse

HOST = "host"
"""What both configurations call the server."""
MASKS = (MaskRule("secrets", detect=("credit-card", "email", "jwt", "api-key", "private-key", "us-ssn")),)
"""Held back and looked at like everything is in production; no case says anything of these kinds."""
SHORT = 2000
BIG = random.Random(7).randbytes(8 << 20)


def everything(_: Operation) -> Decision:
    return allow()


@dataclass(frozen=True, slots=True)
class Seen:
    """How a program ended and what it said."""

    status: int
    out: bytes
    """As it is, or its length and SHA-256 when it is long."""
    err: bytes


def short(data: bytes) -> bytes:
    return (
        data if len(data) <= SHORT else b"%d bytes, sha256 %s" % (len(data), hashlib.sha256(data).hexdigest().encode())
    )


@dataclass
class Side:
    """One way to the server."""

    name: str
    gate: Gatehouse
    config: Path
    """For `ssh -F`; knows `HOST`."""
    port: int
    user: str
    here: Path
    """The client's directory, empty at first."""
    there: Path
    """The target's, its login's own, empty at first."""
    shared: Path
    """Socket of a connection that is open already."""

    @property
    def through(self) -> bool:
        return self.name == "through"

    @property
    def password(self) -> str:
        return TOKEN

    def ssh(self, *words: str | bytes, more: tuple[str, ...] = ("-T",)) -> list[str | bytes]:
        """The client with a connection of its own."""
        return ["ssh", "-F", str(self.config), *more, HOST, *words]

    def run(
        self,
        command: list[Any],
        *,
        stdin: bytes | None = b"",
        status: int | None = 0,
        within: float = 60.0,
        cwd: Path | None = None,
        heard: Callable[[bytes], bytes] = bytes,
        **environment: str,
    ) -> Seen:
        """A program to its end, which has to be the expected one; `stdin` of None is a closed one.

        `heard` takes from stderr what names the side.
        """
        # A case that fails on both sides alike has shown nothing.
        feed: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        done = subprocess.run(
            command, **feed, capture_output=True, timeout=within, env=self.environment(**environment), cwd=cwd or self.here,
            check=False,
        )  # fmt: skip
        assert status is None or done.returncode == status, (
            self.name,
            done.returncode,
            done.stdout[-2000:],
            done.stderr[-2000:],
        )
        return Seen(done.returncode, short(done.stdout), short(heard(done.stderr)))

    def start(self, command: list[Any], **more: Any) -> subprocess.Popen[bytes]:
        """A program left running, ended with the gate at the latest."""
        return self.gate.start(command, **more)

    def exec(self, *words: str | bytes, more: tuple[str, ...] = (), **how: Any) -> Seen:
        """`ssh host words`, over the shared connection unless there are options."""
        return self.run(self.ssh(*words, more=more or ("-T", "-S", str(self.shared))), **how)

    def environment(self, **more: str) -> dict[str, str]:
        kept = self.gate.environment(HOME=str(self.here), **more)
        return {name: value for name, value in kept.items() if name not in ("DISPLAY", "XAUTHORITY")}

    def file(self, name: str, content: bytes = b"content\n", *, mode: int = 0o644) -> Path:
        """A file of the client."""
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def target_file(self, name: str, content: bytes = b"content\n", *, mode: int = 0o644) -> Path:
        """A file of the target's login."""
        path = self.there / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        own(self.there, self.gate.server.uid)
        return path

    def trees(self, *, times: bool = False) -> tuple[list[object], list[object]]:
        """What is in both directories now."""
        return tree(self.here, times=times), tree(self.there, times=times)

    def leave(self, path: Path, running: subprocess.Popen[bytes]) -> None:
        """End a shared connection. A signal that comes just before OpenSSH's client begins to wait is not heard until it wakes."""
        words = ["ssh", "-F", str(self.config), "-S", str(path), "-O", "exit", HOST]
        subprocess.run(words, capture_output=True, timeout=60, check=False, env=self.environment())
        running.wait(60)

    @contextmanager
    def master(self) -> Any:
        """One connection for many: gives the options that share it."""
        path = self.here / ".master"
        running = master(self.gate, self.config, path)
        try:
            yield ("-T", "-S", str(path))
        finally:
            self.leave(path, running)


def master(gate: Gatehouse, config: Path, path: Path) -> subprocess.Popen[bytes]:
    """A connection that others can share at the socket `path`."""
    running = gate.start(["ssh", "-F", str(config), "-M", "-N", "-T", "-S", str(path), HOST], stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not path.exists():
        assert running.poll() is None and time.monotonic() < deadline, "no master"
        time.sleep(0.01)
    return running


def own(root: Path, uid: int) -> None:
    if not os.getuid():
        for path in (root, *root.rglob("*")):
            os.chown(path, uid, -1, follow_symlinks=False)


def tree(root: Path, *, times: bool = False) -> list[object]:
    """Names with type, mode, and content; of files the whole seconds of change where `times`."""
    found: list[object] = []
    for path in sorted(root.rglob("*"), key=lambda one: os.fsencode(one)):
        name = os.fsencode(path.relative_to(root))
        if name.startswith((b".ssh", b".ansible", b".master", b".cache")):
            continue
        facts = path.lstat()
        content: bytes = b""
        if path.is_symlink():
            content = os.fsencode(os.readlink(path))
        elif stat.S_ISREG(facts.st_mode):
            content = short(path.read_bytes())
        found.append(
            (name, stat.filemode(facts.st_mode), content, int(facts.st_mtime) if times and path.is_file() else 0)
        )
    return found


Case = Callable[[Side], object]


class Table(dict[str, Case]):
    """The cases of a module, by name."""

    def __call__(self, case: Case) -> Case:
        assert case.__name__ not in self, case.__name__
        self[case.__name__] = case
        return case

    def add(self, name: str, case: Case) -> None:
        assert name not in self, name
        self[name] = case

    def names(self, *usual: str) -> list[Any]:
        """All of them as parameters. One or two of each kind are `usual`; the others are the long way to the same."""
        assert set(usual) <= set(self), set(usual) - set(self)
        return [pytest.param(name, marks=() if name in usual else pytest.mark.long) for name in self]


class Sides:
    """Makes both sides of one gate, each case's in directories of its own."""

    def __init__(self, gate: Gatehouse, root: Path) -> None:
        self.gate = gate
        self._root = root
        root.chmod(0o755)
        self._configs = {name: self._config(name) for name in ("direct", "through")}

    def same(self, case: Case) -> object:
        """Run a case on both sides, one after the other; they must have seen the same. Gives what they saw."""
        direct = case(self._side("direct"))
        through = case(self._side("through"))
        assert through == direct, f"\ndirect:  {direct!r}\nthrough: {through!r}"
        return direct

    def at_once(self, case: Case) -> object:
        """The same with both at a time, in directories of their own, for what is slow and names no place."""
        with ThreadPoolExecutor(2) as pool:
            direct, through = pool.map(lambda name: case(self._side(name, name)), ("direct", "through"))
        assert through == direct, f"\ndirect:  {direct!r}\nthrough: {through!r}"
        return direct

    def through(self) -> Side:
        """The gate's side alone."""
        return self._side("through")

    def _side(self, name: str, place: str = "case") -> Side:
        gate, root = self.gate, self._root / place
        if root.exists():
            shutil.rmtree(root)
        root.mkdir(mode=0o755)
        for one in ("here", "there"):
            (root / one).mkdir(mode=0o755)
        own(root / "there", gate.server.uid)
        port, user = (gate.port, NAME) if name == "through" else (gate.server.port, gate.server.user)
        shared = self._root / f"{name}.sock"
        if not shared.exists():
            master(gate, self._configs[name], shared)
        return Side(name, gate, self._configs[name], port, user, root / "here", root / "there", shared)

    def _config(self, name: str) -> Path:
        home, gate = self.gate.home, self.gate
        port, user, key = (
            (gate.port, NAME, "id") if name == "through" else (gate.server.port, gate.server.user, "direct")
        )
        path = self._root / f"{name}.conf"
        path.write_text(
            f"Host {HOST}\nHostName 127.0.0.1\nPort {port}\nUser {user}\nIdentityFile {home}/{key}\nIdentitiesOnly yes\n"
            f"UserKnownHostsFile {home}/known_hosts\nGlobalKnownHostsFile none\nStrictHostKeyChecking yes\nBatchMode yes\n"
        )
        return path


def need(*programs: str) -> None:
    """Skip without these; under CI fail."""
    for program in programs:
        if shutil.which(program) is None:
            if os.environ.get("CI") == "true":
                raise RuntimeError(f"no {program}")
            pytest.skip(f"no {program}")
