"""Hostile text made safe to look at: what a terminal would obey or hide is shown instead.

Knows no screen and no markup; a screen that has a markup of its own must print the result literally.
"""

from __future__ import annotations

import re
from typing import Final, Literal

_HIDDEN: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: escape sequences begin here
    "\u00ad\u034f\u061c\u070f\u180b-\u180f"  # soft hyphen, joiners, Arabic letter mark, Mongolian selectors
    "\u0600-\u0605\u06dd\u0890-\u0891\u08e2"  # Arabic signs that swallow the digits after them
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # fillers that draw nothing
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line and paragraph separators, bidi controls, invisible operators
    "\ufe00-\ufe0f\ufeff\ufff0-\ufffb\ufffe\uffff"  # variation selectors, byte order mark, interlinear marks
    "\ud800-\udfff"  # lone surrogates cannot be encoded
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # script format controls
    "\U000e0000-\U000e0fff"  # tag characters, more variation selectors
    "]"
)


def visible(text: str, *, keep: Literal["", "\n", "\t", "\n\t"] = "") -> str:
    """`text` with every control, invisible or direction-changing character replaced by a visible form.

    C0 controls and DEL become their control pictures (ESC is `␛`), all others an escape such as `\\x9b`, `\\u202e` or
    `\\U000e0041`. Characters of `keep` stay as they are. A backslash is not doubled, since statements full of them must
    stay readable: the result is for eyes, not for reading back. The result encodes to UTF-8.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda match: match[0] if match[0] in keep else _shown(ord(match[0])), text)


def _shown(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
