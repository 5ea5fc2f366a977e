"""SftpGuard: between a client's SFTP stream and its target's, each request judged before it moves.

Knows no socket: bytes come in by `from_client` and `from_upstream` and go out by the callables it was given. Requests that open or
change something are asked about one by one; READ, WRITE, READDIR, FSTAT and CLOSE go through handles that were judged when they were
opened, at once and in any number. A held request waits without stopping others but those that `entry` says must keep their order.
What is refused gets the status packet of its own id and never reaches the target. The target sees ids of the guard's, so that nothing
a client numbers can be mistaken for the guard's own questions, and an answer that nobody waits for ends the channel.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from hooptui.core.gate import Refused
from hooptui.protocols.ssh.sftp import replies
from hooptui.protocols.ssh.sftp.entry import Entries, Entry
from hooptui.protocols.ssh.sftp.files import File, Files
from hooptui.protocols.ssh.sftp.flight import Flight, Flights
from hooptui.protocols.ssh.sftp.limits import LIMITS, Ask, Limits, Send
from hooptui.protocols.ssh.sftp.names import BadPath, shown
from hooptui.protocols.ssh.sftp.operations import Plan, misuse, opening, opens, operation, plan
from hooptui.protocols.ssh.sftp.packets import (
    REQUESTS,
    ChangeHandle,
    Copy,
    OnHandle,
    Open,
    Read,
    Request,
    Type,
    Unknown,
    Write,
    forwarded,
    parse,
)
from hooptui.protocols.ssh.sftp.real import real_names
from hooptui.protocols.ssh.sftp.replies import Code
from hooptui.protocols.ssh.sftp.report import Report, Reporter, closing
from hooptui.protocols.ssh.sftp.wire import MAX_DATA, Framer, Malformed, SftpViolation, u32


def _nothing(_on: bool) -> None:
    return


class SftpGuard:
    """See the module. Used from one event loop."""

    def __init__(
        self,
        ask: Ask,
        send_up: Send,
        send_down: Send,
        *,
        report: Reporter,
        end: Callable[[str], None],
        pause: Callable[[bool], None] = _nothing,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            report: told of the end of each operation.
            end: called once when the channel must end, with the reason: fit for the client's stderr and free of its bytes.
            pause: True when the client should not be read for now, False when it should again.
        """
        self._ask = ask
        self._up = send_up
        self._down = send_down
        self._report = report
        self._end = end
        self._pause = pause
        self._limits = limits
        self._clock = clock
        self._requests = Framer("the client")
        self._replies = Framer("the target")
        self._entries = Entries()
        self._flights = Flights()
        self._files = Files(limits.handles)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids: set[int] = set()
        """The client's, of requests that it has no answer to yet."""
        self._home = b""
        self._greeted = False
        """INIT has been sent to the target."""
        self._open = False
        """VERSION and the home directory are known."""
        self._over = False
        self._paused = False
        self._stalled = False
        self._draining = False
        self._moved = asyncio.Event()
        """Set for a moment whenever requests may have moved on."""

    # --- what the relay calls

    def from_client(self, data: bytes) -> None:
        """Bytes of the client, in any chunks."""
        if self._over:
            return
        self._requests.push(data)
        self._drain()
        if self._requests.waiting > self._limits.backlog:
            self._fail(f"the client sent over {self._limits.backlog} bytes while its requests wait")

    def from_upstream(self, data: bytes) -> None:
        """Bytes of the target, in any chunks."""
        if self._over:
            return
        self._replies.push(data)
        try:
            while not self._over and (body := self._replies.pop()) is not None:
                self._reply(body)
        except SftpViolation as fault:
            self._fail(str(fault))
        self._drain()

    def stall(self, on: bool) -> None:
        """The client does not read its answers (or does again): nothing more is taken from it meanwhile."""
        self._stalled = on
        self._drain()

    async def settled(self) -> None:
        """Return once no request waits any more: then the client's end of file may be passed on."""
        while not self._over and (len(self._entries) or self._requests.whole):
            await self._moved.wait()

    async def close(self) -> None:
        """The channel is over: what is held is withdrawn, and files still open are reported as they are."""
        self._over = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for entry in self._entries.all():
            if entry.permit is not None and entry.plan is not None:
                self._told(entry, ok=False, result="unanswered: the channel ended")
            self._entries.remove(entry)
        for file in self._files.drain():
            self._closed(file, "not closed: the channel ended", ok=False)
        self._flights.drop()
        self._wake()

    # --- the client's requests

    def _full(self) -> bool:
        limits = self._limits
        return (
            self._stalled
            or len(self._entries) >= limits.waiting
            or self._entries.size >= limits.waiting_bytes
            or len(self._flights) >= limits.in_flight
        )

    def _drain(self) -> None:
        """Take requests as long as there is room for them."""
        if self._draining or self._over:
            return
        self._draining = True
        try:
            while (self._open or not self._greeted) and not self._over and not self._full():
                body = self._requests.pop()
                if body is None:
                    break
                self._request(body)
        except SftpViolation as fault:
            self._fail(str(fault))
        finally:
            self._draining = False
        full = self._full()
        if full is not self._paused and not self._over:
            self._paused = full
            self._pause(full)
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved.clear()

    def _request(self, body: bytes) -> None:
        kind = body[0]
        if not self._greeted:
            if kind != Type.INIT or len(body) < 5:
                raise SftpViolation("the client did not begin with SFTP's INIT packet")
            if (spoken := int.from_bytes(body[1:5], "big")) < 3:
                raise SftpViolation(f"the client speaks SFTP version {spoken}, and only version 3 can be judged")
            self._greeted = True
            self._up(replies.init())
            return
        if kind not in REQUESTS:
            raise SftpViolation(f"the client sent an SFTP packet of type {kind}, which is not a request of version 3")
        if len(body) < 5:
            raise SftpViolation("the client sent an SFTP request without an id")
        number = int.from_bytes(body[1:5], "big")
        if number in self._ids:
            raise SftpViolation(f"the client used the id {number} again before it was answered")
        self._ids.add(number)
        try:
            request = parse(body)
            self._sort(number, body, request)
        except Malformed as fault:
            self._refuse(number, Code.BAD_MESSAGE, f"malformed request: {fault}", Type(kind).name.lower())
        except BadPath as fault:
            self._refuse(number, Code.PERMISSION_DENIED, str(fault), Type(kind).name.lower())

    def _sort(self, number: int, body: bytes, request: Request) -> None:
        match request:
            case Unknown(extension=name):
                word = shown(name[:64])
                self._refuse(number, Code.OP_UNSUPPORTED, f"hooptui does not know the extension {word}", "extended")
            case Read() | Write() | OnHandle():
                file = self._files.get(request.handle)
                if file is None:
                    self._answer(number, Code.FAILURE, "no such handle is open")
                elif problem := misuse(request, file):
                    self._answer(number, Code.PERMISSION_DENIED, problem)
                elif file.waiting:
                    self._enter(number, body, request, None, file)
                else:
                    self._pass(number, body, request, file)
            case ChangeHandle(handle=handle):
                self._judged(number, body, request, handle)
            case Copy(source=source, sink=sink):
                self._judged(number, body, request, source, sink)
            case _:
                if opening(request) and self._files.full:
                    return self._answer(
                        number, Code.FAILURE, f"{self._limits.handles} files are open, which is the most"
                    )
                self._enter(number, body, request, plan(request, self._home))

    def _judged(self, number: int, body: bytes, request: ChangeHandle | Copy, *handles: bytes) -> None:
        """A request on open files that is an operation of its own."""
        files = [file for handle in handles if (file := self._files.get(handle)) is not None]
        if len(files) < len(handles):
            return self._answer(number, Code.FAILURE, "no such handle is open")
        if isinstance(request, Copy) and not (files[0].readable and files[1].writable):
            return self._answer(number, Code.PERMISSION_DENIED, "the files are not open for reading and writing")
        self._enter(number, body, request, plan(request, self._home, *files), *files)

    def _enter(self, number: int, body: bytes, request: Request, what: Plan | None, *files: File) -> None:
        entry = Entry(number, body, request, what, files, self._clock())
        self._files.opening += opening(request)
        self._entries.add(entry)
        task = asyncio.get_running_loop().create_task(self._go(entry))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fail(f"a request could not be judged ({type(fault).__name__})")

    async def _go(self, entry: Entry) -> None:
        for other in entry.after:
            await other.gone.wait()
        what = entry.plan
        if what is not None:
            try:
                real, size = await real_names(what, self._probe)
                asked = operation(what, real, size)
                entry.names = tuple(dict.fromkeys((*entry.paths, *real, *what.also)))
                entry.permit = await self._ask(asked)
            except Refused as no:
                said = f"{no.message} ({no.hint})" if no.hint else no.message
                reason = f"denied by rule {no.rule}: {said}" if no.rule else said
                self._leave(entry)
                self._report(Report(no.number, what.verb, entry.shown, False, reason, refused=True))
                self._answer(entry.id, Code.PERMISSION_DENIED, reason)
                return self._drain()
            except SftpViolation as fault:
                return self._fail(str(fault))
        if self._over:
            return
        if any(self._files.get(file.handle) is not file for file in entry.files):
            # An earlier CLOSE went first.
            self._leave(entry)
            if entry.permit is not None:
                self._told(entry, ok=False, result="the file was closed meanwhile")
            self._answer(entry.id, Code.FAILURE, "no such handle is open")
            return self._drain()
        if entry.permit is not None:
            entry.permit.use()
            self._send(entry)
        else:
            self._leave(entry)
            self._pass(entry.id, entry.body, entry.request, entry.files[0])
            self._drain()

    # --- to the target

    def _probe(self, kind: Type, path: bytes) -> asyncio.Future[bytes]:
        """A question of the guard's own."""
        flight = Flight(kind, self._clock())
        flight.probe = asyncio.get_running_loop().create_future()
        self._up(replies.question(kind, self._flights.add(flight), path))
        return flight.probe

    def _send(self, entry: Entry) -> None:
        """A judged request. It stays an entry until it is answered."""
        flight = Flight(Type(entry.body[0]), self._clock(), entry.id, entry)
        match entry.request:
            case ChangeHandle(attributes=attributes) if attributes.size is not None:
                entry.files[0].written.spoil()
            case Copy():
                entry.files[1].written.spoil()
        sent = entry.plan.sent if entry.plan else ()
        self._up(forwarded(entry.body, self._flights.add(flight), sent))

    def _pass(self, number: int, body: bytes, request: Request, file: File) -> None:
        """A request on a file that was judged when it was opened."""
        flight = Flight(Type(body[0]), self._clock(), number, None, file)
        match request:
            case Write(offset=offset, data=data):
                file.written.add(offset, data)
            case Read(offset=offset, length=length):
                flight.offset, flight.length = offset, min(length, MAX_DATA)
                body = body[:-4] + u32(flight.length)
            case OnHandle(kind=Type.CLOSE):
                self._files.remove(file)
        self._up(forwarded(body, self._flights.add(flight)))

    # --- the target's answers

    def _reply(self, body: bytes) -> None:
        if not self._open:
            return self._greeting(body)
        if len(body) < 5:
            raise SftpViolation("the target sent an SFTP answer without an id")
        flight = self._flights.take(int.from_bytes(body[1:5], "big"), body)
        if flight.probe is not None:
            if not flight.probe.done():
                flight.probe.set_result(body)
            return
        entry, file = flight.entry, flight.file
        ok, result = replies.outcome(body)
        if file is not None:
            flight.content(body, result)
            if flight.kind is Type.CLOSE:
                self._closed(file, result, ok=ok)
        elif entry is not None:
            self._leave(entry)
            if body[0] == Type.HANDLE:
                self._opened(entry, body)
            else:
                self._told(entry, ok=ok, result=result)
            if body[0] == Type.EXTENDED_REPLY and entry.plan is not None and entry.plan.verb == "limits":
                body = replies.limits(body, self._limits.handles)
        self._ids.discard(flight.id)
        self._down(forwarded(body, flight.id))

    def _greeting(self, body: bytes) -> None:
        if not self._greeted or (body[0] != Type.VERSION and not self._flights):
            raise SftpViolation("the target did not begin with SFTP's VERSION packet")
        if body[0] == Type.VERSION:
            if self._flights:
                raise SftpViolation("the target sent a second SFTP version packet")
            self._down(replies.version(body))
            # Relative paths start there. A client that is told nothing yet cannot have asked for anything.
            number = self._flights.add(Flight(Type.REALPATH, self._clock()))
            self._up(replies.question(Type.REALPATH, number, b"."))
            return
        self._flights.take(int.from_bytes(body[1:5], "big"), body)
        home = replies.first_name(body)
        self._home = home if home is not None and home.startswith(b"/") else b""
        self._open = True

    def _opened(self, entry: Entry, body: bytes) -> None:
        """A HANDLE; `Flights.take` has checked that it is one and answers an open."""
        request, permit = entry.request, entry.permit
        reads, writes = opens(request) if isinstance(request, Open) else (False, False)
        file = File(
            entry.paths[0],
            entry.names,
            readable=reads,
            writable=writes,
            folder=not isinstance(request, Open),
            number=permit.number if permit else 0,
            started=entry.started,
        )
        if not self._files.add(body[9:], file):
            raise SftpViolation("the target gave out an SFTP handle that is in use")

    # --- endings

    def _leave(self, entry: Entry) -> None:
        self._files.opening -= opening(entry.request)
        self._entries.remove(entry)

    def _answer(self, number: int, code: Code, reason: str) -> None:
        self._ids.discard(number)
        self._down(replies.status(number, code, reason))

    def _refuse(self, number: int, code: Code, reason: str, verb: str) -> None:
        """Turn away what could not even be asked about."""
        self._report(Report(0, verb, (), False, reason, refused=True))
        self._answer(number, code, reason)

    def _told(self, entry: Entry, *, ok: bool, result: str) -> None:
        if entry.plan is not None and entry.permit is not None:
            seconds = self._clock() - entry.started
            self._report(Report(entry.permit.number, entry.plan.verb, entry.shown, ok, result, seconds=seconds))

    def _closed(self, file: File, result: str, *, ok: bool) -> None:
        self._report(closing(file, result, ok=ok, seconds=self._clock() - file.started))

    def _fail(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._wake()
            self._end(reason)
