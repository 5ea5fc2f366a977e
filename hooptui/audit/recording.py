"""Recordings on disk: one file of event lines for each session, sealed by a hash in the journal when the session ends.

Blocking; used by the writer's thread alone, except that the loop fills `Recording.buffer` under the log's lock. Few files
are open at a time, however many sessions there are.

An empty marker file stands in `recordings/live/` from before a session's first record until its seal is durable, so that
the next start knows what a killed run left unsealed.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from hooptui.audit.codec import MAX_LINE
from hooptui.audit.files import Layout, pieces, sync_directory, sync_file, write_all
from hooptui.core.events import RecordingSealed

NO_RECORDING: Final = "no-recording"
"""Code of the alert which says that a session has no recording, because of its name."""
_BLOCK: Final = 1 << 20
_OMITTED: Final = b',"kind":"omitted","data":{'


class Recording:
    """One session's file while it grows. An idle one holds no file open and no bytes."""

    __slots__ = (
        "_hash",
        "_sync_failed",
        "buffer",
        "created",
        "cut",
        "day",
        "fd",
        "marked",
        "pending",
        "refused",
        "session",
        "size",
    )

    def __init__(self, day: str, session: str) -> None:
        self.day = day
        self.session = session
        self.buffer: list[bytes] = []
        """Lines that the loop has added; guarded by the log's lock."""
        self.cut = False
        """Rows were left out; set by the loop."""
        self.refused = ""
        """Why nothing can be recorded for this session; set by the writer, and final."""
        self.pending: list[bytes] = []
        """Lines to write next."""
        self.marked = False
        self.created = False
        self.fd = -1
        self.size = 0
        self._hash = sha256()
        self._sync_failed = False

    def take(self) -> None:
        """Move what the loop added to what is to be written. The caller holds the log's lock."""
        self.pending += self.buffer
        self.buffer = []

    def write(self, fd: int) -> int:
        """Append what is pending; returns its bytes. Raises OSError; then the file ends where it did, and all is still pending."""
        data = b"".join(self.pending)
        try:
            write_all(fd, data)
        except OSError:
            # If even this fails, the seal's size and hash will show it: they are of what was meant to be there.
            os.ftruncate(fd, self.size)
            raise
        self.size += len(data)
        self._hash.update(data)
        self.pending = []
        return len(data)

    def sync(self, fd: int) -> None:
        """Raises OSError once: a second sync after a failed one would succeed and mean nothing."""
        if self._sync_failed:
            return
        try:
            sync_file(fd)
        except OSError:
            self._sync_failed = True
            raise

    def seal(self) -> RecordingSealed:
        """What was written, as it was written: whatever else the file holds by now shows as a difference."""
        return RecordingSealed(self.size, self._hash.hexdigest(), self.cut)


class Recordings:
    """All recordings that grow."""

    def __init__(self, layout: Layout, open_files: int) -> None:
        self._layout = layout
        self._limit = open_files
        self._open: OrderedDict[str, Recording] = OrderedDict()
        self._unsynced: set[Path] = set()

    def create(self, recording: Recording) -> None:
        """Make marker and file; `sync_names` makes their names durable.

        A file of that name from before makes this session unrecordable, and harms no other.

        Raises:
            OSError: may be tried again.
        """
        if recording.created or recording.refused:
            return
        day, session = recording.day, recording.session
        if not recording.marked:
            os.close(os.open(self._layout.marker(day, session), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            recording.marked = True
        path = self._layout.recording(day, session)
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._unsynced.add(path.parent.parent)
        self._unsynced |= {path.parent, self._layout.live}
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            recording.refused = f"there is a recording of a session {session} already: {path}"
            self._layout.marker(day, session).unlink()
            return
        recording.created = True
        self._keep(recording, fd)

    def sync_names(self) -> None:
        """Raises OSError; may be tried again."""
        while self._unsynced:
            path = next(iter(self._unsynced))
            sync_directory(path)
            self._unsynced.remove(path)

    def flush(self, recording: Recording) -> int:
        """Write what is pending; returns its bytes. Raises OSError; may be tried again."""
        if recording.refused:
            dropped, recording.pending = sum(map(len, recording.pending)), []
            return dropped
        with self._named(recording):
            return recording.write(self._fd(recording)) if recording.pending else 0

    def seal(self, recording: Recording) -> RecordingSealed | None:
        """Make it durable and close it; None when there is none. Raises OSError; may be tried again."""
        if recording.refused:
            return None
        with self._named(recording):
            recording.sync(self._fd(recording))
            self._drop(recording)
            return recording.seal()

    @contextmanager
    def _named(self, recording: Recording) -> Iterator[None]:
        """Say which file it was: system calls on an open file do not."""
        try:
            yield
        except OSError as error:
            error.filename = error.filename or str(self._layout.recording(recording.day, recording.session))
            raise

    def unmark(self, recording: Recording) -> None:
        """The seal is durable."""
        self._layout.marker(recording.day, recording.session).unlink(missing_ok=True)

    def close(self) -> None:
        for recording in tuple(self._open.values()):
            self._drop(recording)

    def _fd(self, recording: Recording) -> int:
        if recording.fd >= 0:
            self._open.move_to_end(recording.session)
            return recording.fd
        path = self._layout.recording(recording.day, recording.session)
        return self._keep(recording, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW))

    def _keep(self, recording: Recording, fd: int) -> int:
        recording.fd = fd
        self._open[recording.session] = recording
        if len(self._open) > self._limit:
            self._drop(next(iter(self._open.values())))
        return fd

    def _drop(self, recording: Recording) -> None:
        if recording.fd >= 0:
            os.close(recording.fd)
            recording.fd = -1
            del self._open[recording.session]


def leftovers(layout: Layout) -> Iterator[tuple[Recording, RecordingSealed]]:
    """What a killed run left unsealed, each as it is: an unterminated last line is cut off, the rest hashed and synced.

    Raises:
        OSError: one cannot be read or written.
    """
    for day, session in layout.markers():
        path = layout.recording(day, session)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            whole, cut = _whole(path)
            os.ftruncate(fd, whole)
            os.fsync(fd)
        finally:
            os.close(fd)
        sync_directory(path.parent)
        yield Recording(day, session), RecordingSealed(whole, file_hash(path), cut)


def _whole(path: Path) -> tuple[int, bool]:
    """Bytes of whole lines, and whether one of them says that rows were left out."""
    end, cut = 0, False
    for piece in pieces(path, limit=MAX_LINE):
        if piece.whole:
            end = piece.start + len(piece.data) + 1
            cut = cut or _OMITTED in piece.data[:200]
    return end, cut


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hex. Raises OSError."""
    digest = sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
