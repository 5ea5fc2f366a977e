"""Both forms of the core: the compiled one is built from these sources and passes the core's own tests; neither is taken by mistake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from hooptui.building import backend

ROOT = Path(__file__).resolve().parent.parent
MODULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hooptui"]["compiled"]
SUITES = (
    "tests/golden",
    *(
        f"tests/protocols/postgres/test_{name}.py"
        for name in ("codec", "proxy", "relay", "relay_model", "results", "rows", "tls", "wire")
    ),
    *(f"tests/protocols/ssh/test_{name}.py" for name in ("receiving", "train", "transport")),
)
"""The tests that go through most of what is compiled."""
OTHERS = (
    "tests/core",
    "tests/audit",
    "tests/masking",
    "tests/policy",
    "tests/protocols/postgres",
    "tests/e2e/test_psql.py",
)
"""All tests of it, and of the whole around it."""
SAY = "from hooptui import form; print(form.words())"


def python(*args: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HOOPTUI_", "PYTEST_"))}
    environment |= {"PYTHONPATH": str(cwd), **more}
    return subprocess.run(
        [sys.executable, *args], cwd=cwd, capture_output=True, text=True, timeout=1200, env=environment
    )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree with its core compiled."""
    if not backend.wanted():
        if os.environ.get("CI"):
            pytest.fail("there is no C compiler, or no Python.h")
        pytest.skip("there is no C compiler, or no Python.h")
    copy = tmp_path_factory.mktemp("compiled")
    # What is compiled means the same however quick it is, and gcc takes several times as long to make it quick.
    plainly = tmp_path_factory.mktemp("compiler") / "cc"
    plainly.write_text('#!/bin/sh\nexec cc "$@" -O0\n')
    plainly.chmod(0o755)
    done = python(str(ROOT / "hooptui/building/backend.py"), str(copy), cwd=copy, CC=str(plainly))
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("tests", "policies", "screenshots"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.mark.timeout(300)
def test_the_compiled_form_is_taken_where_it_is_and_the_plain_one_on_demand(compiled: Path) -> None:
    assert python("-c", SAY, cwd=compiled).stdout == "compiled core\n"
    assert python("-c", SAY, cwd=compiled, HOOPTUI_PURE="1").stdout == "core in plain Python\n"
    every = "; ".join(f"import {name[:-3].replace('/', '.')} as m; print(m.__file__)" for name in MODULES)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert all(line.endswith(suffix) for line in python("-c", every, cwd=compiled).stdout.splitlines())
    plain = python("-c", every, cwd=compiled, HOOPTUI_PURE="1").stdout.splitlines()
    assert [Path(line).relative_to(compiled).as_posix() for line in plain] == MODULES


@pytest.mark.timeout(1200)
@pytest.mark.long
@pytest.mark.parametrize("suites", [SUITES, OTHERS], ids=["usual", "others"])
def test_the_compiled_form_passes_the_core_s_own_tests(compiled: Path, suites: tuple[str, ...]) -> None:
    done = python("-m", "pytest", "-x", "-p", "no:cacheprovider", *suites, cwd=compiled)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_a_source_tree_holds_nothing_compiled() -> None:
    """A binary beside an edited file would be run in its place."""
    assert [str(path) for path in ROOT.glob("hooptui/**/*.so")] + [str(path) for path in ROOT.glob("*.so")] == []


def source(tmp_path: Path) -> Path:
    tree = tmp_path / "source"
    shutil.copytree(ROOT / "hooptui", tree / "hooptui", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    return tree


def built(tree: Path, hook: str, **more: str) -> tuple[str, list[str]]:
    """What a hook of the backend makes: its name, and the compiled files in it."""
    code = f"import sys; sys.path.insert(0, 'hooptui/building'); import backend; print(backend.{hook}('out'))"
    (tree / "out").mkdir(exist_ok=True)
    done = python("-c", code, cwd=tree, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    name = done.stdout.splitlines()[-1]
    with zipfile.ZipFile(tree / "out" / name) as wheel:
        return name, [one for one in wheel.namelist() if one.endswith(".so")]


@pytest.mark.timeout(300)
def test_without_a_compiler_a_wheel_is_plain_and_an_editable_one_always_is(tmp_path: Path) -> None:
    tree = source(tmp_path)
    assert built(tree, "build_wheel", CC="/nonexistent/cc") == ("hooptui-0.1.0-py3-none-any.whl", [])
    name, found = built(tree, "build_editable")
    assert (name.startswith("hooptui-0.1.0"), found) == (True, [])
    assert not list(tree.glob("hooptui/**/*.so"))


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_compiler_that_fails_leaves_nothing_half_compiled(tmp_path: Path) -> None:
    tree = source(tmp_path)
    broken = tmp_path / "cc"
    # It compiles the small ones and fails at the library they all share, which is the worst that it can do.
    broken.write_text(f'#!/bin/sh\ncase "$*" in *__native_{backend.GROUP}*) exit 1;; esac\nexec cc "$@"\n')
    broken.chmod(0o755)
    assert built(tree, "build_wheel", CC=str(broken))[1] == []
    code = "import sys; sys.path.insert(0, 'hooptui/building'); import backend; backend.build_wheel('out')"
    assert python("-c", code, cwd=tree, CC=str(broken), HOOPTUI_COMPILE="1").returncode != 0
