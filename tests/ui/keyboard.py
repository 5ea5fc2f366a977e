"""Which key was tried by which test, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.ui.stage import WIDE, Stage

Pressed = Callable[[Stage], Awaitable[None]]
TRIED: dict[str, tuple[tuple[int, int], Pressed]] = {}


def key(*keys: str, size: tuple[int, int] = WIDE) -> Callable[[Pressed], Pressed]:
    """Note that a test presses these."""

    def note(test: Pressed) -> Pressed:
        for one in keys:
            assert one not in TRIED
            TRIED[one] = (size, test)
        return test

    return note


def top(s: Stage) -> object:
    """The kind of window on top."""
    return type(s.app.screen)
