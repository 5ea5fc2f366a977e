"""Which fields of an object a mask rule means: `configmaps.data.*`, `pods.spec.containers[*].env[*].value`, `*.**.password`.

The first part is a resource, `*` for any; then come keys with `*` and `?`, `[*]` for the items of a list, `**` for any number of
keys and items. A key with dots is quoted: `configmaps.data["app.yaml"]`. Knows no values.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PART: Final = re.compile(r'(?:^|\.)([^\s.\[\]"]+)|\[(\*)\]|\["([^"]{1,253})"\]')

_PLAIN: Final = re.compile(r"[A-Za-z0-9_. -]+")

ITEM: Final = None
"""Stands for an item of a list among the steps of a path."""

Step = str | None

REMEMBERED: Final = 50_000
"""Steps that are remembered."""


@dataclass(frozen=True, slots=True)
class _Key:
    pattern: re.Pattern[str]


class _Item:
    __slots__ = ()


class _Any:
    __slots__ = ()


_ITEM: Final = _Item()
_ANY: Final = _Any()


@dataclass(frozen=True, slots=True)
class FieldPattern:
    """One parsed pattern."""

    resource: str
    """Plural and lower case; `*` for every one."""
    steps: tuple[_Key | _Item | _Any, ...]
    keys: tuple[bytes, ...]
    """Keys that stand on every way that matches, as they are in JSON; none of those with wildcards or with what JSON may escape."""
    stem: bytes
    """What the resource has in common with its kind, in lower case."""

    def concerns(self, resource: str) -> bool:
        return self.resource in ("*", resource)

    def begin(self) -> frozenset[int]:
        """Where a match may stand before the first step."""
        return self._reach({0})

    def after(self, places: Iterable[int], step: Step) -> frozenset[int]:
        """Where it may stand after one step more; empty when this way leads nowhere."""
        moved: set[int] = set()
        for place in places:
            if place == len(self.steps):
                continue
            match self.steps[place]:
                case _Any():
                    moved.add(place)
                case _Item():
                    if step is ITEM:
                        moved.add(place + 1)
                case _Key(pattern):
                    if step is not ITEM and pattern.fullmatch(step) is not None:
                        moved.add(place + 1)
        return self._reach(moved)

    def _reach(self, places: set[int]) -> frozenset[int]:
        """`**` also stands for nothing."""
        todo = list(places)
        while todo:
            place = todo.pop()
            if place < len(self.steps) and isinstance(self.steps[place], _Any) and place + 1 not in places:
                places.add(place + 1)
                todo.append(place + 1)
        return frozenset(places)


NOWHERE: Final = 0
"""The state in which no pattern can match any more."""


class Paths:
    """Several patterns at once, as one automaton whose states are numbers; what it worked out it remembers."""

    __slots__ = ("_begins", "_moves", "_numbers", "_patterns", "_states", "ends")

    def __init__(self, patterns: Sequence[FieldPattern]) -> None:
        self._patterns = patterns
        nothing: frozenset[tuple[int, int]] = frozenset()
        self._states = [nothing]
        self._numbers = {nothing: NOWHERE}
        self._moves: dict[tuple[int, Step], int] = {}
        self._begins: dict[tuple[int, str, str], int] = {}
        self.ends: list[tuple[int, ...]] = [()]
        """For each state the patterns that mean what stands there, with all below it."""

    def begin(self, state: int, kind: str, resource: str) -> int:
        """`state`, and an object of these resources begins."""
        known = self._begins.get((state, kind, resource))
        if known is None:
            more = {
                (number, place)
                for number, pattern in enumerate(self._patterns)
                if pattern.concerns(kind) or pattern.concerns(resource)
                for place in pattern.begin()
            }
            known = self._number(self._states[state] | more)
            _keep(self._begins, (state, kind, resource), known)
        return known

    def step(self, state: int, step: Step) -> int:
        """The state behind a key, or an item of a list."""
        if state == NOWHERE:
            return NOWHERE
        known = self._moves.get((state, step))
        if known is None:
            moved = {
                (number, after)
                for number, place in self._states[state]
                for after in self._patterns[number].after((place,), step)
            }
            known = self._number(frozenset(moved))
            _keep(self._moves, (state, step), known)
        return known

    def _number(self, places: frozenset[tuple[int, int]]) -> int:
        number = self._numbers.get(places)
        if number is None:
            number = self._numbers[places] = len(self._states)
            self._states.append(places)
            met = {one for one, place in places if place == len(self._patterns[one].steps)}
            self.ends.append(tuple(sorted(met)))
        return number


def _keep(known: dict[Any, int], key: Any, value: int) -> None:
    """Remember, but not every key that anybody makes up."""
    if len(known) >= REMEMBERED:
        known.clear()
    known[key] = value


@functools.lru_cache(maxsize=4096)
def parse(pattern: str) -> FieldPattern:
    """Read one pattern.

    Raises:
        ValueError: it is none; says what was expected.
    """
    resource, dot, path = pattern.partition(".")
    steps: list[_Key | _Item | _Any] = []
    keys: list[bytes] = []
    at = 0
    while at < len(path):
        found = _PART.match(path, at)
        if found is None or (at == 0 and found[2]):
            at = -1
            break
        key, item, quoted = found.groups()
        if item:
            steps.append(_ITEM)
        elif key == "**":
            steps.append(_ANY)
        else:
            steps.append(_Key(re.compile(_glob(key) if key else re.escape(quoted), re.DOTALL)))
            if _PLAIN.fullmatch(key or quoted):
                keys.append((key or quoted).encode())
        at = found.end()
    if not dot or at <= 0 or not re.fullmatch(r"\*|[a-z0-9-]{1,63}", resource) or isinstance(steps[-1], _Any):
        raise ValueError(
            f"field pattern {pattern!r}: expected a resource and a path, such as configmaps.data.* or *.**.env[*].value"
        )
    return FieldPattern(resource, tuple(steps), tuple(keys), _stem(resource))


def plural(kind: str) -> str:
    """The resource that objects of a kind are kept under, as Kubernetes' own names go."""
    name = kind.lower()
    if name.endswith(("s", "x", "ch", "sh")) and name != "endpoints":
        return f"{name}es"
    return (
        f"{name[:-1]}ies"
        if name.endswith("y") and name[-2:-1] not in "aeiou"
        else name
        if name == "endpoints"
        else f"{name}s"
    )


def _glob(text: str) -> str:
    return "".join(".*" if one == "*" else "." if one == "?" else re.escape(one) for one in text)


def _stem(resource: str) -> bytes:
    for end in ("ies", "es", "s"):
        if resource.endswith(end) and len(resource) - len(end) >= 3:
            return resource[: -len(end)].encode()
    return resource.encode()
