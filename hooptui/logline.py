"""Events as log lines for `hooptui serve`: one line each, `key=value`, safe for a terminal and for journald."""

from __future__ import annotations

import dataclasses
import datetime

from hooptui.core.events import Body, Event, Finished, Header, Omitted, Output, Rows
from hooptui.core.visible import visible

QUIET: tuple[type[Body], ...] = (Header, Rows, Output, Omitted, Finished)
"""What the recordings keep and a log need not repeat."""

LONGEST = 300
"""Characters of one value."""


def line(event: Event) -> str | None:
    """The line for an event, None for those that a log leaves out."""
    if isinstance(event.body, QUIET):
        return None
    at = datetime.datetime.fromtimestamp(event.at, datetime.UTC).isoformat(timespec="milliseconds")
    words = [at, type(event.body).__name__]
    if event.session:
        words.append(f"session={event.session}")
    for field in dataclasses.fields(event.body):
        value = getattr(event.body, field.name)
        if value in ("", (), None):
            continue
        words.append(f"{field.name}={_shown(value)}")
    return " ".join(words)


def _shown(value: object) -> str:
    text = ",".join(str(one) for one in value) if isinstance(value, tuple) else str(value)
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    text = visible(text)
    return f'"{text}"' if not text or any(character in text for character in ' "=') else text
