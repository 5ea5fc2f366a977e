"""Terminals and files on the screen: what is shown by itself, what hostile output cannot do, and what a flood costs."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.desk import Command
from hooptui.core.events import Asked, Event, Finished
from hooptui.core.events_channels import TerminalOpened, TerminalOutput, TerminalResized
from hooptui.core.visible import visible
from hooptui.terminal.cells import BOLD, PLAIN, RGB, Line, Look
from hooptui.terminal.emulator import Emulator
from hooptui.tui import theme
from hooptui.tui.channels import BUDGET, KEPT, TIMELINE, Channels, Tab
from hooptui.tui.reel import EXACT, SPACING, TAIL, Reel
from hooptui.tui.text import row_width
from hooptui.tui.widgets.channel_pane import tab_line
from hooptui.tui.widgets.terminal import row_of
from tests.ui import picture, scenes_ssh
from tests.ui.scenes import M, busy, ev
from tests.ui.stage import NARROW, Stage, stage

OPENED = ev(0, TerminalOpened(1, M("xterm"), 20, 4))


def out(text: str, operation: int = 1) -> Event:
    return ev(0, TerminalOutput(operation, M(text)))


# --- live


def test_terminals_live() -> None:
    channels = Channels()
    channels.feed([ev(0, Asked(1, "top", M("top\x1b -d1"), ("exec",), ())), OPENED, out("a\r\n\x1b[3"), out("1mb")])
    channels.feed([ev(0, TerminalResized(1, 30, 5)), out("ignored", 7)])
    one = channels.terminals[1]
    assert one.emulator.screen.texts == ["a", "b", "", "", ""] and one.emulator.screen.columns == 30
    assert channels.tabs() == [Tab(TIMELINE, "Timeline"), Tab("1", "● 1 top␛ -d1")]
    assert channels.newest is one
    channels.feed([ev(0, Finished(1, M("exit 3"), False, 0, 0, 1.0))])
    assert one.ended == "exit 3" and channels.newest is None and channels.tabs()[1].label == "○ 1 top␛ -d1"


def test_a_flood_costs_a_page_and_is_counted() -> None:
    channels = Channels()
    lines = [f"{number:07}\r\n" for number in range(200_000)]
    channels.feed([OPENED, *(out("".join(lines[at : at + 1000])) for at in range(0, 200_000, 1000))])
    one = channels.terminals[1]
    assert one.emulator.screen.texts == ["0199997", "0199998", "0199999", ""]
    assert one.left_out == 200_000 * 9 - BUDGET
    channels.feed([out("x" * BUDGET * 3), out("\r\nend")])
    assert one.emulator.screen.texts[-1] == "end" and one.left_out == 200_000 * 9 - BUDGET + 2 * BUDGET + 5


def test_a_gap_leaves_no_sequence_under_way() -> None:
    channels = Channels()
    channels.feed([OPENED, out("\x1b]0;title")])
    channels.feed([out("shown")], lost=3)
    assert channels.terminals[1].emulator.screen.texts[0] == "shown"


def test_only_so_many_terminals_are_kept_and_the_open_ones_last() -> None:
    channels = Channels()
    for number in range(1, 30):
        channels.feed([ev(0, TerminalOpened(number, M(""), 80, 24))])
        if number != 5:
            channels.feed([ev(0, Finished(number, M("exit 0"), True, 0, 0, 1.0))])
    assert len(channels.terminals) == KEPT and 5 in channels.terminals and 29 in channels.terminals


# --- replay


def recording(sizes: list[int]) -> list[Event]:
    """A terminal whose every piece is a line with its own number."""
    events = [ev(0, Asked(1, "x", M("x"), ("exec",), ())), OPENED]
    for number, size in enumerate(sizes):
        events.append(out(f"\x1b[3{number % 8}m{number:06}" + "." * size + "\r\n"))
        if number % 7 == 3:
            events.append(ev(0, TerminalResized(1, 20 + number % 5, 4 + number % 3)))
    return events


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.lists(st.integers(0, 60), max_size=20))
def test_any_way_to_a_moment_shows_the_same(sizes: list[int], moves: list[int]) -> None:
    events = recording(sizes)
    reel = Reel(events, 1)
    for move in moves:
        index = min(move, len(events))
        shown, straight = reel.to(index).screen, Emulator()
        for event in events[:index]:
            match event.body:
                case TerminalOutput(text=text):
                    straight.feed(text)
                case TerminalOpened(columns=columns, rows=rows) | TerminalResized(columns=columns, rows=rows):
                    straight.screen.resize(columns, rows)
                case _:
                    continue
        assert shown.texts == straight.screen.texts and shown.look == straight.screen.look


def test_back_from_kept_pictures_and_far_jumps_from_a_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    fed = 0
    feed = Emulator.feed

    def counting(self: Emulator, text: str) -> None:
        nonlocal fed
        fed += len(text)
        feed(self, text)

    monkeypatch.setattr(Emulator, "feed", counting)
    piece = "." * 8000
    events = [OPENED, *(out(f"\r\n{number:06}{piece}\r\n{number:06}") for number in range(1000))]
    reel = Reel(events, 1)

    def cost(index: int) -> int:
        nonlocal fed
        fed = 0
        assert reel.to(index).screen.texts[-1] == (f"{index - 2:06}" if index > 1 else "")
        return fed

    assert cost(101) <= 101 * 8100 and reel.exact
    assert cost(100) <= SPACING + 8100 and reel.exact, "one step back begins at a kept picture"
    assert cost(3) <= SPACING + 8100 and reel.exact
    assert cost(900) <= TAIL + 8100 and not reel.exact, "far ahead only the last part is carried out"
    assert cost(901) <= 8100 and not reel.exact, "and on from there"
    assert cost(899) <= TAIL + 8100 and not reel.exact
    assert cost(102) <= SPACING + 2 * 8100 and reel.exact, "back where everything is known it is exact again"
    for index in range(150, 1001, 50):
        assert cost(index) <= EXACT and reel.exact, "played in order, all of it is"
    assert cost(500) <= SPACING + 8100 and reel.exact


# --- drawing


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.text(max_size=80), st.integers(1, 40), st.integers(0, 45), st.integers(1, 45), st.integers(-1, 45))
def test_a_row_is_never_wider_than_its_cells_and_inert(
    text: str, columns: int, pan: int, cells: int, cursor: int
) -> None:
    emulator = Emulator(columns, 3)
    emulator.feed("表é🦊e\u0301\u1100\u1161\U0001f468\u200d\U0001f469" + text)
    for line in emulator.screen.lines:
        row = row_of(line, pan, cells, cursor)
        assert row_width(row) == max(0, min(cells, columns - pan))
        shown = "".join(part for part, _ in row)
        assert visible(shown) == shown


def test_looks_in_the_theme_s_own_colours() -> None:
    line = Line(3)
    line.put(0, "ab", Look(1, RGB | 0x010203, BOLD))
    (text, name), (rest, plain) = row_of(line, 0, 3)
    assert (text, rest) == ("ab", " ")
    style = theme.style(name)
    assert style.bold and style.color is not None and style.color.name == theme.ANSI[1]
    assert style.bgcolor is not None and style.bgcolor.name == "#010203"
    bare = theme.style(plain)
    assert bare.bgcolor is None and bare.color is not None and bare.color.name == theme.INK
    cursor = theme.style(row_of(Line(1), 0, 1, 0)[0][1])
    assert cursor.reverse and Line(1).looks[0] == PLAIN, "the cursor is drawn, not written"
    assert [theme.colour(n) for n in (16, 231, 232, 255)] == ["#000000", "#ffffff", "#080808", "#eeeeee"]


def test_the_shown_tab_is_always_in_sight() -> None:
    tabs = [Tab(str(number), f"● {number} " + "w" * 40) for number in range(20)]
    for cells in (20, 40, 80):
        for number in range(20):
            row, zones = tab_line(tabs, str(number), cells)
            assert f"[● {number} " in "".join(text for text, _ in row)
            assert any(verb == f"channel:{number}" for _, _, verb in zones)


# --- on the screen


async def on_terminal(s: Stage) -> None:
    await s.press("1", "j", "j", "j", "j", "enter")
    await s.tick()


async def test_a_terminal_shows_by_itself_and_goes_on() -> None:
    async with stage(scenes_ssh.terminal()) as s:
        await on_terminal(s)
        output = s.main.output
        assert output.channel == 1 and output.terminal.has_focus
        repainted = output.terminal.repainted
        s.desk.publish(ev(1, TerminalOutput(1, M("\x1b[3;1HTasks: \x1b[1m777\x1b[m")), "c3d2"))
        await s.tick()
        assert "Tasks: 777" in picture.text(s.app)
        assert output.terminal.repainted - repainted <= 3, "only the line that changed, and those of the cursor"
        s.desk.publish(ev(2, Finished(1, M("exit 130"), False, 0, 0, 1.0), "c3d2"))
        await s.tick()
        assert output.channel == 1 and "exit 130  80×24" in output.titles[1], "the last picture stays"
        s.desk.publish(ev(3, Asked(3, "ls", M("ls -l"), ("exec",), ()), "c3d2"))
        await s.tick()
        assert output.channel is None and "ls -l" in picture.text(s.app), "until something else is asked for"


async def test_what_somebody_has_chosen_stays() -> None:
    async with stage(scenes_ssh.terminal()) as s:
        await on_terminal(s)
        await s.press("s")
        assert s.main.output.tab == TIMELINE
        s.desk.publish(ev(1, TerminalOpened(9, M(""), 80, 24), "c3d2"))
        await s.tick()
        assert s.main.output.tab == TIMELINE and "9" in s.main.output.strip.text
        await s.press("1", "g", "enter")
        assert not s.main.output.chosen, "another session begins anew"


async def test_looking_back_in_a_terminal_and_following_again() -> None:
    async with stage(scenes_ssh.terminal(), NARROW) as s:
        await on_terminal(s)
        text = "".join(f"line {number}\r\n" for number in range(100))
        s.desk.publish(ev(1, TerminalOutput(1, M("\x1b[H\x1b[2J\x1b[?25h" + text + "end")), "c3d2"))
        await s.tick()
        view = s.main.output.terminal
        assert "line 99" in picture.text(s.app) and "end" in picture.text(s.app)
        await s.press("pageup", "pageup", "pageup")
        assert "SCROLLED" in s.main.output.titles[1] or not view.follow
        before = picture.text(s.app)
        assert "line 99" not in before
        s.desk.publish(ev(2, TerminalOutput(1, M("\r\nmore")), "c3d2"))
        await s.tick()
        assert "line 99" not in picture.text(s.app)
        await s.press("F")
        assert "more" in picture.text(s.app)
        await s.press("g")
        assert "qa-1@web-03" in picture.text(s.app)
        await s.press("G")
        assert view.follow and "more" in picture.text(s.app)


async def test_hostile_output_reaches_nobody_s_terminal_and_never_fails() -> None:
    chance = random.Random(3)
    hostile = (
        "\x1b]0;pwned\x07\x1b]52;c;cHduZWQ=\x07\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\\x1b[6n\x1b[c\x1bP$q\x1b\\\x1b[5i"
        "[bold red]x[/]\u202eevil\x9b2J\x07\u200b"
    )
    async with stage(scenes_ssh.terminal()) as s:
        sent: list[str] = []
        s.app.send = sent.append  # type: ignore[method-assign]  # what goes past the screen
        await on_terminal(s)
        for _ in range(40):
            noise = "".join(
                chr(chance.choice((27, 91, 59, 63, 155, 0x202E, 0x8868, chance.randrange(1, 0x2FF))))
                for _ in range(400)
            )
            s.desk.publish(ev(1, TerminalOutput(1, M(noise)), "c3d2"))
            await s.tick()
        s.desk.publish(ev(2, TerminalOutput(1, M("\x18\x1bc" + hostile)), "c3d2"))
        await s.tick()
        seen = picture.text(s.app)
        assert "link[bold red]x[/]evil2J" in seen
        assert not any(char in seen for char in "\x1b\x07\x9b\u202e\u200b") and "pwned" not in seen
        assert not sent and s.app.fault is None


async def test_a_wide_terminal_is_shown_around_its_cursor() -> None:
    async with stage(scenes_ssh.terminal(), NARROW) as s:
        await on_terminal(s)
        s.desk.publish(ev(1, TerminalResized(1, 300, 60), "c3d2"))
        s.desk.publish(ev(1, TerminalOutput(1, M("\x1b[2J\x1b[?25h\x1b[50;250Hhere>")), "c3d2"))
        await s.tick()
        assert "here>" in picture.text(s.app) and "300×60" in s.main.output.titles[1]
        s.desk.publish(ev(1, TerminalOutput(1, M("\rleft>")), "c3d2"))
        await s.tick()
        assert "left>" in picture.text(s.app)


async def test_replay_of_a_terminal_seeks_both_ways() -> None:
    async with stage(scenes_ssh.recorded()) as s:
        await s.press("4", "G", "enter", "space")
        player = s.main.player
        assert player.tab == TIMELINE and "○" not in player.strip.text
        while not player.player.ended:
            await s.press("full_stop")
        assert "since INC-812" not in picture.text(s.app), "vim has given the screen back"
        await s.press("left", "left")
        assert player.channel in (1, 2)
        moments = []
        for _ in range(8):
            moments.append((player.player.at, picture.text(s.app)))
            await s.press("left")
        for at, seen in reversed(moments):
            while player.player.at < at:
                await s.press("full_stop")
            assert _body(picture.text(s.app)) == _body(seen), at
        await s.press("s")
        assert player.chosen


async def test_lines_that_came_at_a_passing_width_are_laid_out_for_the_one_that_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stage(scenes_ssh.recorded()) as s:
        await s.press("4", "G", "enter", "space", "s")
        lines = s.main.player.transcript
        wide = ev(0, Asked(9, "exec", M("word " * 60), ("exec",), ()))
        real = lines.cells
        # Between two layouts it has the width of a terminal, and hears of neither before it is what it was.
        monkeypatch.setattr(type(lines), "cells", 150)
        lines.feed([wide])
        monkeypatch.setattr(type(lines), "cells", real)
        lines.on_resize()
        assert all(row_width(lines.row(y, real)) <= real for y in range(lines.count()))


def _body(text: str) -> list[str]:
    """The stage without its bar and feet."""
    return [line for line in text.split("\n") if "event " not in line and "×" not in line]


async def test_before_the_terminal_of_the_tab_was_opened_nothing_is_shown() -> None:
    async with stage(scenes_ssh.recorded()) as s:
        await s.press("4", "G", "enter", "n", "n", "n", "right", "right", "right", "s", "s")
        player = s.main.player
        assert player.chosen and player.tab == "1" and "upstream" in picture.text(s.app)
        await s.press("N", "N")
        assert player.tab == "1" and "upstreams of the shop" not in picture.text(s.app)
        await s.press("right", "right", "right", "right")
        assert "upstreams of the shop" in picture.text(s.app)


async def test_export_of_a_shown_terminal_is_a_cast() -> None:
    async with stage(scenes_ssh.terminal()) as s:
        await on_terminal(s)
        await s.press("E")
        assert s.desk.ran[-1] == Command("export", {"session": "c3d2", "format": "cast", "channel": "1"})
        await s.press("s", "E")
        assert s.desk.ran[-1] == Command("export", {"session": "c3d2"})


async def test_copying_a_terminal_copies_inert_text() -> None:
    async with stage(scenes_ssh.terminal()) as s:
        await on_terminal(s)
        await s.press("y")
        assert "load average: 2.31" in s.app.clipboard and "\x1b" not in s.app.clipboard


async def test_a_filter_leads_to_the_lines_that_it_filters() -> None:
    async with stage(scenes_ssh.terminal()) as s:
        await on_terminal(s)
        await s.press("slash")
        await s.type("df")
        await s.press("enter")
        assert s.main.output.tab == TIMELINE and s.main.output.transcript.has_focus
        assert s.main.output.transcript.texts and all(
            "df" in text or "Mounted" in text or "/dev" in text for text in s.main.output.transcript.texts
        )


async def test_no_colour_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(scenes_ssh.terminal()) as s:
        await on_terminal(s)
        colours = {
            segment.style.color.name
            for strip in picture.strips(s.app)
            for segment in strip.apply_filter(s.app._filters[-1], s.app.ansi_theme and s.main.background_colors[1])
            if segment.style is not None and segment.style.color is not None and not segment.style.color.is_default
        }
        assert colours == set()


async def test_a_command_on_no_terminal_is_told_on_the_timeline() -> None:
    desk = busy()
    desk.state = replace(desk.state, sessions=desk.state.sessions)
    async with stage(scenes_ssh.held_ssh()) as s:
        await s.press("1", "j", "j", "enter")
        await s.tick()
        seen = picture.text(s.app)
        assert "◀ ● nginx.service - web server" in seen and "◀ stderr: Warning" in seen
        assert not s.main.output.strip.display
