"""Which form of the core runs: compiled, or plain Python. Knows what a module's file is, and nothing else.

Where hooptui was built with a C compiler, each module of the core is there twice, as source and compiled from it, and Python
takes the compiled one. HOOPTUI_PURE=1 in the environment makes it take the source.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


class _Source:
    """A finder that passes over compiled modules of hooptui where their source is beside them."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith("hooptui."):
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is None or found.origin is None or not isinstance(found.loader, ExtensionFileLoader):
            return None
        return spec_from_file_location(name, Path(found.origin).parent / f"{name.rpartition('.')[2]}.py")


def choose() -> None:
    """Called once, before any other module of hooptui is imported."""
    if os.environ.get("HOOPTUI_PURE", "") not in ("", "0"):
        sys.meta_path.insert(0, _Source)


def compiled() -> bool:
    """Whether the core that runs is the compiled one."""
    found = find_spec("hooptui.core.session")
    return found is not None and isinstance(found.loader, ExtensionFileLoader)


def words() -> str:
    """For people."""
    return "compiled core" if compiled() else "core in plain Python"
