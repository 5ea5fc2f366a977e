"""The four dangers of revoking, blocking and letting in, and the truth about broken glass."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.widgets import Button

from hooptui.core.desk import GrantView, LeaseView, Outcome
from hooptui.core.events import Decided, Event, Voted
from hooptui.core.gate import Masked
from hooptui.tui.screens.access_review import AccessReviewScreen, choices
from hooptui.tui.screens.confirm import BlockScreen, BreakGlassScreen, ConfirmScreen, RevokeScreen, typed_word
from hooptui.tui.screens.deny import DenyScreen
from hooptui.tui.screens.review import ReviewScreen
from hooptui.tui.widgets.access import handle
from tests.ui import picture
from tests.ui.desk import SceneDesk, review_of
from tests.ui.scenes import ACCESS, GRANTS, LEASES, NOW, WAITING, asking, busy, glass, health
from tests.ui.stage import NARROW, Stage, stage


async def opened(s: Stage, *keys: str) -> ConfirmScreen:
    await s.press(*keys)
    screen = s.app.screen
    assert isinstance(screen, ConfirmScreen)
    return screen


async def letting_in(s: Stage) -> AccessReviewScreen:
    await s.press("2", "G", "a")
    screen = s.app.screen
    assert isinstance(screen, AccessReviewScreen)
    return screen


# --- the cursor sticks


async def test_the_cursor_sticks_to_a_lease_when_the_list_moves() -> None:
    async with stage(busy()) as s:
        await s.press("l", "j", "j")
        assert handle(s.main.access.holding) == "hl_k3v7q2m5x9ta"
        first = LeaseView(
            "hl_aaaaaaaaaaaa", Masked("qa-9"), "https://id.example#qa-9", "human", "", "saml", NOW, NOW + 9, 0
        )
        s.desk.state = replace(s.desk.state, leases=(first, *LEASES[1:]), blocks=())
        await s.tick()
        assert (handle(s.main.access.holding), s.main.access.list.at) == ("hl_k3v7q2m5x9ta", 1)
        s.desk.state = replace(s.desk.state, leases=LEASES[1:])
        await s.tick()
        screen = await opened(s, "R")
        assert screen.command("").args["what"] == "hl_k3v7q2m5x9ta"


async def test_a_grant_and_a_lease_of_one_name_are_two_things() -> None:
    """Keys of the list have the kind in them: approval 12 is not a lease called 12."""
    desk = busy()
    odd = replace(LEASES[0], id="12")
    desk.state = replace(desk.state, leases=(odd,), blocks=())
    async with stage(desk) as s:
        await s.press("l", "j")
        assert isinstance(s.main.access.holding, GrantView)
        await s.tick()
        assert isinstance(s.main.access.holding, GrantView)


async def test_an_open_window_stays_with_what_it_was_opened_for() -> None:
    async with stage(busy()) as s:
        screen = await opened(s, "l", "G", "k", "R")
        s.desk.state = replace(s.desk.state, leases=(), grants=(*GRANTS[1:], GRANTS[0]))
        await s.tick()
        await s.press("right", "enter")
        assert screen.command("").args["what"] == "12"
        assert s.desk.ran[-1].args == {"what": "12", "reason": ""}
    async with stage(busy()) as s:
        await opened(s, "1", "j", "B")
        s.desk.end("91c0")
        s.desk.end("7f3a")
        await s.tick()
        await s.press("up")
        await s.type("bot")
        await s.press("enter", "right", "enter")
        assert s.desk.ran[-1].args["identity"] == "https://id.example#bot"


# --- the first 300 ms


@pytest.mark.parametrize(
    ("keys", "kind"),
    [(("l", "j", "R"), RevokeScreen), (("B",), BlockScreen), (("2", "exclamation_mark"), BreakGlassScreen)],
    ids=["revoke", "block", "break-glass"],
)
async def test_a_window_ignores_its_first_300_ms(keys: tuple[str, ...], kind: type[ConfirmScreen]) -> None:
    async with stage(busy()) as s:
        for key in keys:
            await s.pilot.press(key)
            await s.settle()
        assert isinstance(s.app.screen, kind)
        for _ in range(3):
            await s.pilot.press("right", "enter", "escape")
        await s.pilot.click("#go")
        await s.settle()
        assert isinstance(s.app.screen, kind)
        assert s.app.focused.id == "cancel"
        s.clock.advance(0.299)
        await s.pilot.press("escape")
        assert isinstance(s.app.screen, kind)
        s.clock.advance(0.002)
        await s.pilot.press("escape")
        await s.settle()
        assert not isinstance(s.app.screen, kind)
        assert not s.desk.ran


async def test_letting_in_ignores_its_first_300_ms() -> None:
    async with stage(asking()) as s:
        await s.pilot.press("2", "G", "a")
        await s.settle()
        await s.pilot.press("right", "right", "enter", "x", "c", "escape")
        await s.settle()
        assert isinstance(s.app.screen, AccessReviewScreen)
        assert not s.desk.ran


# --- it shows when it ends by itself, and goes dead when it is over


async def test_revoke_counts_down_and_goes_dead() -> None:
    async with stage(busy()) as s:
        screen = await opened(s, "l", "j", "R")
        assert "ends by itself in 41 s" in screen.head.text
        s.desk.later(11)
        await s.tick()
        assert "ends by itself in 30 s" in screen.head.text
        await s.press("right")
        assert s.app.focused.id == "go"
        s.desk.state = replace(s.desk.state, leases=LEASES[1:])
        await s.tick()
        assert screen.words.text == "lease hl_8d2hw4c6rznb has ended meanwhile: see 5 Audit for how"
        assert screen.query_one("#go", Button).disabled
        assert s.app.focused.id == "cancel"
        await s.press("enter")
        assert not s.desk.ran


async def test_block_counts_anew_and_goes_dead() -> None:
    async with stage(busy()) as s:
        screen = await opened(s, "1", "j", "B")
        assert "0 leases, 1 grant" in screen.head.text
        s.desk.state = replace(
            s.desk.state, leases=(*LEASES, replace(LEASES[2], id="hl_x", identity="https://id.example#bot"))
        )
        await s.tick()
        assert "1 lease, 1 grant" in screen.head.text
        await s.press("up")
        await s.type("bot")
        assert not screen.query_one("#go", Button).disabled
        s.desk.block("https://id.example#bot", "somebody was faster")
        await s.tick()
        assert screen.words.text == "it is blocked already, by ops-1"
        assert screen.query_one("#go", Button).disabled
        await s.press("down", "right", "enter")
        assert not s.desk.ran


async def test_a_kill_that_was_not_confirmed_is_told_and_stays() -> None:
    async with stage(busy()) as s:
        s.desk.outcomes["block"] = Outcome(False, "locked out; NOT every kill was confirmed, see the journal")
        screen = await opened(s, "j", "B", "up")
        await s.type("bot")
        await s.press("enter", "right", "enter")
        assert s.app.screen is screen
        assert screen.words.text == "✗ locked out; NOT every kill was confirmed, see the journal"
        assert str(screen.query_one("#cancel", Button).label) == "Close  esc"
        assert screen.query_one("#go", Button).disabled


async def test_letting_in_goes_dead_when_settled_elsewhere_or_too_late() -> None:
    async with stage(asking()) as s:
        screen = await letting_in(s)
        assert "expires to deny in 9:48" in screen.head.text
        s.desk.settle(20)
        s.desk.write(
            Event(NOW, "f0a3", Voted(20, 1, "https://id.example#o4", Masked("ops-4"), False, Masked("no"), "once")),
            Event(NOW, "f0a3", Decided(1, "deny", "denied", ("ledger-jit",), "", "1f", 20, "https://id.example#o4")),
        )
        await s.tick()
        assert screen.words.text == "#20 was settled meanwhile: denied by ops-4"
        assert screen.query_one("#approve", Button).disabled
    async with stage(asking()) as s:
        screen = await letting_in(s)
        s.desk.later(589)
        await s.tick()
        assert "its time is over" in screen.head.text
        assert screen.query_one("#approve", Button).disabled


# --- letting in


async def test_access_is_given_for_a_time() -> None:
    async with stage(asking()) as s:
        screen = await letting_in(s)
        seen = picture.text(s.app)
        for words in (
            "Access #20",
            "asks for access to ledger-db",
            "INC-813: rebuild index",
            "at most 1 h, from the approval on",
            "human ops-3 of id.example",
            "60m token",
            "in an emergency oncall may let it go alone: !",
            "( ) 5 min   ( ) 15 min   ( ) 30 min   (•) 1 h",
        ):
            assert words in seen, seen
        assert "rows" not in screen.facts.text, "a connection touches no rows"
        assert screen.words.text == "this rule wants a reason: a goes there"
        await s.press("a")
        await s.type("INC-813")
        await s.press("enter", "right", "right", "enter")
        assert s.desk.ran[-1].args == {"number": "20", "reason": "INC-813"}, "all that the rule offers, as it stands"
    async with stage(asking()) as s:
        screen = await letting_in(s)
        await s.press("a")
        await s.type("INC-813")
        await s.press("up", "left", "left", "down", "down", "right", "right", "enter")
        assert s.desk.ran[-1].args == {"number": "20", "reason": "INC-813", "lasts": "15m"}


async def test_an_access_request_looks_different_and_is_called_out() -> None:
    for size in ((120, 36), NARROW):
        async with stage(busy(), size) as s:
            sent: list[str] = []
            s.app.send = sent.append
            await s.tick()
            s.desk.state = replace(s.desk.state, sessions=(WAITING, *s.desk.state.sessions))
            s.desk.hold(ACCESS)
            await s.tick()
            assert s.flash == "▲ held #20: ops-3 asks for access to ledger-db: INC-813: rebuild index"
            assert len(sent) == 1
            await s.press("2", "G")
            assert "asks for access" in picture.text(s.app)
            assert "most  1 h from the approval on" in s.main.held.detail.text
            await s.press("slash")
            await s.type("kind:access")
            assert [one.number for one in s.main.held.list.items] == [20]
            await s.press("enter", "x")
            assert isinstance(s.app.screen, DenyScreen)
            assert "asks for access: INC-813" in s.app.screen.head.text


async def test_who_may_not_vote_is_told_why() -> None:
    desk = asking()
    desk.reviews[20] = replace(review_of(ACCESS), may_vote="you asked for this, or own the agent that did")
    async with stage(desk) as s:
        screen = await letting_in(s)
        assert screen.words.text == "you may not approve: you asked for this, or own the agent that did"
        assert screen.query_one("#approve", Button).disabled


async def test_a_login_that_ends_closes_the_hands() -> None:
    async with stage(asking()) as s:
        screen = await letting_in(s)
        s.desk.health(operator_until=NOW)
        await s.tick()
        assert screen.words.text == "you may not approve: the login of ops-1 is over: O logs in again"
        assert screen.query_one("#approve", Button).disabled
        await s.press("escape", "1", "j", "B")
        assert s.flash == "the login of ops-1 is over: O logs in again; B (block) does nothing here"
        assert "login over: O logs in" in s.main.line1.text
        assert "B Block" not in s.main.footer.text


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.floats(min_value=1, max_value=7 * 86400))
def test_what_is_offered_is_never_longer_than_the_rule(longest: float) -> None:
    offered = choices(longest)
    assert offered[-1][0] == ""
    assert len(offered) <= 4
    seconds = [int(value.removesuffix("m")) * 60 for value, _ in offered[:-1]]
    assert seconds == sorted(set(seconds))
    assert all(one < longest for one in seconds)


# --- broken glass


async def test_broken_glass_is_loud_while_it_is_new_and_while_its_grant_lives() -> None:
    async with stage(busy()) as s:
        sent: list[str] = []
        s.app.send = sent.append
        await s.tick(2.5)
        s.desk.write(glass(12))
        await s.tick(2.5)
        assert (
            "✗ GLASS BROKEN: bot let #12 go alone for 15 min: INC-814: customers are locked out" in s.main.banner.text
        )
        assert s.flash.startswith("‼ GLASS BROKEN: bot let #12")
        assert len(sent) == 1
        assert sent[0].startswith("\a")
        assert "4m GLASS" in picture.text(s.app)
        await s.tick(2.5)
        assert len(sent) == 1, "told once"
        s.desk.later(200)
        await s.tick(2.5)
        assert s.main.banner.display, "its grant is in force"
        assert "GLASS BROKEN" in s.main.banner.text
        await s.press("l")
        assert "‼ glass" in picture.text(s.app)
        s.desk.state = replace(s.desk.state, grants=GRANTS[1:])
        await s.tick(2.5)
        assert not s.main.banner.display


async def test_glass_broken_before_the_screen_began_is_shown_but_rings_no_bell() -> None:
    desk = busy()
    desk.write(glass(12, at=NOW - 100))
    async with stage(desk) as s:
        sent: list[str] = []
        s.app.send = sent.append
        await s.tick(2.5)
        assert "GLASS BROKEN" in s.main.banner.text
        assert sent == []


async def test_only_who_may_breaks_the_glass() -> None:
    desk = busy(operator_groups=("dba",))
    async with stage(desk) as s:
        screen = await opened(s, "2", "exclamation_mark")
        assert screen.words.text == "you are in none of the groups that may: oncall"
        await s.press("escape", "j")
        screen = await opened(s, "exclamation_mark")
        assert screen.words.text == "rule ssh-svc has no glass to break"
        assert screen.query_one("#go", Button).disabled
        s.desk.settle(18)
        await s.tick()
        assert screen.words.text == "#18 was settled meanwhile: see 5 Audit for how"


async def test_the_glass_can_be_broken_from_the_review() -> None:
    async with stage(asking()) as s:
        screen = await letting_in(s)
        assert "in an emergency oncall may let it go alone: !" in screen.facts.text
        s.desk.settle(17)
        await s.tick()
        await s.press("exclamation_mark")
        window = s.app.screen
        assert isinstance(window, BreakGlassScreen)
        assert window.hold.number == 20, "what the review was about, wherever the list went"
        assert len(s.app.screen_stack) == 2
        await s.press("escape", "1", "j", "j", "2", "g", "a")
        assert isinstance(s.app.screen, ReviewScreen)
        await s.press("exclamation_mark")
        assert isinstance(s.app.screen, ReviewScreen), "this rule has no glass"


async def test_to_break_the_glass_takes_a_reason() -> None:
    async with stage(busy()) as s:
        screen = await opened(s, "2", "exclamation_mark", "up")
        await s.type("orders-db")
        assert screen.words.text == "it takes a reason: everybody will read it"
        assert screen.query_one("#go", Button).disabled


@pytest.mark.parametrize(
    ("name", "word"),
    [("bot", "bot"), (" ops-1 ", "ops-1"), ("表格", "yes"), ("", "yes"), ("x" * 40, "yes"), ("a\u202eb", "yes")],
)
def test_what_is_typed_is_on_every_keyboard(name: str, word: str) -> None:
    assert typed_word(name) == word


async def test_nobody_blocks_themselves() -> None:
    async with stage(busy(operator_key="https://id.example#etl-7")) as s:
        screen = await opened(s, "B", "up")
        await s.type("etl-7")
        assert screen.words.text == "this is you: another operator can lock you out, you cannot"
        assert screen.query_one("#go", Button).disabled


async def test_access_with_nothing_in_force() -> None:
    async with stage(SceneDesk(replace(busy().state, leases=(), grants=(), blocks=()))) as s:
        await s.press("l", "R")
        assert "no lease, no grant and no block is in force" in s.main.access.head.text
        for key in ("R", "B", "U", "i", "enter", "y", "E"):
            await s.press(key)
            assert len(s.app.screen_stack) == 1
            assert not s.desk.ran
        assert health().operator in s.main.line1.text
