"""Between admission and the relay: a client waits for people, its credential is made, its server is dialled, and each can be ended.

psql prints the notices that it gets meanwhile at once. Nothing has been opened upstream for a client that waits. Knows no
policy and no listener.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hooptui.core.approvals import Approval
from hooptui.core.clock import Clock
from hooptui.core.gate import Killed, Refused, Why
from hooptui.core.session import Session
from hooptui.credentials.mint import Minted
from hooptui.protocols.postgres import build
from hooptui.protocols.postgres.dialogue import Gone
from hooptui.protocols.postgres.replies import ADMIN_SHUTDOWN, QUERY_CANCELED, clock
from hooptui.protocols.postgres.startup import ClientHello

T = TypeVar("T")

NOT_LET_IN = "28000"
CANNOT_CONNECT_NOW = "57P03"

PROOF = 10.0
"""Seconds in which what was being opened must be undone."""

TERMINATE_SIZE = 4
"""What a Terminate message announces: its own length."""


class Ended(Exception):
    """An operator, or the session's time, has ended it before it was open; the message is for the client."""


class Opening:
    """Implements `core.ports.Channel` for a session that is not open yet."""

    def __init__(self, clock: Clock) -> None:
        self.minted: Minted | None = None
        """The credential to be taken back when it is over."""
        self._clock = clock
        self._task: asyncio.Task[Any] | None = None
        self._message: str | None = None
        self._over = asyncio.Event()

    async def run(self, work: Coroutine[Any, Any, T], undo: Callable[[T], None]) -> T:
        """Do one step, which ends when the session is ended; what it has made by then is undone.

        Raises:
            Ended: it was.
        """
        self._task = task = asyncio.get_running_loop().create_task(work)
        try:
            made: T = await task
        except asyncio.CancelledError:
            self.check()
            raise
        finally:
            self._task = None
        if self._message is not None:
            undo(made)
        self.check()
        return made

    def check(self) -> None:
        """Raises:
        Ended: the session was ended meanwhile.
        """
        if self._message is not None:
            raise Ended(self._message)

    def over(self) -> None:
        """Nothing is left of it; or it is open, and another channel's."""
        self._over.set()

    async def kill(self, message: str) -> Killed:
        """See `core.ports.Channel`."""
        began = self._clock.monotonic()
        self._end(message)
        try:
            async with asyncio.timeout(PROOF):
                await self._over.wait()
        except TimeoutError:
            return Killed(False, "what was being opened upstream is not undone yet", self._clock.monotonic() - began)
        return Killed(True, "nothing was open upstream yet", self._clock.monotonic() - began)

    async def end(self, message: str) -> None:
        """See `core.ports.Channel`."""
        self._end(message)

    def _end(self, message: str) -> None:
        if self._message is None:
            self._message = message
        # One that waits for people has been let go by its session already, and records why.
        if self._task is not None:
            self._task.cancel()


async def enter(client: ClientHello, session: Session) -> None:
    """Let the client wait until people have let it in, and tell it so.

    Says AuthenticationOk first: before, a client takes nothing but errors.

    Raises:
        Refused: they did not.
        Gone: the client took its leave, which withdraws what it asked for.
        ProtocolViolation: it said something else.
    """
    dialogue = client.dialogue
    dialogue.send(build.AUTH_OK)

    def tell(approval: Approval, remaining: float) -> None:
        if not dialogue.transport.is_closing():
            dialogue.send(waiting(approval, remaining))

    loop = asyncio.get_running_loop()
    entering = loop.create_task(session.enter(tell))
    watching = loop.create_task(dialogue.frame(TERMINATE_SIZE, expected=b"X"))
    try:
        await asyncio.wait((entering, watching), return_when=asyncio.FIRST_COMPLETED)
        if not entering.done():
            watching.result()
            raise Gone("the client ended the session")
        entering.result()
    finally:
        entering.cancel()
        watching.cancel()
        await asyncio.gather(entering, watching, return_exceptions=True)
    dialogue.send(let_in(session))


# --- words


def waiting(approval: Approval, remaining: float) -> bytes:
    """What a client sees at once and every few seconds while it waits for access."""
    terms = approval.terms
    by = " or ".join(sorted(terms.by)) or "nobody"
    people = f"{terms.quorum} of {by}" if terms.quorum > 1 else f"one of {by}"
    return build.notice(
        f"access needs approval #{approval.number}: {approval.rule_words}",
        detail=f"Rule {terms.rule}; waits for {people}, {clock(remaining)} left, then it is refused.",
        hint="Ctrl-C withdraws it. PGOPTIONS=\"-c hooptui.reason='…'\" tells the approvers why you ask.",
    )


def let_in(session: Session) -> bytes:
    """What a client sees when its access begins."""
    grant = session.grant
    if grant is None:
        return build.notice("access granted")
    left = grant.until - session.house.clock.now()
    detail = f"By approval #{grant.approval}; every session under it ends then."
    return build.notice(f"access granted for {clock(left)}", detail=detail)


def refused(refusal: Refused) -> bytes:
    """The last words to a client that nobody let in."""
    words = ": ".join(part for part in (refusal.rule, refusal.detail) if part)
    detail = f"Rule {words}" if refusal.rule else refusal.detail
    match refusal.why:
        case Why.KILLED | Why.DEADLINE:
            code = ADMIN_SHUTDOWN
        case Why.WITHDRAWN:
            code = QUERY_CANCELED
        case Why.UNRECORDED | Why.ERROR:
            code = CANNOT_CONNECT_NOW
        case Why.POLICY | Why.DENIED | Why.EXPIRED:
            code = NOT_LET_IN
    return build.error(code, refusal.message, severity="FATAL", detail=detail, hint=refusal.hint)
