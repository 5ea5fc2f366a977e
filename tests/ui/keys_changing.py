"""The keys that change the world, and the windows that they open. Run by test_keys."""

from __future__ import annotations

from dataclasses import replace

from hooptui.core.desk import Outcome
from hooptui.tui.screens.confirm import BlockScreen, BreakGlassScreen, RevokeScreen, UnblockScreen
from hooptui.tui.screens.deny import DenyScreen
from hooptui.tui.screens.kill import KillScreen
from hooptui.tui.screens.operator import OperatorScreen
from hooptui.tui.screens.palette import PaletteScreen
from hooptui.tui.screens.quit import QuitScreen
from hooptui.tui.screens.review import ReviewScreen
from tests.ui import picture
from tests.ui.keyboard import key, top
from tests.ui.scenes import NOW
from tests.ui.stage import Stage


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
        ("block 91c0", BlockScreen),
        ("block https://id.example#nobody", BlockScreen),
        ("unblock https://ci.example#rogue-ci", UnblockScreen),
        ("revoke hl_k3", RevokeScreen),
        ("revoke #14", RevokeScreen),
        ("break-glass 17", BreakGlassScreen),
        ("login", OperatorScreen),
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
    for line, verb in (("claim 18", "claim"), ("logout", "logout")):
        await s.press("colon")
        await s.type(line)
        await s.press("enter")
        assert s.verbs_run[-1] == verb


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


@key("c")
async def claim(s: Stage) -> None:
    await s.press("2", "j", "c")
    assert (s.desk.ran[-1].verb, s.desk.ran[-1].args) == ("claim", {"number": "18"})
    assert s.flash == "#18 is yours to look into"
    s.desk.later(40)
    await s.tick()
    seen = picture.text(s.app)
    assert "ON IT" in seen
    assert "ops-1 is on it since 0:40" in seen
    await s.press("a", "c")
    assert s.verbs_run == ["claim", "claim"], "also in the review"
    assert isinstance(s.app.screen, ReviewScreen)
    await s.tick()
    assert "on it   ops-1 is on it since 0:00" in s.app.screen.facts.text


@key("exclamation_mark")
async def break_glass(s: Stage) -> None:
    await s.press("2", "exclamation_mark")
    assert top(s) is BreakGlassScreen
    assert s.app.focused.id == "cancel"
    await s.press("up", "up")
    await s.type("customers are locked out")
    await s.press("enter")
    await s.type("orders-db")
    await s.press("enter")
    assert s.app.focused.id == "cancel"
    assert not s.desk.ran, "enter in a field breaks nothing"
    await s.press("right", "enter")
    assert s.desk.ran[-1].verb == "break-glass"
    assert s.desk.ran[-1].args == {"number": "17", "reason": "customers are locked out"}


@key("R")
async def revoke(s: Stage) -> None:
    await s.press("l", "j", "j", "R")
    assert top(s) is RevokeScreen
    assert s.app.focused.id == "cancel"
    assert "1 session: 7f3a on orders-db" in s.app.screen.head.text
    await s.press("enter")
    assert not s.desk.ran, "enter cancels"
    await s.press("R", "up")
    await s.type("laptop lost")
    await s.press("down", "right", "enter")
    assert s.desk.ran[-1].args == {"what": "hl_k3v7q2m5x9ta", "reason": "laptop lost"}
    await s.tick()
    await s.press("G", "k", "R", "right", "enter")
    assert s.desk.ran[-1].args == {"what": "12", "reason": ""}
    await s.press("g", "R")
    assert s.flash == "no lease or grant under the cursor", "a block is unblocked, not revoked"


@key("B")
async def block(s: Stage) -> None:
    await s.press("j", "B")
    assert top(s) is BlockScreen
    assert s.app.focused.id == "cancel"
    for words in (
        "https://id.example#bot",
        "1 session: 91c0 on orders-db",
        "0 leases, 1 grant",
        "until somebody unblocks it",
    ):
        assert words in s.app.screen.head.text
    await s.press("right", "enter")
    assert not s.desk.ran
    await s.press("B", "up", "up")
    await s.type("runs wild")
    await s.press("enter")
    await s.type("bo")
    assert s.app.screen.query_one("#go").disabled
    await s.press("t", "enter", "right", "enter")
    assert s.desk.ran[-1].args == {"identity": "https://id.example#bot", "reason": "runs wild"}
    await s.tick()
    assert [one.identity for one in s.desk.state.blocks][-1] == "https://id.example#bot"
    for view, name in (("2", "ops-2"), ("3", "etl-7"), ("l", "ops-2")):
        await s.press(view, "G" if view == "2" else "g", *(["j", "j"] if view == "l" else []), "B")
        assert s.app.screen.name_shown == name, view
        await s.press("escape")


@key("U")
async def unblock(s: Stage) -> None:
    await s.press("l", "U")
    assert top(s) is UnblockScreen
    assert s.app.focused.id == "cancel"
    assert "by ops-1, 90 min ago: token found in a build log" in s.app.screen.head.text
    await s.press("right", "enter")
    assert s.desk.ran[-1].args == {"identity": "https://ci.example#rogue-ci"}
    await s.tick()
    await s.press("U")
    assert "is not blocked" in s.flash


@key("O")
async def operator(s: Stage) -> None:
    await s.press("O")
    assert top(s) is OperatorScreen
    assert not s.desk.ran, "who is logged in sees the card first"
    assert "dba, ops, oncall" in s.app.screen.head.text
    assert "ends in 2 h" in s.app.screen.head.text
    await s.press("right", "right", "enter")
    assert s.verbs_run == ["logout"]
    await s.tick()
    assert "no operator: O logs in" in s.main.line1.text
    await s.press("X")
    assert s.flash == "no operator: O logs in; X (kill) does nothing here"
    await s.press("O")
    assert s.verbs_run == ["logout", "login"], "who is not logged in is asked to"
    assert "W  D  J  B  -  M  J  H  T" in s.app.screen.big.text
    await s.press("y")
    assert s.app.clipboard == "https://prod-eu.example:8443/device"
    s.desk.health(operator="ops-4", operator_key="https://id.example#ops-4", operator_until=NOW + 3600)
    await s.tick()
    assert top(s) is not OperatorScreen, "it closes when somebody is logged in"
    assert s.flash == "✓ ops-4 decides at this desk now"
