"""What the operator says about the portal. Settings only: knows no HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hooptui.auth.issuer import Issuer
from hooptui.auth.saml.settings import SamlWay
from hooptui.core.secret import Secret

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
"""A scope token (RFC 6749 section 3.3)."""
MAX_WAYS = 16
LEAST_METRICS_TOKEN = 16


@dataclass(frozen=True, slots=True)
class OidcWay:
    """One OpenID provider that people log in at with a browser, and our client there.

    Raises:
        ValueError: on construction, naming the field, what was found and what is expected.
    """

    id: str
    """Short name in paths (`/login/{id}`): lower-case letters, digits and hyphens."""
    title: str
    """What the login page calls it."""
    issuer: Issuer
    """Must be one of the issuers that the gateway's verifier knows."""
    client_id: str
    client_secret: Secret | None = None
    """None for a public client; PKCE is used either way."""
    scopes: tuple[str, ...] = ("openid", "profile", "groups")

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"id: found {self.id!r}, expected up to 32 lower-case letters, digits and inner hyphens")
        if not self.title.strip() or len(self.title) > 64 or not self.title.isprintable():
            raise ValueError("title: expected 1 to 64 printable characters")
        if not self.client_id.isascii() or not self.client_id.isprintable() or not 0 < len(self.client_id) <= 255:
            raise ValueError("client_id: expected 1 to 255 printable ASCII characters")
        if self.client_secret is not None and not self.client_secret:
            raise ValueError("client_secret: found an empty one; leave it out for a public client")
        if "openid" not in self.scopes:
            raise ValueError(
                "scopes: expected openid among them; without it the provider sends no ID token (OpenID Connect Core 3.1.2.1)"
            )
        if bad := [scope for scope in self.scopes if not _SCOPE.fullmatch(scope)]:
            raise ValueError(f"scopes: {bad[0]!r} is no scope; expected printable ASCII without spaces")


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """The portal's own settings.

    Raises:
        ValueError: on construction, naming the field, what was found and what is expected.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 for one that the kernel picks."""
    public_url: str = ""
    """Where browsers find it: `https://bastion.example.com:8443`. Empty for `https://localhost` and the port."""
    ways: tuple[OidcWay, ...] = ()
    saml: tuple[SamlWay, ...] = ()
    """SAML ways need `hooptui[saml]`."""
    metrics: Secret | None = field(default=None, compare=False)
    """Bearer that may read /metrics from elsewhere; without it only loopback may."""
    connections: int = 256
    """Open at once; more are closed unread."""
    connections_per_peer: int = 64
    """Open at once from one IPv4 address or IPv6 /64 network; loopback addresses count like others."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port: found {self.port}, expected 0 to 65535")
        if self.public_url:
            _check_origin(self.public_url)
        ids = [*(way.id for way in self.ways), *(way.id for way in self.saml)]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"ways: the id {twice[0]!r} is there twice")
        if len(ids) > MAX_WAYS:
            raise ValueError(f"ways: found {len(ids)}, expected at most {MAX_WAYS}")
        if self.metrics is not None and len(self.metrics) < LEAST_METRICS_TOKEN:
            raise ValueError(f"metrics: found {len(self.metrics)} characters, expected at least {LEAST_METRICS_TOKEN}")
        for name, value, most in (
            ("connections", self.connections, 65_536),
            ("connections_per_peer", self.connections_per_peer, self.connections),
        ):
            if not 1 <= value <= most:
                raise ValueError(f"{name}: found {value}, expected 1 to {most}")


def _check_origin(url: str) -> None:
    """An origin (RFC 6454) and nothing else: cookies and redirects are for the whole host."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as bad:
        raise ValueError(f"public_url: {url!r} is not a URL ({bad})") from None
    if parts.scheme != "https" or not parts.hostname or port == 0:
        raise ValueError(f"public_url: found {url!r}, expected https://host or https://host:port")
    if url != f"https://{parts.netloc}" or not url.isascii() or not url.isprintable() or url != url.lower():
        raise ValueError(
            f"public_url: found {url!r}, expected it in lower case, without path, query or user information"
        )
    if "@" in parts.netloc or port == 443:
        raise ValueError(
            f"public_url: found {url!r}, expected no user information and no :443, which browsers leave out"
        )
