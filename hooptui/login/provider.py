"""A token from the identity provider itself, by its own device flow or with a client's own credentials. Knows no gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import msgspec
from authlib.integrations.httpx_client import OAuth2Client, OAuthError
from authlib.oidc.discovery import get_well_known_url

from hooptui.core.secret import Secret
from hooptui.errors import UserError
from hooptui.login.gateway import DEVICE_GRANT, DeviceStart, Refused, device_start, refusal
from hooptui.login.web import asking, check_url

TRUST: Final = "its authority must be one that this machine trusts (SSL_CERT_FILE names another file of them)"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks for the token, and for what."""

    id: str
    secret: Secret | None = None
    """None for a public client."""
    scope: str = ""
    resource: str = ""
    """The API the token is for (RFC 8707), where the provider wants to be told."""
    audience: str = ""
    """The same for providers that have their own name for it."""

    def asked(self) -> dict[str, str]:
        found = {"scope": self.scope, "resource": self.resource, "audience": self.audience}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Token:
    """What the provider gave, and what RFC 8693 calls it."""

    value: Secret
    kind: str
    """`access_token` or `id_token`."""


@dataclass(frozen=True, slots=True)
class _Metadata:
    issuer: str
    token_endpoint: str
    device_authorization_endpoint: str = ""


class Provider:
    """One OpenID provider, found by its issuer."""

    def __init__(self, issuer: str, client: Client, options: Mapping[str, Any]) -> None:
        """Raises UserError: its settings cannot be fetched or are another issuer's."""
        self._issuer = check_url(issuer, "issuer")
        self._client = client
        self._options = options
        self._found = self._discover()

    def by_device(
        self, announce: Callable[[DeviceStart], None], wait: Callable[[DeviceStart, Callable[[], Token]], Token]
    ) -> Token:
        """The provider's own device flow.

        Raises:
            UserError: it has none, or the login came to nothing.
            Refused: the provider would not even begin.
        """
        endpoint = self._found.device_authorization_endpoint
        if not endpoint:
            raise UserError(f"{self._issuer}: this provider has no device flow; log in without --device-at-idp")
        check_url(endpoint, f"{self._issuer}: device_authorization_endpoint")
        with self._session() as session:
            with asking(endpoint, TRUST):
                response = session.post(
                    endpoint,
                    data=self._client.asked(),
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                    auth=session.client_auth(session.token_endpoint_auth_method),
                )
            if response.status_code != 200:
                raise refusal(response)
            start = device_start(_json(response, self._issuer), self._issuer)
            announce(start)

            def ask() -> Token:
                form = {"resource": self._client.resource} if self._client.resource else {}
                return self._token(session, grant_type=DEVICE_GRANT, device_code=start.device_code.reveal(), **form)

            return wait(start, ask)

    def by_credentials(self) -> Token:
        """The client's own token (RFC 6749 section 4.4). Raises Refused, UserError."""
        form = {"grant_type": "client_credentials", **self._client.asked()}
        try:
            with self._session() as session:
                return self._token(session, **form)
        except Refused as no:
            if no.error != "invalid_client":
                raise
        # Some providers let a client show its secret in one way only, and none says for which client which.
        with self._session("client_secret_post") as session:
            return self._token(session, **form)

    def _discover(self) -> _Metadata:
        url = get_well_known_url(self._issuer, external=True)
        with asking(url, TRUST), httpx2.Client(**self._options) as http:
            response = http.get(url)
        if response.status_code != 200:
            raise UserError(f"{url}: found status {response.status_code}, expected the provider's settings")
        try:
            found = msgspec.convert(_json(response, url), _Metadata)
        except msgspec.ValidationError as bad:
            raise UserError(f"{url}: not a provider's settings: {bad}") from None
        if found.issuer != self._issuer:
            raise UserError(
                f"{url}: these are the settings of {found.issuer[:200]!a}, expected those of {self._issuer!a}"
            )
        check_url(found.token_endpoint, f"{url}: token_endpoint")
        return found

    @contextmanager
    def _session(self, method: str = "client_secret_basic") -> Iterator[Any]:
        """authlib's client; `method` is how it shows its secret, when it has one."""
        secret = self._client.secret
        session = OAuth2Client(
            self._client.id,
            None if secret is None else secret.reveal(),
            token_endpoint_auth_method="none" if secret is None else method,
            **self._options,
        )
        try:
            yield session
        finally:
            session.close()

    def _token(self, session: Any, **form: str) -> Token:
        endpoint = self._found.token_endpoint
        try:
            with asking(endpoint, TRUST):
                said = session.fetch_token(endpoint, **form)
        except OAuthError as no:
            raise Refused(str(no.error), str(no.description or "")) from None
        except ValueError:
            raise UserError(f"{endpoint}: the answer is no JSON") from None
        access, proof = (said.get(name) if isinstance(said, dict) else None for name in ("access_token", "id_token"))
        # An opaque access token says nothing to anybody but its issuer; an ID token beside it does.
        if isinstance(access, str) and access.count(".") == 2:
            return Token(Secret(access), "access_token")
        if isinstance(proof, str) and proof.count(".") == 2:
            return Token(Secret(proof), "id_token")
        if isinstance(access, str) and access:
            return Token(Secret(access), "access_token")
        raise UserError(f"{endpoint}: the answer has no token")


def _json(response: httpx2.Response, where: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UserError(f"{where}: the answer is no JSON object") from None
