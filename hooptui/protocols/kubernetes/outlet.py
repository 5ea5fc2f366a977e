"""The way of a stream's output to its client: masked on each channel where masks hold, and recorded as the client saw it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from hooptui.core.gate import CannotRecord
from hooptui.core.session import Session
from hooptui.masking.streams import StreamMasker
from hooptui.protocols.recorder import Recorder, Window

Send = Callable[[int, bytes], None]
"""To the client: a channel, and bytes."""


class Outlet:
    """See the module. Lives on the gateway's loop."""

    def __init__(
        self,
        session: Session,
        number: int,
        key: bytes,
        send: Send,
        failed: Callable[[CannotRecord], None],
        names: Mapping[int, str],
        *,
        raw: bool = False,
        window: Window | None = None,
    ) -> None:
        """`key` is the masks' own; `failed` is called when the recording cannot be written. `names` are the channels' in the
        recording. A `raw` stream is a file transfer: holding some of it back would stop it, so it is judged as a whole by its
        operation, and neither masked nor recorded. With a `window` it is recorded as a terminal."""
        self._clock = session.house.clock
        self._send = send
        self._names: Final = names
        self._recorder = None if raw else Recorder(session, number, failed, window)
        masks = session.masker.masks
        detects = not raw and any(rule.detect for rule in masks.rules)
        self._maskers = {channel: StreamMasker(masks, key) for channel in names} if detects else {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._closed = False

    def feed(self, channel: int, data: bytes) -> None:
        masker = self._maskers.get(channel)
        if masker is None:
            self._out(channel, data)
            return
        self._out(channel, masker.feed(data, self._clock.monotonic()).data)
        self._arm(channel, masker)

    def resize(self, columns: int, rows: int) -> None:
        """The client's window has another size."""
        if self._recorder is not None:
            self._recorder.resize(columns, rows)

    def close(self) -> dict[str, int]:
        """Let go what is held; how many values were masked by each rule."""
        counts: dict[str, int] = {}
        if not self._closed:
            self._closed = True
            for timer in self._timers.values():
                timer.cancel()
            for channel, masker in self._maskers.items():
                self._out(channel, masker.close().data)
            if self._recorder is not None:
                self._recorder.close()
        for masker in self._maskers.values():
            for rule, count in masker.counts.items():
                counts[rule] = counts.get(rule, 0) + count
        return counts

    def _out(self, channel: int, data: bytes) -> None:
        if data:
            if self._recorder is not None:
                self._recorder.feed(self._names.get(channel, "stdout"), data)
            self._send(channel, data)

    def _arm(self, channel: int, masker: StreamMasker) -> None:
        """Let go what is held when it is time."""
        due = masker.due()
        if due is not None and channel not in self._timers:
            delay = max(0.0, due - self._clock.monotonic())
            self._timers[channel] = asyncio.get_running_loop().call_later(delay, self._release, channel, masker)

    def _release(self, channel: int, masker: StreamMasker) -> None:
        self._timers.pop(channel, None)
        if not self._closed:
            self._out(channel, masker.release(self._clock.monotonic()).data)
            self._arm(channel, masker)
