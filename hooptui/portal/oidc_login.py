"""We as the relying party of one OpenID provider: authorization code flow with PKCE, state and nonce. Knows no page.

OpenID Connect Core 1.0 section 3.1, RFC 7636, RFC 9207, RFC 9700. What the provider says is believed only as an ID token
that `hooptui.auth` has verified: same keys, same checks, same claims as for access tokens, plus client, nonce and at_hash.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote_plus

import aiohttp
from authlib.common.urls import url_decode
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from hooptui.auth.provider import Provider
from hooptui.auth.refusals import quoted
from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity
from hooptui.core.secret import Secret
from hooptui.portal.settings import OidcWay

FRESH: Final = 600.0
"""Seconds after which the provider's discovery document is fetched anew."""
RETRY: Final = 3.0
"""Seconds between two tries while it cannot be had."""
MAX_CODE: Final = 4096
MAX_TOKEN: Final = 64 * 1024

_AGAIN = "begin again at the start page"


class IdTokens(Protocol):
    """Who verifies ID tokens; `auth.oidc.Verifier` does."""

    async def identify_id_token(
        self, token: Secret, issuer_url: str, client_id: str, nonce: str, *, access_token: Secret | None = None
    ) -> Identity: ...


@dataclass(frozen=True, slots=True)
class Begun:
    """What must be known when the person comes back."""

    redirect_uri: str
    nonce: str = field(repr=False)
    verifier: Secret = field(repr=False)


class OidcLogin:
    """One way. Lives on the gateway's loop."""

    def __init__(
        self, way: OidcWay, verifier: IdTokens, clock: Clock, session: Callable[[], aiohttp.ClientSession]
    ) -> None:
        """`session` yields the shared HTTP client (`auth.provider.open_session`).

        Raises:
            ValueError: the issuer's `ca_file` cannot be used.
        """
        self.way = way
        self._verifier = verifier
        self._clock = clock
        self._provider = Provider(way.issuer, session)
        self._turn = asyncio.Lock()
        self._document: dict[str, object] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._trouble: LoginRefused | None = None

    async def away(self, redirect_uri: str, leave: Callable[[object], str]) -> str:
        """Where to send the browser. `leave` keeps what must be known later and returns the state.

        Raises:
            LoginRefused: issuer-unreachable or issuer-misconfigured.
        """
        document = await self._metadata()
        endpoint = self._provider.endpoint(document, "authorization_endpoint")
        methods = document.get("code_challenge_methods_supported")
        if methods is not None and (not isinstance(methods, list) or "S256" not in methods):
            raise self._provider.misconfigured("it does not offer PKCE with S256 (RFC 7636)")
        begun = Begun(redirect_uri, secrets.token_urlsafe(32), Secret(secrets.token_urlsafe(48)))
        where: str = prepare_grant_uri(
            endpoint,
            self.way.client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=" ".join(self.way.scopes),
            state=leave(begun),
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier.reveal()),
            code_challenge_method="S256",
        )
        return where

    async def back(self, begun: Begun, said: Mapping[str, str]) -> Identity:
        """Who came back. `said` is the query of the redirect; its state was matched before.

        Raises:
            LoginRefused: login-denied, login-failed, wrong-issuer, or why the ID token is refused.
        """
        document = await self._metadata()
        self._same_issuer(document, said.get("iss"))
        if "error" in said:
            raise _refused_there(said["error"], said.get("error_description", ""))
        code = said.get("code", "")
        if not 0 < len(code) <= MAX_CODE:
            raise _failed("the redirect has neither a code nor an error")
        tokens = await self._exchange(document, begun, code)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not id_token:
            raise _failed("the token answer has no id_token; is openid among the client's scopes?")
        along = Secret(access_token) if isinstance(access_token, str) and len(access_token) <= MAX_TOKEN else None
        return await self._verifier.identify_id_token(
            Secret(id_token), self.way.issuer.url, self.way.client_id, begun.nonce, access_token=along
        )

    # --- inside

    def _same_issuer(self, document: Mapping[str, object], iss: str | None) -> None:
        """RFC 9207 section 2.4: an answer of another provider must not be taken to this one's token endpoint."""
        promised = document.get("authorization_response_iss_parameter_supported") is True
        if iss is None and not promised:
            return
        if iss != self.way.issuer.url:
            raise LoginRefused(
                "wrong-issuer",
                "another identity provider answered than the one you were sent to",
                hint="tell the people who run this gateway",
                log=f"iss of the authorization response is {quoted(iss)}; expected {self.way.issuer.url}",
            )

    async def _exchange(self, document: Mapping[str, object], begun: Begun, code: str) -> dict[str, object]:
        """The code for tokens (RFC 6749 section 4.1.3)."""
        endpoint = self._provider.endpoint(document, "token_endpoint")
        body = prepare_token_request(
            "authorization_code", redirect_uri=begun.redirect_uri, code=code, code_verifier=begun.verifier.reveal()
        )
        form: dict[str, str] = dict(url_decode(body))
        headers = self._authenticated(document, form)
        reply = await self._provider.ask("POST", endpoint, "token endpoint", form=form, headers=headers)
        if reply.status >= 500 or reply.status == 429:
            raise self._provider.unreachable(f"the token endpoint answers {reply.status}")
        tokens = self._provider.read(reply, "token answer")
        if reply.status != 200:
            error = tokens.get("error")
            raise _failed(f"the token endpoint answers {reply.status} {quoted(error)}")
        kind = tokens.get("token_type")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise _failed(f"token_type is {quoted(kind)}; expected Bearer")
        return tokens

    def _authenticated(self, document: Mapping[str, object], form: dict[str, str]) -> dict[str, str]:
        """Put our client's name, and secret if it has one, into form or headers (RFC 6749 section 2.3.1)."""
        way = self.way
        if way.client_secret is None:
            form["client_id"] = way.client_id
            return {}
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if isinstance(methods, list) and "client_secret_basic" in methods:
            # Both are form-encoded before they are joined, or a colon or percent sign in them would be read as something else.
            pair = f"{quote_plus(way.client_id)}:{quote_plus(way.client_secret.reveal())}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        if isinstance(methods, list) and "client_secret_post" in methods:
            form |= {"client_id": way.client_id, "client_secret": way.client_secret.reveal()}
            return {}
        raise self._provider.misconfigured(
            "its token endpoint takes neither client_secret_basic nor client_secret_post"
        )

    async def _metadata(self) -> dict[str, object]:
        """The discovery document; one fetch at a time, and few while there is trouble."""
        async with self._turn:
            now = self._clock.monotonic()
            if self._fetched is not None and now - self._fetched < FRESH:
                return self._document
            if self._trouble is not None and self._tried is not None and now - self._tried < RETRY:
                raise self._trouble
            self._tried = now
            try:
                self._document = await self._provider.metadata()
            except LoginRefused as trouble:
                self._trouble = trouble
                raise
            self._fetched, self._trouble = now, None
            return self._document


def _refused_there(error: str, description: str) -> LoginRefused:
    log = f"the authorization response says {quoted(error)} {quoted(description, 200)}"
    if error == "access_denied":
        return LoginRefused(
            "login-denied", "the login was cancelled or refused at the identity provider", hint=_AGAIN, log=log
        )
    return LoginRefused("login-failed", "the identity provider could not log you in", hint=_AGAIN, log=log)


def _failed(log: str) -> LoginRefused:
    return LoginRefused("login-failed", "the identity provider could not complete the login", hint=_AGAIN, log=log)
