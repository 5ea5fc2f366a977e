"""Notices through the apprise library, which speaks to a hundred services: chats, pagers, mail. An extra: `hooptui[notify]`.

The library blocks, so each notice has a thread of its own, one at a time; a thread that hangs takes this channel with it and nothing else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final, cast

from hooptui.notify.channel import NotSent
from hooptui.notify.notice import GRAVE, Notice, Topic
from hooptui.notify.settings import Apprise

MISSING: Final = "the extra is not installed: pip install 'hooptui[notify]'"

Tell = Callable[[str, str, str], bool]
"""Title, body and kind (`info`, `warning`); whether it got through. Blocks."""


def open_apprise(settings: Apprise) -> Tell:
    """The library, set up for one service.

    Raises:
        ValueError: the library is not there, or does not know such an address.
    """
    try:
        import apprise
    except ImportError:
        raise ValueError(f"apprise {settings.name}: {MISSING}") from None
    asset = apprise.AppriseAsset(app_id="hooptui", async_mode=False, secure_logging=True, plugin_paths=[])
    service = apprise.Apprise(asset=asset)
    if not service.add(settings.url.reveal()):
        raise ValueError(
            f"apprise {settings.name}: url: found an address that apprise does not know, expected one such as slack://…"
        )

    def tell(title: str, body: str, kind: str) -> bool:
        return bool(
            service.notify(title=title, body=body, notify_type=cast("apprise.NotifyType", kind), body_format="text")
        )

    return tell


class AppriseChannel:
    """One service. Lives on the gateway's loop."""

    def __init__(self, settings: Apprise, tell: Tell) -> None:
        self.name = settings.name
        self.topics = settings.events
        self._timeout = settings.timeout
        self._tell = tell
        self._busy: threading.Thread | None = None

    async def send(self, notice: Notice) -> None:
        """Deliver one notice.

        Raises:
            NotSent: the service refused it, did not answer in time, or still has the one before it.
        """
        if self._busy is not None and self._busy.is_alive():
            raise NotSent("still busy with an earlier notice")
        kind = "warning" if notice.topic in GRAVE or notice.topic is Topic.ALERT else "info"
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def settle(words: str) -> None:
            if not done.done():
                done.set_result(words)

        def work() -> None:
            try:
                words = "" if self._tell(notice.title, notice.text, kind) else "the service did not take it"
            except Exception as fault:  # noqa: BLE001 - a plugin of a library may raise anything, and its text may hold credentials
                words = f"the library failed ({type(fault).__name__})"
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, words)

        # A daemon: a service that hangs must not keep the gateway from its end.
        self._busy = threading.Thread(target=work, name=f"notify-{self.name}", daemon=True)
        self._busy.start()
        try:
            words = await asyncio.wait_for(done, self._timeout)
        except TimeoutError:
            raise NotSent(f"no answer within {self._timeout:g} s") from None
        if words:
            raise NotSent(words)

    async def close(self) -> None:
        return
