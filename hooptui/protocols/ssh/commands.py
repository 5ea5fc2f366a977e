"""A command line to what it does: every program that it starts, whatever it is wrapped in, and what its text leaves open.

The grammar is tree-sitter's for bash. A text that is plain by `lexer` is read by both, and both must find the same programs,
arguments and redirections: else it is not understood. All the rest has the trait `compound` at least, so that a rule that wants no
traits lets through nothing that only one of them has read. What the text does not say is marked, never guessed. Nothing runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from hooptui.core.model import Invocation, SshFacts
from hooptui.core.vocabulary import UNKNOWN
from hooptui.protocols.ssh.lexer import Plain, Redirection, Word, plain, word
from hooptui.protocols.ssh.paths import named, normal
from hooptui.protocols.ssh.programs import Started, started

MAX_BYTES: Final = 128 * 1024
MAX_DEPTH: Final = 60
"""Levels of the grammar's tree."""
MAX_NODES: Final = 20_000
"""Nodes that are looked at."""
MAX_INNER: Final = 6
"""Levels of commands that are arguments of commands: `sh -c "sh -c …"`."""
MAX_INVOCATIONS: Final = 2_000
KEEP: Final = 4096
"""Longest text in characters that is remembered."""

_PARSER: Final = Parser(Language(tree_sitter_bash.language()))
_TRAITS: Final = {
    "command_substitution": "substitution",
    "process_substitution": "substitution",
    "simple_expansion": "variable",
    "expansion": "variable",
    "arithmetic_expansion": "arithmetic",
    "brace_expression": "brace",
    "extglob_pattern": "glob",
    "variable_assignment": "environment",
    "declaration_command": "environment",
    "unset_command": "environment",
    "heredoc_redirect": "heredoc",
    "herestring_redirect": "heredoc",
    "for_statement": "loop",
    "c_style_for_statement": "loop",
    "while_statement": "loop",
    "function_definition": "function",
}
_IN_WORDS: Final = frozenset({"variable", "brace", "glob"})
"""What the tree may show of a plain text."""
_HARMLESS: Final = frozenset({"/dev/null"})
_EXEC: Final = frozenset({"exec"})


def read_command(command: bytes | str) -> SshFacts:
    """What an exec request does. Never raises; the same facts for the same text.

    What is not UTF-8, or holds bytes in their surrogate-escaped form, has the trait `computed`: which words the target's shell
    sees in it depends on its language.
    """
    try:
        raw = command if isinstance(command, bytes) else command.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _unknown("it holds half of a character")
    if len(raw) > MAX_BYTES:
        return _unknown(f"it has {len(raw)} bytes, more than {MAX_BYTES}")
    text = raw.decode("utf-8", "replace")
    facts = _remembered(text) if len(raw) <= KEEP else _read(text)
    if text.encode() == raw or not facts.understood:
        return facts
    return replace(facts, traits=facts.traits | {"computed"})


@lru_cache(maxsize=2048)
def _remembered(text: str) -> SshFacts:
    return _read(text)


def _unknown(reason: str) -> SshFacts:
    return SshFacts(frozenset({"exec", UNKNOWN}), unknown=reason)


def _read(text: str) -> SshFacts:
    found = _Found()
    try:
        _into(found, text, 0)
    except _NotUnderstood as wrong:
        return _unknown(str(wrong))
    names = {one.program for one in found.invocations}
    if names & found.functions:
        found.traits.add("shadowed")
    return SshFacts(_EXEC, tuple(found.invocations), frozenset(found.paths), traits=frozenset(found.traits))


class _NotUnderstood(Exception):
    """Why, in words without a part of the text."""


@dataclass(slots=True)
class _Command:
    """A simple command, and the place of its first byte."""

    words: list[Word] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    invocations: list[Invocation] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    traits: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)


def _into(found: _Found, text: str, level: int) -> None:
    """Add what one text does; `level` says how many commands it is an argument of."""
    for character in text:
        if (character < " " and character not in "\t\n") or character == "\x7f":
            raise _NotUnderstood(f"it has the control character U+{ord(character):04X}")
    if level > MAX_INNER:
        raise _NotUnderstood(f"commands are arguments of commands more than {MAX_INNER} times over")
    walk = _Walk(text)
    flat = plain(text)
    if flat is None:
        found.traits.add("compound")
        flat = plain(text, strict=False)
    if flat is not None:
        if not _agree(flat, walk):
            raise _NotUnderstood("two readers of it do not find the same commands")
        if flat.background:
            found.traits.add("background")
    found.traits |= walk.traits
    found.functions |= walk.functions
    for one in walk.redirections:
        _redirected(found, one)
    for command in walk.commands:
        _start(found, command.words, level)


def _agree(flat: Plain, walk: _Walk) -> bool:
    return (
        flat.commands == [one.words for one in walk.commands if one.words]
        and flat.redirections == walk.redirections
        and walk.traits <= _IN_WORDS
    )


def _redirected(found: _Found, one: Redirection) -> None:
    target = one.target
    found.traits |= target.traits
    if one.operator in (">&", "<&"):
        copied = target.text.removesuffix("-")
        if not target.traits and (copied == "" or (copied.isascii() and copied.isdigit())):
            if one.operator == "<&" or copied not in ("", "1", "2"):
                found.traits.add("descriptor")
            return
    if not target.traits and target.text in _HARMLESS:
        return
    found.traits.add("redirects_in" if one.operator.startswith("<") else "redirects_out")
    if one.operator == "<>":
        found.traits.add("redirects_out")
    found.paths.add(normal(target.text))
    if target.text.startswith(("/dev/tcp/", "/dev/udp/")):
        found.traits.add("network")


def _start(found: _Found, words: list[Word], level: int) -> None:
    """Add one simple command, and whatever it starts in turn."""
    if not words:
        return
    if len(found.invocations) >= MAX_INVOCATIONS:
        raise _NotUnderstood(f"it starts more than {MAX_INVOCATIONS} programs")
    for one in words:
        found.traits |= one.traits
    if words[0].traits or any("glob" in one.traits and one.text[0] in "*?[-" for one in words):
        found.traits.add("computed")
    arguments = tuple(one.text for one in words[1:])
    found.invocations.append(Invocation("" if words[0].traits else words[0].text, arguments))
    for argument in arguments:
        found.paths |= named(argument)
    inner: Started = started(words)
    found.traits |= inner.traits
    found.functions |= inner.functions
    for text in inner.texts:
        _into(found, text, level + 1)
    for command in inner.commands:
        if level >= MAX_INNER:
            raise _NotUnderstood(f"commands are arguments of commands more than {MAX_INNER} times over")
        _start(found, command, level + 1)


class _Walk:
    """One pass over the grammar's tree, in the order of the text."""

    def __init__(self, text: str) -> None:
        self.source = text.encode()
        self.commands: list[_Command] = []
        self.redirections: list[Redirection] = []
        self.traits: set[str] = set()
        self.functions: set[str] = set()
        self.nodes = 0
        tree = _PARSER.parse(self.source)
        if tree is None or tree.root_node.has_error:
            raise _NotUnderstood("it does not parse as a command of bash")
        self._walk(tree.root_node, None, 0)

    def _walk(self, node: Node, command: _Command | None, depth: int) -> None:
        """Visit a node; `command` is the simple command whose words and redirections stand here."""
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise _NotUnderstood(f"it is nested more than {MAX_DEPTH} deep")
        if self.nodes > MAX_NODES:
            raise _NotUnderstood(f"it has more than {MAX_NODES} parts")
        kind = node.type
        if kind in _TRAITS:
            self.traits.add(_TRAITS[kind])
        match kind:
            case "command":
                command = command if command is not None else self._command()
                self._children(node, command, depth, words=True)
            case "redirected_statement":
                body = node.child_by_field_name("body")
                mine = self._command() if body is None or body.type == "command" else None
                for child in node.children:
                    self._walk(child, mine if child == body or child.type.endswith("redirect") else None, depth + 1)
            case "file_redirect":
                self._redirect(node, command, depth)
            case "declaration_command" | "unset_command":
                mine = self._command()
                mine.words = [self._word(child) for child in node.children]
                self._children(node, None, depth)
            case "function_definition":
                name = node.child_by_field_name("name")
                if name is not None:
                    self.functions.add(self._word(name).text)
                self._children(node, None, depth)
            case _:
                self._children(node, None, depth)

    def _children(self, node: Node, command: _Command | None, depth: int, *, words: bool = False) -> None:
        for child in node.children:
            if words and command is not None and _is_word(child):
                command.words.append(self._word(child))
            self._walk(child, command if words else None, depth + 1)

    def _redirect(self, node: Node, command: _Command | None, depth: int) -> None:
        operator = next((child.type for child in node.children if not child.is_named), "")
        targets = node.children_by_field_name("destination")
        if operator in (">&-", "<&-"):
            # It closes, and takes no word: one that follows is an argument.
            self.redirections.append(Redirection(operator[:-1], Word("-", frozenset())))
        elif targets:
            self.redirections.append(Redirection(operator, self._word(targets.pop(0))))
        else:
            raise _NotUnderstood("it redirects to nothing")
        for extra in targets:
            # The grammar takes what follows a redirection for more of it; the shell, for arguments.
            if command is None:
                raise _NotUnderstood("words follow a redirection of something that takes none")
            command.words.append(self._word(extra))
        for child in node.children:
            self._walk(child, None, depth + 1)

    def _command(self) -> _Command:
        made = _Command()
        self.commands.append(made)
        return made

    def _word(self, node: Node) -> Word:
        return word(self.source[node.start_byte : node.end_byte].decode())


def _is_word(node: Node) -> bool:
    """Whether a child of a command is its name or an argument."""
    return node.type not in (
        "variable_assignment",
        "file_redirect",
        "herestring_redirect",
        "heredoc_redirect",
        "comment",
    )
