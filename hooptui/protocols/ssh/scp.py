"""ScpGuard: the protocol that `scp -O` speaks with `scp -f` or `scp -t` on the target, each file judged before its bytes pass.

One side sends control lines (`C0644 size name`, `D0755 0 name`, `E`, `T` with times) and bytes, the other answers each with 0, or with 1
or 2 and a message. The guard keeps a control line until there is a verdict, and tells the sender of a refused file what a receiver
that cannot write it would: the sender goes on with the next one. Bytes of an allowed file pass as they come.

Source: OpenSSH's scp.c; the protocol has no other description. Where the target's path may be a directory or a file, a rule must allow
both readings. Symlinks on the target are not seen: the protocol has no question to ask.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import Final

from hooptui.core.gate import Permit, Refused
from hooptui.core.model import Operation, SshFacts
from hooptui.core.visible import visible
from hooptui.protocols.ssh.sftp.files import Tally
from hooptui.protocols.ssh.sftp.limits import LIMITS, Ask, Limits, Send
from hooptui.protocols.ssh.sftp.names import shown
from hooptui.protocols.ssh.sftp.report import Report, Reporter, moved
from hooptui.protocols.ssh.transfers import Transfer

MAX_LINE: Final = 8 * 1024
MAX_DEPTH: Final = 256
_LINE: Final = re.compile(rb"([CD])([0-7]{4}) ([0-9]{1,18}) ([^/\0\n]+)", re.DOTALL)
_TIMES: Final = re.compile(rb"T-?[0-9]{1,18} [0-9]{1,7} -?[0-9]{1,18} [0-9]{1,7}")


class State(Enum):
    """What is expected next."""

    START = auto()
    """The receiver's first word."""
    CONTROL = auto()
    """A line of the sender's."""
    JUDGING = auto()
    TIMES = auto()
    """The receiver's answer to a T line that was kept until its file was allowed."""
    ANSWER = auto()
    """The receiver's answer to a C, D or E line."""
    DATA = auto()
    TRAILER = auto()
    """The sender's word that it could read the whole file."""
    RESULT = auto()
    """The receiver's answer to that."""


_EXPECTED: Final = frozenset({State.START, State.TIMES, State.ANSWER, State.RESULT})


class ScpViolation(Exception):
    """A peer broke the protocol. The message holds none of its bytes."""


def _nothing(_on: bool) -> None:
    return


class ScpGuard:
    """See the module. The same calls as SftpGuard."""

    def __init__(
        self,
        ask: Ask,
        send_up: Send,
        send_down: Send,
        transfer: Transfer,
        *,
        report: Reporter,
        end: Callable[[str], None],
        pause: Callable[[bool], None] = _nothing,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`transfer`: the recognised command, `scp` and understood. Its own operation was allowed before."""
        self._ask = ask
        self._transfer = transfer
        self._writes = transfer.writes
        self._to_receiver, self._to_sender = (send_up, send_down) if transfer.writes else (send_down, send_up)
        self._report = report
        self._end = end
        self._pause = pause
        self._limits = limits
        self._clock = clock
        self._state = State.START
        self._sent = bytearray()
        self._answers = bytearray()
        self._times = b""
        self._line = b""
        self._folders: list[tuple[str, ...]] = []
        """Of the directories entered: every path that each may have."""
        self._paths: tuple[str, ...] = ()
        self._verb = ""
        self._left = 0
        self._tally = Tally()
        self._permit: Permit | None = None
        self._since = 0.0
        self._task: asyncio.Task[None] | None = None
        self._over = False

    # --- what the relay calls

    def from_client(self, data: bytes) -> None:
        self._feed(data, sender=self._writes)

    def from_upstream(self, data: bytes) -> None:
        self._feed(data, sender=not self._writes)

    def stall(self, on: bool) -> None:
        """As SftpGuard's. Nothing to do: here nothing is said without being asked, so that a client that does not read is not served."""

    async def settled(self) -> None:
        """Return once no file waits for its verdict any more."""
        while self._task is not None:
            await asyncio.wait((self._task,))

    async def close(self) -> None:
        """The channel is over: what is held is withdrawn, and a file under way is reported as cut."""
        self._over = True
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._told(ok=False, result="not finished: the channel ended")

    # --- inside

    def _feed(self, data: bytes, *, sender: bool) -> None:
        if self._over:
            return
        if sender:
            if self._state is State.DATA and not self._sent and not self._answers and len(data) <= self._left:
                # The bulk of every transfer: passed without being put together first.
                return self._data(data)
            self._sent += data
        else:
            self._answers += data
        try:
            self._work()
            if len(self._sent) > self._limits.backlog or len(self._answers) > MAX_LINE:
                raise ScpViolation("scp sent more than it may before it was answered")
        except ScpViolation as fault:
            self._over = True
            self._end(str(fault))

    def _work(self) -> None:
        while not self._over:
            if self._answers and self._answer():
                continue
            if not self._sent or self._state in _EXPECTED or self._state is State.JUDGING:
                return
            if self._state is State.DATA:
                piece = bytes(self._sent[: self._left])
                del self._sent[: len(piece)]
                self._data(piece)
            elif not self._control():
                return

    def _data(self, piece: bytes) -> None:
        self._tally.add(self._tally.size, piece)
        self._left -= len(piece)
        self._to_receiver(piece)
        if not self._left:
            self._state = State.TRAILER

    def _answer(self) -> bool:
        """One answer of the receiver's; False when it is not whole."""
        whole = self._message(self._answers)
        if whole is None:
            return False
        ok = whole == b"\0"
        if ok and self._state not in _EXPECTED:
            raise ScpViolation("scp was answered before it said anything")
        state = self._state
        if state is State.TIMES and ok:
            self._to_receiver(self._line)
            self._state = State.ANSWER
            return True
        self._to_sender(whole)
        if state is State.ANSWER and ok and self._line[:1] == b"C":
            self._state = State.DATA if self._left else State.TRAILER
        elif state in _EXPECTED:
            self._state = State.CONTROL
            if ok and self._line[:1] == b"D":
                self._folders.append(self._paths)
            if state is not State.START:
                self._told(
                    ok=ok, result="ok" if ok else f"the receiver said no: {visible(shown(whole[1:200])).strip()}"
                )
        return True

    def _control(self) -> bool:
        """One line of the sender's; False when it is not whole."""
        if self._sent[0] < 3:
            whole = self._message(self._sent)
            if whole is None:
                return False
            if whole == b"\0" and self._state is not State.TRAILER:
                raise ScpViolation("scp ended a file that it had not begun")
            self._to_receiver(whole)
            if self._state is State.TRAILER:
                self._state = State.RESULT
            return True
        end = self._sent.find(b"\n", 0, MAX_LINE)
        if end < 0:
            if len(self._sent) >= MAX_LINE:
                raise ScpViolation(f"scp sent a control line of over {MAX_LINE} bytes")
            return False
        if self._state is State.TRAILER:
            raise ScpViolation("scp sent more bytes than it had said")
        line = bytes(self._sent[: end + 1])
        del self._sent[: end + 1]
        if line == b"E\n":
            if not self._folders:
                raise ScpViolation("scp left a directory that it had not entered")
            self._folders.pop()
            self._line = line
            self._to_receiver(line)
            self._state = State.ANSWER
        elif _TIMES.fullmatch(line[:-1]):
            self._times = line
            self._to_sender(b"\0")
        elif found := _LINE.fullmatch(line[:-1]):
            self._line = line
            self._judge(found[1] == b"D", found[2].decode(), int(found[3]), found[4])
        else:
            raise ScpViolation("scp sent a control line that is none")
        return True

    @staticmethod
    def _message(stream: bytearray) -> bytes | None:
        """The 0, or the 1 or 2 with its message, at the start of a stream, taken off it; None when it is not whole."""
        if stream[0] > 2:
            raise ScpViolation("scp was answered with something that is no answer; does the login print something?")
        end = 1 if stream[0] == 0 else stream.find(b"\n", 0, MAX_LINE) + 1
        if not end:
            if len(stream) >= MAX_LINE:
                raise ScpViolation(f"scp sent a message of over {MAX_LINE} bytes")
            return None
        whole = bytes(stream[:end])
        del stream[:end]
        return whole

    def _judge(self, folder: bool, mode: str, size: int, name: bytes) -> None:
        if name in (b".", b".."):
            raise ScpViolation("scp named a file . or ..")
        if folder and not self._transfer.recursive:
            raise ScpViolation("scp sent a directory, which it was not started for")
        if len(self._folders) >= MAX_DEPTH:
            raise ScpViolation(f"scp went {MAX_DEPTH} directories deep")
        self._paths = self._where(shown(name))
        if folder:
            self._verb, action = ("mkdir", "file_mkdir") if self._writes else ("list", "file_list")
        else:
            self._verb, action = ("write", "file_write") if self._writes else ("read", "file_read")
        self._left = 0 if folder else size
        self._tally = Tally()
        self._since = self._clock()
        about = f"(mode {mode})" if folder else f"{size} bytes (mode {mode})"
        facts = SshFacts(frozenset({action}), paths=frozenset(self._paths), size=None if folder else size)
        asked = Operation("ssh", self._verb, " ".join((f"scp {self._verb}", *self._paths, about)), facts)
        self._state = State.JUDGING
        if self._writes:
            self._pause(True)
        self._task = asyncio.get_running_loop().create_task(self._decide(asked))
        self._task.add_done_callback(self._done)

    def _where(self, name: str) -> tuple[str, ...]:
        """Every path on the target that a file of this name may have."""
        if self._folders:
            return tuple(f"{folder}/{name}" for folder in self._folders[-1])
        paths = self._transfer.paths
        if self._writes:
            within = name if paths[0] == "." else f"{paths[0].rstrip('/')}/{name}"
            return (within,) if self._transfer.folder else (paths[0], within)
        near = [path for path in paths if fnmatchcase(name, path.rpartition("/")[2])] or list(paths)
        beside = [f"{path[: path.rfind('/') + 1]}{name}" for path in near]
        return tuple(dict.fromkeys(beside))

    async def _decide(self, asked: Operation) -> None:
        try:
            self._permit = await self._ask(asked)
        except Refused as no:
            reason = f"denied by rule {no.rule}: {no.message}" if no.rule else no.message
            self._report(Report(no.number, self._verb, self._paths, False, reason, refused=True))
            said = f"\1scp: {visible(self._paths[-1])}: {visible(reason)[:1000]}\n".encode()
            self._times = b""
            self._to_sender(said)
            if not self._writes:
                # The sender is the target, whose stderr nobody sees; the client is told as of a file that cannot be read.
                self._to_receiver(said)
            self._state = State.CONTROL
        else:
            if self._over:
                return
            self._permit.use()
            times, self._times = self._times, b""
            self._to_receiver(times or self._line)
            self._state = State.TIMES if times else State.ANSWER

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled() or self._over:
            return
        if (fault := task.exception()) is not None:
            self._over = True
            self._end(f"a file could not be judged ({type(fault).__name__})")
            return
        if self._writes:
            self._pause(False)
        self._feed(b"", sender=True)

    def _told(self, *, ok: bool, result: str) -> None:
        permit, self._permit = self._permit, None
        if permit is None:
            return
        whole = () if self._verb in ("mkdir", "list") else (moved(self._tally),)
        seconds = self._clock() - self._since
        self._report(Report(permit.number, self._verb, self._paths, ok, result, moved=whole, seconds=seconds))
