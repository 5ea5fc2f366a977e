"""Events to whoever watches. Beside the path: a slow watcher loses events and is told how many; a session never waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hooptui.core.events import Body, Event

NONE: frozenset[type[Body]] = frozenset()


class Subscription:
    """A bounded queue of events; safe to drain from another thread than the one that publishes."""

    def __init__(
        self, session: str, capacity: int, wake: Callable[[], None] | None, without: frozenset[type[Body]] = NONE
    ) -> None:
        self.session = session
        self.without = without
        self._events: deque[Event] = deque(maxlen=capacity)
        self._pushed = 0
        self._taken = 0
        self._wake = wake

    def push(self, event: Event) -> None:
        self._events.append(event)
        self._pushed += 1
        if self._wake is not None:
            self._wake()

    def drain(self, limit: int = 10_000) -> tuple[list[Event], int]:
        """The events since the last call, oldest first, and how many were lost before them."""
        events: list[Event] = []
        while self._events and len(events) < limit:
            events.append(self._events.popleft())
        lost = max(0, self._pushed - self._taken - len(events) - len(self._events))
        self._taken += len(events) + lost
        return events, lost


class Bus:
    """Fan-out on the gateway's thread."""

    def __init__(self) -> None:
        self._all: tuple[Subscription, ...] = ()

    def subscribe(
        self,
        session: str = "",
        *,
        capacity: int = 4096,
        wake: Callable[[], None] | None = None,
        without: frozenset[type[Body]] = NONE,
    ) -> Subscription:
        """Watch one session, or everything when `session` is empty, but the kinds in `without`, which then take no room.

        `wake` is called on the publishing thread."""
        subscription = Subscription(session, capacity, wake, without)
        self._all = (*self._all, subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._all = tuple(one for one in self._all if one is not subscription)

    def watched(self, session: str) -> bool:
        """Whether somebody would see an event of this session."""
        return any(one.session in ("", session) for one in self._all)

    def publish(self, event: Event) -> None:
        for one in self._all:
            if (not one.session or one.session == event.session) and type(event.body) not in one.without:
                one.push(event)
