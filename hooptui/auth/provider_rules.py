"""What is known about single providers' tokens beyond the standards, and checked. Pure; the sources are their public docs.

Rules only narrow: they refuse, or see a workload where the configuration alone would see a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import assert_never

from hooptui.auth.issuer import Issuer, Profile
from hooptui.auth.paths import MISSING, find, worded
from hooptui.auth.refusals import Code, quoted, refusal

_TRUST_DOMAIN = r"[a-z0-9._-]{1,255}"
_SPIFFE = re.compile(rf"spiffe://{_TRUST_DOMAIN}(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._-]+)+")
"""SPIFFE-ID section 2: lower-case trust domain, a path of segments none of which is `.` or `..`, no slash at the end."""
_TENANT = re.compile(r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/|\Z)")

_NOT_ACCESS = frozenset({"id", "refresh", "offline", "logout", "registrationaccesstoken", "initialaccesstoken"})
_NOT_ID = frozenset({"bearer", "dpop", "access"}) | _NOT_ACCESS - {"id"}
_KEYCLOAK_CLIENT = "service-account-"


def examine(claims: Mapping[str, object], issuer: Issuer, *, id_token: bool) -> None:
    """Refuse what is no access token (with `id_token`: no ID token), what this provider never issues, and what the operator
    does not accept.

    Raises:
        LoginRefused: wrong-type, bad-claims, bad-subject or not-accepted.
    """
    _use(claims, id_token=id_token)
    for path, accepted in issuer.require.items():
        _required(claims, path, accepted)
    match issuer.profile:
        case Profile.KUBERNETES:
            _kubernetes(claims)
        case Profile.SPIFFE:
            if not isinstance(name := claims.get("sub"), str) or not _SPIFFE.fullmatch(name):
                raise refusal(Code.BAD_SUBJECT, "sub is not a SPIFFE ID of a workload: spiffe://trust-domain/path")
        case Profile.ENTRA:
            _entra(claims, issuer)
        case Profile.KEYCLOAK:
            expected = "ID" if id_token else "Bearer"
            if claims.get("typ") != expected:
                raise refusal(Code.WRONG_TYPE, f"the claim typ is {quoted(claims.get('typ'))}; expected {expected}")
        case Profile.GOOGLE:
            if "email" in claims and claims.get("email_verified") is not True:
                raise refusal(Code.BAD_CLAIMS, "email is there and email_verified is not true")
        case Profile.GENERIC | Profile.GITHUB | Profile.GITLAB | Profile.OKTA:
            pass
        case _ as never:
            assert_never(never)


def subject(claims: Mapping[str, object], issuer: Issuer, *, id_token: bool) -> object:
    """The claim that names the subject for good; `MISSING` when it is not there.

    Okta's access tokens have the changeable login name in `sub` and the user's id in `uid`; its ID tokens have the id in
    `sub`; tokens of a client have no `uid` and the client's id in `sub`.
    """
    if issuer.profile is Profile.OKTA and issuer.subject == "uid":
        name = claims.get("sub", MISSING)
        if id_token or (_okta_client(claims) and "uid" not in claims):
            return name
    return find(claims, issuer.subject)


def workload(claims: Mapping[str, object], issuer: Issuer, *, id_token: bool) -> bool:
    """Whether the provider's own marks say that no person is behind the token."""
    match issuer.profile:
        case Profile.ENTRA:
            # `idtyp` is an optional claim; without it, only tokens of a person have `scp`. ID tokens are of people.
            kind = claims.get("idtyp")
            return kind == "app" or (kind is None and not id_token and "scp" not in claims)
        case Profile.KEYCLOAK:
            name = claims.get("preferred_username")
            return "client_id" in claims or (isinstance(name, str) and name.startswith(_KEYCLOAK_CLIENT))
        case Profile.OKTA:
            return not id_token and "uid" not in claims
        case Profile.GOOGLE:
            email = claims.get("email")
            service = isinstance(email, str) and email.endswith(".gserviceaccount.com")
            return service or claims.get("azp", MISSING) == claims.get("sub")
        case Profile.GITHUB | Profile.GITLAB | Profile.KUBERNETES | Profile.SPIFFE:
            return True
        case Profile.GENERIC:
            return False
        case _ as never:
            assert_never(never)


def party_claims(profile: Profile) -> tuple[str, ...]:
    """The claims that name the client a token was issued to: OpenID Connect's, RFC 9068's and Entra v1's, and Okta's."""
    return ("azp", "client_id", "appid", "cid") if profile is Profile.OKTA else ("azp", "client_id", "appid")


def tenant(url: str) -> str | None:
    """The tenant id in an Entra issuer's URL."""
    found = _TENANT.search(url)
    return found[1] if found else None


def _use(claims: Mapping[str, object], *, id_token: bool) -> None:
    """Keycloak says in a claim `typ`, Cognito in `token_use`, what a token is for; logout tokens and other security events
    have `events` (OpenID Connect Back-Channel Logout section 2.4, RFC 8417)."""
    if "events" in claims:
        raise refusal(Code.WRONG_TYPE, "the token reports events; it proves no identity")
    refused = _NOT_ID if id_token else _NOT_ACCESS
    for claim in ("typ", "token_use"):
        kind = claims.get(claim)
        if isinstance(kind, str) and kind.lower() in refused:
            raise refusal(Code.WRONG_TYPE, f"the claim {claim} is {quoted(kind)}")


def _required(claims: Mapping[str, object], path: str, accepted: frozenset[str]) -> None:
    value = find(claims, path)
    if value is MISSING:
        raise refusal(Code.NOT_ACCEPTED, f"the token has no {path}, which is required")
    held = value if isinstance(value, list) else [value]
    if not any(worded(one) in accepted for one in held):
        shown = worded(held[0]) if held else None
        raise refusal(Code.NOT_ACCEPTED, f"{path} is {quoted(shown)}, which is not among what is accepted")


def _kubernetes(claims: Mapping[str, object]) -> None:
    """A bound service account token says twice whose it is; both must agree."""
    names: list[str] = []
    for path in ("/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name"):
        value = find(claims, path)
        if not isinstance(value, str) or not value:
            raise refusal(Code.BAD_CLAIMS, f"{path} is not a string; expected a bound service account token")
        names.append(value)
    if claims.get("sub") != "system:serviceaccount:" + ":".join(names):
        raise refusal(Code.BAD_SUBJECT, "sub is not the service account that kubernetes.io names")


def _entra(claims: Mapping[str, object], issuer: Issuer) -> None:
    ours = tenant(issuer.url)
    if ours is None or claims.get("tid") != ours:
        raise refusal(Code.NOT_ACCEPTED, f"tid is {quoted(claims.get('tid'))}, which is not the issuer's tenant")
    version = "1.0" if "//sts.windows.net/" in issuer.url else "2.0"
    if claims.get("ver") != version:
        raise refusal(Code.BAD_CLAIMS, f"ver is {quoted(claims.get('ver'))}; this issuer's is {version}")


def _okta_client(claims: Mapping[str, object]) -> bool:
    return "cid" in claims and claims.get("sub") == claims["cid"]
