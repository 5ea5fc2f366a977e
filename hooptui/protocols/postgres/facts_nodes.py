"""The parse nodes that are understood, as a table read from nodes.txt.

libpg_query prints a tree as JSON in which a node is `{"Class": {field: value}}` and a field of fixed class leaves the
name out, so a walk needs to know the classes. It also makes the walk fail closed: a class or field that is not in the
table, from a newer grammar say, is refused rather than skipped. Knows nothing of what a node means.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any, Final

Body = dict[str, Any]
"""The fields of one node as they come from JSON."""

PLAIN: Final = ""
NODES: Final = "*"
POSITIONS: Final = frozenset(
    {
        "location", "arg_location", "conninfo_location", "payload_location", "name_location",
        "list_start", "list_end", "rexpr_list_start", "rexpr_list_end",
    }
)  # fmt: skip
"""Fields that say where in the text a node stood."""


class NotUnderstood(Exception):
    """The text means something this gateway does not know; the message says what, without quoting the text."""


def _load() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for line in resources.files(__package__).joinpath("nodes.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, *fields = line.split()
        table[name] = dict.fromkeys(POSITIONS, PLAIN)
        for field in fields:
            key, colon, kind = field.partition(":")
            table[name][key] = kind if colon else PLAIN
    return table


FIELDS: Final = _load()


def inner(node: Body) -> tuple[str, Body]:
    """Class and fields of a node written as `{"Class": {...}}`."""
    for name, body in node.items():
        if len(node) == 1 and isinstance(body, dict):
            return name, body
    raise NotUnderstood("a parse node of unexpected shape")


def items(value: Any) -> Iterator[tuple[str, Body]]:
    """The nodes of a field of kind `*`: one node or a list; an empty slot of a list is left out."""
    if isinstance(value, dict):
        yield inner(value)
    else:
        for node in value or ():
            if node:
                yield inner(node)


def strings(value: Any) -> tuple[str, ...]:
    """The texts of a list of String nodes; other nodes (a star, say) are left out."""
    return tuple(body.get("sval", "") for name, body in items(value) if name == "String")


def same(a: Any, b: Any) -> bool:
    """True when two trees differ at most in where in the text they stood."""
    if isinstance(a, dict) and isinstance(b, dict):
        keys = (a.keys() | b.keys()) - POSITIONS
        return all(key in a and key in b and same(a[key], b[key]) for key in keys)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def name_of(*parts: str) -> str:
    """A qualified name for rules and people. A part with a dot or quote inside is quoted, so that the table named
    `"a.b"` can never be taken for the table b of schema a."""
    return ".".join(
        '"' + part.replace('"', '""') + '"' if "." in part or '"' in part else part for part in parts if part
    )


def relation_name(var: Body) -> str:
    """`schema.name` as the text says it, or just the name; a database before it can only be the current one."""
    return name_of(var.get("schemaname", ""), var.get("relname", ""))
