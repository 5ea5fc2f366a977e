"""How one operation went, gathered while it runs and written down once: before its client has the end of it."""

from __future__ import annotations

from collections.abc import Mapping

from hooptui.core.session import Session


class Tally:
    """Of one operation that was let go."""

    def __init__(self, session: Session, number: int) -> None:
        self.masked = 0
        self.rules: set[str] = set()
        self.number = number
        self._session = session
        self._began = session.house.clock.monotonic()
        self._settled = False

    def count(self, masked: Mapping[str, int]) -> None:
        """Values that were masked, by rule."""
        self.masked += sum(masked.values())
        self.rules |= {rule for rule, count in masked.items() if count}

    def settle(self, tag: str, ok: bool) -> None:
        """Write it down, the first time."""
        if self._settled:
            return
        self._settled = True
        seconds = self._session.house.clock.monotonic() - self._began
        self._session.finished(
            self.number, tag, ok=ok, rows=0, masked=self.masked, seconds=seconds, masks=tuple(sorted(self.rules))
        )
