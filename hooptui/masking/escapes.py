"""Telling what a terminal shows from what only steers it: bytes to text and the control sequences between its characters.

Knows ECMA-48 and xterm's sequences by their shape, and no secret. Nothing is lost: text and marks together are the bytes.
"""

from __future__ import annotations

import codecs
import re
from enum import Enum
from typing import NamedTuple

STRING_MAX = 4096
"""Characters of a control string (window title, link) that are waited for; a longer one is read as plain text."""


class Kind(Enum):
    """What a control sequence means to someone who looks for values in the text around it."""

    SKIP = 0
    """Colour, mode, character set, erasure: what stands before and behind is one text."""
    MOVE = 1
    """The cursor goes elsewhere: what stands before and behind may be one text or two."""
    STRING = 2
    """Carries text of its own, a window title or a link; else like SKIP."""


class Mark(NamedTuple):
    """One control sequence; few enough are held that a tuple is all it needs to be."""

    at: int
    """Index of the character in front of which it stands."""
    raw: str
    """The sequence itself, empty when it has been sent already; bytes that are no UTF-8 as lone surrogates."""
    kind: Kind


_STRING = rf"\x1b[\]PX^_][^\x07\x18\x1a\x1b]{{0,{STRING_MAX}}}"
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]{0,256}[ -/]{0,8}(?P<csi>[@-~])"
    rf"|(?P<string>{_STRING}(?:\x07|\x1b\\))"
    rf"|(?P<part>(?:\x1b\[[0-?]{{0,256}}[ -/]{{0,8}}|{_STRING}\x1b?|\x1b[ -/]{{0,4}}|\r)\Z)"
    r"|\x1b[ -/]{1,4}[0-~]"
    r"|\x1b(?P<escape>[0-~]?)"
    r"|(?P<move>\r(?!\n)|\x08)"
    r"|[\x07\x0e\x0f\x7f]"
)
"""One sequence; `part` is one that the end of the input cut off."""
_STAYS = frozenset("JKhlmnpqtc")
"""Final bytes of those CSI sequences that leave the cursor where it is."""
_GOES = frozenset("78DEHMc")
"""Second bytes of those two-byte sequences that move the cursor."""

_ODD = tuple(bytes((code,)) for code in (0x07, 0x08, 0x0E, 0x0F, 0x1B, 0x7F))


def plain(data: bytes) -> bool:
    """Whether bytes hold no control sequence at all, and no carriage return but those of line ends."""
    if any(code in data for code in _ODD):
        return False
    return data.count(b"\r") == data.count(b"\r\n")


def encoded(text: str) -> bytes:
    """The bytes that text was read from."""
    return text.encode("utf-8", "surrogateescape")


class Lexer:
    """Reads a stream chunk by chunk; how it is cut makes no difference, and at most one incomplete sequence is kept."""

    __slots__ = ("_decoder", "_part", "_sent")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._part = ""
        self._sent = 0
        """Characters of the incomplete sequence that `flush` gave out already."""

    @property
    def idle(self) -> bool:
        """Nothing incomplete is known, so that the next byte starts afresh."""
        return not self._part and not self._decoder.getstate()[0]

    @property
    def waiting(self) -> bool:
        """Something incomplete has not been given out."""
        return len(self._part) > self._sent or bool(self._decoder.getstate()[0])

    def feed(self, data: bytes) -> tuple[str, list[Mark]]:
        """The text that is complete now, and the marks in it by their index in this text."""
        return self._read(self._decoder.decode(data))

    def flush(self) -> tuple[str, list[Mark]]:
        """Give out what is incomplete, as it is. The rest of a sequence will still be known for one."""
        text, marks = self._read(self._decoder.decode(b"", True))
        self._decoder.reset()
        if len(self._part) > self._sent:
            marks.append(Mark(len(text), self._part[self._sent :], _kind_of_part(self._part)))
            self._sent = len(self._part)
        return text, marks

    def _read(self, new: str) -> tuple[str, list[Mark]]:
        if not new:
            return "", []
        raw = self._part + new if self._part else new
        at, self._sent = self._sent, 0
        sent, self._part = at, ""
        pieces: list[str] = []
        marks: list[Mark] = []
        size = 0
        for match in _SEQUENCE.finditer(raw):
            start, end = match.span()
            if start > at:
                pieces.append(raw[at:start])
                size += start - at
            if match.lastgroup == "part":
                self._part, self._sent = match.group(), max(0, sent - start)
                return "".join(pieces), marks
            if end > at:
                marks.append(Mark(size, raw[max(start, at) : end], _kind(match)))
                at = end
        pieces.append(raw[at:])
        return "".join(pieces), marks


def _kind(match: re.Match[str]) -> Kind:
    match match.lastgroup:
        case "csi":
            return Kind.SKIP if match["csi"] in _STAYS else Kind.MOVE
        case "string":
            return Kind.STRING
        case "escape":
            return Kind.MOVE if match["escape"] in _GOES else Kind.SKIP
        case "move":
            return Kind.MOVE
        case _:
            return Kind.SKIP


def _kind_of_part(part: str) -> Kind:
    if part == "\r" or part[1:2] == "[":
        return Kind.MOVE
    return Kind.STRING if part[1:2] and part[1] in "]PX^_" else Kind.SKIP
