"""HTTP API v1: what `hooptui login` and other programs ask. JSON out, forms in; no cookie counts here. Knows no page."""

from __future__ import annotations

import math
from typing import Final

from aiohttp import web

from hooptui.auth.leases import is_lease
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity, Kind, Lease
from hooptui.core.secret import Secret
from hooptui.core.visible import visible
from hooptui.credentials.ssh_certificates import BadKey, SshCa
from hooptui.portal.base import DeviceStart
from hooptui.portal.context import Context, Wrong, answer, body_of, form_of, peer_of
from hooptui.portal.devices import INTERVAL, LASTS, Device, DevicesFull

DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT_TYPES: Final = frozenset(
    f"urn:ietf:params:oauth:token-type:{name}" for name in ("access_token", "jwt", "id_token")
)
LEASE_TYPE: Final = "urn:hooptui:lease"
MAX_CREDENTIAL: Final = 16 * 1024
MAX_KEY: Final = 16 * 1024


class Api:
    """The handlers; `routes` says where they hang."""

    def __init__(self, context: Context, ssh: SshCa | None) -> None:
        self._context = context
        self._ssh = ssh

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/info", self.info),
            web.post("/v1/device", self.device),
            web.post("/v1/device/token", self.device_token),
            web.post("/v1/exchange", self.exchange),
            web.post("/v1/ssh/sign", self.sign),
            web.get("/v1/whoami", self.whoami),
        ]

    async def info(self, request: web.Request) -> web.Response:
        info, settings = self._context.porter.info(), self._context.settings
        ways: list[dict[str, object]] = [
            {
                "id": way.id, "kind": "oidc", "title": way.title, "issuer": way.issuer.url, "browser": True, "device": True,
                "client_id": way.client_id,
            }
            for way in settings.ways
        ]  # fmt: skip
        ways += [
            {
                "id": way.id, "kind": "saml", "title": way.title, "issuer": way.idp.entity_id, "browser": True, "device": True,
                "client_id": way.sp_entity_id,
            }
            for way in settings.saml
        ]  # fmt: skip
        return answer(
            200,
            {
                "name": info.name,
                "version": info.version,
                "ca": info.ca,
                "listeners": dict(info.listeners),
                "ssh_host_ca": info.ssh_host_ca,
                "ways": ways,
            },
        )

    async def device(self, request: web.Request) -> web.Response:
        """RFC 8628 section 3.1, without a client to authenticate: whoever asks gets what a person says yes to."""
        form = await form_of(request)
        purpose = visible(form.get("purpose", ""))
        try:
            started = start_device(self._context, peer_of(request), purpose)
        except DevicesFull as full:
            raise Wrong(503, "portal-full", str(full), wait=60.0) from None
        return answer(
            200,
            {
                "device_code": started.device_code.reveal(), "user_code": started.user_code,
                "verification_uri": started.verification_uri,
                "verification_uri_complete": started.verification_uri_complete,
                "expires_in": started.expires_in, "interval": started.interval,
            },
        )  # fmt: skip

    async def device_token(self, request: web.Request) -> web.Response:
        """RFC 8628 section 3.4."""
        context, peer = self._context, peer_of(request)
        context.slow_down(context.polls, request)
        form = await form_of(request)
        if form.get("grant_type") != DEVICE_GRANT:
            return oauth_error("unsupported_grant_type", f"grant_type must be {DEVICE_GRANT}")
        code = form.get("device_code", "")
        if not code:
            return oauth_error("invalid_request", "device_code is missing")
        said = context.devices.ask(code[:256])
        if not isinstance(said, Device):
            return oauth_error(said, "")
        login = said.login
        if login is None:  # approved means that somebody logged in
            return oauth_error("access_denied", "")
        how = "saml" if login.how == "saml" else "device"
        return lease_answer(*context.porter.issue(login.identity, how, peer, login.until), now=context.clock.now())

    async def exchange(self, request: web.Request) -> web.Response:
        """RFC 8693: a token that this gateway accepts, for a lease that ends no later."""
        context, peer = self._context, peer_of(request)
        form = await form_of(request)
        if form.get("grant_type") != EXCHANGE_GRANT:
            return oauth_error("unsupported_grant_type", f"grant_type must be {EXCHANGE_GRANT}")
        kind = form.get("subject_token_type", "")
        if kind == "urn:ietf:params:oauth:token-type:saml2":
            return oauth_error(
                "invalid_request", "a SAML response is taken from the browser that began the login, and nowhere else"
            )
        if kind not in SUBJECT_TYPES:
            return oauth_error(
                "invalid_request", f"subject_token_type must be one of {', '.join(sorted(SUBJECT_TYPES))}"
            )
        if unread := form.keys() & {"actor_token", "resource", "audience", "scope"}:
            return oauth_error(
                "invalid_request", f"{min(unread)} is not supported: a lease is its subject's own, for this gateway"
            )
        if form.get("requested_token_type", LEASE_TYPE) != LEASE_TYPE:
            return oauth_error("invalid_request", f"requested_token_type must be {LEASE_TYPE} or left out")
        token = form.get("subject_token", "")
        if not token:
            return oauth_error("invalid_request", "subject_token is missing")
        if is_lease(token):
            return oauth_error("invalid_request", "subject_token is a lease; a lease is not prolonged by another one")
        proof = Secret(token)
        identity = await context.porter.authenticate(proof, peer)
        lease, secret = context.porter.issue(identity, "exchange", peer, identity.expires_at, proof)
        return lease_answer(lease, secret, now=context.clock.now())

    async def sign(self, request: web.Request) -> web.Response:
        """A user certificate for one public key, for the bearer of a token or lease."""
        context, peer = self._context, peer_of(request)
        if self._ssh is None:
            raise Wrong(404, "no-ssh", "this gateway signs no SSH keys")
        secret = bearer(request)
        raw = await body_of(request)
        if len(raw) > MAX_KEY:
            raise Wrong(413, "too-large", f"a public key has at most {MAX_KEY // 1024} KiB")
        identity = await context.porter.authenticate(secret, peer)
        lease = secret.reveal().partition(".")[0] if is_lease(secret.reveal()) else ""
        try:
            made = self._ssh.sign(raw, identity, lease, now=context.clock.now())
        except BadKey as bad:
            raise Wrong(400, "bad-key", str(bad)) from None
        context.porter.certified(identity, lease, made.key_id, made.serial, made.until, peer)
        left = max(0, math.floor(made.until - context.clock.now()))
        return answer(200, {"certificate": made.certificate, "expires_in": left, "ca": self._ssh.public_key})

    async def whoami(self, request: web.Request) -> web.Response:
        self._context.slow_down(self._context.polls, request)
        identity = await self._context.porter.authenticate(bearer(request), peer_of(request))
        return answer(200, {"identity": shown(identity), "expires_at": identity.expires_at})


def start_device(context: Context, peer: str, purpose: str) -> DeviceStart:
    """Let a device wait for a lease.

    Raises:
        DevicesFull: too many wait.
    """
    code, device = context.devices.start(peer, purpose)
    return started(context.url, code, device)


def started(url: str, code: Secret, device: Device) -> DeviceStart:
    where = f"{url}/device"
    return DeviceStart(
        code, device.user_code, where, f"{where}?user_code={device.user_code}", int(LASTS), int(INTERVAL)
    )


def bearer(request: web.Request) -> Secret:
    """The credential in `Authorization: Bearer …` (RFC 6750 section 2.1).

    Raises:
        Wrong: there is none.
    """
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    value = value.strip()
    if scheme.lower() != "bearer" or not value:
        raise Wrong(401, "token-missing", "send a token or a lease as Authorization: Bearer …")
    if len(value) > MAX_CREDENTIAL:
        raise Wrong(400, "token-too-large", f"the credential has more than {MAX_CREDENTIAL // 1024} KiB")
    return Secret(value)


def lease_answer(lease: Lease, secret: Secret, *, now: float) -> web.Response:
    """RFC 8693 section 2.2.1."""
    return answer(
        200,
        {
            "access_token": secret.reveal(), "issued_token_type": LEASE_TYPE, "token_type": "Bearer",
            "expires_in": max(0, math.floor(lease.expires_at - now)), "lease": lease.id, "identity": shown(lease.identity),
        },
    )  # fmt: skip


def shown(identity: Identity) -> dict[str, object]:
    return {
        "issuer": identity.issuer, "subject": identity.subject, "name": identity.name, "kind": Kind(identity.kind).value,
        "owner": identity.owner, "groups": sorted(identity.groups),
    }  # fmt: skip


def oauth_error(error: str, description: str) -> web.Response:
    """RFC 6749 section 5.2."""
    return answer(400, {"error": error, **({"error_description": description} if description else {})})


def refused(no: LoginRefused, *, unavailable: bool, bearer: bool) -> web.Response:
    """A refusal for a program: the reason's code, the words for a person, and where it is the gateway's fault, 503."""
    words = {"error_description": no.message, "code": no.code, **({"hint": no.hint} if no.hint else {})}
    if unavailable:
        return answer(503, {"error": "temporarily_unavailable", **words}, Retry_After="10")
    if bearer:
        return answer(401, {"error": "invalid_token", **words}, WWW_Authenticate='Bearer error="invalid_token"')
    return answer(400, {"error": "invalid_grant", **words})
