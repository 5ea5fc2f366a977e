"""Wrong guesses counted: too many within a while, and nobody is heard for a while. Knows no lease, no socket and no wall clock.

Times are seconds on the clock that never goes back, so that no change of the wall's clock shortens a lock-out.
"""

from __future__ import annotations

from collections import OrderedDict, deque


class Lockout:
    """Counts wrong guesses by key: one counter for leases, one for where guesses come from.

    Memory is bounded: of more than `limit` keys the one that was wrong longest ago is forgotten. Whoever wants a counter
    forgotten has to be wrong `limit` times elsewhere first, each time counted too.
    """

    def __init__(self, *, guesses: int, window: float, lasts: float, limit: int = 4096) -> None:
        """`guesses` wrong ones within `window` seconds lock a key for `lasts` seconds."""
        self._guesses = guesses
        self._window = window
        self._lasts = lasts
        self._limit = limit
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        """The one that was wrong last comes last."""
        self._locked: OrderedDict[str, float] = OrderedDict()
        """When each lock-out ends; since all last equally long, the first one ends first."""

    def left(self, key: str, at: float) -> float:
        """Seconds for which this key is still locked out; 0 when it is not."""
        until = self._locked.get(key)
        if until is None:
            return 0.0
        if until > at:
            return until - at
        del self._locked[key]
        return 0.0

    def failed(self, key: str, at: float) -> bool:
        """Count one wrong guess; True when it is the one that locks the key out. While locked out nothing is counted."""
        if self.left(key, at):
            return False
        times = self._wrong.pop(key, None) or deque(maxlen=self._guesses)
        while times and times[0] <= at - self._window:
            times.popleft()
        times.append(at)
        if len(times) >= self._guesses:
            self._locked[key] = at + self._lasts
            _trim(self._locked, self._limit)
            return True
        self._wrong[key] = times
        _trim(self._wrong, self._limit)
        return False

    def __len__(self) -> int:
        """Keys remembered; at most twice the limit."""
        return len(self._wrong) + len(self._locked)


def _trim(table: OrderedDict[str, deque[float]] | OrderedDict[str, float], limit: int) -> None:
    while len(table) > limit:
        table.popitem(last=False)
