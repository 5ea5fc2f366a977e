"""What the screen survives, and that it tells the truth: a desk that is slow or gone, floods, hostile text, small terminals, no colour."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from textual.widget import Widget

from hooptui.core.desk import ListenerView
from hooptui.core.events import Asked, Output
from hooptui.core.gate import Masked
from hooptui.tui import alarm
from hooptui.tui.app import HooptuiApp
from hooptui.tui.screens.review import ReviewScreen
from hooptui.tui.text import width
from hooptui.tui.widgets.live import Live
from tests.ui import picture
from tests.ui.scenes import HELD, HELD_19, NOW, busy, empty, ev, session
from tests.ui.stage import NARROW, WIDE, stage


async def test_a_desk_that_is_gone_leaves_a_banner_and_is_asked_again() -> None:
    async with stage(busy()) as s:
        s.desk.gone = "the gateway has stopped"
        await s.tick()
        assert "the gateway does not answer: the gateway has stopped; trying again" in s.main.banner.text
        assert s.main.live.list.total == 9, "what was known stays to be seen"
        await s.press("f")
        assert s.flash.startswith("✗ freeze was not confirmed")
        await s.press("4", "5", "v", "1", "j", "enter")
        s.desk.gone = ""
        await s.tick()
        assert not s.main.banner.display
        assert s.main.output.transcript.texts, "the output goes on where it could not"


async def test_a_slow_desk_blocks_no_key_and_is_told() -> None:
    async with stage(busy()) as s:
        s.desk.gate = asyncio.Event()
        s.app.background("poll", s.app.poll_once)
        await s.pilot.pause()
        asked = s.desk.asked
        s.clock.advance(3.2)
        s.app.look_at_silence()
        assert "has not answered for 0:03" in s.main.banner.text
        assert "✗ silent 0:03" in s.main.line1.text
        await s.pilot.press("j")
        assert s.main.live.list.at == 1
        assert s.app.background("poll", s.app.poll_once) is None, "one question at a time"
        assert s.desk.asked == asked
        s.desk.gate.set()
        await s.settle()
        await s.tick()
        assert not s.main.banner.display


async def test_a_renderers_exception_is_a_line_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(busy()) as s:

        def fails(self: Live, y: int, cells: int) -> object:
            raise ZeroDivisionError("no")

        monkeypatch.setattr(Live, "row", fails)
        s.main.live.list.refresh()
        await s.tick()
        assert "✗ this line cannot be shown (ZeroDivisionError)" in picture.text(s.app)
        assert s.app.is_running


async def test_an_exception_in_the_poller_is_flashed_and_polling_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(busy()) as s:

        async def fails() -> object:
            raise ValueError("what the desk sent makes no sense")

        right = s.desk.snapshot
        monkeypatch.setattr(s.desk, "snapshot", fails)
        s.app.background("poll", s.app.poll_once)
        await s.settle()
        assert "✗ the screen failed at poll: ValueError" in s.flash
        monkeypatch.setattr(s.desk, "snapshot", right)
        await s.tick()
        assert s.app.silent == 0


async def test_the_poller_itself_lives_on() -> None:
    """With polling on: a fault in one round does not end the rounds."""
    desk = busy()
    right, rounds = desk.snapshot, 0

    async def sometimes() -> object:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise RuntimeError("once")
        return await right()

    desk.snapshot = sometimes
    app = HooptuiApp(desk, interval=0.01, environment={})
    async with app.run_test(size=NARROW) as pilot:
        async with asyncio.timeout(60):
            while rounds < 5:
                await pilot.pause(0.01)
        assert app.snapshot is not None


async def test_line_1_tells_the_truth() -> None:
    desk = busy()
    async with stage(desk) as s:
        row = s.main.line1.text
        for words in (
            "prod-eu",
            "pg 5432 ●",
            "ssh 2222 ●",
            "k8s 6443 ●",
            "9 live",
            "▲ 2 held, oldest 0:47",
            "journal ✓ 18422",
            "loop 4ms",
            "14:02",
        ):
            assert words in row
        down = ListenerView("ssh", "0.0.0.0:2222", False, "in use")
        desk.health(
            listeners=(down,), journal_ok=False, journal_error="disk full", loop_delay=0.5, policy_error="p.yaml:3: no"
        )
        await s.tick()
        row = s.main.line1.text
        assert "ssh 2222 ○" in row
        assert "journal ✗" in row
        assert "loop 500ms" in row
        assert s.main.banner.size.height == 3
        assert [line[:12] for line in s.main.banner.text.split("\n")] == [
            " ✗ journal c",
            " ✗ policy re",
            " ✗ ssh liste",
        ]
        assert s.main.line1.region.y == 0
        await s.press("5", "z", "4", "question_mark")
        assert s.main.line1.region.y == 0


@pytest.mark.parametrize("size", [(120, 36), (110, 30), (109, 30), (80, 24), (60, 20), (40, 12), (20, 6)])
async def test_any_size_shows_the_held_count_and_breaks_nothing(size: tuple[int, int]) -> None:
    async with stage(busy(), size) as s:
        for key in ("1", "2", "3", "4", "5", "2", "a"):
            await s.press(key)
            for strip in picture.strips(s.app):
                assert strip.cell_length == size[0]
        if size[0] >= 40:
            assert "▲ 2 held" in s.main.line1.text


async def test_resize_keeps_view_and_cursor() -> None:
    async with stage(busy()) as s:
        await s.press("2", "j")
        await s.pilot.resize_terminal(80, 24)
        await s.settle()
        assert s.main.tabs.display
        assert s.main.held.size.width == 78
        assert s.main.live.size.width == 0
        assert s.main.held.hold.number == 18
        await s.pilot.resize_terminal(130, 40)
        await s.settle()
        assert s.main.live.size.width > 60
        assert s.app.focused is s.main.held.list


async def test_mouse() -> None:
    async with stage(busy()) as s:
        await s.pilot.click("#live-list", offset=(5, 3))
        await s.settle()
        assert s.main.live.session.id == "b810"
        await s.pilot.click("#held-list", offset=(5, 1))
        assert s.main.view == "held"
        assert s.main.held.hold.number == 18
        await s.pilot.click("#live-list", offset=(5, 1), times=2)
        await s.settle()
        assert s.main.output.session == "91c0"
        await s.pilot.click("#footer", offset=(s.main.footer.text.index("? Help"), 0))
        await s.settle()
        assert len(s.app.screen_stack) == 2
        await s.press("escape")
        await s.pilot.resize_terminal(*NARROW)
        await s.settle()
        await s.pilot.click("#tabs", offset=(s.main.tabs.text.index("5 Audit"), 0))
        await s.settle()
        assert s.main.view == "audit"


async def test_no_color_uses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(busy()) as s:
        for strip in picture.strips(s.app):
            for segment in strip:
                style = segment.style
                assert style is None or style.color is None or style.color.is_default
                assert style is None or style.bgcolor is None or style.bgcolor.is_default
        seen = picture.text(s.app)
        for sign in ("▲ held", "●", "✓", "████", "▌7f3a", "┏━ 1 Live"):
            assert sign in seen


async def test_hostile_text_never_reaches_the_terminal_as_such() -> None:
    desk = empty()
    evil = "\x1b]52;c;ZXZpbA==\x07\x1b[2J[red]\u202e\u2066x\x9b\r\n\x00\u200f"
    one = session("\x1bid", evil, evil, evil, 3, 1, evil, evil, application=Masked(evil), peer=evil, groups=(evil,))
    desk.state = replace(
        desk.state,
        sessions=(one,),
        health=replace(desk.state.health, name=evil, journal_error=evil, journal_ok=False, policy_error=evil),
    )
    desk.transcripts["\x1bid"] = [
        ev(0, Asked(1, evil, Masked(evil), (), ()), "\x1bid"),
        ev(0, Output(1, evil, Masked(evil)), "\x1bid"),
    ]
    async with stage(desk) as s:
        for key in ("1", "enter", "4", "5", "1", "X"):
            await s.press(key)
            seen = picture.text(s.app)
            for char in "\x1b\x07\x9b\x00\r\u202e\u2066\u200f":
                assert char not in seen
        assert "[red]" in seen


async def test_long_wide_and_stacked_text_stays_in_its_cells() -> None:
    desk = empty()
    zalgo = "Z" + "\u0301" * 5000
    rows = [
        session(f"{n:04x}", text, text, "pg", 3, 1, "live", text)
        for n, text in enumerate((zalgo, "表" * 9000, "🦊" * 9000, "x" * 90_000, "a\u0300" * 9000))
    ]
    desk.state = replace(desk.state, sessions=tuple(rows))
    async with stage(desk) as s:
        for strip in picture.strips(s.app):
            assert sum(width(segment.text) for segment in strip) == WIDE[0]
        assert "\u0301" * 3 not in picture.text(s.app)


# --- calling the person


async def test_a_new_hold_calls_once_with_inert_words() -> None:
    async with stage(busy()) as s:
        sent: list[str] = []
        s.app.send = sent.append
        s.app.environment = {"TERM_PROGRAM": "WezTerm"}
        await s.tick()
        assert sent == [], "what waits already is no news"
        s.desk.hold(replace(HELD_19, who=Masked("aid\x1b]0;x\x07;"), relations=("pod \x9bweb",)))
        await s.tick()
        await s.tick()
        assert len(sent) == 1
        assert s.flash.startswith("▲ held #19: aid")
        assert sent[0].startswith("\a\x1b]9;hooptui prod-eu: held #19: aid")
        assert sent[0].count("\x1b") == 2
        assert sent[0].count("\a") == 1


async def test_the_bell_can_be_off() -> None:
    async with stage(busy(), bell=False) as s:
        sent: list[str] = []
        s.app.send = sent.append
        s.desk.hold(HELD_19)
        await s.tick()
        assert sent == []
        assert "▲ held #19" in s.flash


@pytest.mark.parametrize(
    ("env", "begins"),
    [
        ({"TERM": "xterm-kitty"}, "\a\x1b]99;i=hooptui:d=0;"),
        ({"TERM": "foot"}, "\a\x1b]777;notify;"),
        ({"TERM_PROGRAM": "iTerm.app"}, "\a\x1b]9;"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default"}, "\a\x1bPtmux;\x1b\x1b]9;"),
        ({"TERM": "linux"}, "\a"),
    ],
)
def test_each_terminal_has_its_sequence(env: dict[str, str], begins: str) -> None:
    assert alarm.sequence(env, "t;\x1b\\", "b\x07\u202e" * 200).startswith(begins)
    body = alarm.sequence(env, "title", "x\x1b\\;\x07y\x9c")
    assert "\x9c" not in body
    assert body.count("\a") == 1


# --- work per tick


async def test_a_tick_repaints_only_lines_that_changed() -> None:
    async with stage(busy()) as s:
        await s.tick()
        before = s.main.live.list.repainted
        await s.tick()
        assert s.main.live.list.repainted == before, "nothing changed, nothing is painted"
        s.desk.change("c3d2", state="running")
        await s.tick()
        assert s.main.live.list.repainted == before + 1


async def test_a_flood_is_bounded_and_counted() -> None:
    async with stage(busy()) as s:
        await s.tick()
        for batch in range(8):
            for number in range(1250):
                s.desk.publish(
                    ev(batch, Asked(100 + number, "select", Masked(f"SELECT {batch}, {number}"), ("select",), ())),
                    record=False,
                )
            await s.tick()
        transcript = s.main.output.transcript
        assert transcript.count() <= 3000
        assert any("lines not shown, all recorded …" in line for line in transcript.texts)
        assert transcript.texts[-1].endswith("SELECT 7, 1249")
        assert len(s.main.query(Widget)) < 80


async def test_events_lost_by_the_bus_are_told() -> None:
    async with stage(busy()) as s:
        await s.tick()
        s.desk.publish(ev(1, Asked(1, "select", Masked("SELECT 1"), (), ())))
        await s.tick()
        s.desk.watches["7f3a"][0].lost = 312
        s.desk.publish(ev(2, Asked(2, "select", Masked("SELECT 2"), (), ())))
        await s.tick()
        texts = s.main.output.transcript.texts
        assert texts[-2].strip() == "… 312 lines not shown, all recorded …"
        assert texts[-1].endswith("▶ SELECT 2")


async def test_alerts_leave_the_banner_in_time() -> None:
    from hooptui.core.events import Alert, Event

    async with stage(busy()) as s:
        s.desk.write(Event(NOW, "", Alert("target-down", Masked("orders-db: refused"))))
        await s.tick(2.5)
        assert "target-down: orders-db: refused" in s.main.banner.text
        s.desk.later(130)
        await s.tick(2.5)
        assert not s.main.banner.display


async def test_a_look_that_comes_before_a_window_is_built_harms_neither() -> None:
    async with stage(busy()) as s:
        s.app.push_screen(ReviewScreen(HELD[0]))
        await s.app.poll_once()
        await s.settle()
        assert "lets it go on in flight" in s.app.screen.words.text or "high risk" in s.app.screen.words.text
