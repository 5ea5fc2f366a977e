"""What every event's body is, and how the ones of each small query are made fast. The bodies are in `events` and `events_people`."""

from __future__ import annotations

from dataclasses import Field, dataclass
from typing import Any, ClassVar, Literal, TypeVar, dataclass_transform

from hooptui.core.happening import Event

__all__ = ["Body", "Event", "Kept", "swift"]

Kept = Literal["journal", "recording"]
"""Where an event is kept. `journal`: in the journal, and in its session's recording. `recording`: in the recording only."""

T = TypeVar("T")


class Body:
    """Base of every event's body, each of them a frozen dataclass."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    kept: ClassVar[Kept] = "journal"


@dataclass_transform(frozen_default=True)
def swift(cls: type[T]) -> type[T]:
    """A frozen dataclass to the type checker alone: what asks at run time, too, takes three times as long to make."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
