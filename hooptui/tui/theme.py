"""The colours, once: names for what things mean, and the dark theme they are drawn in. Knows no widget.

Blue against orange, told apart by all common kinds of colour blindness; red and green are never the only difference, and
every meaning has a symbol as well. The stylesheet takes its variables from the same table.
"""

from __future__ import annotations

from typing import Final

from rich.style import Style
from textual.theme import Theme

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


def style(name: str) -> Style:
    """The look of a span's name."""
    return STYLES.get(name, STYLES[""])
