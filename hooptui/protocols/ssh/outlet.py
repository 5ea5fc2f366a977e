"""The way of a command's output to its client: masked on both streams where masks hold, and recorded as the client saw it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import asyncssh

from hooptui.core.gate import CannotRecord
from hooptui.core.session import Session
from hooptui.masking.streams import StreamMasker
from hooptui.protocols.recorder import Recorder, Window
from hooptui.protocols.ssh.operations import Terminal
from hooptui.protocols.ssh.pace import Pace

Send = Callable[[bytes, int | None], None]
"""To the client: bytes, and the data type of RFC 4254 section 5.2, None for standard output."""

TICK: Final = 0.002
"""Seconds that a timer may be late for, rather than be set anew."""
STREAMS = {None: "stdout", asyncssh.EXTENDED_DATA_STDERR: "stderr"}


class Outlet(Protocol):
    """What takes the target's output."""

    def feed(self, data: bytes, datatype: int | None) -> None: ...

    def resize(self, columns: int, rows: int) -> None:
        """The client's window has another size."""

    def close(self) -> tuple[int, tuple[str, ...]]:
        """The target has said its last; how many values were masked, and the rules that did."""


class Text:
    """For what people and programs read: masked and recorded."""

    def __init__(
        self,
        session: Session,
        number: int,
        key: bytes,
        send: Send,
        failed: Callable[[CannotRecord], None],
        slow: Callable[[bool], None],
        terminal: Terminal | None = None,
    ) -> None:
        """`key` is the masks' own; `failed` is called when the recording cannot be written, `slow` when the target should
        not be read, or again."""
        self._clock = session.house.clock
        self._send = send
        window = Window(terminal.name, *terminal.size[:2]) if terminal is not None else None
        self._recorder = Recorder(session, number, failed, window)
        masks = session.masker.masks
        detects = any(rule.detect for rule in masks.rules)
        self._maskers = {kind: StreamMasker(masks, key) for kind in STREAMS} if detects else {}
        self._timers: dict[int | None, tuple[asyncio.Handle, float]] = {}
        """With the time, by our clock, that each is set for."""
        self._pace = Pace(self._masked, slow)
        self._closed = False

    def feed(self, data: bytes, datatype: int | None) -> None:
        if datatype in self._maskers:
            self._pace.feed(data, datatype)
        else:
            self._out(data, datatype)

    def _masked(self, data: bytes, datatype: int | None) -> None:
        masker = self._maskers[datatype]
        self._out(masker.feed(data, self._clock.monotonic()).data, datatype)
        self._arm(datatype, masker)

    def resize(self, columns: int, rows: int) -> None:
        self._recorder.resize(columns, rows)

    def close(self) -> tuple[int, tuple[str, ...]]:
        counts: dict[str, int] = {}
        if not self._closed:
            self._pace.finish()
            self._closed = True
            for timer, _ in self._timers.values():
                timer.cancel()
            for datatype, masker in self._maskers.items():
                self._out(masker.close().data, datatype)
            self._recorder.close()
        for masker in self._maskers.values():
            for rule, count in masker.counts.items():
                counts[rule] = counts.get(rule, 0) + count
        return sum(counts.values()), tuple(sorted(counts))

    def _out(self, data: bytes, datatype: int | None) -> None:
        if data:
            self._recorder.feed(STREAMS.get(datatype, "stderr"), data)
            self._send(data, datatype)

    def _arm(self, datatype: int | None, masker: StreamMasker) -> None:
        """Let go what is held when it is time."""
        due, timer = masker.due(), self._timers.get(datatype)
        if due is None:
            return  # one that is set finds nothing to do
        if timer is not None:
            if timer[1] <= due + TICK:
                return
            # It was set for something that looked like a key, and what is held now is to go sooner.
            timer[0].cancel()
        delay = max(0.0, due - self._clock.monotonic())
        handle = asyncio.get_running_loop().call_later(delay, self._release, datatype, masker)
        self._timers[datatype] = handle, due

    def _release(self, datatype: int | None, masker: StreamMasker) -> None:
        self._timers.pop(datatype, None)
        if not self._closed:
            self._out(masker.release(self._clock.monotonic()).data, datatype)
            self._arm(datatype, masker)


class Bytes:
    """For file transfers, whose bytes are policed by operation: neither held back, which would stop them, nor recorded."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def feed(self, data: bytes, datatype: int | None) -> None:
        self._send(data, datatype)

    def resize(self, columns: int, rows: int) -> None:
        return

    def close(self) -> tuple[int, tuple[str, ...]]:
        return 0, ()
