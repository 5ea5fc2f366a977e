"""Whom the gateway says it acts for: people's own keys, never the cluster's names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.core.model import Identity
from hooptui.protocols.kubernetes.impersonation import CannotImpersonate, Impersonation


def who(subject: str = "alice", *groups: str) -> Identity:
    return Identity("https://idp", subject, "Alice", frozenset(groups))


def test_the_key_of_a_person_and_their_groups() -> None:
    assert Impersonation().headers(who("alice", "dev", "ops")) == (
        ("Impersonate-User", "https://idp#alice"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
    )


def test_groups_are_chosen_and_marked() -> None:
    said = Impersonation("co:{subject}", ("k8s-*",), "idp:").headers(who("alice", "k8s-dev", "wine"))
    assert said == (("Impersonate-User", "co:alice"), ("Impersonate-Group", "idp:k8s-dev"))


@pytest.mark.parametrize(
    "made",
    [
        (Impersonation("{subject}"), who("system:admin")),
        (Impersonation(), who("alice", "system:masters")),
        (Impersonation(), who("alice", *(f"g{n}" for n in range(65)))),
    ],
)
def test_the_clusters_own_names_are_never_said(made: tuple[Impersonation, Identity]) -> None:
    impersonation, identity = made
    with pytest.raises(CannotImpersonate):
        impersonation.headers(identity)


def test_a_prefix_takes_the_danger_out_of_a_group() -> None:
    assert ("Impersonate-Group", "idp:system:masters") in Impersonation(prefix="idp:").headers(
        who("alice", "system:masters")
    )


def test_a_subject_that_looks_like_a_field_stays_as_it_is() -> None:
    assert Impersonation("{subject}").headers(who("{issuer}")) == (("Impersonate-User", "{issuer}"),)


@pytest.mark.parametrize("user", ["fixed", "{subject}{name}", "system:{subject}", "{subject}é", "{subject}\n"])
def test_templates_that_would_go_wrong(user: str) -> None:
    with pytest.raises(ValueError, match="user"):
        Impersonation(user)


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_two_people_are_one(one: str, other: str) -> None:
    said = [Impersonation("u:{subject}").headers(who(subject)) for subject in (one, other)]
    assert (said[0] == said[1]) == (one == other)
    value = said[0][0][1]
    assert value.isascii() and value.isprintable() and value == value.strip()
