"""The four dangers of approving, the confirmation ladder, and a screen that only looks."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from textual.widgets import Button

from hooptui.core.desk import Outcome
from hooptui.core.events import Decided, Event, Voted
from hooptui.core.gate import Masked
from hooptui.tui.screens.deny import DenyScreen
from hooptui.tui.screens.kill import KillScreen
from hooptui.tui.screens.quit import QuitScreen
from hooptui.tui.screens.review import ReviewScreen
from tests.ui import picture
from tests.ui import scenes_kubernetes as kubernetes
from tests.ui.desk import review_of
from tests.ui.scenes import HELD, HELD_19, NOW, busy, hold
from tests.ui.stage import NARROW, WIDE, Stage, stage


async def reviewing(s: Stage, *keys: str) -> ReviewScreen:
    await s.press(*keys)
    screen = s.app.screen
    assert isinstance(screen, ReviewScreen)
    return screen


# --- the four dangers


async def test_cursor_sticks_to_the_number_when_the_list_moves() -> None:
    async with stage(busy()) as s:
        await s.press("2", "j")
        assert s.main.held.hold.number == 18
        s.desk.settle(17)
        s.desk.hold(HELD_19)
        await s.tick()
        assert (s.main.held.hold.number, s.main.held.list.at) == (18, 0)
        s.desk.state = replace(
            s.desk.state,
            held=(hold(5, "bot", "orders-db", "pg", 200, 20, "DELETE FROM a", "no-where"), *s.desk.state.held),
        )
        await s.tick()
        assert (s.main.held.hold.number, s.main.held.list.at) == (18, 1)
        screen = await reviewing(s, "a")
        assert screen.hold.number == 18


async def test_live_cursor_sticks_to_the_session() -> None:
    async with stage(busy()) as s:
        await s.press("j", "j", "j")
        assert s.main.live.session.id == "b810"
        s.desk.end("7f3a")
        s.desk.end("91c0")
        await s.tick()
        assert (s.main.live.session.id, s.main.live.list.at) == ("b810", 1)


async def test_an_open_review_stays_with_its_number() -> None:
    async with stage(busy()) as s:
        screen = await reviewing(s, "2", "j", "a")
        s.desk.settle(17)
        await s.tick()
        await s.press("right", "right", "enter")
        assert screen.hold.number == 18
        assert s.desk.ran[-1].args["number"] == "18"


async def test_a_window_ignores_its_first_300_ms() -> None:
    async with stage(busy()) as s:
        await s.pilot.press("2", "j", "a")
        await s.settle()
        assert isinstance(s.app.screen, ReviewScreen)
        for _ in range(3):
            await s.pilot.press("right", "enter", "escape", "x")
        await s.pilot.click("#approve")
        await s.settle()
        assert isinstance(s.app.screen, ReviewScreen)
        assert s.app.focused.id == "cancel"
        assert not s.desk.ran
        s.clock.advance(0.299)
        await s.pilot.press("escape")
        assert isinstance(s.app.screen, ReviewScreen)
        s.clock.advance(0.002)
        await s.pilot.press("escape")
        await s.settle()
        assert not isinstance(s.app.screen, ReviewScreen)


async def test_kill_deny_and_quit_are_deaf_at_first_too() -> None:
    async with stage(busy()) as s:
        for key, kind in (("X", KillScreen), ("x", DenyScreen), ("ctrl+q", QuitScreen)):
            await s.pilot.press("j") if key == "x" else None
            await s.pilot.press(key)
            await s.settle()
            await s.pilot.press("z", "enter", "escape")
            await s.settle()
            assert isinstance(s.app.screen, kind)
            await s.press("escape")
        assert not s.desk.ran


async def test_it_shows_when_it_denies_itself() -> None:
    async with stage(busy()) as s:
        screen = await reviewing(s, "2", "j", "a")
        assert "waiting 0:21, expires to deny in 1:39" in screen.head.text
        s.desk.later(70)
        await s.tick()
        assert "waiting 1:31, expires to deny in 0:29" in screen.head.text
        s.desk.later(29)
        await s.tick()
        assert "its time is over" in screen.head.text
        assert screen.query_one("#approve", Button).disabled
        await s.press("right", "right", "enter")
        assert "approve" not in s.verbs_run


async def test_approve_goes_dead_when_settled_elsewhere() -> None:
    async with stage(busy()) as s:
        screen = await reviewing(s, "2", "j", "a")
        await s.press("right", "right")
        assert s.app.focused.id == "approve"
        s.desk.settle(18)
        s.desk.write(
            Event(
                NOW, "a2e4", Voted(18, 3, "https://id.example#o4", Masked("ops-4"), False, Masked("not now"), "once")
            ),
            Event(NOW, "a2e4", Decided(3, "deny", "denied", ("ssh-svc",), "", "1f3c9a02", 18, "https://id.example#o4")),
        )
        await s.tick()
        assert screen.words.text == "#18 was settled meanwhile: denied by ops-4"
        assert screen.query_one("#approve", Button).disabled
        assert s.app.focused.id == "cancel"
        await s.press("enter")
        assert not s.desk.ran


async def test_a_race_lost_is_told() -> None:
    """The vote was sent, and came too late: the gateway's word counts, and the window says it."""
    async with stage(busy()) as s:
        screen = await reviewing(s, "2", "j", "a")
        s.desk.outcomes["approve"] = Outcome(False, "#18 is already denied")
        await s.press("right", "right", "enter")
        assert s.app.screen is screen
        assert screen.words.text in ("✗ #18 is already denied", "#18 was settled meanwhile: see 5 Audit for how")
        assert s.flash == "✗ #18 is already denied"


@pytest.mark.parametrize("size", [NARROW, WIDE, (80, 20)], ids=["80x24", "120x36", "80x20"])
async def test_a_long_statement_leaves_the_buttons_in_sight(size: tuple[int, int]) -> None:
    desk = busy()
    text = Masked("\n".join(f"UPDATE t{n} SET a = {n}" for n in range(40)))
    facts = tuple((f"label {n}", "some words " * 3) for n in range(12))
    long = replace(HELD[0], text=text, facts=facts, claimed="ops-4", claimed_at=NOW, parameters=(Masked("x"),) * 20)
    desk.state = replace(desk.state, held=(long,))
    async with stage(desk, size) as s:
        screen = await reviewing(s, "2", "a")
        for one in ("cancel", "deny", "approve", "typed", "reason"):
            region = screen.query_one(f"#{one}").region
            assert region.bottom < size[1], one
        seen = picture.text(s.app)
        assert "Cancel  esc" in seen
        assert "UPDATE t0" in seen
        assert ("… more than this terminal has lines for …" in seen) == (size[1] < 24)
        await s.press("up", "up", "up", "up")
        await s.press("G")
        assert "$20 = x" in picture.text(s.app), "all of it can be scrolled to"


# --- what else keeps approve dead


async def test_high_risk_wants_the_targets_name() -> None:
    async with stage(busy()) as s:
        screen = await reviewing(s, "2", "a")
        approve = screen.query_one("#approve", Button)
        assert approve.disabled
        await s.press("up")
        await s.type("orders-d")
        assert approve.disabled
        await s.press("b")
        assert not approve.disabled
        await s.press("enter")
        assert not s.desk.ran, "enter in a field never approves"
        await s.press("right", "right", "enter")
        assert s.desk.ran[-1].args["number"] == "17"


async def test_may_vote_reason_and_lookup() -> None:
    desk = busy()
    desk.reviews[18] = replace(review_of(HELD[1]), may_vote="it takes a member of ops")
    async with stage(desk) as s:
        screen = await reviewing(s, "2", "j", "a")
        assert screen.query_one("#approve", Button).disabled
        assert screen.words.text == "you may not approve: it takes a member of ops"
        await s.press("escape")
        desk.reviews.clear()
        desk.state = replace(desk.state, held=(replace(HELD[1], reason_required=True),))
        await s.tick()
        screen = await reviewing(s, "a")
        assert screen.words.text == "this rule wants a reason: a goes there"
        await s.press("up", "k")
        assert not screen.query_one("#approve", Button).disabled


async def test_scope_is_chosen_and_sent() -> None:
    async with stage(busy()) as s:
        await s.press("2", "a", "up")
        await s.type("orders-db")
        await s.press("up", "up", "right", "down", "down", "down", "right", "right", "enter")
        assert s.desk.ran[-1].args == {"number": "17", "reason": "", "scope": "fingerprint"}


async def test_the_rest_of_a_run_is_offered_for_what_it_is() -> None:
    """Whoever gives it lets go what nobody has seen yet: that is said beside it, on the narrowest terminal too."""
    desk = busy()
    desk.state = replace(desk.state, held=(replace(HELD[1], scopes=("once", "run")),))
    desk.reviews[18] = review_of(HELD[1])
    async with stage(desk, NARROW) as s:
        await reviewing(s, "2", "a")
        assert "( ) rest of this run (≤ 100 unseen) for 15 min" in picture.text(s.app)
        await s.press("up", "up", "right", "down", "down", "right", "right", "enter")
        assert s.desk.ran[-1].args["scope"] == "run"


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_group_is_seen_before_it_is_approved(size: tuple[int, int]) -> None:
    """How many and which; all of them at m; what is given is what the words at the button say."""
    async with stage(kubernetes.many(), size) as s:
        await reviewing(s, "2", "a")
        shown = picture.text(s.app)
        assert "(•) these 42, each once   ( ) this one alone" in shown and "these 42 of web/pods/: worker-0, w" in shown
        await s.press("m", "G")
        listed = picture.text(s.app)
        assert "Review #25: 42 objects" in listed and "42  web/pods/worker-41" in listed
        await s.press("escape")
        await s.press("up", "up", "right")
        assert "Approve lets it go on in flight" in picture.text(s.app)
        await s.press("left")
        assert "Approve lets these 42 go, each once and no other" in picture.text(s.app)
        await s.press("down", "down", "right", "right", "enter")
        assert s.desk.ran[-1].args == {"number": "25", "reason": "", "scope": "group"}


async def test_what_others_there_are_is_said_where_all_are_listed() -> None:
    desk = kubernetes.many()
    desk.reviews[25] = replace(desk.reviews[25], more=True)
    async with stage(desk, NARROW) as s:
        await reviewing(s, "2", "a")
        await s.press("m", "G")
        assert "its client knows of others: they are not covered" in picture.text(s.app)


async def test_x_in_review_denies_only_with_a_reason() -> None:
    async with stage(busy()) as s:
        screen = await reviewing(s, "2", "j", "a", "x")
        assert s.app.focused.id == "reason"
        assert "takes a reason" in screen.words.text
        await s.type("xx")
        assert not s.desk.ran, "an x that is typed is a letter"
        await s.press("down", "x")
        assert (s.desk.ran[-1].verb, s.desk.ran[-1].args["reason"]) == ("deny", "xx")


async def test_a_slow_lookup_leaves_the_screen_alive() -> None:
    async with stage(busy()) as s:
        gate = asyncio.Event()
        ask = s.desk.review

        async def slow(number: int) -> object:
            await gate.wait()
            return await ask(number)

        s.desk.review = slow
        await s.pilot.press("2", "j", "a")
        await s.pilot.pause()
        s.clock.advance(1)
        screen = s.app.screen
        assert isinstance(screen, ReviewScreen)
        assert screen.why_not() == "looking up what is known of it …"
        await s.pilot.press("right", "right", "enter")
        assert not s.desk.ran
        gate.set()
        await s.settle()
        assert screen.why_not() == ""


# --- a screen that only looks


async def test_readonly_changes_nothing() -> None:
    desk = busy()
    desk.readonly = True
    async with stage(desk) as s:
        for key, word in (("a", "approve"), ("x", "deny"), ("X", "kill"), ("f", "freeze")):
            await s.press("2", key)
            assert s.flash == f"read-only: {key} ({word}) does nothing here"
        assert len(s.app.screen_stack) == 1
        assert "X Kill" not in s.main.footer.text
        await s.press("colon")
        await s.type("kill b810")
        assert "Kill" not in picture.text(s.app).split("Commands", 1)[1].split("enter runs")[0].replace("kill b810", "")
        await s.press("enter", "escape", "E")
        assert s.verbs_run == ["export"], "an export only reads"
        assert "read-only" in s.main.line1.text


async def test_no_operator_is_read_only() -> None:
    for may_log_in, words in (
        (False, "read-only: X (kill) does nothing here"),
        (True, "no operator: O logs in; X (kill) does nothing here"),
    ):
        async with stage(busy(operator="", may_log_in=may_log_in)) as s:
            await s.press("X")
            assert s.flash == words
            assert len(s.app.screen_stack) == 1


async def test_a_goes_to_what_is_missing_and_never_approves() -> None:
    async with stage(busy()) as s:
        screen = await reviewing(s, "2", "a")
        await s.press("a")
        assert s.app.focused.id == "typed"
        await s.type(screen.hold.target)
        await s.press("escape")
        screen = await reviewing(s, "a")
        await s.press("a", "a", "a")
        assert s.app.focused.id == "typed"
        assert screen.query_one("#typed").value == "aa", "in a field it is a letter"
        assert not s.desk.ran
