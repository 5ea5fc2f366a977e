"""A session's events from its recording and then as they happen: without a gap, without a duplicate.

The watch is opened first, then the recording is read to its end; where the two overlap they are joined. The recording may
lag behind what was published, so until the seam is found it is read again. Knows no widget.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hooptui.core.desk import Desk, Watch
from hooptui.core.events import Event

SLICE: Final = 2000
"""Events asked for at once."""

SLICES: Final = 4
"""Slices read in one pull, so that a long recording does not keep the screen waiting."""

_SEAM: Final = 4096
_PATIENCE: Final = 8
"""Pulls that an unfinished recording is waited for; then what was published is shown as it came."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a pull brought."""

    events: tuple[Event, ...] = ()
    lost: int = 0
    """Events that the bounded watch dropped before these; they are in the recording."""


def same(one: Event, other: Event) -> bool:
    """Whether two are one event, once published and once read back; the file may have rounded the time."""
    return one.body == other.body and one.session == other.session and abs(one.at - other.at) < 0.002


def beyond(recorded: Sequence[Event], published: Sequence[Event]) -> Sequence[Event] | None:
    """What of `published` comes after the end of `recorded`; None while the two do not meet, or the recording is ahead."""
    if not published:
        return None
    for index, event in enumerate(recorded):
        if not same(event, published[0]):
            continue
        overlap = len(recorded) - index
        if overlap > len(published):
            continue
        if all(same(recorded[index + step], published[step]) for step in range(overlap)):
            return published[overlap:]
    return None


class Feed:
    """See the module. `open`, then `pull` on every tick, then `close`; each may raise DeskClosed."""

    def __init__(self, desk: Desk, session: str) -> None:
        self.session = session
        self._desk = desk
        self._watch: Watch | None = None
        self._position = 0
        self._recorded: deque[Event] = deque(maxlen=_SEAM)
        self._published: list[Event] = []
        self._joined = False
        self._pulls = 0

    @property
    def joined(self) -> bool:
        """The recording was read to its end and events now come as they happen."""
        return self._joined

    async def open(self) -> None:
        self._watch = await self._desk.watch(self.session)

    async def pull(self) -> Batch:
        """What there is since the last pull."""
        if self._watch is None:
            await self.open()
        assert self._watch is not None
        drained, lost = self._watch.drain()
        if self._joined:
            return Batch(tuple(drained), lost)
        if lost:
            # What was lost is in the recording, which is still being read: begin the seam anew after the loss.
            self._published = []
        self._published.extend(drained)
        if len(self._published) > _SEAM:
            del self._published[: len(self._published) - _SEAM]
        out: list[Event] = []
        ended = False
        for _ in range(SLICES):
            events, position = await self._desk.transcript(self.session, after=self._position, limit=SLICE)
            if position == self._position:
                # A slice may be short because its lines are long; only where it does not go on is there no more.
                ended = True
                break
            self._position = position
            out.extend(events)
            self._recorded.extend(events)
        if ended:
            self._pulls += 1
            rest = beyond(tuple(self._recorded), self._published)
            if rest is None and self._pulls >= _PATIENCE and not out and self._published:
                rest = [one for one in self._published if not any(same(one, other) for other in self._recorded)]
            if rest is not None:
                out.extend(rest)
                self._joined, self._published = True, []
                self._recorded.clear()
        return Batch(tuple(out))

    async def close(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            await watch.close()
