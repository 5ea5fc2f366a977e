"""What a program writes to its terminal, carried out on a `Screen`. Any characters in any pieces; never raises, answers nothing.

Control functions are those of ECMA-48 and of xterm (ctlseqs) that change what is to be seen. Titles, clipboards, links,
bells, colours of the palette, questions to the terminal and everything unknown are read over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from hooptui.terminal.cells import BOLD, DEFAULT, FAINT, ITALIC, PLAIN, REVERSE, RGB, STRIKE, UNDERLINE, Look
from hooptui.terminal.screen import Screen

LONGEST: Final = 256
"""Characters of one control sequence; what goes on longer is none."""
LONGEST_STRING: Final = 64 * 1024
"""Characters of a title, clipboard or other control string; what goes on longer is shown, lest all that follows be hidden."""
_MOST: Final = 9999
_PARAMETERS: Final = 32

_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_CSI: Final = re.compile(r"\x1b\[([0-?\x00-\x17\x19\x1c-\x1f]*)([ -/]*)([@-~])")
_CSI_PART: Final = re.compile(r"\x1b\[[0-?\x00-\x17\x19\x1c-\x1f]*[ -/]*")
_ESC: Final = re.compile(r"\x1b([ -/]*)([0-~])")
_ESC_PART: Final = re.compile(r"\x1b[ -/]*")
_STRING_END: Final = re.compile(r"[\x07\x18\x1a\x1b\x9c]")
_CONTROLS: Final = re.compile(r"[\x00-\x1f]")
_STRINGS: Final = frozenset("]P_^Xk")
"""OSC, DCS, APC, PM, SOS, and screen's title."""


class Emulator:
    """See the module. What is to be seen is its `screen`."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.screen = Screen(columns, rows)
        self._rest = ""
        """A control sequence that is not complete yet."""
        self._string = ""
        """What began the control string that is being read over; empty outside of one."""
        self._read = 0
        """Characters of it so far."""

    def copy(self) -> Emulator:
        """The same again, independent of this one."""
        other = Emulator.__new__(Emulator)
        other.screen, other._rest, other._string, other._read = self.screen.copy(), self._rest, self._string, self._read
        return other

    def gap(self) -> None:
        """Something is missing here: whatever sequence was under way is over."""
        self._rest = self._string = ""

    def feed(self, text: str) -> None:
        """What the program wrote next."""
        if self._rest:
            text, self._rest = self._rest + text, ""
        at, size, draw = 0, len(text), self.screen.draw
        while at < size:
            if self._string:
                at = self._read_over(text, at)
                continue
            found = _TEXT.match(text, at)
            if found is not None:
                draw(found[0])
                at = found.end()
                continue
            if text[at] != "\x1b":
                self._control(text[at])
                at += 1
                continue
            after = self._escape(text, at)
            if after is None:
                self._rest = text[at:] if size - at <= LONGEST else ""
                return
            at = after

    # --- sequences

    def _escape(self, text: str, at: int) -> int | None:
        """Carry out the sequence that begins here; where it ends, None when it does not yet."""
        found = _CSI.match(text, at)
        if found is not None:
            if found.end() - at <= LONGEST:
                self._csi(found[1], found[2], found[3])
            return found.end()
        second = text[at + 1 : at + 2]
        if second == "[":
            part = _CSI_PART.match(text, at)
            assert part is not None
            # Whatever cannot be in a sequence ends it.
            return None if part.end() == len(text) else part.end()
        if second and second in _STRINGS:
            self._string, self._read = second, 0
            return at + 2
        found = _ESC.match(text, at)
        if found is not None:
            self._esc(found[1], found[2])
            return found.end()
        part = _ESC_PART.match(text, at)
        assert part is not None
        return None if part.end() == len(text) else part.end()

    def _read_over(self, text: str, at: int) -> int:
        """Go on in a control string; where it ends, or the text."""
        found = _STRING_END.search(text, at)
        end = len(text) if found is None else found.start()
        if self._read + end - at > LONGEST_STRING:
            self._string = ""
            return at + LONGEST_STRING - self._read
        self._read += end - at
        if found is None:
            return end
        match found[0]:
            case "\x07" if self._string not in "]k":
                # It ends nothing here.
                self._read += 1
            case "\x1b" if end + 1 == len(text):
                self._rest = "\x1b"
            case "\x1b":
                self._string = ""
                return end + 2 if text[end + 1] == "\\" else end
            case _:
                self._string = ""
        return end + 1

    def _control(self, char: str) -> None:
        screen = self.screen
        match char:
            case "\n" | "\x0b" | "\x0c":
                screen.line_feed()
            case "\r":
                screen.to(x=0)
            case "\b":
                screen.to(x=screen.x - 1)
            case "\t":
                screen.tab(1)
            case "\x0e":
                screen.shift = 1
            case "\x0f":
                screen.shift = 0
            case _:
                return

    def _esc(self, between: str, final: str) -> None:
        screen = self.screen
        match between, final:
            case "", "7":
                screen.save()
            case "", "8":
                screen.restore()
            case "", "D":
                screen.index()
            case "", "E":
                screen.to(x=0)
                screen.index()
            case "", "H":
                screen.tabs.add(screen.x)
            case "", "M":
                screen.reverse_index()
            case "", "c":
                screen.erase_display(2)
                screen.reset()
            case "#", "8":
                screen.align()
            case "(", kind:
                screen.graphics = (kind == "0", screen.graphics[1])
            case ")", kind:
                screen.graphics = (screen.graphics[0], kind == "0")
            case _:
                return

    def _csi(self, parameters: str, between: str, final: str) -> None:
        if _CONTROLS.search(parameters):
            # A control inside a sequence is carried out at once.
            for char in _CONTROLS.findall(parameters):
                self._control(char)
            parameters = _CONTROLS.sub("", parameters)
        private = parameters[:1] if parameters[:1] in ("<", "=", ">", "?") else ""
        given = parameters[len(private) :]
        if between == "!" and final == "p":
            self.screen.soft_reset()
        elif not between and final == "m" and not private:
            self._render(given)
        elif not between and private == "?" and final in "hl":
            for number in _numbers(given):
                self._mode(number, final == "h")
        elif not between and private in ("", "?"):
            action = _ACTIONS.get(final)
            # The private ones that are drawn are the selective erasures.
            if action is not None and (not private or final in "JK"):
                action(self.screen, _numbers(given))

    def _mode(self, mode: int, on: bool) -> None:
        """DECSET and DECRST."""
        screen = self.screen
        match mode:
            case 6:
                screen.origin = on
                screen.to(0, 0)
            case 7:
                screen.wraps = on
            case 25:
                screen.shown = on
            case 47 | 1047:
                screen.switch(on)
            case 1048:
                screen.save() if on else screen.restore()
            case 1049:
                if on:
                    screen.save()
                    screen.switch(True)
                elif screen.alternate:
                    screen.switch(False)
                    screen.restore()
            case _:
                return

    def _render(self, given: str) -> None:
        """SGR."""
        fore, back, flags = self.screen.look
        numbers = [part.split(":") for part in given.split(";")[:_PARAMETERS]]
        at = 0
        while at < len(numbers):
            code, at = _number(numbers[at][0]), at + 1
            if code == 0:
                fore, back, flags = PLAIN
            elif code in _FLAGS:
                off = code == 4 and numbers[at - 1][1:2] == ["0"]
                flags = flags & ~UNDERLINE if off else flags | _FLAGS[code]
            elif code in _ENDS:
                flags &= ~_ENDS[code]
            elif 30 <= code <= 37 or 90 <= code <= 97:
                fore = code - 30 if code < 40 else code - 82
            elif 40 <= code <= 47 or 100 <= code <= 107:
                back = code - 40 if code < 50 else code - 92
            elif code in (38, 48):
                colour, at = _colour(numbers, at)
                if colour is not None:
                    fore, back = (colour, back) if code == 38 else (fore, colour)
            elif code == 39:
                fore = DEFAULT
            elif code == 49:
                back = DEFAULT
        self.screen.look = Look(fore, back, flags)


_FLAGS: Final = {1: BOLD, 2: FAINT, 3: ITALIC, 4: UNDERLINE, 7: REVERSE, 9: STRIKE, 21: UNDERLINE}
_ENDS: Final = {22: BOLD | FAINT, 23: ITALIC, 24: UNDERLINE, 27: REVERSE, 29: STRIKE}


def _number(text: str) -> int:
    """A parameter; what is missing or no number is 0."""
    return min(int(text[:6]), _MOST) if text.isascii() and text.isdecimal() else 0


def _numbers(given: str) -> list[int]:
    return [_number(part) for part in given.split(";")[:_PARAMETERS]]


def _colour(numbers: list[list[str]], at: int) -> tuple[int | None, int]:
    """The colour after 38 or 48, with semicolons or colons, and where to go on; None when there is none to read."""
    parts = numbers[at - 1][1:]
    if parts:
        kind, values = _number(parts[0]), [_number(one) for one in parts[1:]]
        if kind == 2 and len(values) > 3:
            # The full form names a colour space first.
            del values[0]
        return _of(kind, values), at
    if at >= len(numbers):
        return None, at
    kind = _number(numbers[at][0])
    take = {2: 3, 5: 1}.get(kind, 0)
    values = [_number(one[0]) for one in numbers[at + 1 : at + 1 + take]]
    return _of(kind, values), at + 1 + take


def _of(kind: int, values: list[int]) -> int | None:
    if any(one > 255 for one in values):
        return None
    if kind == 5 and values:
        return values[0]
    if kind == 2 and len(values) >= 3:
        red, green, blue = values[:3]
        return RGB | red << 16 | green << 8 | blue
    return None


Action = Callable[[Screen, list[int]], None]


def _one(numbers: list[int], at: int = 0) -> int:
    """A count: missing or 0 is 1."""
    return (numbers[at] if at < len(numbers) else 0) or 1


def _stops(screen: Screen, numbers: list[int]) -> None:
    if numbers[0] == 0:
        screen.tabs.discard(screen.x)
    elif numbers[0] == 3:
        screen.tabs.clear()


def _set(on: bool) -> Action:
    def act(screen: Screen, numbers: list[int]) -> None:
        screen.insert = on if 4 in numbers else screen.insert
        screen.newline = on if 20 in numbers else screen.newline

    return act


def _line(direction: int) -> Action:
    def act(screen: Screen, numbers: list[int]) -> None:
        screen.down(_one(numbers)) if direction > 0 else screen.up(_one(numbers))
        screen.to(x=0)

    return act


def _margins(screen: Screen, numbers: list[int]) -> None:
    bottom = numbers[1] if len(numbers) > 1 and numbers[1] else screen.rows
    screen.margins(_one(numbers) - 1, bottom - 1)


_ACTIONS: Final[dict[str, Action]] = {
    "@": lambda screen, n: screen.insert_cells(_one(n)),
    "A": lambda screen, n: screen.up(_one(n)),
    "B": lambda screen, n: screen.down(_one(n)),
    "C": lambda screen, n: screen.to(x=screen.x + _one(n)),
    "D": lambda screen, n: screen.to(x=screen.x - _one(n)),
    "E": _line(1),
    "F": _line(-1),
    "G": lambda screen, n: screen.to(x=_one(n) - 1),
    "H": lambda screen, n: screen.to(_one(n, 1) - 1, _one(n) - 1),
    "I": lambda screen, n: screen.tab(_one(n)),
    "J": lambda screen, n: screen.erase_display(n[0]),
    "K": lambda screen, n: screen.erase_line(n[0]),
    "L": lambda screen, n: screen.insert_lines(_one(n)),
    "M": lambda screen, n: screen.delete_lines(_one(n)),
    "P": lambda screen, n: screen.delete_cells(_one(n)),
    "S": lambda screen, n: screen.scroll_up(_one(n)),
    "T": lambda screen, n: screen.scroll_down(_one(n)),
    "X": lambda screen, n: screen.erase_cells(_one(n)),
    "Z": lambda screen, n: screen.tab(-_one(n)),
    "`": lambda screen, n: screen.to(x=_one(n) - 1),
    "a": lambda screen, n: screen.to(x=screen.x + _one(n)),
    "b": lambda screen, n: screen.repeat(_one(n)),
    "d": lambda screen, n: screen.to(y=_one(n) - 1),
    "e": lambda screen, n: screen.down(_one(n)),
    "f": lambda screen, n: screen.to(_one(n, 1) - 1, _one(n) - 1),
    "g": _stops,
    "h": _set(True),
    "l": _set(False),
    "r": _margins,
    "s": lambda screen, n: screen.save(),
    "u": lambda screen, n: screen.restore(),
}
"""CSI without a private mark, by its final character."""
