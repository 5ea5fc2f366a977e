"""One issuer's keys, fetched from its own discovery document and kept for a while.

OpenID Connect Discovery 1.0 section 4: the document at `<issuer>/.well-known/openid-configuration` must name the issuer
exactly. No redirects, bounded time and size. Keys that cannot be fetched anew are used for a bounded time, then not.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from hooptui.auth.issuer import Issuer, check_url
from hooptui.auth.keys import BadKeySet, PublicKey, read_key_set, select
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.auth.tokens import NotStrict, Token, strict_object
from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused

TIMEOUT = 3.0
"""Seconds for one document, connection and body included."""
MAX_DOCUMENT = 256 * 1024
MISS_INTERVAL = 30.0
"""Seconds between two fetches that unknown keys or stale ones cause; bounds what a stranger can make us ask."""
RETRY_INTERVAL = 3.0
"""Seconds between two fetches while there are no keys at all."""


class Keys:
    """The cache. One fetch at a time; whoever needs it waits for the same one."""

    def __init__(self, issuer: Issuer, clock: Clock, session: Callable[[], aiohttp.ClientSession]) -> None:
        """`session` yields the shared HTTP client, on the loop that asks.

        Raises:
            ValueError: the issuer's `ca_file` cannot be read or holds no certificate.
        """
        self._issuer = issuer
        self._clock = clock
        self._session = session
        self._tls = _trust(issuer)
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
        trouble = self._trouble or _unreachable(self._issuer.url, "its keys were not fetched")
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
                raise _unreachable(self._issuer.url, "the gateway is closing") from None
            raise

    async def _load(self) -> None:
        try:
            keys = await self._download()
        except LoginRefused as trouble:
            self._trouble = trouble
            return
        self._keys, self._fetched, self._trouble = keys, self._clock.monotonic(), None

    async def _download(self) -> tuple[PublicKey, ...]:
        url = self._issuer.url
        document = await self._document(
            url.removesuffix("/") + "/.well-known/openid-configuration", "discovery document"
        )
        named = document.get("issuer")
        if named != url:
            raise _misconfigured(
                url,
                f"the discovery document is for {quoted(named)}, which must equal the configured issuer to the letter",
            )
        where = document.get("jwks_uri")
        if not isinstance(where, str):
            raise _misconfigured(url, "the discovery document has no jwks_uri")
        try:
            check_url(where, "jwks_uri")
        except ValueError:
            raise _misconfigured(url, f"jwks_uri {quoted(where)} is not an https URL") from None
        if urlsplit(where).scheme == "http" and urlsplit(url).scheme != "http":
            raise _misconfigured(url, f"jwks_uri {quoted(where)} is not https")
        try:
            return read_key_set(await self._document(where, "key set"))
        except BadKeySet as bad:
            raise _misconfigured(url, str(bad)) from None

    async def _document(self, url: str, what: str) -> dict[str, object]:
        try:
            async with self._session().get(
                url, ssl=self._tls, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=TIMEOUT)
            ) as answer:
                if 300 <= answer.status < 400:
                    raise _misconfigured(
                        self._issuer.url, f"the {what} redirects ({answer.status}); redirects are not followed"
                    )
                if answer.status != 200:
                    raise _unreachable(self._issuer.url, f"the {what} answers {answer.status}")
                if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise _misconfigured(self._issuer.url, f"the {what} is compressed, which was not asked for")
                raw = await _bounded(answer.content)
        except TimeoutError:
            raise _unreachable(self._issuer.url, f"the {what} took longer than {TIMEOUT:g} s") from None
        except aiohttp.ClientSSLError as bad:
            raise _unreachable(
                self._issuer.url, f"the {what} could not be fetched: TLS: {quoted(str(bad), 200)}"
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as bad:
            raise _unreachable(
                self._issuer.url, f"the {what} could not be fetched: {type(bad).__name__}: {quoted(str(bad), 200)}"
            ) from None
        if raw is None:
            raise _misconfigured(self._issuer.url, f"the {what} has more than {MAX_DOCUMENT} bytes")
        try:
            return strict_object(raw)
        except NotStrict as bad:
            raise _misconfigured(self._issuer.url, f"the {what} is {bad}") from None


def open_session() -> aiohttp.ClientSession:
    """The HTTP client for issuers: no cookies, no proxy from the environment, nothing decompressed, few connections."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        connector=aiohttp.TCPConnector(limit=16, force_close=True),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "hooptui"},
        requote_redirect_url=False,
    )


async def _bounded(stream: aiohttp.StreamReader) -> bytes | None:
    """The whole body, or None when it is too large; never keeps more than the bound and one chunk."""
    raw = bytearray()
    async for chunk in stream.iter_any():
        raw += chunk
        if len(raw) > MAX_DOCUMENT:
            return None
    return bytes(raw)


def _trust(issuer: Issuer) -> ssl.SSLContext | bool:
    if issuer.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(issuer.ca_file))
    except (OSError, ssl.SSLError) as bad:
        raise ValueError(f"ca_file: {issuer.ca_file}: {bad}; expected a PEM file with certificates") from None


def _misconfigured(url: str, found: str) -> LoginRefused:
    return refusal(Code.ISSUER_MISCONFIGURED, f"{url}: {found}")


def _unreachable(url: str, found: str) -> LoginRefused:
    return refusal(Code.ISSUER_UNREACHABLE, f"{url}: {found}")
