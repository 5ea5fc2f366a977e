"""Which hooptui is measured: a copy of these sources whose hot path is compiled, as pip installs it where there is a compiler, or the plain ones."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hooptui.building import backend

FORMS = ("compiled", "plain")
ROOT = Path(__file__).resolve().parents[2]


def home_of(form: str, stack: ExitStack) -> Path:
    """Where the measured hooptui's sources are."""
    if form == "plain" or not backend.wanted():
        return ROOT
    copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compiled-")))
    subprocess.run([sys.executable, ROOT / "hooptui/building/backend.py", copy], check=True, stdout=subprocess.DEVNULL)
    return copy


def command(*args: str | Path) -> list[str]:
    """hooptui's command line, to be run in `home_of` and `around` it."""
    return [sys.executable, "-m", "hooptui.cli", *map(str, args)]


def around(home: Path) -> dict[str, str]:
    """The environment in which the hooptui of this place is the one that is found."""
    return {**os.environ, "PYTHONPATH": str(home)}


def said(home: Path) -> str:
    """Its version and form, as it says them."""
    done = subprocess.run(command("--version"), cwd=home, env=around(home), capture_output=True, text=True, check=True)
    return done.stdout.strip()
