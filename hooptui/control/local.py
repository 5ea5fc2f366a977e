"""The gateway on its own thread and loop, and the desk into it from another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import uvloop

from hooptui import commands
from hooptui.config.load import Config
from hooptui.control.server import ControlServer
from hooptui.control.views import Views
from hooptui.core.bus import Subscription
from hooptui.core.desk import (
    Command,
    DeskClosed,
    JournalLine,
    Outcome,
    RecordingView,
    Review,
    Snapshot,
    VerifyView,
)
from hooptui.core.events import Event
from hooptui.gateway import Gateway

T = TypeVar("T")


class GatewayThread:
    """A gateway, its control socket, and the thread both live on."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.gateway: Gateway | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._stop: asyncio.Event | None = None
        self._reason, self._drain = "stopped", 0.0
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    def start(self) -> None:
        """Return once the listeners are up.

        Raises:
            What `Gateway.start` raises.
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self, reason: str, *, drain: float = 0.0) -> None:
        """End the gateway and wait for it; a second call does nothing."""
        loop, stop = self._loop, self._stop
        if loop is None or stop is None or not self._thread.is_alive():
            return
        self._reason, self._drain = reason, drain
        loop.call_soon_threadsafe(stop.set)
        self._thread.join()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def failure(self) -> str:
        """What went wrong while it ran or ended, in words; empty when nothing did."""
        return "" if self._failure is None else f"{type(self._failure).__name__}: {self._failure}"

    def desk(self, *, readonly: bool = False) -> LocalDesk:
        """A desk into this gateway, for another loop than the gateway's."""
        if self.gateway is None or self._loop is None:
            raise DeskClosed("the gateway has not started")
        return LocalDesk(self.gateway, self._loop, readonly=readonly)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(self._main())
            except BaseException as fault:  # noqa: BLE001 - it belongs to whoever called start()
                self._failure = fault
            finally:
                self._started.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        gateway = Gateway(self.config)
        await gateway.start()
        server = ControlServer(gateway)
        try:
            await server.start()
            self.gateway = gateway
            self._started.set()
            await self._stop.wait()
        finally:
            await server.stop()
            await gateway.stop(self._reason, drain=self._drain)


class LocalWatch:
    """A subscription on the bus, drained on the screen's thread."""

    def __init__(self, desk: LocalDesk, subscription: Subscription) -> None:
        self._desk = desk
        self._subscription = subscription

    def drain(self) -> tuple[Sequence[Event], int]:
        return self._subscription.drain()

    async def close(self) -> None:
        self._desk.gateway.bus.unsubscribe(self._subscription)


class LocalDesk:
    """See core.desk.Desk. Each call runs on the gateway's loop and is awaited on the caller's."""

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop, *, readonly: bool) -> None:
        self.gateway = gateway
        self._loop = loop
        self._seat = gateway.seats.seat()
        self._views = Views(gateway, self._seat)
        self._readonly = readonly

    @property
    def readonly(self) -> bool:
        return self._readonly

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            work.close()
            raise DeskClosed("the gateway has stopped")
        try:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        except asyncio.CancelledError:
            if self._loop.is_closed():
                raise DeskClosed("the gateway has stopped") from None
            raise

    async def snapshot(self) -> Snapshot:
        async def look() -> Snapshot:
            return self._views.snapshot()

        return await self._there(look())

    async def review(self, number: int) -> Review | None:
        return await self._there(self._views.review(number))

    async def run(self, command: Command) -> Outcome:
        return await self._there(commands.run(self.gateway, self._seat, command, readonly=self._readonly))

    async def watch(self, session: str) -> LocalWatch:
        async def subscribe() -> Subscription:
            return self.gateway.bus.subscribe(session)

        return LocalWatch(self, await self._there(subscribe()))

    async def transcript(self, session: str, *, after: int = 0, limit: int = 2000) -> tuple[tuple[Event, ...], int]:
        return await self._there(self._views.transcript(session, after, limit))

    async def recordings(self) -> tuple[RecordingView, ...]:
        return await self._there(self._views.recordings())

    async def journal(self, *, before: int | None = None, limit: int = 200) -> tuple[JournalLine, ...]:
        return await self._there(self._views.journal(before, limit))

    async def verify(self) -> VerifyView:
        return await self._there(self._views.verify())

    async def close(self) -> None:
        """Nothing to let go: the gateway outlives its desks."""
