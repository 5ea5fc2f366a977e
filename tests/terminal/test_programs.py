"""What real programs draw looks in the emulator as it does in tmux, however their output is cut."""

from __future__ import annotations

import codecs
import random
from pathlib import Path

import pytest

from hooptui.terminal.emulator import Emulator
from tests.terminal.programs import Tmux, missing, record

PROGRAMS = {
    "vim": (
        ["vim", "-u", "NONE", "-N", "--cmd", "set ruler nomore", "text"],
        [("line 1", ":set number\r"), ("16 ", "jjddpGO"), ("", "new line über 表格 e\u0301\x1b:split\r"), ("new", "\x06\x15:%s/line/LINE/g\r"), ("LINE", "")],
    ),
    "vim-quit": (
        ["vim", "-u", "NONE", "-N", "text"],
        [("line 1", "ddp:q!\r")],
    ),
    # Its prompt: a key that comes while it draws may be lost.
    "less": (["less", "text"], [("text\x1b[27m\x1b[K", " "), (":\x1b[K", "/line 77\r"), (":\x1b[K", "b"), (":\x1b[K", "")]),
    "less-quit": (["less", "text"], [("text\x1b[27m\x1b[K", "q")]),
    "top": (["top", "-d", "0.3", "-n", "3"], [("PID", "")]),
    "bash": (
        ["bash", "--norc", "--noprofile"],
        # Each line is typed at the prompt, when readline has the terminal: before that the kernel echoes, and takes some keys for its own.
        [
            ("box$ ", "seq 1 40\r"),
            ("box$ ", "echo a rather long line that is longer than the screen is wide, so that readline has to wrap it\x01\x1bd\x1bf\x15echo x\ty\r"),
            ("box$ ", "printf 'tab\\tend\\n\\033[31mred\\033[0m \\033[5;10Hthere\\033[2;4r\\033[4;1H\\n\\n\\033[r'\r"),
            ("box$ ", "ls --color=always -C /etc | head -5; clear; echo done\r"),
            ("box$ ", "exit\r"),
        ],
    ),
    "tmux": (
        ["tmux", "-f", "/dev/null", "-S", "inner.sock", "new-session", "bash --norc --noprofile"],
        [("bash-", "tmux -S inner.sock split-window -h 'top -d 0.3 -n 2; sleep 9'; seq 1 30\r"), ("PID", ""), ("30", "\x02c"), ("bash-", "echo second\r"), ("second", "")],
    ),
    "watch": (["watch", "-n", "2", "-t", "-c", "date; seq 1 10"], [("10", "")]),
}  # fmt: skip


@pytest.fixture(scope="module")
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Tmux:
    return Tmux(tmp_path_factory.mktemp("tmux"))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.skipif(bool(missing("vim", "less", "top", "tmux", "watch")), reason="a program is missing")
def test_a_program_looks_as_it_does_in_tmux(name: str, tmux: Tmux, tmp_path: Path) -> None:
    columns, rows = (80, 24) if name != "top" else (100, 30)
    (tmp_path / "text").write_text("".join(f"line {number}\twith a tab\n" for number in range(1, 120)))
    command, keys = PROGRAMS[name]
    data = record(command, keys, columns, rows, tmp_path)
    # Cut in the middle of what is on the screen, and at the end.
    for part in (data[: len(data) * 2 // 3].decode(errors="ignore").encode(), data):
        emulator = fed(part, columns, rows)
        assert emulator.screen.texts == tmux.shows(part, columns, rows)


def fed(data: bytes, columns: int, rows: int) -> Emulator:
    emulator, chance = Emulator(columns, rows), random.Random(7)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    at = 0
    while at < len(data):
        size = chance.choice((1, 2, 3, 7, 64, 4096))
        emulator.feed(decoder.decode(data[at : at + size]))
        at += size
    return emulator
