"""Cancel keys handed out to clients, and which session each belongs to. Pure.

A client never sees the server's own key. It does see the server's own process id, because clients take it for what
pg_backend_pid() says: they compare it with the sender of a notification and hand it to pg_terminate_backend(). Source: PostgreSQL documentation, "Canceling Requests in Progress": the key is four
bytes in protocol 3.0 and up to 256 in 3.2.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CancelKey:
    """What a client shows to cancel its own session."""

    pid: int
    key: bytes

    def __repr__(self) -> str:
        return f"CancelKey(pid={self.pid}, key=***)"


class CancelKeys(Generic[T]):
    """The keys that are out. A key is good only from the address it was given to."""

    def __init__(self) -> None:
        self._given: dict[tuple[int, bytes], tuple[bytes, str, T]] = {}

    def give(self, host: str, session: T, *, pid: int, minor: int) -> CancelKey:
        """A new key for a session of a client at `host`, in the form of protocol 3.`minor`; `pid` is its backend's.

        Several targets may have a backend of the same number, so the pid alone names nobody.
        """
        size = 32 if minor >= 2 else 4
        while True:
            key = secrets.token_bytes(size)
            if (pid, _name(key)) not in self._given:
                break
        self._given[pid, _name(key)] = (key, host, session)
        return CancelKey(pid, key)

    def take_back(self, key: CancelKey) -> None:
        self._given.pop((key.pid, _name(key.key)), None)

    def find(self, pid: int, key: bytes, host: str) -> T | None:
        """The session whose key this is. Its time tells nothing about how much of the key was right."""
        expected, owner, session = self._given.get((pid, _name(key)), (b"", "", None))
        right = hmac.compare_digest(expected, key)
        return session if right and owner == host and expected else None


def _name(key: bytes) -> bytes:
    """What a key is filed under: looking it up tells a guesser nothing about the key itself."""
    return hashlib.sha256(key).digest()
