"""The bus is beside the path: it forgets before it waits, and says how much it forgot."""

from __future__ import annotations

from hooptui.core.bus import Bus
from hooptui.core.events import Event, GatewayStopped, KillAsked
from hooptui.core.gate import Masked


def event(number: int, session: str = "a") -> Event:
    return Event(float(number), session, GatewayStopped(str(number)))


def test_a_watcher_of_one_session_sees_that_one_only() -> None:
    bus = Bus()
    one, every = bus.subscribe("a"), bus.subscribe()
    bus.publish(event(1, "a"))
    bus.publish(event(2, "b"))
    assert [e.at for e in one.drain()[0]] == [1]
    assert [e.at for e in every.drain()[0]] == [1, 2]
    assert bus.watched("b")
    bus.unsubscribe(every)
    assert not bus.watched("b")


def test_a_slow_watcher_loses_the_oldest_and_is_told_how_many() -> None:
    bus = Bus()
    slow = bus.subscribe("a", capacity=3)
    for number in range(10):
        bus.publish(event(number))
    events, lost = slow.drain()
    assert ([e.at for e in events], lost) == ([7, 8, 9], 7)
    assert slow.drain() == ([], 0)
    bus.publish(event(10))
    assert slow.drain()[1] == 0


def test_what_a_watcher_does_not_want_takes_none_of_its_room() -> None:
    bus = Bus()
    watch = bus.subscribe(capacity=1, without=frozenset({GatewayStopped}))
    bus.publish(Event(1.0, "a", KillAsked("ops-1", Masked("x"))))
    bus.publish(event(2))
    assert [e.at for e in watch.drain()[0]] == [1.0]
    assert watch.drain() == ([], 0)


def test_a_partial_drain_leaves_the_rest_and_counts_nothing_as_lost() -> None:
    bus = Bus()
    watch = bus.subscribe("a", capacity=10)
    for number in range(4):
        bus.publish(event(number))
    assert len(watch.drain(3)[0]) == 3
    assert watch.drain() == ([event(3)], 0)


def test_a_watcher_is_woken() -> None:
    bus = Bus()
    woken: list[int] = []
    bus.subscribe("a", wake=lambda: woken.append(1))
    bus.publish(event(1))
    assert woken == [1]
