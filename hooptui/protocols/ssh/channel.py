"""The hold on one client's connection and its target's: kill and end for its operator.

A kill lets nothing more through, ends on the target all that the connection started there, has what is left signalled, looks for
the ends, closes every channel and the connection to the target, and only then tells the client. What ended is what was seen to end:
a target that runs no command of ours and passes no signals on leaves a kill unconfirmed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import asyncssh

from hooptui.core.clock import Clock
from hooptui.core.gate import Killed
from hooptui.core.visible import visible
from hooptui.protocols.ssh.link import Link, Runs
from hooptui.protocols.ssh.reap import reap

AT_ONCE: Final = 0.05
"""Seconds for the target's word about what it was just told to kill."""

SIGNAL: Final = 0.5
"""Seconds in which a signalled process must have ended."""

HEARD: Final = 0.3
"""Seconds in which a client must have read why it is cut off."""


class SshChannel:
    """Implements `core.ports.Channel`."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock

    async def kill(self, message: str) -> Killed:
        """See `core.ports.Channel`."""
        link = self._link
        began = self._clock.monotonic()
        link.closing = message
        runs = tuple(link.runs)
        running = [run for run in runs if run.running]
        for run in runs:
            run.freeze()
        done: list[str] = []
        confirmed = True
        if running:
            confirmed = await self._stop(running, done)
        elif link.dialled is None:
            done.append("cut while it was being dialled" if link.dialling else "nothing was open upstream")
        await link.hang_up()
        if not done or running:
            done.append("the connection to the target is closed")
        await self._part(runs, message)
        return Killed(confirmed, ", ".join(done), self._clock.monotonic() - began)

    async def end(self, message: str) -> None:
        """See `core.ports.Channel`."""
        link = self._link
        link.closing = link.closing or message
        runs = tuple(link.runs)
        for run in runs:
            run.freeze()
        await link.hang_up()
        await self._part(runs, message)

    async def _stop(self, running: list[Runs], done: list[str]) -> bool:
        """End, signal, look, close; `done` takes what was done and seen, in words."""
        link, undead = self._link, 0
        if link.dialled is not None and link.target.upstream.reap and any(run.program for run in running):
            reaped = await reap(link.dialled)
            if reaped is not None:
                undead = reaped.left
                done.append(f"{reaped.killed} processes killed on the target")
            if undead:
                done.append(f"{undead} of them would not go")
        if not await self._gone(running, AT_ONCE):
            for run in running:
                run.signal()
            await self._gone(running, SIGNAL)
            done.append(f"{len(running)} signalled")
        for run in running:
            if run.running:
                run.shut()
        left = sum(not run.ended for run in running)
        done.append(f"{left} of {len(running)} not seen to end" if left else f"{len(running)} seen to end")
        return not left and not undead

    @staticmethod
    async def _gone(running: list[Runs], seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(run.gone() for run in running))
        return not any(run.running for run in running)

    async def _part(self, runs: tuple[Runs, ...], message: str) -> None:
        for run in runs:
            run.farewell(message)
        # A client that shares its connection among programs drops what it has not passed on when it is told to disconnect.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARD):
                await asyncio.gather(*(run.parted() for run in runs))
        self._link.connection.disconnect(asyncssh.DISC_BY_APPLICATION, visible(message))
