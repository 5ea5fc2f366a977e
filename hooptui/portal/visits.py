"""Browsers that came by: one cookie each, and what is under way behind it. Pure; knows no HTTP.

The cookie is 256 random bits of which only a hash is kept. It is replaced when somebody logs in, so that a cookie planted
before the login is worth nothing after it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from hooptui.core.clock import Clock
from hooptui.peers import origin
from hooptui.portal.base import Login
from hooptui.portal.devices import Device

LASTS = 900.0
"""Seconds a visit lives after its last step; and a login in it after it was proved."""
PENDING = 4
"""Logins under way at once in one browser; the oldest is forgotten."""
PENDING_LASTS = 600.0
LIMIT = 4096
LIMIT_PEER = 256
"""Visits of one address; more and its oldest are forgotten, so that nobody crowds out others."""


class VisitsFull(Exception):
    """As many browsers are here as are kept; the message is for the person."""


@dataclass(slots=True)
class Pending:
    """A login that has begun: the person is at their provider."""

    visit: Visit = field(repr=False)
    way: str
    began: float
    """Monotonic seconds."""
    data: object = field(repr=False)
    """What the way needs to finish it: nonce and verifier, or the request's identifier."""
    ticket: bytes = b""
    """Hash of the ticket by which a login that came back from elsewhere is picked up by the browser that began it."""
    login: Login | None = None


@dataclass(slots=True)
class Visit:
    """One browser."""

    key: bytes = field(repr=False)
    """Hash of its cookie."""
    csrf: str = field(repr=False)
    origin: str
    """Where it comes from: an IPv4 address or an IPv6 /64 network."""
    until: float
    """Monotonic seconds."""
    login: Login | None = None
    login_until: float = 0.0
    """Monotonic seconds."""
    device: Device | None = None
    """The device whose code was entered here."""
    pending: dict[bytes, Pending] = field(default_factory=dict, repr=False)
    """By hash of the state."""

    def allows(self, token: str) -> bool:
        """Whether a form was made for this visit."""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.csrf.encode())


class Visits:
    """See the module. Lives on the gateway's loop."""

    def __init__(self, clock: Clock, *, limit: int = LIMIT, per_peer: int = LIMIT_PEER) -> None:
        self._clock = clock
        self._limit = limit
        self._per_peer = per_peer
        self._visits: dict[bytes, Visit] = {}
        """The one that has rested longest comes first."""
        self._states: dict[bytes, Pending] = {}
        self._tickets: dict[bytes, Pending] = {}

    def find(self, cookie: str) -> Visit | None:
        """The live visit of this cookie."""
        visit = self._visits.get(digest(cookie)) if cookie else None
        now = self._clock.monotonic()
        if visit is None or now >= visit.until:
            return None
        if visit.login is not None and now >= visit.login_until:
            visit.login = None
        visit.until = now + LASTS
        self._visits[visit.key] = self._visits.pop(visit.key)
        return visit

    def begin(self, peer: str) -> tuple[str, Visit]:
        """A new visit and its cookie.

        Raises:
            VisitsFull: too many are here.
        """
        self._sweep()
        here = origin(peer)
        own = [visit for visit in self._visits.values() if visit.origin == here]
        if len(own) >= self._per_peer:
            self.end(own[0])
        elif len(self._visits) >= self._limit:
            # Who is logged in stays; who has only looked at a page makes room.
            idle = next((visit for visit in self._visits.values() if visit.login is None), None)
            if idle is None:
                raise VisitsFull("too many people are logging in at once; try again in some minutes")
            self.end(idle)
        cookie = secrets.token_urlsafe(32)
        visit = Visit(digest(cookie), secrets.token_urlsafe(24), here, self._clock.monotonic() + LASTS)
        self._visits[visit.key] = visit
        return cookie, visit

    def leave(self, visit: Visit, way: str, data: object) -> str:
        """The person goes off to their provider; returns the state by which they come back, 43 characters."""
        while len(visit.pending) >= PENDING:
            self._drop(visit, next(iter(visit.pending)))
        state = secrets.token_urlsafe(32)
        pending = Pending(visit, way, self._clock.monotonic(), data)
        visit.pending[digest(state)] = self._states[digest(state)] = pending
        return state

    def come_back(self, state: str, way: str = "") -> Pending | None:
        """What was under way by this state, once; None when nothing is, or not any more, or by another way."""
        key = digest(state)
        pending = self._states.get(key)
        if pending is None:
            return None
        self._drop(pending.visit, key)
        old = self._clock.monotonic() >= pending.began + PENDING_LASTS
        return None if old or (way and pending.way != way) else pending

    def ticket(self, pending: Pending, login: Login) -> str:
        """Keep a login that a provider posted here for the browser that began it; returns what to pick it up with."""
        ticket = secrets.token_urlsafe(32)
        pending.ticket, pending.login = digest(ticket), login
        for key, one in tuple(self._tickets.items()):
            if one.visit is pending.visit or self._clock.monotonic() >= one.began + PENDING_LASTS:
                del self._tickets[key]
        self._tickets[pending.ticket] = pending
        return ticket

    def redeem(self, ticket: str, visit: Visit) -> Login | None:
        """The login behind a ticket, once, for the browser that began it."""
        pending = self._tickets.pop(digest(ticket), None)
        if pending is None or pending.visit is not visit:
            return None
        return pending.login if self._clock.monotonic() < pending.began + PENDING_LASTS else None

    def enter(self, visit: Visit, login: Login) -> str:
        """The person is logged in; returns the visit's new cookie."""
        cookie = secrets.token_urlsafe(32)
        self._visits.pop(visit.key, None)
        visit.key, visit.csrf = digest(cookie), secrets.token_urlsafe(24)
        visit.login, visit.login_until = login, self._clock.monotonic() + LASTS
        self._visits[visit.key] = visit
        return cookie

    def end(self, visit: Visit) -> None:
        """Forget it with all that is under way in it."""
        for key in tuple(visit.pending):
            self._drop(visit, key)
        for ticket, one in tuple(self._tickets.items()):
            if one.visit is visit:
                del self._tickets[ticket]
        self._visits.pop(visit.key, None)

    def __len__(self) -> int:
        return len(self._visits)

    def _drop(self, visit: Visit, key: bytes) -> None:
        visit.pending.pop(key, None)
        self._states.pop(key, None)

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for visit in tuple(self._visits.values()):
            if now < visit.until:
                return
            self.end(visit)


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
