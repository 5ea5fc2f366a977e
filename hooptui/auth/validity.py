"""How a gateway learns that a credential which looks good is good no longer. Settings only, one for each issuer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from hooptui.auth.urls import check_url
from hooptui.core.secret import Secret


class Mode(StrEnum):
    """Where to ask. There is no automatic choice: a provider that cannot answer must not look like one that says yes."""

    NONE = "none"
    """A token is good until it expires."""
    DENYLIST = "denylist"
    """A file or a URL that names what is revoked."""
    INTROSPECTION = "introspection"
    """RFC 7662, with the gateway's own client. Only `active: true` is active."""
    USERINFO = "userinfo"
    """OpenID Connect Core section 5.3: the token itself is asked for its claims; 401 is the end of it."""


class ClientAuth(StrEnum):
    """How the gateway authenticates at the introspection endpoint (RFC 6749 section 2.3.1)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"


@dataclass(frozen=True, slots=True)
class Revocation:
    """Continuous validity for one issuer's tokens.

    Raises:
        ValueError: on construction, naming the field, what was found and what is expected.
    """

    mode: Mode = Mode.NONE
    interval: float = 30.0
    """Seconds between two looks at the same credential."""
    keep_for: float = 300.0
    """Seconds for which sessions live on while nobody can be asked; then they end. 0 ends them at the first failure."""
    client_id: str = ""
    client_secret: Callable[[], Awaitable[Secret]] | None = field(default=None, repr=False, compare=False)
    """Asked anew at each poll, so that replacing the file is enough to rotate it."""
    client_auth: ClientAuth = ClientAuth.BASIC
    endpoint: str = ""
    """URL to ask instead of the one in the discovery document."""
    denylist: str = ""
    """Path of a file, or an https URL."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("interval", self.interval, 1.0, 3_600.0),
            ("keep_for", self.keep_for, 0.0, 86_400.0),
        ):
            if not least <= value <= most:
                raise ValueError(f"revocation.{name}: found {value:g}, expected {least:g} to {most:g} seconds")
        asks = self.mode in (Mode.INTROSPECTION, Mode.USERINFO)
        for name, there, wanted in (
            ("client_id", bool(self.client_id), self.mode is Mode.INTROSPECTION),
            ("client_secret", self.client_secret is not None, self.mode is Mode.INTROSPECTION),
            ("denylist", bool(self.denylist), self.mode is Mode.DENYLIST),
        ):
            if wanted and not there:
                raise ValueError(f"revocation.{name}: is missing; {self.mode} needs it")
            if there and not wanted:
                raise ValueError(f"revocation.{name}: is set, and {self.mode} has no use for it")
        if self.endpoint:
            if not asks:
                raise ValueError(f"revocation.endpoint: is set, and {self.mode} has no use for it")
            check_url(self.endpoint, "revocation.endpoint")
        if "://" in self.denylist:
            check_url(self.denylist, "revocation.denylist")


NO_REVOCATION = Revocation()
