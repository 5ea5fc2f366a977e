"""The portal's SAML routes: our metadata, the way to the provider, and the place its answers come to. Knows no XML.

An answer is posted by the provider's page, so it comes without our cookie. `RelayState` says which login it is for, once; the
proved login then waits for the browser that began it, which is sent for it by a redirect and shows its cookie there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from aiohttp import web

from hooptui.auth.refusals import quoted
from hooptui.auth.saml.refusals import SamlCode, refusal
from hooptui.auth.saml.request import Asked
from hooptui.auth.saml.service import Replays, ServiceProvider
from hooptui.auth.saml.settings import SamlWay
from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity
from hooptui.errors import UserError
from hooptui.portal.base import Login, Porter
from hooptui.portal.context import Logins, Wrong, form_of, see_other

if TYPE_CHECKING:
    from hooptui.auth.saml.assertion import Read

ACS: Final = "/saml/acs"
MAX_FORM: Final = 480 * 1024
"""Bytes of the form: a response of 256 KiB in base64, with `+`, `/` and line ends escaped."""
AT_ONCE: Final = 2
"""Responses judged at the same time; each takes some milliseconds of one core."""


class Saml:
    """The handlers; `routes` says where they hang."""

    def __init__(self, providers: Sequence[ServiceProvider], porter: Porter, logins: Logins) -> None:
        self._providers = {provider.way.id: provider for provider in providers}
        self._porter = porter
        self._logins = logins
        self._turns = asyncio.Semaphore(AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/saml/{way}/metadata", self.metadata),
            web.get("/saml/{way}/login", self.leave),
            web.post(ACS, self.back),
        ]

    async def metadata(self, request: web.Request) -> web.Response:
        provider = self._provider(request)
        return web.Response(
            body=provider.metadata(self._acs), content_type="application/samlmetadata+xml", charset="utf-8"
        )

    async def leave(self, request: web.Request) -> web.Response:
        """Off to the provider (SAML bindings section 3.4)."""
        provider = self._provider(request)
        asked = provider.ask(self._acs)
        state = self._logins.leave(request, provider.way.id, asked)
        return see_other(f"{asked.url}&{urlencode({'RelayState': state})}")

    async def back(self, request: web.Request) -> web.Response:
        """The provider's answer (SAML bindings section 3.5)."""
        form = await form_of(request, MAX_FORM)
        state = form.get("RelayState", "")
        if not state:
            raise refusal(SamlCode.UNSOLICITED, "the form has no RelayState: it answers no login of ours")
        pending = self._logins.come_back(state, "")
        provider = self._providers.get(pending.way)
        asked = pending.data
        if provider is None or not isinstance(asked, Asked):
            raise refusal(
                SamlCode.WRONG_REQUEST, f"RelayState belongs to the way {quoted(pending.way)}, which is not SAML"
            )
        read = await self._judged(provider, form.get("SAMLResponse", ""), asked)
        identity = self._accepted(provider, read)
        return see_other(self._logins.arrive(pending, Login(identity, "saml", identity.expires_at)))

    # --- inside

    @property
    def _acs(self) -> str:
        return f"{self._logins.url}{ACS}"

    def _provider(self, request: web.Request) -> ServiceProvider:
        provider = self._providers.get(request.match_info["way"])
        if provider is None:
            raise Wrong(404, "unknown-way", "there is no such way to log in here")
        return provider

    async def _judged(self, provider: ServiceProvider, value: str, asked: Asked) -> Read:
        # Off the loop: sessions must not wait for a stranger's XML.
        async with self._turns:
            return await asyncio.to_thread(provider.judge, value, asked)

    def _accepted(self, provider: ServiceProvider, read: Read) -> Identity:
        try:
            return provider.accept(read)
        except UserError as trouble:
            words = "hooptui cannot remember which logins were used, so it takes none"
            self._porter.trouble("store-down", f"{words}: {trouble}")
            raise LoginRefused("store-down", words, hint="try again in a minute", log=f"{words}: {trouble}") from None


def routes(
    ways: Sequence[SamlWay], porter: Porter, logins: Logins, clock: Clock, replays: Replays
) -> list[web.RouteDef]:
    """What hangs under `/saml/` for these ways.

    Raises:
        MissingExtra: `hooptui[saml]` is not installed.
    """
    return Saml([ServiceProvider(way, clock, replays) for way in ways], porter, logins).routes()
