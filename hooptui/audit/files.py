"""Where the audit log's files lie and how they are opened, listed, locked and read line by line. Knows no JSON.

<state>/journal.key journal.pub fingerprint.key
<state>/journal/lock                        held with flock by the one gateway that writes
<state>/journal/000000000001.jsonl          a segment, named by its first sequence number
<state>/journal/000000000001.jsonl.<n>.torn what a killed run left half-written at byte n
<state>/recordings/2025-01-31/<session>.jsonl
<state>/recordings/live/2025-01-31.<session>  empty; there while the recording is not sealed
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SEGMENT: Final = re.compile(r"([0-9]{12,18})\.jsonl")
_SESSION: Final = re.compile(r"[0-9a-f]{1,64}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BLOCK: Final = 1 << 20


class JournalError(Exception):
    """The audit log cannot be opened as it is; the message says which file and line, and what to do. For exit status 2."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths under one state directory."""

    state: Path

    @property
    def journal(self) -> Path:
        return self.state / "journal"

    @property
    def lock(self) -> Path:
        return self.journal / "lock"

    @property
    def recordings(self) -> Path:
        return self.state / "recordings"

    @property
    def live(self) -> Path:
        return self.recordings / "live"

    def segment(self, first: int) -> Path:
        return self.journal / f"{first:012}.jsonl"

    def segments(self) -> list[tuple[int, Path]]:
        """First sequence number and path, in order. Raises OSError."""
        found = ((_SEGMENT.fullmatch(path.name), path) for path in self.journal.iterdir())
        return sorted((int(match[1]), path) for match, path in found if match)

    def recording(self, day: str, session: str) -> Path:
        """Raises ValueError when `session` is no session's name or `day` no day."""
        return self.recordings / _day(day) / f"{session_name(session)}.jsonl"

    def marker(self, day: str, session: str) -> Path:
        return self.live / f"{_day(day)}.{session_name(session)}"

    def markers(self) -> list[tuple[str, str]]:
        """Day and session of every recording that is not sealed yet. Raises OSError."""
        parts = (path.name.partition(".") for path in self.live.iterdir())
        return sorted((day, rest) for day, _, rest in parts if _DAY.fullmatch(day) and _SESSION.fullmatch(rest))

    def days(self) -> list[str]:
        """Days that have recordings, newest first. Raises OSError."""
        return sorted((path.name for path in self.recordings.iterdir() if _DAY.fullmatch(path.name)), reverse=True)

    def recorded(self) -> Iterator[tuple[str, Path, bool]]:
        """Day and path of everything in the days' directories, newest day first; True when it is named as a recording is.

        Raises OSError."""
        for day in self.days():
            for path in (self.recordings / day).iterdir():
                yield day, path, path.suffix == ".jsonl" and _SESSION.fullmatch(path.stem) is not None

    def make(self) -> None:
        """Make the directories, 0700. Raises OSError, and JournalError when others may write to one of them."""
        for path in (self.state, self.journal, self.recordings, self.live):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = path.stat().st_mode
            if mode & 0o022:
                raise JournalError(f"{path}: others may write to it (mode {mode & 0o777:03o}); chmod 700 {path}")
            if path is not self.state and mode & 0o077:
                path.chmod(0o700)


def session_name(session: str) -> str:
    """`session` if it can be a file's name: 1 to 64 lower-case hex digits. Raises ValueError."""
    if not _SESSION.fullmatch(session):
        raise ValueError("a session's name is 1 to 64 lower-case hex digits")
    return session


def day_of(at: float) -> str:
    """The UTC day of a Unix time: `2025-01-31`. Raises ValueError when it is in no year of four digits."""
    try:
        return _day(time.strftime("%Y-%m-%d", time.gmtime(at)))
    except (OverflowError, OSError):
        raise ValueError("a time beyond the calendar") from None


def _day(day: str) -> str:
    if not _DAY.fullmatch(day):
        raise ValueError("a day is written 2025-01-31")
    return day


# --- the lock ------------------------------------------------------------------------------------


def lock(path: Path, *, patience: float = 0.5) -> int:
    """Take the exclusive lock; the caller closes the file descriptor it gets.

    Waits up to `patience` seconds, because a reader's look (`locked`) takes it for a moment.

    Raises:
        JournalError: another process has it.
        OSError: the file cannot be opened.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(fd)
                raise JournalError(
                    f"{path.parent}: another hooptui writes this journal; stop it, or use another state directory"
                ) from None
            time.sleep(0.02)
        else:
            return fd


def locked(path: Path) -> bool:
    """Whether a gateway holds the lock now. Raises OSError other than that there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


# --- bytes ---------------------------------------------------------------------------------------


def write_all(fd: int, data: bytes) -> None:
    """Write all of it, however many calls that takes. Raises OSError; then some of it may have been written."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_file(fd: int) -> None:
    """Make a file's bytes durable. Raises OSError; what was written since the last success must then count as lost,
    because Linux reports a failed write-back once and marks the pages clean."""
    os.fdatasync(fd)


def words(error: OSError, path: Path) -> str:
    """What went wrong with which file, for people: `…/000000000001.jsonl: No space left on device (ENOSPC)`."""
    name = errno.errorcode.get(error.errno or 0, f"error {error.errno}")
    return f"{error.filename or path}: {error.strerror or error} ({name})"


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_new(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """A new durable file that appears whole or not at all. Raises OSError, FileExistsError when it is there already."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        write_all(fd, data)
        os.fchmod(fd, mode)
        os.fsync(fd)
        os.link(draft, path)
    finally:
        os.close(fd)
        draft.unlink()
    sync_directory(path.parent)


def read_private(path: Path) -> bytes:
    """At most 10,000 bytes of a file that only its owner may read. Raises JournalError when others may too, OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mode = os.fstat(fd).st_mode
        if mode & 0o077:
            raise JournalError(f"{path}: others may read it (mode {mode & 0o777:03o}); chmod 600 {path}")
        return os.read(fd, 10_000)
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Piece:
    """One line of a file, without its newline."""

    number: int
    """From 1, counted from where reading began."""
    start: int
    """Offset of its first byte."""
    data: bytes
    whole: bool
    """A newline ends it; False for the last one at most, and for a line longer than the reader was told to take."""


def pieces(path: Path, *, start: int = 0, end: int | None = None, limit: int) -> Iterator[Piece]:
    """The lines of a file between two offsets, in bounded memory. A line of more than `limit` bytes ends the reading.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb", buffering=_BLOCK) as file:
        file.seek(start)
        number, at = 0, start
        while end is None or at < end:
            line = file.readline(limit + 1 if end is None else min(limit + 1, end - at))
            if not line:
                return
            number += 1
            whole = line.endswith(b"\n")
            yield Piece(number, at, line[:-1] if whole else line, whole)
            if not whole:
                return
            at += len(line)
