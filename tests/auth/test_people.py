"""Persons, workloads and agents: who acts for whom, and that no agent is ever taken for a person."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.auth import claims
from hooptui.auth.issuer import Issuer, KindRule
from hooptui.auth.people import MAX_CHAIN
from hooptui.auth.refusals import Code
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity, Kind

from .forge import AUDIENCE, NOW

URL = "https://idp.example"
PLAIN: dict[str, object] = {
    "iss": URL,
    "sub": "ops-1",
    "aud": AUDIENCE,
    "exp": NOW + 60,
    "groups": ["dba"],
    "preferred_username": "Ops One",
}


def issuer(**more: Any) -> Issuer:
    return Issuer(URL, frozenset({AUDIENCE}), **more)


def read(said: dict[str, object], **more: Any) -> Identity:
    return claims.identify(PLAIN | said, issuer(**more), NOW)


def code(said: dict[str, object], **more: Any) -> str:
    try:
        read(said, **more)
    except LoginRefused as refused:
        return refused.code
    return "ok"


def chain(length: int) -> dict[str, object]:
    act: dict[str, object] = {"sub": "agent-0"}
    for number in range(1, length):
        act = {"sub": f"agent-{number}", "act": act}
    return act


def test_the_actor_is_the_identity_and_the_subject_its_owner() -> None:
    who = read({"act": {"sub": "agent-5"}}, actor="act.sub")
    assert (who.key, who.owner, who.kind, who.name) == (f"{URL}#agent-5", f"{URL}#ops-1", Kind.AGENT, "agent-5")
    assert who.groups == {"dba"}
    alone = read({}, actor="act.sub")
    assert (alone.key, alone.owner, alone.kind, alone.name) == (f"{URL}#ops-1", None, Kind.HUMAN, "Ops One")


def test_of_a_chain_the_outermost_counts() -> None:
    who = read({"act": chain(MAX_CHAIN)}, actor="act.sub")
    assert (who.subject, who.owner) == (f"agent-{MAX_CHAIN - 1}", f"{URL}#ops-1")


@pytest.mark.parametrize(
    "act",
    [
        None, "agent-5", 5, True, ["agent-5"], [], {}, {"sub": None}, {"sub": 5}, {"sub": ""}, {"sub": " "}, {"sub": "a\x1b[2J"},
        {"sub": "\u202etl"}, {"sub": "a" * 256}, {"sub": ["agent-5"]}, {"sub": {"sub": "agent-5"}}, {"client_id": "agent-5"},
        {"sub": "agent-5", "iss": "https://other.example"}, {"sub": "agent-5", "iss": None}, {"sub": "agent-5", "act": None},
        {"sub": "agent-5", "act": "x"}, {"sub": "agent-5", "act": {"sub": 1}}, {"sub": "agent-5", "act": {"sub": "a", "act": []}},
        {"sub": "ops-1"}, chain(MAX_CHAIN + 1), chain(200),
    ],
)  # fmt: skip
def test_a_malformed_actor_is_refused(act: object) -> None:
    assert code({"act": act}, actor="act.sub") == Code.BAD_ACTOR


def test_an_actor_that_nobody_configured_is_refused() -> None:
    # Taken for a token without act, the agent would be the person.
    for more in ({}, {"owner": "boss"}, {"actor": "acting.sub"}, {"kind": Kind.AGENT}, {"owners": {"*": "ops-2"}}):
        for act in ({"sub": "agent-5"}, None):
            assert code({"act": act}, **more) == Code.BAD_ACTOR
    assert code({"acting": {}}, actor="acting.sub") == Code.BAD_ACTOR
    assert code({"acting": {"sub": 1}}, actor="acting.sub") == Code.BAD_ACTOR
    assert read({"acting": {"sub": "agent-5"}}, actor="acting.sub").owner == f"{URL}#ops-1"


def test_an_owner_makes_an_agent_whatever_the_kind() -> None:
    for kind in (Kind.HUMAN, Kind.WORKLOAD, Kind.AGENT, KindRule("idtyp", "app")):
        for said in ({"boss": "ops-2"}, {"boss": "ops-2", "idtyp": "app"}):
            who = read(said, owner="boss", kind=kind)
            assert (who.key, who.owner, who.kind) == (f"{URL}#ops-1", f"{URL}#ops-2", Kind.AGENT)
    assert read({}, owner="boss").kind is Kind.HUMAN
    assert read({}, kind=Kind.AGENT).kind is Kind.AGENT
    assert code({"boss": None}, owner="boss") == Code.BAD_CLAIMS
    assert code({"boss": "ops-1"}, owner="boss") == Code.BAD_ACTOR
    assert code({"act": {}}, owner="act.sub") == Code.BAD_ACTOR


OWNERS = {"bot-*": "ops-2", "bot-9": "ops-9", "ci:?": "https://other.example#ops-3", "ops-*": "ops-1"}


@pytest.mark.parametrize(
    ("subject", "owner"),
    [
        ("bot-1", f"{URL}#ops-2"),
        ("bot-9", f"{URL}#ops-9"),
        ("ci:x", "https://other.example#ops-3"),
        ("ops-7", f"{URL}#ops-1"),
        ("ops-1", None),
        ("ci:xx", None),
        ("Bot-1", None),
        ("my-bot-1", None),
    ],
)
def test_configured_owners(subject: str, owner: str | None) -> None:
    who = read({"sub": subject}, owners=OWNERS)
    assert (who.owner, who.kind) == (owner, Kind.HUMAN if owner is None else Kind.AGENT)


def test_a_claim_goes_before_the_configured_owner() -> None:
    assert read({"sub": "bot-1", "boss": "ops-5"}, owner="boss", owners=OWNERS).owner == f"{URL}#ops-5"
    who = read({"sub": "ops-7", "act": {"sub": "bot-1"}}, actor="act.sub", owners=OWNERS)
    assert (who.subject, who.owner) == ("bot-1", f"{URL}#ops-7")


def test_only_accepted_subjects() -> None:
    assert code({}, subjects=("etl-*", "ops-?")) == "ok"
    assert code({}, subjects=("etl-*",)) == Code.NOT_ACCEPTED
    assert code({}, subject="oid") == Code.BAD_SUBJECT
    assert read({"oid": "7"}, subject="oid").subject == "7"


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("agent-5"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["sub", "act", "iss", "x"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(ANY, st.sampled_from(["", "act.sub"]), st.sampled_from(["", "act.sub", "boss"]))
@settings(max_examples=400, derandomize=True, deadline=None)
def test_with_act_nobody_is_ever_a_person(act: object, actor: str, owner: str) -> None:
    if actor and owner:
        return
    try:
        who = read({"act": act}, actor=actor, owner=owner)
    except LoginRefused:
        return
    assert who.kind is Kind.AGENT and who.owner not in (None, who.key)
