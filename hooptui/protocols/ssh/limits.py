"""How much an SSH client may take of the gateway: time, bytes, connections, channels."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """All bounds of one listener."""

    handshake: float = 30.0
    """Seconds from accept to a proved identity; people type passwords within it."""
    connections: int = 1000
    per_peer: int = 200
    """Connections from one address at a time."""
    unproved: int = 100
    """Connections that have not proved an identity yet, from all addresses together."""
    browsers: int = 200
    """Connections that wait for a person with a browser, from all addresses together; not counted as unproved meanwhile."""
    attempts: int = 6
    """Wrong passwords on one connection."""
    keys: int = 24
    """Public keys on one connection that let nobody in. More than sshd takes (6), since a client with a password and an agent shows
    all that the agent has before it asks for the password, and plain keys are for the gateway's targets."""
    channels: int = 100
    """Channels open at a time on one connection, sessions and forwards together."""
    listeners: int = 16
    """Ports and sockets that one connection may have listened on at the target."""
    command: int = 128 * KIB
    """Bytes of one command line; a Linux system takes no longer argument."""
    ahead: int = 256 * KIB
    """Bytes of input kept while an operation waits; beyond it the client is not read."""
    window: int = 1 * MIB
    """Bytes that a channel may have on its way. Who stops reading costs this for the target's channel and less than as much
    again on its own connection (`transport.HIGH` and `scratch.READ`): 2 MiB at most, 1.7 as measured."""
    environment: int = 64
    """Variables that a channel may set."""
    rekey: int = 1024 * MIB
    """Bytes after which the gateway asks a side for new keys (RFC 4253 section 9); in any case after an hour."""
    keepalive: float = 30.0
    """Seconds of silence after which a side is asked whether it lives; three times without an answer, and it is gone."""
