"""For any run of sessions, votes, grants, kills and failures: the journal alone says who let what through, and it is what happened."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hooptui.audit.codec import decode_event, encode_event
from hooptui.audit.evidence import Proof
from hooptui.audit.proof import prove
from hooptui.core.approvals import Approval, Status, Vote, VoteRefused
from hooptui.core.desk import JournalLine
from hooptui.core.events import Event, GrantEnded
from hooptui.core.events_people import LeaseIssued
from hooptui.core.gate import CannotRecord, Masked, Refused, Why
from hooptui.core.house import House
from hooptui.core.model import Bound, Grant, Scope
from hooptui.core.session import Session
from hooptui.policy.decide import PolicyJudge
from tests.audit.running import RULES, TEXTS, VOTERS, WHO, Client, operation
from tests.core.world import Book, Line, house
from tests.golden.virtual import LoopClock, VirtualLoop, settle
from tests.policy.making import PROD


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.book = Book()
        self.judge = PolicyJudge(RULES)
        self.clock = LoopClock(self.loop)
        self.house: House = house(self.judge, self.book, self.clock)  # type: ignore[arg-type]  # a judge is a judge
        self.clients: dict[str, Client] = {}
        self.seen: dict[int, tuple[str, int]] = {}
        """Session and operation of every approval that ever waited."""
        self.votes: dict[int, list[Vote]] = {}
        self.grants: dict[int, Grant] = {}

        counted = self.house.approvals.vote

        def vote(number: int, ballot: Vote) -> Approval:
            """As it is, and written down here too, for some votes are cast by clients in an emergency."""
            after = counted(number, ballot)
            self.votes.setdefault(number, []).append(ballot)
            self.seen[number] = (after.session, after.operation)
            return after

        self.house.approvals.vote = vote  # type: ignore[method-assign]  # only to hear

    def teardown(self) -> None:
        async def end() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.loop.run_until_complete(end())
        asyncio.set_event_loop(None)
        self.loop.close()

    def let_happen(self, seconds: float = 0.0) -> None:
        async def happen() -> None:
            if seconds:
                await asyncio.sleep(seconds)
            await settle()
            for client in self.clients.values():
                session = client.session
                if session.deadline is not None and session.deadline <= self.clock.now() and session.state != "closed":
                    await session.end(Why.DEADLINE, "over")
            await settle()

        self.loop.run_until_complete(happen())
        for grant in self.house.approvals.grants(self.clock.now()):
            self.grants[grant.approval] = grant

    # --- what clients do

    @rule(
        who=st.sampled_from(sorted(WHO)),
        emergency=st.sampled_from(["", "", "INC-9"]),
        lease=st.booleans(),
        lasts=st.sampled_from([None, 90.0]),
    )
    def connects(self, who: str, emergency: str, lease: bool, lasts: float | None) -> None:
        by, name = WHO[who], f"s{len(self.clients)}"
        now = self.clock.now()
        bounds = {Bound.TOKEN: now + lasts} if lasts else {}
        number = f"hl_{len(self.clients)}" if lease else ""
        admission = self.judge.admits(by, PROD)
        session = Session(
            self.house, name, by, PROD, peer="p", application="psql", bounds=bounds, lease=number,
            access=admission.access, purpose="INC-1", emergency=emergency,
        )  # fmt: skip
        session.channel = Line()
        rules = admission.access.rules if admission.access else frozenset[str]()
        grant = self.house.approvals.access(by, PROD, rules, now)
        try:
            if lease:
                issued = LeaseIssued(
                    number,
                    by.issuer,
                    by.subject,
                    Masked(by.name),
                    (),
                    by.kind,
                    by.owner or "",
                    "device",
                    "p",
                    now + 999,
                )
                self.book.append(Event(now, "", issued))
            session.opened()
            if grant is not None:
                session.let_in(grant)
        except CannotRecord:
            return
        client = Client(session, None, number)
        self.clients[name] = client

        async def enter() -> None:
            client.entering = asyncio.create_task(session.enter(lambda approval, remaining: None))
            await settle()

        if session.access is not None:
            self.loop.run_until_complete(enter())
        self.note()

    def client(self, which: int) -> Client:
        return list(self.clients.values())[which % len(self.clients)]

    @precondition(lambda self: self.clients)
    @rule(which=st.integers(0, 20), text=st.sampled_from(sorted(TEXTS)))
    def asks(self, which: int, text: str) -> None:
        self.ask(self.client(which), text)

    def live(self) -> list[Client]:
        """Who can do something, those first whom a grant lets do more."""
        grants = {grant.identity for grant in self.house.approvals.grants(self.clock.now())}
        live = [client for client in self.clients.values() if client.session.state == "live"]
        return sorted(live, key=lambda client: client.session.identity.key not in grants)

    @precondition(lambda self: self.live() and self.house.approvals.grants(self.clock.now()))
    @rule(which=st.integers(0, 1), text=st.sampled_from(["SELECT 1", "UPDATE 1", "UPDATE 1", "DELETE 1", "DELETE 2"]))
    def asks_what_may_be_granted(self, which: int, text: str) -> None:
        live = self.live()
        self.ask(live[which % len(live)], text)

    def ask(self, client: Client, text: str) -> None:
        number = client.session.counters.operations + 1

        async def ask() -> None:
            task = asyncio.create_task(client.session.ask(operation(text), lambda approval, remaining: None))
            client.asking[number] = (text, task)
            await settle()

        self.loop.run_until_complete(ask())
        self.note()

    @precondition(lambda self: self.clients)
    @rule(
        which=st.integers(0, 20),
        how=st.sampled_from(["thaw"] * 6 + ["cancel", "withdraw", "kill", "close", "freeze"]),
    )
    def ends(self, which: int, how: str) -> None:
        client = self.client(which)

        async def end() -> None:
            match how:
                case "cancel":
                    for _, task in client.asking.values():
                        task.cancel()
                    if client.entering is not None:
                        client.entering.cancel()
                case "withdraw":
                    client.session.withdraw()
                case "kill":
                    await client.session.kill("ops", "no")
                case "close":
                    client.session.closed("gone")
                case _:
                    try:
                        client.session.freeze(how == "freeze", "ops")
                    except CannotRecord:
                        return
            await settle()

        self.loop.run_until_complete(end())
        self.note()

    # --- what people do

    @precondition(lambda self: self.house.approvals.waiting())
    @rule(
        which=st.integers(0, 20),
        who=st.sampled_from(["a", "a", "b", "b", "c", *sorted(VOTERS)]),
        approve=st.sampled_from([True, True, True, True, False]),
        scope=st.sampled_from([*Scope]),
        lasts=st.sampled_from([None, None, 30.0, 500.0]),
        glass=st.sampled_from([False, False, True]),
    )
    def votes_on(self, which: int, who: str, approve: bool, scope: Scope, lasts: float | None, glass: bool) -> None:
        waiting = self.house.approvals.waiting()
        approval = waiting[which % len(waiting)]
        ballot = Vote(VOTERS[who], approve, Masked("INC-1"), scope, self.clock.now(), lasts, glass)
        try:
            self.house.approvals.vote(approval.number, ballot)
        except (VoteRefused, CannotRecord):
            return
        self.note()

    @precondition(lambda self: self.house.approvals.waiting())
    @rule(scope=st.sampled_from([*Scope]), lasts=st.sampled_from([None, 30.0, 120.0]))
    def people_agree(self, scope: Scope, lasts: float | None) -> None:
        """On whatever waits, by as many as it takes."""
        for approval in self.house.approvals.waiting():
            for who in ("a", "b", "c"):
                now = self.house.approvals.get(approval.number)
                if now is None:
                    break
                ballot = Vote(VOTERS[who], True, Masked(""), scope, self.clock.now(), lasts)
                try:
                    self.house.approvals.vote(approval.number, ballot)
                except (VoteRefused, CannotRecord):
                    continue
        self.note()

    @precondition(lambda self: self.house.approvals.grants(self.clock.now()))
    @rule(which=st.integers(0, 20))
    def takes_back(self, which: int) -> None:
        grants = self.house.approvals.grants(self.clock.now())
        wanted = grants[which % len(grants)]
        for gone in self.house.approvals.take_back(lambda grant: grant is wanted):
            ended = GrantEnded(gone.approval, gone.identity, gone.target, "ops", Masked(""))

            async def end(gone: Grant = gone) -> None:
                for client in self.clients.values():
                    if client.session.grant is not None and client.session.grant.approval == gone.approval:
                        await client.session.end(Why.DEADLINE, "taken back")

            self.loop.run_until_complete(end())
            try:
                self.book.append(Event(self.clock.now(), "", ended))
            except CannotRecord:
                return
        self.note()

    # --- what happens anyway

    @rule(seconds=st.sampled_from([1.0, 1.0, 20.0, 45.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.let_happen(seconds)
        self.note()

    @precondition(lambda self: self.clients)
    @rule(how=st.sampled_from(["broken", "sync_broken"]), spell=st.sampled_from([True, False, False, False]))
    def the_disk_ails(self, how: str, spell: bool) -> None:
        self.the_disk(how if spell else "well")

    @precondition(lambda self: self.book.broken or self.book.sync_broken)
    @rule()
    def the_disk_recovers(self) -> None:
        self.the_disk("well")

    def the_disk(self, how: str) -> None:
        self.book.broken = "full" if how == "broken" else ""
        self.book.sync_broken = "full" if how == "sync_broken" else ""
        if how != "well":
            self.house.approvals.end_all(Status.UNRECORDED, self.clock.now())
            self.let_happen()
        self.note()

    # --- what must be so

    def note(self) -> None:
        """Everything settles, and what waits is written down here too."""
        self.let_happen()
        for approval in self.house.approvals.waiting():
            self.seen[approval.number] = (approval.session, approval.operation)

    def yes(self, number: int) -> tuple[frozenset[str], bool]:
        votes = self.votes.get(number, [])
        assert all(vote.approve for vote in votes), "one no ends it"
        return frozenset(vote.by.key for vote in votes), any(vote.break_glass for vote in votes)

    def own(self, client: Client, operation: int) -> int:
        """The approval of this very operation that was approved."""
        numbers = [number for number, of in self.seen.items() if of == (client.session.id, operation)]
        return max((number for number in numbers if self.votes.get(number)), default=0)

    def earlier(self, client: Client, text: str, rule: str) -> int:
        """A grant that an approval of an operation left, and that covers this one."""
        for number, grant in self.grants.items():
            same = grant.identity == client.session.identity.key and not grant.access and grant.rule == rule
            words = self.texts().get(number)
            if same and (grant.scope is Scope.RULE or words == text):
                return number
        return 0

    def texts(self) -> dict[int, str]:
        return {
            number: self.clients[name].asking[asked][0]
            for number, (name, asked) in self.seen.items()
            if asked in self.clients[name].asking
        }

    def proofs(self) -> dict[tuple[str, int], Proof]:
        events = [decode_event(encode_event(event)) for event in self.book.events]
        return {
            (proof.session, proof.operation): proof
            for proof in prove(JournalLine(seq, event) for seq, event in enumerate(events, 1))
        }

    @invariant()
    def the_journal_says_what_happened(self) -> None:
        proofs = self.proofs()
        through: set[tuple[str, int]] = set()
        for name, client in self.clients.items():
            session = client.session
            if client.entering is not None and client.entering.done():
                entered = not client.entering.cancelled() and client.entering.exception() is None
                assert entered == (session.grant is not None and session.access is None)
                if entered:
                    assert session.grant is not None
                    through.add((name, 1))
                    self.check(proofs[name, 1], client, *self.yes(session.grant.approval))
                elif not client.entering.cancelled():
                    assert isinstance(client.entering.exception(), Refused)
            for number, (text, task) in client.asking.items():
                if not task.done() or task.cancelled():
                    continue
                if task.exception() is not None:
                    assert isinstance(task.exception(), Refused)
                    continue
                through.add((name, number))
                people, loud = frozenset[str](), False
                decision = self.judge.decide(session.identity, PROD, operation(text), session.granted)
                if decision.terms is not None:
                    own = self.own(client, number)
                    people, loud = self.yes(own or self.earlier(client, text, decision.terms.rule))
                    assert people, "what is held is let go by somebody"
                    if own == 0:
                        assert proofs[name, number].grant is not None
                if session.granted & set(task.result().rules):
                    assert session.grant is not None
                    more, louder = self.yes(session.grant.approval)
                    people, loud = people | more, loud or louder
                self.check(proofs[name, number], client, people, loud)
        assert {key for key, proof in proofs.items() if proof.allowed} == through

    def check(self, proof: Proof, client: Client, people: frozenset[str], loud: bool) -> None:
        assert proof.problems == ()
        assert proof.allowed and proof.lines
        assert proof.who.key == client.session.identity.key
        assert (proof.lease.lease.lease if proof.lease else "") == client.lease
        assert proof.people == people
        assert proof.emergency == loud
        owner = client.session.identity.owner
        if not loud:
            assert not people & {client.session.identity.key, owner}, "nobody judges their own"

    @invariant()
    def grants_come_from_a_written_yes(self) -> None:
        for grant in self.house.approvals.grants(self.clock.now()):
            people, _ = self.yes(grant.approval)
            assert people
            if grant.access:
                settled = max(vote.at for vote in self.votes[grant.approval])
                assert grant.until <= settled + 300
        for client in self.clients.values():
            if client.session.grant is not None:
                assert client.session.deadline is not None
                assert client.session.deadline <= client.session.grant.until


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=100, stateful_step_count=40, deadline=None, derandomize=True)
