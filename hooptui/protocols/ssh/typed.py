"""What was typed into a terminal, line by line, as the target itself showed it. A hint, not a record. Pure and bounded.

Nothing is taken from the keys alone: a line counts only when the target echoed it, so that what is typed at a prompt that shows
nothing, as passwords are, is never in it. What edits the line (history, completion, a search) is read off the row that the
cursor is in. A program that draws its own screen (the alternate one) has no lines. Many things can mislead it, type-ahead and a
changed echo among them, and none of them makes it show what the client was not shown.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from hooptui.protocols.ssh.row import Row

LONGEST: Final = 1024
"""Characters of one line."""
WAITING: Final = 32
"""Lines typed ahead of their echo."""
PATIENCE: Final = 4
"""Rows that may end before the echo of a line is given up."""
LITTLE: Final = 512
"""Characters of output that are always looked at whole."""
AT_ONCE: Final = 16 * 1024
"""Characters of one piece of output that are looked at; of a larger one, its end."""
_PROMPT: Final = re.compile(r"^.{0,120}?[$#>%] ")
_COVERED: Final = re.compile(r"([^*\u2588]{2,})(?:\*{3,}|\u2588+)")
_KEYS: Final = re.compile(r"\x1b\[20[01]~")
"""What a terminal puts around what is pasted."""


@dataclass(slots=True)
class _Keys:
    """The keys of one line."""

    text: str = ""
    edited: bool = False
    """Something else than characters and backspace was pressed: what the line is, only the target knows."""
    start: int | None = None
    """Column at which it began, where the row has not changed since."""
    rows: int = 0
    """Rows that have ended since Enter."""


class TypedLines:
    """See the module."""

    def __init__(self) -> None:
        self._row = Row()
        self._now = _Keys()
        self._entered: deque[_Keys] = deque(maxlen=WAITING)
        self._from_client = codecs.getincrementaldecoder("utf-8")("replace")
        self._from_target = codecs.getincrementaldecoder("utf-8")("replace")

    def keys(self, data: bytes) -> None:
        """What the client sent."""
        text = _KEYS.sub("", self._from_client.decode(data[: 4 * LONGEST]))
        if len(data) > 4 * LONGEST:
            self._now.edited = True
        if self._row.alternate:
            self._now = _Keys()
            return
        for one in text:
            self._key(one)

    def screen(self, data: bytes) -> list[str]:
        """What the client was shown; the lines that are known to have been typed now."""
        found: list[str] = []
        text = self._from_target.decode(data)
        if len(text) > LITTLE and not self._entered:
            # Nothing was typed that could end here: the row that the cursor is left in is all that matters.
            text = self._skip(text, text.rfind("\n") + 1)
        if len(text) > AT_ONCE:
            text = self._skip(text, len(text) - AT_ONCE)
            self._entered.clear()
        for ended in self._row.write(text):
            line = self._ended(ended)
            if line:
                found.append(line)
        if self._row.alternate:
            self._entered.clear()
        return found

    # --- inside

    def _skip(self, text: str, end: int) -> str:
        """What comes behind `end`, in a new row."""
        if end:
            self._row.skip(text[:end])
            self._now.start = None
        return text[end:]

    def _key(self, one: str) -> None:
        now = self._now
        if one in "\r\n":
            self._entered.append(now)
            self._now = _Keys()
        elif one in "\x7f\b":
            now.text = now.text[:-1]
        elif one in "\x03\x1c":
            # Interrupted: what was there is of no consequence any more.
            self._now = _Keys()
        else:
            if now.start is None and not now.text and not now.edited:
                now.start = self._row.column
            if one == "\x15":
                now.text = ""
            elif one < " " or len(now.text) >= LONGEST:
                now.edited = True
            else:
                now.text += one

    def _ended(self, row: str) -> str:
        """A row has ended; what of it was typed."""
        self._now.start = None
        for keys in self._entered:
            keys.rows += 1
        for at, keys in enumerate(self._entered):
            line = _echoed(keys, row)
            if line is None:
                continue
            # Those before it were never shown.
            for _ in range(at + 1):
                self._entered.popleft()
            for later in self._entered:
                later.rows = 0
            return line[:LONGEST]
        while self._entered and self._entered[0].rows >= PATIENCE:
            self._entered.popleft()
        return ""


def _echoed(keys: _Keys, row: str) -> str | None:
    """The line in a row; None when it is not there."""
    if keys.edited:
        if keys.rows > 1:
            return None
        if keys.start is not None and keys.start <= len(row):
            return row[keys.start :].strip()
        return _PROMPT.sub("", row, count=1).strip() if keys.start is None else ""
    wanted = keys.text.strip()
    if "".join(row.split()).endswith("".join(wanted.split())):
        return wanted
    # What a mask has covered is not as it was typed; but what is before it is.
    shown = row[keys.start :].strip() if keys.start is not None else ""
    before = _COVERED.match(shown)
    return shown if before is not None and wanted.startswith(before[1]) else None
