"""One client connection by one identity to one target, and the one question it may ask.

`ask` is the only way to a `Permit`: write-ahead record, policy, waiting for people and the verdict's record are inside it,
in written order. `enter` comes before it where only people can let the identity in. Runs on the gateway's loop; knows no socket, no file and no screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from hooptui.core import entering, granting, hold
from hooptui.core.account import Account, Trail
from hooptui.core.approvals import Status
from hooptui.core.events import DeadlineMoved, Decided, Frozen, GrantEnded, GrantGiven, KillAsked, KillDone
from hooptui.core.gate import CannotRecord, Killed, Permit, Refused, Why, mint
from hooptui.core.group import Refusals
from hooptui.core.house import House
from hooptui.core.model import (
    Access,
    Bound,
    Decision,
    Effect,
    Grant,
    Identity,
    Operation,
    Scope,
    Target,
    nothing,
)
from hooptui.core.ports import Channel, Tell
from hooptui.core.vocabulary import GROUPS, KUBERNETES_READS, SSH_LOOKS

State = Literal["live", "running", "held", "frozen", "ending", "closed"]

READ_ONLY = GROUPS["reads"] | SSH_LOOKS | KUBERNETES_READS | {"listen", "review", "dry_run"}
"""Effects that change nothing; whatever goes beyond waits until its verdict is on stable storage."""

NO_BOUNDS: Mapping[Bound, float] = MappingProxyType({})


class Session(Account):
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
        bounds: Mapping[Bound, float] = NO_BOUNDS,
        lease: str = "",
        access: Access | None = None,
        purpose: str = "",
        emergency: str = "",
    ) -> None:
        """`bounds` are Unix seconds at which each thing that limits this session ends it; the earliest counts.

        `access`, when only people can let it in: `enter` must succeed before the first `ask`. `purpose` is the client's own
        word on why; with `emergency`, a reason too, it breaks the glass where the rule lets it."""
        super().__init__(house, number, identity, target, peer=peer, application=application, lease=lease)
        self.bounds = dict(bounds)
        self.deadline = min(self.bounds.values(), default=None)
        self.access = access
        """What it still waits for; None once it is in."""
        self.purpose = purpose
        self.emergency = emergency
        self.grant: Grant | None = None
        """The just-in-time access that it is in by."""
        self.granted: frozenset[str] = frozenset()
        """The granting rules that count as allows for it."""
        self.on_deadline: Callable[[], None] = _nothing
        """Called when `deadline` has moved; the gateway's timer."""
        self.channel: Channel | None = None
        self.held: dict[int, Operation] = {}
        """What waits, by the number of its approval; raw, for the estimate that a reviewer asks for."""
        self.refusals = Refusals()
        self._ending: tuple[Why, str] | None = None
        self._frozen = False
        self._thawed = asyncio.Event()
        self._thawed.set()

    # --- what the screen reads

    @property
    def state(self) -> State:
        if self._closed:
            return "closed"
        if self._ending is not None:
            return "ending"
        if self._frozen:
            return "frozen"
        if self.held:
            return "held"
        return "running" if self._running else "live"

    # --- the one question

    def ask_at_once(self, operation: Operation) -> Permit | None:
        """`ask`, without a coroutine, for what most operations are: one that changes nothing and that the policy allows at once.

        None: it is not, nothing has happened, and `ask` has the answer. The record is the same, in the same order.

        Raises:
            Refused: it could not be recorded.
        """
        if (
            self._ending is not None
            or self.access is not None
            or self._frozen
            or (self.deadline is not None and self.house.clock.now() >= self.deadline)
            or not operation.facts.commands <= READ_ONLY
        ):
            return None
        decision = self._decide(operation)
        if decision.effect is not Effect.ALLOW:
            return None
        number = self.counters.operations = self.counters.operations + 1
        try:
            verdict = Decided(number, "allow", "policy", decision.rules, decision.reason, decision.policy, 0, "")
            self.record_all([self.asked(number, operation), verdict])
        except CannotRecord as broken:
            trail = Trail(number)
            trail.decision = decision
            raise self._unrecorded(trail, broken) from None
        return self._permit(number, decision)

    async def ask(self, operation: Operation, tell: Tell) -> Permit:
        """May this operation go to its target?

        Raises:
            Refused: no; nothing may be sent, and the reason is fit for the client.
        """
        self.counters.operations += 1
        number = self.counters.operations
        trail = Trail(number)
        if (
            self._ending is not None
            or self.access is not None
            or self._frozen
            or (self.deadline is not None and self.house.clock.now() >= self.deadline)
        ):
            await self._may_go_on(number)
        try:
            self.record(self.asked(number, operation))
            trail.decision = decision = self._decide(operation)
            while decision.effect is Effect.HOLD:
                grant = granting.granted(self, decision, operation)
                if grant is not None:
                    trail.approval, trail.grant, trail.grouped = None, grant.approval, grant.scope is Scope.GROUP
                    trail.why, trail.by = "granted", f"approval #{grant.approval}"
                    break
                if (no := granting.refused(self, decision, operation)) is not None:
                    trail.approval, trail.by = no, no.last.by.key if no.last else ""
                    raise hold.refusal(number, no, "")
                await self._wait(trail, operation, decision, tell)
                trail.why = "approved"
                await self._may_go_on(number)
                # The policy may have changed while people thought; what they approved stands only if it still suffices.
                again = self._decide(operation)
                enough = again.effect is not Effect.HOLD or again.terms == decision.terms
                trail.decision = decision = again
                if enough:
                    break
            if decision.effect is Effect.DENY:
                rule = decision.rules[0] if decision.rules else ""
                raise Refused(Why.POLICY, decision.reason, rule=rule, hint=decision.hint, number=number)
            self.verdict("allow", trail)
            left = granting.left(self, trail, operation)
            if trail.approval is not None or not operation.facts.commands <= READ_ONLY:
                await self.house.ledger.durable()
            if self._ending is not None:
                raise Refused(self._ending[0], self._ending[1], number=number)
            if left is not None:
                self.house.approvals.grant(left)
        except CannotRecord as broken:
            raise self._unrecorded(trail, broken) from None
        except Refused as refused:
            trail.why = refused.why
            self.refusal(trail)
            raise
        except asyncio.CancelledError:
            trail.why = Why.WITHDRAWN
            self.refusal(trail)
            raise
        return self._permit(number, decision, granting.only(trail, operation))

    async def enter(self, tell: Tell) -> None:
        """Wait until people let this session in, when nobody else can; returns at once when it is in.

        Raises:
            Refused: they did not; the connection is to be closed with the reason, which is fit for the client.
        """
        access = self.access
        if access is None:
            return
        self.counters.operations += 1
        trail = Trail(self.counters.operations)
        operation = Operation(self.target.protocol, "connect", self.purpose or "access", nothing(self.target.protocol))
        try:
            self.record(self.asked(trail.number, operation))
            wanted: Access | None = access
            while wanted is not None:
                access = wanted
                trail.decision = decision = entering.wanted(self, access)
                await self._may_go_on(trail.number, entering=True)
                await self._wait(trail, operation, decision, entering.in_emergency(self, tell), access.rules)
                await self._may_go_on(trail.number, entering=True)
                # As in `ask`: what was approved stands only if it still suffices.
                wanted = entering.still_wanted(self, access, trail.number)
            trail.why = "approved"
            self.verdict("allow", trail)
            self.let_in(await self._give_access(trail, access))
        except CannotRecord as broken:
            trail.why = Why.UNRECORDED
            self.refusal(trail)
            message = "hooptui cannot record this session, so it is not opened"
            raise Refused(Why.UNRECORDED, message, detail=str(broken), number=trail.number) from None
        except Refused as refused:
            trail.why = refused.why
            self.refusal(trail)
            raise
        except asyncio.CancelledError:
            trail.why = Why.WITHDRAWN
            self.refusal(trail)
            raise

    def let_in(self, grant: Grant) -> None:
        """This session is in by `grant`, and ends with it.

        Raises:
            CannotRecord: the journal was not told; the session is not in.
        """
        self.bound(Bound.GRANT, grant.until, grant.approval)
        self.grant, self.granted, self.access = grant, grant.access, None

    def bound(self, which: Bound, until: float, approval: int = 0) -> None:
        """This is when `which` ends the session from now on: a grant (of `approval`) began, a token or lease was renewed.

        Raises:
            CannotRecord: the journal was not told, and nothing has changed.
        """
        after = {**self.bounds, which: until}
        deadline = min(after.values())
        self.record(DeadlineMoved(which, until, deadline, approval))
        self.bounds, self.deadline = after, deadline
        self.on_deadline()

    def closed(self, reason: str) -> None:
        """Record the end, once; open approvals are withdrawn, and what a review left for a group of this session is void."""
        self.withdraw()
        self.house.approvals.take_back(
            lambda one: one.scope is Scope.GROUP and one.fingerprint.startswith(f"{self.id} ")
        )
        if self._ending is None:
            self._ending = (Why.WITHDRAWN, "the session is over")
            self._thaw()
        super().closed(reason)

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
            self._frozen = True
            self._thawed.clear()
        else:
            self._thaw()
        self.record(Frozen(by, on))

    async def kill(self, by: str, reason: str) -> Killed:
        """Freeze, end what is held, stop the upstream and prove it; the journal is told before and after."""
        started = self.house.clock.monotonic()
        message = f"terminated by {by}: {reason}" if reason else f"terminated by {by}"
        self._end(Why.KILLED, message, Status.KILLED)
        self.try_record(KillAsked(by, self.masker.text(reason)))
        if self.channel is None:
            done = Killed(True, "the session had no upstream yet", self.house.clock.monotonic() - started)
        else:
            done = await self.channel.kill(message)
        self.try_record(KillDone(done.confirmed, done.how, round(done.seconds, 4)))
        self.closed(message)
        return done

    async def end(self, why: Why, message: str) -> None:
        """Its time is over, or the gateway drains: polite close."""
        self._end(why, message, Status.EXPIRED)
        if self.channel is not None:
            await self.channel.end(message)
        self.closed(message)

    # --- inside

    def _permit(self, number: int, decision: Decision, only: str = "") -> Permit:
        """The end of `ask` and of `ask_at_once`, and of nothing else."""
        self._running += 1
        return mint(number, decision.rules, only)

    def _thaw(self) -> None:
        self._frozen = False
        self._thawed.set()

    def _unrecorded(self, trail: Trail, broken: CannotRecord) -> Refused:
        """The refusal of what could not be recorded; that is recorded where it can be."""
        trail.why = Why.UNRECORDED
        self.refusal(trail)
        message = "hooptui cannot record this operation, so it may not run"
        return Refused(Why.UNRECORDED, message, detail=str(broken), number=trail.number)

    def _end(self, why: Why, message: str, status: Status) -> None:
        if self._ending is None:
            self._ending = (why, message)
        self._thaw()
        for number in tuple(self.held):
            self.house.approvals.end(number, status, self.house.clock.now())

    async def _may_go_on(self, number: int, *, entering: bool = False) -> None:
        while True:
            if self._ending is not None:
                raise Refused(self._ending[0], self._ending[1], number=number)
            if self.deadline is not None and self.house.clock.now() >= self.deadline:
                raise Refused(Why.DEADLINE, "this session's time is over", number=number)
            if self.access is not None and not entering:
                raise Refused(Why.POLICY, "nobody has let this session in yet", number=number)
            if not self._frozen:
                return
            await self._thawed.wait()

    def _decide(self, operation: Operation) -> Decision:
        judge = self.house.judge
        try:
            decision = judge.decide(self.identity, self.target, operation, self.granted)
        except Exception as fault:  # noqa: BLE001 - whatever went wrong in the policy, the answer is no
            return Decision(
                Effect.DENY, (), f"the policy could not be applied ({type(fault).__name__})", policy=judge.version
            )
        if not operation.facts.understood and decision.effect is not Effect.DENY:
            return Decision(Effect.DENY, (), f"not understood: {operation.facts.unknown}", policy=decision.policy)
        return decision

    async def _wait(
        self, trail: Trail, operation: Operation, decision: Decision, tell: Tell, access: frozenset[str] = frozenset()
    ) -> None:
        """Hold until people say yes; `trail` then knows who did.

        Raises:
            Refused: they said no, nobody said anything in time, or the client took it back.
            CannotRecord: the hold could not be recorded.
        """
        terms = decision.terms
        if terms is None:
            message = "the policy holds this operation without saying who may approve it"
            raise Refused(Why.ERROR, message, number=trail.number)
        done = await hold.wait(self, trail.number, operation, terms, decision.reason, tell, access)
        trail.approval = done
        trail.by = done.last.by.key if done.last else ""
        trail.grouped = done.scope is Scope.GROUP
        if done.status is not Status.APPROVED:
            if done.status in (Status.DENIED, Status.EXPIRED):
                self.refusals.add(done)
            raise hold.refusal(trail.number, done, self._ending[1] if self._ending else "")

    async def _give_access(self, trail: Trail, access: Access) -> Grant:
        """The grant that an approved request leaves, from the moment of its approval; in force once it is on stable storage.

        Raises:
            CannotRecord: it could not be journaled and is not in force.
            Refused: the session ended meanwhile, and it is not in force.
        """
        approval = trail.approval
        if approval is None or approval.settled_at is None:
            raise Refused(Why.ERROR, "access was approved by nobody", number=trail.number)
        who, target, rule = self.identity.key, self.target.name, access.terms.rule
        until = approval.settled_at + approval.lasts
        self.record(GrantGiven(approval.number, "access", rule, until))
        try:
            await self.house.ledger.durable()
            if self._ending is not None:
                raise Refused(self._ending[0], self._ending[1], number=trail.number)
            grant = Grant(Scope.RULE, who, target, rule, "", until, approval.number, access.rules)
            self.house.approvals.grant(grant)
        except BaseException:
            self.try_record(GrantEnded(approval.number, who, target, "", self.masker.text("it never came into force")))
            raise
        return grant


def _nothing() -> None:
    return
