"""Tokens made by hand, right or wrong in exactly one place, and an issuer that can be told to misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from joserfc import jwk, jws

from hooptui.credentials.certificates import ensure

AUDIENCE = "hooptui"
NOW = 1_800_000_000.0

RSA = jwk.RSAKey.generate_key(2048, {"kid": "rsa-1"})
RSA_BIG = jwk.RSAKey.generate_key(3072, {"kid": "rsa-big"})
OTHER_RSA = jwk.RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = jwk.ECKey.generate_key("P-256", {"kid": "ec-1"})
EC384 = jwk.ECKey.generate_key("P-384", {"kid": "ec-384"})
ED = jwk.OKPKey.generate_key("Ed25519", {"kid": "ed-1"})


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def dump(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def public(key: jwk.Key, **members: object) -> dict[str, Any]:
    return {name: value for name, value in (key.as_dict(private=False) | members).items() if value is not None}


def signed(header: object, claims: object, key: jwk.Key = RSA, algorithm: str = "RS256") -> str:
    """A compact token of exactly these bytes, truly signed."""
    text = f"{b64(dump(header))}.{b64(dump(claims))}"
    return f"{text}.{b64(jws.JWSRegistry.algorithms[algorithm].sign(text.encode(), key))}"


def token(
    issuer: str,
    *,
    head: dict[str, object] | None = None,
    drop: tuple[str, ...] = (),
    key: jwk.Key = RSA,
    alg: str = "RS256",
    **claims: object,
) -> str:
    """A good token with members replaced, added or dropped. A header member that is None is left out."""
    header = {"alg": alg, "typ": "at+jwt", "kid": key.kid} | (head or {})
    body: dict[str, object] = {
        "iss": issuer, "sub": "etl-7", "aud": AUDIENCE, "groups": ["agents"], "preferred_username": "ETL seven",
        "iat": int(NOW), "nbf": int(NOW), "exp": int(NOW) + 600,
    } | claims  # fmt: skip
    body = {name: value for name, value in body.items() if name not in drop}
    return signed({n: v for n, v in header.items() if v is not None}, body, key, alg)


def tls(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """A server context for localhost and the CA file that vouches for it."""
    made = ensure(directory, [], now=time.time())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    return context, made.ca


class Publisher:
    """An issuer under the test's thumb: what it answers is in its attributes."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self.url = ""
        self.keys: list[dict[str, Any]] = [public(RSA, use="sig", alg="RS256")]
        self.discovery: Callable[[], dict[str, Any]] = lambda: {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        self.answers: dict[str, Callable[[web.Request], Any]] = {}
        """By path: a coroutine function that answers instead."""
        self.asked: dict[str, int] = {}
        self.gate: asyncio.Event | None = None
        """When set, answers wait for it."""
        self.arrived = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Publisher:
        await self.start()
        return self

    async def start(self, port: int = 0) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self._context, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"https://localhost:{self.port}" if self._context else f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def __aexit__(self, *trouble: object) -> None:
        if self.gate is not None:
            self.gate.set()
        await self.stop()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] = self.asked.get(request.path, 0) + 1
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        if request.path in self.answers:
            return await self.answers[request.path](request)
        if request.path == "/.well-known/openid-configuration":
            return web.json_response(self.discovery())
        if request.path == "/jwks":
            return web.json_response({"keys": self.keys})
        return web.Response(status=404)


def says(status: int = 200, body: bytes = b"", **headers: str) -> Callable[[web.Request], Any]:
    """An answer that is always the same."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(
            status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return answer
