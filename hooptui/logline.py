"""Events as log lines for `hooptui serve`: one line each, `key=value`, safe for a terminal and for journald.

What the policy lets go by itself has no line: the journal has it, and thousands of lines a second would slow the very sessions
that they are about.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator

from hooptui.core.events import Asked, Body, Decided, Event, Finished, Header, Omitted, Output, Rows
from hooptui.core.visible import visible

QUIET: frozenset[type[Body]] = frozenset({Header, Rows, Output, Omitted, Finished})
"""What the recordings keep and a log need not repeat."""

UNDECIDED = 4096
"""Sessions whose last question is kept until it is known whether it is worth a line."""

LONGEST = 300
"""Characters of one value."""


class Log:
    """Which events get a line: all but QUIET and, with its question, what the policy alone allowed."""

    def __init__(self) -> None:
        self._asked: dict[str, Event] = {}

    def lines(self, events: Iterable[Event]) -> Iterator[str]:
        """The lines of these events, in their order; a question comes when what became of it does."""
        asked = self._asked
        for event in events:
            body = event.body
            if type(body) in QUIET:
                continue
            if isinstance(body, Asked):
                if len(asked) >= UNDECIDED:
                    asked.pop(next(iter(asked)))
                asked[event.session] = event
                continue
            question = asked.pop(event.session, None) if asked else None
            if isinstance(body, Decided) and body.effect == "allow" and body.why == "policy":
                continue
            if question is not None:
                yield line(question)
            yield line(event)


def line(event: Event) -> str:
    """The line for an event."""
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
