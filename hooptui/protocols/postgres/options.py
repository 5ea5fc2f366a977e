"""The `options` start-up parameter: the settings inside it, read as the server reads them. Pure.

Source: PostgreSQL documentation, "Message Formats: StartupMessage", and the server's own splitting: arguments are separated
by white space, a backslash takes the next character as it is, and only `-c name=value` and `--name=value` set a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

FORBIDDEN = frozenset({"role", "session_authorization", "session_preload_libraries", "local_preload_libraries"})
"""Settings that change who the session is or what code it loads: a policy that judges SET must not be passed by at start-up."""


_NAME = re.compile(r"[a-z_][a-z0-9_$.]*", re.ASCII)


class OptionsRefused(Exception):
    """A start-up setting is not understood or not allowed; the message is fit for the client."""


def settings(parameters: Mapping[str, str]) -> dict[str, str]:
    """Every setting a client asks for at start-up by its lower-case name, `options` unfolded.

    `parameters` are those of the StartupMessage; `user`, `database` and `replication` are no settings. As in the server, a
    parameter of its own wins over the same name inside `options`.

    Raises:
        OptionsRefused: `options` holds anything else than settings, or one of them is in `FORBIDDEN`.
    """
    found: dict[str, str] = {}
    arguments = iter(_split(parameters.get("options", "")))
    for argument in arguments:
        if argument == "-c":
            setting = next(arguments, "")
        elif argument.startswith(("-c", "--")):
            setting = argument[2:]
        else:
            raise OptionsRefused(
                f"start-up option {argument!r} is not supported, only -c name=value and --name=value are"
            )
        name, equals, value = setting.partition("=")
        if not equals:
            raise OptionsRefused(f"start-up option {setting!r} is not of the form name=value")
        found[name.replace("-", "_").lower()] = value
    for name, value in parameters.items():
        if name not in ("user", "database", "options", "replication"):
            found[name.lower()] = value
    for name in found:
        if not _NAME.fullmatch(name):
            raise OptionsRefused(f"start-up setting {name!r} has a name that no setting has")
        if name in FORBIDDEN:
            raise OptionsRefused(f"{name} cannot be set at start-up")
    return found


def _split(text: str) -> list[str]:
    arguments: list[str] = []
    current: list[str] = []
    inside = escaped = False
    for character in text:
        if not escaped and character in " \t\n\v\f\r":
            if inside:
                arguments.append("".join(current))
                current.clear()
            inside = False
            continue
        inside = True
        if not escaped and character == "\\":
            escaped = True
            continue
        escaped = False
        current.append(character)
    if inside:
        arguments.append("".join(current))
    return arguments
