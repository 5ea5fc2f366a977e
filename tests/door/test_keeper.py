"""What is taken back is gone: sessions die, leases and grants are void, and the agents of a person go with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hooptui.auth.leases import Leases, LeaseSettings
from hooptui.core.clock import ManualClock
from hooptui.core.events import Body, DeadlineMoved, GrantEnded
from hooptui.core.events_people import IdentityBlocked, IdentityUnblocked, LeaseEnded, LeaseIssued
from hooptui.core.gate import CannotRecord, LoginRefused, Masked
from hooptui.core.house import House
from hooptui.core.model import Bound, Grant, HoldTerms, Identity, Kind, Scope
from hooptui.core.session import Session
from hooptui.door.grants import KeptApprovals
from hooptui.door.keeper import Keeper
from hooptui.door.seat import Seat
from hooptui.store.sqlite import Store
from hooptui.store.trouble import StoreTrouble
from tests.core.world import DBA, ORDERS, Book, Clear, Line, Says, allow, house

ADA = Identity("https://idp", "ada", "ada", frozenset({"agents"}))
BOT = Identity("https://idp", "bot", "bot", frozenset({"agents"}), kind=Kind.AGENT, owner=ADA.key)
EVE = Identity("https://idp", "eve", "eve", frozenset({"agents"}))


class World:
    """A keeper over a real store, with sessions made by hand."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock()
        self.book = Book()
        self.events: list[Body] = []
        self.deaf = False
        self.troubles: list[str] = []
        self.house: House = replace(house(Says(lambda operation: allow()), self.book, self.clock))
        self.sessions: dict[str, Session] = {}
        self.path = path
        self.open()

    def open(self) -> None:
        self.store = Store(self.path)
        self.approvals = KeptApprovals(
            lambda approval, vote: None, self.store.grants, self.clock.now(), self.troubles.append
        )
        self.leases = Leases(self.store.leases, self.clock, self.store.key, LeaseSettings())
        self.keeper = Keeper(
            self.leases, self.store.blocks, self.approvals, self.clock,
            sessions=self.sessions, emit=self.emit, mask=Clear().text,
        )  # fmt: skip

    def restart(self) -> None:
        self.store.close()
        self.open()

    def emit(self, body: Body) -> None:
        if self.deaf:
            raise CannotRecord("the disk is full")
        self.events.append(body)

    def session(self, number: str, who: Identity, *, lease: str = "", until: float = 100.0) -> Session:
        bound = Bound.LEASE if lease else Bound.TOKEN
        made = Session(
            self.house, number, who, ORDERS, peer="127.0.0.1:5", application="psql", bounds={bound: self.clock.now() + until}, lease=lease
        )  # fmt: skip
        made.channel = Line()
        self.sessions[number] = made
        return made

    def access(self, who: Identity, number: int, until: float = 300.0) -> Grant:
        grant = Grant(Scope.RULE, who.key, ORDERS.name, "jit", "", self.clock.now() + until, number, frozenset({"jit"}))
        self.approvals.grant(grant)
        return grant


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "store.sqlite")


def line(session: Session) -> Line:
    assert isinstance(session.channel, Line)
    return session.channel


async def test_a_block_ends_everything_of_an_identity_and_of_its_agents(world: World) -> None:
    hers, its, other = world.session("a1", ADA), world.session("b1", BOT), world.session("e1", EVE)
    lease, _ = world.keeper.issue(ADA, "device", peer="p")
    bots, _ = world.keeper.issue(BOT, "exchange", peer="p")
    eves, _ = world.keeper.issue(EVE, "device", peer="p")
    world.access(ADA, 7)
    world.access(BOT, 8)
    world.access(EVE, 9)
    done = await world.keeper.block(ADA.key, DBA, "laptop stolen")
    assert (done.sessions, done.leases, done.grants, done.confirmed) == (2, 2, 2, True)
    assert line(hers).killed and line(its).killed and not line(other).killed
    assert "laptop stolen" in line(hers).killed[0]
    assert world.leases.live() == (eves,)
    assert [grant.approval for grant in world.approvals.grants(world.clock.now())] == [9]
    for who in (ADA, BOT):
        with pytest.raises(LoginRefused) as refused:
            world.keeper.check(who)
        assert refused.value.code == "identity-blocked"
        with pytest.raises(LoginRefused):
            world.keeper.issue(who, "device", peer="p")
    world.keeper.check(EVE)
    assert IdentityBlocked(ADA.key, DBA.key, Masked("laptop stolen"), 2, 2, 2) in world.events
    assert {body.lease for body in world.events if isinstance(body, LeaseEnded)} == {lease.id, bots.id}


async def test_a_block_outlives_a_restart_and_ends_by_hand_only(world: World) -> None:
    await world.keeper.block(ADA.key, DBA, "")
    world.restart()
    assert world.keeper.locked_out(ADA) and world.keeper.locked_out(BOT) and not world.keeper.locked_out(EVE)
    assert world.keeper.unblock(ADA.key, DBA)
    assert not world.keeper.unblock(ADA.key, DBA)
    world.restart()
    assert not world.keeper.locked_out(ADA)
    assert IdentityUnblocked(ADA.key, DBA.key) in world.events


async def test_a_block_that_cannot_be_recorded_blocks_and_an_unblock_does_not_unblock(world: World) -> None:
    hers = world.session("a1", ADA)
    world.deaf = True
    with pytest.raises(CannotRecord):
        await world.keeper.block(ADA.key, DBA, "")
    assert world.keeper.locked_out(ADA) and line(hers).killed
    with pytest.raises(CannotRecord):
        world.keeper.unblock(ADA.key, DBA)
    assert world.keeper.locked_out(ADA)


async def test_a_lease_that_cannot_be_recorded_is_none(world: World) -> None:
    world.deaf = True
    with pytest.raises(CannotRecord):
        world.keeper.issue(ADA, "device", peer="p")
    assert world.leases.live() == ()


async def test_a_lease_is_journaled_without_its_secret(world: World) -> None:
    lease, secret = world.keeper.issue(ADA, "device", peer="10.0.0.9:1")
    [issued] = [body for body in world.events if isinstance(body, LeaseIssued)]
    assert (issued.lease, issued.subject, issued.how, issued.peer) == (lease.id, "ada", "device", "10.0.0.9:1")
    assert secret.reveal().partition(".")[2] not in repr(world.events)


async def test_a_newer_proof_extends_what_it_vouches_for(world: World) -> None:
    token, leased = world.session("a1", ADA), world.session("a2", ADA, lease="hl_x")
    changed = world.session("a3", replace(ADA, groups=frozenset({"dba"})))
    other = world.session("e1", EVE)
    longer = world.session("a4", ADA, until=10_000.0)
    until = world.clock.now() + 500
    world.keeper.renew(replace(ADA, expires_at=until))
    assert token.deadline == until and leased.deadline == until
    assert leased.bounds == {Bound.LEASE: until}
    assert changed.deadline != until and other.deadline != until, "it says nothing about these"
    assert longer.deadline == world.clock.now() + 10_000, "a shorter proof takes nothing away"
    assert DeadlineMoved("token", until, until) in world.book.bodies(DeadlineMoved)


async def test_an_extension_moves_no_other_bound(world: World) -> None:
    session = world.session("a1", ADA)
    session.bound(Bound.GRANT, world.clock.now() + 50)
    world.keeper.renew(replace(ADA, expires_at=world.clock.now() + 500))
    assert session.deadline == world.clock.now() + 50


async def test_taking_back_a_lease_ends_what_it_opened(world: World) -> None:
    lease, _ = world.keeper.issue(ADA, "device", peer="p")
    by, beside = world.session("a1", ADA, lease=lease.id), world.session("a2", ADA)
    assert await world.keeper.revoke_lease(lease.id, DBA, "lost") == 1
    assert line(by).ended and not line(beside).ended
    assert "lost" in line(by).ended[0]
    assert await world.keeper.revoke_lease(lease.id, DBA, "") is None
    assert LeaseEnded(lease.id, "revoked", DBA.key) in world.events
    with pytest.raises(LoginRefused):
        world.leases.proved(lease.id)


async def test_taking_back_a_grant_ends_what_is_in_by_it(world: World) -> None:
    grant = world.access(ADA, 7)
    by, beside = world.session("a1", ADA), world.session("a2", ADA)
    by.let_in(grant)
    assert await world.keeper.revoke_grant(7, DBA, "done") == 1
    assert line(by).ended and not line(beside).ended
    assert world.approvals.access(ADA, ORDERS, frozenset({"jit"}), world.clock.now()) is None
    assert GrantEnded(7, ADA.key, ORDERS.name, DBA.key, Masked("done")) in world.events
    assert await world.keeper.revoke_grant(7, DBA, "") is None


async def test_access_that_the_store_does_not_keep_is_not_given(world: World) -> None:
    world.store.close()
    with pytest.raises(CannotRecord, match="does not keep the grant"):
        world.access(ADA, 7)
    assert world.approvals.grants(world.clock.now()) == ()


async def test_a_block_kills_even_when_the_store_forgets_nothing(world: World) -> None:
    hers = world.session("a1", ADA)
    world.access(ADA, 7)
    world.store.close()
    with pytest.raises(StoreTrouble):
        await world.keeper.block(ADA.key, DBA, "")
    assert line(hers).killed and world.keeper.locked_out(ADA)
    assert world.approvals.grants(world.clock.now()) == ()
    assert any("#7 is over, but would be good again" in words for words in world.troubles)


async def test_access_outlives_a_restart_with_the_same_end_and_its_number(world: World) -> None:
    grant = world.access(ADA, 41)
    once = Grant(Scope.FINGERPRINT, ADA.key, ORDERS.name, "r", "f", world.clock.now() + 300, 42)
    world.approvals.grant(once)
    world.restart()
    assert world.approvals.grants(world.clock.now()) == (grant,), "what covers one statement is for one run"
    approval, _ = world.approvals.open("s", 1, ADA, ORDERS, _terms(), "", world.clock.now())
    assert approval.number == 42, "no number is said twice while a grant goes by it"
    world.clock.advance(301)
    world.restart()
    assert world.approvals.grants(world.clock.now()) == ()
    assert world.store.grants.all() == ()


def _terms() -> HoldTerms:
    from tests.core.world import TERMS

    return TERMS


def test_a_seat_is_the_local_operators_until_somebody_logs_in() -> None:
    clock = ManualClock()
    locked: set[str] = set()
    seat = Seat(DBA, clock, lambda who: who.key in locked)
    assert seat.operator is DBA
    person = replace(ADA, expires_at=clock.now() + 60)
    seat.sit(person)
    assert seat.operator is person
    clock.advance(60)
    assert seat.operator is DBA, "a login that is over decides nothing"
    seat.sit(replace(ADA, expires_at=None))
    locked.add(ADA.key)
    assert seat.operator is None, "who is locked out does not decide by the local operator's name either"
    assert seat.leave() is not None
    assert seat.operator is DBA
    assert Seat(None, clock, lambda who: False).operator is None
