"""The emulator by itself: any characters in any pieces give a whole screen, and nothing grows beyond its bound."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.visible import visible
from hooptui.terminal.cells import BOLD, REVERSE, RGB, UNDERLINE, Look
from hooptui.terminal.emulator import LONGEST, LONGEST_STRING, Emulator
from hooptui.terminal.screen import HISTORY, MOST_COLUMNS, MOST_ROWS, Screen

PIECES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ["\x1b[?1049h", "\x1b[?1049l", "\x1bc", "\r\n", "\x1b[2J", "表格", "e\u0301\u0301\u0301", "\x1b]0;t\x07", "\x1bP1q\x1b\\"]
        ),
        st.from_regex(r"\x1b\[[?<=>]?[0-9;:]{0,8}[ !$]?[@-~]", fullmatch=True),
        st.from_regex(r"\x1b[()#][0-9A-Z]", fullmatch=True),
        st.text("\x00\x07\x08\t\n\r\x0e\x0f\x18\x1a\x1b\x9b\x9c\u202e\u200b", max_size=6),
    ),
    max_size=30,
)  # fmt: skip


def whole(screen: Screen) -> None:
    """A screen in one piece."""
    assert 1 <= screen.columns <= MOST_COLUMNS and 1 <= screen.rows <= MOST_ROWS
    assert len(screen.lines) == screen.rows and len(screen.history) <= HISTORY
    assert 0 <= screen.x < screen.columns and 0 <= screen.y < screen.rows
    assert 0 <= screen.top <= screen.bottom < screen.rows
    for line in screen.lines:
        assert len(line.chars) == len(line.looks) == screen.columns
        assert all(len(char) <= 3 for char in line.chars)
        for char in "".join(line.chars):
            assert visible(char) == char, f"{char!r} would reach the operator's terminal"


def shown(text: str, columns: int = 20, rows: int = 4) -> list[str]:
    emulator = Emulator(columns, rows)
    emulator.feed(text)
    whole(emulator.screen)
    return emulator.screen.texts


@given(PIECES, st.integers(0, 600), st.integers(0, 300))
@settings(max_examples=150, deadline=None)
def test_anything_gives_a_whole_screen_however_it_is_cut(pieces: list[str], columns: int, rows: int) -> None:
    text = "".join(pieces)
    at_once, by_pieces, by_one = Emulator(7, 5), Emulator(7, 5), Emulator(7, 5)
    at_once.feed(text)
    for piece in pieces:
        by_pieces.feed(piece)
    for char in text:
        by_one.feed(char)
    for one in (at_once, by_pieces, by_one):
        whole(one.screen)
        assert one.screen.texts == at_once.screen.texts
        assert [line.looks for line in one.screen.lines] == [line.looks for line in at_once.screen.lines]
        assert [line.text for line in one.screen.history] == [line.text for line in at_once.screen.history]
    at_once.screen.resize(columns, rows)
    at_once.feed(text)
    whole(at_once.screen)


def test_a_hundred_thousand_random_sequences() -> None:
    chance, emulator = random.Random(4), Emulator()
    values = ["", "0", "1", "2", "5", "7", "24", "38", "48", "80", "1049", "9" * 30, "4:3", "38:2::1:2:3", "-1", "²"]
    for number in range(100_000):
        given = ";".join(chance.choice(values) for _ in range(chance.randrange(5)))
        between, final = chance.choice(("", "", "", " ", "!", "$", "'")), chr(chance.randrange(0x20, 0x7F))
        emulator.feed(
            f"\x1b[{chance.choice(('', '', '?', '>', '<', '='))}{given}{between}{final}{chance.choice(('', 'ab', '表', chr(10)))}"
        )
        if number % 997 == 0:
            whole(emulator.screen)
            emulator.screen.resize(chance.randrange(1, 700), chance.randrange(1, 300))
    whole(emulator.screen)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\x1b]0;title\x07a\x1b]52;c;cHduZWQ=\x1b\\b\x1b]8;;http://x\x1b\\c", ["abc"]),  # title, clipboard, link
        ("\x1bPq#0;2;0;0;0\x1b\\a\x1b_x\x1b\\b\x1b^y\x1b\\c\x1bXz\x1b\\d\x1bkname\x1b\\e", ["abcde"]),
        ("a\x07\x05b\x1b[c\x1b[6n\x1b[>c\x1b[?1$p\x1b[14tc\x1b[>4;2m\x1b[?u", ["abc"]),  # bells and questions
        ("a\u202eb\u200bc\x9b2Jd\x85e\u2028f", ["abc2Jdef"]),
        ("a\x1b[3\x08Cb", ["a  b"]),  # a control inside a sequence is carried out first
        ("a\x1b[2\x1b[Cb\x1b[5\x18c", ["a bc"]),
        ("a\x1b[\u00e9b", ["aéb"]),
        ("\x1b[?1049hvim\x1b[?1049lback", ["back"]),
        ("main\x1b[?1049h\x1b[Hvim\x1b[2;5Hx", ["vim", "    x"]),
        ("ab\x1b[3bc", ["abbbbc"]),  # REP
        ("\x1b(0lqk\x1b(Bl", ["┌─┐l"]),
        ("1\r\n2\r\n3\r\n4\x1b[S", ["2", "3", "4"]),
        ("1\r\n2\r\n3\r\n4\x1b[T", ["", "1", "2", "3"]),
        ("x" * 20 + "y", ["x" * 20, "y"]),
        ("\x1b[?7l" + "x" * 19 + "abc", ["x" * 19 + "c"]),
        ("x" * 20 + "\r\nz", ["x" * 20, "z"]),  # no empty line after a full one
        ("x" * 19 + "表", ["x" * 19, "表"]),
        ("表表\x1b[2GX", [" X表"]),
        ("表表\x1b[3GX", ["表X"]),
        ("abc\x1b[1;2H\x1b[@X\x1b[1;1H\x1b[P", ["Xbc"]),
        ("\x1b[4hab\x1b[1GX", ["Xab"]),
        ("\x1b[2;3r\x1b[3;1Ha\r\nb\r\nc\x1b[4;1Hd", ["", "b", "c", "d"]),
        ("a\tb\x1b[3g\tc", ["a       b          c"]),
        ("e\u0301\u0302\u0303\u0304\u0305", ["e\u0301\u0302"]),
        ("\u0301a", ["a"]),
        ("\x1b#8\x1b[2;1H\x1b[1J", ["", " " + "E" * 19, "E" * 20, "E" * 20]),
        ("\x1b[9999999999;9999999999Hx", ["", "", "", " " * 19 + "x"]),
        ("\x1b[99999999999999@\x1b[9999999L\x1b[9999999b\x1b[9999999Sa", ["a"]),
    ],
)
def test_what_is_to_be_seen(text: str, lines: list[str]) -> None:
    assert shown(text) == lines + [""] * (4 - len(lines))


def test_looks() -> None:
    emulator = Emulator(40, 2)
    emulator.feed(
        "\x1b[1;4;7;31;102ma\x1b[22;24;27;39;49mb\x1b[38;5;200mc\x1b[48;2;1;2;3md\x1b[38:2::9:8:7me\x1b[4:0mf\x1b[m"
    )
    emulator.feed("g\x1b[38;5mh\x1b[38;9;1mi\x1b[38;2;300;1;1mj\x1b[41m\x1b[K\x1b[>4;2mk")
    looks = emulator.screen.lines[0].looks
    assert looks[0] == Look(1, 10, BOLD | UNDERLINE | REVERSE) and looks[1] == Look()
    assert looks[2] == Look(200) and looks[3] == Look(200, RGB | 0x010203)
    assert looks[4] == looks[5] == Look(RGB | 0x090807, RGB | 0x010203)
    assert looks[6:8] == [Look(), Look()] and looks[8] == Look(-1, -1, BOLD) and looks[9] == Look(-1, -1, BOLD)
    assert looks[10] == Look(-1, 1, BOLD) and looks[39] == Look(-1, 1), "what is erased keeps the background alone"


def test_nothing_grows() -> None:
    emulator = Emulator()
    emulator.feed("\x1b]0;" + "x" * LONGEST_STRING * 2 + "\x1b[" + "1;" * LONGEST * 4)
    assert len(emulator._rest) <= LONGEST
    assert "x" in emulator.screen.texts[0], "a title that does not end hides what follows for ever"
    for _ in range(3 * HISTORY):
        emulator.feed("line\n")
    assert len(emulator.screen.history) == HISTORY
    huge = Emulator(10**9, 10**9)
    assert (huge.screen.columns, huge.screen.rows) == (MOST_COLUMNS, MOST_ROWS)


def test_what_was_seen_stays_above() -> None:
    emulator = Emulator(20, 3)
    gone: list[str] = []
    emulator.screen.on_gone = lambda line: gone.append(line.text)
    emulator.feed("1\r\n2\r\n3\r\n4\x1b[2J\x1b[H5\x1b[?1049h" + "vim\r\n" * 9 + "\x1b[2J\x1b[?1049l")
    assert gone == ["1", "2", "3", "4"] == [line.text for line in emulator.screen.history]
    assert emulator.screen.texts == ["5", "", ""]


def test_a_copy_goes_its_own_way() -> None:
    emulator = Emulator(20, 3)
    emulator.feed("a\r\n\x1b[31")
    other = emulator.copy()
    other.feed("mb\r\n\x1b[?1049hc\r\n\n\n\x1b]0;")
    emulator.feed("mz")
    assert emulator.screen.texts == ["a", "z", ""] and not emulator.screen.alternate
    assert other.screen.alternate and emulator.screen.lines[1].looks[0] == Look(1)
    kept = len(other.screen.history)
    emulator.feed("\n\n\n\n")
    assert len(other.screen.history) == kept


def test_after_a_gap_no_sequence_is_under_way() -> None:
    for begun in ("\x1b[3", "\x1b]0;title", "\x1bPq"):
        emulator = Emulator(20, 2)
        emulator.feed(begun)
        emulator.gap()
        emulator.feed("plain")
        assert emulator.screen.texts[0] == "plain"


def test_a_smaller_window_keeps_the_line_with_the_cursor() -> None:
    emulator = Emulator(20, 4)
    emulator.feed("1\r\n2\r\n3\r\n4表")
    emulator.screen.resize(2, 2)
    assert emulator.screen.texts == ["3", "4"] and emulator.screen.y == 1
    assert [line.text for line in emulator.screen.history] == ["1", "2"]
    emulator.screen.resize(20, 4)
    assert emulator.screen.texts == ["3", "4", "", ""]
    whole(emulator.screen)
