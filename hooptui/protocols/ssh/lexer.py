"""The words of a command line as bash reads them: quotes and escapes taken away, and what only the target can tell marked.

A second reader beside the grammar, for the plain part of the language: programs, arguments, quotes, redirections, and `;`, `&`, `&&`,
`|`, `||` and line ends between them. What goes beyond (substitutions, groups, keywords, here-documents, comments …) it does not
try: it says so, and so it does where other login shells (dash, zsh, fish, csh) would find other ends of quotes. Where both read a
text they must agree, see `commands`. POSIX.1-2024 Shell Command Language 2.2, 2.3, 2.7; for `$'…'`
the manual of bash, 3.1.2.4. Knows no program.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

NONE: Final[frozenset[str]] = frozenset()
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[^]]*\])?\+?=")
_BRACES = re.compile(r"\{[^\s]*(,|\.\.)")
_ANSI = re.compile(
    r"\\(?:x(?P<hex>[0-9A-Fa-f]{1,2})|(?P<octal>[0-7]{1,3})|u(?P<u>[0-9A-Fa-f]{1,4})|U(?P<U>[0-9A-Fa-f]{1,8})"
    r"|c(?P<control>.)|(?P<one>.))",
    re.DOTALL,
)
_SIMPLE: Final = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip

KEYWORDS: Final = frozenset(
    {
        "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "select", "function",
        "in", "{", "}", "!", "[[", "]]", "[", "coproc", "repeat", "foreach", "end", "export", "declare", "typeset",
        "local", "readonly", "unset", "let",
    }
)  # fmt: skip
"""Words that make a command more than a program with arguments, in bash or another shell; `time` is read as a program."""


class Beyond(Exception):
    """The text is more than plain."""


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    """What the program gets; as written where a trait says that the target works it out."""
    traits: frozenset[str] = NONE
    """Why it is not all there: `variable`, `substitution`, `arithmetic`, `glob`, `brace`, `tilde`, `computed`."""


@dataclass(frozen=True, slots=True)
class Redirection:
    operator: str
    """`>`, `>>`, `>|`, `&>`, `&>>`, `<`, `<>`, `>&` or `<&`."""
    target: Word


@dataclass(slots=True)
class Plain:
    """A plain command line."""

    commands: list[list[Word]] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)
    background: bool = False


def plain(text: str, *, strict: bool = True) -> Plain | None:
    """The text as programs, arguments and operators; None when it is more than that, or nothing that a shell would take.

    Without `strict`, as bash alone reads it.
    """
    try:
        return _Reader(text, strict=strict).read()
    except Beyond:
        return None


def word(raw: str) -> Word:
    """The one word that is written like this; what is more than plain in it is left as written and marked."""
    reader = _Reader(raw, strict=False)
    try:
        found = reader.word()
    except Beyond:
        found = None
    if found is not None and reader.at == len(raw):
        return found
    traits = {"glob"} if "(" in raw else set()
    if "$" in raw:
        traits.add("variable")
    if "$(" in raw or "`" in raw or "<(" in raw or ">(" in raw:
        traits.add("substitution")
    if "$((" in raw or "$[" in raw:
        traits.add("arithmetic")
    return Word(raw, frozenset(traits or {"computed"}))


def assigns(raw: str) -> bool:
    """Whether a word as written is `NAME=value`."""
    return _ASSIGNMENT.match(raw) is not None


class _Reader:
    __slots__ = ("at", "found", "strict", "text")

    def __init__(self, text: str, *, strict: bool) -> None:
        """`strict` refuses what not every login shell reads alike."""
        self.text = text
        self.strict = strict
        self.at = 0
        self.found = Plain()

    def read(self) -> Plain:
        text, size = self.text, len(self.text)
        current: list[Word] = []
        while self.at < size:
            character = text[self.at]
            if character in " \t":
                self.at += 1
            elif text.startswith("\\\n", self.at):
                self.at += 2
            elif character in "\n;&|":
                if text.startswith("&>", self.at):
                    self._redirection()
                    continue
                if text.startswith((";;", ";&", ";|"), self.at):
                    raise Beyond
                self.at += 2 if text.startswith(("&&", "||", "|&"), self.at) else 1
                if character == "&" and text[self.at - 2 : self.at] != "&&":
                    self.found.background = True
                if current:
                    self.found.commands.append(current)
                current = []
            elif character in "<>":
                self._redirection()
            elif character in "()#":
                raise Beyond
            else:
                start = self.at
                found = self.word()
                raw = text[start : self.at]
                if raw.isascii() and raw.isdigit() and self.at < size and text[self.at] in "<>":
                    self._redirection()
                    continue
                if self.at < size and text[self.at] in "<>" and _BRACED.fullmatch(raw):
                    raise Beyond  # {name}>file
                if not current and (assigns(raw) or raw in KEYWORDS):
                    raise Beyond
                current.append(found)
        if current:
            self.found.commands.append(current)
        return self.found

    def _redirection(self) -> None:
        for operator in ("&>>", "&>", ">>", ">|", ">&", "<&", ">", "<"):
            if self.text.startswith(operator, self.at):
                self.at += len(operator)
                break
        else:
            raise Beyond
        if self.text[self.at : self.at + 1] in ("<", ">", "(", "&"):
            raise Beyond
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        start = self.at
        target = self.word()
        if self.at == start:
            raise Beyond
        self.found.redirections.append(Redirection(operator, target))

    def word(self) -> Word:
        """The word from here on; it ends before a blank or an operator."""
        text, start = self.text, self.at
        parts: list[str] = []
        traits: set[str] = set()
        while self.at < len(text):
            character = text[self.at]
            if character in " \t\n;&|<>()":
                break
            if character in "\\'\"":
                parts.append(self._quoted(character, traits))
            elif character == "$":
                parts.append(self._dollar(traits, quoted=False))
            elif character == "`":
                raise Beyond
            else:
                if character in "*?[":
                    traits.add("glob")
                elif character == "~" and (self.at == start or text[self.at - 1] in "=:"):
                    traits.add("tilde")
                elif character == "{" and _BRACES.match(text, self.at):
                    traits.add("brace")
                parts.append(character)
                self.at += 1
        return Word("".join(parts), frozenset(traits))

    def _quoted(self, quote: str, traits: set[str]) -> str:
        text, self.at = self.text, self.at + 1
        if quote == "\\":
            escaped = text[self.at : self.at + 1]
            self.at += 1
            return "" if escaped == "\n" else (escaped or "\\")
        if quote == "'":
            end = text.find("'", self.at)
            if end < 0:
                raise Beyond
            inside, self.at = text[self.at : end], end + 1
            if self.strict and (inside.endswith("\\") or "\\\\" in inside):
                raise Beyond  # to fish it goes on
            return inside
        parts: list[str] = []
        while (character := text[self.at : self.at + 1]) != '"':
            if character in ("", "`"):
                raise Beyond
            if character == "$":
                parts.append(self._dollar(traits, quoted=True))
                continue
            if character == "\\":
                following = text[self.at + 1 : self.at + 2]
                if following == '"' and self.strict:
                    raise Beyond  # to csh it ends here
                if following in ("$", "`", '"', "\\", "\n"):
                    parts.append("" if following == "\n" else following)
                    self.at += 2
                    continue
            parts.append(character)
            self.at += 1
        self.at += 1
        return "".join(parts)

    def _dollar(self, traits: set[str], *, quoted: bool) -> str:
        """What a dollar sign begins; `quoted` within double quotes."""
        text, start = self.text, self.at
        following = text[start + 1 : start + 2]
        if following == "'" and not quoted:
            if self.strict:
                raise Beyond  # to dash it is a dollar sign before plain quotes
            return self._ansi(start + 2)
        if following in ("", " ", "\t", "\n", *"/.,:;|)") or (following == '"' and quoted):
            self.at += 1
            return "$"
        if name := _NAME.match(text, start + 1) or _BRACED.match(text, start + 1):
            self.at = name.end()
        elif following in "0123456789?#*@-$!":
            self.at = start + 2
        else:
            raise Beyond  # $(…), ${…}, $[…], $"…", which is translated on the target, and what other shells make of it
        traits.add("variable")
        return text[start : self.at]

    def _ansi(self, start: int) -> str:
        end = start
        while (character := self.text[end : end + 1]) != "'":
            if not character:
                raise Beyond
            end += 2 if character == "\\" else 1
        self.at = end + 1
        return _ANSI.sub(_decoded, self.text[start:end])


def _decoded(found: re.Match[str]) -> str:
    if (one := found["one"]) is not None:
        return _SIMPLE.get(one, f"\\{one}")
    if found["control"] is not None:
        raise Beyond
    code = int(found["octal"], 8) & 0xFF if found["octal"] else int(found["hex"] or found["u"] or found["U"], 16)
    if not 0 < code < (0x110000 if found["u"] or found["U"] else 0x80):
        raise Beyond  # the end of the text to bash, or a byte of its own
    return chr(code)
