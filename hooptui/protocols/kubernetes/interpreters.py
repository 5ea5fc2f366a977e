"""What the program of an exec may do beside what its name says, as traits. A help for reviewers and for rules that deny."""

from __future__ import annotations

from hooptui.protocols.programs import INTERPRETERS, PRIVILEGE, WRAPPERS

_WRAPPERS = WRAPPERS | PRIVILEGE | {"env", "xargs", "busybox", "toybox", "find", "parallel", "watch", "command", "time"}


def program_traits(command: tuple[str, ...]) -> frozenset[str]:
    """Of a program and its arguments, as they are; nothing stands between."""
    if not command:
        return frozenset()
    name = command[0].rsplit("/", 1)[-1]
    found = set()
    if name.rstrip("0123456789.-") in INTERPRETERS:
        found.add("interpreter")
    if name in _WRAPPERS:
        found.add("wrapper")
    if name in ("tar", "bsdtar", "cpio"):
        found.add("copies")
    return frozenset(found)
