"""What a client asks for at start-up: settings for the server, read as the server reads them, and wishes to hooptui itself. Pure.

Source: PostgreSQL documentation, "Message Formats: StartupMessage", and the server's own splitting of `options`: arguments are separated
by white space, a backslash takes the next character as it is, and only `-c name=value` and `--name=value` set a parameter.
Wishes are settings named `hooptui.…`; they go no further than here. Their values may also stand in single quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FORBIDDEN = frozenset({"role", "session_authorization", "session_preload_libraries", "local_preload_libraries"})
"""Settings that change who the session is or what code it loads: a policy that judges SET must not be passed by at start-up."""

REASON, BREAK_GLASS = "hooptui.reason", "hooptui.break_glass"

WISH_MAX = 500
"""Characters of a reason."""

_NAME = re.compile(r"[a-z_][a-z0-9_$.]*", re.ASCII)
_WISH = re.compile(r"(?:-c|--)?hooptui\.[a-z0-9_-]{1,40}=", re.ASCII | re.IGNORECASE)


class OptionsRefused(Exception):
    """A start-up setting is not understood or not allowed; the message is fit for the client."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The start-up parameters, taken apart."""

    parameters: Mapping[str, str]
    """As the client sent them, less what was meant for hooptui."""
    settings: Mapping[str, str]
    """Every setting for the server by its lower-case name, those inside `options` too."""
    purpose: str = ""
    """Why access is wanted: `hooptui.reason`."""
    emergency: str = ""
    """Why the glass is to be broken: `hooptui.break_glass`."""


@dataclass(frozen=True, slots=True)
class _Argument:
    text: str
    start: int
    end: int
    """Where it stood, backslashes and quotes included."""


def read(parameters: Mapping[str, str]) -> Asked:
    """Take the parameters of a StartupMessage apart.

    `user`, `database` and `replication` are no settings. As in the server, a parameter of its own wins over the same name
    inside `options`.

    Raises:
        OptionsRefused: `options` holds anything else than settings, one of them is in `FORBIDDEN`, or a wish is not known, is too long or empty.
    """
    found: dict[str, str] = {}
    passed = dict(parameters)
    if "options" in parameters:
        passed["options"] = _unfold(parameters["options"], found)
        if not passed["options"]:
            del passed["options"]
    for name, value in parameters.items():
        if name not in ("user", "database", "options", "replication"):
            found[name.lower()] = value
            if name.lower().startswith("hooptui."):
                del passed[name]
    for name in found:
        if not _NAME.fullmatch(name):
            raise OptionsRefused(f"start-up setting {name!r} has a name that no setting has")
        if name in FORBIDDEN:
            raise OptionsRefused(f"{name} cannot be set at start-up")
        if name.startswith("hooptui.") and name not in (REASON, BREAK_GLASS):
            raise OptionsRefused(f"hooptui has no start-up setting {name}; it has {REASON} and {BREAK_GLASS}")
    purpose, emergency = _wish(found, REASON), _wish(found, BREAK_GLASS)
    return Asked(MappingProxyType(passed), MappingProxyType(found), purpose, emergency)


def _unfold(text: str, found: dict[str, str]) -> str:
    """Put the settings inside `options` into `found`; returns the text without what was meant for hooptui."""
    kept: list[str] = []
    arguments = iter(_split(text))
    for argument in arguments:
        last = argument
        if argument.text == "-c":
            last = next(arguments, _Argument("", len(text), len(text)))
            setting = last.text
        elif argument.text.startswith(("-c", "--")):
            setting = argument.text[2:]
        else:
            raise OptionsRefused(
                f"start-up option {argument.text!r} is not supported, only -c name=value and --name=value are"
            )
        name, equals, value = setting.partition("=")
        if not equals:
            raise OptionsRefused(f"start-up option {setting!r} is not of the form name=value")
        name = name.replace("-", "_").lower()
        found[name] = value
        if not name.startswith("hooptui."):
            kept.append(text[argument.start : last.end])
    return " ".join(kept)


def _wish(found: dict[str, str], name: str) -> str:
    value = found.pop(name, None)
    if value is None:
        return ""
    value = value.strip()
    if not value:
        raise OptionsRefused(f"{name} is empty; say why in at most {WISH_MAX} characters")
    if len(value) > WISH_MAX:
        raise OptionsRefused(f"{name} has {len(value)} characters; {WISH_MAX} are allowed")
    return value


def _split(text: str) -> list[_Argument]:
    arguments: list[_Argument] = []
    current: list[str] = []
    start = -1
    escaped = quoted = False
    for place, character in enumerate(text):
        if not escaped and not quoted and character in " \t\n\v\f\r":
            if start >= 0:
                arguments.append(_Argument("".join(current), start, place))
                current.clear()
            start = -1
            continue
        if start < 0:
            start = place
        if not escaped and character == "\\":
            escaped = True
            continue
        if not escaped and character == "'" and (quoted or _opens(current)):
            # No rule of the server's, so for our own settings alone: elsewhere a quote is a character like any other.
            quoted = not quoted
            continue
        escaped = False
        current.append(character)
    if quoted:
        raise OptionsRefused(f"the quote in start-up option {''.join(current)[:64]!r} is not closed")
    if start >= 0:
        arguments.append(_Argument("".join(current), start, len(text)))
    return arguments


def _opens(current: list[str]) -> bool:
    """Whether a quote after this much of an argument begins the value of a wish."""
    return len(current) <= 60 and _WISH.fullmatch("".join(current)) is not None
