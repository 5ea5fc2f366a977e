"""A real OpenID provider for the tests: npm oidc-provider in a process of its own, with people, workloads and bad days.

    with oidc_provider() as idp:
        idp.url                                   # the issuer; give it to auth.issuer.Issuer
        idp.token("ops-1")                        # JWT access token of a person for AUDIENCE, by code flow without a browser
        idp.workload("etl-7")                     # the same by client credentials
        idp.rotate(); idp.revoke(sub="ops-1"); idp.trouble({"/token": {"kind": "slow", "seconds": 9}})

Synchronous on purpose: it is another machine, and a test may ask it from any loop. See `Trouble` for bad days.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.cookiejar
import json
import secrets
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

from hooptui.auth.issuer import Issuer
from tests.providers.node import node, packages

HERE = Path(__file__).parent
AUDIENCE = "urn:hooptui:gateway"
"""What access tokens are for. A resource indicator (RFC 8707) is a URI."""
PORTAL = "hooptui-portal"
CLI = "hooptui-cli"
LOOPBACK_REDIRECT = "http://127.0.0.1:1/callback"
"""Nothing listens there; `token` reads the code from the redirect itself."""


def person(name: str, *groups: str, **claims: object) -> dict[str, object]:
    return {"name": f"{name} (person)", "preferred_username": name, "groups": list(groups), **claims}


USERS: dict[str, dict[str, object]] = {
    "ops-1": person("ops-1", "dba", "oncall"),
    "ops-2": person("ops-2", "dba", "oncall"),
    "ops-3": person("ops-3", "oncall"),
    "dev-4": person("dev-4", "developers"),
    "agent-5": person("agent-5", "agents", act={"sub": "dev-4"}),
    "crowd-6": {"preferred_username": "crowd-6", "_claim_names": {"groups": "src1"}},
    "odd-7": {"preferred_username": "odd-7", "groups": "dba"},
}
"""By subject: what tokens say about them. `crowd-6` has too many groups, `odd-7` has groups that are no list."""

WORKLOADS: dict[str, dict[str, object]] = {
    "etl-7": {"groups": ["agents"], "idtyp": "app"},
    "bot-8": {"groups": ["agents"], "idtyp": "app", "act": {"sub": "ops-1"}},
}
"""Clients that get tokens by client credentials; `bot-8` acts for `ops-1`."""


class Trouble(TypedDict, total=False):
    """What happens to requests below a path."""

    kind: Literal["slow", "down", "error", "junk", "redirect", "flood"]
    seconds: float
    """For `slow`: how long until the real answer."""
    status: int
    body: str
    location: str
    times: int
    """How many requests it lasts; for ever without."""


@dataclass
class OidcProvider:
    """A running provider. Made by `oidc_provider`."""

    url: str
    """The issuer, exactly as in `iss`."""
    secrets: Mapping[str, str] = field(repr=False)
    """Client secrets by client id; public clients have none."""
    _control: str
    _key: str = field(repr=False)
    _process: subprocess.Popen[str] = field(repr=False)
    _tls: ssl.SSLContext | None = None
    ca_file: Path | None = None
    """What vouches for it; None when it speaks plain http."""

    def issuer(self, **changes: Any) -> Issuer:
        """The provider as the gateway is told of it; `act.sub` names the person that an agent acts for."""
        settings = {"audiences": frozenset({AUDIENCE}), "owner": "act.sub", "ca_file": self.ca_file}
        return Issuer(self.url, **(settings | changes))

    # --- bad days

    def rotate(self, *, keep: bool = True) -> str:
        """Sign with a new key from now on; without `keep` the old ones are no longer published. Returns the new kid."""
        return str(self._tell("rotate", keep=keep)["kid"])

    def trouble(self, paths: Mapping[str, Trouble]) -> None:
        """Misbehave below these paths from now on, and nowhere else: `{}` is a good day."""
        self._tell("trouble", **dict(paths))

    def revoke(self, *, sub: str = "", jti: str = "") -> None:
        """From now on introspection calls this person's (workload's) tokens, or this one token, not active."""
        self._tell("revoke", sub=sub, jti=jti)

    def restore(self, sub: str) -> None:
        self._tell("restore", sub=sub)

    def drop(self, sub: str) -> None:
        """Forget a person: no login, no userinfo."""
        self._tell("drop", sub=sub)

    def user(self, sub: str, claims: Mapping[str, object]) -> None:
        """Add or change a person."""
        self._tell("user", sub=sub, claims=claims)

    def settings(self, **changes: object) -> None:
        """`introspectJwt` (false: refuse structured tokens, as the provider itself does), `accessTokenSeconds`."""
        self._tell("settings", **changes)

    def redirects(self, client: str, *uris: str) -> None:
        """Where this client's codes may go."""
        self._tell("redirects", client_id=client, redirect_uris=list(uris))

    def counted(self) -> dict[str, int]:
        """Requests so far by path."""
        return self._tell("counted")

    def stop(self) -> None:
        """Be gone; the port answers no more."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    # --- tokens

    def workload(self, client: str, **form: str) -> dict[str, Any]:
        """Client credentials: the whole token answer; `access_token` is a JWT for AUDIENCE."""
        return self.grant(client, grant_type="client_credentials", **form)

    def grant(self, client: str, **form: str) -> dict[str, Any]:
        """Ask the token endpoint as this client."""
        body = dict(form)
        if client in self.secrets:
            body |= {"client_id": client, "client_secret": self.secrets[client]}
        else:
            body["client_id"] = client
        return self._json("/token", body)

    def token(self, user: str, *, scope: str = "openid profile groups", resource: str = AUDIENCE) -> str:
        """A person's JWT access token for AUDIENCE."""
        return str(self.login(user, scope=scope, resource=resource)["access_token"])

    def login(
        self, user: str, *, scope: str = "openid profile groups", resource: str = AUDIENCE, nonce: str = ""
    ) -> dict[str, Any]:
        """The public client's code flow as a browser would do it: the whole token answer."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        ask = {
            "client_id": CLI, "response_type": "code", "redirect_uri": LOOPBACK_REDIRECT, "scope": scope,
            "code_challenge": challenge, "code_challenge_method": "S256", "state": "s",
            **({"resource": resource} if resource else {}), **({"nonce": nonce} if nonce else {}),
        }  # fmt: skip
        jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(strict_ns_domain=0))
        where = f"{self.url}/auth?{urllib.parse.urlencode(ask)}"
        for _ in range(10):
            if where.startswith(LOOPBACK_REDIRECT):
                said = urllib.parse.parse_qs(urllib.parse.urlsplit(where).query)
                return self.grant(
                    CLI, grant_type="authorization_code", code=said["code"][0], code_verifier=verifier,
                    redirect_uri=LOOPBACK_REDIRECT, **({"resource": resource} if resource else {}),
                )  # fmt: skip
            status, location, body = self._visit(jar, where)
            if location:
                where = urllib.parse.urljoin(where, location)
                continue
            status, location, body = self._visit(jar, where, {"login": user, "do": "login"})
            if not location:
                raise AssertionError(f"no login for {user}: {status} {body[:300]!r}")
            where = urllib.parse.urljoin(where, location)
        raise AssertionError(f"the login of {user} goes in circles at {where}")

    # --- inside

    def _visit(
        self, jar: http.cookiejar.CookieJar, where: str, form: Mapping[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        data = None if form is None else urllib.parse.urlencode(form).encode()
        opener = urllib.request.build_opener(_Stay(), urllib.request.HTTPCookieProcessor(jar), *self._handlers())
        try:
            with opener.open(urllib.request.Request(where, data), timeout=60) as answer:
                return answer.status, "", answer.read()
        except urllib.error.HTTPError as other:
            with other:
                return other.code, other.headers.get("Location", ""), other.read()

    def _json(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        data = urllib.parse.urlencode(form).encode()
        opener = urllib.request.build_opener(_Stay(), *self._handlers())
        try:
            with opener.open(urllib.request.Request(f"{self.url}{path}", data), timeout=60) as answer:
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as refused:
            with refused:
                raise AssertionError(f"{path}: {refused.code} {refused.read()[:500]!r}") from None

    def _handlers(self) -> list[urllib.request.BaseHandler]:
        return [urllib.request.HTTPSHandler(context=self._tls)] if self._tls else []

    def _tell(self, act: str, **what: object) -> dict[str, Any]:
        ask = urllib.request.Request(
            f"{self._control}/{act}", json.dumps(what).encode(), {"Authorization": f"Bearer {self._key}"}
        )
        with urllib.request.urlopen(ask, timeout=60) as answer:
            return dict(json.loads(answer.read()))


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are for us to look at."""

    def redirect_request(self, *_: object) -> None:  # type: ignore[override]  # None is how urllib is told not to follow
        return None


@contextlib.contextmanager
def oidc_provider(
    *,
    users: Mapping[str, Mapping[str, object]] = USERS,
    workloads: Mapping[str, Mapping[str, object]] = WORKLOADS,
    redirects: tuple[str, ...] = (LOOPBACK_REDIRECT,),
    audience: str = AUDIENCE,
    algorithm: Literal["RS256", "ES256"] = "RS256",
    lifetime: int = 900,
    tls: tuple[Path, Path, Path] | None = None,
) -> Iterator[OidcProvider]:
    """Run a provider.

    `redirects` are those of the client PORTAL (see `OidcProvider.redirects` for later); `lifetime` is that of tokens in
    seconds; `tls` is certificate, key and CA file for localhost. Plain http on 127.0.0.1 without.
    """
    program, _ = node()
    modules = packages(HERE / "oidc_provider_npm")
    key = secrets.token_urlsafe(24)
    known = {name: secrets.token_urlsafe(24) for name in (PORTAL, *workloads)}
    clients: list[dict[str, object]] = [
        {
            "client_id": PORTAL, "client_secret": known[PORTAL], "redirect_uris": list(redirects),
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        },
        {
            "client_id": CLI, "token_endpoint_auth_method": "none", "redirect_uris": [LOOPBACK_REDIRECT],
            "application_type": "native", "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        },
        *(
            {
                "client_id": name, "client_secret": known[name], "redirect_uris": [], "response_types": [],
                "grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post", "claims": claims,
            }
            for name, claims in workloads.items()
        ),
    ]  # fmt: skip
    setup = {
        "modules": str(modules), "audience": audience, "users": users, "clients": clients, "algorithm": algorithm,
        "lifetime": lifetime, "cookieKey": secrets.token_urlsafe(24), "controlKey": key,
        "tls": {"cert": tls[0].read_text(), "key": tls[1].read_text()} if tls else None,
    }  # fmt: skip
    process = subprocess.Popen(
        [str(program), str(HERE / "oidc_provider.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("a process without pipes")
    process.stdin.write(json.dumps(setup) + "\n")
    process.stdin.flush()
    said = process.stdout.readline()
    if not said:
        raise AssertionError(f"the provider did not start; it ended with {process.wait(60)}")
    started = json.loads(said)
    context = ssl.create_default_context(cafile=str(tls[2])) if tls else None
    made = OidcProvider(started["issuer"], known, started["control"], key, process, context, tls[2] if tls else None)
    try:
        yield made
    finally:
        made.stop()
