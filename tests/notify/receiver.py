"""A real HTTP server that keeps what it is sent and answers as it is told; and the check that a receiver of webhooks makes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from hooptui.core.secret import Secret
from hooptui.notify.settings import Webhook

KEY = bytes(range(32))
SECRET = Secret("whsec_" + base64.b64encode(KEY).decode())


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def verified(received: Received, key: bytes, now: float, *, tolerance: float = 300.0) -> bool:
    """Whether it is from who has the key, and of now; in constant time (Standard Webhooks 1.0)."""
    headers = received.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
    expected = base64.b64encode(hmac.digest(key, signed, "sha256"))
    good = False
    for one in headers["webhook-signature"].split(" "):
        version, _, signature = one.partition(",")
        good |= version == "v1" and hmac.compare_digest(signature.encode(), expected)
    return good and abs(now - int(headers["webhook-timestamp"])) <= tolerance


@dataclass
class Receiver:
    url: str = ""
    answers: list[web.Response | int | str] = field(default_factory=list)
    """For the next requests, in order: a response, a status, or `hang`, `drop`; 204 when there is none."""
    received: list[Received] = field(default_factory=list)
    arrived: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        one = Received({name.lower(): value for name, value in request.headers.items()}, await request.read())
        self.received.append(one)
        self.arrived.put_nowait(one)
        answer = self.answers.pop(0) if self.answers else web.Response(status=204)
        if answer == "hang":
            await self.let_go.wait()
            return web.Response(status=204)
        if answer == "drop":
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=204)
        return answer if isinstance(answer, web.Response) else web.Response(status=int(answer))

    async def next(self) -> Received:
        return await asyncio.wait_for(self.arrived.get(), 60)

    def settings(self, **more: Any) -> Webhook:
        return Webhook(**({"name": "pager", "url": self.url, "secret": SECRET, "timeout": 5.0, "backoff": 0.01} | more))


@contextlib.asynccontextmanager
async def receiver(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    one = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", one.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    server = site._server
    assert isinstance(server, asyncio.Server)
    port = server.sockets[0].getsockname()[1]
    one.url = f"http{'s' if tls else ''}://{host}:{port}/hooks/token-in-the-path"
    try:
        yield one
    finally:
        one.let_go.set()
        await runner.cleanup()
