"""Cancel keys handed out to clients, and which session each belongs to. Pure.

A client never sees the server's own key. Source: PostgreSQL documentation, "Canceling Requests in Progress": the key is four
bytes in protocol 3.0 and up to 256 in 3.2.
"""

from __future__ import annotations

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
        self._given: dict[int, tuple[bytes, str, T]] = {}

    def give(self, host: str, session: T, *, minor: int) -> CancelKey:
        """A new key for a session of a client at `host`, in the form of protocol 3.`minor`."""
        while True:
            # Clients keep it in a signed 32-bit number, and some take zero for none.
            pid = secrets.randbelow(0x7FFFFFFF) + 1
            if pid not in self._given:
                break
        key = secrets.token_bytes(32 if minor >= 2 else 4)
        self._given[pid] = (key, host, session)
        return CancelKey(pid, key)

    def take_back(self, key: CancelKey) -> None:
        self._given.pop(key.pid, None)

    def find(self, pid: int, key: bytes, host: str) -> T | None:
        """The session whose key this is. Its time tells nothing about how much of the key was right."""
        expected, owner, session = self._given.get(pid, (b"", "", None))
        right = hmac.compare_digest(expected, key)
        return session if right and owner == host and expected else None
