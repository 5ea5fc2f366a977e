"""The conditions of a watch as functions of one line. Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from hooptui.core.watch import WatchRule
from hooptui.policy.globs import any_glob
from hooptui.policy.rules import Watch


def looked_for(watch: Watch) -> WatchRule:
    """The watch with its globs as functions."""
    pieces = tuple(sorted({_piece(glob) for glob in watch.output or ()}))
    return WatchRule(watch.id, watch.effect, watch.reason, _lines(watch.typed), _lines(watch.output), pieces)


def _piece(glob: str) -> str:
    """The longest text that every line has in it that the glob matches."""
    return max(re.split(r"[*?]+", glob.strip().casefold()), key=len).strip()


def _lines(globs: tuple[str, ...] | None) -> Callable[[str], object] | None:
    """Whether a line matches one of the globs, whatever its case and the blanks around it."""
    if globs is None:
        return None
    matches = any_glob(glob.strip().casefold() for glob in globs)
    return lambda line: matches(line.strip().casefold())
