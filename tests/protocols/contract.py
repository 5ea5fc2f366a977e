"""One contract for every protocol: what holds whatever is spoken, run against each protocol's own client and a real target.

A protocol's tests subclass `ProtocolContract` and give it a `world` fixture. The client in it is the protocol's own, so
that what is proved is what a person would see.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from hooptui.core.approvals import Approval
from hooptui.core.events import Asked, Decided, KillDone
from hooptui.core.gate import Killed
from hooptui.core.model import Decision, Operation
from tests.core.world import Book, allow, deny, hold

T = TypeVar("T")

WITHIN = 60.0
"""Seconds that anything here may take; a kill has one."""


@dataclass
class Outcome:
    """What a client was told when its operation was over."""

    done: bool
    words: str = ""
    """The protocol's own error, as text."""
    told: list[str] = field(default_factory=list)
    """What it was told while it waited."""


class Pending(Protocol):
    """An operation on its way."""

    @property
    def told(self) -> list[str]:
        """What the client has been told so far."""

    def outcome(self, within: float = WITHIN) -> Outcome: ...


class Client(Protocol):
    """The protocol's own client, connected."""

    def write(self) -> Pending:
        """Start the one operation that changes something that `World.writes` counts."""

    def gibberish(self) -> Pending:
        """Start something that no gateway could understand."""

    def leave(self) -> None:
        """Be gone at once, without a word."""

    def cut(self, within: float) -> str:
        """Wait until the other side ends the connection; its last words."""


class World(Protocol):
    """A gate of the protocol before a real target."""

    @property
    def book(self) -> Book: ...

    def client(self) -> Client: ...

    def judge(self, answer: Callable[[Operation], Decision]) -> None:
        """The policy from now on."""

    def writes(self) -> int:
        """How often the operation took effect in the target itself, looked at directly."""

    def waiting(self) -> tuple[Approval, ...]: ...

    def vote(self, approve: bool, reason: str = "") -> None:
        """As an operator on the one operation that waits."""

    def kill(self, reason: str) -> Killed:
        """The session opened last."""

    def upstream_alive(self) -> int:
        """Connections, processes or streams that the gate has open to the target for sessions, seen in the target itself."""


def until(condition: Callable[[], T], within: float = WITHIN) -> T:
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)
    return value


class ProtocolContract:
    """The contract. Subclass it with a fixture `world`, fresh for each test."""

    def test_allowed_goes_through_and_is_on_record_first(self, world: World) -> None:
        world.judge(lambda _: allow())
        assert world.client().write().outcome().done
        assert world.writes() == 1
        kinds = world.book.kinds()
        assert kinds.index("Asked") < kinds.index("Decided") < kinds.index("Finished")

    def test_denied_never_reaches_the_target(self, world: World) -> None:
        world.judge(lambda _: deny())
        client = world.client()
        refused = client.write().outcome()
        assert not refused.done and "DDL goes through migrations" in refused.words
        world.judge(lambda _: allow())
        assert client.write().outcome().done, "the session lives on after a denial"
        assert world.writes() == 1

    def test_held_blocks_and_says_so(self, world: World) -> None:
        world.judge(lambda _: hold())
        pending = world.client().write()
        number = until(world.waiting)[0].number
        until(lambda: any(f"#{number}" in words for words in pending.told))
        assert world.writes() == 0
        world.vote(False)
        assert not pending.outcome().done

    def test_approved_goes_on_as_it_was(self, world: World) -> None:
        world.judge(lambda _: hold())
        pending = world.client().write()
        world.vote(True)
        assert pending.outcome().done
        assert world.writes() == 1
        (asked,) = world.book.bodies(Asked)
        verdicts = [body for body in world.book.bodies(Decided) if body.operation == asked.operation]
        assert [(body.effect, body.why) for body in verdicts] == [("allow", "approved")]

    def test_denied_by_a_person(self, world: World) -> None:
        world.judge(lambda _: hold())
        pending = world.client().write()
        world.vote(False, "not today")
        refused = pending.outcome()
        assert not refused.done and "not today" in refused.words
        assert world.writes() == 0

    def test_a_client_that_is_gone_withdraws(self, world: World) -> None:
        world.judge(lambda _: hold())
        client = world.client()
        client.write()
        until(world.waiting)
        client.leave()
        until(lambda: not world.waiting())
        until(lambda: world.upstream_alive() == 0)
        assert world.writes() == 0
        assert [body.why for body in world.book.bodies(Decided)] == ["withdrawn"]

    def test_kill_closes_both_sides_at_once(self, world: World) -> None:
        world.judge(lambda _: hold())
        client = world.client()
        client.write()
        until(world.waiting)
        began = time.monotonic()
        done = world.kill("enough")
        words = client.cut(WITHIN)
        assert time.monotonic() - began < 10, "it waits for nobody's good will"
        assert done.confirmed and world.upstream_alive() == 0
        assert "enough" in words
        assert [body.confirmed for body in world.book.bodies(KillDone)] == [True]
        assert world.writes() == 0

    def test_what_is_not_understood_is_refused_whatever_the_policy_says(self, world: World) -> None:
        world.judge(lambda _: allow())
        assert not world.client().gibberish().outcome().done
        assert [body.effect for body in world.book.bodies(Decided)] == ["deny"]

    def test_a_journal_that_fails_denies(self, world: World) -> None:
        world.judge(lambda _: allow())
        client = world.client()
        world.book.broken = "disk full"
        assert not client.write().outcome().done
        assert world.writes() == 0
        world.book.broken = ""
        assert client.write().outcome().done

    def test_a_journal_that_cannot_sync_denies_a_write(self, world: World) -> None:
        world.judge(lambda _: allow())
        client = world.client()
        world.book.sync_broken = "no sync"
        assert not client.write().outcome().done
        assert world.writes() == 0

    def test_a_policy_that_raises_denies(self, world: World) -> None:
        def fails(_operation: Operation) -> Decision:
            raise RuntimeError("a bug in a rule")

        world.judge(fails)
        refused = world.client().write().outcome()
        assert not refused.done and "a bug in a rule" not in refused.words
        assert world.writes() == 0
