"""What the portal is handed, as types: the gateway behind it, and the values that go between them. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from hooptui.core.model import Identity, Lease
from hooptui.core.secret import Secret

How = Literal["device", "browser", "saml", "exchange"]


@dataclass(frozen=True, slots=True)
class Login:
    """A person has just proved who they are, in a browser."""

    identity: Identity
    how: How
    """`browser` for OIDC, `saml` for SAML; `device` once it was used to approve a device."""
    until: float | None = None
    """Unix seconds at which whatever comes of it must end (SAML's SessionNotOnOrAfter); None when the proof says nothing."""


Settle = Callable[[Login | None], None]
"""What to do with the login when a device was approved for something else than a lease, and with None when it was denied.
May raise LoginRefused, whose words the person sees."""


@dataclass(frozen=True, slots=True)
class DeviceStart:
    """The answer to a device that asks (RFC 8628 section 3.2)."""

    device_code: Secret
    user_code: str
    """`XXXX-XXXX`."""
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    """Seconds."""
    interval: int
    """Seconds between two questions of the device."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of the Prometheus text format, version 0.0.4."""

    name: str
    """`hooptui_…`; a counter's ends in `_total`."""
    help: str
    kind: Literal["gauge", "counter"]
    samples: tuple[tuple[Mapping[str, str], float], ...]
    """Labels and value."""


@dataclass(frozen=True, slots=True)
class Wellness:
    """What /healthz says."""

    ok: bool
    """New sessions can be opened: it is not draining, and the journal takes records."""
    words: str = ""
    """Why not, fit for strangers: no path, no name."""


@dataclass(frozen=True, slots=True)
class Info:
    """What `hooptui login` needs to know before anybody has logged in."""

    name: str
    version: str
    ca: str | None
    """PEM of the authorities that vouch for the gateway's listeners when they are its own; None for the system's."""
    listeners: Mapping[str, str] = field(default_factory=dict)
    """`host:port` by `pg`, `ssh`, `k8s`."""
    ssh_host_ca: str = ""
    """Public key line of the authority behind the ssh listener's host certificate; empty when there is no such listener."""


class Porter(Protocol):
    """The gateway, as the portal sees it. Called on the gateway's loop."""

    async def authenticate(self, secret: Secret, peer: str) -> Identity:
        """Who the bearer of this token or lease is.

        Raises:
            LoginRefused: also when the identity is blocked. The portal then calls `refused`.
        """

    def issue(
        self, identity: Identity, how: str, peer: str, until: float | None = None, token: Secret | None = None
    ) -> tuple[Lease, Secret]:
        """A new lease, journaled before it is given out. `token` is the one it is exchanged for: when that is revoked, what
        was opened with the lease ends too.

        Raises:
            LoginRefused: the identity is blocked, the gateway is draining or cannot record.
        """

    def certified(self, identity: Identity, lease: str, key_id: str, serial: int, until: float, peer: str) -> None:
        """Journal an SSH certificate before it is given out; `lease` is empty when the client brought a token.

        Raises:
            LoginRefused: it cannot be recorded, so it is not given out.
        """

    def refused(self, code: str, message: str, peer: str) -> None:
        """Journal a refusal and count it by its code."""

    def trouble(self, code: str, message: str) -> None:
        """Tell the operator that the portal is not as it should be."""

    def health(self) -> Wellness: ...

    def metrics(self) -> Iterable[Metric]: ...

    def info(self) -> Info: ...


class Way(Protocol):
    """One way to log in, as pages and /v1/info name it; `settings.OidcWay` and `auth.saml.settings.SamlWay` are such."""

    @property
    def id(self) -> str: ...

    @property
    def title(self) -> str: ...
