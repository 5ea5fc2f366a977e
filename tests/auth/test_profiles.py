"""Profiles: every provider's real shapes are read, what a profile demands is demanded, and what it forbids is refused."""

from __future__ import annotations

from typing import Any

import pytest

from hooptui.auth import claims, provider_rules
from hooptui.auth.issuer import Derived, Issuer, KindRule, Profile
from hooptui.auth.oidc import Code, Verifier
from hooptui.auth.profiles import DEFAULTS, issuer
from hooptui.core.clock import ManualClock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Kind
from hooptui.core.secret import Secret

from . import samples as s
from .forge import AUDIENCE, NOW, Publisher, token

OURS = frozenset({AUDIENCE})
SET = frozenset


def made(profile: Profile, url: str, **stated: Any) -> Issuer:
    return issuer(profile, url, OURS, **stated)


GITHUB = made(Profile.GITHUB, s.GITHUB_URL, require={"repository_owner_id": SET({"65"})})
GITLAB = made(Profile.GITLAB, s.GITLAB_URL, require={"project_id": SET({"20", "21"})})
KUBERNETES = made(Profile.KUBERNETES, s.KUBERNETES_URL)
SPIFFE = made(Profile.SPIFFE, s.SPIFFE_URL, subjects=("spiffe://example.org/payments/*",))
ENTRA = made(Profile.ENTRA, s.ENTRA_URL)
ENTRA_V1 = made(Profile.ENTRA, s.ENTRA_V1_URL, name="upn")
KEYCLOAK = made(Profile.KEYCLOAK, s.KEYCLOAK_URL)
OKTA = made(Profile.OKTA, s.OKTA_URL)
GOOGLE = made(Profile.GOOGLE, s.GOOGLE_URL, require={"hd": SET({"example.com"})})
GOOGLE_SERVICE = made(
    Profile.GOOGLE, s.GOOGLE_URL, require={"email": SET({"etl-7@example.iam.gserviceaccount.com"})}, name="sub"
)

GOOD = [
    (GITHUB, s.GITHUB, "repo:octo-org/octo-repo:environment:prod", "octo-org/octo-repo", Kind.WORKLOAD,
     {"repo:74", "owner:65", "env:prod", "ref:refs/heads/main", "event:workflow_dispatch",
      "workflow:octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main"}),
    (GITHUB, {k: v for k, v in s.GITHUB.items() if k not in ("environment", "job_workflow_ref")} | {"ref": ""}, s.GITHUB["sub"],
     "octo-org/octo-repo", Kind.WORKLOAD, {"repo:74", "owner:65", "event:workflow_dispatch"}),
    (GITLAB, s.GITLAB, s.GITLAB["sub"], "my-group/my-project", Kind.WORKLOAD,
     {"project:20", "namespace:72", "env:test-environment2", "ref:refs/heads/feature-branch-1", "protected:false", "source:push"}),
    (KUBERNETES, s.KUBERNETES, "system:serviceaccount:payments:etl", "system:serviceaccount:payments:etl", Kind.WORKLOAD,
     {"namespace:payments", "serviceaccount:payments:etl"}),
    (SPIFFE, s.SPIFFE, "spiffe://example.org/payments/etl", "spiffe://example.org/payments/etl", Kind.WORKLOAD, set()),
    (ENTRA, s.ENTRA, s.OID, "ops-1@example.com", Kind.HUMAN, {"4c2f1d0e-0000-4000-8000-000000000001"}),
    (ENTRA, s.ENTRA_APP, s.OID, s.OID, Kind.WORKLOAD, set()),
    (ENTRA, s.ENTRA_APP | {"scp": "x", "idtyp": "app"}, s.OID, s.OID, Kind.WORKLOAD, set()),
    (ENTRA, s.ENTRA | {"idtyp": "user"}, s.OID, "ops-1@example.com", Kind.HUMAN, {"4c2f1d0e-0000-4000-8000-000000000001"}),
    (ENTRA_V1, s.ENTRA_V1, s.OID, "ops-1@example.com", Kind.HUMAN, {"4c2f1d0e-0000-4000-8000-000000000001"}),
    (KEYCLOAK, s.KEYCLOAK, s.KEYCLOAK["sub"], "ops-1", Kind.HUMAN, {"dba", "offline_access"}),
    (KEYCLOAK, s.KEYCLOAK_SERVICE, s.KEYCLOAK["sub"], "service-account-etl", Kind.WORKLOAD, {"dba", "offline_access"}),
    (KEYCLOAK, s.KEYCLOAK | {"preferred_username": "service-account-etl"}, s.KEYCLOAK["sub"], "service-account-etl", Kind.WORKLOAD,
     {"dba", "offline_access"}),
    (OKTA, s.OKTA, "00ujmkLgagxeRrAg20g3", "ops-1@example.com", Kind.HUMAN, {"dba"}),
    (OKTA, s.OKTA_CLIENT, s.OKTA["cid"], s.OKTA["cid"], Kind.WORKLOAD, set()),
    (GOOGLE, s.GOOGLE, s.GOOGLE["sub"], "ops-1@example.com", Kind.HUMAN, {"domain:example.com"}),
    (GOOGLE_SERVICE, s.GOOGLE_SERVICE, s.GOOGLE_SERVICE["sub"], s.GOOGLE_SERVICE["sub"], Kind.WORKLOAD, set()),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "said", "subject", "name", "kind", "groups"), GOOD)
def test_real_shapes_are_read(
    settings: Issuer, said: dict[str, object], subject: str, name: str, kind: Kind, groups: set[str]
) -> None:
    who = claims.identify(said, settings, NOW)
    assert (who.subject, who.name, who.kind, who.groups) == (subject, name, kind, groups)
    assert (who.issuer, who.owner, who.expires_at) == (settings.url, None, NOW + 300)


def test_one_person_is_one_identity_at_the_gateway_and_at_the_portal() -> None:
    portal = claims.person(s.OKTA_ID, OKTA, NOW, id_token=True)
    assert (portal.key, portal.kind) == (claims.identify(s.OKTA, OKTA, NOW).key, Kind.HUMAN)
    login = {name: value for name, value in s.ENTRA.items() if name != "scp"} | {"sub": "another-for-this-client"}
    portal = claims.person(login, ENTRA, NOW, id_token=True)
    assert (portal.key, portal.kind) == (claims.identify(s.ENTRA, ENTRA, NOW).key, Kind.HUMAN)


def test_overage_is_an_error_in_both_of_entras_versions() -> None:
    for settings, said in ((ENTRA, s.ENTRA), (ENTRA_V1, s.ENTRA_V1)):
        without = {name: value for name, value in said.items() if name != "groups"}
        sources = {"src1": {"endpoint": "https://graph.windows.net/x/users/y/getMemberObjects"}}
        for mark in ({"_claim_names": {"groups": "src1"}, "_claim_sources": sources}, {"hasgroups": True}):
            with pytest.raises(LoginRefused) as caught:
                claims.identify(without | mark, settings, NOW)
            assert caught.value.code == Code.GROUP_OVERAGE


def without(said: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in said.items() if name not in names}


BAD = [
    ("another organisation's job", GITHUB, s.GITHUB | {"repository_owner_id": "66"}, Code.NOT_ACCEPTED),
    ("its organisation left out", GITHUB, without(s.GITHUB, "repository_owner_id"), Code.NOT_ACCEPTED),
    ("its organisation null", GITHUB, s.GITHUB | {"repository_owner_id": None}, Code.NOT_ACCEPTED),
    ("its organisation no organisation", GITHUB, s.GITHUB | {"repository_owner_id": []}, Code.NOT_ACCEPTED),
    ("its organisation an object", GITHUB, s.GITHUB | {"repository_owner_id": {"65": 1}}, Code.NOT_ACCEPTED),
    ("the default audience", GITHUB, s.GITHUB | {"aud": "https://github.com/octo-org"}, Code.WRONG_AUDIENCE),
    ("an environment that is no name", GITHUB, s.GITHUB | {"environment": ["prod"]}, Code.BAD_GROUPS),
    ("an environment with a newline", GITHUB, s.GITHUB | {"environment": "prod\nenv:x"}, Code.BAD_GROUPS),
    ("an endless environment", GITHUB, s.GITHUB | {"environment": "p" * 300}, Code.BAD_GROUPS),
    ("another project's job", GITLAB, s.GITLAB | {"project_id": "22"}, Code.NOT_ACCEPTED),
    ("a person's login at GitLab", GITLAB, without(s.GITLAB, "project_id"), Code.NOT_ACCEPTED),
    ("another service account than it says", KUBERNETES, s.KUBERNETES | {"sub": "system:serviceaccount:kube-system:root"}, Code.BAD_SUBJECT),
    ("a legacy service account token", KUBERNETES, without(s.KUBERNETES, "kubernetes.io"), Code.BAD_CLAIMS),
    ("kubernetes.io a text", KUBERNETES, s.KUBERNETES | {"kubernetes.io": "payments"}, Code.BAD_CLAIMS),
    ("no service account", KUBERNETES, s.KUBERNETES | {"kubernetes.io": {"namespace": "payments"}}, Code.BAD_CLAIMS),
    ("another trust domain", SPIFFE, s.SPIFFE | {"sub": "spiffe://example.com/payments/etl"}, Code.NOT_ACCEPTED),
    ("a workload that is not ours", SPIFFE, s.SPIFFE | {"sub": "spiffe://example.org/web/etl"}, Code.NOT_ACCEPTED),
    ("a path upwards", SPIFFE, s.SPIFFE | {"sub": "spiffe://example.org/payments/../web"}, Code.BAD_SUBJECT),
    ("a slash at the end", SPIFFE, s.SPIFFE | {"sub": "spiffe://example.org/payments/"}, Code.BAD_SUBJECT),
    ("an empty segment", SPIFFE, s.SPIFFE | {"sub": "spiffe://example.org/payments//etl"}, Code.BAD_SUBJECT),
    ("a percent sign", SPIFFE, s.SPIFFE | {"sub": "spiffe://example.org/payments/%65tl"}, Code.BAD_SUBJECT),
    ("a trust domain in capitals", SPIFFE, s.SPIFFE | {"sub": "spiffe://EXAMPLE.org/payments/etl"}, Code.BAD_SUBJECT),
    ("no SPIFFE ID", SPIFFE, s.SPIFFE | {"sub": "etl-7"}, Code.BAD_SUBJECT),
    ("the trust domain itself", SPIFFE, s.SPIFFE | {"sub": "spiffe://example.org"}, Code.BAD_SUBJECT),
    ("a port", SPIFFE, s.SPIFFE | {"sub": "spiffe://example.org:80/payments/etl"}, Code.BAD_SUBJECT),
    ("an SVID for a week", SPIFFE, s.SPIFFE | {"exp": int(NOW) + 604_800}, Code.LIFETIME_TOO_LONG),
    ("another tenant", ENTRA, s.ENTRA | {"tid": "9" + s.TENANT[1:]}, Code.NOT_ACCEPTED),
    ("no tenant", ENTRA, without(s.ENTRA, "tid"), Code.NOT_ACCEPTED),
    ("version 1 by version 2's issuer", ENTRA, s.ENTRA | {"ver": "1.0"}, Code.BAD_CLAIMS),
    ("version 2 by version 1's issuer", ENTRA_V1, s.ENTRA_V1 | {"ver": "2.0"}, Code.BAD_CLAIMS),
    ("no oid", ENTRA, without(s.ENTRA, "oid"), Code.BAD_SUBJECT),
    ("appid and azp differ", ENTRA, s.ENTRA | {"appid": "x"}, Code.WRONG_PARTY),
    ("Keycloak's ID token", KEYCLOAK, s.KEYCLOAK | {"typ": "ID"}, Code.WRONG_TYPE),
    ("Keycloak's refresh token", KEYCLOAK, s.KEYCLOAK | {"typ": "Refresh"}, Code.WRONG_TYPE),
    ("Keycloak's offline token", KEYCLOAK, s.KEYCLOAK | {"typ": "Offline"}, Code.WRONG_TYPE),
    ("Keycloak's DPoP token", KEYCLOAK, s.KEYCLOAK | {"typ": "DPoP"}, Code.WRONG_TYPE),
    ("no typ at Keycloak", KEYCLOAK, without(s.KEYCLOAK, "typ"), Code.WRONG_TYPE),
    ("Keycloak without our audience", KEYCLOAK, s.KEYCLOAK | {"aud": "account"}, Code.WRONG_AUDIENCE),
    ("Okta's token without uid", OKTA, without(s.OKTA, "uid"), Code.BAD_SUBJECT),
    ("Okta's token without uid and cid", OKTA, without(s.OKTA, "uid", "cid"), Code.BAD_SUBJECT),
    ("cid a number", OKTA, s.OKTA | {"cid": 7}, Code.BAD_CLAIMS),
    ("cid and client_id differ", OKTA, s.OKTA | {"client_id": "x"}, Code.WRONG_PARTY),
    ("another domain", GOOGLE, s.GOOGLE | {"hd": "example.net"}, Code.NOT_ACCEPTED),
    ("a private account", GOOGLE, without(s.GOOGLE, "hd"), Code.NOT_ACCEPTED),
    ("an email that was not verified", GOOGLE, s.GOOGLE | {"email_verified": False}, Code.BAD_CLAIMS),
    ("email_verified a text", GOOGLE, s.GOOGLE | {"email_verified": "true"}, Code.BAD_CLAIMS),
    ("another service account", GOOGLE_SERVICE, s.GOOGLE_SERVICE | {"email": "x@example.iam.gserviceaccount.com"}, Code.NOT_ACCEPTED),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "said", "code"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_what_the_provider_never_issues_to_us_is_refused(settings: Issuer, said: dict[str, object], code: Code) -> None:
    with pytest.raises(LoginRefused) as caught:
        claims.identify(said, settings, NOW)
    assert caught.value.code == code, caught.value.log


def test_an_id_token_must_say_so_at_keycloak() -> None:
    assert claims.person(s.KEYCLOAK | {"typ": "ID"}, KEYCLOAK, NOW, id_token=True).kind is Kind.HUMAN
    with pytest.raises(LoginRefused, match="type"):
        claims.person(s.KEYCLOAK, KEYCLOAK, NOW, id_token=True)


@pytest.mark.parametrize(
    ("profile", "url", "stated", "words"),
    [
        (Profile.GITHUB, s.GITHUB_URL, {}, "require: expected at least one of repository_id"),
        (Profile.GITHUB, s.GITHUB_URL, {"require": {"environment": SET({"prod"})}}, "require"),
        (Profile.GITHUB, "https://github.com", {"require": {"repository_id": SET({"7"})}}, "issuer: 'https://github.com'"),
        (Profile.GITHUB, s.GITHUB_URL + "/", {"require": {"repository_id": SET({"7"})}}, "issuer"),
        (Profile.GITHUB, "https://token.actions.githubusercontent.com.example", {"require": {"repository_id": SET({"7"})}}, "issuer"),
        (Profile.GITLAB, s.GITLAB_URL, {}, "require"),
        (Profile.GITLAB, s.GITLAB_URL + "/", {"require": {"project_id": SET({"7"})}}, "issuer"),
        (Profile.SPIFFE, s.SPIFFE_URL, {}, "subjects"),
        (Profile.SPIFFE, s.SPIFFE_URL, {"subjects": ("spiffe://*",)}, "subjects"),
        (Profile.SPIFFE, s.SPIFFE_URL, {"subjects": ("*",)}, "subjects"),
        (Profile.SPIFFE, s.SPIFFE_URL, {"subjects": ("spiffe://*.org/x",)}, "subjects"),
        (Profile.ENTRA, "https://login.microsoftonline.com/common/v2.0", {}, "not common"),
        (Profile.ENTRA, "https://login.microsoftonline.com/organizations/v2.0", {}, "issuer"),
        (Profile.ENTRA, s.ENTRA_URL + "/", {}, "issuer"),
        (Profile.ENTRA, s.ENTRA_V1_URL[:-1], {}, "issuer"),
        (Profile.KEYCLOAK, "https://sso.example.org", {}, "realms"),
        (Profile.KEYCLOAK, s.KEYCLOAK_URL + "/", {}, "realms"),
        (Profile.OKTA, "https://example.okta.com", {}, "oauth2"),
        (Profile.GOOGLE, s.GOOGLE_URL, {}, "require: expected at least one of hd"),
        (Profile.GOOGLE, "https://google.com", {"require": {"hd": SET({"x"})}}, "issuer"),
        (Profile.GENERIC, s.SPIFFE_URL, {"require": {"x": SET()}}, "require"),
        (Profile.GENERIC, s.SPIFFE_URL, {"require": {"": SET({"x"})}}, "require"),
        (Profile.GENERIC, s.SPIFFE_URL, {"subjects": ("",)}, "subjects"),
        (Profile.GENERIC, s.SPIFFE_URL, {"subject": ""}, "subject"),
        (Profile.GENERIC, s.SPIFFE_URL, {"groups": ""}, "groups"),
        (Profile.GENERIC, s.SPIFFE_URL, {"actor": "act.sub", "owner": "owner"}, "actor and owner"),
        (Profile.GENERIC, s.SPIFFE_URL, {"owners": {"": "ops-1"}}, "owners"),
        (Profile.GENERIC, s.SPIFFE_URL, {"owners": {"bot": ""}}, "owners"),
        (Profile.GENERIC, s.SPIFFE_URL, {"owners": {"bot": "bot"}}, "for itself"),
        (Profile.GENERIC, s.SPIFFE_URL, {"owners": {"bot": s.SPIFFE_URL + "#bot"}}, "for itself"),
        (Profile.GENERIC, s.SPIFFE_URL, {"owners": {str(n): "x" for n in range(10_001)}}, "at most"),
    ],
)  # fmt: skip
def test_what_a_profile_demands(profile: Profile, url: str, stated: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made(profile, url, **stated)


@pytest.mark.parametrize(
    ("profile", "url", "audience", "require"),
    [
        (Profile.GITHUB, s.GITHUB_URL, "https://github.com/octo-org", {"repository_id": SET({"7"})}),
        (Profile.GITHUB, s.GITHUB_URL, "https://GitHub.com/octo-org", {"repository_id": SET({"7"})}),
        (Profile.GITLAB, s.GITLAB_URL, "https://gitlab.com", {"project_id": SET({"7"})}),
        (Profile.GITLAB, s.GITLAB_URL, "gitlab.com", {"project_id": SET({"7"})}),
        (Profile.KUBERNETES, s.KUBERNETES_URL, "https://kubernetes.default.svc", {}),
        (Profile.KUBERNETES, s.KUBERNETES_URL, "https://kubernetes.default.svc.cluster.local", {}),
        (Profile.KUBERNETES, "https://oidc.example.org/id/1", "https://oidc.example.org/id/1", {}),
        (Profile.KUBERNETES, "https://oidc.example.org/id/1", "https://kubernetes.default.svc.cluster.local", {}),
    ],
)
def test_an_audience_that_everybody_has_is_none(
    profile: Profile, url: str, audience: str, require: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="audience"):
        issuer(profile, url, frozenset({audience}), require=require)


def test_the_verifier_does_not_take_settings_that_went_around_their_profile() -> None:
    with pytest.raises(ValueError, match="require"):
        Verifier([Issuer(s.GITHUB_URL, OURS, profile=Profile.GITHUB)], ManualClock(NOW))


def test_what_is_stated_wins_and_unknown_fields_are_named() -> None:
    one = made(Profile.KEYCLOAK, s.KEYCLOAK_URL, groups="groups", kind=KindRule("idtyp", "app"))
    assert (one.groups, one.kind, one.profile) == ("groups", KindRule("idtyp", "app"), Profile.KEYCLOAK)
    with pytest.raises(TypeError, match="gruops"):
        made(Profile.KEYCLOAK, s.KEYCLOAK_URL, gruops="x")
    with pytest.raises(ValueError, match="prefix"):
        Derived("", ("x",))
    assert set(DEFAULTS) == set(Profile)
    assert {profile for profile in Profile if provider_rules.party_claims(profile)} == set(Profile)


async def test_jose_is_a_type_for_spiffe_alone() -> None:
    async with Publisher() as publisher:
        text = token(publisher.url, sub="spiffe://example.org/etl", head={"typ": "JOSE"}, drop=("iat", "nbf"))
        spiffe = issuer(Profile.SPIFFE, publisher.url, OURS, subjects=("spiffe://example.org/*",))
        async with Verifier([spiffe], ManualClock(NOW)) as verifier:
            assert (await verifier.identify(Secret(text))).kind is Kind.WORKLOAD
        async with Verifier([Issuer(publisher.url, OURS)], ManualClock(NOW)) as verifier:
            with pytest.raises(LoginRefused) as caught:
                await verifier.identify(Secret(text))
            assert caught.value.code == Code.WRONG_TYPE


async def test_a_service_account_token_has_no_typ() -> None:
    async with Publisher() as publisher:
        said = {**s.KUBERNETES, "iss": publisher.url}
        text = token(publisher.url, head={"typ": None}, **said)
        async with Verifier([issuer(Profile.KUBERNETES, publisher.url, OURS)], ManualClock(NOW)) as verifier:
            who = await verifier.identify(Secret(text))
        assert who.groups == {"namespace:payments", "serviceaccount:payments:etl"}
