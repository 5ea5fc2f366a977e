"""Claims as real providers send them, in the shapes of their public documentation, with made-up values."""

from __future__ import annotations

from .forge import AUDIENCE, NOW

TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
OID = "00000000-0000-0000-66f3-3332eca7ea81"
GITHUB_URL = "https://token.actions.githubusercontent.com"
GITLAB_URL = "https://gitlab.com"
KUBERNETES_URL = "https://kubernetes.default.svc.cluster.local"
SPIFFE_URL = "https://oidc.example.org"
ENTRA_URL = f"https://login.microsoftonline.com/{TENANT}/v2.0"
ENTRA_V1_URL = f"https://sts.windows.net/{TENANT}/"
KEYCLOAK_URL = "https://sso.example.org/realms/ops"
OKTA_URL = "https://example.okta.com/oauth2/default"
GOOGLE_URL = "https://accounts.google.com"

TIMES: dict[str, object] = {"iat": int(NOW), "nbf": int(NOW), "exp": int(NOW) + 300}

# docs.github.com, OpenID Connect reference: "Understanding the OIDC token".
GITHUB: dict[str, object] = TIMES | {
    "jti": "example-id", "sub": "repo:octo-org/octo-repo:environment:prod", "environment": "prod", "aud": AUDIENCE,
    "ref": "refs/heads/main", "sha": "example-sha", "repository": "octo-org/octo-repo", "repository_owner": "octo-org",
    "actor_id": "12", "repository_visibility": "private", "repository_id": "74", "repository_owner_id": "65",
    "run_id": "example-run-id", "run_number": "10", "run_attempt": "2", "runner_environment": "github-hosted", "actor": "octocat",
    "workflow": "example-workflow", "head_ref": "", "base_ref": "", "event_name": "workflow_dispatch", "ref_protected": "true",
    "ref_type": "branch", "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main", "iss": GITHUB_URL,
}  # fmt: skip

# docs.gitlab.com, "OpenID Connect (OIDC) authentication using ID tokens": token payload.
GITLAB: dict[str, object] = TIMES | {
    "namespace_id": "72", "namespace_path": "my-group", "project_id": "20", "project_path": "my-group/my-project", "user_id": "1",
    "user_login": "sample-user", "user_email": "sample-user@example.com", "user_identities": [{"provider": "github", "extern_uid": "2435"}],
    "pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "feature-branch-1", "ref_type": "branch",
    "ref_path": "refs/heads/feature-branch-1", "ref_protected": "false", "groups_direct": ["mygroup/mysubgroup"],
    "environment": "test-environment2", "environment_protected": "false", "deployment_tier": "testing", "environment_action": "start",
    "runner_id": 1, "runner_environment": "self-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "project_visibility": "public",
    "ci_config_ref_uri": "gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
    "ci_config_sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b", "iss": GITLAB_URL,
    "sub": "project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1", "aud": AUDIENCE,
}  # fmt: skip

# kubernetes.io, "Managing Service Accounts": schema for service account private claims.
KUBERNETES: dict[str, object] = TIMES | {
    "aud": [AUDIENCE], "iss": KUBERNETES_URL, "jti": "7ee52be0-9045-4653-aa5e-0da57b8dccdc",
    "kubernetes.io": {
        "namespace": "payments", "node": {"name": "127.0.0.1", "uid": "58456cb0-dd00-45ed-b797-5578fdceaced"},
        "pod": {"name": "etl-69cbfb9798-jv9gn", "uid": "778a530c-b3f4-47c0-9cd5-ab018fb64f33"},
        "serviceaccount": {"name": "etl", "uid": "a087d5a0-e1dd-43ec-93ac-f13d89cd13af"}, "warnafter": int(NOW) + 200,
    },
    "sub": "system:serviceaccount:payments:etl",
}  # fmt: skip

# SPIFFE, JWT-SVID section 3: sub, aud and exp are all there must be; iss comes from the server's `jwt_issuer`.
SPIFFE: dict[str, object] = {
    "iss": SPIFFE_URL, "sub": "spiffe://example.org/payments/etl", "aud": [AUDIENCE], "exp": int(NOW) + 300,
}  # fmt: skip

# learn.microsoft.com, "Access token claims reference": v2.0, delegated.
ENTRA: dict[str, object] = TIMES | {
    "aud": AUDIENCE, "iss": ENTRA_URL, "acct": 0, "acr": "1", "aio": "AXQAi/8IAAAA", "azp": "00001111-aaaa-2222-bbbb-3333cccc4444",
    "azpacr": "0", "name": "Ops One", "oid": OID, "preferred_username": "ops-1@example.com", "rh": "0.AAAA",
    "scp": "access_as_user", "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "tid": TENANT, "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0", "groups": ["4c2f1d0e-0000-4000-8000-000000000001"],
}  # fmt: skip
ENTRA_APP: dict[str, object] = {
    name: value for name, value in ENTRA.items() if name not in ("scp", "name", "preferred_username", "groups")
} | {"roles": ["Database.Read"], "sub": OID}
ENTRA_V1: dict[str, object] = {
    name: value for name, value in ENTRA.items() if name not in ("azp", "azpacr", "preferred_username")
} | {
    "iss": ENTRA_V1_URL, "ver": "1.0", "appid": "00001111-aaaa-2222-bbbb-3333cccc4444", "appidacr": "0", "upn": "ops-1@example.com",
    "amr": ["pwd"], "unique_name": "ops-1@example.com",
}  # fmt: skip

# Keycloak: an access token of a person, and one of a client's service account.
KEYCLOAK: dict[str, object] = TIMES | {
    "jti": "onrtac:8f3a", "iss": KEYCLOAK_URL, "aud": [AUDIENCE, "account"], "sub": "f6f7b3a0-1c2d-4e5f-8a9b-000000000001", "typ": "Bearer",
    "azp": "psql", "sid": "7f2c", "acr": "1", "allowed-origins": ["/*"], "realm_access": {"roles": ["dba", "offline_access"]},
    "resource_access": {"account": {"roles": ["manage-account"]}}, "scope": "openid profile", "email_verified": False,
    "preferred_username": "ops-1",
}  # fmt: skip
KEYCLOAK_SERVICE: dict[str, object] = KEYCLOAK | {
    "azp": "etl", "client_id": "etl", "clientHost": "127.0.0.1", "clientAddress": "127.0.0.1", "preferred_username": "service-account-etl",
}  # fmt: skip

# developer.okta.com, "Access tokens": a custom authorization server's.
OKTA: dict[str, object] = TIMES | {
    "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": OKTA_URL, "aud": AUDIENCE, "cid": "nmdP1fcyvdVO11AL7ECm",
    "uid": "00ujmkLgagxeRrAg20g3", "scp": ["openid"], "sub": "ops-1@example.com", "groups": ["dba"],
}  # fmt: skip
OKTA_CLIENT: dict[str, object] = {
    name: value for name, value in OKTA.items() if name not in ("uid", "groups")
} | {"sub": OKTA["cid"]}  # fmt: skip
OKTA_ID: dict[str, object] = TIMES | {
    "ver": 1, "iss": OKTA_URL, "aud": "portal", "sub": "00ujmkLgagxeRrAg20g3", "preferred_username": "ops-1@example.com",
    "amr": ["pwd"], "nonce": "n", "groups": ["dba"],
}  # fmt: skip

# developers.google.com, "OpenID Connect": an ID token's payload; and one of a service account from the metadata server.
GOOGLE: dict[str, object] = TIMES | {
    "iss": GOOGLE_URL, "azp": "1234987819200.apps.googleusercontent.com", "aud": AUDIENCE, "sub": "10769150350006150715113082367",
    "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "hd": "example.com", "email": "ops-1@example.com", "email_verified": True,
}  # fmt: skip
GOOGLE_SERVICE: dict[str, object] = TIMES | {
    "iss": GOOGLE_URL, "azp": "113774264463038321964", "sub": "113774264463038321964", "aud": AUDIENCE,
    "email": "etl-7@example.iam.gserviceaccount.com", "email_verified": True,
}  # fmt: skip
