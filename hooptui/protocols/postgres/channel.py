"""The hold on one session's two connections: cancel for its client, kill and end for its operator.

A kill freezes both directions, has the server cancel and terminate the backend, looks until it is gone from
pg_stat_activity, and only then tells the client: a session that was said to be dead is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hooptui.core.clock import Clock
from hooptui.core.gate import Killed
from hooptui.protocols.postgres import replies, upstream
from hooptui.protocols.postgres.catalogue import Catalogue, CatalogueFailed
from hooptui.protocols.postgres.relay import Relay
from hooptui.protocols.postgres.upstream import Connected, Upstream, UpstreamFailed

PROOF = 5.0
"""Seconds in which a terminated backend must be gone."""

CANCEL = 1.0
"""Seconds that a cancel request may take within a kill."""


class PostgresChannel:
    """Implements `core.ports.Channel`."""

    def __init__(
        self,
        relay: Relay,
        target: Upstream,
        connected: Connected,
        catalogue: Catalogue,
        clock: Clock,
        trouble: Callable[[str, str], None],
    ) -> None:
        self._relay = relay
        self._upstream = target
        self._connected = connected
        self._catalogue = catalogue
        self._clock = clock
        self._trouble = trouble

    async def cancel(self) -> None:
        """The client wants to stop what it asked for: a held operation is withdrawn, a running one cancelled."""
        if not self._relay.withdraw_or_cancel():
            return
        try:
            await self._cancel_upstream(upstream.CANCEL_TIMEOUT)
        except UpstreamFailed as failed:
            self._trouble(failed.code, f"a cancel request did not get through: {failed.message}")
        finally:
            self._relay.cancelled()

    async def kill(self, message: str) -> Killed:
        """See `core.ports.Channel`."""
        began = self._clock.monotonic()
        self._relay.freeze()
        done: list[str] = []
        if self._relay.server is None:
            confirmed = True
            done.append("the server had closed the connection")
        else:
            confirmed = await self._stop(done)
        self._relay.finish(message, replies.killed(message))
        return Killed(confirmed, ", ".join(done), self._clock.monotonic() - began)

    async def end(self, message: str) -> None:
        """See `core.ports.Channel`."""
        self._relay.freeze()
        if self._relay.busy and self._relay.server is not None:
            try:
                await self._cancel_upstream(CANCEL)
            except UpstreamFailed as failed:
                self._trouble(failed.code, f"a cancel request did not get through: {failed.message}")
        self._relay.finish(message, replies.killed(message))

    async def abandon(self) -> None:
        """The client is gone: cancel what it left running, and close."""
        if self._relay.busy and self._relay.server is not None:
            try:
                await self._cancel_upstream(CANCEL)
            except UpstreamFailed as failed:
                self._trouble(failed.code, f"a cancel request did not get through: {failed.message}")
        self._relay.finish("the client is gone")

    async def _stop(self, done: list[str]) -> bool:
        """Cancel, terminate, look; `done` takes what was done and seen, in words."""
        if self._relay.busy:
            try:
                await self._cancel_upstream(CANCEL)
                done.append("cancelled")
            except UpstreamFailed as failed:
                done.append(f"not cancelled ({failed.code})")
        try:
            async with asyncio.timeout(PROOF):
                backend = await self._catalogue.backend(self._connected.pid)
                if backend is None or not await self._catalogue.terminate_backend(backend):
                    done.append("gone from pg_stat_activity")
                    return True
                done.append("terminated")
                if await self._catalogue.backend_gone(backend, within=PROOF):
                    done.append("gone from pg_stat_activity")
                    return True
                done.append(f"still in pg_stat_activity after {PROOF:g} s")
        except (CatalogueFailed, TimeoutError) as failed:
            code = failed.code if isinstance(failed, CatalogueFailed) else "timeout"
            done.append(f"its end could not be confirmed ({code})")
        return False

    async def _cancel_upstream(self, timeout: float) -> None:
        one = self._connected
        await upstream.cancel(self._upstream, one.pid, one.key, address=one.address, timeout=timeout)
