"""A small real OIDC issuer for the demo and the tests: discovery, key set, client credentials, key rotation.

It signs with keys made at start and serves on loopback, over TLS when given a context. Knows nothing of the gateway.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import ssl
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from aiohttp import web
from joserfc import jwk, jwt

from hooptui.core.secret import Secret

HOST = "localhost"
"""The name in URL and certificate; the socket is bound to 127.0.0.1."""

Algorithm = Literal["RS256", "ES256"]
_KEPT_KEYS = 4
"""Public keys that stay in the key set after rotations."""


@dataclass(frozen=True, slots=True)
class Client:
    """One workload that may ask for tokens."""

    id: str
    groups: tuple[str, ...]
    secret: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(24)), compare=False)
    claims: Mapping[str, object] = field(default_factory=dict)
    """Further claims of its tokens, e.g. `act`."""


class DemoIssuer:
    """See the module. Start and stop it on one loop; `mint` may be called from anywhere."""

    def __init__(
        self,
        audience: str,
        clients: tuple[Client, ...] = (),
        *,
        tls: ssl.SSLContext | None = None,
        algorithm: Algorithm = "RS256",
        lifetime: float = 900.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`lifetime` is that of its tokens, in seconds."""
        self.audience = audience
        self.url = ""
        """Set by `start`: the port comes from the kernel."""
        self._clients = {client.id: client for client in clients}
        self._tls = tls
        self._algorithm: Algorithm = algorithm
        self._lifetime = lifetime
        self._now = now
        self._private = _new_key(algorithm)
        self._published: list[jwk.Key] = [self._private]
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on a free loopback port and learn the issuer's URL.

        Raises:
            OSError: no socket could be had.
        """
        application = web.Application(client_max_size=16 * 1024)
        application.router.add_get("/.well-known/openid-configuration", self._discovery)
        application.router.add_get("/jwks", self._jwks)
        application.router.add_post("/token", self._token)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        host, port = runner.addresses[0][:2]
        scheme, name = ("http", host) if self._tls is None else ("https", HOST)
        self.url = f"{scheme}://{name}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def rotate(self, *, keep_old: bool = True) -> str:
        """Sign with a new key from now on; the old ones stay published unless told otherwise. Returns the new key id."""
        self._private = _new_key(self._algorithm)
        kept = self._published[: _KEPT_KEYS - 1] if keep_old else []
        self._published = [self._private, *kept]
        return str(self._private.kid)

    def mint(self, subject: str, groups: tuple[str, ...], **claims: object) -> Secret:
        """A token signed with the current key; `claims` replace or add to the usual ones."""
        now = int(self._now())
        body: dict[str, object] = {
            "iss": self.url,
            "sub": subject,
            "aud": self.audience,
            "client_id": subject,
            "preferred_username": subject,
            "groups": list(groups),
            "iat": now,
            "nbf": now,
            "exp": now + int(self._lifetime),
            "jti": uuid.uuid4().hex,
        }
        header = {"alg": self._algorithm, "typ": "at+jwt", "kid": str(self._private.kid)}
        return Secret(jwt.encode(header, body | claims, self._private, algorithms=[self._algorithm]))

    async def _discovery(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "token_endpoint": f"{self.url}/token",
                "grant_types_supported": ["client_credentials"],
                "response_types_supported": ["token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [self._algorithm],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }
        )

    async def _jwks(self, request: web.Request) -> web.Response:
        keys = [key.as_dict(private=False) | {"use": "sig", "alg": self._algorithm} for key in self._published]
        return web.json_response({"keys": keys})

    async def _token(self, request: web.Request) -> web.Response:
        """RFC 6749 section 4.4."""
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type")
        name, secret = _basic(request.headers.get("Authorization", "")) or (
            form.get("client_id"),
            form.get("client_secret"),
        )
        client = self._clients.get(name) if isinstance(name, str) else None
        if client is None or not isinstance(secret, str) or not client.secret.matches(secret):
            return _oauth_error(401, "invalid_client")
        token = self.mint(client.id, client.groups, **client.claims)
        body = {"access_token": token.reveal(), "token_type": "Bearer", "expires_in": int(self._lifetime)}
        return web.json_response(body, headers={"Cache-Control": "no-store"})


def _new_key(algorithm: Algorithm) -> jwk.Key:
    key: jwk.Key = jwk.RSAKey.generate_key(2048) if algorithm == "RS256" else jwk.ECKey.generate_key("P-256")
    key.ensure_kid()
    return key


def _basic(header: str) -> tuple[str, str] | None:
    """Name and password of an HTTP Basic header (RFC 7617); None when there is none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return name, password


def _oauth_error(status: int, error: str) -> web.Response:
    return web.json_response({"error": error}, status=status, headers={"Cache-Control": "no-store"})
