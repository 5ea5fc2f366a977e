"""A command line that is nothing but plain words, as every shell reads it; and the paths among them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_META: Final = frozenset(";&|<>()$`\n\r\0!{}^")
"""Unquoted, any of these may mean something to some shell."""

_GLOB: Final = frozenset("*?[")
_LITERAL_IN_DOUBLE: Final = frozenset("$`\\!\n\r\0")


@dataclass(frozen=True, slots=True)
class Word:
    """One word, quotes taken away."""

    text: str
    """Bytes that are not UTF-8 are lone surrogates."""
    glob: bool = False
    """It has a wildcard that is not quoted."""
    tilde: bool = False
    """It begins with a `~` that is not quoted."""

    @property
    def shown(self) -> str:
        return self.text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def words(command: bytes) -> list[Word] | None:
    """The words; None when a shell may do anything else than split them and expand wildcards and a leading tilde."""
    text = command.decode("utf-8", "surrogateescape")
    found: list[Word] = []
    part: list[str] | None = None
    glob = tilde = False
    at = 0
    while at < len(text):
        sign = text[at]
        at += 1
        if sign in " \t":
            if part is not None:
                found.append(Word("".join(part), glob, tilde))
            part, glob, tilde = None, False, False
            continue
        if sign in _META or (part is None and sign == "#"):
            return None
        fresh = part is None
        if part is None:
            part = []
        if sign in "'\"":
            end = text.find(sign, at)
            if end < 0:
                return None
            inner = text[at:end]
            # Inside single quotes fish takes backslashes, csh exclamation marks.
            if not (_LITERAL_IN_DOUBLE if sign == '"' else frozenset("\\!\n\r\0")).isdisjoint(inner):
                return None
            part.append(inner)
            at = end + 1
        elif sign == "\\":
            if at == len(text) or text[at] in "\n\r\0":
                return None
            part.append(text[at])
            at += 1
        else:
            glob = glob or sign in _GLOB
            tilde = tilde or (fresh and sign == "~")
            part.append(sign)
    if part is not None:
        found.append(Word("".join(part), glob, tilde))
    if found and "=" in found[0].text:
        return None
    return found


def plain(word: Word) -> str:
    """A path without doubled slashes, `.` and `..`; a relative one keeps the `..` that climb out of where it starts."""
    path = word.text.removeprefix("~") if word.tilde and word.text in ("~", "~/") else word.text
    if word.tilde and path.startswith("~/"):
        path = path[2:]
    rooted = path.startswith("/") and not (word.tilde and word.text == "~/")
    kept: list[str] = []
    for one in path.split("/"):
        if one == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif one == ".." and rooted:
            continue
        elif one not in ("", "."):
            kept.append(one)
    joined = ("/" if rooted else "") + "/".join(kept)
    return Word(joined or ".").shown


def bad_paths(paths: list[Word], *, globs: bool = False) -> str:
    """Why one of these cannot be judged by what it says; empty when all can.

    Args:
        globs: whether wildcards may be in the last component, because each file will be judged by its own name.
    """
    for word in paths:
        if word.tilde and not (word.text == "~" or word.text.startswith("~/")):
            return "a path in somebody's home directory, which only the target can find"
        if word.text == "" or "\0" in word.text:
            return "an empty path"
        path = plain(word)
        if path.split("/")[0] == "..":
            return "a path that climbs out of the home directory"
        if word.glob:
            # `.*` is `..` to some shells.
            folder, _, last = word.text.rpartition("/")
            if not globs or not _GLOB.isdisjoint(folder) or last.startswith("."):
                return "a path with wildcards that only the target can resolve"
    return ""
