"""What the loop and the audit log's writer share: what waits to be written, who waits for it, and why nothing is taken.

Everything is guarded by `lock`, as is the chain. Knows no file.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Final

from hooptui.audit.recording import Recording
from hooptui.core.happening import Event

CLOSED: Final = "the audit log is closed"


class Shared:
    """A plain class, because five events of each small query go through it, and compiled ones are reached without a look-up."""

    __slots__ = (
        "begun", "busy_since", "closing", "dirty", "durable_seq", "error", "lines", "lock", "open", "orphans", "parked", "refusal",
        "staged", "staged_for", "stopping", "waiters", "waiting", "wake",
    )  # fmt: skip

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wake = threading.Condition(self.lock)
        self.lines: list[bytes] = []
        """Journal lines, in order, newlines included."""
        self.staged: list[Event] = []
        """Events that come behind those lines and have no line yet; see `staged`."""
        self.staged_for: list[Recording | None] = []
        """The recording that each of them belongs into."""
        self.begun: list[Recording] = []
        self.dirty: list[Recording] = []
        """Recordings with something in their buffer."""
        self.closing: deque[Recording] = deque()
        self.open: dict[str, Recording] = {}
        self.orphans: set[str] = set()
        """Sessions that ended while nothing could be recorded."""
        self.waiters: list[asyncio.Future[None]] = []
        self.waiting = 0
        """Bytes that are not on disk yet."""
        self.durable_seq = 0
        self.refusal = ""
        """Why nothing is taken now."""
        self.error = ""
        """Set when the writer ended without having made everything durable."""
        self.stopping = False
        self.parked = False
        """The writer sleeps until told."""
        self.busy_since = 0.0
        """Monotonic seconds since which the writer is at the disk; 0 when it is not."""

    def stop(self) -> None:
        """Take nothing more, finish what there is. The caller holds the lock."""
        self.stopping = True
        self.refusal = self.refusal or CLOSED
        self.closing.extend(self.open.values())
        self.open.clear()
        self.wake.notify()
