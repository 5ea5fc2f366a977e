"""Terminals as asciicasts and as lines of text."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.audit.asciicast import NoTerminal, cast, choose
from hooptui.audit.export import export_cast, export_session
from hooptui.audit.plain import plain
from hooptui.core.events import Event, Finished
from hooptui.core.events_channels import TerminalOpened, TerminalOutput
from hooptui.core.visible import visible
from tests.audit.making import NOW, M, write
from tests.audit.terminals import read_cast, recorded


def test_a_cast_of_version_3() -> None:
    header, events = read_cast("\n".join(cast(recorded(), 1)))
    assert header["term"] == {"cols": 20, "rows": 4, "type": "xterm-256color"}
    assert header["timestamp"] == int(NOW) and header["title"] == "orders-db: interactive shell"
    assert [(code, data) for _, code, data in events] == [
        ("o", "$ ls\r\none\r\ntwo\r\n\x1b[3"),
        ("o", "1mthree\x1b[m\r\nfour\r\n$ "),
        ("m", "asked 2: rm -rf /srv/␛[2J"),
        ("m", "held #9 by danger"),
        ("m", "olga denies #9"),
        ("m", "refused 2: denied"),
        ("r", "40x5"),
        ("m", "asked 3: vim notes"),
        ("o", "exit\r\n"),
        ("x", "7"),
    ]
    assert [moment for moment, _, _ in events] == pytest.approx([0.1 * n for n in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12)])


def test_a_cast_of_version_2() -> None:
    header, events = read_cast("\n".join(cast(recorded(), 3, 2)))
    assert (header["width"], header["height"], header["env"]) == (80, 24, {"TERM": ""})
    assert events[-2:] == [
        (pytest.approx(0.5), "m", "5000 bytes beyond the recording's cap"),
        (pytest.approx(0.6), "m", "exit 143"),
    ]
    assert "".join(data for _, code, data in events if code == "o").endswith("bye\r\n")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-5, 5), st.text(st.characters(exclude_categories=("Cs",)), max_size=20)), max_size=30),
    st.sampled_from((2, 3)),
)
def test_any_text_at_any_time_reads_back(pieces: list[tuple[float, str]], version: int) -> None:
    events, now = [Event(NOW, "a", TerminalOpened(1, M("x\x1b"), -3, 10**9))], NOW
    for step, text in pieces:
        now += step
        events.append(Event(now, "a", TerminalOutput(1, M(text))))
    text = "\n".join(cast(events, 1, version))
    assert text.isascii() and visible(text, keep="\n") == text
    _, read = read_cast(text)
    assert [data for _, _, data in read] == [piece for _, piece in pieces]


def test_small_steps_do_not_add_up_to_an_error() -> None:
    events = [Event(NOW, "a", TerminalOpened(1, M("x"), 80, 24))]
    events += [Event(NOW + number / 3e5, "a", TerminalOutput(1, M("."))) for number in range(30_000)]
    _, read = read_cast("\n".join(cast(events, 1)))
    assert read[-1][0] == pytest.approx(29_999 / 3e5, abs=2e-6)


@pytest.mark.parametrize(
    ("tag", "status"),
    [("exit 0", "0"), ("exit x", "255"), ("signal KILL", "137"), ("signal ODD", "255"), ("gone", "255")],
)
def test_exit_statuses(tag: str, status: str) -> None:
    events = [Event(NOW, "a", TerminalOpened(1, M("x"), 80, 24)), Event(NOW, "a", Finished(1, M(tag), True, 0, 0, 1.0))]
    assert read_cast("\n".join(cast(events, 1)))[1] == [(0.0, "x", status)]


def test_which_terminal() -> None:
    assert choose(recorded(), 3) == 3
    with pytest.raises(NoTerminal, match="expected a channel, one of 1, 3"):
        choose(recorded(), None)
    with pytest.raises(NoTerminal, match="found channel 2, expected one with a terminal: 1, 3"):
        choose(recorded(), 2)
    with pytest.raises(NoTerminal, match="had no terminal"):
        choose(recorded()[:3], None)
    assert choose(recorded()[:5], None) == 1
    with pytest.raises(ValueError, match="version 1"):
        next(cast(recorded(), 1, 1))


async def test_a_cast_as_a_file(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await write(state, recorded())
    file = tmp_path / "one.cast"
    export_cast(state, "ab1", file, 3, 3)
    assert read_cast(file.read_text())[1][-1][1] == "x" and stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        export_cast(state, "ab1", file, 1, 3)
    with pytest.raises(NoTerminal):
        export_cast(state, "ab1", tmp_path / "two.cast", None, 3)
    assert not (tmp_path / "two.cast").exists()
    written = export_session(state, "ab12", tmp_path, "cast2", 1)
    assert written.name == "ab12-1.cast" and read_cast(written.read_text())[0]["version"] == 2


def test_terminals_as_text() -> None:
    lines = list(plain(recorded()))
    text = "\n".join(lines)
    assert visible(text, keep="\n") == text
    shown = [line[10:] for line in lines if "│" in line or "┌" in line or "└" in line]
    assert shown == [
        "1│ $ ls",
        "1│ one",
        "1│ two",
        "1│ three",
        "1│ four",
        "1│ $ exit",
        "3│ ┌ the whole screen, when it was given back",
        "3│ │ hello vim",
        "3│ │ ~",
        "3│ └",
        "3│ bye",
    ]
    assert "◀ 1 terminal of 20 by 4, xterm-256color" in text and "◀ 1 terminal is 40 by 5 now" in text
    assert f'◀ 4 read "/etc/␛[1m" 12 bytes sha256 {"ab" * 32} · ok' in text
    assert '✗ 5 write "/srv/a" · refused: denied by rule r' in text
    assert "… 3 5000 bytes not recorded: the cap is 1000 bytes" in text


def test_a_line_that_ran_over_the_edge_is_one_line() -> None:
    events = [
        Event(NOW, "a", TerminalOpened(1, M("x"), 10, 2)),
        Event(NOW, "a", TerminalOutput(1, M("a" * 25 + "\r\n$ "))),
    ]
    assert [line.strip() for line in plain(events)][2:] == ["1│ " + "a" * 25, "1│ $"]
