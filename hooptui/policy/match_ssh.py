"""The conditions of a rule on an SSH operation as functions. Decides nothing.

For an allow every program, path, destination and trait must be covered. For a deny or approve one is enough, and what may be meant
is: any directory of a program, a relative path in any directory, a glob by whatever it may stand for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from posixpath import normpath
from typing import Final

from hooptui.core.model import Invocation, SshFacts
from hooptui.core.vocabulary import SSH_ACTIONS, SSH_FORWARDS, SSH_TRAITS
from hooptui.policy.globs import any_glob, pattern, wild
from hooptui.policy.rules import Rule
from hooptui.policy.rules_ssh import Program, Ssh, expand

_STANDARD: Final = ("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/")
_STARTS: Final = frozenset({"exec", "subsystem"})
_FILES: Final = frozenset(word for word in SSH_ACTIONS if word.startswith(("file_", "git_", "rsync_")))
_WILD: Final = frozenset("*?[")


def plain_name(program: str) -> str:
    """The program without its directory, where that is a standard one."""
    for directory in _STANDARD:
        if program.startswith(directory) and "/" not in program[len(directory) :]:
            return program[len(directory) :]
    return program


def covers(program: Program) -> Callable[[Invocation], bool]:
    """Whether an allow for this covers an invocation."""
    lines = [line.split(" ") for line in program.run]
    heads = [
        (
            [any_glob((word,)) for word in (words[:-1] if words[-1] == "*" and len(words) > 1 else words)],
            words[-1] == "*",
        )
        for words in lines
    ]
    fixed = frozenset(word for words in lines for word in words if not wild(word))
    fits = _settled(program.arguments) if program.arguments is not None else None
    bad = any_glob(program.never) if program.never is not None else None

    def one(invocation: Invocation) -> bool:
        words = (plain_name(invocation.program), *invocation.arguments)
        for head, more in heads:
            if len(words) < len(head) or (len(words) > len(head) and not more):
                continue
            rest = words[len(head) :]
            if (
                all(is_word(word) for is_word, word in zip(head, words, strict=False))
                and (fits is None or all(map(fits, rest)))
                and (bad is None or not any(bad(word) for word in words[1:] if word not in fixed))
            ):
                return True
        return False

    return lambda invocation: bool(invocation.program) and one(invocation)


def _settled(globs: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether an argument matches, also when `..` in it is followed; what may stand for `..` on the target matches `*` alone."""
    whole = any_glob(globs)
    anything = "*" in globs

    def matches(argument: str) -> bool:
        if anything:
            return True
        if not whole(argument):
            return False
        parts = argument.split("/")
        if any(part.startswith(".") and not _WILD.isdisjoint(part) for part in parts):
            return False
        return ".." not in parts or whole(normpath(argument))

    return matches


def touches(program: Program) -> Callable[[Invocation], bool]:
    """Whether a deny or approve for this is touched by an invocation."""
    lines = [line.split(" ") for line in program.run]
    heads = [
        [any_glob((word.lower(),)) for word in (words[:-1] if words[-1] == "*" and len(words) > 1 else words)]
        for words in lines
    ]
    fits = may_be(program.arguments) if program.arguments is not None else None

    def one(invocation: Invocation) -> bool:
        name = invocation.program.rsplit("/", 1)[-1].lower()
        arguments = [argument.lower() for argument in invocation.arguments]
        for first, *others in heads:
            if invocation.program and not first(name):
                continue
            left = iter(arguments)
            if not all(any(map(is_word, left)) for is_word in others):
                continue
            if fits is None or not invocation.program or any(map(fits, invocation.arguments)):
                return True
        return False

    return one


def may_be(globs: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path may be one of those that are meant, as far as its text tells. Case is ignored."""
    listed = [glob.lower() for glob in globs]
    whole = any_glob(listed)
    # A relative path may be in any directory, and `/a/b/c*` then met by `b/c1` and `c1`.
    ends = any_glob(
        end
        for glob in listed
        if glob.startswith(("/", "*/"))
        for end in (glob[at + 1 :] for at, character in enumerate(glob) if character == "/")
        if end.strip("*?/")
    )
    samples = [(glob, glob.replace("*", "").replace("?", "x")) for glob in listed]

    def matches(path: str) -> bool:
        path = path.lower()
        if whole(path):
            return True
        if not path.startswith(("/", "~", "-")):
            while path.startswith(("../", "./")):
                path = path.split("/", 1)[1]
            if ends(path):
                return True
        if _WILD.isdisjoint(path):
            return False
        meant = re.compile(pattern(re.sub(r"\[[^]]*\]?", "?", path)), re.DOTALL).fullmatch
        return any(meant(glob) is not None or meant(sample) is not None for glob, sample in samples)

    return matches


class SshWhat:
    """The conditions of one rule on an SSH operation; has the face of `match.What`."""

    __slots__ = ("_destinations", "_paths", "_programs", "_traits", "commands", "narrow", "neutral", "ssh", "strict")

    def __init__(self, rule: Rule, *, strict: bool) -> None:
        """`strict`: for an allow, where all must match; else for a deny or approve, where one is enough."""
        ssh = rule.when.ssh or Ssh()
        self.ssh = ssh
        self.strict = strict
        self.narrow = True
        self.neutral = frozenset[str]()
        self.commands = None if ssh.actions is None else expand(ssh.actions)
        programs = ssh.programs or ()
        self._programs = [covers(one) if strict else touches(one) for one in programs]
        globs = any_glob if strict else may_be
        self._paths = None if ssh.paths is None else globs(ssh.paths)
        self._destinations = None if ssh.destinations is None else globs(ssh.destinations)
        self._traits = ssh.traits
        if strict and ssh.traits is None:
            self._traits = frozenset() if programs else SSH_TRAITS

    def fits(self, facts: object) -> bool:
        """Whether everything but the actions agrees."""
        return isinstance(facts, SshFacts) and all(holds for _, holds, _ in self.checks(facts))

    def met(self, facts: object) -> bool:
        """Whether a deny or approve is met. A rule for the rest never is: it only stands in for an allow."""
        if not isinstance(facts, SshFacts) or self.ssh.rest:
            return False
        if self.commands is not None and self.commands.isdisjoint(facts.actions):
            return False
        return self.fits(facts)

    def checks(self, facts: SshFacts) -> Iterator[tuple[str, bool, frozenset[str]]]:
        """Each condition, whether it agrees, and what it is about."""
        strict, quantifier = self.strict, all if self.strict else any
        if self._programs:
            named = [any(one(invocation) for one in self._programs) for invocation in facts.invocations]
            agrees = quantifier(named) and (bool(named) or facts.actions.isdisjoint(_STARTS))
            yield "programs", agrees, facts.functions
        if self._paths is not None:
            agrees = quantifier(map(self._paths, facts.paths)) and (
                bool(facts.paths) or facts.actions.isdisjoint(_FILES)
            )
            yield "paths", agrees, facts.paths
        if self._destinations is not None:
            agrees = quantifier(map(self._destinations, facts.destinations)) and (
                bool(facts.destinations) or facts.actions.isdisjoint(SSH_FORWARDS)
            )
            yield "destinations", agrees, facts.destinations
        if self._traits is not None:
            yield (
                "traits",
                (facts.traits <= self._traits if strict else not facts.traits.isdisjoint(self._traits)),
                facts.traits,
            )
        if self.ssh.size_up_to is not None:
            size = facts.size
            yield "size_up_to", size is not None and size <= self.ssh.size_up_to, frozenset({_bytes(size)})
        if self.ssh.size_above is not None:
            size = facts.size
            yield "size_above", size is None or size > self.ssh.size_above, frozenset({_bytes(size)})


def _bytes(size: int | None) -> str:
    return "a size that is not known" if size is None else f"{size} bytes"
