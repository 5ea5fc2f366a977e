"""What every session of one gateway shares, and what is counted of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hooptui.core.approvals import Approvals
from hooptui.core.bus import Bus
from hooptui.core.clock import Clock
from hooptui.core.model import MaskSet
from hooptui.core.ports import Judge, Ledger, Masker


@dataclass(slots=True)
class Counters:
    """What the session's row on the screen counts."""

    operations: int = 0
    masked: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class House:
    """What every session of a gateway shares."""

    judge: Judge
    ledger: Ledger
    approvals: Approvals
    bus: Bus
    clock: Clock
    make_masker: Callable[[MaskSet], Masker]
    tell_every: float = 5.0
    """Seconds between two reminders to a client whose operation is held."""
    recording_cap: int = 256 * 1024
    """Bytes of result rows, or of a command's output, kept for one operation."""
    terminal_cap: int = 64 * 1024 * 1024
    """Bytes kept of what one terminal showed."""
