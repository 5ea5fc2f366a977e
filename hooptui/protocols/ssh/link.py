"""One client's connection after its login: its session, its one connection to the target, and everything that runs over both.

The target is dialled when the first operation is allowed, and once: all channels share it. Knows no listener and no policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Protocol

import asyncssh

from hooptui.core.approvals import Approval
from hooptui.core.gate import CannotRecord, Refused, Why
from hooptui.core.model import Operation, Target
from hooptui.core.ports import Tell
from hooptui.core.session import Session
from hooptui.credentials.custody import Custody
from hooptui.credentials.mint import Mint, Minted, MintTrouble
from hooptui.protocols.base import Doorman
from hooptui.protocols.ssh import upstream
from hooptui.protocols.ssh.limits import Limits
from hooptui.protocols.ssh.operations import Read
from hooptui.protocols.ssh.upstream import Upstream, UpstreamFailed

LEAVING = 2.0
"""Seconds in which both sides of a connection that is over must be closed."""


@dataclass(frozen=True, slots=True)
class SshTarget:
    """A host that clients may ask for, and where it is."""

    target: Target
    upstream: Upstream
    mint: Mint | None = None
    """Makes the credential of each session, when it has one of its own."""


class Runs(Protocol):
    """One thing that goes on over a link: a command, a shell, a forward."""

    @property
    def program(self) -> bool:
        """Whether it is a process on the target, and no forward."""

    @property
    def running(self) -> bool:
        """Whether the target still has it open."""

    @property
    def ended(self) -> bool:
        """Whether the target was seen to end it: a status, a signal, or a closed forward."""

    async def gone(self) -> None:
        """Wait until the target has it open no more."""

    def freeze(self) -> None:
        """Let nothing more through, either way."""

    def signal(self) -> None:
        """Have the target kill it."""

    def shut(self) -> None:
        """Close it on the target's side."""

    def farewell(self, message: str) -> None:
        """Tell the client and close its side."""

    async def parted(self) -> None:
        """Wait until the client has closed it as well, and so has read what it was told."""


class Agent(Protocol):
    """A channel that may use the client's agent."""

    uses: int


class Link:
    """See the module. Lives on the gateway's loop."""

    def __init__(
        self,
        connection: asyncssh.SSHServerConnection,
        session: Session,
        target: SshTarget,
        doorman: Doorman,
        limits: Limits,
        read: Read,
        custody: Custody | None,
        mask_key: bytes,
    ) -> None:
        self.connection = connection
        self.session = session
        self.target = target
        self.limits = limits
        self.read = read
        self.mask_key = mask_key
        """The 32 secret bytes behind masks by hash."""
        self.runs: set[Runs] = set()
        self.agents: list[Agent] = []
        """Channels that may use the client's agent now."""
        self.listeners = 0
        self.closing: str = ""
        """Why it ends, once it does."""
        self._doorman = doorman
        self._custody = custody
        self._dial: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._entering: asyncio.Task[None] | None = None
        self._tellers: list[Tell] = []
        self._told: tuple[Approval, float] | None = None
        """What those that wait for access were told last, and when its time is over in Unix seconds."""
        self._minted: Minted | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the one way to the target

    async def permit(
        self, operation: Operation, tell: Tell, tell_access: Tell
    ) -> tuple[int, asyncssh.SSHClientConnection]:
        """Ask for an operation; its number, and the connection that it may now be started on.

        Raises:
            Refused: it may not.
            UpstreamFailed: it may, and the target cannot be used.
        """
        await self._enter(tell_access)
        permit = await self.session.ask(operation, tell)
        permit.use()
        try:
            connection = await self._upstream()
            if self.closing:
                raise Refused(Why.KILLED, self.closing, number=permit.number)
        except BaseException as fault:
            tag = fault.code if isinstance(fault, UpstreamFailed) else "not started"
            self.session.finished(permit.number, tag, ok=False, rows=0, masked=0, seconds=0.0)
            raise
        return permit.number, connection

    async def entered(self, tell: Tell) -> asyncssh.SSHClientConnection:
        """The connection for something whose parts are asked for one by one.

        Raises:
            Refused: people did not let the session in, or it ends.
            UpstreamFailed: the target cannot be used.
        """
        await self._enter(tell)
        connection = await self._upstream()
        if self.closing:
            raise Refused(Why.KILLED, self.closing)
        return connection

    @property
    def dialled(self) -> asyncssh.SSHClientConnection | None:
        """The connection to the target, when there is one."""
        dial = self._dial
        if dial is None or not dial.done() or dial.cancelled() or dial.exception() is not None:
            return None
        return dial.result()

    @property
    def dialling(self) -> bool:
        return self._dial is not None and not self._dial.done()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of this link, which ends with it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def trouble(self, code: str, words: str) -> None:
        self._doorman.trouble(self.target.target.name, code, words)

    def kill(self, by: str, reason: str) -> None:
        """End the session now, as an operator would."""
        self._doorman.kill(self.session, by, reason)

    # --- its end

    async def hang_up(self) -> None:
        """Close the target's side, and wait a little until it is."""
        if self._dial is None:
            return
        if not self._dial.done():
            self._dial.cancel()
            await asyncio.gather(self._dial, return_exceptions=True)
        connection = self.dialled
        self._dial = None
        if connection is not None:
            connection.close()
            try:
                async with asyncio.timeout(LEAVING):
                    await connection.wait_closed()
            except TimeoutError:
                connection.abort()

    async def close(self, reason: str) -> None:
        """The client is gone: stop what waits, close the target's side, give back what was made."""
        self.closing = self.closing or reason
        for task in tuple(self._tasks):
            task.cancel()
        if self._entering is not None:
            self._entering.cancel()
            self._tasks.discard(self._entering)
            await asyncio.gather(self._entering, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hang_up()
        mint = self.target.mint
        if self._minted is not None and mint is not None and self._custody is not None:
            self._custody.give_back(self.target.target.name, mint, self._minted.name)
            self._minted = None

    # --- inside

    async def _enter(self, tell: Tell) -> None:
        """Wait until people have let the session in: one request, whichever channels wait for it.

        Raises:
            Refused: they did not; the connection is to be closed.
        """
        if self.session.access is None:
            return
        self._tellers.append(tell)
        try:
            if self._entering is None or self._entering.done():
                self._told = None
                self._entering = asyncio.get_running_loop().create_task(self.session.enter(self._tell_all))
            elif self._told is not None:
                tell(self._told[0], self._told[1] - self.session.house.clock.now())
            await asyncio.shield(self._entering)
        finally:
            self._tellers.remove(tell)
            if not self._tellers and self._entering is not None and not self._entering.done():
                # The last one that waited has left, so nobody wants in any more.
                self._entering.cancel()

    def _tell_all(self, approval: Approval, remaining: float) -> None:
        self._told = (approval, self.session.house.clock.now() + remaining)
        for tell in tuple(self._tellers):
            tell(approval, remaining)

    async def _upstream(self) -> asyncssh.SSHClientConnection:
        """Raises:
        UpstreamFailed: the target cannot be used.
        """
        if self._dial is None or (self._dial.done() and self.dialled is None):
            self._dial = asyncio.get_running_loop().create_task(self._connect())
        dial = self._dial
        try:
            return await asyncio.shield(dial)
        except asyncio.CancelledError:
            # By who waits here, or by a kill, which has forgotten the dial already.
            if self.closing and not dial.done():
                dial.cancel()
            raise

    async def _connect(self) -> asyncssh.SSHClientConnection:
        where = self.target.upstream
        name = self.target.target.name
        try:
            if self.target.mint is not None and self._custody is not None:
                if self._minted is None:
                    self._minted = await self._custody.issue(self.session, self.target.mint)
                where = replace(where, key=self._minted.secret)
            return await upstream.connect(where, self.limits, self._lost)
        except MintTrouble as trouble:
            self._doorman.trouble(name, trouble.code, trouble.message)
            public = "its gateway was not given a credential for this session"
            raise UpstreamFailed(trouble.code, trouble.message, public) from None
        except CannotRecord as broken:
            words = "hooptui cannot record this session's credential, so it is not used"
            raise UpstreamFailed("unrecorded", str(broken), words) from None
        except UpstreamFailed as failed:
            self._doorman.trouble(name, failed.code, failed.message)
            raise

    def _lost(self) -> None:
        """The target's side is gone; the next operation dials again."""
        if self._dial is not None and self._dial.done():
            self._dial = None

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.trouble("fault", f"a task of a connection failed: {type(fault).__name__}")
