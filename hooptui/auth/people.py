"""Who a token speaks of: a person, a workload, or an agent and the person it acts for. Pure.

An agent is never a person: as soon as anything says for whom somebody acts, the kind is `agent`, whatever is configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hooptui.auth import provider_rules
from hooptui.auth.issuer import Issuer, KindRule
from hooptui.auth.paths import MISSING, find, printable, steps
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.core.model import Kind

MAX_SUBJECT = 255
"""OpenID Connect Core section 2: at most 255 characters."""
MAX_CHAIN = 4
"""Actors one behind the other (RFC 8693 section 4.1). Only the outermost counts; the others are history."""


@dataclass(frozen=True, slots=True)
class Who:
    """The subject of an identity, what it is, and the key of the person it acts for."""

    subject: str
    kind: Kind
    owner: str | None = None


def who(claims: Mapping[str, object], issuer: Issuer, *, id_token: bool) -> Who:
    """Whom these claims speak of.

    Raises:
        LoginRefused: bad-subject, bad-actor, not-accepted or bad-claims.
    """
    subject = provider_rules.subject(claims, issuer, id_token=id_token)
    if not printable(subject, MAX_SUBJECT):
        raise refusal(Code.BAD_SUBJECT, f"{issuer.subject} is not a printable string of 1 to {MAX_SUBJECT} characters")
    if issuer.subjects and not any(fnmatchcase(subject, pattern) for pattern in issuer.subjects):
        raise refusal(Code.NOT_ACCEPTED, f"the subject {quoted(subject)} matches none of the accepted patterns")
    agent = _actor(claims, issuer)
    if agent is not None:
        if agent == subject:
            raise refusal(Code.BAD_ACTOR, f"{issuer.actor} names the subject itself")
        return Who(agent, Kind.AGENT, f"{issuer.url}#{subject}")
    owner = _owner_claim(claims, issuer, subject) or _owner_listed(subject, issuer)
    if owner is not None:
        return Who(subject, Kind.AGENT, owner)
    if "act" in claims:
        raise refusal(Code.BAD_ACTOR, "the token has act, which does not say who acts for whom")
    return Who(subject, _kind(claims, issuer, id_token=id_token))


def _actor(claims: Mapping[str, object], issuer: Issuer) -> str | None:
    """The agent that acts for the subject; None when the subject acts for itself."""
    path = issuer.actor
    if "act" in claims and steps(path or issuer.owner)[0] != "act":
        # Read without it, the token would make the agent the person it acts for.
        raise refusal(Code.BAD_ACTOR, "the token has act: somebody acts for its subject, and no actor is configured")
    if not path:
        return None
    if "act" in claims:
        _check_chain(claims["act"], issuer)
    agent = find(claims, path)
    if agent is MISSING:
        if steps(path)[0] in claims:
            raise refusal(Code.BAD_ACTOR, f"{steps(path)[0]} is there without {path}")
        return None
    if not printable(agent, MAX_SUBJECT):
        raise refusal(Code.BAD_ACTOR, f"{path} is not a printable string of 1 to {MAX_SUBJECT} characters")
    return agent


def _check_chain(outermost: object, issuer: Issuer) -> None:
    act, length = outermost, 0
    while act is not MISSING:
        length += 1
        if length > MAX_CHAIN:
            raise refusal(Code.BAD_ACTOR, f"act is nested more than {MAX_CHAIN} deep")
        if not isinstance(act, Mapping):
            raise refusal(Code.BAD_ACTOR, "act is not an object")
        if "sub" in act and not printable(act["sub"], MAX_SUBJECT):
            raise refusal(
                Code.BAD_ACTOR, f"act has a sub that is not a printable string of 1 to {MAX_SUBJECT} characters"
            )
        # The agent of another issuer would be taken for the one that has its name here.
        if length == 1 and act.get("iss", issuer.url) != issuer.url:
            raise refusal(Code.BAD_ACTOR, f"act is by another issuer, {quoted(act['iss'])}")
        act = act.get("act", MISSING)


def _owner_claim(claims: Mapping[str, object], issuer: Issuer, subject: str) -> str | None:
    if not issuer.owner:
        return None
    person = find(claims, issuer.owner)
    if person is MISSING:
        return None
    if not printable(person, MAX_SUBJECT):
        raise refusal(Code.BAD_CLAIMS, f"{issuer.owner} is not a printable string of 1 to {MAX_SUBJECT} characters")
    if person == subject:
        raise refusal(Code.BAD_ACTOR, f"{issuer.owner} names the subject itself")
    return f"{issuer.url}#{person}"


def _owner_listed(subject: str, issuer: Issuer) -> str | None:
    person = issuer.owners.get(subject)
    if person is None:
        matching = (one for pattern, one in issuer.owners.items() if fnmatchcase(subject, pattern))
        person = next(matching, None)
    # A pattern that is meant for somebody's agents does not make that person an agent.
    if person is None or person in (subject, f"{issuer.url}#{subject}"):
        return None
    return person if "#" in person else f"{issuer.url}#{person}"


def _kind(claims: Mapping[str, object], issuer: Issuer, *, id_token: bool) -> Kind:
    kind = issuer.kind
    if isinstance(kind, KindRule):
        kind = Kind.WORKLOAD if find(claims, kind.claim) == kind.equals else Kind.HUMAN
    if kind is Kind.HUMAN and provider_rules.workload(claims, issuer, id_token=id_token):
        return Kind.WORKLOAD
    return kind
