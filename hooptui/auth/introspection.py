"""Asking the provider itself about a token: RFC 7662, or OpenID Connect's userinfo. Knows no session and no timer.

Both fail closed: only the one answer that says so means that a token is good, and an answer that makes no sense is the
provider's trouble, not a yes.
"""

from __future__ import annotations

import base64
from urllib.parse import quote

from hooptui.auth.oidc import Verifier
from hooptui.auth.oracle import ACTIVE, Mark, Verdict
from hooptui.auth.provider import Answer, Provider
from hooptui.auth.refusals import quoted
from hooptui.auth.tokens import NotStrict, strict_object
from hooptui.auth.validity import ClientAuth, Revocation
from hooptui.core.secret import Secret

NOBODYS = Secret("eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.aG9vcHR1aQ")
"""A token in form only: what a provider says about it shows whether it reads signed tokens at all."""


class _Asked:
    """What both ways have in common: the endpoint, by configuration or discovery."""

    def __init__(self, issuer_url: str, settings: Revocation, verifier: Verifier) -> None:
        self._url = issuer_url
        self._settings = settings
        self._verifier = verifier

    @property
    def provider(self) -> Provider:
        return self._verifier.provider(self._url)

    async def endpoint(self, name: str) -> str:
        if self._settings.endpoint:
            return self._settings.endpoint
        return self.provider.endpoint(await self._verifier.metadata(self._url), name)

    def answers(self, mark: Mark) -> bool:
        return mark.token is not None


class Introspection(_Asked):
    """RFC 7662, with the gateway's own client."""

    async def look(self, mark: Mark) -> Verdict:
        if mark.token is None:
            raise self.provider.misconfigured("a credential without its token cannot be introspected")
        if await self._active(mark.token):
            return ACTIVE
        return Verdict(False, "the identity provider says that the token is not active any more")

    async def probe(self) -> None:
        if await self._active(NOBODYS):
            raise self.provider.misconfigured("introspection calls a token active that nobody has issued")

    async def _active(self, token: Secret) -> bool:
        provider, what = self.provider, "introspection"
        url = await self.endpoint("introspection_endpoint")
        form = {"token": token.reveal(), "token_type_hint": "access_token"}
        headers: dict[str, str] = {}
        secret = await self._secret()
        match self._settings.client_auth:
            case ClientAuth.BASIC:
                # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
                pair = f"{quote(self._settings.client_id, safe='')}:{quote(secret.reveal(), safe='')}"
                headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
            case ClientAuth.POST:
                form |= {"client_id": self._settings.client_id, "client_secret": secret.reveal()}
        answer = await provider.ask("POST", url, what, form=form, headers=headers)
        match answer.status:
            case 200:
                active = provider.read(answer, what).get("active")
                if not isinstance(active, bool):
                    raise provider.misconfigured(f"{what} does not answer whether the token is active")
                return active
            case 401 | 403:
                raise provider.misconfigured(
                    f"{what} does not accept the gateway's client {quoted(self._settings.client_id)} "
                    f"({answer.status}{_error(answer)})"
                )
            case status if 400 <= status < 500 and status != 429:
                # Some providers refuse to introspect signed tokens: that is no verdict on the token.
                raise provider.misconfigured(f"{what} refuses to answer about the token ({status}{_error(answer)})")
            case status:
                raise provider.unreachable(f"{what} answers {status}")

    async def _secret(self) -> Secret:
        source = self._settings.client_secret
        if source is None:
            raise self.provider.misconfigured("introspection has no client secret")
        try:
            return await source()
        except Exception as fault:  # noqa: BLE001 - wherever it is kept, without it there is no answer
            raise self.provider.misconfigured(f"the secret for introspection: {fault}") from None


class Userinfo(_Asked):
    """OpenID Connect Core section 5.3: the provider answers for the token itself, or with 401."""

    async def look(self, mark: Mark) -> Verdict:
        if mark.token is None:
            raise self.provider.misconfigured("a credential without its token cannot ask for userinfo")
        answer = await self._ask(mark.token)
        if answer.status == 401:
            return Verdict(False, "the identity provider does not accept the token any more")
        subject = self.provider.read(answer, "userinfo").get("sub")
        if subject not in mark.subjects:
            # Section 5.3.2: a response for somebody else must not be used.
            raise self.provider.misconfigured(f"userinfo is about {quoted(subject)}, not about the token's subject")
        return ACTIVE

    async def probe(self) -> None:
        answer = await self._ask(NOBODYS)
        if answer.status != 401:
            raise self.provider.misconfigured("userinfo answers to a token that nobody has issued")

    async def _ask(self, token: Secret) -> Answer:
        provider = self.provider
        url = await self.endpoint("userinfo_endpoint")
        answer = await provider.ask("GET", url, "userinfo", headers={"Authorization": f"Bearer {token.reveal()}"})
        match answer.status:
            case 200 | 401:
                return answer
            case status if 400 <= status < 500 and status != 429:
                raise provider.misconfigured(f"userinfo refuses to answer to the token ({status}{_error(answer)})")
            case status:
                raise provider.unreachable(f"userinfo answers {status}")


def _error(answer: Answer) -> str:
    """The `error` code of an OAuth answer (RFC 6749 section 5.2), shortened; nothing when there is none."""
    try:
        code = strict_object(answer.body).get("error")
    except NotStrict:
        return ""
    return f", {quoted(code, 40)}" if isinstance(code, str) else ""
