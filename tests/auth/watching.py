"""A watcher at an issuer whose truth the test holds."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from hooptui.auth.issuer import Issuer
from hooptui.auth.oidc import Verifier
from hooptui.auth.revocation import Watcher
from hooptui.auth.validity import Mode, Revocation
from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity
from hooptui.core.secret import Secret

from .forge import AUDIENCE, NOW, Publisher, token

CLIENT, SECRET = "gate way:1", "s3cr€t %/+"
PATH = "/introspect"


async def client_secret() -> Secret:
    return Secret(SECRET)


def introspection(**more: Any) -> Revocation:
    settings: dict[str, Any] = {"interval": 30.0, "keep_for": 60.0, "client_id": CLIENT, "client_secret": client_secret}
    return Revocation(Mode.INTROSPECTION, **(settings | more))


@dataclass
class Book:
    """The provider's truth: introspection and userinfo as a provider would answer."""

    publisher: Publisher
    good: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    busy: int = 0
    most: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def introspect(self, request: web.Request) -> web.Response:
        self.busy += 1
        self.most = max(self.most, self.busy)
        form = await request.post()
        await asyncio.sleep(0)
        self.busy -= 1
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        basic = base64.b64decode(value) == b"gate%20way%3A1:s3cr%E2%82%ACt%20%25%2F%2B" and scheme == "Basic"
        post = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        if not basic and not post:
            return web.json_response({"error": "invalid_client"}, status=401)
        self.asked.append(str(form["token"]))
        self.news.set()
        return web.json_response({"active": form["token"] in self.good})

    async def userinfo(self, request: web.Request) -> web.Response:
        text = request.headers["Authorization"].removeprefix("Bearer ")
        self.asked.append(text)
        if text not in self.good:
            return web.json_response({"error": "invalid_token"}, status=401)
        return web.json_response({"sub": "etl-7"})


class Stage:
    """A watcher at one issuer, and what it said."""

    def __init__(self, book: Book, settings: Revocation, clock: Clock) -> None:
        self.url = book.publisher.url
        self.book = book
        issuers = [Issuer(self.url, frozenset({AUDIENCE}), revocation=settings)]
        self.verifier = Verifier(issuers, clock)
        self.alerts: list[tuple[str, str]] = []
        self.ended: dict[str, str] = {}
        self.end = book.news
        self.watcher = Watcher(issuers, self.verifier, clock, self._alert)

    def _alert(self, url: str, code: str, words: str) -> None:
        assert url == self.url
        self.alerts.append((code, words))
        self.end.set()

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self.alerts]

    async def __aenter__(self) -> Stage:
        return self

    async def __aexit__(self, *trouble: object) -> None:
        await self.watcher.stop()
        await self.verifier.close()

    def good(self, **claims: object) -> Secret:
        text = token(self.url, **claims)  # type: ignore[arg-type]
        self.book.good.add(text)
        return Secret(text)

    def watch(self, ref: str, secret: Secret | None, subject: str = "etl-7", **more: Any) -> bool:
        def on_end(words: str) -> None:
            assert ref not in self.ended
            self.ended[ref] = words
            self.end.set()

        return self.watcher.watch(ref, self.who(subject), secret, on_end, **more)

    def who(self, subject: str = "etl-7") -> Identity:
        return Identity(self.url, subject, subject, expires_at=NOW + 600)

    async def code(self, secret: Secret | None) -> str:
        try:
            await self.watcher.check(self.who(), secret)
        except LoginRefused as refused:
            assert secret is None or secret.reveal()[-30:] not in f"{refused.log}{refused.message}{refused.hint}"
            return refused.code
        return "ok"


async def until(stage: Stage, done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            stage.end.clear()
            await stage.end.wait()
