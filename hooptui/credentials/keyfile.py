"""Secret bytes of the gateway's own, made at first start and kept over restarts."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

SIZE = 32
"""Bytes of a key."""


def key_file(path: Path) -> bytes:
    """The 32 bytes in `path`, which is made, private to its owner, when it is not there.

    Raises:
        OSError: it cannot be made or read, others may read it, or it is not 32 bytes long.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    key = secrets.token_bytes(SIZE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


def _read(path: Path) -> bytes:
    mode = path.stat().st_mode
    if mode & 0o077:
        raise OSError(f"{path}: found mode {mode & 0o777:04o}, expected 0600: others could read the key")
    key = path.read_bytes()
    if len(key) != SIZE:
        raise OSError(f"{path}: found {len(key)} bytes, expected the {SIZE} of a key")
    return key
