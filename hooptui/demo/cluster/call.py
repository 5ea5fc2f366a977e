"""One request to the API server and its answer, before and after everything else.

Knows HTTP's parts; knows no socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

MAX_BODY = 3 * 1024 * 1024
"""What the real server takes."""


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read whole."""

    method: str
    path: str
    """Decoded, as Go's net/http does it before routing: an encoded slash is a slash."""
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Lower-case names; several of one name joined by commas."""
    body: bytes
    user: User

    def asked(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)

    def flag(self, name: str) -> bool:
        """A boolean parameter as the real server reads it: present is true, unless it says `0` or `false`."""
        return any(key == name for key, _ in self.query) and self.asked(name).lower() not in ("0", "false")

    @property
    def upgrade(self) -> str:
        """`websocket`, `spdy/3.1`, or empty."""
        return (
            self.headers.get("upgrade", "").lower() if "upgrade" in self.headers.get("connection", "").lower() else ""
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: whole, or in pieces as they come."""

    status: int
    body: bytes | AsyncIterator[bytes]
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Takeover:
    """The connection is no longer HTTP/1.1: `run` gets it, first bytes and all, and writes its own 101."""

    run: Callable[[Pipe], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pipe:
    """A connection that was taken over."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    first: bytes
    """What was read beyond the head."""
