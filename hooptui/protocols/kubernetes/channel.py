"""The hold on one session: kill and end for its operator.

A kill cuts the request or stream that runs, on both sides, takes the session's token back and closes the client's connection. What is
seen is that the connection to the API server is closed: a watch or a log ends with it. Whether the process of an exec ends with it is
the container runtime's affair, and whether a write that was sent took effect is the API server's; neither can be seen from here, and such
a kill is not confirmed, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from hooptui.core.clock import Clock
from hooptui.core.gate import Killed
from hooptui.core.group import Group
from hooptui.protocols.kubernetes.link import Link
from hooptui.protocols.kubernetes.preview import preview

ENDED: Final = 0.5
"""Seconds in which what is cut must be over, its last words to the client included."""
RETURNED: Final = 0.3
"""Seconds in which a token should be taken back; it goes on in the background."""


class KubernetesChannel:
    """Implements `core.ports.Channel`."""

    def __init__(self, link: Link, clock: Clock, hang_up: Callable[[], None], part: Callable[[], None]) -> None:
        """`hang_up` closes the client's connection, `part` takes the session out of it and leaves it open."""
        self._link = link
        self._clock = clock
        self._hang_up = hang_up
        self._part = part

    async def kill(self, message: str) -> Killed:
        """See `core.ports.Channel`."""
        began = self._clock.monotonic()
        confirmed, done = await self._cut(message)
        if (returning := self._link.give_back()) is not None:
            _, late = await asyncio.wait((returning,), timeout=RETURNED)
            done.append("its token is being taken back" if late else "its token is taken back")
        self._hang_up()
        return Killed(confirmed, ", ".join(done), self._clock.monotonic() - began)

    async def end(self, message: str) -> None:
        """See `core.ports.Channel`."""
        await self._cut(message)
        self._part()

    async def preview(self, group: Group | None = None) -> str:
        """What would come of the request that waits, and of others that one review covers with it, in raw words for its reviewer."""
        running = self._link.running
        if running is None:
            return "no preview: nothing waits any more"
        return await preview(self._link, *running.asked, group)

    async def _cut(self, message: str) -> tuple[bool, list[str]]:
        """Whether everything was seen to be gone, and what was done."""
        link = self._link
        link.closing = link.closing or message
        running = link.running
        if running is None:
            return True, ["nothing was running"]
        upstream, unseen = running.upstream, running.unseen
        running.cut(message)
        closed = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDED):
                closed = await running.ended()
        if not upstream:
            return True, ["nothing was open upstream"]
        if not closed:
            return False, ["the connection to the API server was cut, and not seen to be closed"]
        done = ["the connection to the API server is closed"]
        if unseen:
            done.append(f"{unseen} cannot be seen from here")
        return not unseen, done
