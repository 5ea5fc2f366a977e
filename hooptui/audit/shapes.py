"""The outer shape of an event's line. Apart from `encoding`, because a class that msgspec makes cannot be compiled."""

from __future__ import annotations

import msgspec


class Written(msgspec.Struct, gc=False):
    """A line with its body as it is, so that one call of the encoder makes the whole of it."""

    at: float
    session: str
    kind: str
    data: object
