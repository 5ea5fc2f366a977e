"""Lines typed into a terminal, read off what the target echoed: by hand, at random, and with a real shell's habits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.protocols.ssh.row import WIDEST, Row
from hooptui.protocols.ssh.typed import AT_ONCE, LONGEST, TypedLines

PROMPT = b"\x1b[?2004h\x1b]0;me@web: ~\x07\x1b[01;32mme@web\x1b[00m:\x1b[01;34m~\x1b[00m$ "


def play(*steps: bytes | str) -> list[str]:
    """Text is what the client sends, bytes are what it is shown."""
    lines, found = TypedLines(), []
    for step in steps:
        if isinstance(step, str):
            lines.keys(step.encode())
        else:
            found += lines.screen(step)
    return found


def echoed(line: str) -> list[bytes | str]:
    """A line as somebody types it at a prompt that echoes."""
    steps: list[bytes | str] = []
    for one in line:
        steps += [one, one.encode()]
    return [*steps, "\r", b"\r\n"]


@pytest.mark.parametrize("line", ["ls -la", "rm -rf /", "  uname -a  ", "echo 'ü$ # %'", "a", "x" * 300])
def test_a_line_that_is_echoed(line: str) -> None:
    assert play(PROMPT, *echoed(line), b"out\r\n", PROMPT) == [line.strip()]


def test_a_password_is_not_in_it() -> None:
    shown = play(
        PROMPT,
        *echoed("sudo id"),
        b"[sudo] password for me: ",
        *"hunter2\r",
        b"\r\n",
        b"uid=0\r\n",
        PROMPT,
        *echoed("ls"),
    )
    assert shown == ["sudo id", "ls"]


@pytest.mark.parametrize(
    "keys", ["hunter2\r", "hunterr\x7f2\r", "wrong\x15hunter2\r", "hun\x1b[Dter2\r", "hunter2\t\r", "hunter2\x01\r"]
)
def test_nor_however_it_is_typed(keys: str) -> None:
    shown = play(
        PROMPT, *echoed("su"), b"Password: ", *keys, b"\r\n", b"su: Authentication failure\r\n", PROMPT, *echoed("id")
    )
    assert shown[0] == "su" and shown[-1] == "id"
    assert "hunter" not in "".join(shown), shown


def test_a_password_whose_echo_is_stars() -> None:
    shown = play(b"Password: ", "h", b"*", "i", b"*", "\r", b"\r\n", b"\r\n", PROMPT, *echoed("id"))
    assert shown == ["id"]


def test_backspace_and_kill() -> None:
    assert play(PROMPT, *"lx", b"lx", "\x7f", b"\b\x1b[K", "s", b"s", "\r", b"\r\n") == ["ls"]
    assert play(PROMPT, *"rm x", b"rm x", "\x15", b"\r\x1b[K" + PROMPT, *"ls", b"ls", "\r", b"\r\n") == ["ls"]


def test_an_interrupt_begins_anew() -> None:
    assert play(PROMPT, *"rm -rf", b"rm -rf", "\x03", b"^C\r\n", PROMPT, *echoed("ls")) == ["ls"]


def test_history_and_completion_are_read_off_the_row() -> None:
    up = play(PROMPT, "\x1b[A", b"rm -rf /tmp/x", "\r", b"\r\n")
    assert up == ["rm -rf /tmp/x"]
    tab = play(PROMPT, *"cat /et", b"cat /et", "\t", b"c/", *"pas", b"pas", "\t", b"swd ", "\r", b"\r\n")
    assert tab == ["cat /etc/passwd"]
    search = play(
        PROMPT,
        "\x12",
        b"\r\x1b[K(reverse-i-search)`': ",
        "r",
        b"\b\b\br': rm -rf /",
        "\r",
        b"\r\x1b[K" + PROMPT + b"rm -rf /\r\n",
    )
    assert search == ["rm -rf /"]


def test_an_edit_in_the_middle() -> None:
    # rm x, two to the left, -f and a blank inserted: readline writes the rest of the line anew.
    shown = play(PROMPT, *"rm x", b"rm x", "\x1b[D", b"\b", *"-f ", b"-x\b", b"fx\b", b" x\b", "\r", b"\r\n")
    assert shown == ["rm -f x"]


def test_what_is_pasted_and_typed_ahead() -> None:
    assert play(PROMPT, "\x1b[200~ls -l\x1b[201~", b"ls -l", "\r", b"\r\n") == ["ls -l"]
    ahead = play("ls\rid\r", b"ls\r\nid\r\n", PROMPT, b"out\r\n")
    assert ahead == ["ls", "id"]
    late = play(PROMPT, *echoed("sleep 1"), "id\r", b"id\r\n", PROMPT, b"uid=0\r\n")
    assert late == ["sleep 1", "id"]


def test_output_between_enter_and_its_echo() -> None:
    assert play(PROMPT, "ls\r", b"broadcast message\r\nls\r\n") == ["ls"]


def test_a_program_that_draws_its_own_screen_has_no_lines() -> None:
    vim = [b"\x1b[?1049h\x1b[2J", *":wq secret\r", b":wq secret\r\n", b"\x1b[?1049l"]
    assert play(PROMPT, *echoed("vim x"), *vim, PROMPT, *echoed("id")) == ["vim x", "id"]
    split = [b"\x1b[?10", b"49h", "hello\r", b"hello\r\n", b"\x1b[?1049l"]
    assert play(*split) == []


def test_a_flood_is_skipped_and_what_follows_is_not() -> None:
    flood = b"x" * (5 * AT_ONCE) + b"\x1b[?1049h" + b"y\r\n" * AT_ONCE + b"\x1b[?1049l" + b"z\r\n" * AT_ONCE
    assert play(PROMPT, "lost\r", flood, PROMPT, *echoed("id")) == ["id"]


def test_nothing_grows() -> None:
    lines = TypedLines()
    for _ in range(200):
        lines.keys(b"x" * 10_000 + b"\r")
        lines.screen(b"y" * 10_000 + b"\x1b]" + b"z" * 10_000)
    assert len(lines._entered) <= 32 and len(lines._now.text) <= LONGEST
    assert len(lines._row._cells) <= WIDEST and len(lines._row._rest) < 4096


KEYS = st.lists(st.sampled_from([*"abc /-", "\x7f", "\x15", "\x03", "\t", "\x1b[A", "\x01", "\r", "é"]), max_size=40)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(KEYS, st.binary(max_size=200), st.integers(1, 7))
def test_what_is_never_shown_is_never_in_it(keys: list[str], noise: bytes, step: int) -> None:
    """Whatever is typed around it, and however output is cut, the secret is not in any line."""
    lines, found = TypedLines(), []
    noise = noise.replace(b"z", b"")
    typed = "".join(keys) + "zqzq" + "".join(keys) + "\r"
    for at in range(0, max(len(typed), len(noise)), step):
        lines.keys(typed[at : at + step].encode())
        found += lines.screen(noise[at : at + step])
    found += lines.screen(b"\r\n\r\n$ \r\n")
    assert not any("zqzq" in line for line in found)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    st.lists(st.integers(1, 60), max_size=12),
)
def test_any_cut_gives_the_same_lines(line: str, cuts: list[int]) -> None:
    whole = PROMPT + line.encode() + b"\r\n"
    lines, found, at = TypedLines(), [], 0
    lines.screen(PROMPT)
    lines.keys(line.encode() + b"\r")
    whole = whole[len(PROMPT) :]
    for cut in [*cuts, len(whole)]:
        found += lines.screen(whole[at : at + cut])
        at += cut
    assert found == [line]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=400), st.integers(1, 50))
def test_a_row_takes_anything(data: bytes, step: int) -> None:
    whole, cut = Row(), Row()
    text = data.decode("latin-1")
    rows = list(whole.write(text))
    pieces = [row for at in range(0, len(text), step) for row in cut.write(text[at : at + step])]
    assert pieces == rows
    assert not any(re.search(r"[\x00-\x1f\x7f]", row) for row in rows)
