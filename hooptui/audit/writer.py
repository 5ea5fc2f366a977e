"""The thread that does the audit log's disk work: group commit, checkpoints, rotation, seals, failure and recovery.

It takes what the loop queued, makes it durable with one sync for all who wait, and tells them. Does little Python between
system calls, because whatever it does holds the interpreter's lock. Knows no event loop: `settle` tells it.

On a failure nothing more is taken (`Shared.refusal`); whatever was not durable stays in memory, and each `retry_seconds` a new
segment is tried, which begins with those very lines and a `gap` record that says what happened.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from hooptui.audit.chain import Chain, Gap
from hooptui.audit.codec import encode_event, own_alert
from hooptui.audit.files import Layout, lock, words
from hooptui.audit.journal import Journal, open_journal
from hooptui.audit.keys import Signer, hmac_key, signer
from hooptui.audit.recording import NO_RECORDING, Recording, Recordings, leftovers
from hooptui.audit.shared import CLOSED, Shared
from hooptui.audit.staged import settle
from hooptui.core.clock import Clock
from hooptui.core.events import Event, TornTail

_SEALS_AT_ONCE = 8
"""Each seal is a sync of its own; those who wait for the journal come in between."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the audit log; the defaults suit a bastion."""

    segment_bytes: int = 64 << 20
    """A journal segment that has this many bytes is closed."""
    checkpoint_records: int = 2000
    checkpoint_seconds: float = 10.0
    """A signature follows after so many records or seconds, whichever comes first."""
    sync_seconds: float = 0.05
    """Nothing stays longer in memory than this, whether or not somebody waits for it."""
    pending_bytes: int = 64 << 20
    """More than this waiting for the disk, and nothing more is taken."""
    open_recordings: int = 128
    retry_seconds: float = 1.0


class Settle(Protocol):
    def __call__(self, futures: list[asyncio.Future[None]], sealed: list[Event], error: str, changed: bool) -> None:
        """Results for those who waited, seals that are durable now; `changed` when the health did. Any thread, any loop."""


def open_writer(layout: Layout, clock: Clock, limits: Limits, shared: Shared, settle: Settle) -> tuple[Writer, bytes]:
    """Lock and open everything, with the records of what a killed run left behind queued; and the fingerprints' key.

    Raises:
        JournalError, OSError: nothing is left open.
    """
    layout.make()
    held = lock(layout.lock)
    try:
        keys = signer(layout.state, fresh=not layout.segments())
        key = hmac_key(layout.state)
        opened = open_journal(layout, keys.fingerprint, limits.segment_bytes)
        writer = Writer(layout, clock, limits, shared, settle, keys, opened.journal, opened.chain, held)
        try:
            writer.begin(opened.torn)
        except BaseException:
            opened.journal.close()
            raise
    except BaseException:
        os.close(held)
        raise
    return writer, key


class Writer:
    """See the module. `run` is the thread's body; it alone touches journal and recordings."""

    def __init__(
        self,
        layout: Layout,
        clock: Clock,
        limits: Limits,
        shared: Shared,
        settle: Settle,
        keys: Signer,
        journal: Journal,
        chain: Chain,
        held: int,
    ) -> None:
        self.chain = chain
        self.torn: TornTail | None = None
        self.fingerprint = keys.fingerprint
        self._clock = clock
        self._limits = limits
        self._shared = shared
        self._settle = settle
        self._keys = keys
        self._journal = journal
        self._recordings = Recordings(layout, limits.open_recordings)
        self._lock_fd = held
        self._layout = layout
        self._waiters: list[asyncio.Future[None]] = []
        self._begun: deque[Recording] = deque()
        self._dirty: list[Recording] = []
        self._closing: deque[Recording] = deque()
        self._sealed: list[tuple[Recording, Event]] = []
        self._unmark: list[Recording] = []
        self._journal_bytes = 0
        self._signed = chain.seq
        self._sign_at = 0.0
        self._since = 0.0
        self._flush_at = 0.0
        self._failure = ""
        self._failed_at = 0.0
        self._failed_seq = 0
        self._failed_segment = ""
        self._retry_at = 0.0

    def begin(self, torn: TornTail | None) -> None:
        """Queue the records of what a killed run left behind. Raises OSError."""
        self.torn = torn
        shared, now = self._shared, self._clock.now()
        shared.durable_seq = self._journal.durable_seq
        if torn is not None:
            self._say(Event(now, "", torn))
        for recording, body in leftovers(self._layout):
            self.sealed(recording, Event(now, recording.session, body))

    def run(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as fault:
            # A defect, not the disk: nothing will be written any more, so nothing may be taken any more.
            self._end(f"{self._layout.journal}: the writer failed: {type(fault).__name__}")
            raise
        finally:
            self._recordings.close()
            self._journal.close()
            os.close(self._lock_fd)

    def sealed(self, recording: Recording, event: Event) -> None:
        """Queue the record of a seal. The caller holds the lock, or is alone."""
        self._sealed.append((recording, event))
        self._say(event)

    def _say(self, event: Event) -> None:
        """Queue an event of the log's own for the journal. The caller holds the lock, or is alone."""
        settle(self._shared, self.chain)
        line = self.chain.event(encode_event(event))
        self._shared.lines.append(line)
        self._shared.waiting += len(line)

    # --- one turn

    def _turn(self) -> bool:
        shared = self._shared
        with shared.lock:
            self._sleep()
            stopping = shared.stopping
            shared.busy_since = time.monotonic()
        try:
            if self._failure:
                self._recover()
            more = self._work(stopping)
        except OSError as error:
            self._fail(error)
            if stopping:
                self._end(shared.refusal)
                return False
            return True
        finally:
            shared.busy_since = 0.0
        return more or not stopping

    def _sleep(self) -> None:
        """Until there is something to do and it is time to. Holds the lock but while it sleeps."""
        shared = self._shared
        while not shared.stopping:
            now = time.monotonic()
            queued = bool(shared.lines or shared.staged or shared.dirty or shared.closing)
            due: float | None
            if self._failure:
                due = self._retry_at
            elif shared.waiters or self._closing or shared.waiting > self._limits.pending_bytes // 2:
                return
            elif queued:
                self._since = self._since or now
                due = self._since + self._limits.sync_seconds
            else:
                due = self._sign_at if self.chain.seq > self._signed else None
            if due is not None and now >= due:
                return
            shared.parked = not queued and not self._failure
            shared.wake.wait(None if due is None else due - now)
            shared.parked = False

    def _work(self, stopping: bool) -> bool:
        """One round; True when there may be more to do. Raises OSError."""
        shared, journal = self._shared, self._journal
        now = time.monotonic()
        with shared.lock:
            self._take(now, stopping)
            waiters, shared.waiters = shared.waiters, []
            self._waiters += waiters
            idle = not (journal.pending or self._begun or self._dirty or self._closing or self._sealed)
            rotate = journal.full and not stopping
            if self._signature_due(now, rotate, idle, stopping):
                journal.put([self.chain.checkpoint(self._keys, self._clock.now())])
                self._signed = self.chain.seq
                self._sign_at = now + self._limits.checkpoint_seconds
        self._create()
        if rotate:
            journal.rotate()
        else:
            journal.sync()
        self._committed()
        self._flush()
        self._seal()
        return not idle

    def _take(self, now: float, stopping: bool) -> None:
        """Take over what the loop queued. The caller holds the lock."""
        shared = self._shared
        settle(shared, self.chain)
        self._journal.put(shared.lines)
        self._journal_bytes += sum(map(len, shared.lines))
        shared.lines = []
        self._begun += shared.begun
        shared.begun = []
        while shared.orphans:
            orphan = shared.open.pop(shared.orphans.pop(), None)
            if orphan is not None:
                shared.closing.append(orphan)
        for recording in shared.closing:
            recording.take()
            self._closing.append(recording)
        shared.closing.clear()
        self._since = 0.0
        # Recordings get their turn at the pace of `sync_seconds`, not at that of those who wait for the journal.
        if stopping or now >= self._flush_at or shared.waiting > self._limits.pending_bytes // 2:
            self._flush_at = now + self._limits.sync_seconds
            for recording in shared.dirty:
                recording.take()
            self._dirty += shared.dirty
            shared.dirty = []

    def _signature_due(self, now: float, rotate: bool, idle: bool, stopping: bool) -> bool:
        unsigned = self.chain.seq - self._signed
        if not unsigned:
            return False
        if stopping:
            return idle
        return rotate or unsigned >= self._limits.checkpoint_records or now >= self._sign_at

    def _create(self) -> None:
        """Files of new sessions, before the journal says that they began. Raises OSError."""
        while self._begun:
            recording = self._begun[0]
            self._recordings.create(recording)
            self._begun.popleft()
            if recording.refused:
                with self._shared.lock:
                    self._say(own_alert(self._clock.now(), NO_RECORDING, recording.refused, recording.session))
        self._recordings.sync_names()

    def _committed(self) -> None:
        """What was put into the journal is durable: tell those who waited. Raises OSError."""
        shared = self._shared
        with shared.lock:
            shared.durable_seq = self._journal.durable_seq
            shared.waiting -= self._journal_bytes
        self._journal_bytes = 0
        waiters, self._waiters = self._waiters, []
        sealed = [event for _, event in self._sealed]
        if waiters or sealed:
            self._settle(waiters, sealed, "", False)
        self._unmark += [recording for recording, _ in self._sealed]
        self._sealed = []
        while self._unmark:
            self._recordings.unmark(self._unmark[-1])
            self._unmark.pop()

    def _flush(self) -> None:
        """Raises OSError."""
        done = 0
        try:
            while self._dirty:
                done += self._recordings.flush(self._dirty[-1])
                self._dirty.pop()
        finally:
            with self._shared.lock:
                self._shared.waiting -= done

    def _seal(self) -> None:
        """Raises OSError."""
        for _ in range(min(_SEALS_AT_ONCE, len(self._closing))):
            recording = self._closing[0]
            self._dirty.append(recording)
            self._flush()
            body = self._recordings.seal(recording)
            self._closing.popleft()
            if body is not None:
                with self._shared.lock:
                    self.sealed(recording, Event(self._clock.now(), recording.session, body))

    # --- failure

    def _fail(self, error: OSError) -> None:
        text = words(error, self._journal.path)
        shared = self._shared
        with shared.lock:
            changed = self._failure != text
            if not self._failure:
                self._failed_at = self._clock.now()
                self._failed_seq = self._journal.durable_seq
                self._failed_segment = self._journal.path.name
            self._failure = text
            shared.refusal = text
            waiters = self._waiters + shared.waiters
            self._waiters, shared.waiters = [], []
            self._retry_at = time.monotonic() + self._limits.retry_seconds
        self._settle(waiters, [], text, changed)

    def _recover(self) -> None:
        """Write again what was not durable, say so, and take events again. Raises OSError when it still does not work."""
        shared, journal = self._shared, self._journal
        with shared.lock:
            self._take(time.monotonic(), True)
        journal.recover()
        self._create()
        journal.sync()
        self._flush()
        with shared.lock:
            gap = Gap(
                self._clock.now(),
                self._failed_at,
                self._failed_segment,
                self._failed_seq,
                journal.durable_seq - self._failed_seq,
                self._failure,
            )
            journal.put([self.chain.gap(gap)])
        journal.sync()
        with shared.lock:
            self._failure = ""
            shared.refusal = CLOSED if shared.stopping else ""
        self._committed()
        self._settle([], [], "", True)

    def _end(self, error: str) -> None:
        """The last words: nobody may go on waiting."""
        shared = self._shared
        with shared.lock:
            shared.error = shared.refusal = error
            waiters = self._waiters + shared.waiters
            self._waiters, shared.waiters = [], []
        self._settle(waiters, [], error, True)
