"""Which statement or portal a name means, given that the server has not yet answered everything that was sent.

A name may never widen access: what it means changes only when the server has confirmed the change, or, inside one
segment (the messages up to the next Sync), in the order of the messages, because there a failure makes the server skip
whatever follows. Across segments an unconfirmed change makes a name uncertain, and whoever asks has to wait. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar

BUDGET: Final = 64 * 1024 * 1024
"""Bytes that all meanings of one name space may weigh."""


class Weighty(Protocol):
    @property
    def weight(self) -> int:
        """Bytes it keeps, roughly."""


V = TypeVar("V", bound=Weighty)


class Doubt(Enum):
    """The one value that means: wait until the server has answered."""

    UNCERTAIN = "uncertain"


UNCERTAIN: Final = Doubt.UNCERTAIN


class TooMuch(Exception):
    """The connection makes the gateway remember more than it may."""


class Change(Generic[V]):
    """One change to the meaning of names that has been sent and not been answered."""

    __slots__ = ("forget_on_failure", "name", "segment", "serial", "value")

    def __init__(self, name: bytes | None, value: V | None, segment: int, serial: int, forget_on_failure: bool) -> None:
        self.name = name
        """None: every name that `covers` accepts."""
        self.value = value
        """None: the name means nothing afterwards."""
        self.segment = segment
        self.serial = serial
        self.forget_on_failure = forget_on_failure
        """A failure leaves the name without a certain meaning, so it has none."""


class Names(Generic[V]):
    """One name space of one connection: the prepared statements, or the portals."""

    def __init__(self, covers: Callable[[bytes], object] = lambda _name: True, *, budget: int = BUDGET) -> None:
        """`covers` says which names a change without a name touches."""
        self._confirmed: dict[bytes, V] = {}
        self._last: dict[bytes, Change[V]] = {}
        self._sweep: Change[V] | None = None
        self._covers = covers
        self._serial = 0
        self._budget = budget
        self._weight = 0
        """Of what is confirmed."""
        self._sent_weight = 0
        """Of what is under way."""

    def look(self, name: bytes, segment: int) -> V | Doubt | None:
        """What `name` means to a message of `segment`, if the server gets to execute that message at all.

        None: nothing that is known here. `UNCERTAIN`: an earlier segment's change is still unanswered.
        """
        last = self._last.get(name)
        sweep = self._sweep
        if sweep is not None and self._covers(name) and (last is None or sweep.serial > last.serial):
            last = sweep
        if last is None:
            return self._confirmed.get(name)
        return last.value if last.segment == segment else UNCERTAIN

    def unheard_of(self, name: bytes) -> bool:
        """Nothing has given this name a meaning, and nothing under way will."""
        return name not in self._confirmed and name not in self._last

    def sent(self, name: bytes | None, value: V | None, segment: int, *, forget_on_failure: bool = False) -> Change[V]:
        """A message that changes `name` goes to the server; its answer must be told by `settle`.

        Raises:
            TooMuch: the budget is spent.
        """
        if value is not None:
            if self._weight + self._sent_weight + value.weight > self._budget:
                raise TooMuch(f"prepared statements and portals take more than {self._budget} bytes")
            self._sent_weight += value.weight
        self._serial += 1
        change = Change(name, value, segment, self._serial, forget_on_failure)
        if name is None:
            self._sweep = change
        else:
            self._last[name] = change
        return change

    def settle(self, change: Change[V], done: bool | None) -> None:
        """The server has done it (True), failed to (False), or never got to it (None). Called in the order of `sent`."""
        name, value = change.name, change.value
        if name is None:
            if self._sweep is change:
                self._sweep = None
        elif self._last.get(name) is change:
            del self._last[name]
        if value is not None:
            self._sent_weight -= value.weight
        if done is None or (not done and not change.forget_on_failure):
            return
        if name is None:
            for covered in [known for known in self._confirmed if self._covers(known)]:
                self._drop(covered)
            return
        self._drop(name)
        if done and value is not None:
            self._confirmed[name] = value
            self._weight += value.weight

    def clear(self) -> None:
        """The server has dropped everything it had confirmed; what is under way stays so."""
        self._confirmed.clear()
        self._weight = 0

    def _drop(self, name: bytes) -> None:
        gone = self._confirmed.pop(name, None)
        if gone is not None:
            self._weight -= gone.weight
