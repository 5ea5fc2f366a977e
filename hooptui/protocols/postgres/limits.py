"""How much a client may take of the gateway: time, bytes, connections."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """All bounds of one listener."""

    handshake: float = 10.0
    """Seconds from accept to credential."""
    message: int = 64 * MIB
    """Bytes of one message of a client. How much of a text is read at all is bounded in `facts`."""
    row: int = 1024 * MIB
    """Bytes of one message of the server; it is taken whole before it is passed on."""
    ahead: int = 1 * MIB
    """Bytes that a client may send ahead while an operation of its own waits; beyond it is not read until the verdict."""
    connections: int = 1000
    per_peer: int = 200
    """Connections from one address at a time."""
    left_behind: float = 2.0
    """Seconds that an operation may go on when its client is gone; then it is cancelled."""
