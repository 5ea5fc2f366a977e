"""Text to a tree of values with positions.

What stock YAML readers do quietly is refused: two equal keys (the last would win), anchors, aliases, merge keys and tags,
`no` for false, `010` for eight. Size, depth and number of values are bounded. Knows nothing of what the files mean.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 100_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}\Z")
_ODD = (
    (re.compile(r"(?i:yes|on|y|true)\Z"), "true"),
    (re.compile(r"(?i:no|off|n|false)\Z"), "false"),
    (re.compile(r"(?i:null)\Z"), "null"),
    (
        re.compile(r"[-+]?(?:0[0-9_]+|0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+|[0-9][0-9_]*|[0-9.eE+-]+|\.(?i:inf|nan))\Z"),
        "a plain decimal number",
    ),
)
_BAD_CHARACTER = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|(?<!^)\ufeff"
)
"""Control characters, line breaks that only some readers see, and marks that reorder what a reviewer reads."""


class YamlError(ValueError):
    """What is wrong with a file, every line of it `file:line[:column]: [key path:] found …, expected …`."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file. A field of this type in a decoded class is filled with the place of its mapping."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value and where it stands. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    value: str | int | float | bool | tuple[Node, ...] | Mapping[str, Node] | None
    odd: str = ""
    """For text that other readers take for something else: what to write if that was meant."""
    keys: Mapping[str, Node] = field(default_factory=dict)
    """The keys of a mapping, for their places."""

    @property
    def where(self) -> Where:
        return Where(self.file, self.line)

    @property
    def found(self) -> str:
        """The value in words, short and fit for a terminal."""
        match self.value:
            case None:
                return "nothing"
            case bool():
                return "true" if self.value else "false"
            case int() | float():
                return f"the number {self.value}"
            case str():
                return quoted(self.value)
            case tuple():
                return f"a list of {len(self.value)}"
            case _:
                return "a mapping"

    def get(self, key: str) -> Node | None:
        """The value under a key; None when this is no mapping or has no such key."""
        return self.value.get(key) if isinstance(self.value, Mapping) else None

    def items(self) -> tuple[Node, ...]:
        """The items of a list; empty when this is none."""
        return self.value if isinstance(self.value, tuple) else ()

    def problem(self, path: str, expected: str, found: str | None = None) -> str:
        """One line for an error."""
        return f"{self.file}:{self.line}: {path + ': ' if path else ''}found {self.found if found is None else found}, expected {expected}"


def quoted(text: str) -> str:
    """Text from a file as an error shows it: cut, and with nothing that a terminal would obey."""
    shown = text if len(text) <= 60 else text[:57] + "…"
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown) + '"'


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean …?)` for a word close to a known one; else empty."""
    asked, ordered = word[:64].lower(), sorted(known)
    close = difflib.get_close_matches(asked.replace("-", "_"), ordered, 1) or difflib.get_close_matches(
        asked, ordered, 1
    )
    return f" (did you mean {close[0]}?)" if close else ""


def load(source: Path | str | bytes, name: str | None = None) -> Node:
    """Read one document: a `Path` is opened, `str` and `bytes` are the text itself. `name` stands for the file in errors.

    Raises:
        YamlError: one problem: not readable, not UTF-8, too large, too deep, or not the YAML this module takes.
    """
    file = name or (str(source) if isinstance(source, Path) else "text")
    raw = read(source, file) if isinstance(source, Path) else source
    if isinstance(raw, str):
        raw = raw.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BYTES:
        raise YamlError(f"{file}:1:1: found more than {MAX_BYTES} bytes, expected at most 1 MiB")
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        column = wrong.start - raw.rfind(b"\n", 0, wrong.start)
        raise YamlError(f"{file}:{line}:{column}: found the byte 0x{raw[wrong.start]:02x}, expected UTF-8") from None
    bad = _BAD_CHARACTER.search(text)
    if bad:
        line, column = text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start())
        raise YamlError(f"{file}:{line}:{column}: found the character U+{ord(bad[0]):04X}, expected printable text")
    return _Builder(file, text).document()


def read(path: Path, name: str) -> bytes:
    """The bytes of a regular file, at most one more than `MAX_BYTES`.

    Raises:
        YamlError: there is no such file, or it cannot be read.
    """
    try:
        # Never wait on a pipe or a device that somebody put in the place of a file.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise YamlError(f"{name}:1:1: found something that is not a regular file, expected a YAML file")
            return opened.read(MAX_BYTES + 1)
    except OSError as wrong:
        raise YamlError(
            f"{name}:1:1: found no readable file ({wrong.strerror or wrong}), expected a YAML file"
        ) from None


class _Builder:
    """From PyYAML's events, not its tree: so that depth is bounded before anything recurses."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.count = 0
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)

    def document(self) -> Node:
        node = Node(self.file, 1, 1, None)
        documents = 0
        while not isinstance(event := self.next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if event.version or event.tags:
                    raise self.refuse(event, "a directive", "the document without it; directives are not read")
                if documents > 1:
                    raise self.refuse(event, "a second document", "one document in a file")
                node = self.node(self.next(), 1)
        return node

    def next(self) -> yaml.Event:
        try:
            return next(self.events)
        except yaml.MarkedYAMLError as wrong:
            mark = wrong.problem_mark or wrong.context_mark
            line, column = (mark.line, mark.column) if mark else (0, 0)
            lines = self.text.split("\n")
            here = lines[line] if line < len(lines) else ""
            problem = " ".join(str(wrong.problem or wrong.context or "no YAML").split())
            found, expected = f"invalid YAML ({problem})", "quotes, colons, brackets and indentation that fit together"
            if here[column : column + 1] == "\t" or "\t" in here[: len(here) - len(here.lstrip())]:
                found, expected = "a tab", "spaces for indentation"
            elif problem.startswith("mapping values are not allowed"):
                found, expected = "a second colon", "text that holds a colon and a space to be in quotes"
            raise YamlError(f"{self.file}:{line + 1}:{column + 1}: found {found}, expected {expected}") from None
        except (yaml.YAMLError, UnicodeError) as wrong:
            raise YamlError(f"{self.file}:1:1: found {type(wrong).__name__}, expected well-formed YAML") from None

    def refuse(self, event: yaml.Event, found: str, expected: str) -> YamlError:
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return YamlError(f"{self.file}:{line}:{column}: found {found}, expected {expected}")

    def node(self, event: yaml.Event, depth: int) -> Node:
        self.count += 1
        if self.count > MAX_NODES:
            raise self.refuse(event, f"more than {MAX_NODES} values", "a smaller file")
        if depth > MAX_DEPTH:
            raise self.refuse(event, f"more than {MAX_DEPTH} levels", "a flatter file")
        line, column = (event.start_mark.line + 1, event.start_mark.column + 1) if event.start_mark else (1, 1)
        if isinstance(event, yaml.AliasEvent):
            raise self.refuse(event, "an alias", "the value itself; aliases are not read (text with * goes in quotes)")
        if getattr(event, "anchor", None) is not None:
            raise self.refuse(
                event, "an anchor", "the value without it; anchors are not read (text with & goes in quotes)"
            )
        if getattr(event, "tag", None) is not None:
            raise self.refuse(event, "a tag", "the value without it; tags are not read (text with ! goes in quotes)")
        match event:
            case yaml.ScalarEvent():
                value, odd = _scalar(event.value) if not event.style else (event.value, "")
                return Node(self.file, line, column, value, odd)
            case yaml.SequenceStartEvent():
                found: list[Node] = []
                while not isinstance(item := self.next(), yaml.SequenceEndEvent):
                    found.append(self.node(item, depth + 1))
                return Node(self.file, line, column, tuple(found))
            case yaml.MappingStartEvent():
                return self.mapping(line, column, depth)
            case _:
                raise self.refuse(event, type(event).__name__, "a value")

    def mapping(self, line: int, column: int, depth: int) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, Node] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            if isinstance(event, yaml.ScalarEvent) and not event.style and event.value == "<<":
                raise self.refuse(event, "a merge key <<", "the keys themselves; merge keys are not read")
            key = self.node(event, depth + 1)
            if not isinstance(key.value, str):
                raise self.refuse(
                    event, f"{key.found} as a key", "text as a key (in quotes where it looks like something else)"
                )
            if key.value in values:
                first = keys[key.value].line
                raise self.refuse(event, f"the key {quoted(key.value)} again (first on line {first})", "each key once")
            keys[key.value] = key
            values[key.value] = self.node(self.next(), depth + 1)
        return Node(self.file, line, column, types.MappingProxyType(values), keys=types.MappingProxyType(keys))


def _scalar(text: str) -> tuple[str | int | float | bool | None, str]:
    """The value of a plain scalar, and what to write instead when another reader would take it for something else."""
    if text in ("", "~", "null"):
        return None, ""
    if text in ("true", "false"):
        return text == "true", ""
    if _INT.match(text):
        return int(text), ""
    if _FLOAT.match(text):
        return float(text), ""
    return text, next((meant for pattern, meant in _ODD if pattern.match(text)), "")
