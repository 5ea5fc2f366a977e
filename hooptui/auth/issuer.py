"""What the operator says about one identity provider. Settings only: knows no token and no network."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hooptui.core.model import Kind

ASYMMETRIC = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"}
)
"""Every algorithm an issuer may be given (RFC 7518, RFC 8037, RFC 9864). Never `none`, never a shared secret."""

DEFAULT_ALGORITHMS = frozenset({"RS256", "PS256", "ES256", "Ed25519", "EdDSA"})


@dataclass(frozen=True, slots=True)
class KindRule:
    """Tells workloads from people by one claim: a workload when the claim at `claim` equals `equals`.

    Entra marks app-only tokens with `idtyp: app`; others have a claim of their own.
    """

    claim: str
    equals: str

    def __post_init__(self) -> None:
        if not self.claim or not self.equals:
            raise ValueError("kind: a rule needs a claim and the value that marks a workload")


@dataclass(frozen=True, slots=True)
class Issuer:
    """One accepted OIDC issuer.

    Raises:
        ValueError: on construction, naming the field, what was found and what is expected.
    """

    url: str
    """Exactly as the `iss` claim has it. https; plain http only for a loopback host, for tests and the demo."""
    audiences: frozenset[str]
    """At least one of them must be in `aud`."""
    algorithms: frozenset[str] = DEFAULT_ALGORITHMS
    groups: str = "groups"
    """Claim with the groups, or a dotted path: `realm_access.roles`. A claim whose own name has dots is found too."""
    groups_prefix: str = ""
    """Put before every group of this issuer, so that one issuer cannot hand out another's groups."""
    name: str = "preferred_username"
    """Claim with the display name; the subject where it is missing or not fit to print."""
    kind: Kind | KindRule = Kind.HUMAN
    owner: str = ""
    """Claim with the subject of the person an agent acts for, e.g. `act.sub`; empty when there is none."""
    authorized_parties: frozenset[str] = frozenset()
    """Client ids that `azp`, `client_id` or `appid` may name; empty accepts every client of the issuer."""
    ca_file: Path | None = None
    """PEM file with the certificate authorities that vouch for the issuer; None for the system's."""
    leeway: float = 30.0
    """Seconds by which clocks may differ."""
    max_lifetime: float = 86_400.0
    """Longest accepted life of a token in seconds."""
    jwks_fresh: float = 600.0
    """Seconds after which fetched keys are fetched anew."""
    jwks_grace: float = 3_600.0
    """Seconds for which keys that cannot be fetched anew are still used; then logins by this issuer are closed."""

    def __post_init__(self) -> None:
        check_url(self.url, "issuer")
        parts = urlsplit(self.url)
        if parts.query or parts.fragment or "?" in self.url or "#" in self.url:
            raise ValueError(f"issuer: {self.url!r} has a query or fragment; an issuer is a plain URL")
        if not self.audiences or not all(self.audiences):
            raise ValueError("audience: expected at least one non-empty audience")
        if not self.algorithms:
            raise ValueError("algorithms: expected at least one")
        if foreign := self.algorithms - ASYMMETRIC:
            raise ValueError(
                f"algorithms: {', '.join(sorted(foreign))} not accepted; expected among {', '.join(sorted(ASYMMETRIC))}"
            )
        for field, path in (("groups", self.groups), ("name", self.name)):
            if not path:
                raise ValueError(f"{field}: expected the name of a claim")
        if not all(self.authorized_parties):
            raise ValueError("authorized_parties: a client id is empty")
        for field, value, least, most in (
            ("leeway", self.leeway, 0.0, 300.0),
            ("max_lifetime", self.max_lifetime, 60.0, 366 * 86_400.0),
            ("jwks_fresh", self.jwks_fresh, 30.0, 86_400.0),
            ("jwks_grace", self.jwks_grace, 0.0, 86_400.0),
        ):
            if not least <= value <= most:
                raise ValueError(f"{field}: found {value:g}, expected {least:g} to {most:g} seconds")

    @property
    def loopback(self) -> bool:
        """Whether the issuer is on this machine, which is where plain http is accepted."""
        return is_loopback(urlsplit(self.url).hostname or "")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, field: str) -> None:
    """Refuse what must never be fetched.

    Raises:
        ValueError: not an absolute https URL (http for a loopback host), or with user information or odd characters.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError(f"{field}: found characters that do not belong in a URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as bad:
        raise ValueError(f"{field}: {url!r} is not a URL ({bad})") from None
    if not parts.hostname or port == 0:
        raise ValueError(f"{field}: {url!r} names no host; expected https://…")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{field}: has user information; expected https://host/…")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError(f"{field}: {url!r} is not https; plain http is accepted only for a loopback host")
