"""What recordings alone keep of terminals and of transferred files, whatever protocol they came over. Knows no encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hooptui.core.body import Body, Kept, swift
from hooptui.core.gate import Masked


@dataclass(frozen=True, slots=True)
class TerminalOpened(Body):
    """From here on the operation writes to a terminal of this size; its `Finished` ends it."""

    kept: ClassVar[Kept] = "recording"
    operation: int
    term: Masked
    """The client's own word for its kind: `xterm-256color`."""
    columns: int
    rows: int


@swift
class TerminalOutput(Body):
    """What was written to the terminal, control sequences and all, as the client saw it. A sequence may go on in the next one."""

    kept: ClassVar[Kept] = "recording"
    operation: int
    text: Masked


@dataclass(frozen=True, slots=True)
class TerminalResized(Body):
    kept: ClassVar[Kept] = "recording"
    operation: int
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class FileDone(Body):
    """What became of an operation on files; one for each direction that bytes went in."""

    kept: ClassVar[Kept] = "recording"
    operation: int
    """0 for what was turned away before there was an operation."""
    verb: str
    """`read`, `write`, `list`, `remove`, …"""
    paths: tuple[Masked, ...]
    ok: bool
    result: Masked
    """The target's word, or why it was refused."""
    refused: bool
    """It never reached the target."""
    size: int | None
    """Bytes that passed; None when it is not about any."""
    start: int
    """Offset of the first of them in the file."""
    sha256: str
    """Hexadecimal, of the bytes that passed; empty when they did not come in order."""
