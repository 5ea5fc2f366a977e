"""A desk over a state directory whose gateway may not run: for `hooptui replay`. It looks, and changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hooptui.audit import replay
from hooptui.audit.journal import tail
from hooptui.audit.verify import verify
from hooptui.core.desk import (
    Command,
    Health,
    JournalLine,
    Outcome,
    RecordingView,
    Review,
    Snapshot,
    VerifyView,
)
from hooptui.core.events import Event


class StillWatch:
    """Nothing happens in an archive."""

    def drain(self) -> tuple[Sequence[Event], int]:
        return (), 0

    async def close(self) -> None:
        """Nothing to let go."""


class ArchiveDesk:
    """See core.desk.Desk."""

    readonly = True

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    async def snapshot(self) -> Snapshot:
        health = Health(
            name="archive",
            now=time.time(),
            listeners=(),
            live=0,
            held=0,
            oldest_held=0.0,
            journal_ok=True,
            journal_records=0,
            journal_error="",
            loop_delay=0.0,
            policy="",
        )
        return Snapshot(health, (), ())

    async def review(self, number: int) -> Review | None:
        return None

    async def run(self, command: Command) -> Outcome:
        return Outcome(False, f"{command.verb}: this is an archive, not a gateway")

    async def watch(self, session: str) -> StillWatch:
        return StillWatch()

    async def transcript(self, session: str, *, after: int = 0, limit: int = 2000) -> tuple[tuple[Event, ...], int]:
        return await asyncio.to_thread(replay.events, self._state_dir, session, after, limit)

    async def recordings(self) -> tuple[RecordingView, ...]:
        return await asyncio.to_thread(replay.list_recordings, self._state_dir)

    async def journal(self, *, before: int | None = None, limit: int = 200) -> tuple[JournalLine, ...]:
        return await asyncio.to_thread(partial(tail, self._state_dir, before=before, limit=limit))

    async def verify(self) -> VerifyView:
        return await asyncio.to_thread(verify, self._state_dir)

    async def close(self) -> None:
        """Nothing to let go."""
