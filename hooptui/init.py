"""`hooptui init`: a directory with everything to start from, out of the templates in this package."""

from __future__ import annotations

import json
import os
import shutil
import string
from importlib import resources
from pathlib import Path

import hooptui
from hooptui.policy.schema import schema

FILES = ("hooptui.yaml", "policy.yaml", "hooptui.service", "Dockerfile", "compose.yaml", "kubernetes.yaml")


def write(directory: Path, *, name: str, state_dir: Path | None) -> tuple[Path, ...]:
    """Write the files; nothing that exists is touched.

    Raises:
        FileExistsError: one of them is there already; nothing was written.
        OSError: the directory cannot be written.
    """
    directory = directory.resolve()
    wanted = [directory / file for file in (*FILES, "policy.schema.json")]
    there = [str(path) for path in wanted if path.exists()]
    if there:
        raise FileExistsError(f"{', '.join(there)}: exists already; move it away or choose another directory")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = {
        "name": name,
        "state_dir": str(state_dir or directory / "state"),
        "config": str(directory / "hooptui.yaml"),
        "executable": shutil.which("hooptui") or "hooptui",
        "version": hooptui.__version__,
    }
    templates = resources.files("hooptui") / "templates"
    for file in FILES:
        text = (templates / file).read_text(encoding="utf-8")
        _write(directory / file, string.Template(text).substitute(words))
    _write(directory / "policy.schema.json", json.dumps(schema(), indent=2) + "\n")
    return tuple(wanted)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
