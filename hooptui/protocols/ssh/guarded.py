"""What a callback of asyncssh may do wrong ends its own channel: uncaught, it would drop every channel of the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Fails(Protocol):
    """Whose callbacks are guarded."""

    def failed(self, fault: Exception) -> None:
        """End itself; never raises."""


S = TypeVar("S", bound=Fails)


def guarded(answer: T) -> Callable[[Callable[Concatenate[S, P], T]], Callable[Concatenate[S, P], T]]:
    """A decorator for callbacks; `answer` is what asyncssh is told when one of them failed."""

    def around(callback: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
        def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return callback(self, *args, **kwargs)
            except Exception as fault:  # noqa: BLE001 - see the module
                self.failed(fault)
                return answer

        # Not by functools.wraps, whose result has lost what it was given.
        run.__name__ = callback.__name__
        return run

    return around
