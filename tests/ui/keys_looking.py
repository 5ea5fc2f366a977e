"""The keys that look: views, panes, cursor, filter, help, copy, cards. Run by test_keys."""

from __future__ import annotations

import base64

from hooptui.tui.keymap import KEYS
from hooptui.tui.screens.card import CardScreen
from hooptui.tui.screens.help import HelpScreen
from hooptui.tui.screens.record import RecordScreen
from hooptui.tui.screens.review import ReviewScreen
from hooptui.tui.widgets.access import handle
from tests.ui import picture
from tests.ui.keyboard import key, top
from tests.ui.stage import Stage


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
    for _ in range(8):
        await s.press("o")
        orders.append(tuple(one.id for one in s.main.live.list.items))
        assert s.main.live.session == chosen, "the cursor stays on its session"
    assert len(set(orders)) >= 6
    assert orders[3][:3] == ("d004", "c3d2", "7f3a"), "by operations"
    assert orders[5][:3] == ("a2e4", "91c0", "7f3a"), "by the time left"
    await s.press("2", "o", "o")
    assert [one.number for one in s.main.held.list.items] == [17, 18]
    await s.press("l", "o", "o")
    assert [handle(one) for one in s.main.access.list.items][:2] == ["hl_8d2hw4c6rznb", "12"], "by their ends"
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


@key("v")
async def verify(s: Stage) -> None:
    await s.press("v")
    assert "not here" in s.flash
    await s.press("5", "v")
    assert "✓ intact" in s.main.audit.panel.text


@key("i")
async def who(s: Stage) -> None:
    await s.press("j", "i")
    screen = s.app.screen
    assert isinstance(screen, CardScreen)
    for words in (
        "agent, acts for https://id.example#ops-2",
        "https://id.example",
        "agents, billing",
        "grant #12 ends it in 4 min 10 s, at 14:06:10, the first to",
        "token ends it in 1 h, at 15:02:00",
        "INC-812: void the double charges",
        "#17 waits for a decision",
    ):
        assert words in screen.prose.text
    s.desk.later(10)
    await s.tick()
    assert "grant #12 ends it in 4 min, at" in screen.prose.text, "the card counts on"
    s.desk.end("91c0")
    await s.tick()
    assert screen.prose.text.endswith("it has ended meanwhile")
    await s.press("i")
    assert top(s) is not CardScreen
    await s.press("l", "j", "i")
    assert "hl_8d2hw4c6rznb by browser, 59 min ago · ends in 31 s" in s.app.screen.prose.text


@key("l")
async def access(s: Stage) -> None:
    await s.press("l")
    assert s.main.view == "access"
    assert s.app.focused is s.main.access.lines
    seen = picture.text(s.app)
    for words in (
        "hl_k3v7q2m5x9ta",
        "#12",
        "✗ block",
        "token found in a build log",
        "access on orders-db · orders-jit",
    ):
        assert words in seen
    await s.press("slash")
    await s.type("kind:grant")
    await s.press("enter")
    assert [handle(one) for one in s.main.access.list.items] == ["12", "14"]
    await s.press("escape", "j", "enter")
    assert isinstance(s.app.screen, CardScreen), "enter opens the card"
    await s.press("escape", "y")
    assert s.app.clipboard == "14"
    await s.press("k", "y", "k", "k", "y")
    assert s.app.clipboard == "hl_k3v7q2m5x9ta"
    await s.press("tab")
    assert s.main.view == "live"
    await s.press("l", "escape")
    assert s.main.view == "live"
