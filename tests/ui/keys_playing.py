"""The keys of Output and Replay. Run by test_keys."""

from __future__ import annotations

import pytest

from hooptui.core.events_channels import FileDone, TerminalOpened
from tests.ui.keyboard import key
from tests.ui.scenes import M, ev
from tests.ui.stage import Stage


async def _player(s: Stage) -> None:
    await s.press("j", "r")


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
    assert s.main.output.titles[1] == "12m lease  PAUSED  masked"
    await s.press("F")
    assert s.main.output.titles[1] == "12m lease  FOLLOW  masked"
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


@key("s", "p")
async def channels(s: Stage) -> None:
    await s.press("3", "s")
    assert s.flash == "this session has one channel"
    s.desk.publish(ev(0, TerminalOpened(50, M("xterm"), 80, 24)))
    s.desk.publish(ev(0, FileDone(51, "read", (M("/x"),), True, M("ok"), False, 1, 0, "ab")))
    await s.tick()
    output = s.main.output
    seen = [output.tab]
    for one in ("s", "s", "s", "p", "p"):
        await s.press(one)
        seen.append(output.tab)
        assert output.lines.has_focus and output.lines.display
    assert seen == ["50", "files", "timeline", "50", "timeline", "files"]
