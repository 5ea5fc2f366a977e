"""JSON patches (RFC 6902) as what they write, and what they take away. Pure.

An API server applies them with evanphx/json-patch, which is more lenient than the RFC; what it would still take is refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from hooptui.protocols.kubernetes.unread import Unread

MAX_STEPS: Final = 2_000
_INDEX: Final = re.compile(r"(?:-|0|[1-9][0-9]{0,8})\Z")
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a patch."""

    path: tuple[str, ...]
    """The tokens of its pointer, unescaped."""
    removes: bool
    """Takes away what is there, or puts something else in its place."""
    value: Any
    """What stands there afterwards; None when nothing."""

    def overlay(self) -> Any:
        """The object with nothing in it but what this step writes, as a merge patch would have it: None where it removes."""
        found = self.value
        for token in reversed(self.path):
            # A name of digits is an index, or else a key that no fact is about.
            found = [found] if _INDEX.match(token) else {token: found}
        return found


def probes(patch: Any) -> bool:
    """Whether it tests what is stored: whoever learns how that ended learns the value, also when nothing is written."""
    return isinstance(patch, list) and any(isinstance(step, dict) and step.get("op") == "test" for step in patch)


def steps(patch: Any) -> tuple[Step, ...]:
    """The steps of a patch, less its tests.

    Raises:
        Unread: it is no patch, or what it writes cannot be seen from it (`move`, `copy`).
    """
    if not isinstance(patch, list):
        raise Unread("a JSON patch that is no list")
    if len(patch) > MAX_STEPS:
        raise Unread(f"a JSON patch of more than {MAX_STEPS} steps")
    return tuple(found for step in patch if (found := _step(step)) is not None)


def _step(step: Any) -> Step | None:
    if not isinstance(step, dict):
        raise Unread("a JSON patch with a step that is no object")
    path = _pointer(step.get("path"))
    match step.get("op"):
        case "test":
            return None
        case "remove":
            return Step(path, True, None)
        case "add" | "replace" as op:
            if "value" not in step:
                raise Unread(f"a JSON patch that would {op} nothing")
            # To add a member that is there replaces it; only the end of a list, or a place in it, is new.
            added = op == "add" and bool(path) and _INDEX.match(path[-1]) is not None
            return Step(path, not added, step["value"])
        case "move" | "copy" as op:
            raise Unread(f"a JSON patch with a {op}: what it writes cannot be seen from it")
        case _:
            raise Unread("a JSON patch with a step that is not known")


def _pointer(path: Any) -> tuple[str, ...]:
    if not isinstance(path, str) or (path and not path.startswith("/")) or _BAD_ESCAPE.search(path):
        raise Unread("a JSON patch with a path that is no pointer")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:])
