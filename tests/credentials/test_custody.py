"""Whoever mints: what is made is recorded, taken back whatever happens, and swept when that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hooptui.core.events import CredentialMinted
from hooptui.core.gate import CannotRecord
from hooptui.core.model import Bound
from hooptui.core.secret import Secret
from hooptui.core.session import Session
from hooptui.credentials.custody import Custody
from hooptui.credentials.mint import Minted, MintTrouble, Removed
from tests.core.world import BOT, ORDERS, Book, Says, allow, house


class Shelf:
    """A target that keeps credentials in memory and can be broken in each step."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.asked: list[tuple[str, str, float | None]] = []
        self.broken: dict[str, Exception] = {}
        self.slow = asyncio.Event()
        self.slow.set()
        self.swept = 0

    def name(self, session: str) -> str:
        return f"made_{session}"

    async def _do(self, step: str) -> None:
        await self.slow.wait()
        if step in self.broken:
            raise self.broken[step]

    async def issue(self, session: str, identity: str, until: float | None) -> Minted:
        self.asked.append((session, identity, until))
        self.there.add(self.name(session))
        await self._do("issue")
        return Minted("role", self.name(session), Secret("s3cret"), until or 0.0)

    async def retire(self, name: str) -> Removed:
        await self._do("retire")
        self.there.discard(name)
        return Removed("role", name, True, "gone")

    async def sweep(self, alive: Callable[[str], bool]) -> tuple[Removed, ...]:
        self.swept += 1
        await self._do("sweep")
        left = [name for name in sorted(self.there) if not alive(name)]
        stuck = "stuck" in self.broken
        if not stuck:
            self.there -= set(left)
        return tuple(Removed("role", name, not stuck, "stuck" if stuck else "gone") for name in left)


class Office:
    """A custody, what it told, and sessions to serve."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.book = Book()
        self.removed: list[tuple[str, str]] = []
        self.troubles: list[tuple[str, str, str]] = []
        self.custody = Custody(
            lambda: {"orders-db": self.shelf},
            removed=lambda target, one: self.removed.append((target, one.name)),
            trouble=lambda *words: self.troubles.append(words),
            every=0.01,
        )
        self._house = house(Says(lambda _: allow()), self.book)

    def session(self, number: str = "7f3a") -> Session:
        end = self._house.clock.now() + 300
        return Session(self._house, number, BOT, ORDERS, peer="x", application="y", bounds={Bound.GRANT: end})


@pytest.fixture
async def office() -> Office:
    return Office()


async def test_what_is_made_is_recorded_and_taken_back(office: Office) -> None:
    session = office.session()
    minted = await office.custody.issue(session, office.shelf)
    assert office.shelf.asked == [("7f3a", BOT.key, session.deadline)]
    assert office.book.bodies(CredentialMinted) == [CredentialMinted("role", "made_7f3a", minted.until)]
    await office.custody.sweep()
    assert office.shelf.there == {"made_7f3a"}, "its session lives"
    await office.custody.give_back("orders-db", office.shelf, minted.name)
    assert office.shelf.there == set() and office.removed == [("orders-db", "made_7f3a")] and office.troubles == []


async def test_what_cannot_be_recorded_is_taken_back_at_once(office: Office) -> None:
    office.book.broken = "disk full"
    with pytest.raises(CannotRecord):
        await office.custody.issue(office.session(), office.shelf)
    await office.custody.close()
    assert office.shelf.there == set() and office.removed == [("orders-db", "made_7f3a")]


async def test_a_cancelled_client_leaves_nothing(office: Office) -> None:
    office.shelf.slow.clear()
    task = asyncio.create_task(office.custody.issue(office.session(), office.shelf))
    while not office.shelf.asked:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    office.shelf.slow.set()
    await office.custody.close()
    assert office.shelf.there == set() and office.book.bodies(CredentialMinted) == []


async def test_a_failed_issue_is_swept(office: Office) -> None:
    office.shelf.broken["issue"] = MintTrouble("mint-timeout", "the answer was lost")
    with pytest.raises(MintTrouble):
        await office.custody.issue(office.session(), office.shelf)
    assert office.shelf.there == {"made_7f3a"}
    await office.custody.sweep()
    assert office.shelf.there == set()


@pytest.mark.parametrize(
    ("fault", "code"),
    [(MintTrouble("mint-unreachable", "down"), "mint-unreachable"), (RuntimeError("s3cret"), "mint-fault")],
)
async def test_a_failed_return_is_told_and_swept(office: Office, fault: Exception, code: str) -> None:
    minted = await office.custody.issue(office.session(), office.shelf)
    office.shelf.broken["retire"] = fault
    await office.custody.give_back("orders-db", office.shelf, minted.name)
    [(target, told, words)] = office.troubles
    assert (
        (target, told) == ("orders-db", code)
        and "made_7f3a could not be taken back yet" in words
        and "s3cret" not in words
    )
    assert office.removed == []
    await office.custody.sweep()
    assert office.removed == [("orders-db", "made_7f3a")]


async def test_a_credential_on_its_way_back_is_not_swept_beside(office: Office) -> None:
    minted = await office.custody.issue(office.session(), office.shelf)
    office.shelf.slow.clear()
    back = office.custody.give_back("orders-db", office.shelf, minted.name)
    await asyncio.sleep(0)
    sweep = asyncio.create_task(office.custody.sweep())
    await asyncio.sleep(0)
    office.shelf.slow.set()
    await asyncio.gather(back, sweep)
    assert office.removed == [("orders-db", "made_7f3a")]


async def test_the_operator_hears_the_same_trouble_once(office: Office) -> None:
    for fault, code in ((MintTrouble("mint-unreachable", "down"), "mint-unreachable"), (ValueError("x"), "mint-fault")):
        office.troubles.clear()
        office.shelf.broken = {"sweep": fault}
        for _ in range(3):
            await office.custody.sweep()
        assert [told for _, told, _ in office.troubles] == [code]
    office.shelf.broken = {"stuck": fault}
    office.shelf.there = {"made_1", "made_2"}
    office.troubles.clear()
    for _ in range(2):
        await office.custody.sweep()
    assert [words for _, _, words in office.troubles] == [
        f"credential made_{n} cannot be taken back: stuck" for n in (1, 2)
    ]
    office.shelf.broken = {}
    await office.custody.sweep()
    office.shelf.broken = {"sweep": MintTrouble("mint-unreachable", "down")}
    await office.custody.sweep()
    assert len(office.troubles) == 3, "it was well again in between"


async def test_it_sweeps_at_the_start_and_from_time_to_time(office: Office) -> None:
    office.shelf.there = {"made_before"}
    office.shelf.broken = {}
    office.custody.start()
    while office.shelf.swept < 3:
        await asyncio.sleep(0.001)
    await office.custody.close()
    assert office.removed == [("orders-db", "made_before")]
    before = office.shelf.swept
    await asyncio.sleep(0.05)
    assert office.shelf.swept == before


async def test_closing_waits_for_what_is_on_its_way_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    minted = await office.custody.issue(office.session(), office.shelf)
    office.shelf.slow.clear()
    office.custody.give_back("orders-db", office.shelf, minted.name)
    closing = asyncio.create_task(office.custody.close())
    done, _ = await asyncio.wait((closing,), timeout=0.05)
    assert not done
    office.shelf.slow.set()
    await closing
    assert office.shelf.there == set()
    monkeypatch.setattr("hooptui.credentials.custody.LEAVING", 0.05)
    again = await office.custody.issue(office.session("8"), office.shelf)
    office.shelf.slow.clear()
    office.custody.give_back("orders-db", office.shelf, again.name)
    await asyncio.wait_for(office.custody.close(), 60)
    assert office.shelf.there == {"made_8"}, "the next start sweeps it"
