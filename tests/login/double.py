"""A gateway's portal as the contract has it, over real HTTPS on a thread of its own, told what to answer. No login, no policy."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from hooptui.core.model import Identity
from hooptui.credentials import certificates
from hooptui.credentials.ssh_certificates import SshCa

NEVER = "abcdefghijklmnopqrstuvwxyz234567"
"""The secret of every lease here; found nowhere but where it belongs."""
WHO = Identity("https://idp", "u-1", "ops-1")
DEVICE: dict[str, Any] = {
    "device_code": "dc-1", "user_code": "BCDF-GHJK", "expires_in": 600, "interval": 5,
}  # fmt: skip


@dataclass
class Double:
    """What it answers and what it was asked. Change `answers` at any time: a path's entries are used up, the last one stays."""

    port: int = 0
    ca: Path = Path()
    info: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    issued: int = 0
    lasts: int = 3_600

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def lease(self) -> dict[str, Any]:
        self.issued += 1
        name = "hl_" + "abcdefghij"[self.issued] * 12
        return {
            "access_token": f"{name}.{NEVER}", "issued_token_type": "urn:hooptui:lease", "token_type": "Bearer",
            "expires_in": self.lasts, "lease": name,
            "identity": {"issuer": "https://idp", "subject": "u-1", "name": "ops-1", "kind": "human", "owner": None, "groups": []},
        }  # fmt: skip

    def forms(self, path: str) -> list[dict[str, str]]:
        return [form for asked, form in self.asked if asked == path]


def pending(error: str, status: int = 400, **more: str) -> tuple[int, Any]:
    return status, {"error": error, **more}


@contextmanager
def running(directory: Path, **changes: Any) -> Iterator[Double]:
    own = certificates.ensure(directory / "tls", [], now=time.time())
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(own.certificate, own.key)
    double = Double(ca=own.ca)
    ssh = SshCa.kept(directory)

    async def handle(request: web.Request) -> web.StreamResponse:
        path, body = request.path, await request.text()
        form = dict((await request.post()).items()) if "form" in request.content_type else {"body": body}
        double.asked.append((path, {name: str(value) for name, value in form.items()}))
        double.headers.append(dict(request.headers))
        queue = double.answers.get(path, [])
        if queue:
            status, said = queue.pop(0) if len(queue) > 1 else queue[0]
            if callable(said):
                return await said(request)
            if isinstance(said, bytes):
                return web.Response(status=status, body=said)
            return web.json_response(said, status=status)
        match path:
            case "/v1/info":
                return web.json_response(double.info)
            case "/v1/device":
                where = f"{double.url}/device"
                return web.json_response(
                    DEVICE | {"verification_uri": where, "verification_uri_complete": f"{where}?user_code=BCDF-GHJK"}
                )
            case "/v1/device/token" | "/v1/exchange":
                return web.json_response(double.lease())
            case "/v1/ssh/sign":
                made = ssh.sign(body.encode(), WHO, "", now=time.time())
                return web.json_response({"certificate": made.certificate, "expires_in": 600, "ca": ssh.public_key})
            case _:
                return web.json_response({"error": "not_found"}, status=404)

    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> Callable[[], Any]:
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        double.port = runner.addresses[0][1]
        # The certificate is not for this address.
        await web.TCPSite(runner, "127.0.0.2", double.port, ssl_context=tls).start()
        return runner.cleanup

    def work() -> None:
        cleanup = loop.run_until_complete(serve())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(cleanup())
        loop.close()

    thread = threading.Thread(target=work, name="portal double")
    thread.start()
    assert ready.wait(60)
    double.info = {
        "name": "prod-eu", "version": "0.1.0", "ca": own.ca.read_text(),
        "listeners": {"pg": "localhost:5432", "ssh": "0.0.0.0:2222", "k8s": "bastion.example.com:6443"},
        "ways": [
            {"id": "op", "kind": "oidc", "title": "Example", "issuer": "https://idp", "browser": True, "device": True, "client_id": "cli"},
            {"id": "corp", "kind": "saml", "title": "Corp", "issuer": "urn:corp", "browser": True, "device": True, "client_id": "sp"},
        ],
    } | changes  # fmt: skip
    try:
        yield double
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
