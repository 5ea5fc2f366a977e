"""What a session writes down: its facts, its counters, and every record of it, masked by its own masks. Decides nothing.

The base of `core.session.Session`, kept apart so that the one question and the record can each be read whole.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

from hooptui.core.approvals import Approval
from hooptui.core.events import Asked, Body, Decided, Event, Finished, SessionClosed, SessionOpened
from hooptui.core.gate import CannotRecord, Masked
from hooptui.core.house import Counters, House
from hooptui.core.kubernetes import KubernetesFacts
from hooptui.core.model import Decision, Identity, Operation, SqlFacts, Target
from hooptui.core.ports import Masker

HISTORY = 12
"""Statements a session remembers for its reviewer."""

MAX_PATHS = 64
"""Paths that the record of an SSH operation lists; its text has them all."""


class Trail:
    """What led to the verdict on one operation, gathered while `ask` goes down its steps."""

    __slots__ = ("approval", "by", "decision", "grant", "grouped", "number", "why")

    def __init__(self, number: int) -> None:
        self.number = number
        self.decision: Decision | None = None
        self.approval: Approval | None = None
        self.grant = 0
        """Number of the approval whose grant let it go."""
        self.grouped = False
        """The review of its group let it go."""
        self.why = "policy"
        self.by = ""


class Account:
    """See the module."""

    def __init__(
        self,
        house: House,
        number: str,
        identity: Identity,
        target: Target,
        *,
        peer: str,
        application: str,
        lease: str,
    ) -> None:
        self.house = house
        self.id = number
        self.identity = identity
        self.target = target
        self.peer = peer
        self.lease = lease
        """Identifier of the lease it was opened with; empty when the client brought its own token."""
        self.opened_at = house.clock.now()
        self.deadline: float | None = None
        """Unix seconds at which the session ends whatever it does; None when nothing limits it."""
        self.counters = Counters()
        self.last: Masked = Masked("")
        self.last_at = self.opened_at
        self.history: deque[Masked] = deque(maxlen=HISTORY)
        self._running = 0
        self._closed = False
        self._masker: Masker | None = None
        self._masker_policy = ""
        self.application = self.masker.text(application)
        self.name = self.masker.text(identity.name)

    @property
    def masker(self) -> Masker:
        """The masks that hold now; rebuilt when the policy changes."""
        version = self.house.judge.version
        if self._masker is None or self._masker_policy != version:
            masks = self.house.judge.masks(self.identity, self.target)
            if self._masker is None or masks.rules != self._masker.masks.rules:
                self._masker = self.house.make_masker(masks)
            self._masker_policy = version
        return self._masker

    def record(self, body: Body) -> None:
        """Journal or recording, then the bus; in this order.

        Raises:
            CannotRecord: nobody was told, because nothing may happen unrecorded.
        """
        house = self.house
        event = Event(house.clock.now(), self.id, body)
        house.ledger.append(event)
        house.bus.publish(event)

    def record_all(self, bodies: list[Body]) -> None:
        """`record` for what happens at once, in this order.

        Raises:
            CannotRecord: not all of it is on record, and nobody was told of any.
        """
        house, now = self.house, self.house.clock.now()
        events = [Event(now, self.id, body) for body in bodies]
        house.ledger.append_all(events)
        for event in events:
            house.bus.publish(event)

    def opened(self) -> None:
        """Record the start; a session that cannot be recorded is not opened.

        Raises:
            CannotRecord: the journal cannot take it.
        """
        who = self.identity
        self.record(
            SessionOpened(
                who.issuer, who.subject, self.name, tuple(sorted(who.groups)), who.kind, self.target.name, self.target.protocol,
                self.peer, self.application, self.deadline, self.house.judge.version, who.owner or "", self.lease,
            )
        )  # fmt: skip

    def closed(self, reason: str) -> None:
        """Record the end, once. A journal that fails now is its own alarm, so this never raises."""
        if self._closed:
            return
        self._closed = True
        count = self.counters
        try:
            self.record(
                SessionClosed(self.masker.text(reason), count.operations, count.masked, count.bytes_in, count.bytes_out)
            )
        except CannotRecord:
            return

    def finished(
        self, number: int, tag: str, *, ok: bool, rows: int, masked: int, seconds: float, masks: tuple[str, ...] = (),
        shown: list[Body] | None = None,
    ) -> None:  # fmt: skip
        """The target's answer to operation `number` is complete. What has run cannot be refused any more, so that alone never raises.

        `shown` is what the client is about to see of it and is not on record yet; it goes before.

        Raises:
            CannotRecord: something was to be shown and could not be recorded.
        """
        self._running = max(0, self._running - 1)
        self.counters.masked += masked
        done = Finished(number, self.masker.text(tag), ok, rows, masked, int(seconds * 1_000_000) / 1000, masks)
        if shown:
            self.record_all([*shown, done])
        else:
            self.try_record(done)

    def asked(self, number: int, operation: Operation) -> Asked:
        """The record of a question, to be recorded by the caller at once; from here on it is the session's last."""
        masker, facts = self.masker, operation.facts
        text = masker.text(operation.text)
        self.last, self.last_at = text, self.house.clock.now()
        self.history.append(text)
        parameters: tuple[Masked | None, ...] = ()
        if operation.parameters:
            parameters = tuple(None if value is None else masker.text(value) for value in operation.parameters)
        if isinstance(facts, SqlFacts):
            commands, relations = _listed(facts)
        elif isinstance(facts, KubernetesFacts):
            commands = tuple(sorted(facts.actions))
            relations = (masker.text(facts.about),) if facts.actions else ()
        else:
            # What looks like a path may be a password with a slash in it.
            commands = tuple(sorted(facts.actions))
            relations = tuple(masker.text(path) for path in sorted(facts.paths)[:MAX_PATHS])
        return Asked(number, operation.verb, text, commands, relations, parameters)

    def verdict(self, effect: str, trail: Trail) -> None:
        decision = trail.decision
        rules, reason, policy = (decision.rules, decision.reason, decision.policy) if decision else ((), "", "")
        approval = trail.approval.number if trail.approval else trail.grant
        self.record(Decided(trail.number, effect, trail.why, rules, reason, policy, approval, trail.by))

    def refusal(self, trail: Trail) -> None:
        """Record a refusal; that it cannot be recorded does not make it an allow."""
        try:
            self.verdict("deny", trail)
        except CannotRecord:
            return

    def try_record(self, body: Body) -> None:
        """Record what has happened whether or not it can be recorded; the journal raises its own alarm."""
        try:
            self.record(body)
        except CannotRecord:
            return


@lru_cache(maxsize=4096)
def _listed(facts: SqlFacts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Commands and relations in a stable order, for the record."""
    return tuple(sorted(facts.commands | facts.neutral)), tuple(sorted(facts.reads | facts.writes))
