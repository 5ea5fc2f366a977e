"""Every key of the keymap, pressed, and what happened first. One test proves that none was forgotten."""

from __future__ import annotations

import pytest

from hooptui.tui.keymap import KEYS, PLACES, bindings, document, footer
from tests.ui import keys_changing, keys_looking, keys_playing
from tests.ui.keyboard import TRIED, Pressed
from tests.ui.scenes import busy
from tests.ui.stage import NARROW, WIDE, stage

ROOMS = (keys_changing, keys_looking, keys_playing)
"""Where the keys are pressed."""


@pytest.mark.parametrize("test", dict.fromkeys(test for _, test in TRIED.values()), ids=lambda test: test.__name__)
async def test_key(test: Pressed) -> None:
    size = next(size for size, one in TRIED.values() if one is test)
    async with stage(busy(), size) as s:
        await test(s)


def test_every_key_is_tried() -> None:
    every = {one for row in KEYS for one in row.keys}
    assert every == set(TRIED)


def test_a_letter_means_one_thing() -> None:
    for place in PLACES:
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


def test_the_keys_are_pressed_where_one_looks_for_them() -> None:
    assert {test.__module__ for _, test in TRIED.values()} == {room.__name__ for room in ROOMS}
