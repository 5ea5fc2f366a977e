"""The screen as an SVG file: the same bytes on every machine, since nothing in it comes from fonts, time or chance."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.strip import Strip

CELL_W, CELL_H = 8.4, 18
GROUND = "#0e1217"
BLANK = "\u00a0"
"""No break: browsers draw several plain blanks as one, whatever the picture asks of them."""
STROKES = {
    # Frames are drawn as lines, so that they meet whatever font shows the rest: left, right, up, down; 1 thin, 2 heavy.
    "─": (1, 1, 0, 0), "│": (0, 0, 1, 1), "┌": (0, 1, 0, 1), "┐": (1, 0, 0, 1), "└": (0, 1, 1, 0), "┘": (1, 0, 1, 0),
    "━": (2, 2, 0, 0), "┃": (0, 0, 2, 2), "┏": (0, 2, 0, 2), "┓": (2, 0, 0, 2), "┗": (0, 2, 2, 0), "┛": (2, 0, 2, 0),
}  # fmt: skip
FONTS = "'JetBrains Mono','Fira Code','DejaVu Sans Mono',Menlo,Consolas,monospace"


def strips(app: App[object]) -> list[Strip]:
    """Every line of the terminal as it would be drawn."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    return [Strip.join(list(line)) for line in update.strips]  # type: ignore[union-attr]  # a full update has them


def svg(app: App[object]) -> str:
    """The picture."""
    width, height = app.size
    lines = strips(app)
    w, h = round(width * CELL_W, 1), height * CELL_H
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:g} {h}" width="{w:g}" height="{h}">',
        "<title>hooptui</title>",
        f'<rect width="100%" height="100%" fill="{GROUND}"/>',
        f'<g font-family="{FONTS}" font-size="14" xml:space="preserve" style="white-space:pre">',
    ]
    boxes: list[str] = []
    words: list[str] = []
    shapes: list[str] = []
    for y, strip in enumerate(lines):
        x = 0
        for text, style in _runs(strip):
            cells = cell_len(text)
            fore, back, bold = _colours(style)
            if back != GROUND:
                boxes.append(
                    f'<rect x="{x * CELL_W:g}" y="{y * CELL_H}" width="{round(cells * CELL_W + 0.3, 2):g}" height="{CELL_H}" fill="{back}"/>'
                )
            shapes.extend(_shapes(text, x, y, fore))
            text = "".join(" " if char in STROKES or char in "█▌" else char for char in text)
            if text.strip():
                lead = len(text) - len(text.lstrip(" "))
                body = text.strip(" ")
                left, room = round((x + lead) * CELL_W, 2), round(cell_len(body) * CELL_W, 2)
                weight = ' font-weight="700"' if bold else ""
                words.append(
                    f'<text x="{left:g}" y="{y * CELL_H + 13.5:g}" fill="{fore}"{weight} textLength="{room:g}" '
                    f'lengthAdjust="spacingAndGlyphs">{escape(body.replace(" ", BLANK))}</text>'
                )
            x += cells
    return "\n".join([*out, *boxes, *shapes, *words, "</g>", "</svg>"]) + "\n"


def _shapes(text: str, x: int, y: int, fore: str) -> list[str]:
    """Frames, blocks and bars of one run; equal neighbours become one shape."""
    out: list[str] = []
    at = x
    for match in re.finditer(r"(.)\1*", text):
        char, many = match[1], len(match[0])
        left, top, wide = at * CELL_W, y * CELL_H, many * CELL_W
        middle, centre = top + CELL_H / 2, left + CELL_W / 2
        at += sum(cell_len(one) for one in match[0])
        if char == "█":
            out.append(f'<rect x="{left:.4g}" y="{top + 3}" width="{wide:.4g}" height="{CELL_H - 6}" fill="{fore}"/>')
        elif char == "▌":
            out.append(f'<rect x="{left:.4g}" y="{top}" width="{CELL_W / 2:.4g}" height="{CELL_H}" fill="{fore}"/>')
        elif char in "─━":
            out.append(_stroke(left, middle, left + wide, middle, STROKES[char][0], fore))
        elif char in STROKES:
            for step in range(many):
                x0 = left + step * CELL_W
                to_left, to_right, up, down = STROKES[char]
                ends = (
                    (x0, middle, to_left),
                    (x0 + CELL_W, middle, to_right),
                    (centre + step * CELL_W, top, up),
                    (centre + step * CELL_W, top + CELL_H, down),
                )
                out.extend(
                    _stroke(centre + step * CELL_W, middle, ex, ey, weight, fore) for ex, ey, weight in ends if weight
                )
    return out


def _stroke(x0: float, y0: float, x1: float, y1: float, weight: int, fore: str) -> str:
    return f'<path d="M{x0:.5g} {y0:.5g}L{x1:.5g} {y1:.5g}" stroke="{fore}" stroke-width="{weight}" stroke-linecap="square"/>'


def _runs(strip: Strip) -> list[tuple[str, Style]]:
    """Neighbours of one look joined, so that the file stays small."""
    runs: list[tuple[str, Style]] = []
    for segment in Segment.simplify(strip):
        style = Style.combine([segment.style or Style()]) if segment.style else Style()
        text = segment.text
        if runs and _colours(runs[-1][1]) == _colours(style):
            runs[-1] = (runs[-1][0] + text, style)
        else:
            runs.append((text, style))
    return runs


def _colours(style: Style) -> tuple[str, str, bool]:
    fore = style.color.get_truecolor().hex if style.color and not style.color.is_default else "#c6cfd9"
    back = style.bgcolor.get_truecolor().hex if style.bgcolor and not style.bgcolor.is_default else GROUND
    if style.reverse:
        fore, back = back, fore
    return fore, back, bool(style.bold)


def text(app: App[object]) -> str:
    """The same as plain text."""
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips(app))
