"""What every handler of the portal shares, and the few things that all of them do to a request. Knows no page and no route."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused
from hooptui.peers import peer
from hooptui.portal.base import Login, Porter
from hooptui.portal.devices import Devices
from hooptui.portal.rates import Rates
from hooptui.portal.settings import PortalSettings
from hooptui.portal.visits import Pending, Visit, Visits, VisitsFull

COOKIE: Final = "__Host-hooptui"
"""Browsers take a cookie of this prefix only over TLS, for this host alone and for all of its paths."""
NEW_COOKIE: Final = web.RequestKey("new_cookie", str)
"""What the answer sets the cookie to; the empty text deletes it."""
MAX_BODY: Final = 64 * 1024
MAX_FIELDS: Final = 16
BODY_SECONDS: Final = 10.0

UNAVAILABLE: Final = frozenset(
    {"issuer-unreachable", "issuer-misconfigured", "unrecorded", "draining", "store-down", "portal-full"}
)
"""Codes of refusals that are not the client's doing: HTTP 503."""


class Wrong(Exception):
    """A request that is not acceptable as such. The words are for whoever sent it, and quote nothing of it."""

    def __init__(self, status: int, code: str, message: str, *, hint: str = "", wait: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.wait = wait
        """Seconds for Retry-After; 0 for none."""


@dataclass(slots=True)
class Context:
    """One portal's state, on the gateway's loop."""

    settings: PortalSettings
    porter: Porter
    clock: Clock
    devices: Devices
    visits: Visits
    url: str = ""
    """Origin that browsers use; set when the port is known."""
    posts: Rates = field(default_factory=lambda: Rates(burst=30, every=1.0))
    """Every POST."""
    visitors: Rates = field(default_factory=lambda: Rates(burst=60, every=1.0))
    """New browsers."""
    codes: Rates = field(default_factory=lambda: Rates(burst=10, every=6.0))
    """User codes typed (RFC 8628 section 5.1)."""
    polls: Rates = field(default_factory=lambda: Rates(burst=120, every=0.5))
    """Questions of devices and clients."""

    def slow_down(self, rates: Rates, request: web.Request) -> None:
        """Take one from a bucket.

        Raises:
            Wrong: 429, the bucket is empty.
        """
        wait = rates.take(peer_of(request), self.clock.monotonic())
        if wait:
            raise Wrong(
                429, "too-many-requests", "too many requests came from your address", hint="wait a moment", wait=wait
            )

    # --- browsers

    def visit(self, request: web.Request) -> Visit | None:
        """The live visit that the request's cookie names."""
        return self.visits.find(request.cookies.get(COOKIE, "")[:128])

    def visit_or_new(self, request: web.Request) -> Visit:
        """The same, or a new one whose cookie goes out with the answer.

        Raises:
            Wrong: too many are here.
        """
        visit = self.visit(request)
        if visit is not None:
            return visit
        self.slow_down(self.visitors, request)
        try:
            cookie, visit = self.visits.begin(peer_of(request))
        except VisitsFull as full:
            raise Wrong(503, "portal-full", str(full), wait=60.0) from None
        request[NEW_COOKIE] = cookie
        return visit

    def leaving(self, request: web.Request) -> Visit:
        """The visit of a person who goes off to log in. They do so by a GET, since a form that ends elsewhere is what our own
        CSP forbids; so a page from elsewhere that sends them is sent to the choice of ways, and nothing comes of a login
        before the person presses a button of ours.

        Raises:
            web.HTTPSeeOther: to the choice of ways.
            Wrong: too often, or too many are here.
        """
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise web.HTTPSeeOther("/login")
        self.slow_down(self.posts, request)
        return self.visit_or_new(request)

    async def posted(self, request: web.Request) -> tuple[Visit, dict[str, str]]:
        """The visit and the fields of a form that one of our own pages made for it.

        Raises:
            Wrong: no visit, or the form was made for another one.
        """
        visit = self.visit(request)
        form = await form_of(request)
        if visit is None:
            raise Wrong(
                403, "no-session", "this page has been open for too long, or your browser sends no cookies",
                hint="go back to the start page and begin again",
            )  # fmt: skip
        if not visit.allows(form.pop("csrf", "")):
            raise Wrong(403, "foreign-form", "this form was not made for your browser", hint="go back and try again")
        return visit, form


class Logins:
    """What a way to log in needs of the portal: a state to go away with, and a place to bring the person back to."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def url(self) -> str:
        """Origin that browsers use, `https://host:port`, without a slash at its end; known once the portal listens."""
        return self._context.url

    def leave(self, request: web.Request, way: str, data: object) -> str:
        """The person goes off to their provider. `data` is kept until they come back; returns the state (43 characters of
        base64url) that they come back with.

        Raises:
            web.HTTPSeeOther: a page from elsewhere sent the person here.
            Wrong: too often, or too many are logging in.
        """
        return self._context.visits.leave(self._context.leaving(request), way, data)

    def come_back(self, state: str, way: str) -> Pending:
        """What was under way by this state, once; by whatever way when `way` is empty.

        Raises:
            LoginRefused: login-unknown.
        """
        pending = self._context.visits.come_back(state[:128], way)
        if pending is None:
            raise unknown_login()
        return pending

    def arrive(self, pending: Pending, login: Login) -> str:
        """Keep a proven login for the browser that began it, and return the path to send this browser to (303).

        For answers that providers post from their own site: such a request carries no cookie of ours, so whose browser it is
        shows only at the next step.
        """
        return f"/login/finish?ticket={self._context.visits.ticket(pending, login)}"

    def peer(self, request: web.Request) -> str:
        """`address:port` of the client."""
        return peer_of(request)


def unknown_login() -> LoginRefused:
    return LoginRefused(
        "login-unknown",
        "this login was not begun here, has been finished already, or took longer than ten minutes",
        hint="begin again at the start page, in the same browser",
    )


def peer_of(request: web.Request) -> str:
    transport = request.transport
    return peer(transport.get_extra_info("peername")).name if transport is not None else "gone"


async def form_of(request: web.Request, most: int = MAX_BODY) -> dict[str, str]:
    """The fields of an `application/x-www-form-urlencoded` body of at most `most` bytes.

    Raises:
        Wrong: another type, too large, too slow, not UTF-8, too many fields or one of them twice.
    """
    if not request.can_read_body:
        return {}
    if request.content_type != "application/x-www-form-urlencoded":
        raise Wrong(415, "wrong-type", "the body must be application/x-www-form-urlencoded")
    raw = await body_of(request, most)
    try:
        pairs = parse_qsl(
            raw.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=bool(raw),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise Wrong(400, "bad-form", f"the body is not a form of at most {MAX_FIELDS} fields in UTF-8") from None
    return once(pairs)


def once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Fields by name.

    Raises:
        Wrong: one of them is there twice, so that two readers could read two things.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Wrong(400, "bad-form", "a field is there twice")
    return fields


async def body_of(request: web.Request, most: int = MAX_BODY) -> bytes:
    """The whole body of at most `most` bytes.

    Raises:
        Wrong: too large, too slow, or compressed.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Wrong(415, "compressed", "compressed bodies are not read")
    if request.content_length is not None and request.content_length > most:
        raise Wrong(413, "too-large", f"the body has more than {most // 1024} KiB")
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > most:
                    raise Wrong(413, "too-large", f"the body has more than {most // 1024} KiB")
    except TimeoutError:
        raise Wrong(408, "too-slow", f"the body took longer than {BODY_SECONDS:g} s") from None
    return bytes(raw)


def query_of(request: web.Request) -> dict[str, str]:
    """The query's parameters.

    Raises:
        Wrong: one is there twice, or there are too many.
    """
    pairs = [(name, value) for name, value in request.query.items()]
    if len(pairs) > MAX_FIELDS:
        raise Wrong(400, "bad-query", f"the query has more than {MAX_FIELDS} parameters")
    return once(pairs)


def see_other(where: str) -> web.Response:
    """Go there by GET (RFC 9110 section 15.4.4). `where` is ours or a provider's configured endpoint, never a request's."""
    return web.Response(status=303, headers={"Location": where})


def answer(status: int, body: Mapping[str, object], **headers: str) -> web.Response:
    """A JSON answer."""
    return web.json_response(
        body, status=status, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
