"""The house rules, checked: lint, types, import contracts, file sizes, who may stamp, and what a headless gateway loads."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "hooptui"
LONGEST_FILE = 420


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=600, env=environment
    )


@cache
def read(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def sources(*roots: Path) -> Iterator[Path]:
    for root in roots:
        yield from sorted(root.rglob("*.py"))


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)])
@pytest.mark.timeout(600)
def test_lint_format_and_types(command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_imports_go_one_way() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_is_one_noun_long() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in sources(PACKAGE)
        if (count := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_every_module_says_what_it_is() -> None:
    silent = [str(path.relative_to(ROOT)) for path in sources(PACKAGE) if not ast.get_docstring(read(path))]
    assert silent == []


def calls(path: Path, name: str, *, plain: bool = False) -> list[str]:
    """Where a file calls `name(…)` or, unless `plain`, `something.name(…)`."""
    found = []
    for node in ast.walk(read(path)):
        if isinstance(node, ast.Call):
            called = (
                node.func.id if isinstance(node.func, ast.Name) else "" if plain else getattr(node.func, "attr", "")
            )
            if called == name:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_only_masking_and_the_codec_stamp_text_as_masked() -> None:
    """An empty or a cut `Masked` is no new text; everything else needs a masker."""
    allowed = ("hooptui/masking/", "hooptui/audit/codec.py")
    stamps = [
        place
        for path in sources(PACKAGE)
        for place in calls(path, "Masked")
        if not place.startswith(allowed) and not harmless(place)
    ]
    assert stamps == []


def harmless(place: str) -> bool:
    """`Masked("")`, a literal of our own, or a slice of text that is Masked already."""
    file, line = place.rsplit(":", 1)
    for node in ast.walk(read(ROOT / file)):
        if isinstance(node, ast.Call) and node.lineno == int(line) and getattr(node.func, "id", "") == "Masked":
            [argument] = node.args
            return isinstance(argument, ast.Constant) or (
                isinstance(argument, ast.Subscript) and isinstance(argument.slice, ast.Slice)
            )
    return False


def test_only_ask_mints_permits() -> None:
    """`mint` is a common word for a method; the one that counts is a plain function."""
    places = [
        place for path in sources(PACKAGE) for place in (*calls(path, "mint", plain=True), *calls(path, "Permit"))
    ]
    assert [place.split(":")[0] for place in places] == ["hooptui/core/gate.py", "hooptui/core/session.py"]


def test_a_headless_gateway_never_loads_the_screen() -> None:
    code = "import sys, hooptui.faces, hooptui.doctor; sys.exit('textual' in sys.modules or 'rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_swallows_everything() -> None:
    """`except Exception: pass` hides the bug that matters."""
    bad = []
    for path in sources(PACKAGE):
        for node in ast.walk(read(path)):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
                if broad and all(isinstance(step, ast.Pass) for step in node.body):
                    bad.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert bad == []
