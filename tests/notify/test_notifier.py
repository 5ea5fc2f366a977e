"""From the bus to a real receiver: everything that should be told is, nothing else leaves, and nothing waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hooptui.core.bus import Bus
from hooptui.core.events import Alert, Event, Held, Rows, Voted
from hooptui.core.events_people import IdentityBlocked
from hooptui.core.gate import Masked as M
from hooptui.core.gate import Refused
from hooptui.core.model import Access, Operation, SqlFacts
from hooptui.core.ports import Admission
from hooptui.core.session import Session
from hooptui.notify.channel import Channel, NotSent
from hooptui.notify.notice import Notice, Topic
from hooptui.notify.notifier import Notifier, channels_of
from hooptui.notify.settings import Settings
from tests.core.world import BOT, ORDERS, TERMS, Book, Says, hold, house
from tests.notify.receiver import KEY, receiver, verified

NOW = 1_700_000_000.0
HELD = Held(4, 17, "writes-need-dba", "words", ("dba",), 2, "high", NOW + 60)


class Mouth:
    """A channel in memory."""

    def __init__(self, name: str = "mouth", topics: frozenset[Topic] = frozenset(Topic)) -> None:
        self.name = name
        self.topics = topics
        self.said: list[Notice] = []
        self.heard = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails: list[Exception] = []
        self.is_closed = False

    async def send(self, notice: Notice) -> None:
        self.heard.set()
        await self.gate.wait()
        if self.fails:
            raise self.fails.pop(0)
        self.said.append(notice)

    async def close(self) -> None:
        self.is_closed = True


Troubles = list[tuple[str, str, str]]


@contextlib.asynccontextmanager
async def running(
    bus: Bus, *channels: Channel, troubles: Troubles | None = None, settings: Settings | None = None
) -> AsyncIterator[None]:
    found: Troubles = [] if troubles is None else troubles
    notifier = Notifier(
        settings or Settings(), channels, bus, gateway="prod-eu", target_of=lambda session: "orders-db" if session else "",
        trouble=lambda name, code, words: found.append((name, code, words)),
    )  # fmt: skip
    task = asyncio.create_task(notifier.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def quiet() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_each_channel_is_told_what_it_asked_for() -> None:
    bus, everything, grave = Bus(), Mouth("a"), Mouth("b", frozenset({Topic.BREAK_GLASS, Topic.BLOCK}))
    async with running(bus, everything, grave):
        for body in (
            HELD,
            replace(HELD, approval=18, access=True),
            Voted(17, 4, "i#s", M("n"), True, M("r"), "once", 60.0, True, ("duty",)),
            Voted(18, 4, "i#s", M("n"), True, M("r"), "once"),
            IdentityBlocked("i#s", "i#a", M("r"), 1, 0, 0),
            Alert("target-down", M("x")),
            Rows(1, ((M("secret"),),)),
        ):
            bus.publish(Event(NOW, "7f3a", body))
        await quiet()
    assert [one.topic for one in everything.said] == ["held", "access", "break-glass", "block", "alert"]
    assert [one.topic for one in grave.said] == ["break-glass", "block"]
    assert everything.is_closed and grave.is_closed
    assert not bus.watched("7f3a"), "it is gone from the bus"


async def test_a_channel_that_hangs_holds_up_nobody_and_keeps_what_is_grave() -> None:
    bus, hung, well, troubles = Bus(), Mouth("hung"), Mouth("well"), Troubles()
    hung.gate.clear()
    async with running(bus, hung, well, troubles=troubles, settings=Settings(waiting=3)):
        bus.publish(Event(NOW, "7f3a", HELD))
        await hung.heard.wait()
        bus.publish(Event(NOW, "7f3a", Voted(17, 4, "i#s", M("n"), True, M("r"), "once", 60.0, True, ("duty",))))
        for number in range(20, 30):
            bus.publish(Event(NOW, "7f3a", replace(HELD, approval=number)))
            await quiet()
        assert len(well.said) == 12
        hung.gate.set()
        await quiet()
    assert [one.facts["number"] for one in hung.said] == [17, 17, 28, 29]
    assert hung.said[1].topic is Topic.BREAK_GLASS
    assert troubles == [("hung", "notify-dropped", "8 notices were dropped while it did not answer")]


async def test_failures_are_one_alert_until_something_gets_through() -> None:
    bus, mouth, troubles = Bus(), Mouth("pager"), Troubles()
    mouth.fails = [NotSent("answered 500"), NotSent("answered 500"), RuntimeError("secret words")]
    async with running(bus, mouth, troubles=troubles):
        for number in range(3):
            bus.publish(Event(NOW, "7f3a", replace(HELD, approval=number)))
        await quiet()
        assert troubles == [("pager", "notify-failed", "held was not told: answered 500")]
        bus.publish(Event(NOW, "7f3a", HELD))
        await quiet()
        mouth.fails = [RuntimeError("secret words")]
        bus.publish(Event(NOW, "7f3a", HELD))
        await quiet()
    assert len(mouth.said) == 1
    assert troubles[1:] == [("pager", "notify-failed", "held was not told: the channel failed (RuntimeError)")]


async def test_the_alert_of_a_failure_is_not_told_in_turn() -> None:
    bus, mouth = Bus(), Mouth()
    async with running(bus, mouth):
        bus.publish(Event(NOW, "", Alert("notify-failed", M("x"))))
        await quiet()
    assert mouth.said == []


async def test_a_flood_is_bounded_and_said() -> None:
    bus, mouth, troubles = Bus(), Mouth(), Troubles()
    async with running(bus, mouth, troubles=troubles, settings=Settings(waiting=10)):
        for number in range(5000):
            bus.publish(Event(NOW, "7f3a", replace(HELD, approval=number)))
        await quiet()
    assert ("notices", "notify-lost", "904 events came too fast to be told") in troubles
    assert len(mouth.said) == 10


async def test_the_configured_channels() -> None:
    async with receiver() as to:
        settings = Settings((to.settings(), to.settings(name="other", events=frozenset({Topic.BLOCK}))))
        channels = channels_of(settings, time.time)
        bus = Bus()
        async with running(bus, *channels):
            bus.publish(Event(NOW, "7f3a", HELD))
            got = await to.next()
        assert verified(got, KEY, time.time())
        assert [one.name for one in channels] == ["pager", "other"]
        assert len(to.received) == 1


async def test_a_receiver_that_is_down_is_one_alert_and_the_gateway_goes_on() -> None:
    async with receiver() as to:
        to.answers = [500] * 2
        bus, troubles = Bus(), Troubles()
        async with running(bus, *channels_of(Settings((to.settings(attempts=2),)), time.time), troubles=troubles):
            bus.publish(Event(NOW, "7f3a", HELD))
            await to.next()
            await to.next()
            bus.publish(Event(NOW, "7f3a", replace(HELD, approval=18)))
            assert (await to.next()).data["data"]["number"] == 18
        [(name, code, words)] = troubles
        assert (name, code) == ("pager", "notify-failed")
        assert words.endswith("answered 500 after 2 attempts") and "token-in-the-path" not in words


CANARY = "canary-5b1e"


async def test_nothing_of_a_statement_or_a_person_leaves() -> None:
    """A real session: what it runs, why, who it is and what its approver says hold canaries; no request may."""
    async with receiver() as to:
        book, judge = Book(), Says(lambda _: hold(TERMS))
        loud = replace(TERMS, break_glass=frozenset({"agents"}))
        judge.admission = Admission(True, access=Access(frozenset({"jit"}), loud, "in time"))
        home = house(judge, book)
        by = replace(BOT, subject=CANARY, name=CANARY)
        async with running(home.bus, *channels_of(Settings((to.settings(),)), time.time)):
            one = Session(
                home, "7f3a", by, ORDERS, peer=CANARY, application=CANARY, access=judge.admission.access, purpose=CANARY, emergency=CANARY,
            )  # fmt: skip
            one.opened()
            with contextlib.suppress(Refused):
                await one.enter(lambda approval, remaining: None)
            text = f"DELETE FROM {CANARY} WHERE x = '{CANARY}'"
            facts = SqlFacts(frozenset({"delete"}), writes=frozenset({CANARY}))
            asking = asyncio.create_task(
                one.ask(Operation("postgres", "delete", text, facts, (CANARY,)), lambda approval, remaining: None)
            )
            home.bus.publish(Event(NOW, "", Alert("target-down", M(CANARY))))
            home.bus.publish(Event(NOW, "", IdentityBlocked(by.key, by.key, M(CANARY), 1, 1, 1)))
            got = [await to.next() for _ in range(5)]
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    assert CANARY in repr(book.events), "it was there to be told"
    types = [one.data["type"] for one in got]
    assert sorted(types) == ["hooptui.access", "hooptui.alert", "hooptui.block", "hooptui.break-glass", "hooptui.held"]
    for one in got:
        assert CANARY.encode() not in one.body and CANARY not in repr(one.headers)
        assert b"http" not in one.body, "no links"
