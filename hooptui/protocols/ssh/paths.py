"""Which files an argument names. Knows no file system: symbolic links are the target's."""

from __future__ import annotations

import re
from posixpath import normpath
from typing import Final

_OPTION: Final = re.compile(r"-{1,2}[A-Za-z0-9-]*=?")
_HOST: Final = re.compile(r"[^/:]+:(?=.)")


def normal(path: str) -> str:
    """Absolute and home paths without `.`, `..` and doubled slashes; relative ones too, as far as they go."""
    if not path:
        return path
    found = normpath(path)
    return found[1:] if found.startswith("//") else found


def named(argument: str) -> frozenset[str]:
    """The files that an argument seems to name: itself, what follows `=`, an option's letter, or `host:`.

    A bare word without a slash is not taken for one.
    """
    if "/" not in argument and not argument.startswith(("~", ".")):
        return frozenset()
    found = {argument}
    if argument.startswith("-"):
        found = {argument[len(match.group()) :] for match in (_OPTION.match(argument),) if match}
        found |= {argument[index:] for index in (argument.find("/"), argument.find("~")) if index > 0}
    if "=" in argument:
        found.add(argument.split("=", 1)[1])
    if match := _HOST.match(argument):
        found.add(argument[match.end() :])
    return frozenset(normal(one) for one in found if "/" in one or one.startswith(("~", ".")))
