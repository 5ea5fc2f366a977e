"""Paths as a target would take them: made absolute, `.` and `..` taken out by text. Pure; knows no file system and no symlink."""

from __future__ import annotations

from typing import Final

MAX_PATH: Final = 4096
"""Linux's PATH_MAX; a longer path cannot be opened there, and nobody can read it in a review."""


class BadPath(ValueError):
    """A path that no rule could judge. The message says why and is fit for the client."""


def absolute(path: bytes, home: bytes) -> bytes:
    """`path` from the root, without `.`, `..`, doubled or trailing slashes. A relative one starts at `home`.

    Raises:
        BadPath: it has a NUL byte, is too long, or is relative where `home` is not known.
    """
    if b"\0" in path:
        raise BadPath("the path has a NUL byte")
    if len(path) > MAX_PATH:
        raise BadPath(f"the path is longer than {MAX_PATH} bytes")
    if not path.startswith(b"/"):
        if not home:
            raise BadPath("the path is relative, and the target did not say where its home is")
        path = home + b"/" + path
    kept: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del kept[-1:]
        elif part not in (b"", b"."):
            kept.append(part)
    return b"/" + b"/".join(kept)


def climbs(path: bytes) -> bool:
    """Whether `..` is one of its components, whose meaning depends on symlinks."""
    return b".." in path.split(b"/")


def parent(path: bytes) -> bytes:
    """Of an absolute path; the root is its own."""
    return path.rpartition(b"/")[0] or b"/"


def join(folder: bytes, name: bytes) -> bytes:
    return folder.rstrip(b"/") + b"/" + name


def shown(path: bytes) -> str:
    """A path as rules and people see it. Bytes that are not UTF-8 become `\\xff`; `/` is never touched."""
    return path.decode("utf-8", "backslashreplace")


def inside(path: bytes, folder: bytes) -> bool:
    """Whether an absolute path is `folder` or below it."""
    return path == folder or folder == b"/" or path.startswith(folder + b"/")
