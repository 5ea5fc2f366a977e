"""setuptools with one addition: where a C compiler is found, the core is compiled by mypyc; else all stays plain Python.

The modules are listed in pyproject.toml under `tool.hooptui.compiled`. Only wheels get compiled modules. An editable install
never does, and nothing is ever compiled into a source tree, so that no stale binary can stand in for an edited file.

HOOPTUI_COMPILE=1 makes a build fail rather than do without, HOOPTUI_COMPILE=0 never compiles.
Run by itself, `python backend.py DIRECTORY` compiles into a copy of a source tree, for tests and measurements.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import setuptools
from setuptools import build_meta
from setuptools.command.build_ext import build_ext

MYPY = "mypy>=2.4,<3"
"""Has mypyc inside; needed only where something is compiled."""
GROUP = "hooptui_core"
"""The one library that all compiled modules share is called so, and `__mypyc`."""
OPTIMISE = "2"


def wanted() -> bool:
    """Whether to try: not forbidden, and a compiler and Python's headers are there, or it is demanded."""
    say = os.environ.get("HOOPTUI_COMPILE", "")
    if say in ("0", "1"):
        return say == "1"
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_path("include"), "Python.h")
    return sys.implementation.name == "cpython" and shutil.which(compiler) is not None and header.exists()


def extensions(scratch: Path) -> list[Any]:
    """The compiled modules of the source tree that is the current directory, as C in `scratch`.

    Raises:
        SystemExit: the sources do not pass mypy, which has said why.
    """
    from mypyc.build import mypycify

    modules = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["hooptui"]["compiled"]
    settings = scratch / "mypy.ini"
    # The dependencies need not be there while building; what they are typed as changes nothing that is compiled.
    settings.write_text("[mypy]\nignore_missing_imports = True\nfollow_imports = silent\n", "utf-8")
    made: list[Any] = mypycify(
        [f"--config-file={settings}", f"--cache-dir={scratch / 'cache'}", *modules],
        opt_level=OPTIMISE,
        debug_level="0",
        group_name=GROUP,
        target_dir=str(scratch),
    )
    return made


class AllOrNothing(build_ext):  # type: ignore[misc]  # setuptools has no types
    """What cannot be compiled whole is left out whole: the modules share one library."""

    def run(self) -> None:
        try:
            super().run()
        except Exception as fault:
            if os.environ.get("HOOPTUI_COMPILE") == "1":
                raise
            self.warn(f"hooptui stays plain Python: its core could not be compiled ({type(fault).__name__})")
            for output in self.get_outputs():
                Path(output).unlink(missing_ok=True)
            self.extensions: list[Any] = []


class Backend(build_meta._BuildMetaBackend):  # type: ignore[misc]  # as above
    """The hooks of PEP 517; a wheel is the only thing that is compiled."""

    compiling = False

    def run_setup(self, setup_script: str = "setup.py") -> None:
        """In place of a setup.py."""
        if not self.compiling:
            setuptools.setup()
            return
        build = Path("build")
        build.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="hooptui-core-", dir=build) as made_in:
            # setuptools wants sources by relative paths.
            scratch = Path(os.path.relpath(made_in))
            try:
                made = extensions(scratch)
            except (Exception, SystemExit) as fault:
                if os.environ.get("HOOPTUI_COMPILE") == "1":
                    raise
                sys.stderr.write(f"hooptui stays plain Python: mypyc could not read it ({type(fault).__name__})\n")
                made = []
            # Nothing of an earlier build may find its way into this one.
            options = {"build": {"build_base": str(scratch / "build")}}
            setuptools.setup(ext_modules=made, cmdclass={"build_ext": AllOrNothing}, options=options)

    def get_requires_for_build_wheel(self, config_settings: Any = None) -> list[str]:
        return [*super().get_requires_for_build_wheel(config_settings), *([MYPY] if wanted() else [])]

    def build_wheel(self, wheel_directory: Any, config_settings: Any = None, metadata_directory: Any = None) -> str:
        self.compiling = wanted()
        name: str = super().build_wheel(wheel_directory, config_settings, metadata_directory)
        return name


_backend = Backend()
get_requires_for_build_wheel = _backend.get_requires_for_build_wheel
get_requires_for_build_sdist = _backend.get_requires_for_build_sdist
get_requires_for_build_editable = _backend.get_requires_for_build_editable
prepare_metadata_for_build_wheel = _backend.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = _backend.prepare_metadata_for_build_editable
build_wheel = _backend.build_wheel
build_sdist = _backend.build_sdist
build_editable = _backend.build_editable


def compile_copy(tree: Path, copy: Path) -> None:
    """Copy what is installed of the source tree at `tree` to the new directory `copy`, and compile the core in there.

    Raises:
        SystemExit, setuptools.errors.CompileError: it cannot be compiled.
    """
    shutil.copytree(tree / "hooptui", copy / "hooptui", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(tree / "pyproject.toml", copy)
    before = Path.cwd()
    os.chdir(copy)
    try:
        with tempfile.TemporaryDirectory(prefix="hooptui-core-") as scratch:
            distribution = setuptools.Distribution({"name": "hooptui", "ext_modules": extensions(Path(scratch))})
            command = build_ext(distribution)
            command.inplace = True
            command.build_temp = str(Path(scratch, "objects"))
            command.ensure_finalized()
            command.run()
    finally:
        os.chdir(before)


if __name__ == "__main__":
    compile_copy(Path(__file__).resolve().parents[2], Path(sys.argv[1]).resolve())
