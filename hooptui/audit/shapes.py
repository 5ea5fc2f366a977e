"""The shapes of lines that are written. Apart from `encoding` and `tail`, because a class that msgspec makes cannot be compiled."""

from __future__ import annotations

import msgspec


class Written(msgspec.Struct, gc=False):
    """A line with its body as it is, so that one call of the encoder makes the whole of it."""

    at: float
    session: str
    kind: str
    data: object


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever holds the key vouches for everything up to and including record `seq - 1`."""

    at: float
    key: str
    """Fingerprint of the public key."""
    sig: str
    """Ed25519 signature over `signed(seq, prev, at, key)`, lower-case hex."""


class Gap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Recording had stopped and goes on. Records up to `after` had been acknowledged as durable before; the `again` that
    follow it were not, were kept in memory, and are written before this one."""

    at: float
    since: float
    segment: str
    after: int
    again: int
    error: str

    @property
    def words(self) -> str:
        return (
            f"the journal could not be written for {self.at - self.since:.1f} s ({self.error}); records up to"
            f" {self.after} were durable before, the {self.again} after it were written again from memory"
        )
