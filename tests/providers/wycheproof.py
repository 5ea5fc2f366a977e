"""Project Wycheproof's test vectors, from their Go module: pinned by version and hash, kept in Go's own module cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

MODULE = "github.com/c2sp/wycheproof"
VERSION = "v0.0.0-20260902155932-3fa63dd0344a"
SUM = "h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c="
"""The module's own hash (golang.org/ref/mod, "go.sum files"), which go computes from what it downloaded."""


@cache
def vectors(name: str) -> tuple[dict[str, Any], ...]:
    """The test groups of one file, e.g. `json_web_signature_test`."""
    document = json.loads((_directory() / "testvectors_v1" / f"{name}.json").read_text())
    return tuple(document["testGroups"])


@cache
def _directory() -> Path:
    go = shutil.which("go")
    if go is None:
        lacking = "no go on PATH to get the Wycheproof vectors with"
        if os.environ.get("CI"):
            pytest.fail(lacking)
        pytest.skip(lacking)
    done = subprocess.run(
        [go, "mod", "download", "-json", f"{MODULE}@{VERSION}"],
        cwd="/", env={**os.environ, "GOFLAGS": "-mod=mod", "GONOSUMDB": MODULE}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    told = json.loads(done.stdout or "{}")
    if done.returncode != 0 or told.get("Sum") != SUM:
        pytest.fail(f"{MODULE}@{VERSION}: {told.get('Error') or told.get('Sum') or done.stderr[-500:]}")
    return Path(told["Dir"])
