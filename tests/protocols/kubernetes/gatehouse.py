"""A whole Kubernetes gate on a loop and thread of its own, in front of an API server: small real collaborators, the stock client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import uvloop

from hooptui.core.approvals import Approval
from hooptui.core.clock import SystemClock
from hooptui.core.model import Decision, MaskRule, Operation, Target
from hooptui.core.secret import Secret
from hooptui.credentials import certificates
from hooptui.credentials.custody import Custody
from hooptui.credentials.kubernetes_login import Access, TokenLogin
from hooptui.credentials.mint import Mint, Removed
from hooptui.masking.masker import make_masker
from hooptui.protocols.kubernetes.gate import KubernetesGate, KubernetesTarget, Limits
from hooptui.protocols.kubernetes.impersonation import Impersonation
from tests.core.world import DBA, Book, allow, deny, hold, house, vote
from tests.protocols.kubernetes.apiserver import TOKEN as UPSTREAM
from tests.protocols.postgres.gatehouse import TOKEN, Door, Masks

T = TypeVar("T")

NAME = "prod-eu"
KEY = b"k" * 32


class Server(Protocol):
    """What a gate can be put in front of."""

    @property
    def port(self) -> int: ...

    @property
    def ca(self) -> Path: ...


class UpstreamLogin(TokenLogin):
    """The gateway's own login, with a token in memory."""

    def __init__(self, server: Server, token: str = UPSTREAM) -> None:
        super().__init__(f"https://127.0.0.1:{server.port}", server.ca, None)
        self.token = token

    async def access(self) -> Access:
        found = await super().access()
        return Access(found.server, Secret(f"Bearer {self.token}"))


def usual(operation: Operation) -> Decision:
    """`deny-me` does not run, `hold-me` waits, everything else goes."""
    if "deny-me" in operation.text:
        return deny()
    if "hold-me" in operation.text:
        return hold()
    return allow()


@cache
def kubectls() -> tuple[str, ...]:
    """Every kubectl that is at hand, the oldest first."""
    plain = shutil.which("kubectl")
    if plain is None:
        return ()
    beside = sorted(str(one) for one in Path(os.path.realpath(plain)).parent.glob("kubectl.1.*"))
    return tuple(beside) or (plain,)


@dataclass
class Gatehouse:
    """What a test holds of a running gate."""

    gate: KubernetesGate
    door: Door
    book: Book
    judge: Masks
    server: Server
    login: UpstreamLogin
    port: int
    home: Path
    """With `config` (through the gate), `direct`, and the gate's `ca.crt`."""
    loop: asyncio.AbstractEventLoop
    removed: list[Removed]
    unhandled: list[dict[str, Any]]
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

    def kubectl(self, *words: str, program: str = "", direct: bool = False) -> list[str]:
        config = self.home / ("direct" if direct else "config")
        return [
            program or kubectls()[-1],
            f"--kubeconfig={config}",
            f"--cache-dir={self.home}/cache",
            "-n",
            "prod",
            *words,
        ]

    def run(
        self, command: list[str], *, stdin: bytes = b"", within: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, input=stdin, capture_output=True, timeout=within, env=self.environment(), check=False
        )

    def start(self, command: list[str], **more: Any) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        program = subprocess.Popen(command, env=self.environment(), **pipes)
        self.programs.append(program)
        return program

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}

    # --- a client of bytes

    def connect(self, sni: str = "127.0.0.1") -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.home / "ca.crt"))
        context.check_hostname = False
        raw = socket.create_connection(("127.0.0.1", self.port), 60)
        return context.wrap_socket(raw, server_hostname=sni)

    def say(self, raw: bytes, *, sni: str = "127.0.0.1") -> bytes:
        """Everything that comes back until the gate closes."""
        with self.connect(sni) as sock:
            sock.sendall(raw)
            return everything(sock)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *more: str,
        token: str | None = TOKEN,
        prefix: str = f"/clusters/{NAME}",
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers, body."""
        lines = [f"{method} {prefix}{path} HTTP/1.1", "Host: x", "Connection: close", *more]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return parsed(self.say("\r\n".join(lines).encode() + b"\r\n\r\n" + body))


def everything(sock: ssl.SSLSocket) -> bytes:
    parts = []
    with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
        while data := sock.recv(65536):
            parts.append(data)
    return b"".join(parts)


def parsed(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        whole = b""
        while body:
            size, _, rest = body.partition(b"\r\n")
            whole += rest[: int(size, 16)]
            body = rest[int(size, 16) + 2 :]
        body = whole
    return int(first.split()[1]), headers, body


def message(body: bytes) -> str:
    return str(json.loads(body)["message"])


@contextmanager
def open_gate(
    server: Server,
    answer: Callable[[Operation], Decision] = usual,
    *,
    masks: tuple[MaskRule, ...] = (),
    limits: Limits | None = None,
    impersonation: Impersonation | None = None,
    mint: Callable[[UpstreamLogin], Mint] | None = None,
    token: str = UPSTREAM,
) -> Iterator[Gatehouse]:
    home = Path(tempfile.mkdtemp(prefix="hooptui-k8s-"))
    book = Book()
    judge = Masks(answer, masks)
    made = house(judge, book, SystemClock())
    made = type(made)(
        made.judge, made.ledger, made.approvals, made.bus, made.clock, lambda rules: make_masker(rules, key=KEY), tell_every=0.1
    )  # fmt: skip
    door = Door(made)
    papers = certificates.ensure(home / "tls", ("127.0.0.1",), now=time.time())
    login = UpstreamLogin(server, token)
    minting = mint(login) if mint is not None else None
    target = KubernetesTarget(Target(NAME, "kubernetes", {"env": "prod"}), login, impersonation, minting)
    loop = uvloop.new_event_loop()
    unhandled: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    thread = threading.Thread(target=loop.run_forever, name="k8s-gate", daemon=True)
    thread.start()
    removed: list[Removed] = []

    async def build() -> tuple[KubernetesGate, int, Custody]:
        custody = Custody(
            lambda: {NAME: minting} if minting is not None else {},
            removed=lambda _, one: removed.append(one),
            trouble=door.trouble,
        )
        tls = certificates.server_context(papers.certificate, papers.key, now=time.time())
        gate = KubernetesGate(door, {NAME: target}, tls, limits or Limits(), mask_key=KEY, custody=custody)
        return gate, await gate.start("127.0.0.1", 0), custody

    gate, port, custody = asyncio.run_coroutine_threadsafe(build(), loop).result(60)
    gatehouse = Gatehouse(gate, door, book, judge, server, login, port, home, loop, removed, unhandled)
    shutil.copy(papers.ca, home / "ca.crt")
    _kubeconfig(home / "config", f"https://127.0.0.1:{port}/clusters/{NAME}", home / "ca.crt", TOKEN)
    _kubeconfig(home / "direct", f"https://127.0.0.1:{server.port}", server.ca, token)
    try:
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
        gatehouse.call(custody.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
        shutil.rmtree(home)
    assert unhandled == []


def _kubeconfig(path: Path, server: str, ca: Path, token: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(config))
    path.chmod(0o600)
