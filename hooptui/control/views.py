"""The gateway's state as immutable values for a screen. Runs on the gateway's loop; changes nothing."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from functools import partial

from hooptui.audit import replay
from hooptui.audit.journal import tail
from hooptui.audit.verify import verify as verify_state
from hooptui.control.facts import facts_of
from hooptui.core.approvals import Approval, VoteRefused
from hooptui.core.desk import (
    GrantView,
    Health,
    HeldView,
    JournalLine,
    LeaseView,
    RecordingView,
    Review,
    SessionView,
    Snapshot,
    VerifyView,
)
from hooptui.core.events import Event
from hooptui.core.gate import Masked
from hooptui.core.group import Group
from hooptui.core.model import Operation, Scope
from hooptui.core.session import Session
from hooptui.door.seat import Seat
from hooptui.gateway import VIA, Gateway
from hooptui.protocols.kubernetes.channel import KubernetesChannel
from hooptui.protocols.postgres.catalogue import CatalogueFailed

SHOWN = 1000
"""Characters of a statement in a row; the review shows the same text, so that what is approved is what was seen."""

_NODE = re.compile(r"^\s*(?:->\s*)?(?P<node>[A-Z].*?)\s+\(cost=\S+ rows=(?P<rows>\d+) ", re.MULTILINE)
"""One node of a plan in EXPLAIN's text format."""

FIRST = 5
"""Objects of a group that its row in Held names."""

LISTED = 1000
"""Leases, and grants, that one look shows."""

DEFAULT_PATH = '"$user", public'
"""PostgreSQL's own search_path, for sessions of which nothing else is known."""


class Views:
    """Reads one gateway for whoever sits at one desk."""

    def __init__(self, gateway: Gateway, seat: Seat) -> None:
        self.gateway = gateway
        self.seat = seat

    def snapshot(self) -> Snapshot:
        gateway = self.gateway
        now = gateway.clock.now()
        operator = self.seat.operator
        held = tuple(self._held(approval) for approval in gateway.approvals.waiting())
        journal = gateway.log.health
        health = Health(
            name=gateway.config.name,
            now=now,
            listeners=gateway.listeners,
            live=len(gateway.sessions),
            held=len(held),
            oldest_held=max((now - one.opened_at for one in held), default=0.0),
            journal_ok=journal.ok,
            journal_records=journal.records,
            journal_error=journal.error,
            loop_delay=gateway.loop_delay,
            policy=gateway.policy.version[:8],
            policy_error=gateway.policy.error,
            draining=gateway.draining,
            operator=str(gateway.mask(operator.name)) if operator else "",
            operator_key=operator.key if operator else "",
            operator_groups=tuple(sorted(operator.groups)) if operator else (),
            operator_until=operator.expires_at if operator else None,
            may_log_in=gateway.seats.may_log_in,
        )
        sessions = tuple(gateway.sessions.values())
        return Snapshot(
            health,
            tuple(_row(session) for session in sessions),
            held,
            leases=self._leases(sessions),
            grants=self._grants(sessions),
            blocks=gateway.keeper.blocks(),
        )

    def _leases(self, sessions: tuple[Session, ...]) -> tuple[LeaseView, ...]:
        users = Counter(session.lease for session in sessions)
        live = sorted(self.gateway.keeper.leases.live(), key=lambda lease: lease.expires_at)
        return tuple(
            LeaseView(
                lease.id,
                self.gateway.mask(lease.identity.name),
                lease.identity.key,
                lease.identity.kind,
                lease.identity.owner or "",
                lease.how,
                lease.issued_at,
                lease.expires_at,
                users[lease.id],
            )
            for lease in live[:LISTED]
        )

    def _grants(self, sessions: tuple[Session, ...]) -> tuple[GrantView, ...]:
        users = Counter(session.grant.approval for session in sessions if session.grant is not None)
        live = sorted(self.gateway.approvals.grants(self.gateway.clock.now()), key=lambda grant: grant.until)
        return tuple(
            GrantView(
                grant.approval,
                grant.identity,
                grant.target,
                "access" if grant.access else grant.scope,
                grant.rule,
                grant.until,
                users[grant.approval],
            )
            for grant in live[:LISTED]
        )

    async def review(self, number: int) -> Review | None:
        """Everything a reviewer should see, the target's own estimate included."""
        gateway = self.gateway
        approval = gateway.approvals.get(number)
        session = gateway.sessions.get(approval.session) if approval else None
        operation = session.held.get(number) if session else None
        if approval is None or session is None or operation is None:
            return None
        estimate = await self._estimate(session, operation, approval.group)
        return Review(
            held=self._held(approval),
            estimate=session.masker.text(estimate),
            peer=session.peer,
            application=session.application,
            groups=tuple(sorted(session.identity.groups)),
            opened_at=session.opened_at,
            history=tuple(session.history)[:-1],
            may_vote=self._may_vote(approval),
            members=_members(session, approval),
            more=approval.group is not None and approval.group.more,
        )

    def _may_vote(self, approval: Approval) -> str:
        operator = self.seat.operator
        if operator is None:
            return "log in first" if self.gateway.seats.may_log_in else "no operator is configured on this gateway"
        try:
            approval.may(operator, self.gateway.clock.now(), approval.terms.by, own=False)
        except VoteRefused as no:
            return str(no)
        return ""

    async def _estimate(self, session: Session, operation: Operation, group: Group | None) -> str:
        """What the target's planner says, or in words why it says nothing; raw."""
        if operation.verb == "connect":
            return "a connection asks to be let in; nothing runs yet"
        if isinstance(session.channel, KubernetesChannel):
            return await session.channel.preview(group)
        if session.target.protocol != "postgres":
            return "no estimate: nothing plans a command before it runs"
        gate = self.gateway.postgres
        catalogue = gate.catalogue(session.target.name) if gate else None
        if catalogue is None:
            return "no estimate: the target is not served"
        if operation.facts.statements != 1:
            return "no estimate: more than one statement"
        try:
            plan = await catalogue.explain(operation.text, operation.context.get("search_path", DEFAULT_PATH))
        except CatalogueFailed as fault:
            return f"no estimate: {fault}"
        return summary(plan)

    def _held(self, approval: Approval) -> HeldView:
        session = self.gateway.sessions.get(approval.session)
        operation = session.held.get(approval.number) if session else None
        empty = Masked("")
        masker = session.masker if session else None
        facts = operation.facts if operation else None
        return HeldView(
            number=approval.number,
            session=approval.session,
            who=session.name if session else empty,
            target=approval.target.name,
            via=VIA[approval.target.protocol],
            opened_at=approval.opened_at,
            expires_at=approval.expires_at,
            text=masker.text(operation.text) if masker and operation else empty,
            verb=operation.verb if operation else "",
            relations=tuple(masker.text(one) for one in sorted(facts.reads | facts.writes)) if facts and masker else (),
            facts=tuple((label, masker.text(words)) for label, words in facts_of(operation))
            if operation and masker
            else (),
            rule=approval.terms.rule,
            rule_words=approval.rule_words,
            risk=approval.terms.risk,
            by=tuple(sorted(approval.terms.by)),
            quorum=approval.terms.quorum,
            approvals=approval.approvals,
            scopes=tuple(one for one in approval.scopes if one is not Scope.RUN or (operation and operation.run)),
            scope_lasts=approval.terms.scope_lasts,
            reason_required=approval.terms.reason_required,
            parameters=tuple(
                None if value is None or masker is None else masker.text(value)
                for value in (operation.parameters if operation else ())
            ),
            access=bool(approval.access),
            kind=approval.requester.kind,
            owner=approval.requester.owner or "",
            claimed=str(self.gateway.mask(approval.claim.by.name)) if approval.claim else "",
            claimed_at=approval.claim.at if approval.claim else 0.0,
            break_glass=tuple(sorted(approval.terms.break_glass)),
            group=len(approval.group.members) if approval.group else 0,
            members=_members(session, approval, FIRST),
        )

    # --- what is read from disk, off the loop

    async def transcript(self, session: str, after: int, limit: int) -> tuple[tuple[Event, ...], int]:
        return await asyncio.to_thread(replay.events, self.gateway.config.state_dir, session, after, limit)

    async def recordings(self) -> tuple[RecordingView, ...]:
        live = frozenset(self.gateway.sessions)
        return await asyncio.to_thread(replay.list_recordings, self.gateway.config.state_dir, live=live)

    async def journal(self, before: int | None, limit: int) -> tuple[JournalLine, ...]:
        return await asyncio.to_thread(partial(tail, self.gateway.config.state_dir, before=before, limit=limit))

    async def verify(self) -> VerifyView:
        await self.gateway.log.durable()
        return await asyncio.to_thread(verify_state, self.gateway.config.state_dir)


def _members(session: Session | None, approval: Approval, most: int | None = None) -> tuple[Masked, ...]:
    """The objects that one review covers, or the first of them, as its reviewer may see them."""
    if session is None or approval.group is None:
        return ()
    return tuple(session.masker.text(one.about) for one in approval.group.members[:most])


def summary(plan: str) -> str:
    """How many rows a plan expects to touch, and its nodes: `≈ 4 000 rows (EXPLAIN: Update on orders, Seq Scan on orders)`.

    A node that writes says nothing of rows itself; what feeds it does.
    """
    nodes = [(match["node"].strip(), int(match["rows"])) for match in _NODE.finditer(plan)]
    if not nodes:
        return plan.strip()
    writes = nodes[0][0].startswith(("Insert", "Update", "Delete", "Merge"))
    rows = nodes[1][1] if writes and len(nodes) > 1 else nodes[0][1]
    names = ", ".join(name for name, _ in nodes[:4]) + (" …" if len(nodes) > 4 else "")
    return f"≈ {rows:,} rows (EXPLAIN: {names})".replace(",", " ", f"{rows:,}".count(","))


def _row(session: Session) -> SessionView:
    counters = session.counters
    return SessionView(
        id=session.id,
        who=session.name,
        identity=session.identity.key,
        groups=tuple(sorted(session.identity.groups)),
        kind=session.identity.kind,
        target=session.target.name,
        via=VIA[session.target.protocol],
        peer=session.peer,
        application=session.application,
        opened_at=session.opened_at,
        deadline=session.deadline,
        operations=counters.operations,
        masked=counters.masked,
        bytes_out=counters.bytes_out,
        state=session.state,
        last=Masked(session.last[:SHOWN]),
        last_at=session.last_at,
        owner=session.identity.owner or "",
        lease=session.lease,
        bounds=tuple(sorted(((str(which), until) for which, until in session.bounds.items()), key=lambda one: one[1])),
        grant=session.grant.approval if session.grant else 0,
        purpose=session.masker.text(session.purpose) if session.purpose else None,
    )
