"""What may be done with one message of a client: the answers of `operations`, which `requests` carries out. Plain values.

Plain classes, not dataclasses, as in `pipeline`: one is made for each message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, final

from hooptui.core.model import Operation
from hooptui.protocols.postgres.facts_model import CopyShape
from hooptui.protocols.postgres.pipeline import Expected, Portal, Settle


@final
class Pass:
    """Send it on as it is."""

    __slots__ = ("expected",)

    def __init__(self, expected: Expected | None = None) -> None:
        self.expected = expected


@final
class Ask:
    """It runs something: only with a permit."""

    __slots__ = ("begins", "changes", "copies", "may_set", "name", "operation", "portal", "simple")

    def __init__(
        self,
        operation: Operation,
        simple: bool,
        portal: Portal | None = None,
        copies: tuple[CopyShape, ...] = (),
        changes: Callable[[int], list[tuple[int, Settle]]] | None = None,
        may_set: bool = False,
        name: bytes = b"",
        begins: bool | None = None,
    ) -> None:
        self.operation = operation
        self.simple = simple
        """A Query; else an Execute."""
        self.portal = portal
        """What an Execute runs; None when the gateway does not know it."""
        self.copies = copies
        self.changes = changes
        """Called with the segment when it is sent: what it makes of names."""
        self.may_set = may_set
        """It may change settings that decide how texts are read."""
        self.name = name
        """The portal's name."""
        self.begins = begins
        """It leaves the session inside a transaction block, or outside; None: as it was."""

    @property
    def named(self) -> bool:
        return bool(self.name)


@final
class StandIn:
    """Let the server fail in its place, and show the client this error instead."""

    __slots__ = ("error",)

    def __init__(self, error: bytes) -> None:
        self.error = error


@final
class Drop:
    """The server would ignore it."""

    __slots__ = ()


@final
class Wait:
    """Read it again when this holds; `flush` tells the server to answer what it has."""

    __slots__ = ("flush", "until")

    def __init__(self, until: Callable[[], bool], flush: bool = False) -> None:
        self.until = until
        self.flush = flush


@final
class Goodbye:
    """The client ends the session."""

    __slots__ = ()


Step: TypeAlias = Pass | Ask | StandIn | Drop | Wait | Goodbye
