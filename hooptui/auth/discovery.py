"""One issuer's keys, fetched from its own discovery document and kept for a while.

OpenID Connect Discovery 1.0 section 4: the document at `<issuer>/.well-known/openid-configuration` must name the issuer
exactly. Keys that cannot be fetched anew are used for a bounded time, then not.
"""

from __future__ import annotations

import asyncio

from hooptui.auth.issuer import Issuer
from hooptui.auth.keys import BadKeySet, PublicKey, read_key_set, select
from hooptui.auth.provider import Provider
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.auth.tokens import Token
from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused

MISS_INTERVAL = 30.0
"""Seconds between two fetches that unknown keys or stale ones cause; bounds what a stranger can make us ask."""
RETRY_INTERVAL = 3.0
"""Seconds between two fetches while there are no keys at all."""


class Keys:
    """The cache. One fetch at a time; whoever needs it waits for the same one."""

    def __init__(self, issuer: Issuer, clock: Clock, provider: Provider) -> None:
        self._issuer = issuer
        self._clock = clock
        self._provider = provider
        self._document: dict[str, object] = {}
        self._keys: tuple[PublicKey, ...] = ()
        self._fetched: float | None = None
        self._tried: float | None = None
        self._missed: float | None = None
        self._trouble: LoginRefused | None = None
        self._flight: asyncio.Task[None] | None = None

    async def key_for(self, token: Token) -> PublicKey:
        """The one key that the token names, fetching keys where they are missing, old, or do not have it.

        Raises:
            LoginRefused: issuer-unreachable, issuer-misconfigured, unknown-key or ambiguous-key.
        """
        await self.refresh()
        key = select(self._usable(), token)
        if key is None and await self._look_again():
            key = select(self._usable(), token)
        if key is None:
            kid = "no kid" if token.kid is None else f"kid {quoted(token.kid)}"
            # Keys we could not look for are the provider's trouble, not the token's.
            if self._trouble is not None:
                raise refusal(Code(self._trouble.code), f"no key for {kid}, and {self._trouble.log}")
            raise refusal(
                Code.UNKNOWN_KEY, f"none of {len(self._keys)} keys fits a token with {kid} and alg {token.algorithm}"
            )
        return key

    async def refresh(self) -> None:
        """Fetch when there are no keys or they are old; trouble is kept and told when keys are needed."""
        if self._fetched is None:
            await self._fetch(RETRY_INTERVAL)
        elif self._clock.monotonic() - self._fetched >= self._issuer.jwks_fresh:
            await self._fetch(MISS_INTERVAL)

    async def metadata(self) -> dict[str, object]:
        """The discovery document that the keys in use came from.

        Raises:
            LoginRefused: issuer-unreachable or issuer-misconfigured; there is none young enough.
        """
        await self.refresh()
        self._usable()
        return self._document

    @property
    def trouble(self) -> LoginRefused | None:
        """Why the last fetch failed; None when it worked."""
        return self._trouble

    async def close(self) -> None:
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    def _usable(self) -> tuple[PublicKey, ...]:
        age = None if self._fetched is None else self._clock.monotonic() - self._fetched
        if age is not None and age < self._issuer.jwks_fresh + self._issuer.jwks_grace:
            return self._keys
        old = "" if age is None else f"; the keys of {age:.0f} s ago are too old to go on with"
        trouble = self._trouble or self._provider.unreachable("its keys were not fetched")
        raise refusal(Code(trouble.code), f"{trouble.log}{old}")

    async def _look_again(self) -> bool:
        """Fetch because a key is not among ours, at most once in MISS_INTERVAL; False when it is too early."""
        now = self._clock.monotonic()
        if self._flight is None or self._flight.done():
            if self._missed is not None and now - self._missed < MISS_INTERVAL:
                return False
            self._missed = now
        await self._fetch(0.0)
        return True

    async def _fetch(self, interval: float) -> None:
        """Join the fetch under way, or start one unless the last began less than `interval` seconds ago."""
        flight = self._flight
        if flight is None or flight.done():
            now = self._clock.monotonic()
            if self._tried is not None and now - self._tried < interval:
                return
            self._tried = now
            flight = self._flight = asyncio.get_running_loop().create_task(
                self._load(), name=f"keys of {self._issuer.url}"
            )
        # The fetch is the cache's, not the client's: a client that hangs up must not spoil it for the others.
        try:
            await asyncio.shield(flight)
        except asyncio.CancelledError:
            if flight.cancelled():
                raise self._provider.unreachable("the gateway is closing") from None
            raise

    async def _load(self) -> None:
        try:
            self._document, self._keys = await self._download()
        except LoginRefused as trouble:
            self._trouble = trouble
            return
        self._fetched, self._trouble = self._clock.monotonic(), None

    async def _download(self) -> tuple[dict[str, object], tuple[PublicKey, ...]]:
        document = await self._provider.metadata()
        where = self._provider.endpoint(document, "jwks_uri")
        try:
            return document, read_key_set(await self._provider.document(where, "key set"))
        except BadKeySet as bad:
            raise self._provider.misconfigured(str(bad)) from None
