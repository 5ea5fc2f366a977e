"""A session's recording as a file to hand on: the lines as they are, or as text. Knows no gateway."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from hooptui.audit.plain import plain
from hooptui.audit.replay import find, lines, stream

_ENDINGS: Final = {"text": "txt", "jsonl": "jsonl"}
_NAMES: Final = 1000


def export_session(state: Path, session: str, directory: Path, form: str = "text") -> Path:
    """Write the recording of the session whose name begins with `session` to a new file in `directory`, mode 0600.

    `form` is `text`, for people, or `jsonl`, one event a line. Nothing is overwritten: the second export gets a number.
    A live recording is exported as far as it has come.

    Raises:
        ValueError: no such form; or NoRecording, Unreadable as in `replay`.
        OSError: it cannot be read or written; no half file is left.
    """
    ending = _ENDINGS.get(form)
    if ending is None:
        raise ValueError(f"an export is {' or '.join(_ENDINGS)}, not {form!r}")
    name = find(state, session)
    path, fd = _new(directory, name, ending)
    try:
        with os.fdopen(fd, "wb") as file:
            for line in _lines(state, name, form):
                file.write(line + b"\n")
            file.flush()
            os.fsync(fd)
    except BaseException:
        path.unlink()
        raise
    return path


def _lines(state: Path, session: str, form: str) -> Iterator[bytes]:
    """JSON lines are copied, not written anew, so that a sealed recording's hash holds for its export too."""
    return lines(state, session) if form == "jsonl" else (line.encode() for line in plain(stream(state, session)))


def _new(directory: Path, name: str, ending: str) -> tuple[Path, int]:
    for number in count(1):
        path = directory / (f"{name}.{ending}" if number == 1 else f"{name}-{number}.{ending}")
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            if number == _NAMES:
                raise
    raise AssertionError("count() does not end")
