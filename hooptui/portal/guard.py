"""What stands before every handler and behind every answer: host and origin, rates, refusals as pages or JSON, headers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from hooptui.core.gate import LoginRefused
from hooptui.portal import api, pages
from hooptui.portal.context import COOKIE, NEW_COOKIE, UNAVAILABLE, Context, Wrong, answer, peer_of
from hooptui.portal.gauge import LARGE, MAX_BYTES, Gauge

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "hooptui",
}
ANYWHERE: Final = frozenset({"/healthz", "/metrics"})
"""Asked by address, by whoever watches."""
FROM_ELSEWHERE: Final = frozenset({"/saml/acs"})
"""Where providers have browsers post to from their own site; their answers are large."""
POLLED: Final = "/v1/device/token"


class Guard:
    """The one middleware."""

    def __init__(
        self, context: Context, gauge: Callable[[web.Request], Gauge | None], own: Callable[[], frozenset[str]]
    ) -> None:
        """`own` yields the names, with port, under which programs may ask the API besides the public one."""
        self._context = context
        self._gauge = gauge
        self._own = own

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            gauge = self._gauge(request)
            if gauge is not None:
                gauge.began(LARGE if request.path in FROM_ELSEWHERE else MAX_BYTES)
            try:
                response = await self._answer(request, handler)
            finally:
                if gauge is not None:
                    gauge.ended()
            self._cookie(request, response)
            return response

        return guarded

    async def dress(self, request: web.Request, response: web.StreamResponse) -> None:
        """For the application's `on_response_prepare`: headers of every answer, whoever made it."""
        for name, value in HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._check(request)
            return await handler(request)
        except Wrong as wrong:
            return self._problem(request, wrong.status, wrong.code, wrong.message, wrong.hint, wrong.wait)
        except LoginRefused as no:
            return self._refused(request, no)
        except web.HTTPException as other:
            if other.status < 400:
                raise
            words = HTTPStatus(other.status).phrase.lower()
            problem = self._problem(request, other.status, words.replace(" ", "-"), words, "")
            if "Allow" in other.headers:
                problem.headers["Allow"] = other.headers["Allow"]
            return problem
        except Exception as fault:  # noqa: BLE001 - whatever it is, it goes to the operator and not to the client
            self._context.porter.trouble("internal-error", f"{type(fault).__name__}: a request to the portal failed")
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a request to the portal failed", "exception": fault}
            )
            return self._problem(
                request, 500, "internal-error", "something is wrong in this gateway", "tell the people who run it"
            )

    def _check(self, request: web.Request) -> None:
        """Raises Wrong for what is not meant for us."""
        path, host = request.path, request.host
        public = self._context.url.removeprefix("https://")
        if path not in ANYWHERE and host != public and not (path.startswith("/v1/") and host in self._own()):
            raise Wrong(421, "wrong-host", f"this portal is at {self._context.url} and answers to no other name")
        if request.method in ("GET", "HEAD"):
            return
        origin = request.headers.get("Origin")
        if origin is not None and origin != self._context.url and path not in FROM_ELSEWHERE:
            raise Wrong(403, "foreign-origin", "this request was made by a page from elsewhere")
        if path != POLLED:
            self._context.slow_down(self._context.posts, request)

    def _refused(self, request: web.Request, no: LoginRefused) -> web.Response:
        self._context.porter.refused(no.code, no.log, peer_of(request))
        unavailable = no.code in UNAVAILABLE
        if _is_api(request):
            return api.refused(no, unavailable=unavailable, bearer="Authorization" in request.headers)
        status = 503 if unavailable else 403
        return self._problem(request, status, no.code, no.message, no.hint, title="You are not let in")

    def _problem(
        self, request: web.Request, status: int, code: str, message: str, hint: str, wait: float = 0.0, title: str = ""
    ) -> web.Response:
        if _is_api(request):
            error = {401: "invalid_token", 429: "slow_down", 503: "temporarily_unavailable"}.get(
                status, "invalid_request"
            )
            words = {"error": error, "error_description": message, "code": code, **({"hint": hint} if hint else {})}
            response = answer(status, words)
            if status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
        else:
            name = self._context.porter.info().name
            body = pages.problem(name, title or "That did not work", code, message, hint)
            response = web.Response(text=body, status=status, content_type="text/html")
        if wait:
            response.headers["Retry-After"] = str(max(1, round(wait)))
        if status in (408, 413, 415, 421, 429):
            # What is left of such a request is not read.
            response.force_close()
        return response

    def _cookie(self, request: web.Request, response: web.StreamResponse) -> None:
        cookie = request.get(NEW_COOKIE)
        if cookie is None:
            return
        if cookie:
            response.set_cookie(COOKIE, cookie, path="/", secure=True, httponly=True, samesite="Lax")
        else:
            response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Lax")


def _is_api(request: web.Request) -> bool:
    return request.path.startswith("/v1/") or request.path in ANYWHERE
