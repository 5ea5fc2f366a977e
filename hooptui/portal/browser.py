"""What browsers ask: the start page, logins, device codes and leases. Every change is a POST of our own form. Knows no socket."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from hooptui.core.gate import LoginRefused
from hooptui.portal import pages
from hooptui.portal.base import Login
from hooptui.portal.context import NEW_COOKIE, Context, Wrong, peer_of, query_of, see_other, unknown_login
from hooptui.portal.devices import Device
from hooptui.portal.oidc_login import Begun, OidcLogin
from hooptui.portal.style import STYLE
from hooptui.portal.visits import Visit


class Browser:
    """The handlers; `routes` says where they hang."""

    def __init__(self, context: Context, ways: Mapping[str, OidcLogin]) -> None:
        self._context = context
        self._ways = ways

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.home),
            web.get("/style.css", self.style),
            web.get("/login", self.choose),
            web.get("/login/finish", self.finish),
            web.get("/login/{way}", self.leave),
            web.get("/callback/{way}", self.back),
            web.get("/device", self.device),
            web.post("/device", self.device_entered),
            web.get("/device/confirm", self.confirm),
            web.post("/device/confirm", self.confirmed),
            web.post("/lease", self.lease),
            web.post("/logout", self.logout),
        ]

    async def home(self, request: web.Request) -> web.Response:
        visit = self._context.visit(request)
        login = visit.login if visit is not None else None
        return self._html(pages.home(self._name, login, visit.csrf if visit is not None else ""))

    async def style(self, request: web.Request) -> web.Response:
        return web.Response(text=STYLE, content_type="text/css", headers={"Cache-Control": "public, max-age=3600"})

    # --- logging in

    async def choose(self, request: web.Request) -> web.Response:
        visit = self._context.visit(request)
        settings = self._context.settings
        return self._html(
            pages.ways(
                self._name,
                [(way.id, way.title) for way in settings.ways],
                [(way.id, way.title) for way in settings.saml],
                self._device(visit) if visit is not None else None,
            )
        )

    async def leave(self, request: web.Request) -> web.Response:
        """Off to the provider."""
        way = self._way(request)
        visit = self._context.leaving(request)
        redirect = f"{self._context.url}/callback/{way.way.id}"
        return see_other(await way.away(redirect, lambda begun: self._context.visits.leave(visit, way.way.id, begun)))

    async def back(self, request: web.Request) -> web.Response:
        """OpenID Connect Core section 3.1.2.5: the provider has sent the person back."""
        way, said = self._way(request), query_of(request)
        pending = self._context.visits.come_back(said.get("state", "")[:128], way.way.id)
        visit = self._context.visit(request)
        # A state that another browser was given is somebody else's login.
        if pending is None or visit is None or pending.visit is not visit or not isinstance(pending.data, Begun):
            raise unknown_login()
        return self._enter(request, visit, Login(await way.back(pending.data, said), "browser"))

    async def finish(self, request: web.Request) -> web.Response:
        """A provider posted its answer from its own site; the browser that began the login comes for it."""
        visit = self._context.visit(request)
        login = self._context.visits.redeem(query_of(request).get("ticket", "")[:128], visit) if visit else None
        if visit is None or login is None:
            raise unknown_login()
        return self._enter(request, visit, login)

    # --- devices

    async def device(self, request: web.Request) -> web.Response:
        visit = self._context.visit_or_new(request)
        return self._html(pages.enter_code(self._name, visit.csrf, query_of(request).get("user_code", "")))

    async def device_entered(self, request: web.Request) -> web.Response:
        context = self._context
        visit, form = await context.posted(request)
        context.slow_down(context.codes, request)
        typed = form.get("user_code", "")
        device = context.devices.find(typed)
        if device is None:
            words = "no device waits with this code: it is mistyped, has expired or was used"
            context.porter.refused("device-code-wrong", words, peer_of(request))
            return self._html(pages.enter_code(self._name, visit.csrf, typed, words), 404)
        visit.device = device
        return see_other("/device/confirm" if visit.login is not None else "/login")

    async def confirm(self, request: web.Request) -> web.Response:
        visit = self._context.visit(request)
        if visit is None or visit.login is None:
            return see_other("/login")
        device = self._device(visit)
        if device is None:
            return see_other("/device")
        return self._html(pages.confirm(self._name, visit.csrf, device, visit.login))

    async def confirmed(self, request: web.Request) -> web.Response:
        context = self._context
        visit, form = await context.posted(request)
        device = self._device(visit)
        if visit.login is None or device is None or form.get("user_code") != device.user_code:
            raise Wrong(
                409, "device-gone", "this device does not wait any more, or your login is over",
                hint="start the program again, and enter its new code",
            )  # fmt: skip
        match form.get("do"):
            case "approve":
                done = context.devices.approve(device, visit.login)
            case "deny":
                done = context.devices.deny(device)
            case _:
                raise Wrong(400, "bad-form", "the form says neither approve nor deny")
        if not done:
            raise Wrong(409, "device-gone", "this device was settled elsewhere meanwhile")
        visit.device = None
        if device.settle is not None:
            device.settle(visit.login if device.verdict == "approved" else None)
        return self._html(pages.settled(self._name, device, approved=device.verdict == "approved"))

    # --- leases

    async def lease(self, request: web.Request) -> web.Response:
        visit, _ = await self._context.posted(request)
        login = visit.login
        if login is None:
            raise LoginRefused("login-over", "you are not logged in any more", hint="log in again")
        lease, secret = self._context.porter.issue(login.identity, login.how, peer_of(request), login.until)
        listening = self._context.porter.info().listeners.get("pg", "")
        return self._html(pages.lease(self._name, lease, secret.reveal(), listening))

    async def logout(self, request: web.Request) -> web.Response:
        visit, _ = await self._context.posted(request)
        self._context.visits.end(visit)
        request[NEW_COOKIE] = ""
        return self._html(pages.logged_out(self._name))

    # --- inside

    @property
    def _name(self) -> str:
        return self._context.porter.info().name

    def _way(self, request: web.Request) -> OidcLogin:
        way = self._ways.get(request.match_info["way"])
        if way is None:
            raise Wrong(404, "no-such-way", "there is no such way to log in")
        return way

    def _device(self, visit: Visit) -> Device | None:
        """The device whose code was entered in this visit, if it still waits."""
        device = visit.device
        if device is None or not self._context.devices.alive(device):
            visit.device = None
            return None
        return device

    def _enter(self, request: web.Request, visit: Visit, login: Login) -> web.Response:
        request[NEW_COOKIE] = self._context.visits.enter(visit, login)
        return see_other("/device/confirm" if self._device(visit) is not None else "/")

    def _html(self, body: str, status: int = 200) -> web.Response:
        return web.Response(text=body, content_type="text/html", status=status)
