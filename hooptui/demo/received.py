"""What the demo's agents received, kept to be searched for what they should not have."""

from __future__ import annotations

MAX_KEPT = 32 * 1024 * 1024
"""Bytes of what one run's agents received that are kept for the leak search."""


class Received:
    """Every byte the agents got, for the leak search; bounded, and honest when the bound was met."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, bytes]] = []
        self._size = 0
        self.cut = False

    def add(self, who: str, content: bytes) -> None:
        if self._size + len(content) > MAX_KEPT:
            self.cut = True
            return
        self._size += len(content)
        self._parts.append((who, content))

    def places(self) -> list[tuple[str, bytes]]:
        """Joined by agent, so that no secret hides across two reads."""
        joined: dict[str, bytearray] = {}
        for who, content in self._parts:
            joined.setdefault(who, bytearray()).extend(content)
        return [(who, bytes(content)) for who, content in joined.items()]


class Nothing(Received):
    """Keeps nothing, for the interactive demo."""

    def add(self, who: str, content: bytes) -> None:
        """Forget it."""
