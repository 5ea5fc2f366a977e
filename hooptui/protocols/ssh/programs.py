"""Programs that start other programs: what of their arguments is a command again, and what is merely dangerous to read past.

A help for reviewers and for rules that deny; nothing here makes anything safe. A program or an option that is missing is one that a
rule has to allow by name before it runs. Knows no policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hooptui.protocols.programs import (
    ESCAPES,
    INTERPRETERS,
    NETWORK,
    OPTION_VALUES,
    PRIVILEGE,
    SHELL_STATE,
    SHELLS,
    SKIP,
    WRAPPERS,
)
from hooptui.protocols.ssh.lexer import NONE, Word, assigns


@dataclass(slots=True)
class Started:
    """What one simple command starts in turn."""

    traits: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    """Names that it gives a meaning of their own: aliases, `hash -p`, `enable -f` …"""
    texts: list[str] = field(default_factory=list)
    """Arguments that a shell reads as command lines."""
    commands: list[list[Word]] = field(default_factory=list)
    """Arguments that are a program with its arguments."""


def started(words: list[Word]) -> Started:
    """See the module. `words` has the program first."""
    found = Started()
    if words[0].traits:
        return found
    name, rest = base(words[0].text), words[1:]
    if name in NETWORK:
        found.traits.add("network")
    if name in PRIVILEGE:
        found.traits.add("privilege")
    if name in SHELL_STATE:
        found.traits.add("builtin")
    if (escapes := ESCAPES.get(name)) and any(one.text.startswith(escapes) for one in rest):
        found.traits.add("escape")
    if name.rstrip("0123456789.-") in INTERPRETERS:
        _interpreter(found, name, rest)
    elif special := _SPECIAL.get(name):
        special(found, rest)
    elif name in WRAPPERS:
        found.traits.add("wrapper")
        _wrapped(found, name, rest)
    return found


def base(program: str) -> str:
    """The name of a program without its directory."""
    return program.rsplit("/", 1)[-1]


def _interpreter(found: Started, name: str, rest: list[Word]) -> None:
    found.traits.add("interpreter")
    if name.rstrip("0123456789.-") not in SHELLS:
        if not any(not one.text.startswith("-") for one in rest):
            found.traits.add("stdin")
        return
    for index, one in enumerate(rest):
        text = one.text
        if text.startswith("-") and not text.startswith("--") and "c" in text:
            code = next((later for later in rest[index + 1 :] if not later.text.startswith(("-", "+"))), None)
            _text(found, [code] if code is not None else [])
            return
        if text == "-s" or text == "-":
            found.traits.add("stdin")
        elif not text.startswith(("-", "+")):
            return  # a script on the target
    found.traits.add("stdin")


def _text(found: Started, code: list[Word]) -> None:
    """These words, joined by blanks, are a command line."""
    for one in code:
        if one.traits - {"tilde"}:
            found.traits.add("computed")
            return
    if code:
        found.texts.append(" ".join(one.text for one in code))


def _wrapped(found: Started, name: str, rest: list[Word]) -> None:
    """The program that comes after the wrapper's own options."""
    values, skip = OPTION_VALUES.get(name, NONE), SKIP.get(name, 0)
    index = 0
    while index < len(rest):
        text = rest[index].text
        if text == "--":
            index += 1
            break
        if text.startswith("-") and len(text) > 1:
            index += 2 if text in values else 1
        elif assigns(text):
            found.traits.add("environment")
            index += 1
        else:
            break
    index += skip
    if index < len(rest):
        _program(found, rest[index:])
    elif name in ("sudo", "su", "doas", "chroot", "unshare", "nsenter", "script"):
        found.traits |= {"interpreter", "stdin"}


def _program(found: Started, words: list[Word]) -> None:
    found.commands.append(words)


def _eval(found: Started, rest: list[Word]) -> None:
    found.traits.add("interpreter")
    _text(found, rest)


def _source(found: Started, rest: list[Word]) -> None:
    found.traits.add("interpreter")


def _time(found: Started, rest: list[Word]) -> None:
    """The keyword of bash, which takes `-p` alone; with anything else it is the program."""
    if rest and rest[0].text == "-p":
        rest = rest[1:]
    if rest and rest[0].text.startswith("-"):
        found.traits.add("wrapper")
        _wrapped(found, "time", rest)
    elif rest:
        _program(found, rest)


def _command(found: Started, rest: list[Word]) -> None:
    if rest and rest[0].text in ("-v", "-V"):
        return
    found.traits.add("wrapper")
    _wrapped(found, "command", rest)


def _env(found: Started, rest: list[Word]) -> None:
    found.traits |= {"wrapper", "environment"}
    for index, one in enumerate(rest):
        if one.text.startswith("-S") and len(one.text) > 2:
            found.texts.append(one.text[2:])
        elif one.text.startswith("--split-string="):
            found.texts.append(one.text.split("=", 1)[1])
        elif one.text in ("-S", "--split-string") and index + 1 < len(rest):
            found.texts.append(rest[index + 1].text)
    _wrapped(found, "env", rest)


def _su(found: Started, rest: list[Word]) -> None:
    found.traits |= {"wrapper", "interpreter"}
    for index, one in enumerate(rest):
        if one.text in ("-c", "--command", "--session-command") and index + 1 < len(rest):
            _text(found, [rest[index + 1]])
        elif one.text.startswith(("--command=", "--session-command=")):
            found.texts.append(one.text.split("=", 1)[1])
    if not found.texts:
        found.traits.add("stdin")


def _xargs(found: Started, rest: list[Word]) -> None:
    found.traits |= {"wrapper", "stdin"}
    _wrapped(found, "xargs", rest)


def _find(found: Started, rest: list[Word]) -> None:
    index = 0
    while index < len(rest):
        if rest[index].text in ("-exec", "-execdir", "-ok", "-okdir"):
            found.traits.add("wrapper")
            start = index = index + 1
            while index < len(rest) and rest[index].text not in (";", "+"):
                index += 1
            if start < index:
                _program(found, rest[start:index])
        index += 1


def _ssh(found: Started, rest: list[Word]) -> None:
    """Another host: what runs there is no program of this one, but is read all the same."""
    found.traits.add("wrapper")
    values = OPTION_VALUES["ssh"]
    index = 0
    while index < len(rest) and rest[index].text.startswith("-"):
        index += 2 if rest[index].text in values else 1
    if len(rest) > index + 1:
        _text(found, rest[index + 1 :])
    else:
        found.traits.add("stdin")


def _container(found: Started, rest: list[Word]) -> None:
    """docker, podman, kubectl … `exec` and `run`: a program elsewhere, often with this host's files."""
    if any(one.text in ("exec", "run", "debug", "attach", "cp", "start") for one in rest):
        found.traits.add("wrapper")
    for index, one in enumerate(rest):
        if one.text == "--" and rest[index + 1 :]:
            _program(found, rest[index + 1 :])
            return


def _alias(found: Started, rest: list[Word]) -> None:
    found.traits.add("function")
    found.functions |= {one.text.split("=", 1)[0] for one in rest if "=" in one.text}


def _trap(found: Started, rest: list[Word]) -> None:
    found.traits |= {"builtin", "interpreter"}
    if len(rest) > 1:
        _text(found, [next(one for one in rest if one.text != "--" or one is rest[-1])])


def _watch(found: Started, rest: list[Word]) -> None:
    found.traits.add("wrapper")
    inner = Started()
    _wrapped(inner, "watch", rest)
    for words in inner.commands:
        _text(found, words)


def _busybox(found: Started, rest: list[Word]) -> None:
    found.traits.add("wrapper")
    if rest:
        _program(found, rest)


_SPECIAL: Final[dict[str, Callable[[Started, list[Word]], None]]] = {
    "eval": _eval,
    "source": _source,
    ".": _source,
    "time": _time,
    "command": _command,
    "env": _env,
    "su": _su,
    "runuser": _su,
    "xargs": _xargs,
    "parallel": _watch,
    "watch": _watch,
    "find": _find,
    "fd": _find,
    "ssh": _ssh,
    "docker": _container,
    "podman": _container,
    "nerdctl": _container,
    "crictl": _container,
    "kubectl": _container,
    "oc": _container,
    "lxc": _container,
    "machinectl": _container,
    "alias": _alias,
    "trap": _trap,
    "busybox": _busybox,
    "toybox": _busybox,
}
