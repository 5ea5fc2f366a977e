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
    """One control sequence, or some in a row; few enough are held that a tuple is all it needs to be."""

    at: int
    """Index of the character in front of which it stands."""
    raw: str
    """The sequence itself, empty when it has been sent already; bytes that are no UTF-8 as lone surrogates."""
    kind: Kind


_STRING = rf"[\]PX^_][ -~]{{0,{STRING_MAX}}}"
_STEERING = (
    r"[\x07\x08\r\x0e\x0f\x1b\x7f](?:(?<=\x1b)(?:"
    r"\[[0-?]{0,256}[ -/]{0,8}(?P<csi>[@-~])"
    rf"|(?P<string>{_STRING}(?:\x07|\x1b\\))"
    r"%s"
    r"|[ -/]{1,4}[0-~]"
    r"|(?P<escape>[0-~]?)"
    r")|(?P<move>(?<=\r)(?!\n)|(?<=\x08))|(?<=[\x07\x0e\x0f\x7f]))"
)
"""Made of ASCII alone, so that it reads bytes and text alike; a line end is in none. It begins with a set of characters,
which is what makes searching fast."""
_PART = rf"|(?P<part>(?:\[[0-?]{{0,256}}[ -/]{{0,8}}|{_STRING}\x1b?|[ -/]{{0,4}})\Z)"
_SEQUENCE = re.compile((_STEERING % _PART).replace(r"(?<=\r)(?!\n)", r"(?<=\r)(?!\n|\Z)") + r"|(?P<cut>\r\Z)")
"""One sequence; `part` and `cut` are what the end of the input cut off."""
_BYTES = re.compile((_STEERING % "").encode())
_TEXTS = re.compile((rf"\x1b({_STRING})(?:\x07|\x1b\\)").encode())
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


def stripped(data: bytes) -> bytes:
    """What is left of whole lines without their control sequences."""
    return _BYTES.sub(b"", data)


def parted(data: bytes) -> bytes:
    """The same with a line end for every move of the cursor."""
    return _BYTES.sub(_line_end, data)


def texts(data: bytes) -> bytes:
    """What the control strings in it carry, each in its own line."""
    return b"\n".join(_TEXTS.findall(data)) if b"\x1b" in data else b""


def _line_end(found: re.Match[bytes]) -> bytes:
    return b"\n" if _kind(found.lastgroup, found.group()[-1:].decode("latin-1")) is Kind.MOVE else b""


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
    def waiting(self) -> bool:
        """Something incomplete has not been given out."""
        return len(self._part) > self._sent or bool(self._decoder.getstate()[0])

    @property
    def unread(self) -> bytes | None:
        """The bytes of what is incomplete; None when a part of them was given out."""
        return None if self._sent else encoded(self._part) + self._decoder.getstate()[0]

    def reset(self) -> None:
        """Forget what is incomplete: its bytes will be fed again."""
        self._decoder.reset()
        self._part, self._sent = "", 0

    def feed(self, data: bytes) -> tuple[str, list[Mark]]:
        """The text that is complete now, and the marks in it by their index in this text."""
        if not self._part and plain(data):
            return self._decoder.decode(data), []
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
        rest = 0
        run, moves = -1, False
        """Where a run of sequences begins, and whether one of it moves the cursor. A run is one mark: a screen full of them
        must not cost a mark for each."""
        for match in _SEQUENCE.finditer(raw):
            start, end = match.span()
            group = match.lastgroup
            whole = group != "part" and group != "cut"
            kind = Kind.SKIP if not whole else Kind.MOVE if group == "move" else _kind(group, raw[end - 1])
            if run >= 0 and (start > at or kind is Kind.STRING):
                marks.append(Mark(size, raw[run:at], Kind.MOVE if moves else Kind.SKIP))
                run, moves = -1, False
            if start > at:
                pieces.append(raw[at:start])
                size += start - at
            if not whole:
                self._part, self._sent = match.group(), max(0, sent - start)
                rest = len(raw)
                break
            if end > at:
                begin, at = max(start, at), end
                if kind is Kind.STRING:
                    marks.append(Mark(size, raw[begin:end], kind))
                else:
                    run = begin if run < 0 else run
                    moves = moves or kind is Kind.MOVE
        if run >= 0:
            marks.append(Mark(size, raw[run:at], Kind.MOVE if moves else Kind.SKIP))
        pieces.append(raw[max(at, rest) :])
        return "".join(pieces), marks


def _kind(group: str | None, final: str) -> Kind:
    """By the group that matched and the last character of the sequence."""
    match group:
        case "csi":
            return Kind.SKIP if final in _STAYS else Kind.MOVE
        case "string":
            return Kind.STRING
        case "escape":
            return Kind.MOVE if final in _GOES else Kind.SKIP
        case "move":
            return Kind.MOVE
        case _:
            return Kind.SKIP


def _kind_of_part(part: str) -> Kind:
    if part == "\r" or part[1:2] == "[":
        return Kind.MOVE
    return Kind.STRING if part[1:2] and part[1] in "]PX^_" else Kind.SKIP
