"""Browsers' visits: cookies that turn over, states and tickets used once by whom they were given to."""

from __future__ import annotations

import pytest

from hooptui.core.clock import ManualClock
from hooptui.core.model import Identity
from hooptui.portal.base import Login
from hooptui.portal.visits import LASTS, PENDING, PENDING_LASTS, Visits, VisitsFull

OPS = Login(Identity("https://op", "ops-1", "ops-1"), "browser")
PEER = "10.0.0.1:999"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def visits(clock: ManualClock) -> Visits:
    return Visits(clock)


def test_a_cookie_names_its_visit_until_it_rests_too_long(visits: Visits, clock: ManualClock) -> None:
    cookie, visit = visits.begin(PEER)
    clock.advance(LASTS - 1)
    assert visits.find(cookie) is visit
    clock.advance(LASTS - 1)
    assert visits.find(cookie) is visit
    clock.advance(LASTS)
    assert visits.find(cookie) is None


@pytest.mark.parametrize("cookie", ["", "x", "\ud800", "a" * 128])
def test_a_strangers_cookie_names_nothing(visits: Visits, cookie: str) -> None:
    visits.begin(PEER)
    assert visits.find(cookie) is None


def test_logging_in_turns_cookie_and_form_token_over(visits: Visits) -> None:
    planted, visit = visits.begin(PEER)
    csrf = visit.csrf
    cookie = visits.enter(visit, OPS)
    assert visits.find(planted) is None
    assert visits.find(cookie) is visit
    assert not visit.allows(csrf)
    assert visit.allows(visit.csrf)
    assert len(visits) == 1


def test_a_login_ends_while_its_visit_goes_on(visits: Visits, clock: ManualClock) -> None:
    _, visit = visits.begin(PEER)
    cookie = visits.enter(visit, OPS)
    clock.advance(LASTS / 2)
    assert visits.find(cookie) is visit
    assert visit.login is OPS
    clock.advance(LASTS / 2)
    assert visits.find(cookie) is visit
    assert visit.login is None


def test_a_state_is_used_once(visits: Visits) -> None:
    _, visit = visits.begin(PEER)
    state = visits.leave(visit, "op", "data")
    pending = visits.come_back(state, "op")
    assert pending is not None
    assert pending.data == "data"
    assert pending.visit is visit
    assert visits.come_back(state, "op") is None


def test_a_state_of_another_way_is_void_from_then_on(visits: Visits) -> None:
    _, visit = visits.begin(PEER)
    state = visits.leave(visit, "op", None)
    assert visits.come_back(state, "other") is None
    assert visits.come_back(state, "op") is None


def test_a_state_ends(visits: Visits, clock: ManualClock) -> None:
    _, visit = visits.begin(PEER)
    state = visits.leave(visit, "op", None)
    clock.advance(PENDING_LASTS)
    assert visits.come_back(state, "op") is None


def test_few_logins_at_once_in_one_browser(visits: Visits) -> None:
    _, visit = visits.begin(PEER)
    states = [visits.leave(visit, "op", number) for number in range(PENDING + 2)]
    back = [visits.come_back(state, "op") for state in states]
    assert [one is None for one in back] == [True, True] + [False] * PENDING


def test_a_ticket_is_for_the_browser_that_began(visits: Visits) -> None:
    _, mine = visits.begin(PEER)
    _, yours = visits.begin("10.0.0.2:1")
    pending = visits.come_back(visits.leave(mine, "idp", None), "idp")
    assert pending is not None
    ticket = visits.ticket(pending, OPS)
    assert visits.redeem(ticket, yours) is None
    assert visits.redeem(ticket, mine) is None, "a ticket that was tried by somebody else is void"
    pending = visits.come_back(visits.leave(mine, "idp", None), "idp")
    assert pending is not None
    ticket = visits.ticket(pending, OPS)
    assert visits.redeem(ticket, mine) is OPS
    assert visits.redeem(ticket, mine) is None


def test_a_ticket_ends(visits: Visits, clock: ManualClock) -> None:
    _, visit = visits.begin(PEER)
    pending = visits.come_back(visits.leave(visit, "idp", None), "idp")
    assert pending is not None
    ticket = visits.ticket(pending, OPS)
    clock.advance(PENDING_LASTS)
    assert visits.redeem(ticket, visit) is None


def test_an_ended_visit_takes_its_states_and_tickets_along(visits: Visits) -> None:
    cookie, visit = visits.begin(PEER)
    state = visits.leave(visit, "op", None)
    pending = visits.come_back(visits.leave(visit, "op", None), "op")
    assert pending is not None
    ticket = visits.ticket(pending, OPS)
    visits.end(visit)
    assert visits.find(cookie) is None
    assert visits.come_back(state, "op") is None
    assert visits.redeem(ticket, visit) is None


def test_one_address_crowds_out_itself_first(clock: ManualClock) -> None:
    visits = Visits(clock, limit=10, per_peer=3)
    victim, _ = visits.begin("10.0.0.2:1")
    cookies = [visits.begin(PEER)[0] for _ in range(50)]
    assert len(visits) == 4
    assert visits.find(victim) is not None
    assert [visits.find(cookie) is not None for cookie in cookies[-4:]] == [False, True, True, True]


def test_who_is_logged_in_is_not_crowded_out(clock: ManualClock) -> None:
    visits = Visits(clock, limit=3, per_peer=3)
    _, visit = visits.begin("10.0.0.2:1")
    cookie = visits.enter(visit, OPS)
    for number in range(20):
        visits.begin(f"10.1.0.{number}:1")
    assert len(visits) == 3
    assert visits.find(cookie) is visit


def test_when_all_are_logged_in_there_is_no_room(clock: ManualClock) -> None:
    visits = Visits(clock, limit=2, per_peer=2)
    for number in range(2):
        visits.enter(visits.begin(f"10.1.0.{number}:1")[1], OPS)
    with pytest.raises(VisitsFull):
        visits.begin("10.2.0.1:1")
    clock.advance(LASTS)
    visits.begin("10.2.0.1:1")
    assert len(visits) == 1


def test_neither_cookie_nor_state_nor_ticket_is_kept_or_printed(visits: Visits) -> None:
    cookie, visit = visits.begin(PEER)
    state = visits.leave(visit, "op", "begun")
    kept = repr(vars(visits)) + repr(visit)
    assert cookie not in kept
    assert state not in kept
    assert visit.csrf not in kept
