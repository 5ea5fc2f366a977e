"""Programs in Go, built from `program/` by the Go that is found: ours on client-go, and helm itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "program"
LEAST = (1, 24)
"""The Go that go.mod asks for, and so do the modules in it. One from 1.21 on gets a newer one by itself (GOTOOLCHAIN)."""
WITHIN = 1200.0
"""Seconds for a build when Go's cache is cold."""


def lacking(words: str) -> None:
    """Skip, or fail under CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


@cache
def _go() -> str:
    go = shutil.which("go")
    if go is None:
        lacking("no go on PATH to build a program on client-go with")
    assert go is not None
    said = _run(go, "env", "GOVERSION").stdout.strip()
    found = re.match(r"go(\d+)\.(\d+)", said)
    if found is not None and (int(found[1]), int(found[2])) < min(LEAST, (1, 21)):
        # Not a lack of this machine that anybody could mend by its package manager: Debian 12 has 1.19.
        pytest.skip(f"{said} is too old: client-go and helm of today want {LEAST[0]}.{LEAST[1]}")
    return go


@cache
def built(package: str, name: str, directory: Path) -> Path:
    """A program of the module in `program/`; Go's own cache makes it quick when it was built before."""
    go = _go()
    got = _run(go, "mod", "download")
    if got.returncode:
        lacking(f"the Go modules cannot be had: {got.stderr[-400:]}")
    made = directory / name
    done = _run(go, "build", "-o", str(made), package)
    assert done.returncode == 0, done.stderr[-4000:]
    return made


def _run(go: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GOFLAGS": "-mod=readonly"}
    return subprocess.run([go, *words], cwd=SOURCE, env=environment, capture_output=True, text=True, timeout=WITHIN)
