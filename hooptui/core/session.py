"""One client connection by one identity to one target, and the one question it may ask.

`ask` is the only way to a `Permit`: write-ahead record, policy, waiting for people and the verdict's record are inside it,
in written order. Runs on the gateway's loop; knows no socket, no file and no screen.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from hooptui.core.approvals import Approval, Status, VoteRefused
from hooptui.core.events import (
    Asked,
    Body,
    Decided,
    Event,
    Finished,
    Frozen,
    GrantGiven,
    Held,
    KillAsked,
    KillDone,
    SessionClosed,
    SessionOpened,
)
from hooptui.core.gate import CannotRecord, Killed, Masked, Permit, Refused, Why, mint
from hooptui.core.house import Counters, House
from hooptui.core.model import Decision, Effect, Facts, Grant, Identity, Operation, Scope, Target
from hooptui.core.ports import Channel, Masker, Tell
from hooptui.core.vocabulary import GROUPS

State = Literal["live", "running", "held", "frozen", "ending", "closed"]

READ_ONLY = GROUPS["reads"] | {"listen"}
"""Effects that change nothing; whatever goes beyond waits until its verdict is on stable storage."""

HISTORY = 12
"""Statements a session remembers for its reviewer."""


@dataclass(slots=True)
class _Trail:
    """What led to the verdict on one operation, gathered while `ask` goes down its steps."""

    number: int
    decision: Decision | None = None
    approval: Approval | None = None
    why: str = "policy"
    by: str = ""


class Session:
    """See the module. `channel` is set by the proxy once it can be killed."""

    def __init__(
        self,
        house: House,
        number: str,
        identity: Identity,
        target: Target,
        *,
        peer: str,
        application: str,
        deadline: float | None,
    ) -> None:
        self.house = house
        self.id = number
        self.identity = identity
        self.target = target
        self.peer = peer
        self.opened_at = house.clock.now()
        self.deadline = deadline
        """Unix seconds at which the session ends whatever it does; None when nothing limits it."""
        self.counters = Counters()
        self.channel: Channel | None = None
        self.last: Masked = Masked("")
        self.last_at = self.opened_at
        self._running = 0
        self.held: dict[int, Operation] = {}
        """What waits, by the number of its approval; raw, for the estimate that a reviewer asks for."""
        self.history: deque[Masked] = deque(maxlen=HISTORY)
        self._ending: tuple[Why, str] | None = None
        self._closed = False
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._masker: Masker | None = None
        self._masker_policy = ""
        self.application = self.masker.text(application)
        self.name = self.masker.text(identity.name)

    # --- what the screen reads

    @property
    def state(self) -> State:
        if self._closed:
            return "closed"
        if self._ending is not None:
            return "ending"
        if not self._thawed.is_set():
            return "frozen"
        if self.held:
            return "held"
        return "running" if self._running else "live"

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

    # --- the record

    def record(self, body: Body) -> None:
        """Journal or recording, then the bus; in this order.

        Raises:
            CannotRecord: nobody was told, because nothing may happen unrecorded.
        """
        house = self.house
        event = Event(house.clock.now(), self.id, body)
        house.ledger.append(event)
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
                self.peer, self.application, self.deadline, self.house.judge.version,
            )
        )  # fmt: skip

    def closed(self, reason: str) -> None:
        """Record the end, once; open approvals are withdrawn. A journal that fails now is its own alarm, so this never raises."""
        if self._closed:
            return
        self.withdraw()
        self._closed = True
        count = self.counters
        try:
            self.record(
                SessionClosed(self.masker.text(reason), count.operations, count.masked, count.bytes_in, count.bytes_out)
            )
        except CannotRecord:
            return

    def finished(
        self, number: int, tag: str, *, ok: bool, rows: int, masked: int, seconds: float, masks: tuple[str, ...] = ()
    ) -> None:
        """The target's answer to operation `number` is complete. Never raises: what has run cannot be refused any more."""
        self._running = max(0, self._running - 1)
        self.counters.masked += masked
        try:
            self.record(Finished(number, self.masker.text(tag), ok, rows, masked, round(seconds * 1000, 3), masks))
        except CannotRecord:
            return

    # --- the one question

    async def ask(self, operation: Operation, tell: Tell) -> Permit:
        """May this operation go to its target?

        Raises:
            Refused: no; nothing may be sent, and the reason is fit for the client.
        """
        self.counters.operations += 1
        number = self.counters.operations
        trail = _Trail(number)
        if self._ending is not None or self.deadline is not None or not self._thawed.is_set():
            await self._may_go_on(number)
        try:
            self._asked(number, operation)
            trail.decision = decision = self._decide(operation)
            while decision.effect is Effect.HOLD:
                grant = self._granted(decision, operation)
                if grant is not None:
                    trail.why, trail.by = "granted", f"approval #{grant.approval}"
                    break
                await self._wait(trail, operation, decision, tell)
                trail.why = "approved"
                # The policy may have changed while people thought; what they approved stands only if it still suffices.
                again = self._decide(operation)
                enough = again.effect is not Effect.HOLD or again.terms == decision.terms
                trail.decision = decision = again
                if enough:
                    break
            if decision.effect is Effect.DENY:
                rule = decision.rules[0] if decision.rules else ""
                raise Refused(Why.POLICY, decision.reason, rule=rule, hint=decision.hint, number=number)
            self._verdict("allow", trail)
            if trail.approval is not None or not operation.facts.commands <= READ_ONLY:
                await self.house.ledger.durable()
            if self._ending is not None:
                raise Refused(self._ending[0], self._ending[1], number=number)
        except CannotRecord as broken:
            message = "hooptui cannot record this operation, so it may not run"
            raise Refused(Why.UNRECORDED, message, detail=str(broken), number=number) from None
        except Refused as refused:
            trail.why = refused.why
            self._refusal(trail)
            raise
        except asyncio.CancelledError:
            trail.why = Why.WITHDRAWN
            self._refusal(trail)
            raise
        self._running += 1
        return mint(number, decision.rules)

    def withdraw(self) -> None:
        """The client took back whatever it has held: it cancelled, or it is gone."""
        for number in tuple(self.held):
            self.house.approvals.end(number, Status.WITHDRAWN, self.house.clock.now())

    # --- the operator's hand

    def freeze(self, on: bool, by: str) -> None:
        """While frozen no new operation starts; what runs goes on.

        Raises:
            CannotRecord: the freeze could not be journaled (freezing still took place).
        """
        if on:
            self._thawed.clear()
        else:
            self._thawed.set()
        self.record(Frozen(by, on))

    async def kill(self, by: str, reason: str) -> Killed:
        """Freeze, end what is held, stop the upstream and prove it; the journal is told before and after."""
        started = self.house.clock.monotonic()
        message = f"terminated by {by}: {reason}" if reason else f"terminated by {by}"
        self._end(Why.KILLED, message, Status.KILLED)
        self._try_record(KillAsked(by, self.masker.text(reason)))
        if self.channel is None:
            done = Killed(True, "the session had no upstream yet", self.house.clock.monotonic() - started)
        else:
            done = await self.channel.kill(message)
        self._try_record(KillDone(done.confirmed, done.how, round(done.seconds, 4)))
        self.closed(message)
        return done

    async def end(self, why: Why, message: str) -> None:
        """Its time is over, or the gateway drains: polite close."""
        self._end(why, message, Status.EXPIRED)
        if self.channel is not None:
            await self.channel.end(message)
        self.closed(message)

    # --- inside

    def _end(self, why: Why, message: str, status: Status) -> None:
        if self._ending is None:
            self._ending = (why, message)
        self._thawed.set()
        for number in tuple(self.held):
            self.house.approvals.end(number, status, self.house.clock.now())

    async def _may_go_on(self, number: int) -> None:
        while True:
            if self._ending is not None:
                raise Refused(self._ending[0], self._ending[1], number=number)
            if self.deadline is not None and self.house.clock.now() >= self.deadline:
                raise Refused(Why.DEADLINE, "this session's time is over", number=number)
            if self._thawed.is_set():
                return
            await self._thawed.wait()

    def _decide(self, operation: Operation) -> Decision:
        judge = self.house.judge
        try:
            decision = judge.decide(self.identity, self.target, operation)
        except Exception as fault:  # noqa: BLE001 - whatever went wrong in the policy, the answer is no
            return Decision(
                Effect.DENY, (), f"the policy could not be applied ({type(fault).__name__})", policy=judge.version
            )
        if not operation.facts.understood and decision.effect is not Effect.DENY:
            return Decision(Effect.DENY, (), f"not understood: {operation.facts.unknown}", policy=decision.policy)
        return decision

    def _granted(self, decision: Decision, operation: Operation) -> Grant | None:
        terms = decision.terms
        if terms is None or terms.scopes == (Scope.ONCE,):
            return None
        fingerprint = self.house.ledger.fingerprint(self.identity, self.target, operation)
        return self.house.approvals.granted(self.identity, self.target, terms.rule, fingerprint, self.house.clock.now())

    async def _wait(self, trail: _Trail, operation: Operation, decision: Decision, tell: Tell) -> None:
        """Hold until people say yes.

        Raises:
            Refused: they said no, nobody said anything in time, or the client took it back.
            CannotRecord: the hold could not be recorded.
        """
        terms, number = decision.terms, trail.number
        if terms is None:
            raise Refused(Why.ERROR, "the policy holds this operation without saying who may approve it", number=number)
        clock, approvals = self.house.clock, self.house.approvals
        try:
            approval, settled = approvals.open(
                self.id, number, self.identity, self.target, terms, decision.reason, clock.now()
            )
        except VoteRefused as full:
            raise Refused(Why.ERROR, str(full), rule=terms.rule, number=number) from None
        trail.approval = approval
        self.held[approval.number] = operation
        by = tuple(sorted(terms.by))
        try:
            self.record(
                Held(
                    number,
                    approval.number,
                    terms.rule,
                    decision.reason,
                    by,
                    terms.quorum,
                    terms.risk,
                    approval.expires_at,
                )
            )
            while not settled.done():
                remaining = approval.expires_at - clock.now()
                if self.deadline is not None:
                    remaining = min(remaining, self.deadline - clock.now())
                if remaining <= 0:
                    approvals.end(approval.number, Status.EXPIRED, clock.now())
                    break
                tell(approval, remaining)
                await asyncio.wait((settled,), timeout=min(self.house.tell_every, remaining))
            done = await settled
        finally:
            # Whatever ended the wait (also a cancelled task: the client is gone), nobody may approve it any more.
            approvals.end(approval.number, Status.WITHDRAWN, clock.now())
            self.held.pop(approval.number, None)
        trail.approval = done
        trail.by = done.last.by.key if done.last else ""
        if done.status is not Status.APPROVED:
            raise self._settled(number, done)
        self._leave_grant(done, operation)

    def _leave_grant(self, approval: Approval, operation: Operation) -> None:
        scope = approval.scope
        if scope is Scope.ONCE:
            return
        until = self.house.clock.now() + approval.terms.scope_lasts
        fingerprint = self.house.ledger.fingerprint(self.identity, self.target, operation)
        self._try_record(GrantGiven(approval.number, scope, approval.terms.rule, until))
        self.house.approvals.grant(
            Grant(scope, self.identity.key, self.target.name, approval.terms.rule, fingerprint, until, approval.number)
        )

    def _settled(self, number: int, approval: Approval) -> Refused:
        """The refusal for an approval that ended without a yes."""
        last = approval.last
        detail, hint = approval.rule_words, ""
        match approval.status:
            case Status.DENIED:
                words = f": {last.reason}" if last and last.reason else ""
                why, message = Why.DENIED, f"denied by {last.by.name if last else 'an approver'}{words}"
            case Status.EXPIRED:
                why, message = Why.EXPIRED, "nobody approved it in time"
                hint = "ask the people who may approve it, then send it again"
            case Status.KILLED:
                why, message = Why.KILLED, self._ending[1] if self._ending else "the session was killed"
            case Status.UNRECORDED:
                why, message = Why.UNRECORDED, "hooptui cannot record this operation, so it may not run"
            case Status.WITHDRAWN | Status.APPROVED | Status.WAITING:
                why, message = Why.WITHDRAWN, "withdrawn by the client before a verdict"
        return Refused(why, message, rule=approval.terms.rule, detail=detail, hint=hint, number=number)

    def _asked(self, number: int, operation: Operation) -> None:
        masker, facts = self.masker, operation.facts
        text = masker.text(operation.text)
        self.last, self.last_at = text, self.house.clock.now()
        self.history.append(text)
        parameters: tuple[Masked | None, ...] = ()
        if operation.parameters:
            parameters = tuple(None if value is None else masker.text(value) for value in operation.parameters)
        commands, relations = _listed(facts)
        self.record(Asked(number, operation.verb, text, commands, relations, parameters))

    def _verdict(self, effect: str, trail: _Trail) -> None:
        decision = trail.decision
        rules, reason, policy = (decision.rules, decision.reason, decision.policy) if decision else ((), "", "")
        approval = trail.approval.number if trail.approval else 0
        self.record(Decided(trail.number, effect, trail.why, rules, reason, policy, approval, trail.by))

    def _refusal(self, trail: _Trail) -> None:
        """Record a refusal; that it cannot be recorded does not make it an allow."""
        try:
            self._verdict("deny", trail)
        except CannotRecord:
            return

    def _try_record(self, body: Body) -> None:
        """Record what has happened whether or not it can be recorded; the journal raises its own alarm."""
        try:
            self.record(body)
        except CannotRecord:
            return


@lru_cache(maxsize=4096)
def _listed(facts: Facts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Commands and relations in a stable order, for the record."""
    return tuple(sorted(facts.commands | facts.neutral)), tuple(sorted(facts.reads | facts.writes))
