"""Files of a person's home: written whole or not at all, and of other people's files only our own marked section. Knows no client."""

from __future__ import annotations

import fcntl
import io
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from hooptui.errors import UserError

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a file that is read whole."""


def state_home(environment: Mapping[str, str]) -> Path:
    """Where state of ours is kept (XDG Base Directory Specification; a relative path there is to be ignored)."""
    given = environment.get("XDG_STATE_HOME", "")
    base = Path(given) if given.startswith("/") else home(environment) / ".local" / "state"
    return base / "hooptui"


def home(environment: Mapping[str, str]) -> Path:
    """Raises UserError."""
    found = environment.get("HOME", "")
    if not found.startswith("/"):
        raise UserError("HOME is not set to a directory, so there is nowhere to keep the login")
    return Path(found)


def private_directory(path: Path) -> None:
    """Make it, 0700, with those above it. Raises UserError: others may write to it, or it cannot be made."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as fault:
        raise UserError(f"{path}: {fault.strerror}") from None
    if found.st_uid != os.geteuid():
        raise UserError(f"{path}: belongs to somebody else (user {found.st_uid})")
    if found.st_mode & 0o022:
        raise UserError(f"{path}: others may write to it (mode {found.st_mode & 0o777:03o}); chmod 700 {path}")


def read(path: Path) -> bytes | None:
    """The whole file; None when there is none. Raises UserError."""
    try:
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise UserError(f"{path}: {fault.strerror}") from None
    if len(found) > LARGEST:
        raise UserError(f"{path}: larger than {LARGEST // 2**20} MiB, which is no file of this kind")
    return found


def write(path: Path, data: bytes, *, mode: int | None = 0o600) -> None:
    """Put `data` in place of the file, whole or not at all. A link is followed, so that it stays one.

    Args:
        mode: None keeps the mode of the file that is there, and is 0600 for a new one.

    Raises:
        UserError: it cannot be written; what was there is still there.
    """
    try:
        path = path.resolve()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if mode is None:
            mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
        fd, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(fd, mode)
                os.fsync(fd)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as fault:
        raise UserError(f"{path}: {fault.strerror}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; others wait. Raises UserError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as fault:
        raise UserError(f"{path}: {fault.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def put_section(path: Path, name: str, body: str, *, new: Literal["first", "last"]) -> None:
    """Make our section called `name` in somebody's file say `body`; a new one comes first or last.

    Raises:
        UserError: the marks are damaged, or the file cannot be read or written.
    """
    before = read(path) or b""
    try:
        after = section(before, name, body.encode(), new=new)
    except ValueError as bad:
        raise UserError(f"{path}:{bad}") from None
    if after != before:
        write(path, after, mode=None)


def section(text: bytes, name: str, body: bytes, *, new: Literal["first", "last"]) -> bytes:
    """`text` with our section replaced, or added. Every other byte stays; a missing last line end is added before ours.

    Raises:
        ValueError: `line: what is wrong` with the marks that are there.
    """
    begin, end = marks(name)
    block = begin + b"\n" + body.rstrip(b"\n") + b"\n" + end + b"\n"
    place = find(text, name)
    if place is not None:
        return text[: place[0]] + block + text[place[1] :]
    if new == "first":
        return block + text
    return text + (b"\n" if text and not text.endswith(b"\n") else b"") + block


def marks(name: str) -> tuple[bytes, bytes]:
    """The first and last line of a section."""
    return f"# >>> hooptui login {name} >>>".encode(), f"# <<< hooptui login {name} <<<".encode()


def find(text: bytes, name: str) -> tuple[int, int] | None:
    """Offsets of our section: of its first line, and after its last one's line end; None when there is none.

    Raises:
        ValueError: `line: what is wrong`.
    """
    begin, end = marks(name)
    at, number, start, found = 0, 0, -1, None
    for line in io.BytesIO(text):
        number += 1
        plain = line.rstrip(b"\r\n")
        if plain == begin:
            if start >= 0 or found is not None:
                raise ValueError(f"{number}: our section begins twice ({begin.decode()}); remove one of them")
            start = at
        elif plain == end:
            if start < 0:
                raise ValueError(f"{number}: our section ends without a beginning ({end.decode()}); remove that line")
            found, start = (start, at + len(line)), -1
        at += len(line)
    if start >= 0:
        raise ValueError(f"{number}: our section does not end; add {end.decode()!r} after its last line")
    return found
