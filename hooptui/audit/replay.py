"""Recordings read back, also while they are written: by slice, by index, as a list. Reads lazily and changes nothing.

A position is an offset in the file at which a line begins; 0 is the start. Half a line at the end is what a live session is
writing just now, or what a killed run left: it is never returned, and `Index.torn` names it.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from hooptui.audit.codec import MAX_LINE, Unreadable, beginning, decode_event
from hooptui.audit.files import Layout, Piece, locked, pieces, session_name
from hooptui.audit.plain import plain as plain
from hooptui.core.desk import RecordingView
from hooptui.core.events import Asked, Decided, Event, Held, SessionClosed, SessionOpened
from hooptui.core.gate import Masked
from hooptui.core.session import READ_ONLY

VIA: Final = {"postgres": "pg", "ssh": "ssh", "kubernetes": "k8s"}
_SLICE: Final = 8 << 20
"""Bytes of lines that one slice reads at most, unless its first line alone is longer."""
_TAIL: Final = 64 << 10
_MARKS: Final = 200_000
_TEXT: Final = 200


class NoRecording(ValueError):
    """There is no such recording, or more than one; the message says which."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One operation in a recording."""

    operation: int
    position: int
    """Of its Asked."""
    at: float
    text: Masked
    """Its first characters."""
    risky: bool = False
    """It was held or denied, or it wrote."""


@dataclass(frozen=True, slots=True)
class Index:
    """Where the operations of a recording are."""

    marks: tuple[Mark, ...]
    events: int
    opened_at: float
    """Unix seconds of the first event; 0 when there is none."""
    last_at: float
    end: int
    """Position after the last whole line; a live recording may go on there."""
    torn: int
    """Bytes of half a line after it."""
    complete: bool
    """False when there are more operations than an index holds."""

    @property
    def duration(self) -> float:
        """Seconds from the first event to the last."""
        return max(0.0, self.last_at - self.opened_at)


def find(state: Path, session: str) -> str:
    """The full name of the one recorded session whose name begins with `session`.

    Raises:
        NoRecording: none does, several do, or it cannot be a name.
        OSError: the recordings cannot be read.
    """
    try:
        start = session_name(session.strip().lower())
    except ValueError as error:
        raise NoRecording(str(error)) from None
    found: set[str] = set()
    for _, path, named in Layout(state).recorded():
        if named and path.stem == start:
            return start
        if named and path.stem.startswith(start):
            found.add(path.stem)
    if len(found) != 1:
        some = ", ".join(sorted(found)[:5])
        raise NoRecording(
            f"several recordings begin with {start}: {some}" if found else f"there is no recording of a session {start}"
        )
    return found.pop()


def lines(state: Path, session: str) -> Iterator[bytes]:
    """The whole lines of a recording as they are in the file, without newlines.

    Raises:
        NoRecording: there is none.
        OSError: it cannot be read.
    """
    return (piece.data for piece in pieces(_path(state, session), limit=MAX_LINE) if piece.whole)


def stream(state: Path, session: str) -> Iterator[Event]:
    """All events of a recording, in order.

    Raises:
        NoRecording: there is none.
        Unreadable: a line is none of ours; the message names the file and where.
        OSError: it cannot be read.
    """
    path = _path(state, session)
    return (_event(path, piece) for piece in pieces(path, limit=MAX_LINE) if piece.whole)


def events(state: Path, session: str, after: int = 0, limit: int = 2000) -> tuple[tuple[Event, ...], int]:
    """At most `limit` events from position `after`, and the position to go on from: the same one when there are no more yet.

    A session that has recorded nothing yet has no events.

    Raises:
        ValueError: `after` is not where a line begins.
        Unreadable, OSError: as for `stream`.
    """
    try:
        path = _path(state, session)
    except NoRecording:
        return (), after
    if after and not _begins(path, after):
        raise ValueError(f"position {after} of {path} is not where a line begins")
    found: list[Event] = []
    position = after
    for piece in pieces(path, start=after, limit=MAX_LINE):
        if not piece.whole or len(found) >= limit or (found and position - after > _SLICE):
            break
        found.append(_event(path, piece))
        position = piece.start + len(piece.data) + 1
    return tuple(found), position


def index(state: Path, session: str, known: Index | None = None) -> Index:
    """Where the operations are; with the index of an earlier look, only what came since is read.

    Raises:
        NoRecording, Unreadable, OSError: as for `stream`.
    """
    path = _path(state, session)
    marks = {mark.operation: mark for mark in known.marks} if known else {}
    count, opened, last, end, complete = (
        (known.events, known.opened_at, known.last_at, known.end, known.complete) if known else (0, 0.0, 0.0, 0, True)
    )
    torn = 0
    for piece in pieces(path, start=end, limit=MAX_LINE):
        if not piece.whole:
            torn = len(piece.data)
            break
        event = _event(path, piece)
        opened = event.at if not count else opened
        count, last, end = count + 1, event.at, piece.start + len(piece.data) + 1
        match event.body:
            case Asked() as asked if len(marks) >= _MARKS and asked.operation not in marks:
                complete = False
            case Asked() as asked:
                text = beginning(asked.text, _TEXT)
                writes = not READ_ONLY.issuperset(asked.commands)
                marks[asked.operation] = Mark(asked.operation, piece.start, event.at, text, writes)
            case Held(operation=number) | Decided(operation=number, effect="deny"):
                if (mark := marks.get(number)) is not None and not mark.risky:
                    marks[number] = Mark(number, mark.position, mark.at, mark.text, True)
            case _:
                continue
    return Index(tuple(marks.values()), count, opened, last, end, torn, complete)


def list_recordings(state: Path, limit: int = 200, *, live: Collection[str] | None = None) -> tuple[RecordingView, ...]:
    """The recordings written to last, newest session first; reads head and tail of each.

    `live` names the sessions that run; None finds out: marked as open, while a gateway holds the lock.

    Raises:
        OSError: the recordings cannot be read.
    """
    layout = Layout(state)
    if live is None:
        live = {session for _, session in layout.markers()} if locked(layout.lock) else ()
    newest: list[Path] = []
    for _, some in groupby(layout.recorded(), key=lambda one: one[0]):
        dated = ((path.stat().st_mtime, path) for _, path, named in some if named)
        newest += [path for _, path in heapq.nlargest(limit - len(newest), dated)]
        if len(newest) >= limit:
            break
    views = (_view(path, live) for path in newest)
    return tuple(sorted((view for view in views if view), key=lambda view: view.opened_at, reverse=True))


def _view(path: Path, live: Collection[str]) -> RecordingView | None:
    """None for a recording without a readable begin: there is nothing to show of it, and `verify` tells."""
    size = path.stat().st_size
    head = next(pieces(path, limit=MAX_LINE), None)
    try:
        first = decode_event(head.data) if head is not None and head.whole else None
    except Unreadable:
        return None
    if first is None or not isinstance(first.body, SessionOpened):
        return None
    closed_at, operations = None, 0
    for piece in pieces(path, start=_near_end(path, size), limit=MAX_LINE):
        try:
            event = decode_event(piece.data) if piece.whole else None
        except Unreadable:
            continue
        match event:
            case Event(body=SessionClosed(operations=total)):
                closed_at, operations = event.at, total
            case Event(body=Asked(operation=number) | Decided(operation=number)):
                operations = max(operations, number)
            case _:
                continue
    opened = first.body
    via = VIA.get(opened.protocol, opened.protocol)
    alive = closed_at is None and path.stem in live
    return RecordingView(path.stem, opened.name, opened.target, via, first.at, closed_at, operations, size, alive)


def _near_end(path: Path, size: int) -> int:
    """Where a line begins within the last bytes; the last line's begin when that alone is longer."""
    start = max(0, size - _TAIL)
    while start > 0:
        first = next(pieces(path, start=start, limit=MAX_LINE), None)
        if first is not None and first.whole and first.start + len(first.data) + 1 < size:
            return first.start + len(first.data) + 1
        start = max(0, start - 16 * _TAIL)
    return 0


def _event(path: Path, piece: Piece) -> Event:
    try:
        return decode_event(piece.data)
    except Unreadable as error:
        raise Unreadable(f"{path} at byte {piece.start}: {error}") from None


def _begins(path: Path, position: int) -> bool:
    with path.open("rb") as file:
        file.seek(position - 1)
        return file.read(1) == b"\n"


def _path(state: Path, session: str) -> Path:
    """The newest recording of a session. Raises NoRecording, OSError."""
    layout = Layout(state)
    try:
        for day in layout.days():
            path = layout.recording(day, session)
            if path.exists():
                return path
    except ValueError as error:
        raise NoRecording(str(error)) from None
    raise NoRecording(f"there is no recording of a session {session}")
