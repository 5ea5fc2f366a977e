"""What is looked for in a terminal that is open: patterns over typed lines and over output, and what comes of a find. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class WatchEffect(StrEnum):
    """What comes of it when something is seen; by then it has been typed, or shown."""

    ALERT = "alert"
    """The operator is told."""
    KILL = "kill"
    """The session is ended as well."""


@dataclass(frozen=True, slots=True)
class WatchRule:
    """One rule, as it holds for one identity on one target."""

    id: str
    effect: WatchEffect
    reason: str
    """For the operator, and for the client whose session it ends."""
    typed: Callable[[str], object] | None
    """Whether a typed line is one that is looked for; None when it looks at none."""
    output: Callable[[str], object] | None
    """The same for a line of output."""
    pieces: tuple[str, ...] = ()
    """Casefolded texts of which every line of output that is looked for has at least one in it; so that a gigabyte without them
    costs little."""
