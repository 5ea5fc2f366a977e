"""How much a Kubernetes client may take of the gateway: time, bytes, connections."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """All bounds of one listener."""

    handshake: float = 10.0
    """Seconds from accept to the end of the TLS handshake."""
    head: float = 10.0
    """Seconds from the first byte of a request to the end of its head."""
    body: float = 60.0
    """Seconds for a request's body; an API server itself gives 60 to a whole request."""
    idle: float = 180.0
    """Seconds that a connection may be open without a request."""
    answer: float = 90.0
    """Seconds from a request to the head of the API server's answer; watches and logs send theirs at once."""
    stall: float = 60.0
    """Seconds in which a client must have taken something of what it is sent."""
    connections: int = 1000
    per_peer: int = 200
    """Connections from one address at a time."""
    unproved: int = 200
    """Connections that have not proved an identity yet, from all addresses together."""
    sessions: int = 8
    """Identities and clusters that one connection may carry one after the other, as a proxy's does."""
    head_size: int = 64 * KIB
    body_size: int = 3 * MIB
    """Bytes of a request's body; an API server takes no more."""
    whole: int = 256 * KIB
    """Bytes of an answer that is read whole before the first of it goes on, so that what was masked can be said in its head."""
    ahead: int = 256 * KIB
    """Bytes that a side may send ahead of the other before it is not read any more."""
    message: int = 4 * MIB
    """Bytes of one WebSocket message."""
