"""The last lines of the screen: the footer and the tab line, both made from the key table. Pure."""

from __future__ import annotations

from hooptui.tui.keymap import VIEWS, Key, key_of
from hooptui.tui.text import Row, Span, count, width
from hooptui.tui.widgets.lines import Zone


def footer_row(keys: list[Key], cells: int) -> tuple[Row, list[Zone]]:
    """As many hints as there is room for, dropped from the highest rank down; clicking one runs it."""
    chosen = sorted(keys, key=lambda key: key.footer)

    def cost(some: list[Key]) -> int:
        return sum(width(f"{key.shown} {key.word}") + 2 for key in some)

    # Help leads to all that is not shown, so it stays whatever goes.
    while chosen and cost(chosen) > cells:
        gone = next((key for key in reversed(chosen) if key.verb != "help"), chosen[-1])
        chosen.remove(gone)
    spans: list[Span] = []
    zones: list[Zone] = []
    at = 0
    for key in chosen:
        label = f"{key.shown} {key.word}"
        spans += [(f" {key.shown}", "key"), (f" {key.word} ", "text")]
        zones.append((at, at + width(label) + 2, key.verb))
        at += width(label) + 2
    return tuple(spans), zones


def tab_row(view: str, live: int, held: int, cells: int) -> tuple[Row, list[Zone]]:
    """`1 Live 12  2 ▲ Held 3 …`: the views, the one that is shown marked by brackets as well as colour; then Access."""
    spans: list[Span] = [(" ", "")]
    zones: list[Zone] = []
    at = 1
    tabs = [(str(number), name, f"view:{number}") for number, name in enumerate(VIEWS, 1)]
    for key, name, verb in (*tabs, (key_of("access").shown, "access", "access")):
        amount = f" {count(live)}" if name == "live" else f" {count(held)}" if name == "held" else ""
        sign = "▲ " if name == "held" and held else ""
        label = f"{key} {sign}{name.capitalize()}{amount}"
        on = name == view
        text = f"[{label}]" if on else f" {label} "
        if name == "access" and at + width(text) > cells:
            break
        spans += [(text, "tab-on" if on else "held" if sign else "tab"), (" ", "")]
        zones.append((at, at + width(text), verb))
        at += width(text) + 1
    return tuple(spans), zones
