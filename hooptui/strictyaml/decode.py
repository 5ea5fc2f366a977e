"""A tree to frozen types, with every problem in one go, each where it stands. Knows neither YAML nor what the types mean."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from hooptui.strictyaml.tree import Node, Where, YamlError, nearest, quoted

Duration = NewType("Duration", float)
"""Seconds, written `45s`, `10m`, `1h30m`, `7d`, `250ms`."""
Size = NewType("Size", int)
"""Bytes, written `512B`, `256KiB`, `1MiB`, `2GiB`."""

_DURATION = re.compile(r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?(?:([0-9]{1,6})ms)?\Z")
_SIZE = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)\Z")
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def duration(text: str) -> Duration:
    """Seconds from `1h30m`.

    Raises:
        ValueError: it is no duration.
    """
    match = _DURATION.match(text)
    if not match or not text:
        raise ValueError("a duration such as 45s, 10m, 1h30m or 7d")
    days, hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    return Duration(days * 86400 + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000)


def size(text: str) -> Size:
    """Bytes from `256KiB`.

    Raises:
        ValueError: it is no size.
    """
    match = _SIZE.match(text)
    if not match:
        raise ValueError("a size such as 512B, 256KiB or 1MiB")
    return Size(int(match[1]) * _UNITS[match[2]])


class Check(Protocol):
    """What may stand in an `Annotated[…]`: a condition on the decoded value."""

    def wrong(self, value: Any) -> str | None:
        """What was expected, when the value is not it."""


@dataclass(frozen=True, slots=True)
class Between:
    """A number, duration or size within bounds."""

    low: float
    high: float
    words: str = ""

    def wrong(self, value: float) -> str | None:
        return None if self.low <= value <= self.high else self.words or f"{self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Matches:
    """Text of one shape; the whole of it must match."""

    pattern: str
    words: str

    def wrong(self, value: str) -> str | None:
        return None if re.fullmatch(self.pattern, value) else self.words


@dataclass(frozen=True, slots=True)
class OneOf:
    """Text out of a list too long or too alive for an Enum."""

    known: frozenset[str]
    words: str

    def wrong(self, value: str) -> str | None:
        return None if value in self.known else self.words + nearest(value, self.known)


@dataclass(frozen=True, slots=True)
class NotEmpty:
    """A list or a text with something in it."""

    words: str = "at least one"

    def wrong(self, value: Any) -> str | None:
        return None if value else self.words


@dataclass(frozen=True, slots=True)
class Hidden:
    """The value is a secret: no error shows it."""

    def wrong(self, value: Any) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """A list that may be written as its only item."""

    def wrong(self, value: Any) -> str | None:
        return None


_BAD: Any = object()
T = TypeVar("T")


def decode(node: Node, hint: type[T], path: str = "") -> T:
    """The tree as a value of a type: frozen dataclass or msgspec Struct (keys are the field names; `Where` fields are filled in),
    str int float bool Duration Size Path, Enum, Literal, `tuple[T, ...]`, list, frozenset, `Mapping[str, T]`, `T | None`, Node
    for a subtree left alone, and `Annotated` with `Check`s. A `ValueError` from a class's own `__post_init__` is an error of that mapping.

    Raises:
        YamlError: with a line for every problem in the tree.
        TypeError: the type itself is not one of these.
    """
    decoder = _Decoder()
    value: T = decoder.value(node, hint, path)
    if decoder.problems:
        raise YamlError(*decoder.problems)
    return value


@functools.cache
def fields(kind: type) -> tuple[tuple[str, Any, bool], ...]:
    """Name, type and whether it must be there, for each field that is a key."""
    hints = get_type_hints(kind, include_extras=True)
    parameters = inspect.signature(kind).parameters
    return tuple(
        (name, hints[name], p.default is inspect.Parameter.empty)
        for name, p in parameters.items()
        if hints[name] is not Where
    )


@functools.cache
def _places(kind: type) -> tuple[str, ...]:
    return tuple(name for name, hint in get_type_hints(kind, include_extras=True).items() if hint is Where)


def is_record(hint: Any) -> bool:
    return isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "__struct_fields__"))


class _Decoder:
    def __init__(self) -> None:
        self.problems: list[str] = []

    def bad(self, node: Node, path: str, expected: str, found: str | None = None) -> Any:
        self.problems.append(node.problem(path, expected, found))
        return _BAD

    def value(self, node: Node, hint: Any, path: str) -> Any:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self.checked(node, arguments[0], arguments[1:], path)
        if origin in (Union, types.UnionType):
            if node.value is None and type(None) in arguments:
                return None
            (inner,) = (one for one in arguments if one is not type(None))
            return self.value(node, inner, path)
        if origin in (tuple, list, frozenset):
            return self.sequence(node, arguments[0], origin, path)
        if origin is not None and issubclass(origin if isinstance(origin, type) else object, Mapping):
            return self.mapping(node, arguments[1], path)
        if hint is Node:
            return node
        if is_record(hint):
            return self.record(node, hint, path)
        return self.scalar(node, hint, origin, arguments, path)

    def checked(self, node: Node, hint: Any, checks: tuple[Check, ...], path: str) -> Any:
        before = len(self.problems)
        if any(isinstance(check, OneOrMany) for check in checks) and not isinstance(node.value, tuple):
            value = self.value(node, get_args(hint)[0], path)
            value = value if value is _BAD else (value,)
        else:
            value = self.value(node, hint, path)
        hidden = any(isinstance(check, Hidden) for check in checks)
        if hidden and len(self.problems) > before:
            del self.problems[before:]
            return self.bad(node, path, "text in quotes", "something else")
        if value is _BAD:
            return value
        for check in checks:
            expected = check.wrong(value)
            if expected is not None:
                return self.bad(node, path, expected, "a value that is not shown" if hidden else None)
        return value

    def sequence(self, node: Node, inner: Any, make: Any, path: str) -> Any:
        if not isinstance(node.value, tuple):
            return self.bad(node, path, "a list")
        values = [self.value(item, inner, f"{path}[{index}]") for index, item in enumerate(node.value)]
        if any(value is _BAD for value in values):
            return _BAD
        if make is frozenset:
            seen: set[Any] = set()
            for index, (item, value) in enumerate(zip(node.value, values, strict=True)):
                if value in seen:
                    self.bad(item, f"{path}[{index}]", "each once", f"{item.found} twice")
                seen.add(value)
        return make(values)

    def mapping(self, node: Node, inner: Any, path: str) -> Any:
        if not isinstance(node.value, Mapping):
            return self.bad(node, path, "a mapping")
        values = {key: self.value(item, inner, f"{path}.{key}" if path else key) for key, item in node.value.items()}
        return _BAD if any(value is _BAD for value in values.values()) else types.MappingProxyType(values)

    def record(self, node: Node, kind: Any, path: str) -> Any:
        if not isinstance(node.value, Mapping):
            return self.bad(node, path, "a mapping")
        known = fields(kind)
        names = [name for name, _, _ in known]
        before = len(self.problems)
        for key, at in node.keys.items():
            if key not in names:
                self.bad(at, path, f"one of {', '.join(names)}{nearest(key, names)}", f"the unknown key {quoted(key)}")
        values: dict[str, Any] = {}
        for name, hint, required in known:
            if name in node.value:
                values[name] = self.value(node.value[name], hint, f"{path}.{name}" if path else name)
            elif required:
                self.bad(node, path, f"the key {name}", f"no key {name}")
        if len(self.problems) > before:
            return _BAD
        values |= dict.fromkeys(_places(kind), node.where)
        try:
            return kind(**values)
        except ValueError as wrong:
            return self.bad(node, path, str(wrong), "this")

    def scalar(self, node: Node, hint: Any, origin: Any, arguments: tuple[Any, ...], path: str) -> Any:
        value = node.value
        advice = f": write {node.odd}" if node.odd and (node.odd in ("true", "false")) == (hint is bool) else ""
        if hint is bool:
            return value if isinstance(value, bool) else self.bad(node, path, "true or false" + advice)
        if hint is int:
            return value if type(value) is int else self.bad(node, path, "a whole number" + advice)
        if hint is float:
            return float(value) if type(value) in (int, float) else self.bad(node, path, "a number" + advice)  # type: ignore[arg-type]  # just tested
        if hint in (Duration, Size):
            try:
                return (duration if hint is Duration else size)(value if isinstance(value, str) else "")
            except ValueError as wrong:
                return self.bad(node, path, str(wrong))
        if hint is str or hint is Path:
            if not isinstance(value, str):
                return self.bad(node, path, "text (in quotes where it looks like something else)")
            return Path(value) if hint is Path else value
        if origin is Literal or (isinstance(hint, type) and issubclass(hint, Enum)):
            known = {one: one for one in arguments} if origin is Literal else {one.value: one for one in hint}
            if isinstance(value, str | int) and value in known and type(value) in {type(one) for one in known}:
                return known[value]
            near = nearest(value, [one for one in known if isinstance(one, str)]) if isinstance(value, str) else ""
            return self.bad(
                node, path, f"{'one of ' if len(known) > 1 else ''}{', '.join(str(one) for one in known)}{near}"
            )
        raise TypeError(f"cannot decode into {hint!r}")
