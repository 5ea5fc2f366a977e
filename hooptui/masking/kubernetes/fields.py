"""Which fields of an object a mask rule means: `configmaps.data.*`, `pods.spec.containers[*].env[*].value`, `*.**.password`.

The first part is a resource, `*` for any; then come keys with `*` and `?`, `[*]` for the items of a list, `**` for any number of
keys and items. A key with dots is quoted: `configmaps.data["app.yaml"]`. Knows no values.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

_PART: Final = re.compile(r'(?:^|\.)([^\s.\[\]"]+)|\[(\*)\]|\["([^"]{1,253})"\]')

_PLAIN: Final = re.compile(r"[A-Za-z0-9_. -]+")

ITEM: Final = None
"""Stands for an item of a list among the steps of a path."""

Step = str | None


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

    def after(self, places: frozenset[int], step: Step) -> frozenset[int]:
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

    def met(self, places: frozenset[int]) -> bool:
        """Whether what stands here is meant, with all below it."""
        return len(self.steps) in places

    def _reach(self, places: set[int]) -> frozenset[int]:
        """`**` also stands for nothing."""
        todo = list(places)
        while todo:
            place = todo.pop()
            if place < len(self.steps) and isinstance(self.steps[place], _Any) and place + 1 not in places:
                places.add(place + 1)
                todo.append(place + 1)
        return frozenset(places)


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
