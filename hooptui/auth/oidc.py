"""OIDC tokens to identities. The room's face: settings in, `Identity` or `LoginRefused` out.

Order of checks: size, three canonical segments, strict JSON, no header that brings keys, asymmetric algorithm, type,
known issuer, exactly one published key, signature, and only then the claims. Knows no protocol and no policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import aiohttp

from hooptui.auth import claims, id_tokens, keys, profiles, tokens
from hooptui.auth.discovery import Keys
from hooptui.auth.issuer import Issuer, KindRule, Profile
from hooptui.auth.provider import Provider, open_session
from hooptui.auth.refusals import Code, quoted, refusal
from hooptui.auth.tokens import Token
from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity
from hooptui.core.secret import Secret

__all__ = ["Code", "Issuer", "KindRule", "Profile", "Verifier"]


class Verifier:
    """Checks tokens of the configured issuers. Runs on one loop; `close` it there."""

    def __init__(self, issuers: Iterable[Issuer], clock: Clock) -> None:
        """No network yet.

        Raises:
            ValueError: an issuer is there twice, lacks what its profile demands, or its `ca_file` cannot be used.
        """
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None
        self._issuers: dict[str, tuple[Issuer, Keys]] = {}
        self._providers: dict[str, Provider] = {}
        for issuer in issuers:
            profiles.check(issuer)
            if issuer.url in self._issuers:
                raise ValueError(f"issuer: {issuer.url} is configured twice")
            provider = self._providers[issuer.url] = Provider(issuer, self._session)
            self._issuers[issuer.url] = (issuer, Keys(issuer, clock, provider))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def identify(self, token: Secret) -> Identity:
        """Who the bearer of this token is, now.

        Raises:
            LoginRefused: with one of `Code`; neither message, hint nor log quotes the token.
        """
        parts, issuer = await self._proved(token)
        return claims.identify(parts.claims, issuer, self._clock.now())

    async def identify_id_token(
        self, token: Secret, issuer_url: str, client_id: str, nonce: str, *, access_token: Secret | None = None
    ) -> Identity:
        """Who has just logged in at `issuer_url`, by the ID token that came for our own `client_id` and `nonce`.

        With `access_token`, the one that came along, `at_hash` is checked where there is one.

        Raises:
            ValueError: `client_id` or `nonce` is empty.
            LoginRefused: with one of `Code`; neither message, hint nor log quotes a token.
        """
        parts, issuer = await self._proved(token)
        if issuer.url != issuer_url:
            raise refusal(
                Code.UNKNOWN_ISSUER, f"the login was at {issuer_url}, and the ID token is from {quoted(issuer.url)}"
            )
        return id_tokens.identify(
            parts, issuer, self._clock.now(), client_id=client_id, nonce=nonce, access_token=access_token
        )

    async def _proved(self, token: Secret) -> tuple[Token, Issuer]:
        """The token taken apart, with its signature checked, and the issuer whose key it is."""
        parts = tokens.take_apart(token)
        said = parts.claims.get("iss")
        if not isinstance(said, str):
            raise refusal(Code.BAD_CLAIMS, "iss is not a string")
        known = self._issuers.get(said)
        if known is None:
            raise refusal(
                Code.UNKNOWN_ISSUER,
                f"iss is {quoted(said)}; configured are {', '.join(sorted(self._issuers)) or 'none'}",
            )
        issuer, published = known
        if parts.algorithm not in issuer.algorithms:
            accepted = ", ".join(sorted(issuer.algorithms))
            raise refusal(Code.ALGORITHM_REFUSED, f"{issuer.url}: alg is {parts.algorithm}; configured are {accepted}")
        if parts.type == "jose" and issuer.profile is not Profile.SPIFFE:
            raise refusal(Code.WRONG_TYPE, f"{issuer.url}: typ is JOSE; only SPIFFE's tokens say so")
        keys.verify(parts, await published.key_for(parts))
        return parts, issuer

    async def prepare(self) -> dict[str, LoginRefused | None]:
        """Fetch every issuer's keys now, at start or for a check-up; by issuer, what went wrong or None."""
        await asyncio.gather(*(published.refresh() for _, published in self._issuers.values()))
        return {url: published.trouble for url, (_, published) in self._issuers.items()}

    def provider(self, issuer_url: str) -> Provider:
        """HTTP to a configured issuer, by its own authorities and the shared client.

        Raises:
            KeyError: it is not configured.
        """
        return self._providers[issuer_url]

    async def metadata(self, issuer_url: str) -> dict[str, object]:
        """A configured issuer's discovery document, checked to be its own, from the same cache as its keys.

        URLs in it are to be taken with `Provider.endpoint` only.

        Raises:
            KeyError: it is not configured.
            LoginRefused: issuer-unreachable or issuer-misconfigured.
        """
        return await self._issuers[issuer_url][1].metadata()

    async def close(self) -> None:
        """End fetches under way and the HTTP client."""
        for _, published in self._issuers.values():
            await published.close()
        if self._http is not None:
            http, self._http = self._http, None
            await http.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = open_session()
        return self._http
