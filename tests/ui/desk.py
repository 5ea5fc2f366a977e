"""A desk over values in memory: it does what it is told and notes what it was asked. It looks at no clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hooptui.commands import TABLE
from hooptui.core.desk import (
    BlockView,
    Command,
    DeskClosed,
    HeldView,
    JournalLine,
    Outcome,
    RecordingView,
    Review,
    Snapshot,
    VerifyView,
)
from hooptui.core.events import Event
from hooptui.core.gate import Masked as M

LOGIN = {
    "verification_uri": "https://prod-eu.example:8443/device",
    "user_code": "WDJB-MJHT",
    "expires_in": 600,
}


class SceneWatch:
    """What was published since the last drain."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lost = 0
        self.open = True

    def drain(self) -> tuple[Sequence[Event], int]:
        events, lost = self.events, self.lost
        self.events, self.lost = [], 0
        return events, lost

    async def close(self) -> None:
        self.open = False


@dataclass
class SceneDesk:
    """A desk that does what it is told, and notes what it was asked."""

    state: Snapshot
    transcripts: dict[str, list[Event]] = field(default_factory=dict)
    lines: list[JournalLine] = field(default_factory=list)
    kept: tuple[RecordingView, ...] = ()
    reviews: dict[int, Review] = field(default_factory=dict)
    verified: VerifyView | None = None
    readonly: bool = False
    gone: str = ""
    ran: list[Command] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    watches: dict[str, list[SceneWatch]] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    """While set and not triggered, snapshots do not return: a slow desk."""
    asked: int = 0

    def _there(self) -> None:
        if self.gone:
            raise DeskClosed(self.gone)

    async def snapshot(self) -> Snapshot:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        self._there()
        return self.state

    async def review(self, number: int) -> Review | None:
        self._there()
        held = next((one for one in self.state.held if one.number == number), None)
        if held is None:
            return None
        return replace(self.reviews.get(number) or review_of(held), held=held)

    async def run(self, command: Command) -> Outcome:
        self._there()
        verb = TABLE[command.verb]
        known = {argument.name for argument in verb.args}
        assert set(command.args) <= known, f"{command} has arguments that the table does not know"
        assert {one.name for one in verb.args if one.required} <= set(command.args), f"{command} lacks an argument"
        self.ran.append(command)
        match command.verb:
            case "approve" | "deny":
                self.settle(int(command.args["number"]))
            case "break-glass":
                self.settle(int(command.args["number"]))
            case "claim":
                name, now = self.state.health.operator, self.state.health.now
                self.change_hold(int(command.args["number"]), claimed=name, claimed_at=now)
            case "freeze" | "thaw":
                self.change(command.args["session"], state="frozen" if command.verb == "freeze" else "live")
            case "block":
                self.block(command.args["identity"], command.args["reason"])
            case "unblock":
                blocks = tuple(one for one in self.state.blocks if one.identity != command.args["identity"])
                self.state = replace(self.state, blocks=blocks)
            case "revoke":
                self.revoke(command.args["what"])
            case "logout":
                self.health(operator="", operator_key="", operator_groups=(), operator_until=None)
            case "drain":
                self.health(draining=True)
            case _:
                pass
        default = {
            "approve": f"#{command.args.get('number')} approved",
            "deny": f"#{command.args.get('number')} denied",
            "freeze": f"{command.args.get('session')} frozen: no new operation starts until it is thawed",
            "thaw": f"{command.args.get('session')} thawed",
            "reload": "policy 1f3c9a02 is in force",
            "export": f"exported to exports/{command.args.get('session')}.txt",
            "drain": "draining: no new sessions",
            "claim": f"#{command.args.get('number')} is yours to look into",
            "break-glass": f"the glass is broken, and everybody is told: #{command.args.get('number')} approved",
            "block": f"locked out {command.args.get('identity')}",
            "unblock": f"{command.args.get('identity')} may log in again",
            "revoke": f"{command.args.get('what')} is taken back",
            "login": "open https://prod-eu.example/device and enter WDJB-MJHT",
            "logout": "ops-1 has left this desk",
        }.get(command.verb, command.verb)
        data = LOGIN if command.verb == "login" else {}
        return self.outcomes.get(command.verb, Outcome(True, default, data))

    async def watch(self, session: str) -> SceneWatch:
        self._there()
        watch = SceneWatch()
        self.watches.setdefault(session, []).append(watch)
        return watch

    async def transcript(self, session: str, *, after: int = 0, limit: int = 2000) -> tuple[tuple[Event, ...], int]:
        self._there()
        part = tuple(self.transcripts.get(session, [])[after : after + limit])
        return part, after + len(part)

    async def recordings(self) -> tuple[RecordingView, ...]:
        self._there()
        return self.kept

    async def journal(self, *, before: int | None = None, limit: int = 200) -> tuple[JournalLine, ...]:
        self._there()
        lines = [line for line in self.lines if before is None or line.seq < before]
        return tuple(lines[-limit:])

    async def verify(self) -> VerifyView:
        self._there()
        assert self.verified is not None
        return self.verified

    async def close(self) -> None:
        pass

    # --- the world's hand

    def publish(self, event: Event, *, record: bool = True) -> None:
        if record:
            self.transcripts.setdefault(event.session, []).append(event)
        for watch in self.watches.get(event.session, []):
            watch.events.append(event)

    def write(self, *events: Event) -> None:
        """Records at the end of the journal."""
        last = self.lines[-1].seq if self.lines else 0
        self.lines.extend(JournalLine(last + number, event) for number, event in enumerate(events, 1))
        self.health(journal_records=self.lines[-1].seq)

    def health(self, **changes: object) -> None:
        self.state = replace(self.state, health=replace(self.state.health, **changes))

    def later(self, seconds: float) -> None:
        health = self.state.health
        self.health(now=health.now + seconds)
        self._count()

    def change(self, session: str, **changes: object) -> None:
        sessions = tuple(replace(one, **changes) if one.id == session else one for one in self.state.sessions)
        self.state = replace(self.state, sessions=sessions)

    def hold(self, *held: HeldView) -> None:
        self.state = replace(self.state, held=(*self.state.held, *held))
        self._count()

    def change_hold(self, number: int, **changes: object) -> None:
        held = tuple(replace(one, **changes) if one.number == number else one for one in self.state.held)
        self.state = replace(self.state, held=held)

    def block(self, identity: str, reason: str) -> None:
        """Everything of an identity is gone, and it stands among the blocks."""
        gone = BlockView(identity, self.state.health.operator_key, M(reason), self.state.health.now)
        self.state = replace(
            self.state,
            sessions=tuple(one for one in self.state.sessions if one.identity != identity),
            leases=tuple(one for one in self.state.leases if one.identity != identity),
            grants=tuple(one for one in self.state.grants if one.identity != identity),
            blocks=(*self.state.blocks, gone),
        )
        self._count()

    def revoke(self, what: str) -> None:
        """A lease or a grant is gone, and the sessions that it opened."""
        self.state = replace(
            self.state,
            sessions=tuple(one for one in self.state.sessions if what not in (one.lease, str(one.grant))),
            leases=tuple(one for one in self.state.leases if one.id != what),
            grants=tuple(one for one in self.state.grants if str(one.approval) != what),
        )
        self._count()

    def settle(self, number: int) -> None:
        self.state = replace(self.state, held=tuple(one for one in self.state.held if one.number != number))
        self._count()

    def end(self, session: str) -> None:
        self.state = replace(self.state, sessions=tuple(one for one in self.state.sessions if one.id != session))
        self._count()

    def _count(self) -> None:
        held, now = self.state.held, self.state.health.now
        oldest = max((now - one.opened_at for one in held), default=0.0)
        self.health(live=len(self.state.sessions), held=len(held), oldest_held=oldest)


def review_of(held: HeldView) -> Review:
    return Review(
        held=held,
        estimate=M("≈ 41 000 of 41 020 (EXPLAIN: Delete on payments, Seq Scan)   locks payments"),
        peer="10.2.0.14:51844",
        application=M("psql"),
        groups=("agents", "billing"),
        opened_at=held.opened_at - 190,
        history=(
            M("BEGIN"),
            M("SELECT count(*) FROM payments"),
            M("SELECT id, state FROM payments WHERE state = 'stuck' LIMIT 20"),
        ),
        may_vote="",
    )
