"""A terminal of a recording as an asciicast, for any player: version 3, or 2. Pure; knows no file.

The recording stays the one sealed source: a cast is made from it when one is wanted, so that there is nothing else to seal,
to mask or to keep. What is in it is what the client saw, control sequences and all; the lines themselves are inert.

Formats: https://docs.asciinema.org/manual/asciicast/v3/ and …/v2/.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from hooptui.core.events import (
    Asked,
    Body,
    Decided,
    Event,
    Finished,
    Frozen,
    Held,
    KillAsked,
    KillDone,
    Omitted,
    SessionOpened,
    Voted,
)
from hooptui.core.events_channels import TerminalOpened, TerminalOutput, TerminalResized
from hooptui.core.visible import visible

VERSIONS: Final = (3, 2)
_LABEL: Final = 200
_SIZES: Final = (1, 9999)
_COMMON: Final = (80, 24)


class NoTerminal(ValueError):
    """The recording has no such terminal, or more than one; the message says which there are."""


def choose(events: Iterable[Event], channel: int | None) -> int:
    """The operation whose terminal is meant: `channel`, or the only one there is.

    Raises:
        NoTerminal: it is none, or it has to be said which one.
    """
    found = [event.body.operation for event in events if isinstance(event.body, TerminalOpened)]
    if channel is not None and channel in found:
        return channel
    some = ", ".join(map(str, found[:20])) + (" …" if len(found) > 20 else "")
    if channel is not None:
        raise NoTerminal(f"found channel {channel}, expected one with a terminal: {some or 'there is none'}")
    if len(found) == 1:
        return found[0]
    raise NoTerminal(f"expected a channel, one of {some}" if found else "this session had no terminal")


def cast(events: Iterable[Event], operation: int, version: int = 3) -> Iterator[str]:
    """The lines of a cast, without newlines: of the terminal of this operation, with what else happened meanwhile as markers.

    Raises:
        ValueError: no such version.
    """
    if version not in VERSIONS:
        raise ValueError(f"found asciicast version {version}, expected 3 or 2")
    words, target, writer = "", "", _Writer(version)
    for event in events:
        body = event.body
        if isinstance(body, SessionOpened):
            target = body.target
        elif isinstance(body, Asked) and body.operation == operation and not writer.begun:
            words = body.text
        if isinstance(body, TerminalOpened) and body.operation == operation:
            yield writer.header(event, body, words, target)
            continue
        if not writer.begun:
            continue
        last = _of(body, operation)
        if last is not None:
            yield writer.line(event.at, *last)
        if isinstance(body, Finished) and body.operation == operation:
            return


def _of(body: Body, operation: int) -> tuple[str, str] | None:
    """Code and data of what an event is in a cast; None for what is in none."""
    match body:
        case TerminalOutput(operation=number, text=text):
            return ("o", text) if number == operation else None
        case TerminalResized(operation=number, columns=columns, rows=rows):
            return ("r", "x".join(map(str, _size(columns, rows)))) if number == operation else None
        case Finished(operation=number, tag=tag):
            return ("x", str(_status(tag))) if number == operation else None
        case Omitted(operation=number, bytes=octets):
            return ("m", f"{octets} bytes beyond the recording's cap") if number == operation else None
        case _:
            label = _label(body)
            return ("m", visible(label[:_LABEL])) if label else None


def _label(body: Body) -> str:
    match body:
        case Asked(operation=number, text=text):
            return f"asked {number}: {text}"
        case Held(approval=number, rule=rule):
            return f"held #{number} by {rule}"
        case Voted(approval=number, name=name, approve=approve):
            return f"{name} {'approves' if approve else 'denies'} #{number}"
        case Decided(effect="deny", operation=number, why=why):
            return f"refused {number}: {why}"
        case Frozen(on=on):
            return "frozen" if on else "thawed"
        case KillAsked(by=by):
            return f"killed by {by}"
        case KillDone(confirmed=confirmed):
            return "kill confirmed" if confirmed else "kill NOT confirmed"
        case _:
            return ""


@dataclass
class _Writer:
    """Lines of one version. Version 3 counts time from the line before, version 2 from the first."""

    version: int
    begun: bool = False
    _start: int = 0
    _last: int = 0

    def header(self, event: Event, body: TerminalOpened, words: str, target: str) -> str:
        self.begun, self._start = True, _micros(event.at)
        self._last = self._start
        columns, rows = _size(body.columns, body.rows)
        term, stamp = visible(body.term[:_LABEL]), int(event.at)
        title = visible(f"{target}: {words}"[:_LABEL])
        if self.version == 3:
            kind = {"cols": columns, "rows": rows} | ({"type": term} if term else {})
            return _json({"version": 3, "term": kind, "timestamp": stamp, "title": title})
        kind = {"version": 2, "width": columns, "height": rows}
        return _json(kind | {"timestamp": stamp, "title": title, "env": {"TERM": term}})

    def line(self, at: float, code: str, data: str) -> str:
        """One event."""
        if code == "x" and self.version == 2:
            code, data = "m", f"exit {data}"
        # Clocks may be set back; time in a cast only goes on. Whole microseconds, lest small errors add up.
        now = max(self._last, _micros(at))
        since, self._last = now - (self._last if self.version == 3 else self._start), now
        return _json([since / 1_000_000, code, data])


def _micros(at: float) -> int:
    return round(at * 1_000_000)


def _json(value: object) -> str:
    # ASCII alone, so that the file itself does nothing to a terminal that it is printed on.
    return json.dumps(value, separators=(", ", ": "))


def _size(columns: int, rows: int) -> tuple[int, int]:
    """A client may name none at all."""
    least, most = _SIZES
    if columns < least or rows < least:
        return _COMMON
    return min(columns, most), min(rows, most)


def _status(tag: str) -> int:
    """The exit status in the words of a Finished, as a shell would give it; 255 where there was none."""
    word, _, rest = tag.partition(" ")
    if word == "exit" and rest.isascii() and rest.isdecimal() and len(rest) <= 10:
        return int(rest)
    if word == "signal" and f"SIG{rest}" in signal.Signals.__members__:
        return 128 + signal.Signals[f"SIG{rest}"]
    return 255
