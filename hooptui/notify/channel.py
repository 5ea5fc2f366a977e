"""What every channel can do, and how it fails."""

from __future__ import annotations

from typing import Protocol

from hooptui.notify.notice import Notice, Topic


class NotSent(Exception):
    """A notice did not get through; the message is for the operator and holds no secret."""


class Channel(Protocol):
    """One way out."""

    name: str
    topics: frozenset[Topic]
    """What it is told of."""

    async def send(self, notice: Notice) -> None:
        """Deliver one notice, within bounded time.

        Raises:
            NotSent: it did not get through.
        """

    async def close(self) -> None: ...
