"""Small real collaborators for a Session: a ledger that keeps what it is given, a judge that answers from a function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from hooptui.core.approvals import Approval, Approvals, Vote
from hooptui.core.bus import Bus
from hooptui.core.clock import Clock, ManualClock
from hooptui.core.events import Event
from hooptui.core.gate import CannotRecord, Killed, Masked
from hooptui.core.hold import ballot
from hooptui.core.house import House
from hooptui.core.model import (
    Bound,
    Column,
    Decision,
    Effect,
    HoldTerms,
    Identity,
    MaskSet,
    Operation,
    Scope,
    SqlFacts,
    Target,
)
from hooptui.core.ports import Admission, ResultMask
from hooptui.core.session import Session
from hooptui.core.watch import WatchRule

T = TypeVar("T")

BOT = Identity("https://idp", "bot", "bot", frozenset({"agents"}))
DBA = Identity("local", "ops-1", "ops-1", frozenset({"dba"}))
DBA2 = Identity("local", "ops-2", "ops-2", frozenset({"dba"}))
ORDERS = Target("orders-db", "postgres", {"env": "prod"})
TERMS = HoldTerms("writes-need-dba", frozenset({"dba"}), expires=60.0, scopes=(Scope.ONCE, Scope.FINGERPRINT))


def operation(text: str = "DELETE FROM t", *commands: str, unknown: str = "") -> Operation:
    facts = SqlFacts(frozenset(commands or {"delete"}), writes=frozenset({"t"}), unknown=unknown)
    return Operation("postgres", next(iter(facts.commands)), text, facts)


class Book:
    """A ledger in memory that can be broken."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.durable_upto = 0
        self.broken = ""
        self.sync_broken = ""

    def append(self, event: Event) -> None:
        if self.broken:
            raise CannotRecord(self.broken)
        self.events.append(event)

    def append_all(self, events: list[Event]) -> None:
        for event in events:
            self.append(event)

    async def durable(self) -> None:
        if self.broken or self.sync_broken:
            raise CannotRecord(self.broken or self.sync_broken)
        self.durable_upto = len(self.events)

    def fingerprint(self, identity: Identity, target: Target, operation: Operation) -> str:
        return hashlib.sha256(f"{identity.key}|{target.name}|{operation.text}".encode()).hexdigest()

    def kinds(self) -> list[str]:
        return [type(event.body).__name__ for event in self.events]

    def bodies(self, kind: type[T]) -> list[T]:
        return [event.body for event in self.events if isinstance(event.body, kind)]


class Says:
    """A judge that answers from a function of the operation; `version` can be moved."""

    def __init__(self, answer: Callable[[Operation], Decision]) -> None:
        self.answer = answer
        self.version = "v1"
        self.admission = Admission(True)

    def admits(self, identity: Identity, target: Target) -> Admission:
        return self.admission

    def decide(
        self, identity: Identity, target: Target, operation: Operation, granted: frozenset[str] = frozenset()
    ) -> Decision:
        return self.answer(operation)

    def masks(self, identity: Identity, target: Target) -> MaskSet:
        return MaskSet()

    def watches(self, identity: Identity, target: Target) -> tuple[WatchRule, ...]:
        return ()


class Clear:
    """A masker for sessions without masks."""

    masks = MaskSet()

    def text(self, raw: str) -> Masked:
        return Masked(raw.replace("SECRET", "████"))

    def plan(self, columns: Sequence[Column], *, ascii_only: bool = False) -> ResultMask | None:
        return None

    def transcribe(
        self, columns: Sequence[Column], rows: Sequence[Sequence[bytes | None]]
    ) -> tuple[tuple[Masked | None, ...], ...]:
        return tuple(tuple(None if v is None else Masked(v.decode("utf-8", "replace")) for v in row) for row in rows)


class Line:
    """A channel that remembers what was done to it."""

    def __init__(self) -> None:
        self.killed: list[str] = []
        self.ended: list[str] = []

    async def kill(self, message: str) -> Killed:
        self.killed.append(message)
        return Killed(True, "gone", 0.01)

    async def end(self, message: str) -> None:
        self.ended.append(message)


def allow(rule: str = "reads") -> Decision:
    return Decision(Effect.ALLOW, (rule,), "ok", policy="v1")


def deny(rule: str = "no-drop") -> Decision:
    return Decision(Effect.DENY, (rule,), "DDL goes through migrations", hint="ask", policy="v1")


def hold(terms: HoldTerms = TERMS) -> Decision:
    return Decision(Effect.HOLD, (terms.rule,), "writes need a second pair of eyes", terms=terms, policy="v1")


def house(judge: Says, book: Book, clock: Clock | None = None) -> House:
    clock = clock or ManualClock()
    bus = Bus()

    def on_vote(approval: Approval, vote: Vote) -> None:
        event = Event(vote.at, approval.session, ballot(approval, vote, Masked(vote.by.name)))
        book.append(event)
        bus.publish(event)

    return House(judge, book, Approvals(on_vote), bus, clock, lambda masks: Clear())


def session(house: House, *, deadline: float | None = None) -> Session:
    made = Session(
        house,
        "7f3a",
        BOT,
        ORDERS,
        peer="127.0.0.1:5",
        application="psql",
        bounds={Bound.TOKEN: deadline} if deadline else {},
    )
    made.channel = Line()
    return made


def vote(by: Identity, approve: bool, at: float, *, reason: str = "", scope: Scope = Scope.ONCE) -> Vote:
    return Vote(by, approve, Masked(reason), scope, at)
