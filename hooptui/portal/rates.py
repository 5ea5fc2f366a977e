"""How often one address may do a thing: token buckets in bounded memory. Knows no HTTP and no wall clock."""

from __future__ import annotations

from collections import OrderedDict

from hooptui.peers import origin


class Rates:
    """A bucket for each origin: `burst` at once, then one each `every` seconds.

    Of more than `limit` origins the one that asked longest ago is forgotten, which gives it a full bucket: `limit` such
    addresses cost more than the bucket is worth.
    """

    def __init__(self, *, burst: int, every: float, limit: int = 8192) -> None:
        self._burst = float(burst)
        self._every = every
        self._limit = limit
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Tokens that were left, and when."""

    def take(self, peer: str, at: float) -> float:
        """Take one token for the origin of `peer` (`address:port`) at `at` (monotonic seconds).

        Returns 0 when there was one, otherwise the seconds until there is.
        """
        where = origin(peer)
        left, then = self._buckets.pop(where, (self._burst, at))
        left = min(self._burst, left + max(0.0, at - then) / self._every)
        wait = 0.0 if left >= 1 else (1 - left) * self._every
        self._buckets[where] = (left - 1 if left >= 1 else left, at)
        while len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._buckets)
