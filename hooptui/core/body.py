"""What every event is: when, of which session, and a body. The bodies are in `events` and `events_people`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

Kept = Literal["journal", "recording"]
"""Where an event is kept. `journal`: in the journal, and in its session's recording. `recording`: in the recording only."""


@dataclass(frozen=True, slots=True)
class Body:
    """Base of every event's body."""

    kept: ClassVar[Kept] = "journal"


class Event(NamedTuple):
    """One happening; a tuple, because five of them are made for each small query. `session` is empty for those of the whole gateway."""

    at: float
    """Unix seconds."""
    session: str
    body: Body
