"""Which exec requests are file transfers: scp's own protocol, rsync, git; their direction and paths. Pure.

Only a command line that any shell takes as plain words is recognised: no variable, substitution, redirection or second command.
Everything else is None, and judged as a command. A recognised one whose paths or options cannot be judged has `facts.unknown`
set, which no policy allows. Relative paths start at the home of the login, which only the target knows: they are judged as sent, and
one that climbs out of it is not judged at all. Symlinks on the target are not seen here, nor what rsync finds below a directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from hooptui.core.model import Invocation, Operation, SshFacts
from hooptui.protocols.ssh.rsync import rsync
from hooptui.protocols.ssh.words import Word, bad_paths, plain, words

MAX_COMMAND: Final = 64 * 1024

_FOLDERS: Final = frozenset({"", "/usr/bin", "/bin", "/usr/local/bin", "/usr/lib/git-core"})
"""Where the program may be said to be; `scp` of any other place may be anything."""

_GIT: Final = {
    "git-upload-pack": "git_read",
    "git-upload-archive": "git_read",
    "git-receive-pack": "git_write",
}

Program = Literal["scp", "rsync", "git"]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A command that moves files."""

    program: Program
    writes: bool
    """Towards the target, or changing files there."""
    paths: tuple[str, ...]
    """As they are judged, in the order of the command line."""
    facts: SshFacts
    text: str
    recursive: bool = False
    folder: bool = False
    """scp: the path is a directory, or nothing is to be copied."""

    def operation(self) -> Operation:
        """What to ask before the command may run at all."""
        return Operation("ssh", self.program, self.text, self.facts)


def recognise(command: bytes | str) -> Transfer | None:
    """The transfer that an exec request starts; None when it is something else, or is not plain words. Never raises."""
    raw = command if isinstance(command, bytes) else command.encode("utf-8", "surrogateescape")
    if len(raw) > MAX_COMMAND:
        return None
    line = words(raw)
    if not line or line[0].glob or line[0].tilde:
        return None
    folder, _, name = line[0].text.rpartition("/")
    if folder not in _FOLDERS or (line[0].text.startswith("/") and not folder):
        return None
    text = raw.decode("utf-8", "backslashreplace")
    rest = line[1:]
    if name == "scp":
        return _scp(rest, text)
    if name == "rsync":
        found = rsync(rest)
        if found is None:
            return None
        actions, paths, unknown = found
        return _transfer("rsync", actions, paths, line, text, unknown)
    if name == "git" and rest:
        name, rest = f"git-{rest[0].text}", rest[1:]
    if name in _GIT:
        return _git(name, rest, line, text)
    return None


def _transfer(
    program: Program, actions: frozenset[str], paths: list[Word], line: list[Word], text: str, unknown: str
) -> Transfer:
    named = tuple(plain(word) for word in paths)
    started = Invocation(line[0].text, tuple(word.shown for word in line[1:]))
    facts = SshFacts(actions, (started,), frozenset(named), unknown=unknown or bad_paths(paths))
    return Transfer(program, any(word.endswith("_write") for word in actions), named, facts, text)


def _scp(rest: list[Word], text: str) -> Transfer | None:
    flags = ""
    while rest and rest[0].text.startswith("-") and rest[0].text != "--":
        flags += rest[0].text[1:]
        rest = rest[1:]
    ended = bool(rest) and rest[0].text == "--"
    rest = rest[ended:]
    source, sink = "f" in flags, "t" in flags
    if source is sink or not set(flags) <= set("ftrpdvq") or not rest:
        return None
    unknown = ""
    if sink and (len(rest) > 1 or rest[0].glob):
        unknown = "scp is to write to more than one path"
    if not ended and any(word.text.startswith("-") for word in rest):
        unknown = "scp has an option behind its paths"
    unknown = unknown or bad_paths(rest, globs=source)
    paths = tuple(plain(word) for word in rest)
    action = "file_write" if sink else "file_read"
    started = Invocation("scp", (f"-{flags}", *(word.shown for word in rest)))
    facts = SshFacts(frozenset({action}), (started,), frozenset(paths), unknown=unknown)
    folder = sink and (
        "d" in flags or rest[0].text.endswith("/") or rest[0].text.rpartition("/")[2] in ("", ".", "..", "~")
    )
    return Transfer("scp", sink, paths, facts, text, "r" in flags, folder)


def _git(name: str, rest: list[Word], line: list[Word], text: str) -> Transfer:
    unknown = ""
    while rest and rest[0].text.startswith("-"):
        option = rest[0].text
        if option not in ("--strict", "--no-strict") and not option.startswith("--timeout="):
            unknown = f"{name} has an option that is not known here"
        rest = rest[1:]
    if len(rest) != 1:
        unknown = unknown or f"{name} names {len(rest)} repositories, and takes one"
    return _transfer("git", frozenset({_GIT[name]}), rest, line, text, unknown)
