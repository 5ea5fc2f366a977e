"""What became of one file operation, for the recording and in a line for the client. Everything in a Report is raw: it reaches people through a masker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hooptui.core.events_channels import FileDone
from hooptui.core.session import Session
from hooptui.core.visible import visible
from hooptui.protocols.ssh.sftp.files import File, Tally
from hooptui.protocols.ssh.sftp.names import shown


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes that passed in one direction."""

    size: int
    start: int = 0
    """Offset of the first byte in the file; not 0 when the transfer was resumed."""
    sha256: str = ""
    """Hexadecimal, of the bytes that passed; empty when they did not come in order."""

    def __str__(self) -> str:
        words = f"{self.size} bytes"
        if self.start:
            words += f" from {self.start}"
        return f"{words} sha256 {self.sha256 or 'none: not in order'}"


@dataclass(frozen=True, slots=True)
class Report:
    """The end of one operation."""

    number: int
    """Of the operation in its session; 0 for a request that was turned away before there was a question."""
    verb: str
    paths: tuple[str, ...]
    ok: bool
    result: str
    refused: bool = False
    """It was never sent to the target."""
    moved: tuple[Moved, ...] = ()
    seconds: float = 0.0

    @property
    def line(self) -> str:
        parts = [self.verb, *(f'"{path}"' for path in self.paths), *map(str, self.moved)]
        return " ".join([*parts, f"refused: {self.result}" if self.refused else self.result])


def complaint(report: Report) -> str:
    """A line for the client's stderr on what was refused, without a line end; empty when nothing was.

    OpenSSH's sftp says no more of a status than "Permission denied"; its user should see the reason."""
    return f"hooptui: {visible(report.line)}" if report.refused else ""


Reporter = Callable[[Report], None]


def moved(tally: Tally) -> Moved:
    return Moved(tally.size, tally.start, tally.sha256)


def closing(file: File, result: str, *, ok: bool, seconds: float) -> Report:
    """The end of an open file or directory; `ok` and `result` are of its CLOSE."""
    tallies = [file.read] * (file.readable and not file.folder) + [file.written] * file.writable
    verb = "list" if file.folder else "update" if len(tallies) == 2 else "read" if file.readable else "write"
    return Report(
        file.number,
        verb,
        tuple(shown(name) for name in file.names),
        ok and not file.failed,
        file.failed or result,
        moved=tuple(map(moved, tallies)),
        seconds=seconds,
    )


def recorder(session: Session) -> Reporter:
    """A Reporter that records what was done in the session's recording, masked by its masks, and finishes the operation."""

    text = session.masker.text

    def write(report: Report) -> None:
        paths, result = tuple(map(text, report.paths)), text(report.result)
        # What both reads and writes has a line for each.
        verbs = ("read", "write") if len(report.moved) == 2 else (report.verb,)
        for verb, one in zip(verbs, report.moved or (None,), strict=True):
            size, start, sha256 = (one.size, one.start, one.sha256) if one is not None else (None, 0, "")
            done = FileDone(report.number, verb, paths, report.ok, result, report.refused, size, start, sha256)
            session.try_record(done)
        if not report.refused:
            session.finished(report.number, report.result, ok=report.ok, rows=0, masked=0, seconds=report.seconds)

    return write
