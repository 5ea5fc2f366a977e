"""The audit log as the gateway sees it: events in, in order, never blocking; durability to wait for; health to watch.

Implements `core.ports.Ledger`. The chain grows on the loop, inside `append`; one thread of its own does all disk work
(`audit.writer`). Knows no session and no policy.
"""

from __future__ import annotations

import asyncio
import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hooptui.audit.chain import Chain
from hooptui.audit.codec import Unwritable, encode_event
from hooptui.audit.files import JournalError, Layout, day_of, session_name, words
from hooptui.audit.recording import Recording
from hooptui.audit.shared import Shared
from hooptui.audit.staged import MANY, light, settle
from hooptui.audit.writer import Limits, Writer, open_writer
from hooptui.core.clock import Clock
from hooptui.core.events import Event, Omitted, SessionClosed, SessionOpened, TornTail
from hooptui.core.gate import CannotRecord
from hooptui.core.model import Identity, Operation, Target

STALLED = 5.0
"""Seconds after which a disk that does not answer counts as ill."""
NOT_OPEN = "the session is not open, so it has no recording"
_TURNS = frozenset({SessionOpened, SessionClosed, Omitted})


@dataclass(frozen=True, slots=True)
class LogHealth:
    """For line 1 of the screen."""

    ok: bool
    records: int
    """Records on stable storage, checkpoints included."""
    error: str
    """Path, cause and errno's name; empty when all is well."""


class AuditLog:
    """See the module. Between `start` and `close`, `append` and `durable` are called on the loop that called `start`."""

    def __init__(
        self,
        state_dir: Path,
        *,
        clock: Clock,
        limits: Limits | None = None,
        on_sealed: Callable[[Event], None] | None = None,
        on_health: Callable[[LogHealth], None] | None = None,
    ) -> None:
        """`on_sealed` gets each RecordingSealed once it is durable, `on_health` the health on each change; both on the loop."""
        self._layout = Layout(state_dir)
        self._clock = clock
        self._limits = limits or Limits()
        self._on_sealed = on_sealed
        self._on_health = on_health
        self._shared = Shared()
        self._shared.refusal = "the audit log has not been started"
        self._writer: Writer | None = None
        self._writing: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._key = b""
        self._chain = Chain(0, b"")

    # --- life

    async def start(self) -> None:
        """Lock, check and open the log, record what a killed run left behind, and prove that it can be written.

        Raises:
            JournalError: with words for the operator; nothing is left open.
        """
        self._loop = asyncio.get_running_loop()
        try:
            writer, self._key = await asyncio.to_thread(
                open_writer, self._layout, self._clock, self._limits, self._shared, self._settle
            )
        except OSError as error:
            raise JournalError(words(error, self._layout.state)) from None
        self._writer, self._chain = writer, writer.chain
        self._shared.refusal = ""
        self._writing = threading.Thread(target=writer.run, name="audit-writer", daemon=True)
        self._writing.start()
        try:
            await self.durable()
        except CannotRecord as broken:
            with self._shared.lock:
                self._shared.stop()
            await asyncio.to_thread(self._writing.join)
            self._writing = None
            raise JournalError(str(broken)) from None

    async def close(self) -> None:
        """Write what waits, seal what is open, sign the end, sync, release the lock. Harmless when not started or closed.

        Raises:
            CannotRecord: the last records could not be made durable.
        """
        thread, self._writing = self._writing, None
        if thread is None:
            return
        with self._shared.lock:
            self._shared.stop()
        await asyncio.to_thread(thread.join)
        if self._shared.error:
            raise CannotRecord(self._shared.error)

    # --- the ledger

    def append(self, event: Event) -> None:
        """See `Ledger.append`. Between its session's SessionOpened and SessionClosed an event is also recorded.

        Raises:
            CannotRecord: the log is ill, not started, closed or too far behind; the event holds what cannot be written; it
                belongs into a recording and there is none; or a session of that name was recorded before.
        """
        if light(event):
            self._stage([event])
            return
        shared, body = self._shared, event.body
        try:
            line = encode_event(event)
        except Unwritable as error:
            raise CannotRecord(str(error)) from None
        # What `with` does, in two calls: the rows of great results come here.
        lock = shared.lock
        lock.acquire()
        try:
            if shared.refusal or shared.waiting > self._limits.pending_bytes:
                if isinstance(body, SessionClosed):
                    shared.orphans.add(event.session)
                raise self._full()
            recording = shared.open.get(event.session)
            kind = type(body)
            if kind in _TURNS:
                recording = self._turn(event, recording)
            elif recording is not None and recording.refused:
                raise CannotRecord(recording.refused)
            if recording is None and kind.kept != "journal":
                raise CannotRecord(NOT_OPEN)
            self._settle_staged()
            size = 0
            if kind.kept == "journal":
                entry = self._chain.event(line)
                shared.lines.append(entry)
                size = len(entry)
            if recording is not None:
                buffer = recording.buffer
                if not buffer:
                    shared.dirty.append(recording)
                buffer.append(line + b"\n")
                size += len(line) + 1
            shared.waiting += size
            if shared.parked:
                shared.parked = False
                shared.wake.notify()
        finally:
            lock.release()

    def append_all(self, events: list[Event]) -> None:
        """See `Ledger.append_all`.

        Raises:
            CannotRecord: as `append`.
        """
        for event in events:
            if not light(event):
                break
        else:
            self._stage(events)
            return
        for event in events:
            self.append(event)

    async def durable(self) -> None:
        """See `Ledger.durable`. Covers the journal; recordings are synced when they are sealed."""
        shared = self._shared
        with shared.lock:
            if shared.refusal:
                raise CannotRecord(shared.refusal)
            self._settle_staged()
            if shared.durable_seq >= self._chain.seq:
                return
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            shared.waiters.append(future)
            shared.wake.notify()
        await future

    def fingerprint(self, identity: Identity, target: Target, operation: Operation) -> str:
        """HMAC-SHA256, hex, over length-prefixed issuer, subject, protocol, target, text and parameters; a NULL parameter
        differs from every text. The key is this state directory's own."""
        mac = hmac.new(self._key, digestmod=sha256)
        parts = (identity.issuer, identity.subject, target.protocol, target.name, operation.text, *operation.parameters)
        for part in parts:
            data = b"" if part is None else part.encode("utf-8", "surrogatepass")
            mac.update(b"-" if part is None else b"%d:" % len(data))
            mac.update(data)
        return mac.hexdigest()

    # --- what can be seen

    @property
    def health(self) -> LogHealth:
        shared = self._shared
        error = shared.refusal
        busy = shared.busy_since
        if not error and busy and (seconds := time.monotonic() - busy) > STALLED:
            error = f"{self._layout.journal}: the disk has not answered for {seconds:.0f} s"
        return LogHealth(not error, shared.durable_seq, error)

    @property
    def torn(self) -> TornTail | None:
        """What the run before this one left half-written; recorded already."""
        return self._writer.torn if self._writer else None

    @property
    def key_fingerprint(self) -> str:
        """SHA-256 of the public key; empty before `start`. To be noted elsewhere, for `verify` to be told."""
        return self._writer.fingerprint if self._writer else ""

    @property
    def head(self) -> tuple[int, str]:
        """Sequence number and hash of the last record: an anchor, once noted elsewhere after `durable`."""
        with self._shared.lock:
            self._settle_staged()
            return self._chain.seq, self._chain.hash.decode()

    # --- inside

    def _stage(self, events: list[Event]) -> None:
        """`append` for light events of one session: the same questions in the same order, and their lines are made later."""
        shared = self._shared
        lock = shared.lock
        lock.acquire()
        try:
            if shared.refusal or shared.waiting > self._limits.pending_bytes:
                raise self._full()
            recording = shared.open.get(events[0].session)
            if recording is not None:
                if recording.refused:
                    raise CannotRecord(recording.refused)
            else:
                for event in events:
                    if event.body.kept != "journal":
                        raise CannotRecord(NOT_OPEN)
            staged, staged_for = shared.staged, shared.staged_for
            for event in events:
                staged.append(event)
                staged_for.append(recording)
            if len(staged) >= MANY:
                self._settle_staged()
            if shared.parked:
                shared.parked = False
                shared.wake.notify()
        finally:
            lock.release()

    def _full(self) -> CannotRecord:
        """Why nothing is taken now. The caller holds the lock."""
        shared = self._shared
        return CannotRecord(
            shared.refusal or f"{self._layout.journal}: {shared.waiting} bytes wait to be written, more than may"
        )

    def _settle_staged(self) -> None:
        """The caller holds the lock.

        Raises:
            CannotRecord: something is staged that cannot be written, a defect.
        """
        try:
            settle(self._shared, self._chain)
        except Unwritable as error:
            raise CannotRecord(str(error)) from None

    def _turn(self, event: Event, recording: Recording | None) -> Recording | None:
        """A recording begins, ends or is cut; returns the one that gets this event. The caller holds the lock.

        Raises:
            CannotRecord: it cannot begin.
        """
        shared = self._shared
        match event.body:
            case SessionOpened():
                try:
                    name, day = session_name(event.session), day_of(event.at)
                except ValueError as error:
                    raise CannotRecord(f"a session cannot be recorded: {error}") from None
                if recording is not None:
                    raise CannotRecord(f"a session {name} is open already")
                recording = shared.open[name] = Recording(day, name)
                shared.begun.append(recording)
            case SessionClosed() if recording is not None:
                del shared.open[event.session]
                shared.closing.append(recording)
            case Omitted() if recording is not None:
                if recording.refused:
                    raise CannotRecord(recording.refused)
                recording.cut = True
        return recording

    def _settle(self, futures: list[asyncio.Future[None]], sealed: list[Event], error: str, changed: bool) -> None:
        """Called by the writer's thread: tell the loop, once for all."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(self._tell, futures, sealed, error, changed)
        except RuntimeError:
            # The loop was closed in between: nobody is left to be told.
            return

    def _tell(self, futures: list[asyncio.Future[None]], sealed: list[Event], error: str, changed: bool) -> None:
        for future in futures:
            if future.done():
                continue
            if error:
                future.set_exception(CannotRecord(error))
            else:
                future.set_result(None)
        if changed and self._on_health is not None:
            # As it was when it changed: it may have changed again before the loop came here.
            self._on_health(LogHealth(not error, self._shared.durable_seq, error))
        if self._on_sealed is not None:
            for event in sealed:
                self._on_sealed(event)
