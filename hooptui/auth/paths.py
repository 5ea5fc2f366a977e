"""Finding one claim among many, and telling whether it is fit to use. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeGuard

from hooptui.auth.refusals import Code, refusal

MAX_DEPTH = 8
"""Steps of a claim path."""

MISSING: Final = object()
"""What `find` returns for a claim that is not there, which is not the same as null."""


def steps(path: str) -> list[str]:
    """The members a path leads through: `a.b`, or for names with dots of their own a JSON pointer (RFC 6901), `/a.b/c`."""
    if path.startswith("/"):
        return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/", MAX_DEPTH)]
    return path.split(".", MAX_DEPTH)


def find(claims: Mapping[str, object], path: str) -> object:
    """The claim at a path; `MISSING` when some step is.

    A claim whose whole name is `path` wins, because some names have dots of their own (`https://example.com/groups`).

    Raises:
        LoginRefused: bad-claims, when the path leads through something that is not an object.
    """
    if path in claims:
        return claims[path]
    here: object = claims
    for step in steps(path):
        if not isinstance(here, Mapping):
            raise refusal(Code.BAD_CLAIMS, f"the claim path {path!r} leads through a value that is not an object")
        here = here.get(step, MISSING)
        if here is MISSING:
            return MISSING
    return here


def printable(value: object, limit: int) -> TypeGuard[str]:
    """A text that people can be shown: 1 to `limit` characters, none of them a control, and not only blanks."""
    return isinstance(value, str) and 0 < len(value) <= limit and value.isprintable() and bool(value.strip())


def worded(value: object) -> str | None:
    """A single claim as one text: strings, whole numbers and truth values, which providers mix; None for anything else."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            return None
