"""Verified claims to an Identity. Pure; knows no key, no signature and no network.

Order as written: audience, party, times, binding, subject, groups. Whatever is not understood refuses: a claim of an
unexpected shape is never read as "absent".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeGuard

from hooptui.auth.issuer import Issuer, KindRule
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.core.model import Identity, Kind

MAX_SUBJECT = 255
"""OpenID Connect Core section 2: at most 255 characters."""
MAX_NAME = 128
MAX_GROUPS = 1_000
MAX_GROUP = 256
MAX_AUDIENCES = 64
MAX_DEPTH = 8
"""Steps of a dotted claim path."""
END_OF_TIME = 253_402_300_800.0
"""The year 10000: no date beyond it is meant."""

MISSING: Final = object()
"""What `find` returns for a claim that is not there, which is not the same as null."""


def identify(claims: Mapping[str, object], issuer: Issuer, now: float) -> Identity:
    """The identity that these claims of `issuer` prove at `now` (Unix seconds).

    Raises:
        LoginRefused: unknown-issuer, wrong-audience, wrong-party, token-expired, token-not-yet, lifetime-too-long,
            bound-token, bad-subject, bad-groups, group-overage or bad-claims.
    """
    audience(claims, issuer.audiences)
    _party(claims, issuer)
    return person(claims, issuer, now)


def person(claims: Mapping[str, object], issuer: Issuer, now: float) -> Identity:
    """What `identify` finds once it is known that the token is meant for us: also the way of ID tokens.

    Raises:
        LoginRefused: as `identify`, without the audience and the party.
    """
    if claims.get("iss") != issuer.url:
        raise refusal(Code.UNKNOWN_ISSUER, "the signed issuer is another one than the key's")
    expires = _times(claims, issuer, now)
    if "cnf" in claims:
        raise refusal(Code.KEY_BOUND, "the token has cnf (RFC 7800): only the holder of that key may use it")
    subject = claims.get("sub")
    if not _printable(subject, MAX_SUBJECT):
        raise refusal(Code.BAD_SUBJECT, f"sub is not a printable string of 1 to {MAX_SUBJECT} characters")
    groups = _groups(claims, issuer)
    name = find(claims, issuer.name)
    return Identity(
        issuer=issuer.url,
        subject=subject,
        name=name if _printable(name, MAX_NAME) else subject,
        groups=groups,
        expires_at=expires,
        kind=_kind(claims, issuer.kind),
        owner=_owner(claims, issuer),
    )


def find(claims: Mapping[str, object], path: str) -> object:
    """The claim at a dotted path; `MISSING` when some step is.

    A claim whose whole name is `path` wins, because some names have dots of their own (`https://example.com/groups`).

    Raises:
        LoginRefused: bad-claims, when the path leads through something that is not an object.
    """
    if path in claims:
        return claims[path]
    here: object = claims
    for step in path.split(".", MAX_DEPTH):
        if not isinstance(here, Mapping):
            raise refusal(Code.BAD_CLAIMS, f"the claim path {path!r} leads through a value that is not an object")
        here = here.get(step, MISSING)
        if here is MISSING:
            return MISSING
    return here


def _printable(value: object, limit: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= limit and value.isprintable() and bool(value.strip())


def audience(claims: Mapping[str, object], accepted: frozenset[str]) -> frozenset[str]:
    """Everybody the token is meant for, when one of `accepted` is among them.

    Raises:
        LoginRefused: wrong-audience or bad-claims.
    """
    wanted = ", ".join(sorted(accepted))
    if "aud" not in claims:
        raise refusal(
            Code.WRONG_AUDIENCE, f"the token has no aud; expected {wanted} (Keycloak adds it by an audience mapper)"
        )
    value = claims["aud"]
    held = [value] if isinstance(value, str) else value
    if not isinstance(held, list) or not 0 < len(held) <= MAX_AUDIENCES:
        raise refusal(Code.BAD_CLAIMS, f"aud is neither a string nor a list of 1 to {MAX_AUDIENCES} strings")
    names: list[str] = []
    for one in held:
        if not isinstance(one, str) or not one:
            raise refusal(Code.BAD_CLAIMS, "aud has a member that is not a string")
        names.append(one)
    if accepted.isdisjoint(names):
        shown = ", ".join(quoted(one) for one in names[:4])
        raise refusal(Code.WRONG_AUDIENCE, f"aud is {shown}; expected {wanted}")
    return frozenset(names)


def party(claims: Mapping[str, object]) -> str | None:
    """The client the token was issued to: `azp` (OpenID Connect), `client_id` (RFC 9068) or `appid` (Entra v1).

    Raises:
        LoginRefused: bad-claims, or wrong-party when they disagree.
    """
    named: set[str] = set()
    for claim in ("azp", "client_id", "appid"):
        if claim not in claims:
            continue
        value = claims[claim]
        if not isinstance(value, str) or not value:
            raise refusal(Code.BAD_CLAIMS, f"{claim} is not a string")
        named.add(value)
    if len(named) > 1:
        raise refusal(Code.WRONG_PARTY, "azp, client_id and appid name different clients")
    return next(iter(named), None)


def _party(claims: Mapping[str, object], issuer: Issuer) -> None:
    named = party(claims)
    if issuer.authorized_parties and named is None:
        raise refusal(Code.WRONG_PARTY, "the token does not say to which client it was issued")
    if issuer.authorized_parties and named not in issuer.authorized_parties:
        raise refusal(Code.WRONG_PARTY, f"the token was issued to {quoted(named)}")


def _date(claims: Mapping[str, object], claim: str) -> float | None:
    """A NumericDate (RFC 7519 section 2): a JSON number, which `true` and `"1"` are not."""
    if claim not in claims:
        return None
    value = claims[claim]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusal(Code.BAD_CLAIMS, f"{claim} is not a number")
    if not 0 <= value < END_OF_TIME:
        raise refusal(Code.BAD_CLAIMS, f"{claim} is out of range")
    return float(value)


def _times(claims: Mapping[str, object], issuer: Issuer, now: float) -> float:
    expires, issued, begins = _date(claims, "exp"), _date(claims, "iat"), _date(claims, "nbf")
    if expires is None:
        raise refusal(Code.BAD_CLAIMS, "the token has no exp")
    if now >= expires + issuer.leeway:
        raise refusal(Code.EXPIRED, f"the token expired {now - expires:.0f} s ago")
    for claim, at in (("nbf", begins), ("iat", issued)):
        if at is not None and at > now + issuer.leeway:
            raise refusal(Code.NOT_YET, f"{claim} is {at - now:.0f} s in the future")
    # Without iat (SPIFFE has none) the life that is left is all there is to measure.
    life = expires - (now if issued is None else min(issued, now))
    if life > issuer.max_lifetime + issuer.leeway:
        raise refusal(
            Code.LIFETIME_TOO_LONG, f"the token lives {life:.0f} s; at most {issuer.max_lifetime:.0f} are accepted"
        )
    return expires


def _groups(claims: Mapping[str, object], issuer: Issuer) -> frozenset[str]:
    """Names under the configured path. A provider that says it left groups out has not said that there are none."""
    _no_overage(claims, issuer.groups)
    value = find(claims, issuer.groups)
    if value is MISSING:
        return frozenset()
    if not isinstance(value, list):
        raise refusal(Code.BAD_GROUPS, f"{issuer.groups} is not a list")
    if len(value) > MAX_GROUPS:
        raise refusal(Code.BAD_GROUPS, f"{issuer.groups} has more than {MAX_GROUPS} members")
    groups: set[str] = set()
    for one in value:
        if not _printable(one, MAX_GROUP):
            raise refusal(
                Code.BAD_GROUPS,
                f"{issuer.groups} has a member that is not a printable string of 1 to {MAX_GROUP} characters",
            )
        groups.add(issuer.groups_prefix + one)
    return frozenset(groups)


def _no_overage(claims: Mapping[str, object], path: str) -> None:
    """Entra names claims it left out in `_claim_names` (OpenID Connect Core section 5.6.2), or says `hasgroups`."""
    if "_claim_names" in claims:
        names = claims["_claim_names"]
        if not isinstance(names, Mapping):
            raise refusal(Code.BAD_CLAIMS, "_claim_names is not an object")
        if path in names or path.split(".", 1)[0] in names:
            raise refusal(Code.GROUP_OVERAGE, f"_claim_names says that {path} was left out")
    if path == "groups" and claims.get("hasgroups", False) not in (False, "false"):
        raise refusal(Code.GROUP_OVERAGE, "hasgroups says that groups were left out")


def _kind(claims: Mapping[str, object], kind: Kind | KindRule) -> Kind:
    if isinstance(kind, Kind):
        return kind
    return Kind.WORKLOAD if find(claims, kind.claim) == kind.equals else Kind.HUMAN


def _owner(claims: Mapping[str, object], issuer: Issuer) -> str | None:
    """Key of the person behind an agent: a subject of the same issuer."""
    if not issuer.owner:
        return None
    subject = find(claims, issuer.owner)
    if subject is MISSING:
        return None
    if not _printable(subject, MAX_SUBJECT):
        raise refusal(Code.BAD_CLAIMS, f"{issuer.owner} is not a printable string of 1 to {MAX_SUBJECT} characters")
    return f"{issuer.url}#{subject}"
