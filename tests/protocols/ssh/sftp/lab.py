"""An SftpGuard between a client and a target that a test plays by hand, packet by packet."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from hooptui.core.gate import Permit, Refused, Why, mint
from hooptui.core.model import Operation
from hooptui.protocols.ssh.sftp.guard import SftpGuard
from hooptui.protocols.ssh.sftp.limits import LIMITS, Limits
from hooptui.protocols.ssh.sftp.packets import Type
from hooptui.protocols.ssh.sftp.report import Report
from hooptui.protocols.ssh.sftp.wire import Framer, framed, string, u32, u64

NO_ATTRIBUTES = u32(0)
READ, WRITE, CREAT, TRUNC = 1, 2, 8, 16


def packet(kind: int, number: int, *fields: bytes) -> bytes:
    return framed(bytes((kind,)) + u32(number) + b"".join(fields))


def open_(number: int, path: bytes, flags: int = READ) -> bytes:
    return packet(Type.OPEN, number, string(path), u32(flags), NO_ATTRIBUTES)


def read(number: int, handle: bytes, offset: int, length: int) -> bytes:
    return packet(Type.READ, number, string(handle), u64(offset), u32(length))


def write(number: int, handle: bytes, offset: int, data: bytes) -> bytes:
    return packet(Type.WRITE, number, string(handle), u64(offset), string(data))


def on(kind: int, number: int, text: bytes) -> bytes:
    return packet(kind, number, string(text))


def status(number: int, code: int = 0) -> bytes:
    return packet(Type.STATUS, number, u32(code), string(b"said"), string(b""))


def name(number: int, path: bytes) -> bytes:
    return packet(Type.NAME, number, u32(1), string(path), string(path), NO_ATTRIBUTES)


def handle(number: int, text: bytes) -> bytes:
    return packet(Type.HANDLE, number, string(text))


def packets(stream: bytes) -> list[bytes]:
    framer = Framer("the test", 1 << 30)
    framer.push(stream)
    found = []
    while (body := framer.pop()) is not None:
        found.append(body)
    assert not framer.waiting
    return found


def number(body: bytes) -> int:
    return int.from_bytes(body[1:5], "big")


def code(body: bytes) -> int:
    """Of a status."""
    assert body[0] == Type.STATUS
    return int.from_bytes(body[5:9], "big")


@dataclass
class Lab:
    verdict: Callable[[Operation], str] = lambda _operation: ""
    """The reason to refuse; `hold` waits until it is released."""
    limits: Limits = LIMITS
    real: Callable[[bytes], bytes | None] = lambda path: path
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)
    asked: list[Operation] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    permits: list[Permit] = field(default_factory=list)
    paused: list[bool] = field(default_factory=list)
    holds: dict[str, asyncio.Future[str]] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.guard = SftpGuard(
            self.ask, self.up.extend, self.down.extend, report=self.reports.append, end=self.ended.append,
            pause=self.paused.append, limits=self.limits,
        )  # fmt: skip

    async def ask(self, operation: Operation) -> Permit:
        self.asked.append(operation)
        mine = next(self.numbers)
        reason = self.verdict(operation)
        if reason == "hold":
            wait = self.holds[operation.text] = asyncio.get_running_loop().create_future()
            try:
                reason = await wait
            except asyncio.CancelledError:
                self.withdrawn.append(operation.text)
                raise
        if reason:
            raise Refused(Why.POLICY, reason, rule="r1", number=mine)
        self.permits.append(mint(mine, ("all",), ""))
        return self.permits[-1]

    def release(self, part: str, reason: str = "") -> None:
        """Let a held operation whose text has this part go, or refuse it."""
        (found,) = [text for text in self.holds if part in text]
        self.holds.pop(found).set_result(reason)

    async def greet(self) -> Lab:
        """Past INIT and VERSION, with /home as home."""
        self.guard.from_client(framed(bytes((Type.INIT,)) + u32(3)))
        self.guard.from_upstream(framed(bytes((Type.VERSION,)) + u32(3)))
        self.guard.from_upstream(name(number(packets(bytes(self.up))[-1]), b"/home"))
        self.up.clear()
        self.down.clear()
        return self

    async def say(self, *requests: bytes) -> list[bytes]:
        """The client sends; what reaches the target, the guard's own questions (REALPATH, STAT) answered and left out."""
        for one in requests:
            self.guard.from_client(one)
        return await self.arrived()

    async def arrived(self) -> list[bytes]:
        """What reached the target meanwhile."""
        found = []
        while True:
            await idle()
            seen = packets(bytes(self.up))
            self.up.clear()
            if not seen:
                return found
            for body in seen:
                if body[0] == Type.REALPATH:
                    path = body[9:]
                    real = self.real(path)
                    mine = number(body)
                    self.guard.from_upstream(status(mine, 2) if real is None else name(mine, real))
                elif body[0] == Type.STAT:
                    self.guard.from_upstream(status(number(body), 2))
                else:
                    found.append(body)

    async def hear(self, *answers: bytes) -> list[bytes]:
        """The target answers; what reaches the client."""
        for one in answers:
            self.guard.from_upstream(one)
        await idle()
        return self.heard()

    def heard(self) -> list[bytes]:
        found = packets(bytes(self.down))
        self.down.clear()
        return found

    async def opened(self, path: bytes, text: bytes, flags: int = READ) -> None:
        """A file is open under this handle."""
        (sent,) = await self.say(open_(9999, path, flags))
        (got,) = await self.hear(handle(number(sent), text))
        assert got[0] == Type.HANDLE
        assert number(got) == 9999


async def idle() -> None:
    """Until the tasks have done what they can without an answer: each takes a few turns of the loop."""
    for _ in range(12):
        await asyncio.sleep(0)
