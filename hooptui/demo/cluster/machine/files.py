"""A container's files, in memory and bounded.

Knows paths and bytes; links, owners and devices it does not have.
"""

from __future__ import annotations

import posixpath
import time
from dataclasses import dataclass, field

MAX_BYTES = 64 * 1024 * 1024
"""Of all files of a container together."""


@dataclass(slots=True)
class File:
    content: bytes
    mode: int = 0o644
    changed: float = field(default_factory=time.time)


class Files:
    """See the module. Paths are absolute and normalised by `at`."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._directories = {"/", "/tmp", "/etc", "/root", "/var", "/var/log", "/dev"}  # noqa: S108 - none of the machine's
        self._size = 0

    @staticmethod
    def at(cwd: str, path: str) -> str:
        return "/" + posixpath.normpath(posixpath.join(cwd, path)).lstrip("/")

    def is_directory(self, path: str) -> bool:
        return path in self._directories

    def get(self, path: str) -> File | None:
        return self._files.get(path)

    def put(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Raises: FileNotFoundError without a directory for it, IsADirectoryError, OSError when the disk is full."""
        if path in self._directories:
            raise IsADirectoryError(path)
        if posixpath.dirname(path) not in self._directories:
            raise FileNotFoundError(path)
        old = self._files.get(path)
        self._size += len(content) - (len(old.content) if old else 0)
        if self._size > MAX_BYTES:
            self._size -= len(content)
            raise OSError("No space left on device")
        self._files[path] = File(content, mode)

    def plant(self, path: str, content: bytes) -> None:
        """A file and the directories above it."""
        self.make(posixpath.dirname(path))
        self.put(path, content)

    def make(self, path: str) -> None:
        while path not in self._directories:
            self._directories.add(path)
            path = posixpath.dirname(path)

    def remove(self, path: str) -> None:
        """A file, or a directory with all that is in it.

        Raises:
            FileNotFoundError: there is none.
        """
        if path not in self._files and path not in self._directories:
            raise FileNotFoundError(path)
        below = path.rstrip("/") + "/"
        for name in [name for name in self._files if name == path or name.startswith(below)]:
            self._size -= len(self._files.pop(name).content)
        self._directories = {name for name in self._directories if name != path and not name.startswith(below)} | {"/"}

    def names(self, path: str) -> list[str]:
        """What lies directly in a directory."""
        below = path.rstrip("/") + "/"
        found = {
            name[len(below) :].partition("/")[0]
            for name in (*self._files, *self._directories)
            if name.startswith(below)
        }
        return sorted(found - {""})

    def walk(self, path: str) -> list[str]:
        """A path and everything below it, directories before what is in them."""
        below = path.rstrip("/") + "/"
        found = [name for name in (*self._files, *self._directories) if name == path or name.startswith(below)]
        return sorted(found)
