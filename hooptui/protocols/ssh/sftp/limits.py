"""What the guards of file transfers are given: how to ask, where to send, and how much one channel may take of the gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hooptui.core.gate import Permit
from hooptui.core.model import Operation

Ask = Callable[[Operation], Awaitable[Permit]]
"""Raises Refused. `lambda operation: session.ask(operation, tell)`."""

Send = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Beyond `waiting`, `waiting_bytes` or `in_flight` the client is not read."""

    waiting: int = 64
    """Requests that are judged or wait for one that is."""
    waiting_bytes: int = 2 * 1024 * 1024
    in_flight: int = 1024
    """Requests that the target has not answered."""
    handles: int = 1000
    backlog: int = 4 * 1024 * 1024
    """Bytes of the client that are taken while it is not to be read: what one SSH window may still hold."""


LIMITS = Limits()
