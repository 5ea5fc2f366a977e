"""When what the masks hold back goes on: by the masker's clock, whatever was held before."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvloop

from hooptui.core.clock import SystemClock
from hooptui.core.model import MaskRule, Target
from hooptui.core.session import Session
from hooptui.masking.masker import make_masker
from hooptui.masking.streams import LONG_PATIENCE, PATIENCE
from hooptui.protocols.ssh.outlet import TICK, Text
from tests.core.world import BOT, Book, Says, allow, house

KEY = b"AKIA"
"""How a key begins, by which more is waited for than for anything else."""
PROMPTS = (b"ada@exam", b"$ ", b"Password: ", b"mysql> ", b"[y/N] ", b"4", b"4111 11", b"user@", b"> AKI")


class Judge(Says):
    def masks(self, identity: object, target: object) -> object:  # type: ignore[override]
        from hooptui.core.model import MaskSet

        return MaskSet((MaskRule("all", detect=("credit-card", "email", "api-key", "jwt")),), self.version)


def text(sent: list[bytes]) -> Text:
    book = Book()
    made = house(Judge(lambda _: allow()), book, SystemClock())
    made = type(made)(
        made.judge, made.ledger, made.approvals, made.bus, made.clock, lambda rules: make_masker(rules, key=b"k" * 32)
    )
    session = Session(made, "s1", BOT, Target("web-01", "ssh", {}), peer="127.0.0.1:1", application="")
    return Text(session, 1, b"k" * 32, lambda data, _: sent.append(data), lambda _: None, lambda _: None)


def due(outlet: Text) -> float | None:
    """Seconds until what is held on standard output goes on, by what the loop was told."""
    if outlet._maskers[None].due() is None:
        return None
    handle, when = outlet._timers[None]
    assert not handle.cancelled()
    return when - outlet._clock.monotonic()


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("before", [b"", b"some lines\n", b"\x1b[1;32m"])
async def test_a_prompt_is_let_go_within_thirty_milliseconds(prompt: bytes, before: bytes) -> None:
    sent: list[bytes] = []
    outlet = text(sent)
    outlet.feed(before + prompt, None)
    held = due(outlet)
    assert (b"".join(sent) == before + prompt) if held is None else held <= PATIENCE + TICK < 0.030
    outlet.close()
    assert b"".join(sent) == before + prompt


def test_what_is_due_at_once_goes_at_once_on_the_gateways_own_loop() -> None:
    """uvloop gives something else for a timer of no time."""

    async def run() -> None:
        sent: list[bytes] = []
        outlet = text(sent)
        outlet.feed(b"mail to ada@exam", None)
        for _ in range(3):
            time.sleep(PATIENCE)
            outlet.feed(b"p", None)
        while b"".join(sent) != b"mail to ada@examppp":
            await asyncio.sleep(0.001)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(run(), 60))


async def test_a_prompt_behind_what_looked_like_a_key_is_not_held_as_long_as_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[bytes] = []
    outlet = text(sent)
    now = [time.monotonic()]
    monkeypatch.setattr(outlet._clock, "monotonic", lambda: now[0])
    outlet.feed(KEY + b"IOSFODNN7", None)
    masker = outlet._maskers[None]
    assert masker.due() is not None, "the beginning of a key is held"
    now[0] += PATIENCE + 0.001
    outlet._release(None, masker)
    longer = due(outlet)
    assert longer is not None and longer > LONG_PATIENCE - 0.1, "and waited for"
    outlet.feed(b"? no.\nmail to ada@exam", None)
    sooner = due(outlet)
    assert sooner is not None and sooner <= PATIENCE + TICK, "what is held now is another thing"
    outlet.close()
    assert b"".join(sent).endswith(b"mail to ada@exam")
