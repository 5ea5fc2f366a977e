"""A session's recording as a file to hand on: the lines as they are, as text, or a terminal's asciicast. Knows no gateway."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Final

from hooptui.audit.asciicast import cast, choose
from hooptui.audit.plain import plain
from hooptui.audit.replay import find, lines, stream

_ENDINGS: Final = {"text": "txt", "jsonl": "jsonl", "cast": "cast", "cast2": "cast"}
FORMS: Final = tuple(_ENDINGS)
_NAMES: Final = 1000


def export_session(state: Path, session: str, directory: Path, form: str = "text", channel: int | None = None) -> Path:
    """Write the recording of the session whose name begins with `session` to a new file in `directory`, mode 0600.

    `form` is `text`, for people, `jsonl`, one event a line, or for one terminal `cast`, an asciicast of version 3, or `cast2`.
    `channel` is the operation that had that terminal; None when there is but one. Nothing is overwritten: the second export
    gets a number. A live recording is exported as far as it has come.

    Raises:
        ValueError: no such form; or NoRecording, NoTerminal, Unreadable as in `replay` and `asciicast`.
        OSError: it cannot be read or written; no half file is left.
    """
    ending = _ENDINGS.get(form)
    if ending is None:
        raise ValueError(f"an export is {', '.join(FORMS[:-1])} or {FORMS[-1]}, not {form!r}")
    name = find(state, session)
    if ending == "cast":
        channel = choose(stream(state, name), channel)
    path, fd = _new(directory, name if channel is None else f"{name}-{channel}", ending)
    with _whole(path, fd) as file:
        for line in _lines(state, name, form, channel):
            file.write(line + b"\n")
    return path


def export_cast(state: Path, session: str, file: Path, channel: int | None, version: int) -> None:
    """Write the asciicast of a terminal to this new file, mode 0600.

    Raises:
        ValueError: NoRecording, NoTerminal, Unreadable, or no such version.
        OSError: it cannot be read or written, or is there already; no half file is left.
    """
    lines_ = cast_lines(state, session, channel, version)
    with _whole(file, _create(file)) as out:
        for line in lines_:
            out.write(line.encode() + b"\n")


def cast_lines(state: Path, session: str, channel: int | None, version: int) -> Iterator[str]:
    """The asciicast of a terminal. Raises as `export_cast`."""
    name = find(state, session)
    return cast(stream(state, name), choose(stream(state, name), channel), version)


@contextmanager
def _whole(path: Path, fd: int) -> Iterator[IO[bytes]]:
    """A new file that is on stable storage afterwards, or is not there."""
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(fd)
    except BaseException:
        path.unlink()
        raise


def _lines(state: Path, session: str, form: str, channel: int | None) -> Iterator[bytes]:
    """JSON lines are copied, not written anew, so that a sealed recording's hash holds for its export too."""
    match form, channel:
        case "jsonl", _:
            return lines(state, session)
        case "cast" | "cast2", int(operation):
            return (line.encode() for line in cast(stream(state, session), operation, 2 if form == "cast2" else 3))
        case _:
            return (line.encode() for line in plain(stream(state, session)))


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _new(directory: Path, name: str, ending: str) -> tuple[Path, int]:
    for number in count(1):
        path = directory / (f"{name}.{ending}" if number == 1 else f"{name}-{number}.{ending}")
        try:
            return path, _create(path)
        except FileExistsError:
            if number == _NAMES:
                raise
    raise AssertionError("count() does not end")
