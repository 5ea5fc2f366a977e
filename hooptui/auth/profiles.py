"""What is known about single providers, as settings: defaults that fit their tokens, and demands without which a stranger
would get in. Pure; the sources are the providers' public documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, assert_never
from urllib.parse import urlsplit

from hooptui.auth.issuer import Derived, Issuer, Profile
from hooptui.core.model import Kind

_CI_LIFE = 3_600.0
_SPIFFE_PATTERN = re.compile(r"spiffe://[a-z0-9._-]+/.+")

DEFAULTS: Mapping[Profile, Mapping[str, Any]] = MappingProxyType(
    {
        Profile.GENERIC: {},
        Profile.GITHUB: {
            "kind": Kind.WORKLOAD,
            "name": "repository",
            "groups": "",
            "algorithms": frozenset({"RS256"}),
            "max_lifetime": _CI_LIFE,
            "derived": (
                # Identifiers where there are some: a name can be taken over by somebody else, a number cannot.
                Derived("repo:", ("repository_id",)),
                Derived("owner:", ("repository_owner_id",)),
                Derived("env:", ("environment",)),
                Derived("ref:", ("ref",)),
                Derived("event:", ("event_name",)),
                Derived("workflow:", ("job_workflow_ref",)),
            ),
        },
        Profile.GITLAB: {
            "kind": Kind.WORKLOAD,
            "name": "project_path",
            "groups": "",
            "algorithms": frozenset({"RS256"}),
            "max_lifetime": 86_400.0,
            "derived": (
                Derived("project:", ("project_id",)),
                Derived("namespace:", ("namespace_id",)),
                Derived("env:", ("environment",)),
                Derived("ref:", ("ref_path",)),
                Derived("protected:", ("ref_protected",)),
                Derived("source:", ("pipeline_source",)),
            ),
        },
        Profile.KUBERNETES: {
            "kind": Kind.WORKLOAD,
            "name": "sub",
            "groups": "",
            "derived": (
                Derived("namespace:", ("/kubernetes.io/namespace",)),
                Derived("serviceaccount:", ("/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name")),
            ),
        },
        Profile.SPIFFE: {
            "kind": Kind.WORKLOAD,
            "name": "sub",
            # The JWT-SVID specification's algorithms (section 2.1).
            "algorithms": frozenset(
                {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"},
            ),
            "max_lifetime": _CI_LIFE,
        },
        # `sub` is another one for each application at Entra; `oid` is the same for the API's token and the portal's login.
        Profile.ENTRA: {"subject": "oid", "algorithms": frozenset({"RS256"})},
        Profile.KEYCLOAK: {"groups": "realm_access.roles"},
        Profile.OKTA: {"subject": "uid", "name": "sub", "algorithms": frozenset({"RS256"})},
        Profile.GOOGLE: {
            "name": "email",
            "groups": "",
            "algorithms": frozenset({"RS256"}),
            "max_lifetime": _CI_LIFE,
            "derived": (Derived("domain:", ("hd",)),),
        },
    }
)
"""By profile the fields of `Issuer` that differ from its own defaults."""

URLS: Mapping[Profile, tuple[str, str]] = MappingProxyType(
    {
        Profile.GITHUB: (
            r"https://token\.actions\.(?:githubusercontent\.com(?:/[A-Za-z0-9-]+)?|[a-z0-9-]+\.ghe\.com)|https://[^/]+/_services/token",
            "https://token.actions.githubusercontent.com (with /<enterprise>, or https://<host>/_services/token)",
        ),
        Profile.GITLAB: (
            r"https://[^/]+(?:/[^/]+)*[^/]",
            "https://gitlab.com or your own GitLab's URL, without a slash",
        ),
        Profile.ENTRA: (
            r"https://(?:login\.microsoftonline\.(?:com|us)|login\.partner\.microsoftonline\.cn)/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/v2\.0"
            r"|https://sts\.windows\.net/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/",
            "https://login.microsoftonline.com/<tenant id>/v2.0 or https://sts.windows.net/<tenant id>/ (one tenant: not common)",
        ),
        Profile.KEYCLOAK: (r"https?://.+/realms/[^/]+", "https://<host>/realms/<realm>"),
        Profile.OKTA: (
            r"https://[^/]+/oauth2/[A-Za-z0-9]+",
            "https://<org>.okta.com/oauth2/<authorization server>: tokens of the org itself are not for others to check",
        ),
        Profile.GOOGLE: (r"https://accounts\.google\.com", "https://accounts.google.com"),
    }
)
"""By profile the pattern of the issuer's URL, and the words for it."""


def issuer(profile: Profile, url: str, audiences: frozenset[str], **stated: Any) -> Issuer:
    """The issuer of this profile: its defaults, then what the operator stated (fields of `Issuer`), checked.

    Raises:
        ValueError: a field, what was found and what is expected.
        TypeError: `stated` has a name that no field has.
    """
    made = Issuer(url, audiences, profile=profile, **{**DEFAULTS[profile], **stated})
    check(made)
    return made


def check(made: Issuer) -> None:
    """What a profile demands of its settings.

    Raises:
        ValueError: a field, what was found and what is expected.
    """
    profile = made.profile
    pattern, words = URLS.get(profile, ("", ""))
    # A provider of tests or of a demo is on this machine, at a port of its own.
    if pattern and not made.loopback and not re.fullmatch(pattern, made.url):
        raise ValueError(f"issuer: {made.url!r} is no issuer of the profile {profile}; expected {words}")
    match profile:
        case Profile.GITHUB:
            _own_audience(made, "github.com", "every job of an organisation gets https://github.com/<owner> by default")
            _demand(made, "repository_id", "repository_owner_id", "enterprise_id")
        case Profile.GITLAB:
            _own_audience(made, urlsplit(made.url).hostname or "", "older job tokens have the GitLab's own URL in aud")
            _demand(made, "project_id", "namespace_id")
        case Profile.KUBERNETES:
            _own_audience(made, "kubernetes.default.svc", "every pod has a token for the cluster's own API server")
            if made.url in made.audiences:
                raise ValueError("audience: is the issuer itself; every pod has such a token. Expected one of your own")
        case Profile.SPIFFE:
            if not made.subjects or not all(_SPIFFE_PATTERN.fullmatch(one) for one in made.subjects):
                raise ValueError("subjects: expected patterns of one trust domain each, like spiffe://example.org/*")
        case Profile.GOOGLE:
            if not made.subjects:
                _demand(made, "hd", "email")
        case Profile.GENERIC | Profile.ENTRA | Profile.KEYCLOAK | Profile.OKTA:
            pass
        case _ as never:
            assert_never(never)


def _own_audience(made: Issuer, host: str, why: str) -> None:
    for audience in made.audiences:
        named = urlsplit(audience if "//" in audience else f"//{audience}").hostname or ""
        if named == host or named.startswith(f"{host}."):
            raise ValueError(f"audience: found {audience!r}; {why}. Expected one of your own, e.g. hooptui")


def _demand(made: Issuer, *claims: str) -> None:
    if made.require.keys().isdisjoint(claims):
        raise ValueError(
            f"require: expected at least one of {', '.join(claims)}; without it everybody's tokens of {made.url} are accepted"
        )
