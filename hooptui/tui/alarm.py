"""What a terminal is sent to call its person: bell, and a desktop notification where the terminal has one. Pure.

OSC 9 (iTerm2, WezTerm, Windows Terminal, Ghostty), OSC 777 (foot, rxvt, VTE), OSC 99 (kitty); through tmux by its passthrough. One of them is sent, since
a terminal that knows two would call twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hooptui.tui.text import clean

BELL: Final = "\a"
LONGEST: Final = 200


def sequence(env: Mapping[str, str], title: str, body: str) -> str:
    """The bytes for this terminal, as its environment tells it; the bell is always in it."""
    title, body = _plain(title), _plain(body)
    term, program = env.get("TERM", ""), env.get("TERM_PROGRAM", "")
    if env.get("KITTY_WINDOW_ID") or "kitty" in term:
        osc = f"\x1b]99;i=hooptui:d=0;{title}\x1b\\\x1b]99;i=hooptui:d=1:p=body;{body}\x1b\\"
    elif term.startswith(("foot", "rxvt")) or env.get("VTE_VERSION"):
        osc = f"\x1b]777;notify;{title};{body}\x1b\\"
    elif program in ("iTerm.app", "WezTerm", "ghostty") or env.get("WT_SESSION") or env.get("TMUX"):
        osc = f"\x1b]9;{title}: {body}\x1b\\"
    else:
        return BELL
    if env.get("TMUX"):
        osc = "\x1bPtmux;" + osc.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return BELL + osc


def _plain(text: str) -> str:
    """Nothing that could end the sequence or begin another: no control character, no separator, no long text."""
    return "".join(char for char in clean(text, LONGEST) if char.isprintable() and char != ";")[:LONGEST]
