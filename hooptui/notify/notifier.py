"""From the bus to the channels: one worker for each, with a bounded queue. Never on the path: what cannot be told is one alert.

Lives on the gateway's loop, as a task of the gateway's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence

from hooptui.core.bus import Bus
from hooptui.notify.by_apprise import AppriseChannel, open_apprise
from hooptui.notify.channel import Channel, NotSent
from hooptui.notify.notice import DEAF_TO, GRAVE, OWN, Notice, Notices
from hooptui.notify.settings import Settings
from hooptui.notify.webhook import WebhookChannel

Trouble = Callable[[str, str, str], None]
"""Name of the channel, code and words: `Doorman.trouble`."""


def channels_of(settings: Settings, now: Callable[[], float]) -> tuple[Channel, ...]:
    """The channels that are configured; `now` gives Unix seconds.

    Raises:
        ValueError: apprise is not installed, or does not know an address.
        OSError, ssl.SSLError: a file with authorities cannot be used.
    """
    return (
        *(WebhookChannel(one, now) for one in settings.webhooks),
        *(AppriseChannel(one, open_apprise(one)) for one in settings.apprise),
    )


class _Queue:
    """What waits for one channel."""

    def __init__(self, channel: Channel, limit: int) -> None:
        self.channel = channel
        self.dropped = 0
        self.waiting: deque[Notice] = deque()
        self.wake = asyncio.Event()
        self._limit = limit

    def put(self, notice: Notice) -> None:
        """Take one more; when there are too many, the oldest that is not grave goes, or else the oldest."""
        self.waiting.append(notice)
        if len(self.waiting) > self._limit:
            goes = next((one for one in self.waiting if one.topic not in GRAVE), self.waiting[0])
            self.waiting.remove(goes)
            self.dropped += 1
        self.wake.set()


class Notifier:
    """See the module. `run` until cancelled."""

    def __init__(
        self,
        settings: Settings,
        channels: Sequence[Channel],
        bus: Bus,
        *,
        gateway: str,
        target_of: Callable[[str], str],
        trouble: Trouble,
    ) -> None:
        """`gateway` is the gateway's name, `target_of` names the target of an open session (empty when there is none),
        `trouble` records an alert and never raises."""
        self._notices = Notices(gateway, target_of, repeat=settings.repeat)
        self._queues = tuple(_Queue(channel, settings.waiting) for channel in channels)
        self._bus = bus
        self._trouble = trouble

    async def run(self) -> None:
        """Tell what happens from now on; ends when cancelled, and closes the channels."""
        woken = asyncio.Event()
        subscription = self._bus.subscribe(wake=woken.set, without=DEAF_TO)
        try:
            async with asyncio.TaskGroup() as group:
                for queue in self._queues:
                    group.create_task(self._work(queue))
                while True:
                    await woken.wait()
                    woken.clear()
                    events, lost = subscription.drain()
                    for notice in map(self._notices.of, events):
                        if notice is not None:
                            self._offer(notice)
                    if lost:
                        self._trouble("notices", f"{OWN}lost", f"{lost} events came too fast to be told")
        finally:
            self._bus.unsubscribe(subscription)
            for queue in self._queues:
                with contextlib.suppress(OSError):  # it is over either way
                    await queue.channel.close()

    def _offer(self, notice: Notice) -> None:
        for queue in self._queues:
            if notice.topic in queue.channel.topics:
                queue.put(notice)

    async def _work(self, queue: _Queue) -> None:
        ill = False
        while True:
            while not queue.waiting:
                queue.wake.clear()
                await queue.wake.wait()
            notice = queue.waiting.popleft()
            words = await self._send(queue.channel, notice)
            if words and not ill:
                # Once, until something gets through again: an alert for each would bury the one that matters.
                self._trouble(queue.channel.name, f"{OWN}failed", f"{notice.topic} was not told: {words}")
            ill = bool(words)
            if not ill and queue.dropped:
                dropped, queue.dropped = queue.dropped, 0
                self._trouble(
                    queue.channel.name, f"{OWN}dropped", f"{dropped} notices were dropped while it did not answer"
                )

    @staticmethod
    async def _send(channel: Channel, notice: Notice) -> str:
        """What went wrong; empty when nothing did."""
        try:
            await channel.send(notice)
        except NotSent as no:
            return str(no)
        except Exception as fault:  # noqa: BLE001 - a fault of one channel ends neither the others nor the gateway
            return f"the channel failed ({type(fault).__name__})"
        return ""
