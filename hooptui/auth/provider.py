"""One identity provider over HTTP: its own authorities, no redirects, bounded time and size, strict JSON.

Whatever goes wrong is a `LoginRefused` of one of two kinds: it cannot be reached now, or what it publishes is not
acceptable. Knows no token's meaning and keeps nothing but its settings.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from hooptui.auth.issuer import Issuer
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.auth.tokens import NotStrict, strict_object
from hooptui.auth.urls import check_url
from hooptui.core.gate import LoginRefused

TIMEOUT = 3.0
"""Seconds for one document, connection and body included."""
MAX_DOCUMENT = 256 * 1024
DISCOVERY = "/.well-known/openid-configuration"
"""Put after the issuer's URL (OpenID Connect Discovery 1.0 section 4)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said, whole. The body may hold tokens or claims, so it does not print."""

    status: int
    media_type: str
    """Lower case, without parameters."""
    body: bytes = field(repr=False)


class Provider:
    """See the module."""

    def __init__(self, issuer: Issuer, session: Callable[[], aiohttp.ClientSession]) -> None:
        """`session` yields the shared HTTP client, on the loop that asks.

        Raises:
            ValueError: the issuer's `ca_file` cannot be read or holds no certificate.
        """
        self.url = issuer.url
        self._session = session
        self._tls = _trust(issuer)

    async def metadata(self) -> dict[str, object]:
        """The discovery document, which must be this issuer's own.

        Raises:
            LoginRefused: issuer-unreachable or issuer-misconfigured.
        """
        document = await self.document(self.url.removesuffix("/") + DISCOVERY, "discovery document")
        named = document.get("issuer")
        if named != self.url:
            raise self.misconfigured(
                f"the discovery document is for {quoted(named)}, which must equal the configured issuer to the letter"
            )
        return document

    def endpoint(self, document: Mapping[str, object], name: str) -> str:
        """The URL that the discovery document gives for `name`, fit to be fetched.

        Raises:
            LoginRefused: issuer-misconfigured.
        """
        where = document.get(name)
        if not isinstance(where, str):
            raise self.misconfigured(f"the discovery document has no {name}")
        try:
            check_url(where, name)
        except ValueError:
            raise self.misconfigured(f"{name} {quoted(where)} is not an https URL") from None
        if urlsplit(where).scheme == "http" and urlsplit(self.url).scheme != "http":
            raise self.misconfigured(f"{name} {quoted(where)} is not https")
        return where

    async def document(self, url: str, what: str) -> dict[str, object]:
        """The JSON object at `url`; `what` names it in errors.

        Raises:
            LoginRefused: issuer-unreachable or issuer-misconfigured.
        """
        answer = await self.ask("GET", url, what)
        if answer.status != 200:
            raise self.unreachable(f"the {what} answers {answer.status}")
        return self.read(answer, what)

    async def ask(
        self,
        method: str,
        url: str,
        what: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Answer:
        """One request and its whole answer of at most `limit` bytes (MAX_DOCUMENT), whatever its status.

        Raises:
            LoginRefused: issuer-unreachable, or issuer-misconfigured for a redirect, a compressed or an endless answer.
        """
        most = MAX_DOCUMENT if limit is None else limit
        try:
            async with self._session().request(
                method,
                url,
                data=form,
                headers=headers,
                ssl=self._tls,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            ) as answer:
                if 300 <= answer.status < 400:
                    raise self.misconfigured(f"the {what} redirects ({answer.status}); redirects are not followed")
                if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise self.misconfigured(f"the {what} is compressed, which was not asked for")
                raw = await _bounded(answer.content, most)
                status, media_type = answer.status, answer.content_type.lower()
        except TimeoutError:
            raise self.unreachable(f"the {what} took longer than {TIMEOUT:g} s") from None
        except aiohttp.ClientSSLError as bad:
            raise self.unreachable(f"the {what} could not be fetched: TLS: {quoted(str(bad), 200)}") from None
        except (aiohttp.ClientError, OSError, ValueError) as bad:
            raise self.unreachable(
                f"the {what} could not be fetched: {type(bad).__name__}: {quoted(str(bad), 200)}"
            ) from None
        if raw is None:
            raise self.misconfigured(f"the {what} has more than {most} bytes")
        return Answer(status, media_type, raw)

    def read(self, answer: Answer, what: str) -> dict[str, object]:
        """The JSON object of an answer.

        Raises:
            LoginRefused: issuer-misconfigured.
        """
        try:
            return strict_object(answer.body)
        except NotStrict as bad:
            raise self.misconfigured(f"the {what} is {bad}") from None

    def misconfigured(self, found: str) -> LoginRefused:
        return refusal(Code.ISSUER_MISCONFIGURED, f"{self.url}: {found}")

    def unreachable(self, found: str) -> LoginRefused:
        return refusal(Code.ISSUER_UNREACHABLE, f"{self.url}: {found}")


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


async def _bounded(stream: aiohttp.StreamReader, most: int) -> bytes | None:
    """The whole body, or None when it is too large; never keeps more than the bound and one chunk."""
    raw = bytearray()
    async for chunk in stream.iter_any():
        raw += chunk
        if len(raw) > most:
            return None
    return bytes(raw)


def _trust(issuer: Issuer) -> ssl.SSLContext | bool:
    if issuer.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(issuer.ca_file))
    except (OSError, ssl.SSLError) as bad:
        raise ValueError(f"ca_file: {issuer.ca_file}: {bad}; expected a PEM file with certificates") from None
