"""The journal's segments on disk: opened and checked at start, appended, synced, rotated, and mended by a new segment.

Blocking; used by one thread. Takes finished lines of the chain; knows neither events nor who waits for them.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from hooptui.audit.chain import ABSENT, Chain, Record, genesis, line_hash, parse
from hooptui.audit.codec import MAX_LINE, Unreadable, decode_event, own_alert
from hooptui.audit.files import JournalError, Layout, pieces, sync_directory, sync_file, write_all
from hooptui.core.desk import JournalLine
from hooptui.core.events import TornTail

LONGEST = MAX_LINE + 256
"""Bytes of a journal line: an event's and what the chain puts around it."""
_BLOCK = 1 << 16


@dataclass(slots=True)
class _Segment:
    path: Path
    fd: int
    size: int
    """Bytes of whole lines handed to the kernel."""
    durable: int
    """Bytes known to be on stable storage."""
    trusted: bool = True
    """False after a failed sync or cut: what the file holds beyond `durable` is anybody's guess."""


class Journal:
    """The open end of the journal. A line put in stays in memory until it is durable, so that no failure loses it."""

    def __init__(self, layout: Layout, segment: _Segment, durable_seq: int, segment_bytes: int) -> None:
        self._layout = layout
        self._segment = segment
        self._segment_bytes = segment_bytes
        self._unwritten: list[bytes] = []
        self._unsynced: list[bytes] = []
        self.durable_seq = durable_seq

    @property
    def path(self) -> Path:
        """The segment in use."""
        return self._segment.path

    @property
    def full(self) -> bool:
        return self._segment.size >= self._segment_bytes

    @property
    def pending(self) -> int:
        """Lines that are not durable yet."""
        return len(self._unwritten) + len(self._unsynced)

    def put(self, lines: list[bytes]) -> None:
        """Take the next lines of the chain."""
        self._unwritten += lines

    def sync(self) -> None:
        """Write and make durable whatever was put in.

        Raises:
            OSError: nothing is lost, but only `recover` can go on.
        """
        segment = self._segment
        if self._unwritten:
            try:
                data = b"".join(self._unwritten)
                write_all(segment.fd, data)
            except OSError:
                self._cut(segment)
                raise
            segment.size += len(data)
            self._unsynced += self._unwritten
            self._unwritten = []
        if self._unsynced:
            try:
                sync_file(segment.fd)
            except OSError:
                segment.trusted = False
                raise
            segment.durable = segment.size
            self.durable_seq += len(self._unsynced)
            self._unsynced = []

    def rotate(self) -> None:
        """Go on in a new segment; everything put in is durable in the old one first. Raises OSError like `sync`."""
        self.sync()
        self._replace()

    def recover(self) -> int:
        """After a failure: cut off what cannot be trusted and go on in a new segment. Whatever is not durable is to be
        written again by the next `sync`; returns how many lines that are.

        Raises:
            OSError: it still does not work; may be tried again.
        """
        segment = self._segment
        if segment.trusted:
            # The write failed, not a sync: what went before it is in the file and may simply be synced.
            unwritten, self._unwritten = self._unwritten, []
            try:
                self.sync()
            finally:
                self._unwritten = unwritten + self._unwritten
            if segment.size:
                self._replace()
        else:
            self._unwritten = self._unsynced + self._unwritten
            self._unsynced = []
            if segment.durable:
                os.ftruncate(segment.fd, segment.durable)
            else:
                segment.path.unlink(missing_ok=True)
            self._replace()
        return len(self._unwritten)

    def close(self) -> None:
        os.close(self._segment.fd)

    def _replace(self) -> None:
        fresh = _create(self._layout, self.durable_seq + 1)
        os.close(self._segment.fd)
        self._segment = fresh

    def _cut(self, segment: _Segment) -> None:
        """Take a half-written batch off the file again."""
        try:
            os.ftruncate(segment.fd, segment.size)
        except OSError:
            segment.trusted = False


def _create(layout: Layout, first: int) -> _Segment:
    path = layout.segment(first)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(path, flags, 0o600)
    try:
        if os.fstat(fd).st_size:
            raise FileExistsError(errno.EEXIST, "there is a segment of this name already", str(path))
        sync_directory(layout.journal)
    except OSError:
        os.close(fd)
        raise
    return _Segment(path, fd, 0, 0)


# --- start ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    journal: Journal
    chain: Chain
    torn: TornTail | None
    """What a killed run left half-written; it is set aside already and has to be the first record of this run."""


def open_journal(layout: Layout, fingerprint: str, segment_bytes: int) -> Opened:
    """Check that every segment continues the one before and that each line of the last one does, then go on there.

    An unterminated last line is what a killed process leaves: it is copied to `*.torn` and cut off. Nothing else is mended.

    Raises:
        JournalError: the journal is broken, or is another key's.
        OSError: it cannot be read or written.
    """
    chain = genesis(fingerprint)
    segments = layout.segments()
    if not segments:
        return Opened(Journal(layout, _create(layout, 1), 0, segment_bytes), chain, None)
    for number, (first, path) in enumerate(segments):
        if first != chain.seq + 1:
            raise _broken(
                layout,
                path,
                0,
                f"begins with record {first}, but record {chain.seq + 1} is next; a segment is missing or was added",
            )
        if number == len(segments) - 1:
            break
        chain = _ends(layout, path, chain)
    torn = _walk(layout, path, chain)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    # The last run may have been killed before it synced what it wrote.
    sync_file(fd)
    size = os.fstat(fd).st_size
    return Opened(Journal(layout, _Segment(path, fd, size, size), chain.seq, segment_bytes), chain, torn)


def _walk(layout: Layout, path: Path, chain: Chain) -> TornTail | None:
    """Follow the chain through a segment, in place; sets an unterminated last line aside."""
    size = path.stat().st_size
    for piece in pieces(path, limit=LONGEST):
        if not piece.whole:
            if piece.start + len(piece.data) != size:
                raise _broken(layout, path, piece.number, f"longer than the {LONGEST} bytes that a line may have")
            _set_aside(layout, path, piece.start, piece.data)
            return TornTail(path.name, chain.seq, len(piece.data))
        try:
            record = parse(piece.data)
        except Unreadable as error:
            raise _broken(layout, path, piece.number, str(error)) from None
        if record.seq != chain.seq + 1 or record.prev.encode() != chain.hash:
            raise _broken(layout, path, piece.number, f"record {record.seq} does not follow from record {chain.seq}")
        chain.seq, chain.hash = record.seq, line_hash(piece.data)
    return None


def _ends(layout: Layout, path: Path, before: Chain) -> Chain:
    """The chain after an older segment, from its first and its last line alone; `hooptui verify` looks at all."""
    first = next(pieces(path, limit=LONGEST), None)
    last = _last(path)
    if first is None or not first.whole or last is None:
        raise _broken(layout, path, 1, "is empty or does not end with a whole line, though another segment follows")
    try:
        head, foot = parse(first.data), parse(last)
    except Unreadable as error:
        raise _broken(layout, path, 0, str(error)) from None
    if head.seq != before.seq + 1 or head.prev.encode() != before.hash:
        raise _broken(layout, path, 1, f"record {head.seq} does not follow from record {before.seq}")
    return Chain(foot.seq, line_hash(last))


def _last(path: Path) -> bytes | None:
    """The last line of a file, without its newline; None when it is unterminated or there is none."""
    with path.open("rb") as file:
        start = file.seek(0, os.SEEK_END)
        tail = b""
        while start > 0 and tail.count(b"\n", 0, -1) == 0 and len(tail) <= LONGEST:
            step = min(_BLOCK, start)
            start = file.seek(start - step)
            tail = file.read(step) + tail
    return tail[:-1].rpartition(b"\n")[2] if tail.endswith(b"\n") else None


def _set_aside(layout: Layout, path: Path, start: int, data: bytes) -> None:
    aside = path.with_name(f"{path.name}.{start}.torn")
    # A run killed right here leaves the same bytes under the same name: writing them again is right.
    for name, mode, end in ((aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, None), (path, os.O_WRONLY, start)):
        fd = os.open(name, mode | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if end is None:
                write_all(fd, data)
            else:
                os.ftruncate(fd, end)
            os.fsync(fd)
        finally:
            os.close(fd)
        sync_directory(layout.journal)


def _broken(layout: Layout, path: Path, line: int, what: str) -> JournalError:
    where = f"{path}:{line}" if line else str(path)
    return JournalError(
        f"{where}: {what}. The journal was damaged or changed, and hooptui does not write after a break. `hooptui verify`"
        f" shows all of it. Restore {layout.journal} from a copy, or keep it as evidence: move {layout.state} away and start anew"
    )


# --- reading back --------------------------------------------------------------------------------


def tail(state: Path, *, before: int | None = None, limit: int = 200) -> tuple[JournalLine, ...]:
    """The newest events with a sequence number below `before`, oldest first; of a journal in use too.

    A gap in recording is shown as an alert; checkpoints are left out.

    Raises:
        OSError: it cannot be read.
        Unreadable: a line in question is no record.
    """
    found: list[JournalLine] = []
    for first, path in reversed(Layout(state).segments()):
        if before is not None and first >= before:
            continue
        size = path.stat().st_size
        end = size if before is None else _offset(path, size, before)
        while end > 0 and len(found) < limit:
            start = _line_start(path, max(0, end - _BLOCK))
            start = start if start < end else _line_start_before(path, end)
            lines = [piece.data for piece in pieces(path, start=start, end=end, limit=LONGEST) if piece.whole]
            found += [shown for line in reversed(lines) if (shown := _shown(parse(line))) is not None]
            end = start
        if len(found) >= limit:
            break
    return tuple(reversed(found[:limit]))


def _shown(record: Record) -> JournalLine | None:
    if record.event is not ABSENT:
        return JournalLine(record.seq, decode_event(record.event))
    if record.gap is not None:
        return JournalLine(record.seq, own_alert(record.gap.at, "journal-gap", record.gap.words))
    return None


def _offset(path: Path, size: int, seq: int) -> int:
    """Where the first line of a sequence number of at least `seq` begins; by bisection, as the numbers only rise."""
    low, high = 0, size
    while low < high:
        middle = _line_start(path, (low + high) // 2)
        piece = next(pieces(path, start=middle, limit=LONGEST), None)
        if middle >= high or piece is None or not piece.whole:
            # No line begins between the middle and `high`: look at the one that does at or before the middle.
            middle = _line_start_before(path, high)
            piece = next(pieces(path, start=middle, limit=LONGEST))
        if piece.whole and parse(piece.data).seq < seq:
            low = piece.start + len(piece.data) + 1
        else:
            high = piece.start
    return low


def _line_start(path: Path, at: int) -> int:
    """The first beginning of a line at or after `at`; the file's end when there is none."""
    if at == 0:
        return 0
    piece = next(pieces(path, start=at - 1, limit=LONGEST), None)
    return at if piece is None else piece.start + len(piece.data) + piece.whole


def _line_start_before(path: Path, end: int) -> int:
    """The last beginning of a line before `end`."""
    with path.open("rb") as file:
        at = end - 1
        while at > 0:
            start = max(0, at - _BLOCK)
            file.seek(start)
            newline = file.read(at - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            at = start
    return 0
