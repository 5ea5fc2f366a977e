"""What goes over the control socket stays within its bounds, whatever a watched program writes."""

from __future__ import annotations

from hooptui.control import wire
from hooptui.core.bus import Bus
from hooptui.core.events import Event
from hooptui.core.events_channels import TerminalOutput
from hooptui.core.gate import Masked


def test_a_flooded_watch_is_brought_in_portions_and_whole() -> None:
    bus = Bus()
    watch = bus.subscribe("a")
    # Control characters take the most room: each is escaped, and the escape again.
    sent = [Event(float(number), "a", TerminalOutput(number, Masked("\x01" * 8192))) for number in range(1000)]
    for event in sent:
        bus.publish(event)
    seen: list[Event] = []
    rounds = 0
    while True:
        texts, lost = wire.drained(watch)
        assert lost == 0 and len(wire.encode((texts, lost))) < wire.LONGEST // 4
        if not texts:
            break
        seen += wire.events(texts)
        rounds += 1
    assert seen == sent and rounds > 10


def test_what_was_lost_is_counted_once() -> None:
    bus = Bus()
    watch = bus.subscribe("a", capacity=10)
    for number in range(25):
        bus.publish(Event(float(number), "a", TerminalOutput(number, Masked("x"))))
    texts, lost = wire.drained(watch)
    assert (len(texts), lost) == (10, 15) and wire.drained(watch) == ([], 0)
