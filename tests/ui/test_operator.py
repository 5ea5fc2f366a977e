"""Who decides at a desk: the login in the browser, what is shown of it, and that an address is never more than text."""

from __future__ import annotations

import pytest
from textual.widgets import Button

from hooptui.core.desk import Outcome
from hooptui.tui.screens.operator import OperatorScreen, big, safe_url
from hooptui.tui.text import row_width
from tests.ui import picture
from tests.ui.desk import LOGIN
from tests.ui.scenes import NOW, busy
from tests.ui.stage import NARROW, WIDE, Stage, stage

NOBODY = {"operator": "", "operator_key": "", "operator_groups": (), "operator_until": None}


async def logging_in(s: Stage) -> OperatorScreen:
    await s.press("O")
    screen = s.app.screen
    assert isinstance(screen, OperatorScreen)
    return screen


async def test_the_code_counts_down_expires_and_is_asked_for_anew() -> None:
    async with stage(busy(**NOBODY)) as s:
        screen = await logging_in(s)
        assert s.verbs_run == ["login"]
        assert "https://prod-eu.example:8443/device" in screen.link.text
        assert screen.words.text == "waiting for the login … the code is good for 10m"
        assert screen.query_one("#login", Button).disabled
        await s.tick(560)
        assert screen.words.text == "waiting for the login … the code is good for 40s"
        await s.tick(40)
        assert "the code has expired" in screen.head.text
        assert not screen.link.display
        await s.press("y")
        assert s.app.clipboard == ""
        await s.press("right", "enter")
        assert s.verbs_run == ["login", "login"]
        assert screen.waiting


async def test_a_window_that_waits_is_closed_by_a_login_of_the_same_person_too() -> None:
    async with stage(busy()) as s:
        screen = await logging_in(s)
        await s.press("right", "enter")
        assert screen.waiting
        await s.tick()
        assert s.app.screen is screen, "who was logged in before is no news"
        s.desk.health(operator_until=NOW + 40_000)
        await s.tick()
        assert s.app.screen is not screen


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(False, "the identity provider does not answer"), "✗ the identity provider does not answer"),
        (Outcome(True, "?", {}), "✗ the gateway's answer lacks the address, the code or how long it is good"),
        (
            Outcome(True, "?", {**LOGIN, "expires_in": "x"}),
            "✗ the gateway's answer lacks the address, the code or how long it is good",
        ),
    ],
    ids=["refused", "empty", "wrong"],
)
async def test_a_login_that_cannot_begin_says_why(outcome: Outcome, words: str) -> None:
    desk = busy(**NOBODY)
    desk.outcomes["login"] = outcome
    async with stage(desk) as s:
        screen = await logging_in(s)
        assert screen.words.text == words
        assert not screen.query_one("#login", Button).disabled, "one may try again"
        assert not screen.big.display


async def test_a_local_operator_is_marked_everywhere() -> None:
    for size in (WIDE, NARROW):
        async with stage(busy(operator="on-call", operator_key="local#on-call", operator_until=None), size) as s:
            assert "on-call local" in s.main.line1.text
            screen = await logging_in(s)
            assert "none: named by the gateway's configuration, journaled as local" in screen.head.text
            assert screen.query_one("#logout", Button).disabled, "there is no login to end"
            assert not s.desk.ran


async def test_a_screen_without_logins() -> None:
    desk = busy(**NOBODY, may_log_in=False)
    async with stage(desk) as s:
        screen = await logging_in(s)
        assert screen.words.text == "this gateway has no login for operators"
        assert screen.query_one("#login", Button).disabled
        assert not s.desk.ran
        assert "read-only" in s.main.line1.text
    desk = busy()
    desk.readonly = True
    async with stage(desk) as s:
        screen = await logging_in(s)
        assert screen.words.text == "this screen is read-only"
        assert all(screen.query_one(f"#{one}", Button).disabled for one in ("login", "logout"))


async def test_the_window_is_deaf_at_first() -> None:
    async with stage(busy()) as s:
        await s.pilot.press("O")
        await s.settle()
        await s.pilot.press("right", "right", "enter", "escape")
        await s.settle()
        assert isinstance(s.app.screen, OperatorScreen)
        assert not s.desk.ran


@pytest.mark.parametrize("soon", [299.0, 12.0])
async def test_line_1_counts_the_last_minutes_of_a_login(soon: float) -> None:
    async with stage(busy(operator_until=NOW + soon)) as s:
        assert f"ops-1 {'4m' if soon > 60 else '12s'}" in s.main.line1.text


# --- the address


async def test_the_address_is_a_link_only_when_it_is_safe() -> None:
    evil = "https://x.example/\x1b]8;;javascript:1\x07\u202e"
    for address, linked in ((LOGIN["verification_uri"], True), (evil, False), ("javascript:alert(1)", False)):
        desk = busy(**NOBODY)
        desk.outcomes["login"] = Outcome(True, "?", {**LOGIN, "verification_uri": address})
        async with stage(desk) as s:
            screen = await logging_in(s)
            links = {segment.style.link for segment in screen.link.render_line(0) if segment.style}
            assert links == ({address} if linked else {None})
            seen = picture.text(s.app)
            assert not set(seen) & set("\x1b\x07\u202e")
            await s.press("y")
            assert not set(s.app.clipboard) & set("\x1b\x07\u202e")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("https://prod.example:8443/device?user_code=AB-CD", True),
        ("http://127.0.0.1:8080/device", True),
        ("ftp://prod.example/", False),
        ("https:///device", False),
        ("https://[::1/device", False),
        ("https://prod.example/\nx", False),
        ("https://prod.example/;id=1", False),
        ("https://bücher.example/", False),
        ("https://prod.example/" + "x" * 600, False),
    ],
)
def test_safe_url(text: str, safe: bool) -> None:
    assert safe_url(text) == (text if safe else "")


@pytest.mark.parametrize("cells", [20, 40, 72])
def test_the_code_is_as_big_as_there_is_room(cells: int) -> None:
    rows = big("WDJB-MJHT", cells)
    assert len(rows) == 5
    assert "".join(text for text, _ in rows[2]).replace(" ", "") == "WDJB-MJHT"
    assert all(row_width(row) <= max(cells, 20) for row in rows)
