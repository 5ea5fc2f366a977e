"""The gateway's HTTP API v1, from the client's side. Knows no file and no terminal."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from hooptui.core.secret import Secret
from hooptui.core.visible import visible
from hooptui.errors import UserError
from hooptui.login.web import asking, check_url

T = TypeVar("T")

DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:"  # noqa: S105 - a name of RFC 8693, not a secret
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LEASE: Final = re.compile(r"(hl_[A-Za-z0-9]{1,64})\.[A-Za-z0-9]{16,256}")
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]*\]|[A-Za-z0-9._-]*):([0-9]{1,5})")
_CERTIFICATE: Final = re.compile(r"[a-z0-9@.-]+-cert-v01@openssh\.com [A-Za-z0-9+/=]+(?: [^\r\n]*)?")
_ED25519: Final = re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]{68}")
_ANYWHERE: Final = frozenset({"", "0.0.0.0", "[::]", "[::0]"})  # noqa: S104 - found and replaced, not listened on


class Refused(Exception):
    """The gateway or the identity provider said no: an OAuth error (RFC 6749 section 5.2) with its words."""

    def __init__(self, error: str, words: str = "", hint: str = "", wait: float = 0.0) -> None:
        super().__init__(error)
        self.error = error
        self.words = words
        self.hint = hint
        self.wait = wait
        """Seconds that the server wants to be left alone."""

    def sentence(self) -> str:
        """For a person."""
        return visible((self.words or self.error)[:500] + (f"; {self.hint[:500]}" if self.hint else ""))


@dataclass(frozen=True, slots=True)
class Way:
    """One way to log in."""

    id: str
    kind: str
    """`oidc` or `saml`."""
    title: str = ""
    issuer: str = ""
    client_id: str = ""
    device: bool = False


@dataclass(frozen=True, slots=True)
class Info:
    """What the gateway says of itself before anybody has logged in."""

    name: str
    version: str = ""
    ca: str | None = None
    """PEM of the authorities that vouch for its listeners; None for the system's."""
    listeners: Mapping[str, str] = field(default_factory=dict)
    """`host:port` by `pg`, `ssh`, `k8s`."""
    ways: tuple[Way, ...] = ()
    ssh_host_ca: str = ""
    """Public key of the authority behind the ssh listener's host certificate, one line; empty when there is none."""


@dataclass(frozen=True, slots=True)
class DeviceStart:
    """RFC 8628 section 3.2, by the gateway or by an identity provider."""

    device_code: Secret
    user_code: str
    verification_uri: str
    complete: str
    """The page with the code filled in; empty when there is none."""
    expires_in: float
    interval: float


@dataclass(frozen=True, slots=True)
class Obtained:
    """A new lease."""

    lease: str
    secret: Secret
    """Its bearer form."""
    expires_in: float
    who: str
    """Display name; hostile."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A new SSH certificate; nothing in it is secret."""

    certificate: str
    expires_in: float


@dataclass(frozen=True, slots=True)
class _Device:
    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    verification_uri_complete: str = ""
    interval: float = 5.0


@dataclass(frozen=True, slots=True)
class _Who:
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Lease:
    access_token: str
    expires_in: float
    lease: str
    identity: _Who


class Gateway:
    """One gateway's API. A context manager."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        """`url` as `origin` gives it, `options` as `web.options` does."""
        self.url = url
        self._client = httpx2.Client(**options)

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def info(self) -> Info:
        """Raises UserError, also when it is no gateway."""
        with asking(self.url):
            response = self._client.get(f"{self.url}/v1/info")
        if response.status_code != 200:
            raise UserError(
                f"{self.url}: expected a hooptui gateway's portal, found status {response.status_code} for /v1/info"
            )
        info = self._read(response, Info)
        if not NAME.fullmatch(info.name):
            raise UserError(f"{self.url}: the gateway's name is {info.name[:80]!a}, which fits in no file")
        if info.ca is not None:
            try:
                ssl.create_default_context(cadata=info.ca)
            except (ssl.SSLError, ValueError):
                raise UserError(f"{self.url}: the authorities that the gateway names are no PEM certificates") from None
        if info.ssh_host_ca and not _ED25519.fullmatch(info.ssh_host_ca):
            raise UserError(f"{self.url}: the authority that the gateway names for ssh is no Ed25519 public key")
        return info

    def device(self, purpose: str) -> DeviceStart:
        """Begin a login that a person confirms in a browser. Raises Refused, UserError."""
        said = self._post("/v1/device", _Device, {"purpose": purpose} if purpose else {})
        return device_start(msgspec.to_builtins(said), self.url)

    def poll(self, code: Secret) -> Obtained:
        """Raises Refused (`authorization_pending`, `slow_down`, …), UserError."""
        return self._lease("/v1/device/token", {"grant_type": DEVICE_GRANT, "device_code": code.reveal()})

    def exchange(self, token: Secret, kind: str) -> Obtained:
        """A lease for a token; `kind` is `access_token`, `id_token` or `jwt`. Raises Refused, UserError."""
        form = {"grant_type": EXCHANGE_GRANT, "subject_token": token.reveal(), "subject_token_type": TOKEN_TYPE + kind}
        return self._lease("/v1/exchange", form)

    def sign(self, lease: Secret, public_key: str) -> Signed:
        """A certificate for one OpenSSH public key. Raises Refused, UserError."""
        with asking(self.url):
            response = self._client.post(
                f"{self.url}/v1/ssh/sign",
                content=public_key.encode(),
                headers={"Authorization": f"Bearer {lease.reveal()}", "Content-Type": "text/plain"},
            )
        signed = self._checked(response, Signed)
        if not _CERTIFICATE.fullmatch(signed.certificate.strip()):
            raise UserError(f"{self.url}: what the gateway signed is no OpenSSH certificate")
        return Signed(signed.certificate.strip(), signed.expires_in)

    def _lease(self, path: str, form: Mapping[str, str]) -> Obtained:
        said = self._post(path, _Lease, form)
        found = LEASE.fullmatch(said.access_token)
        if found is None or found[1] != said.lease or not 0 < said.expires_in < 1e7:
            raise UserError(f"{self.url}: what the gateway gave is no lease")
        return Obtained(said.lease, Secret(said.access_token), said.expires_in, said.identity.name)

    def _post(self, path: str, kind: type[T], form: Mapping[str, str]) -> T:
        with asking(self.url):
            response = self._client.post(self.url + path, data=dict(form))
        return self._checked(response, kind)

    def _checked(self, response: httpx2.Response, kind: type[T]) -> T:
        if response.status_code == 200:
            return self._read(response, kind)
        raise refusal(response)

    def _read(self, response: httpx2.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as bad:
            # The validator names places and types, never values.
            words = str(bad) if isinstance(bad, msgspec.ValidationError) else "it is no JSON"
            raise UserError(f"{self.url}: the answer is not a hooptui gateway's: {words}") from None


def refusal(response: httpx2.Response) -> Refused:
    """What an answer other than 200 says."""
    try:
        said = msgspec.json.decode(response.content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = {}
    error, words, hint = (said.get(name) for name in ("error", "error_description", "hint"))
    retry = response.headers.get("retry-after", "")
    wait = min(float(retry), 600.0) if retry.isascii() and retry.isdigit() else 0.0
    if not isinstance(error, str) or not error:
        error = {429: "slow_down", 502: "temporarily_unavailable", 503: "temporarily_unavailable"}.get(
            response.status_code, ""
        )
    if response.status_code == 429:
        error = "slow_down"
    return Refused(
        error or f"status {response.status_code}",
        words if isinstance(words, str) else "",
        hint if isinstance(hint, str) else "",
        wait,
    )


def device_start(said: Mapping[str, Any], who: str) -> DeviceStart:
    """An answer of RFC 8628 section 3.2, checked.

    Raises:
        UserError: it misses something, or its page is none that a person may be sent to.
    """
    try:
        found = msgspec.convert(dict(said), _Device, strict=False)
    except msgspec.ValidationError as bad:
        raise UserError(f"{who}: the answer to a device login is not as RFC 8628 has it: {bad}") from None
    if not found.device_code or not found.user_code or not found.expires_in > 0 or not found.interval >= 0:
        raise UserError(f"{who}: the answer to a device login is not as RFC 8628 has it: a code or time is missing")
    complete = found.verification_uri_complete
    return DeviceStart(
        Secret(found.device_code),
        visible(found.user_code[:64]),
        check_url(found.verification_uri, f"{who}: the page to log in at"),
        check_url(complete, f"{who}: the page to log in at") if complete else "",
        min(found.expires_in, 3_600.0),
        min(max(found.interval, 1.0), 60.0),
    )


def origin(url: str) -> str:
    """The gateway's address as it is kept and compared: `https://host:port`, in lower case, without a path.

    Raises:
        UserError: it is none.
    """
    text = url if "://" in url else f"https://{url}"
    words = f"found {url[:200]!a}, expected the gateway's portal, such as https://bastion.example.com:8443"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UserError(words) from None
    if parts.scheme != "https" or not parts.hostname or port == 0 or "@" in parts.netloc:
        raise UserError(words)
    if parts.path.strip("/") or parts.query or parts.fragment or not re.fullmatch(r"[a-z0-9.:_-]+", parts.hostname):
        raise UserError(words)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}" + (f":{port}" if port not in (None, 443) else "")


def listener(info_listeners: Mapping[str, str], which: str, url: str) -> tuple[str, int] | None:
    """Host and port of a listener as this machine reaches it; None when the gateway has no such listener.

    A listener on every address is reached where the portal is.

    Raises:
        UserError: it is no address.
    """
    address = info_listeners.get(which)
    if address is None:
        return None
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found[2]) < 65_536:
        raise UserError(f"{url}: the address of its {which} listener is {address[:80]!a}, expected host:port")
    host = (urlsplit(url).hostname or "") if found[1] in _ANYWHERE else found[1].strip("[]")
    return host, int(found[2])
