"""Where JSON values end in bytes that arrive in pieces: nesting and strings, nothing else. Each byte is looked at once.

What is found here is read by a strict parser before anybody relies on it, so that a wrong bracket ends in an error, not in a leak.
"""

from __future__ import annotations

import re
from typing import Final

_PLAIN: Final = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)
"""Everything up to the next bracket, whole strings included."""
_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
"""The inside of a string, up to its end or to what is there of it."""

_OPEN: Final = frozenset(b"{[")
_QUOTE: Final = 0x22


class Scanner:
    """A place in a growing buffer, and how deep it is."""

    __slots__ = ("_in_string", "depth", "place")

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.place = 0
        """Bytes of the buffer that were looked at."""
        self._in_string = False

    def moved(self, count: int) -> None:
        """The buffer lost its first `count` bytes, all of them looked at."""
        self.place -= count

    def bracket(self, data: bytes | bytearray) -> int:
        """The next bracket of `data`, in whatever depth: its position, with `depth` as it is behind it; -1 when more bytes are needed.

        Outside of strings only. `place` is behind the bracket.
        """
        end = len(data)
        while self.place < end:
            if self._in_string:
                inside = _STRING.match(data, self.place)
                assert inside is not None  # it matches the empty text
                self.place = inside.end()
                if self.place == end or data[self.place] != _QUOTE:
                    # The end, or a backslash whose other half is still to come.
                    return -1
                self.place += 1
                self._in_string = False
            plain = _PLAIN.match(data, self.place)
            assert plain is not None  # as above
            self.place = plain.end()
            if self.place == end:
                return -1
            found = data[self.place]
            self.place += 1
            if found == _QUOTE:
                self._in_string = True
                continue
            self.depth += 1 if found in _OPEN else -1
            return self.place - 1
        return -1
