"""Small events between `append` and their lines: encoded and chained some dozens at a time, in the order they came.

One after another they find the encoder's code and tables in the processor's caches, which alone, between two messages of a
session, they do not: that is the greater part of what they cost. Whatever needs the chain's end, or durability, settles
first, so nobody can tell. Knows no file; the caller holds the log's lock.
"""

from __future__ import annotations

import sys
from typing import Final, cast

from hooptui.audit.encoding import encode_events
from hooptui.audit.shared import Shared
from hooptui.audit.tail import Chain
from hooptui.core.events import Asked, Decided, Finished, Header, Rows
from hooptui.core.happening import Event

LARGEST: Final = sys.float_info.max
"""Whatever is not between it and its negative is no finite number."""
MANY: Final = 64
"""Events that are settled together at the latest."""

SMALL: Final = 4096
"""Characters in the free text of an event that may wait: however they are escaped, its line is far below `MAX_LINE`."""
FEW: Final = 4
"""Rows in such an event."""
NARROW: Final = 32
"""Values in a row of it. A transcript's values are cut to a few hundred characters."""


def light(event: Event) -> bool:
    """Whether this event may wait for its line: it is small, and nothing about it can be unwritable."""
    body = event.body
    kind = type(body)
    if not -LARGEST <= event.at <= LARGEST:
        return False
    if kind is Finished:
        done = cast(Finished, body)
        return len(done.tag) <= SMALL and -LARGEST <= done.milliseconds <= LARGEST
    if kind is Asked:
        asked = cast(Asked, body)
        size = len(asked.text)
        for value in asked.parameters:
            size += 8 if value is None else 8 + len(value)
        return size <= SMALL
    if kind is Rows:
        rows = cast(Rows, body).rows
        return len(rows) <= FEW and all(len(row) <= NARROW for row in rows)
    if kind is Header:
        size = 0
        for name in cast(Header, body).columns:
            size += 8 + len(name)
        return size <= SMALL
    return kind is Decided


def settle(shared: Shared, chain: Chain) -> None:
    """Make the lines of everything staged.

    Raises:
        Unwritable: one of them was not light after all; all of them stay staged, so nothing gets past them any more.
    """
    events, recordings = shared.staged, shared.staged_for
    if not events:
        return
    lines = encode_events(events)
    shared.staged, shared.staged_for = [], []
    size = 0
    for at, line in enumerate(lines):
        if events[at].body.kept == "journal":
            entry = chain.event(line)
            shared.lines.append(entry)
            size += len(entry)
        recording = recordings[at]
        if recording is not None:
            buffer = recording.buffer
            if not buffer:
                shared.dirty.append(recording)
            buffer.append(line)
            buffer.append(b"\n")
            size += len(line) + 1
    shared.waiting += size
