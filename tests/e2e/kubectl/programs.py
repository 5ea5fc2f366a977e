"""Which kubectls there are: those beside the one that is found (`kubectl.1.27` …), those that are named, or that one alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

NAMED = "HOOPTUI_TEST_KUBECTL"
"""Paths of kubectls to use instead, separated as in PATH."""


@dataclass(frozen=True, slots=True)
class Program:
    path: str
    minor: int

    def __str__(self) -> str:
        return f"1.{self.minor}"


def _minor(path: str) -> int:
    done = subprocess.run([path, "version", "--client", "-o", "json"], capture_output=True, text=True, timeout=60)
    return int(re.sub(r"\D", "", json.loads(done.stdout)["clientVersion"]["minor"]))


@cache
def programs() -> tuple[Program, ...]:
    """The oldest first; none when there is no kubectl at all."""
    if os.environ.get(NAMED):
        found = [Program(path, _minor(path)) for path in os.environ[NAMED].split(os.pathsep)]
        return tuple(sorted(found, key=lambda one: one.minor))
    plain = shutil.which("kubectl")
    if plain is None:
        return ()
    beside = [
        Program(str(path), int(path.suffix[1:]))
        for path in Path(plain).resolve().parent.glob("kubectl.1.*")
        if path.suffix[1:].isdecimal()
    ]
    return tuple(sorted(beside, key=lambda one: one.minor)) or (Program(plain, _minor(plain)),)


def chosen() -> tuple[Program, ...]:
    """The newest, and the newest that does everything over SPDY (before 1.30): two minors, where there are two."""
    found = programs()
    old = [one for one in found if one.minor < 30]
    return tuple(dict.fromkeys((*old[-1:], *found[-1:])))


def one() -> Program:
    """The newest; skips, or under CI fails, when there is none."""
    if not programs():
        if os.environ.get("CI") == "true":
            raise RuntimeError("no kubectl")
        pytest.skip("no kubectl")
    return programs()[-1]
