"""The directory of everything a gateway keeps: this user's alone. Knows nothing of what lies in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def prepare(state_dir: Path) -> None:
    """Make the state directory, or check that it is this user's alone.

    Raises:
        OSError: it cannot be made, or others may read what lies in it.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = state_dir.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        mode = f"{stat.S_IMODE(found.st_mode):04o}, owner {found.st_uid}"
        raise OSError(
            f"{state_dir}: found mode {mode}, expected 0700 and owner {os.getuid()}: keys and recordings lie there"
        )
