"""The portal itself: builds what belongs to it, listens, and ends. Knows no route's inside."""

from __future__ import annotations

import asyncio
import importlib
import logging
import ssl
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from aiohttp import web

from hooptui.auth.provider import open_session
from hooptui.auth.saml.service import Replays
from hooptui.auth.urls import is_loopback
from hooptui.core.clock import Clock
from hooptui.core.secret import Secret
from hooptui.credentials.ssh_certificates import SshCa
from hooptui.listener import Listener, Words
from hooptui.portal import metrics
from hooptui.portal.api import Api, bearer, started
from hooptui.portal.base import DeviceStart, Metric, Porter, Settle
from hooptui.portal.browser import Browser
from hooptui.portal.context import MAX_BODY, Context, Logins, Wrong, answer, peer_of
from hooptui.portal.devices import Devices
from hooptui.portal.gauge import Gauge, Gauges
from hooptui.portal.guard import HEADERS, Guard
from hooptui.portal.oidc_login import IdTokens, OidcLogin
from hooptui.portal.settings import PortalSettings
from hooptui.portal.visits import Visits

MAX_HEADER: Final = 32 * 1024
"""Bytes of one header field, and of the request line: tokens of 16 KiB and cookies of others must fit."""
MAX_HEADERS: Final = 64
HTTP: Final[dict[str, Any]] = {
    "access_log": None,
    # aiohttp's own log quotes requests; what matters is told to the porter by code.
    "logger": logging.Logger("hooptui.portal.http", logging.CRITICAL + 1),
    "max_line_size": MAX_HEADER,
    "max_field_size": MAX_HEADER,
    "max_headers": MAX_HEADERS,
    "lingering_time": 1.0,
    "auto_decompress": False,
}
"""How aiohttp reads requests."""
SHUTDOWN: Final = 2.0
"""Seconds that requests under way are given at the end."""


class _Quiet(web.RequestHandler):
    """aiohttp's protocol, except that it does not say a malformed request back."""

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        response = web.Response(status=status, text=f"{HTTPStatus(status).phrase}\n", headers=HEADERS)
        response.force_close()
        return response


class Portal:
    """See the module. Everything is called on the gateway's loop."""

    def __init__(
        self,
        settings: PortalSettings,
        tls: ssl.SSLContext,
        porter: Porter,
        verifier: IdTokens,
        clock: Clock,
        *,
        ssh: SshCa | None = None,
        replays: Replays | None = None,
    ) -> None:
        """`tls` is a server's context of the portal's own: its ALPN is set to HTTP/1.1 here. `replays` remembers which SAML
        assertions were used; the gateway's store does.

        Raises:
            ValueError: a way's `ca_file` cannot be used, or there is a SAML way and no `replays`.
            MissingExtra: a SAML way is set up without `hooptui[saml]`; a UserError.
        """
        if settings.saml and replays is None:
            raise ValueError("replays: found none, expected the store, because there is a SAML way")
        tls.set_alpn_protocols(["http/1.1"])
        self._settings = settings
        self._http: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._gauges: Gauges | None = None
        self._listener: Listener | None = None
        self._tls = tls
        self._ssh = ssh
        self._names: frozenset[str] = frozenset()
        self._context = Context(settings, porter, clock, Devices(clock), Visits(clock))
        self._saml: list[web.RouteDef] = []
        if settings.saml and replays is not None:
            # Loaded only here: lxml and signxml are an extra.
            saml = importlib.import_module("hooptui.portal.saml")
            self._saml = saml.routes(settings.saml, porter, Logins(self._context), clock, replays)
        self._ways = {way.id: OidcLogin(way, verifier, clock, self._session) for way in settings.ways}

    # --- life

    async def start(self) -> int:
        """Listen; returns the port.

        Raises:
            OSError: the address cannot be listened on.
        """
        settings, context = self._settings, self._context
        guard = Guard(context, self._gauge, lambda: self._names)
        application = web.Application(middlewares=[guard.middleware], client_max_size=MAX_BODY)
        application.on_response_prepare.append(guard.dress)
        application.add_routes(Browser(context, self._ways).routes())
        application.add_routes(Api(context, self._ssh).routes())
        application.add_routes([web.get("/healthz", self._healthz), web.get("/metrics", self._metrics)])
        application.add_routes(self._saml)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN)
        await runner.setup()
        self._runner = runner
        server = runner.server
        if server is None:
            raise RuntimeError("aiohttp's runner was set up and has no server")
        loop = asyncio.get_running_loop()
        self._gauges = Gauges(lambda: _Quiet(server, loop=loop, **HTTP), self._tls)
        listener = Listener(
            self._gauges.serve,
            # Who is turned away is counted in the metrics alone.
            Words(self._trouble, lambda peer, count: None),
            connections=settings.connections,
            per_peer=settings.connections_per_peer,
        )
        self._listener = listener
        try:
            port = await listener.start(settings.host, settings.port)
        except BaseException:
            await self.stop()
            raise
        context.url = settings.public_url or f"https://localhost:{port}"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._names = frozenset(f"{name}:{port}" for name in (host, "localhost", "127.0.0.1", "[::1]"))
        return port

    async def stop(self) -> None:
        """Listen no more, let requests under way end for a moment, and be gone."""
        if self._listener is not None:
            await self._listener.stop()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()
        if self._listener is not None:
            listener, self._listener = self._listener, None
            await listener.close()
        if self._http is not None:
            http, self._http = self._http, None
            await http.close()

    @property
    def url(self) -> str:
        """Origin that browsers use; empty before `start`."""
        return self._context.url

    # --- what commands use

    def operator_login(self, settle: Settle, *, peer: str, purpose: str) -> DeviceStart:
        """Let the screen's operator log in by the device flow: a person enters the code in a browser, logs in and approves;
        then `settle` is called once with their login. It may raise LoginRefused, whose words that person sees.

        Raises:
            DevicesFull: too many wait.
        """
        code, device = self._context.devices.start(peer, purpose, "operator", settle)
        return started(self._context.url, code, device)

    def client_login(self, settle: Settle, *, peer: str, purpose: str) -> DeviceStart:
        """The same for a client that waits at another listener of the gateway; `settle` is called with None when it was denied.

        Raises:
            DevicesFull: too many wait, in all or from this address.
        """
        code, device = self._context.devices.start(peer, purpose, "login", settle)
        return started(self._context.url, code, device)

    def cancel(self, code: Secret) -> None:
        """Whoever wanted to log in does not any more."""
        self._context.devices.cancel(code)

    # --- for those who watch

    async def _healthz(self, request: web.Request) -> web.Response:
        well = self._context.porter.health()
        return answer(200 if well.ok else 503, {"status": "ok" if well.ok else "unwell", "words": well.words})

    async def _metrics(self, request: web.Request) -> web.Response:
        configured = self._settings.metrics
        host = peer_of(request).rpartition(":")[0].strip("[]")
        if not is_loopback(host) and (configured is None or not configured.matches(bearer(request).reveal())):
            raise Wrong(403, "metrics-closed", "metrics are for this machine and for bearers of the configured token")
        text = metrics.render((*self._context.porter.metrics(), *self._own_metrics()))
        return web.Response(body=text.encode(), headers={"Content-Type": metrics.CONTENT_TYPE})

    def _own_metrics(self) -> Iterable[Metric]:
        listener, context = self._listener, self._context
        if listener is None:
            return
        yield Metric(
            "hooptui_portal_connections", "Open connections to the portal.", "gauge", (({}, listener.connections),)
        )
        yield Metric(
            "hooptui_portal_turned_away_total", "Connections closed because too many were open.", "counter",
            (({}, listener.turned_away),),
        )  # fmt: skip
        yield Metric(
            "hooptui_portal_devices", "Devices that wait for a person.", "gauge", (({}, len(context.devices)),)
        )
        yield Metric("hooptui_portal_visits", "Browsers that are here.", "gauge", (({}, len(context.visits)),))

    # --- inside

    def _gauge(self, request: web.Request) -> Gauge | None:
        return self._gauges.of(request.protocol) if self._gauges is not None else None

    def _trouble(self, code: str, words: str) -> None:
        self._context.porter.trouble(f"portal-{code}", words)

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = open_session()
        return self._http
