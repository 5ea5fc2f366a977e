"""Seams: places in a text where no detector looks from one side to the other. Knows the detectors' reach, not their rules.

At a seam a text can be cut in two and each half be searched alone: both together give what the whole would have given.
This is what makes masking a stream exact. It is a promise about `digits` and `tokens`: the longest reach of every pattern
there is repeated here, wider but never narrower, and the tests compare the two on random text.

A seam stands behind an ASCII character that none of the values can hold and none of the look-arounds asks for. Behind such
a character a value can still go on: groups of digits after a space, an IBAN's next four, the words of a PEM mark, a
labelled AWS key; and a private key goes on over everything up to its end mark.
"""

from __future__ import annotations

import re

from hooptui.masking import tokens

_SEPARATOR = re.compile(r"[ \t\n\r\x0b\x0c\x00:;,\"<>\[\]{}|*?`\\]")
"""Never inside a value of one word, never in a look-around."""

REACH = 160
"""Characters in front of a seam that decide whether it is one, private keys apart."""

_GOES_ON = re.compile(
    r"(?:"
    r"[0-9)][ .()/-]{1,4} "  # phone numbers
    r"|[A-Za-z]{2}[0-9]{2}(?: [0-9A-Za-z]{4}){0,8} "  # IBAN
    r"|-----BEGIN [A-Z0-9 ]{0,60}"
    r"|[sS][eE][cC][rR][eE][tT][\s\S]{0,40}"  # a label, and an AWS key behind it
    r"|A[KS]IA[\s\S]{0,90}"  # an access key id, and its secret key near it
    r")\Z"
)

_KEY_BEGINS = re.compile(
    "(?<![A-Za-z0-9])(?:"
    + "|".join(f"{token.prefix}{token.chars}{{{min(token.size, 8)},}}+" for token in tokens.TOKENS)
    + r")\Z|-----BEGIN [A-Z0-9 ]{0,60}-{0,5}\Z"
)
_DIGITS = frozenset("0123456789")
_STEP = 128
_KEY_WINDOW = 256
_TOKEN_BEGINS = 12


def last(text: str, beyond: int = 0) -> int:
    """The last seam in a text that begins at one, 0 when there is none. Those up to `beyond` are known to be none."""
    private = "PRIVATE KEY" in text or "PuTTY-User-Key-File-" in text
    high = len(text)
    while high > beyond:
        low = max(beyond, high - _STEP)
        for found in reversed(list(_SEPARATOR.finditer(text, low, high))):
            end = found.end()
            if _is_seam(text, end) and not (private and _key_open(text, end)):
                return end
        high = low
    return 0


def _is_seam(text: str, end: int) -> bool:
    if text[end - 1] == " " and text[end - 2 : end - 1] in _DIGITS:
        return False  # cards and phone numbers go on; a first space has the empty text in front
    return _GOES_ON.search(text, max(0, end - REACH), end) is None


def _key_open(text: str, end: int) -> bool:
    """Whether a private key that begins before `end` can still go on behind it."""
    body = -1
    for mark in tokens.PEM.finditer(text, 0, end):
        body = mark.end()
    if body < 0 or tokens.PEM_END.search(text, body, min(end, body + tokens.PEM_MAX)):
        return False
    if end - body <= tokens.PEM_MAX:
        return True
    return _body_end(text, body, end) == end


def _body_end(text: str, body: int, end: int) -> int:
    found = tokens.PEM_BODY.match(text, body, end)
    return found.end() if found else body


def likely(text: str) -> bool:
    """Whether text ends inside what is a key, a token or a private key in all likelihood, if only more of it comes.

    No prompt ends like this, and nobody types it: it is worth a longer wait.
    """
    if _KEY_BEGINS.search(text[-_KEY_WINDOW:]) or long_token(text, _TOKEN_BEGINS) >= 0:
        return True
    body = -1
    for mark in tokens.PEM.finditer(text):
        body = mark.end()
    return body >= 0 and _key_open(text, len(text)) and _body_end(text, body, len(text)) == len(text)


END_OF_WORD = _SEPARATOR
"""Finds where a value of one word stops that is too long to be held."""
END_OF_KEY = re.compile(r"[^A-Za-z0-9+/=\s\\:,.()_-]")
"""Finds where a private key that is too long to be held stops to look like one."""
_TOKEN_START = re.compile(r"(?<![A-Za-z0-9])e[wy]")


def long_token(text: str, least: int) -> int:
    """Where an unfinished JSON Web Token of at least `least` characters starts that reaches the end; -1 when there is none."""
    at = len(text)
    while at and (text[at - 1] in "_.-" or (text[at - 1].isascii() and text[at - 1].isalnum())):
        at -= 1
    start = _TOKEN_START.search(text, at)
    return start.start() if start and len(text) - start.start() >= least else -1
