"""Globs of `*` and `?` as regular expressions that no text can make backtrack for long. Knows nothing of rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable


def pattern(glob: str, any_one: str = ".") -> str:
    """A regular expression for a glob of `*` and `?`; atomic, so that no name can make it backtrack for long.

    Args:
        any_one: what a wildcard stands for, one character of it.
    """
    first, *rest = (re.escape(part).replace(r"\?", any_one) for part in re.sub(r"\*+", "*", glob).split("*"))
    if not rest:
        return first
    middle = "".join(f"(?>{any_one}*?{part})" for part in rest[:-1])
    return f"{first}{middle}{any_one}*{rest[-1]}"


def wild(glob: str) -> bool:
    return "*" in glob or "?" in glob


def any_glob(globs: Iterable[str]) -> Callable[[str], bool]:
    """Whether a text matches one of the globs, exactly as written."""
    listed = tuple(globs)
    exact = frozenset(glob for glob in listed if not wild(glob))
    wilds = [pattern(glob) for glob in listed if wild(glob)]
    if not wilds:
        return exact.__contains__
    matches = re.compile("|".join(f"(?:{one})" for one in wilds), re.DOTALL).fullmatch
    return lambda text: text in exact or matches(text) is not None
