"""One client connection by one identity to one target, and the one question it may ask.

`ask` is the only way to a `Permit`: write-ahead record, policy, waiting for people and the verdict's record are inside it,
in written order. Runs on the gateway's loop; knows no socket, no file and no screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hooptui.core.approvals import Approval, Approvals, Status, VoteRefused
from hooptui.core.bus import Bus
from hooptui.core.clock import Clock
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
from hooptui.core.model import Decision, Effect, Grant, Identity, MaskSet, Operation, Scope, Target
from hooptui.core.ports import Channel, Judge, Ledger, Masker, Tell

State = Literal["live", "running", "held", "frozen", "ending", "closed"]

READ_ONLY = frozenset({"select", "show", "explain", "copy_to", "listen"})
"""Effects that change nothing; whatever goes beyond waits until its verdict is on stable storage."""


@dataclass(slots=True)
class Counters:
    """What the session's row on the screen counts."""

    operations: int = 0
    masked: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class House:
    """What every session of a gateway shares."""

    judge: Judge
    ledger: Ledger
    approvals: Approvals
    bus: Bus
    clock: Clock
    make_masker: Callable[[MaskSet], Masker]
    tell_every: float = 5.0
    """Seconds between two reminders to a client whose operation is held."""
    recording_cap: int = 256 * 1024
    """Bytes of result rows kept for one operation."""


class Session:
    """See the module. `channel` is set by the proxy once it can be killed."""

    def __init__(
        self, house: House, number: str, identity: Identity, target: Target, *, peer: str, application: str, deadline: float | None
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
        self._held: set[int] = set()
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
        if self._held:
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
        event = Event(self.house.clock.now(), self.id, body)
        self.house.ledger.append(event)
        self.house.bus.publish(event)

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
        await self._may_go_on(number)
        masker = self.masker
        facts = operation.facts
        text = masker.text(operation.text)
        self.last, self.last_at = text, self.house.clock.now()
        try:
            self.record(
                Asked(
                    number, operation.verb, text, tuple(sorted(facts.commands | facts.neutral)), tuple(sorted(facts.reads | facts.writes)),
                    tuple(None if value is None else masker.text(value) for value in operation.parameters),
                )
            )  # fmt: skip
        except CannotRecord as broken:
            raise Refused(Why.UNRECORDED, "hooptui cannot record this operation, so it may not run", detail=str(broken), number=number) from None
        decision = self._decide(operation)
        by, why, approval = "", "policy", None
        while decision.effect is Effect.HOLD:
            grant = self._granted(decision, operation)
            if grant is not None:
                why, by = "granted", f"approval #{grant.approval}"
                break
            approval = await self._wait(number, operation, decision, tell)
            await self._may_go_on(number)
            last = approval.last
            why, by = "approved", last.by.key if last else ""
            again = self._decide(operation)
            if again.effect is not Effect.HOLD or again.terms == decision.terms:
                decision = again
                break
            decision = again
        if decision.effect is Effect.DENY:
            self._verdict(number, "deny", "policy", decision, approval, "")
            rule = decision.rules[0] if decision.rules else ""
            raise Refused(Why.POLICY, decision.reason, rule=rule, hint=decision.hint, number=number)
        try:
            self._record_verdict(number, "allow", why, decision, approval, by)
            if approval is not None or not facts.commands <= READ_ONLY:
                await self.house.ledger.durable()
        except CannotRecord as broken:
            raise Refused(Why.UNRECORDED, "hooptui cannot record this operation, so it may not run", detail=str(broken), number=number) from None
        if self._ending is not None:
            await self._may_go_on(number)
        self._running += 1
        return mint(number, decision.rules)

    def withdraw(self) -> None:
        """The client took back whatever it has held: it cancelled, or it is gone."""
        for number in tuple(self._held):
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
        for number in tuple(self._held):
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
            return Decision(Effect.DENY, (), f"the policy could not be applied ({type(fault).__name__})", policy=judge.version)
        if not operation.facts.understood and decision.effect is not Effect.DENY:
            return Decision(Effect.DENY, (), f"not understood: {operation.facts.unknown}", policy=decision.policy)
        return decision

    def _granted(self, decision: Decision, operation: Operation) -> Grant | None:
        terms = decision.terms
        if terms is None or terms.scopes == (Scope.ONCE,):
            return None
        fingerprint = self.house.ledger.fingerprint(self.identity, self.target, operation)
        return self.house.approvals.granted(self.identity, self.target, terms.rule, fingerprint, self.house.clock.now())

    async def _wait(self, number: int, operation: Operation, decision: Decision, tell: Tell) -> Approval:
        terms = decision.terms
        if terms is None:
            raise Refused(Why.ERROR, "the policy holds this operation without saying who may approve it", number=number)
        clock, approvals = self.house.clock, self.house.approvals
        try:
            approval, settled = approvals.open(self.id, number, self.identity, self.target, terms, decision.reason, clock.now())
        except VoteRefused as full:
            raise Refused(Why.ERROR, str(full), rule=terms.rule, number=number) from None
        self._held.add(approval.number)
        try:
            self.record(
                Held(number, approval.number, terms.rule, decision.reason, tuple(sorted(terms.by)), terms.quorum, terms.risk, approval.expires_at)
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
        except CannotRecord as broken:
            raise Refused(Why.UNRECORDED, "hooptui cannot record this operation, so it may not run", detail=str(broken), number=number) from None
        finally:
            # Whatever ended the wait (also a cancelled task: the client is gone), nobody may approve it any more.
            approvals.end(approval.number, Status.WITHDRAWN, clock.now())
            self._held.discard(approval.number)
        if done.status is Status.APPROVED:
            self._leave_grant(done, operation)
            return done
        raise self._settled(number, done, decision)

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

    def _settled(self, number: int, approval: Approval, decision: Decision) -> Refused:
        """The refusal for an approval that ended without a yes, journaled."""
        rule, hint = approval.terms.rule, ""
        last = approval.last
        match approval.status:
            case Status.DENIED:
                who = last.by.name if last else "an approver"
                words = f": {last.reason}" if last and last.reason else ""
                why, message, by = Why.DENIED, f"denied by {who}{words}", last.by.key if last else ""
            case Status.EXPIRED:
                why, message, by = Why.EXPIRED, "nobody approved it in time", ""
                hint = "ask the people who may approve, then send it again"
            case Status.KILLED:
                why, message, by = Why.KILLED, self._ending[1] if self._ending else "the session was killed", ""
            case Status.WITHDRAWN | Status.APPROVED | Status.WAITING:
                why, message, by = Why.WITHDRAWN, "withdrawn by the client before a verdict", ""
        self._verdict(number, "deny", why, decision, approval, by)
        return Refused(why, message, rule=rule, detail=decision.reason, hint=hint, number=number)

    def _record_verdict(self, number: int, effect: str, why: str, decision: Decision, approval: Approval | None, by: str) -> None:
        self.record(
            Decided(number, effect, why, decision.rules, decision.reason, decision.policy, approval.number if approval else 0, by)
        )

    def _verdict(self, number: int, effect: str, why: str, decision: Decision, approval: Approval | None, by: str) -> None:
        """Record a refusal; that it cannot be recorded does not make it an allow."""
        try:
            self._record_verdict(number, effect, why, decision, approval, by)
        except CannotRecord:
            return

    def _try_record(self, body: Body) -> None:
        try:
            self.record(body)
        except CannotRecord:
            return
