"""What is said of an event, and that nothing from outside is ever in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooptui.core.events import BODIES, Alert, Body, Event, Held, LoginFailed, SessionOpened, Voted
from hooptui.core.events_people import IdentityBlocked, LeaseIssued
from hooptui.core.gate import Masked as M
from hooptui.notify.notice import DEAF_TO, HEARD, Notice, Notices, Topic
from hooptui.notify.webhook import body_of
from tests.audit.making import body_of as filled

NOW = 1_700_000_000.0
HELD = Held(4, 17, "writes-need-dba", "words of the rule", ("dba",), 2, "high", NOW + 60)
CANARY = "canary-9d1f"


def notices(repeat: float = 60.0) -> Notices:
    return Notices("prod-eu", lambda session: {"7f3a": "orders-db"}.get(session, ""), repeat=repeat)


def told(body: Body, session: str = "7f3a", of: Notices | None = None, at: float = NOW) -> Notice | None:
    return (of or notices()).of(Event(at, session, body))


ABOUT = {"number": 17, "session": "7f3a", "target": "orders-db", "rule": "writes-need-dba", "risk": "high"}


def test_a_held_operation() -> None:
    one = told(HELD)
    assert one is not None
    assert (one.topic, one.gateway, one.at, dict(one.facts)) == (Topic.HELD, "prod-eu", NOW, ABOUT)
    assert one.title == "hooptui prod-eu: #17 is held on orders-db"
    assert one.text == "number 17\nsession 7f3a\ntarget orders-db\nrule writes-need-dba\nrisk high"
    assert body_of(one) == (
        b'{"type":"hooptui.held","timestamp":"2023-11-14T22:13:20Z","data":{"gateway":"prod-eu","number":17,'
        b'"session":"7f3a","target":"orders-db","rule":"writes-need-dba","risk":"high"}}'
    )


def test_of_a_group_it_is_told_how_many_and_not_which() -> None:
    one = told(replace(HELD, group=(M(CANARY), M(CANARY))))
    assert one is not None and one.title == "hooptui prod-eu: #17, 2 objects in one review, is held on orders-db"
    assert one.facts["objects"] == 2 and CANARY not in one.title + one.text


def test_a_connection_that_asks_to_be_let_in() -> None:
    one = told(replace(HELD, access=True))
    assert one is not None and one.topic is Topic.ACCESS
    assert one.title == "hooptui prod-eu: #17 asks for access to orders-db"


def test_broken_glass_knows_what_was_held() -> None:
    of = notices()
    vote = Voted(17, 4, "i#s", M(CANARY), True, M(CANARY), "once", 60.0, True, ("duty",))
    told(HELD, of=of)
    one = told(vote, of=of)
    assert one is not None and one.topic is Topic.BREAK_GLASS and dict(one.facts) == ABOUT
    assert one.title == "hooptui prod-eu: the glass was broken for #17 on orders-db"
    unknown = told(vote, "gone")
    assert unknown is not None and dict(unknown.facts) == {"number": 17, "session": "gone", "target": "a target"}
    assert told(replace(vote, break_glass=False), of=of) is None, "an ordinary vote is nothing to tell"


def test_a_lock_out_tells_how_much_ended_and_not_of_whom() -> None:
    one = told(IdentityBlocked(f"i#{CANARY}", "i#a", M(CANARY), 1, 2, 3), "")
    assert one is not None and dict(one.facts) == {"sessions": 1, "leases": 2, "grants": 3}
    assert CANARY not in one.title + one.text


def test_an_alert_is_told_by_its_code_once_in_a_while() -> None:
    of = notices()
    one = told(Alert("lease-locked", M(CANARY)), "", of)
    assert one is not None and dict(one.facts) == {"code": "lease-locked"}
    assert told(Alert("lease-locked", M("x")), "", of, NOW + 59.9) is None
    assert told(Alert("target-down", M("x")), "", of, NOW + 1) is not None
    assert told(Alert("lease-locked", M("x")), "", of, NOW + 60) is not None
    assert told(Alert("lease-locked", M("x")), "", of, NOW - 5000) is not None, "the clock was put back"


def test_of_its_own_failures_it_tells_nobody_else() -> None:
    assert told(Alert("notify-failed", M("x")), "") is None


def test_a_code_that_is_none_is_not_passed_on() -> None:
    one = told(Alert(f"Robert'); {CANARY}", M("x")), "")
    assert one is not None and dict(one.facts) == {"code": "other"}


def test_notices_have_names_of_their_own() -> None:
    of = notices()
    assert len({one.id for _ in range(50) if (one := told(HELD, of=of)) is not None}) == 50


@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
def test_nothing_from_outside_is_in_any_notice(kind: type[Body]) -> None:
    """Every field of every event holds a canary; only what the operator's files named may come through."""
    of = notices()
    of.of(Event(NOW, "7f3a", filled(Held, CANARY)))
    body = filled(kind, CANARY)
    one = of.of(Event(NOW, "7f3a", body))
    assert (one is None) == (not isinstance(body, HEARD)), "what is heard of is told of"
    assert (kind in DEAF_TO) == (kind not in HEARD)
    if one is not None:
        known = {"number", "session", "target", "rule", "risk", "code", "sessions", "leases", "grants", "objects"}
        assert set(one.facts) <= known
        from_rules = {name for name, value in one.facts.items() if CANARY in str(value)}
        assert from_rules <= {"rule", "risk", "code"}, "rule and risk are words of the policy, a code is hooptui's own"


def test_who_logs_in_is_nobodys_business() -> None:
    for kind in (SessionOpened, LeaseIssued, LoginFailed):
        assert kind in DEAF_TO


def test_names_stay_on_their_line_and_short() -> None:
    one = told(replace(HELD, rule="a\nb\x1b" + "x" * 500))
    assert one is not None
    assert str(one.facts["rule"]).startswith("a b x") and len(str(one.facts["rule"])) == 200


def test_only_so_many_holds_are_remembered() -> None:
    of = notices()
    for number in range(1, 1002):
        told(replace(HELD, approval=number), of=of)
    vote = Voted(1, 4, "i#s", M("x"), True, M("x"), "once", 60.0, True)
    first, last = told(vote, of=of), told(replace(vote, approval=1001), of=of)
    assert first is not None and "rule" not in first.facts
    assert last is not None and last.facts["rule"] == "writes-need-dba"
