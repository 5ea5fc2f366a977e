"""Every key of the keymap, pressed, and what happened first. The last test proves that none was forgotten."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from hooptui.core.desk import Outcome
from hooptui.tui.keymap import KEYS, bindings, document, footer
from hooptui.tui.screens.deny import DenyScreen
from hooptui.tui.screens.help import HelpScreen
from hooptui.tui.screens.kill import KillScreen
from hooptui.tui.screens.palette import PaletteScreen
from hooptui.tui.screens.quit import QuitScreen
from hooptui.tui.screens.record import RecordScreen
from hooptui.tui.screens.review import ReviewScreen
from tests.ui import picture
from tests.ui.scenes import busy
from tests.ui.stage import NARROW, WIDE, Stage, stage

Pressed = Callable[[Stage], Awaitable[None]]
TRIED: dict[str, tuple[tuple[int, int], Pressed]] = {}


def key(*keys: str, size: tuple[int, int] = WIDE) -> Callable[[Pressed], Pressed]:
    def note(test: Pressed) -> Pressed:
        for one in keys:
            assert one not in TRIED
            TRIED[one] = (size, test)
        return test

    return note


def top(s: Stage) -> object:
    return type(s.app.screen)


@key("1", "2", "3", "4", "5")
async def views(s: Stage) -> None:
    for number, view in zip("23451", ("held", "output", "replay", "audit", "live"), strict=True):
        await s.press(number)
        assert s.main.view == view
        assert s.app.focused is s.main.pane.lines
        assert s.main.pane.size.height > 5


@key("tab", "shift+tab")
async def panes(s: Stage) -> None:
    await s.press("tab")
    assert s.main.view == "held"
    await s.press("tab")
    assert s.main.view == "output"
    await s.press("tab")
    assert s.main.view == "live"
    await s.press("shift+tab")
    assert s.main.view == "output"
    await s.press("4", "enter", "tab")
    assert s.app.focused is s.main.recordings.lines
    await s.press("tab")
    assert s.app.focused is s.main.player.lines


@key("j", "down", "k", "up", "g", "home", "G", "end", "pagedown", "pageup")
async def moves(s: Stage) -> None:
    at = lambda: s.main.live.list.at  # noqa: E731 - read often
    for pressed, expected in (
        ("j", 1),
        ("down", 2),
        ("k", 1),
        ("up", 0),
        ("G", 8),
        ("g", 0),
        ("end", 8),
        ("home", 0),
        ("pagedown", 8),
        ("pageup", 0),
    ):
        await s.press(pressed)
        assert at() == expected, pressed


@key("enter")
async def opens(s: Stage) -> None:
    await s.press("j", "enter")
    assert s.main.view == "output"
    assert s.main.output.session == "91c0"
    assert s.main.output.transcript.follow
    assert any("DELETE FROM payments" in line for line in s.main.output.transcript.texts)
    await s.press("2", "enter")
    assert top(s) is ReviewScreen
    await s.press("escape", "4", "enter")
    assert s.main.on_stage
    assert s.main.player.session == "91c0"
    await s.press("5", "enter")
    assert top(s) is RecordScreen


@key("escape", "q")
async def back(s: Stage) -> None:
    for pressed in ("escape", "q"):
        await s.press("slash")
        await s.type("bot")
        await s.press("enter")
        assert len(s.main.live.list.items) == 1
        await s.press(pressed)
        assert len(s.main.live.list.items) == 9
        await s.press("z", pressed)
        assert not s.main.zoomed
        await s.press("4", "enter", pressed)
        assert not s.main.on_stage
        await s.press(pressed)
        assert s.main.view == "live"
        await s.press(pressed)
        assert "ctrl+q leaves" in s.flash


@key("slash")
async def filters(s: Stage) -> None:
    await s.press("slash")
    await s.type("via:ssh")
    assert [one.id for one in s.main.live.list.items] == ["a2e4", "c3d2", "d77b"]
    await s.press("escape")
    assert len(s.main.live.list.items) == 9, "escape takes the filter back"
    for view, text, left in (
        ("2", "rule:no-where", 1),
        ("3", "update", 2),
        ("4", "state:closed", 3),
        ("5", "kind:kill", 2),
    ):
        await s.press(view, "slash")
        await s.type(text)
        await s.press("enter")
        pane = s.main.pane
        shown = len({id(block) for _, block in pane.lines._rows}) if view == "3" else pane.lines.count()
        assert shown == left, (view, text)
        assert not s.main.filtering


@key("colon", "ctrl+p")
async def commands(s: Stage) -> None:
    for pressed in ("colon", "ctrl+p"):
        await s.press(pressed)
        assert top(s) is PaletteScreen
        await s.type("relo")
        await s.press("enter")
        assert s.verbs_run[-1] == "reload"
        assert s.flash == "policy 1f3c9a02 is in force"
    for line, expected in (
        ("kill b810", KillScreen),
        ("approve 18", ReviewScreen),
        ("deny 17", DenyScreen),
        ("drain", QuitScreen),
    ):
        await s.press("colon")
        await s.type(line)
        await s.press("enter")
        assert top(s) is expected, line
        await s.press("escape")
    await s.press("colon")
    await s.type("freeze b810")
    await s.press("enter")
    assert s.desk.ran[-1].args == {"session": "b810"}


@key("question_mark")
async def helps(s: Stage) -> None:
    await s.press("question_mark")
    screen = s.app.screen
    assert isinstance(screen, HelpScreen)
    for row in KEYS:
        assert not row.keys or row.shown in screen.prose.text
    await s.press("G")
    assert screen.prose.scroll_offset.y > 0
    await s.press("q")
    assert top(s) is not HelpScreen


@key("z")
async def zoom(s: Stage) -> None:
    before = s.main.live.size.width
    await s.press("z")
    assert s.main.live.size.width > before + 30
    assert s.main.output.size.width == 0
    await s.press("z")
    assert s.main.live.size.width == before


@key("o")
async def sort(s: Stage) -> None:
    chosen = s.main.live.session
    orders = []
    for _ in range(7):
        await s.press("o")
        orders.append(tuple(one.id for one in s.main.live.list.items))
        assert s.main.live.session == chosen, "the cursor stays on its session"
    assert len(set(orders)) >= 6
    assert orders[3][:3] == ("d004", "c3d2", "7f3a"), "by operations"
    await s.press("2", "o", "o")
    assert [one.number for one in s.main.held.list.items] == [17, 18]
    await s.press("4", "o")
    assert [one.who for one in s.main.recordings.list.items][:2] == ["bot", "ci-12"]


@key("y")
async def copy(s: Stage) -> None:
    written: list[str] = []
    s.app._driver.write = written.append
    await s.press("2", "y")
    assert s.app.clipboard == "DELETE FROM payments"
    osc = next(one for one in written if one.startswith("\x1b]52;c;"))
    assert base64.b64decode(osc[7:-1]).decode() == "DELETE FROM payments"
    await s.press("1", "j", "enter", "g")
    while "UPDATE payments" not in s.main.output.transcript.texts[s.main.output.transcript.at]:
        await s.press("j")
    await s.press("y")
    assert s.app.clipboard == "UPDATE payments SET state = 'void'\nWHERE id = 88121", "a statement is copied whole"
    for view, words in (("4", "91c0"), ("5", "held #17")):
        await s.press(view, "y")
        assert words in s.app.clipboard


@key("E")
async def export(s: Stage) -> None:
    for view, number in (("1", "7f3a"), ("2", "91c0"), ("3", "7f3a"), ("4", "91c0"), ("5", "91c0")):
        await s.press(view, "E")
        assert (s.desk.ran[-1].verb, s.desk.ran[-1].args) == ("export", {"session": number})
        assert s.flash == f"exported to exports/{number}.txt"


@key("ctrl+q")
async def leave(s: Stage) -> None:
    await s.press("ctrl+q")
    assert top(s) is QuitScreen
    assert s.app.focused.id == "stay"
    await s.press("enter")
    assert top(s) is not QuitScreen, "enter stays"
    await s.press("ctrl+q", "right", "enter")
    assert s.verbs_run == ["drain"]
    assert s.app.is_running, "sessions are open still"
    s.desk.state = replace(s.desk.state, sessions=(), held=())
    s.desk._count()
    s.clock.advance(1)
    await s.app.poll_once()
    assert s.app.return_value == "drained"


@key("a")
async def approve(s: Stage) -> None:
    await s.press("2", "j", "a")
    assert top(s) is ReviewScreen
    assert s.app.focused.id == "cancel"
    assert not s.desk.ran
    await s.press("up")
    await s.type("ok by INC-812")
    await s.press("down", "right", "right", "enter")
    assert s.desk.ran[-1].args == {"number": "18", "reason": "ok by INC-812", "scope": "once"}
    assert top(s) is not ReviewScreen
    assert s.flash == "#18 approved"


@key("x")
async def deny(s: Stage) -> None:
    await s.press("1", "j", "x")
    assert top(s) is DenyScreen
    await s.press("enter")
    assert not s.desk.ran, "to deny takes a reason"
    await s.type("no WHERE")
    await s.press("enter")
    assert (s.desk.ran[-1].verb, s.desk.ran[-1].args) == ("deny", {"number": "17", "reason": "no WHERE"})
    assert s.flash == "#17 denied"


@key("X")
async def kill(s: Stage) -> None:
    s.desk.outcomes["kill"] = Outcome(
        False, "?", {"confirmed": False, "how": "the backend is still there", "seconds": 5.0}
    )
    await s.press("X")
    assert top(s) is KillScreen
    assert s.app.focused.id == "cancel"
    await s.press("enter")
    assert not s.desk.ran, "enter cancels"
    await s.press("X", "up")
    await s.type("runaway")
    await s.press("down", "right", "enter")
    assert s.desk.ran[-1].args == {"session": "7f3a", "reason": "runaway"}
    assert "✗ NOT confirmed in 5.00 s" in picture.text(s.app)
    await s.press("enter")
    assert top(s) is not KillScreen


@key("f")
async def freeze(s: Stage) -> None:
    await s.press("f")
    assert "frozen" in s.flash
    await s.tick()
    assert s.main.live.session.state == "frozen"
    await s.press("f")
    assert s.verbs_run == ["freeze", "thaw"]
    assert s.flash == "7f3a thawed"


@key("r")
async def replay(s: Stage) -> None:
    await s.press("j", "r")
    assert s.main.player.session == "91c0"
    assert s.main.player.player.playing
    assert s.main.player.player.at == 1
    await s.press("5", "g", "j", "r")
    assert s.main.player.session == "c0de"
    await s.press("3", "r")
    assert s.main.player.session == "7f3a"


@key("F")
async def follow(s: Stage) -> None:
    await s.press("F")
    assert not s.main.output.transcript.follow
    assert s.main.output.titles[1] == "PAUSED  masked"
    await s.press("F")
    assert s.main.output.titles[1] == "FOLLOW  masked"
    await s.press("3", "k")
    assert not s.main.output.transcript.follow, "looking back stops following"
    await s.press("G")
    assert s.main.output.transcript.follow


@key("w")
async def wrap(s: Stage) -> None:
    await s.press("3")
    before = s.main.output.transcript.count()
    await s.press("w")
    assert s.main.output.transcript.count() < before
    assert any(line.endswith("…") for line in s.main.output.transcript.texts)
    await s.press("w")
    assert s.main.output.transcript.count() == before


@key("t")
async def times(s: Stage) -> None:
    await s.press("3")
    assert any("14:00:59" in line for line in s.main.output.transcript.texts)
    await s.press("t")
    assert not any("14:00:59" in line for line in s.main.output.transcript.texts)


async def _player(s: Stage) -> None:
    await s.press("j", "r")


@key("space")
async def play(s: Stage) -> None:
    await _player(s)
    await s.press("space")
    assert not s.main.player.player.playing
    await s.press("space")
    s.main.play()
    for _ in range(9):
        s.clock.advance(0.25)
        s.main.play()
    assert s.main.player.player.moment == pytest.approx(2.25)
    assert s.main.player.player.at == 3, "70 s of idle time are played in 2 s"


@key("full_stop")
async def step(s: Stage) -> None:
    await _player(s)
    await s.press("full_stop")
    assert (s.main.player.player.at, s.main.player.player.playing) == (2, False)
    assert any("TRUNCATE audit_log" in line for line in s.main.player.transcript.texts)


@key("left_square_bracket", "right_square_bracket")
async def operations(s: Stage) -> None:
    await _player(s)
    await s.press("right_square_bracket", "right_square_bracket")
    assert s.main.player.player.at == 4
    await s.press("left_square_bracket")
    assert s.main.player.player.at == 2
    assert not any("UPDATE" in line for line in s.main.player.transcript.texts), "going back takes lines away"
    await s.press("left_square_bracket")
    assert "no further" in s.flash


@key("n", "N")
async def risky(s: Stage) -> None:
    await _player(s)
    await s.press("n")
    assert s.main.player.player.at == 3
    await s.press("n")
    assert s.main.player.player.at == 5
    await s.press("N")
    assert s.main.player.player.at == 3


@key("left", "right")
async def seconds(s: Stage) -> None:
    await _player(s)
    await s.press("right")
    assert s.main.player.player.moment == 5.0
    await s.press("left")
    assert s.main.player.player.moment == 0.0


@key("less_than_sign", "greater_than_sign")
async def speed(s: Stage) -> None:
    await _player(s)
    await s.press("greater_than_sign", "greater_than_sign")
    assert s.main.player.player.speed == 4
    assert "4x" in s.main.player.bar.text
    await s.press("less_than_sign")
    assert s.main.player.player.speed == 2


@key("v")
async def verify(s: Stage) -> None:
    await s.press("v")
    assert "not here" in s.flash
    await s.press("5", "v")
    assert "✓ intact" in s.main.audit.panel.text


@pytest.mark.parametrize("test", dict.fromkeys(test for _, test in TRIED.values()), ids=lambda test: test.__name__)
async def test_key(test: Pressed) -> None:
    size = next(size for size, one in TRIED.values() if one is test)
    async with stage(busy(), size) as s:
        await test(s)


def test_every_key_is_tried() -> None:
    every = {one for row in KEYS for one in row.keys}
    assert every == set(TRIED)


def test_a_letter_means_one_thing() -> None:
    for place in ("live", "held", "output", "recordings", "player", "audit"):
        seen: dict[str, str] = {}
        for row in KEYS:
            for one in row.keys if place in row.where else ():
                assert seen.setdefault(one, row.verb) == row.verb
    assert len({binding.key for binding in bindings()}) == len([one for row in KEYS for one in row.keys])


async def test_bindings_footer_help_and_document_come_from_the_table() -> None:
    async with stage(busy(), WIDE) as s:
        for row in sorted(footer("live", readonly=False), key=lambda row: row.footer)[:10]:
            assert f"{row.shown} {row.word}" in s.main.footer.text
    for row in KEYS:
        assert not row.keys or f"`{row.shown}`" in document()


def test_every_change_is_a_verb_of_the_command_table() -> None:
    commands = pytest.importorskip("hooptui.commands", exc_type=ImportError)
    for row in KEYS:
        assert not row.command or row.command in commands.TABLE
    assert {"thaw"} <= set(commands.TABLE)


async def test_narrow_tab_goes_through_all_views() -> None:
    async with stage(busy(), NARROW) as s:
        seen = []
        for _ in range(5):
            seen.append(s.main.view)
            await s.press("tab")
        assert seen == ["live", "held", "output", "replay", "audit"]
