"""One fast look over raw bytes: can any of these detectors match inside? Knows patterns, not values.

Hyperscan where it is installed, else Python's `re`. Compiled databases are shared by all sessions; hyperscan's scratch
space is one for each thread, as it demands. A wrong yes costs time, a wrong no would leak: every doubt is a yes.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Protocol

from hooptui.masking import detectors

_engine: ModuleType | None
try:
    import hyperscan

    _engine = hyperscan
except ImportError:  # not on this platform: `re` does the same, slower
    _engine = None


class Screen(Protocol):
    """What a set of detectors needs to see before one of them can match."""

    def __call__(self, data: bytes) -> bool:
        """False promises that no detector of the set matches in any text whose bytes are in `data`."""

    def which(self, data: bytes) -> frozenset[str]:
        """The detectors that can match in these bytes; all others cannot."""


EXTRA = {
    "escape": rb"\\u00[2-7]",
    "exponent": rb"[0-9][eE]\+?[0-9]",
    "hex": rb"\\x[0-9a-f]{14}",
}
"""What can hide a value from the detectors' own screens, by the column that brings it.

`escape`: JSON may write any character as `\\u00XX`. `exponent`: numbers may be written as 4.2e15. `hex`: bytea in text.
"""


@functools.lru_cache(maxsize=256)
def screen(names: frozenset[str], extras: frozenset[str] = frozenset()) -> Screen:
    """The screen for a set of detectors, compiled once for the process.

    Raises:
        KeyError: an unknown detector or extra.
    """
    return screen_of(tuple(watched(names, extras)))


@functools.lru_cache(maxsize=256)
def screen_of(patterns: tuple[tuple[str, bytes], ...]) -> Screen:
    """The screen for any patterns, names with a regular expression each; `which` answers with the names."""
    return _Hyperscan(_engine, patterns) if _engine is not None and patterns else PythonScreen(patterns)


def watched(names: frozenset[str], extras: frozenset[str] = frozenset()) -> list[tuple[str, bytes]]:
    """The patterns of a screen, each with its detector's name; extras have none.

    Raises:
        KeyError: an unknown detector or extra.
    """
    patterns = [(name, pattern) for name in sorted(names) for pattern in detectors.BY_NAME[name].screens]
    return patterns + [("", EXTRA[extra]) for extra in sorted(extras)]


def hits(with_screen: Screen, text: str) -> list[detectors.Hit]:
    """`detectors.hits` of the screen's detectors, asking only those that can match."""
    names = with_screen.which(text.encode("utf-8", "surrogatepass"))
    return detectors.hits(names, text) if names else []


class PythonScreen:
    """The same promises with nothing but the standard library."""

    __slots__ = ("_all", "_each")

    def __init__(self, patterns: Sequence[tuple[str, bytes]]) -> None:
        """`patterns`: names of detectors, and one of their screens each."""
        self._all = re.compile(b"|".join(b"(?:%s)" % pattern for _, pattern in patterns) or b"(?!)", re.DOTALL)
        self._each = [(name, re.compile(pattern, re.DOTALL)) for name, pattern in patterns if name]

    def __call__(self, data: bytes) -> bool:
        return self._all.search(data) is not None

    def which(self, data: bytes) -> frozenset[str]:
        return frozenset(name for name, pattern in self._each if pattern.search(data) is not None)


class _Hyperscan:
    __slots__ = ("_database", "_engine", "_local", "_names")

    def __init__(self, engine: ModuleType, patterns: Sequence[tuple[str, bytes]]) -> None:
        self._engine = engine
        self._names = [name for name, _ in patterns]
        self._database = engine.Database(mode=engine.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[pattern for _, pattern in patterns],
            ids=list(range(len(patterns))),
            elements=len(patterns),
            flags=engine.HS_FLAG_DOTALL | engine.HS_FLAG_SINGLEMATCH,
        )
        self._local = threading.local()

    def __call__(self, data: bytes) -> bool:
        try:
            self._database.scan(data, match_event_handler=_stop, scratch=self._scratch())
        except self._engine.HyperscanError:
            # A found pattern ends the scan early, which hyperscan reports as an error; any other error is a doubt.
            return True
        return False

    def which(self, data: bytes) -> frozenset[str]:
        found: list[int] = []
        try:
            self._database.scan(data, match_event_handler=_note, context=found, scratch=self._scratch())
        except self._engine.HyperscanError:
            return frozenset(filter(None, self._names))
        return frozenset([self._names[number] for number in found if self._names[number]]) if found else _NONE

    def _scratch(self) -> object:
        try:
            return self._local.scratch
        except AttributeError:
            self._local.scratch = self._engine.Scratch(self._database)
            return self._local.scratch


_NONE: frozenset[str] = frozenset()


def _stop(*_: object) -> bool:
    return True


def _note(number: int, _start: int, _end: int, _flags: int, found: list[int]) -> None:
    found.append(number)
