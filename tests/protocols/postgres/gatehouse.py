"""A whole PostgreSQL gate on a loop and thread of its own, in front of a real server: small real collaborators, real clients."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from hooptui.core.approvals import Approval
from hooptui.core.clock import SystemClock
from hooptui.core.gate import LoginRefused
from hooptui.core.house import House
from hooptui.core.model import Access, Bound, Decision, Identity, MaskRule, MaskSet, Operation, ScramKeys, Target
from hooptui.core.secret import Secret
from hooptui.core.session import Session
from hooptui.core.watch import WatchRule
from hooptui.credentials import certificates
from hooptui.credentials.custody import Custody
from hooptui.credentials.mint import Mint, Removed
from hooptui.masking.masker import make_masker
from hooptui.protocols.base import Bearer, Credential, ProvedLease
from hooptui.protocols.postgres import build, codec, sasl
from hooptui.protocols.postgres.proxy import Limits, PostgresGate, PostgresTarget
from hooptui.protocols.postgres.upstream import SslMode, Upstream
from hooptui.protocols.postgres.wire import Framer
from tests.core.world import BOT, DBA, Book, Says, allow, deny, hold, house, vote
from tests.postgres_server import PostgresServer

T = TypeVar("T")

TOKEN = "a.good.token"

LEASE, LEASE_SECRET = "hl_aaaabbbbcccc", "n3ver-5een-in-2-places"


def usual(operation: Operation) -> Decision:
    """No DROP; DELETE and UPDATE without WHERE wait; everything else goes."""
    commands = operation.facts.commands
    if "drop" in commands:
        return deny()
    if operation.facts.missing_where:
        return hold()
    return allow()


class Masks(Says):
    """A judge with masks."""

    def __init__(self, answer: Callable[[Operation], Decision], rules: tuple[MaskRule, ...] = ()) -> None:
        super().__init__(answer)
        self.rules = rules
        self.watched: tuple[WatchRule, ...] = ()

    def masks(self, identity: Identity, target: Target) -> MaskSet:
        return MaskSet(self.rules, self.version)

    def watches(self, identity: Identity, target: Target) -> tuple[WatchRule, ...]:
        return self.watched


def scram_keys(secret: str, salt: bytes = b"of-a-test-lease.") -> ScramKeys:
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, 4096)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return ScramKeys(salt, 4096, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))


@dataclass
class Door:
    """A doorman that knows one token and one lease."""

    house: House
    sessions: list[Session] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    troubles: list[tuple[str, str, str]] = field(default_factory=list)
    leavings: list[tuple[str, str]] = field(default_factory=list)
    access: Access | None = None
    """What sessions must wait for."""
    bounds: dict[Bound, float] = field(default_factory=dict)
    kills: set[asyncio.Task[Any]] = field(default_factory=set)
    locked: bool = False
    """Too many guesses."""

    async def admit(
        self,
        credential: Credential,
        target: str,
        *,
        protocol: str,
        peer: str,
        application: str,
        purpose: str = "",
        emergency: str = "",
    ) -> Session:
        good = credential in (Bearer(Secret(TOKEN)), ProvedLease(LEASE))
        if not good:
            raise LoginRefused("bad-token", "the token is not valid", hint="log in again")
        made = Session(
            self.house, f"s{len(self.sessions) + 1}", BOT, Target(target, protocol, {"env": "prod"}),
            peer=peer, application=application, purpose=purpose, emergency=emergency, access=self.access, bounds=self.bounds,
            lease=credential.lease if isinstance(credential, ProvedLease) else "",
        )  # fmt: skip
        made.opened()
        self.sessions.append(made)
        return made

    def lease_keys(self, lease: str, *, peer: str) -> ScramKeys:
        if self.locked:
            raise LoginRefused("lease-locked", "too many wrong guesses came from there", log=f"{peer} guesses")
        if lease == LEASE:
            return scram_keys(LEASE_SECRET)
        decoy = hashlib.sha256(lease.encode()).digest()
        return ScramKeys(decoy[:16], 4096, decoy, decoy)

    def lease_failed(self, lease: str, *, protocol: str, target: str, peer: str) -> None:
        self.refusals.append(("lease-wrong", lease))

    def refused(self, code: str, message: str, *, protocol: str, target: str, peer: str) -> None:
        self.refusals.append((code, message))

    def trouble(self, target: str, code: str, message: str) -> None:
        self.troubles.append((target, code, message))

    def kill(self, session: Session, by: str, reason: str) -> None:
        task = asyncio.get_running_loop().create_task(session.kill(by, reason))
        self.kills.add(task)

    def left(self, session: Session, reason: str) -> None:
        self.leavings.append((session.id, reason))
        session.closed(reason)


@dataclass
class Gatehouse:
    """What a test holds of a running gate."""

    gate: PostgresGate
    door: Door
    book: Book
    judge: Masks
    port: int
    ca: Path
    server: PostgresServer
    loop: asyncio.AbstractEventLoop
    unhandled: list[dict[str, Any]]
    custody: Custody
    removed: list[Removed]

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float = 20.0) -> T:
        """Run a coroutine on the gate's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def dsn(self, database: str = "orders", **more: object) -> str:
        values = {
            "host": "127.0.0.1", "port": self.port, "user": "bot", "password": TOKEN, "dbname": database,
            "sslmode": "verify-full", "sslrootcert": self.ca, **more,
        }  # fmt: skip
        return " ".join(f"{name}={value}" for name, value in values.items())

    def psql(
        self, *arguments: str, stdin: str = "", timeout: float = 30.0, **more: object
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.server.bin("psql"), "-X", *arguments, self.dsn(**more)],
            input=stdin, text=True, capture_output=True, timeout=timeout, check=False,
        )  # fmt: skip

    def until(self, condition: Callable[[], T], seconds: float = 60.0) -> T:
        """Wait for something that real programs bring about."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.005)
        return value

    def held(self) -> Approval:
        """The one operation that waits."""
        waiting = self.until(self.door.house.approvals.waiting)
        return waiting[0]

    def vote(self, approve: bool, reason: str = "") -> None:
        number = self.held().number

        async def on_loop() -> None:
            self.door.house.approvals.vote(number, vote(DBA, approve, time.time(), reason=reason))

        self.call(on_loop())


@contextmanager
def open_gate(
    server: PostgresServer,
    database: str,
    home: Path,
    *,
    answer: Callable[[Operation], Decision] = usual,
    masks: tuple[MaskRule, ...] = (),
    limits: Limits | None = None,
    tell_every: float = 0.2,
    user: str = "postgres",
    password: Secret | None = None,
    oauth: sasl.OAuth | None = None,
    mint: Mint | None = None,
) -> Iterator[Gatehouse]:
    """A gate to one database of the real server, asked for as `orders`, on uvloop in its own thread."""
    made = certificates.ensure(home / "own", ("127.0.0.1",), now=time.time())
    tls = certificates.server_context(made.certificate, made.key, now=time.time())
    loop = uvloop.new_event_loop()
    unhandled: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: unhandled.append(context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    book, judge = Book(), Masks(answer, masks)
    rooms = replace(
        house(judge, book, SystemClock()),
        make_masker=lambda rules: make_masker(rules, b"k" * 32),
        tell_every=tell_every,
    )
    door = Door(rooms)
    there = Upstream(server.host, server.port, database, user, password, SslMode.VERIFY_FULL, server.ca)

    removed: list[Removed] = []

    async def make() -> tuple[PostgresGate, Custody, int]:
        custody = Custody(
            lambda: {"orders": mint} if mint else {}, removed=lambda _, one: removed.append(one), trouble=door.trouble
        )
        gate = PostgresGate(
            door, {"orders": PostgresTarget(Target("orders", "postgres"), there, mint)}, tls, limits or Limits(),
            binding=sasl.server_end_point(made.certificate.read_bytes()), oauth=oauth, custody=custody,
        )  # fmt: skip
        return gate, custody, await gate.start("127.0.0.1", 0)

    gate, custody, port = asyncio.run_coroutine_threadsafe(make(), loop).result(60)
    try:
        yield Gatehouse(gate, door, book, judge, port, made.ca, server, loop, unhandled, custody, removed)
        assert [context.get("message") for context in unhandled] == []
    finally:
        asyncio.run_coroutine_threadsafe(_close(gate, custody), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


async def _close(gate: PostgresGate, custody: Custody) -> None:
    await gate.close()
    await custody.close()
    # uvloop closes what lies under a TLS transport one turn after it has said that the connection is lost.
    for _ in range(5):
        await asyncio.sleep(0)


class Raw:
    """
    A client that says exactly what it is told, over TLS. One thread may send while another reads, which ssl.SSLSocket does not allow
    before Python 3.13 (both work on one SSL object at once, and a record is lost), so the TLS is over memory buffers and under a lock.
    """

    def __init__(self, gatehouse: Gatehouse, database: str = "orders", *, minor: int = 0, token: str = TOKEN) -> None:
        context = ssl.create_default_context(cafile=gatehouse.ca)
        plain = socket.create_connection(("127.0.0.1", gatehouse.port), timeout=60)
        plain.sendall(build.SSL_REQUEST)
        assert plain.recv(1) == b"S"
        self._socket, self._lock = plain, threading.Lock()
        self._inward, self._outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._inward, self._outward, server_hostname="127.0.0.1")
        self._shake()
        self._framer = Framer(1 << 30)
        self._frames: list[bytes] = []
        self.pid, self.key = 0, b""
        self.send(build.startup([("user", "bot"), ("database", database)], minor=minor))
        assert self.read()[:1] == b"R"
        self.send(build.password(token))
        self.greeting = self.until(b"ZE")
        for raw in self.greeting:
            if raw[:1] == b"K":
                found = codec.backend_key(raw)
                self.pid, self.key = found.pid, found.key

    def _shake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._socket.sendall(self._outward.read())
                self._inward.write(self._socket.recv(65536))
            else:
                return self._socket.sendall(self._outward.read())

    def send(self, *messages: bytes) -> None:
        with self._lock:
            self._tls.write(b"".join(messages))
            sealed = self._outward.read()
        self._socket.sendall(sealed)

    def _receive(self) -> bytes:
        """What the gate sent, at least a byte of it; empty at the end."""
        while True:
            with self._lock:
                try:
                    return self._tls.read(65536)
                except ssl.SSLWantReadError:
                    pass
            sealed = self._socket.recv(65536)
            if not sealed:
                return b""
            self._inward.write(sealed)

    def read(self) -> bytes:
        """The next message; empty at the end."""
        while not self._frames:
            data = self._receive()
            if not data:
                return b""
            self._frames += [raw for _, raw in self._framer.feed(data)]
        return self._frames.pop(0)

    def until(self, kinds: bytes = b"Z") -> list[bytes]:
        """Messages up to the first one of these types, or to the end."""
        read: list[bytes] = []
        while raw := self.read():
            read.append(raw)
            if raw[:1] in kinds:
                break
        return read

    def ask(self, *messages: bytes) -> list[bytes]:
        self.send(*messages)
        return self.until()

    def close(self) -> None:
        self._socket.close()


def kinds(messages: list[bytes]) -> str:
    """The messages' type bytes."""
    return b"".join(raw[:1] for raw in messages).decode()


def errors(messages: list[bytes]) -> list[tuple[str, str]]:
    """SQLSTATE and text of the errors among them."""
    found = [codec.error_fields(raw) for raw in messages if raw[:1] == b"E"]
    return [(fields["C"].decode(), fields["M"].decode()) for fields in found]


def rows(messages: list[bytes]) -> list[list[bytes | None]]:
    return [codec.data_row(raw) for raw in messages if raw[:1] == b"D"]
