"""One happening: when, of which session, and a body. Knows no body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from hooptui.core.body import Body


@final
class Event:
    """Not a dataclass, because five of them are made for each small query."""

    __slots__ = ("at", "body", "session")

    def __init__(self, at: float, session: str, body: Body) -> None:
        self.at: Final = at
        """Unix seconds."""
        self.session: Final = session
        """Empty for those of the whole gateway."""
        self.body: Final = body

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return self.at == other.at and self.session == other.session and self.body == other.body

    def __hash__(self) -> int:
        return hash((self.at, self.session, self.body))

    def __repr__(self) -> str:
        return f"Event(at={self.at!r}, session={self.session!r}, body={self.body!r})"
