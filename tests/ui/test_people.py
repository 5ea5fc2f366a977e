"""Words about who somebody is and how long they have."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.events import DeadlineMoved, GrantGiven, Voted
from hooptui.core.events_people import LeaseIssued, OperatorLoggedIn
from hooptui.core.gate import Masked
from hooptui.tui.journal_words import describe, kind, mark_of
from hooptui.tui.people import brief, decider, host, issuer, kind_word, left, left_words, spoken, subject, who_words
from hooptui.tui.text import plain, width
from hooptui.tui.transcript import risky
from tests.ui.scenes import NOW, OPENED, SESSIONS, busy, ev
from tests.ui.stage import NARROW, WIDE, stage


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (47, "47s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (7199, "119m"),
        (7200, "2h"),
        (86400 * 2, "2d"),
    ],
)
def test_brief(seconds: float, words: str) -> None:
    assert brief(seconds) == words


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.floats(min_value=0, max_value=86400 * 900))
def test_brief_never_promises_more_than_there_is(seconds: float) -> None:
    words = brief(seconds)
    assert width(words) <= 4
    assert int(words[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[words[-1]] <= seconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(45, "45 s"), (250, "4 min 10 s"), (900, "15 min"), (5400, "90 min"), (3600, "1 h"), (43200, "12 h")],
)
def test_spoken(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


@pytest.mark.parametrize(
    ("key", "of", "who"),
    [
        ("https://id.example:8443/realms/prod#5f3a", "id.example", "5f3a"),
        ("spiffe://prod.example#spiffe://prod.example/ns/etl", "prod.example", "spiffe://prod.example/ns/etl"),
        ("local#ops-1", "local", "ops-1"),
        ("https://[::1#x", "https://[::1", "x"),
        ("https://id.example#a\x1b[2J", "id.example", "a␛[2J"),
        ("no-issuer", "no-issuer", "no-issuer"),
    ],
)
def test_issuer_and_subject(key: str, of: str, who: str) -> None:
    assert host(key) == of
    assert subject(key) == who
    assert "\x1b" not in issuer(key)


def test_kinds_are_told_apart_without_colour() -> None:
    words = [kind_word(one) for one in ("human", "workload", "agent", "robot\x1b", "")]
    assert words[:3] == ["human", "work", "agent"]
    assert all(0 < width(one) <= 5 for one in words)
    assert "\x1b" not in words[3]
    assert (
        who_words("bot", "agent", "https://id.example#bot", "https://id.example#ops-2")
        == "agent bot of id.example, for ops-2"
    )


def test_what_bounds_a_session_is_the_earliest_whatever_the_order() -> None:
    one = replace(SESSIONS[0], bounds=(("token", NOW + 900), ("grant", NOW + 240), ("policy", NOW + 5000)), grant=17)
    assert left(one, NOW) == ("4m grant", "warn")
    assert left_words(one, NOW) == "4m grant #17"
    assert left(one, NOW + 200) == ("40s grant", "bad")
    assert left(one, NOW, glass=(17,)) == ("4m GLASS", "bad")
    assert left(replace(one, bounds=(), deadline=None), NOW)[0] == "no end"
    assert left(replace(one, bounds=(), deadline=NOW + 60), NOW)[0] == "1m"


async def test_columns_give_way_to_what_matters_more() -> None:
    for size, shown, gone in (
        (WIDE, ("KIND", "LEFT", "12m lease", "4m grant", "agent", "human", "work"), ("ISSUER", "FOR")),
        (NARROW, ("KIND", "LEFT", "12m lease", "AGE"), ("ISSUER", "OPS")),
        ((180, 40), ("KIND", "LEFT", "OPS", "AGE"), ()),
    ):
        async with stage(busy(), size) as s:
            seen = s.main.live.head.text + "\n".join(plain(s.main.live.list.row(y, 200)) for y in range(9))
            for words in shown:
                assert words in seen, (size, words)
            for words in gone:
                assert words not in seen, (size, words)
    async with stage(busy(), (160, 40)) as s:
        await s.press("z")
        head, row = s.main.live.head.text, plain(s.main.live.list.row(1, 200))
        assert "ISSUER" in head
        assert "id.example" in row
        assert "ops-2" in row, "for whom an agent acts"


async def test_the_review_says_who_it_is_for_whom_and_until_when() -> None:
    async with stage(busy()) as s:
        await s.press("2", "a")
        words = " ".join(s.app.screen.facts.text.split())
        assert "agent bot of id.example, for ops-2 · 4m grant #12 · agents, billing" in words
        assert "not bot nor its owner ops-2" in words


# --- the journal's words


def said(body: object) -> str:
    return plain(describe(body, NOW))


def test_words_for_people() -> None:
    vote = Voted(17, 1, "https://id.example#ops-1", Masked("ops-1"), True, Masked("x"), "once", 900.0)
    assert said(vote) == "ops-1 approves #17, for 15 min"
    assert said(replace(vote, by="local#ops-1", approve=False)) == "ops-1 (local) denies #17"
    assert decider("local#ops-1") == "ops-1 (local)"
    assert decider("https://local#ops-1") == "ops-1"
    broken = replace(vote, break_glass=True)
    assert said(broken) == "GLASS BROKEN: ops-1 lets #17 go alone, in an emergency for 15 min"
    assert (kind(broken), mark_of(broken)) == ("broken glass", ("‼", "alarm"))
    assert risky(ev(0, broken))
    assert said(GrantGiven(17, "access", "jit", NOW + 300)) == "#17 leaves a grant for access under jit for 5 min"
    assert said(DeadlineMoved("grant", NOW + 300, NOW + 300)) == "ends with its grant now, in 5 min"
    assert (
        said(DeadlineMoved("lease", NOW + 900, NOW + 300)) == "its lease was renewed; something else ends it, in 5 min"
    )
    local = OperatorLoggedIn("local", "ops-1", Masked("ops-1"), ("dba",), "local", None)
    assert "named by the configuration, not by an identity provider" in said(local)
    assert "local" not in said(replace(local, issuer="https://id.example", how="device"))
    lease = LeaseIssued(
        "hl_x", "https://id.example", "bot", Masked("bot"), (), "agent", "i#ops-2", "device", "10.0.0.1:9", NOW + 3600
    )
    assert said(lease) == "bot (agent for ops-2) has lease hl_x by device for 1 h of id.example from 10.0.0.1:9"
    assert said(replace(OPENED, owner="i#ops-2", lease="hl_x")) == (
        "etl-7 (workload for ops-2) → orders-db (pg) from 10.2.0.14:51844, lease hl_x"
    )
