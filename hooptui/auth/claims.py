"""Verified claims to an Identity. Pure; knows no key, no signature and no network.

Order as written: audience, party, times, binding, what the provider's profile says, subject and actor, groups. Whatever
is not understood refuses: a claim of an unexpected shape is never read as "absent".
"""

from __future__ import annotations

from collections.abc import Mapping

from hooptui.auth import provider_rules
from hooptui.auth.groups import groups
from hooptui.auth.issuer import Issuer, Profile
from hooptui.auth.paths import find, printable
from hooptui.auth.people import who
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.core.model import Identity, Kind

MAX_NAME = 128
MAX_AUDIENCES = 64
END_OF_TIME = 253_402_300_800.0
"""The year 10000: no date beyond it is meant."""


def identify(claims: Mapping[str, object], issuer: Issuer, now: float) -> Identity:
    """The identity that these claims of `issuer` prove at `now` (Unix seconds).

    Raises:
        LoginRefused: unknown-issuer, wrong-audience, wrong-party, token-expired, token-not-yet, lifetime-too-long,
            bound-token, wrong-type, not-accepted, bad-subject, bad-actor, bad-groups, group-overage or bad-claims.
    """
    audience(claims, issuer.audiences)
    _party(claims, issuer)
    return person(claims, issuer, now)


def person(claims: Mapping[str, object], issuer: Issuer, now: float, *, id_token: bool = False) -> Identity:
    """What `identify` finds once it is known that the token is meant for us: also the way of ID tokens.

    Raises:
        LoginRefused: as `identify`, without the audience and the party.
    """
    if claims.get("iss") != issuer.url:
        raise refusal(Code.UNKNOWN_ISSUER, "the signed issuer is another one than the key's")
    expires = _times(claims, issuer, now)
    if "cnf" in claims:
        raise refusal(Code.KEY_BOUND, "the token has cnf (RFC 7800): only the holder of that key may use it")
    provider_rules.examine(claims, issuer, id_token=id_token)
    one = who(claims, issuer, id_token=id_token)
    # With an actor the token's name is that of the person, and the identity is the agent.
    acting = one.kind is Kind.AGENT and bool(issuer.actor)
    name = find(claims, issuer.name)
    return Identity(
        issuer=issuer.url,
        subject=one.subject,
        name=name if printable(name, MAX_NAME) and not acting else one.subject,
        groups=groups(claims, issuer),
        expires_at=expires,
        kind=one.kind,
        owner=one.owner,
    )


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


def party(claims: Mapping[str, object], profile: Profile) -> str | None:
    """The client the token was issued to.

    Raises:
        LoginRefused: bad-claims, or wrong-party when they disagree.
    """
    named: set[str] = set()
    for claim in (known := provider_rules.party_claims(profile)):
        if claim not in claims:
            continue
        value = claims[claim]
        if not isinstance(value, str) or not value:
            raise refusal(Code.BAD_CLAIMS, f"{claim} is not a string")
        named.add(value)
    if len(named) > 1:
        raise refusal(Code.WRONG_PARTY, f"{', '.join(known)} name different clients")
    return next(iter(named), None)


def _party(claims: Mapping[str, object], issuer: Issuer) -> None:
    named = party(claims, issuer.profile)
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
