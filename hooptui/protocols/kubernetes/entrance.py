"""Just-in-time access for clients that come over several connections at once: one request to people, whichever connections wait for it.

A kubectl asks for two things before it asks for what it is about, each on a connection of its own. The first one asks for access, the
others wait for its answer. Knows no socket.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hooptui.core.approvals import Approval
from hooptui.core.gate import CannotRecord, Refused, Why
from hooptui.core.ports import Tell
from hooptui.core.session import Session


@dataclass(slots=True)
class _Waiting:
    """A request for access, and who waits for it."""

    session: Session
    task: asyncio.Task[None] | None = None
    tellers: list[Tell] = field(default_factory=list)

    def tell(self, approval: Approval, remaining: float) -> None:
        for one in tuple(self.tellers):
            one(approval, remaining)


class Entrances:
    """Of one gate. Lives on its loop."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Waiting] = {}

    async def enter(self, session: Session, tell: Tell) -> None:
        """Wait until people have let this session in, when nobody else can.

        Raises:
            Refused: they did not.
        """
        key = (session.identity.key, session.target.name)
        while (access := session.access) is not None:
            waiting = self._open.get(key)
            if waiting is None or waiting.task is None:
                await self._ask(key, session, tell)
                return
            waiting.tellers.append(tell)
            try:
                # Its end may be a cancellation, when its client has left; then somebody else has to ask.
                await asyncio.wait((waiting.task,))
            finally:
                waiting.tellers.remove(tell)
            if waiting.task.cancelled():
                continue
            # A refusal is for all of them.
            waiting.task.result()
            grant = waiting.session.grant
            if grant is None or not access.rules <= grant.access:
                continue
            try:
                session.let_in(grant)
            except CannotRecord as broken:
                message = "hooptui cannot record this session, so it is not opened"
                raise Refused(Why.UNRECORDED, message, detail=str(broken)) from None

    async def _ask(self, key: tuple[str, str], session: Session, tell: Tell) -> None:
        waiting = self._open[key] = _Waiting(session, tellers=[tell])
        waiting.task = asyncio.get_running_loop().create_task(session.enter(waiting.tell))
        try:
            await asyncio.shield(waiting.task)
        finally:
            if self._open.get(key) is waiting:
                del self._open[key]
            if not waiting.task.done():
                waiting.task.cancel()
                await asyncio.gather(waiting.task, return_exceptions=True)
