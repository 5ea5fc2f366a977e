"""The colours, once: names for what things mean, and the dark theme they are drawn in. Knows no widget.

Blue against orange, told apart by all common kinds of colour blindness; red and green are never the only difference, and
every meaning has a symbol as well. The stylesheet takes its variables from the same table.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rich.style import Style
from textual.theme import Theme

from hooptui.terminal.cells import BOLD, ITALIC, REVERSE, RGB, STRIKE, UNDERLINE
from hooptui.terminal.cells import FAINT as FAINT_CELL

INK: Final = "#c6cfd9"
FAINT: Final = "#76828f"
GHOST: Final = "#5a6674"
GROUND: Final = "#0e1217"
RAISED: Final = "#141a21"
EDGE: Final = "#323d49"
CURSOR: Final = "#1f3349"
CURSOR_IDLE: Final = "#1a222b"
BLUE: Final = "#6cb2f5"
PALE: Final = "#a9cdf0"
AMBER: Final = "#f3b04a"
RUST: Final = "#f07a4a"
LILAC: Final = "#a69be0"
VEIL: Final = "#6a63a3"
WHITE: Final = "#f2f5f8"
ALARM: Final = "#8a2c12"

STYLES: Final[dict[str, Style]] = {
    "": Style(color=INK),
    "strong": Style(color=WHITE, bold=True),
    "faint": Style(color=FAINT),
    "ghost": Style(color=GHOST),
    "head": Style(color=FAINT, bold=True),
    "sorted": Style(color=PALE, bold=True),
    "key": Style(color=BLUE, bold=True),
    "up": Style(color=BLUE),
    "ok": Style(color=BLUE),
    "held": Style(color=AMBER, bold=True),
    "warn": Style(color=AMBER),
    "bad": Style(color=RUST, bold=True),
    "frozen": Style(color=PALE, bold=True),
    "ask": Style(color=BLUE, bold=True),
    "reply": Style(color=FAINT),
    "sql": Style(color=PALE),
    "text": Style(color=INK),
    "value": Style(color=WHITE),
    "masked": Style(color=VEIL),
    "masking": Style(color=LILAC),
    "column": Style(color=FAINT, bold=True),
    "rule": Style(color=GHOST),
    "bar": Style(color=BLUE),
    "alarm": Style(color=WHITE, bgcolor=ALARM, bold=True),
    "big": Style(color=WHITE, bgcolor=CURSOR, bold=True),
    "flash": Style(color=INK),
    "tab": Style(color=FAINT),
    "tab-on": Style(color=GROUND, bgcolor=BLUE, bold=True),
}
"""What a span's name looks like. An unknown name is a programming error and shows as plain ink."""

ON_CURSOR: Final = Style(bgcolor=CURSOR)
ON_CURSOR_IDLE: Final = Style(bgcolor=CURSOR_IDLE)

THEME: Final = Theme(
    name="hooptui",
    primary=BLUE,
    secondary=PALE,
    accent=AMBER,
    warning=AMBER,
    error=RUST,
    success=BLUE,
    foreground=INK,
    background=GROUND,
    surface=GROUND,
    panel=RAISED,
    dark=True,
    variables={
        "edge": EDGE,
        "faint": FAINT,
        "ghost": GHOST,
        "ink": INK,
        "white": WHITE,
        "raised": RAISED,
        "alarm": ALARM,
        "amber": AMBER,
        "rust": RUST,
        "blue": BLUE,
        "cursor": CURSOR,
        "input-cursor-background": INK,
        "input-selection-background": f"{BLUE} 35%",
        "scrollbar": EDGE,
        "scrollbar-hover": FAINT,
        "scrollbar-active": BLUE,
        "scrollbar-background": GROUND,
        "scrollbar-background-hover": GROUND,
        "scrollbar-background-active": GROUND,
        "scrollbar-corner-color": GROUND,
    },
)


ANSI: Final = (
    "#3a4552", "#e0705a", "#8cc084", "#d9b25f", "#6c9fe0", "#b48ad6", "#62b8bf", INK,
    "#66727f", "#f4917c", "#aadca2", "#f3d07f", "#93c0f5", "#d0aef0", "#8fdbe0", WHITE,
)  # fmt: skip
"""The 16 colours of a terminal, told apart on this ground; a program's black must not vanish in it."""


def style(name: str) -> Style:
    """The look of a span's name; `@fore,back,flags` is a terminal's cell (`terminal.cells.Look`)."""
    return cell(name) if name.startswith("@") else STYLES.get(name, STYLES[""])


@lru_cache(maxsize=4096)
def cell(name: str) -> Style:
    """The look of a terminal's cell."""
    fore, back, flags = map(int, name[1:].split(","))
    return Style(
        color=colour(fore) or INK,
        bgcolor=colour(back),
        bold=bool(flags & BOLD) or None,
        dim=bool(flags & FAINT_CELL) or None,
        italic=bool(flags & ITALIC) or None,
        underline=bool(flags & UNDERLINE) or None,
        strike=bool(flags & STRIKE) or None,
        reverse=bool(flags & REVERSE) or None,
    )


def colour(number: int) -> str | None:
    """A terminal's colour in this theme: 16 of its own, then xterm's cube and greys, or red, green and blue as they are."""
    if number < 0:
        return None
    if number >= RGB:
        return f"#{number - RGB:06x}"
    if number < 16:
        return ANSI[number]
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return f"#{grey:02x}{grey:02x}{grey:02x}"
    levels = (0, 95, 135, 175, 215, 255)
    red, rest = divmod(number - 16, 36)
    return f"#{levels[red]:02x}{levels[rest // 6]:02x}{levels[rest % 6]:02x}"
