"""Run a coroutine to its first real wait without a task, and hand the rest to one. Knows nothing of PostgreSQL.

A question the policy answers at once suspends nowhere, so a task for it would cost more than the answer. What runs
before the first wait has no current task: such a coroutine must not begin with `asyncio.timeout`.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")

_TAKEN = object()


class Rest(Coroutine[Any, Any, T], Generic[T]):
    """What is left of a coroutine that waits for something: fit for `loop.create_task`, and for nothing else."""

    __slots__ = ("_coroutine", "_first")

    def __init__(self, coroutine: Coroutine[Any, Any, T], first: object) -> None:
        """`first` is what the coroutine yielded: the future it waits for, or None."""
        self._coroutine = coroutine
        self._first = first

    def send(self, value: Any) -> Any:
        if self._first is not _TAKEN:
            # The task's first step: it must see the future that stepping by hand was given, and wait for it.
            first, self._first = self._first, _TAKEN
            return first
        return self._coroutine.send(value)

    def throw(self, *raised: Any) -> Any:
        # A task cancelled before its first step throws here; the coroutine has begun, so it has to see it.
        self._first = _TAKEN
        return self._coroutine.throw(*raised)

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, NoReturn]:
        raise TypeError("the rest of a stepped coroutine goes to a task")


def step(coroutine: Coroutine[Any, Any, T]) -> T | Rest[T]:
    """The coroutine's result when it needs to wait for nothing, else what is left of it.

    Raises:
        Whatever the coroutine raises before its first wait.
    """
    try:
        first = coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    return Rest(coroutine, first)
