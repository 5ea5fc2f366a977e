"""What the operator says about one identity provider. Settings only: knows no token and no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from hooptui.auth.urls import check_url, is_loopback
from hooptui.auth.validity import NO_REVOCATION, Revocation
from hooptui.core.model import Kind

ASYMMETRIC = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"}
)
"""Every algorithm an issuer may be given (RFC 7518, RFC 8037, RFC 9864). Never `none`, never a shared secret."""

DEFAULT_ALGORITHMS = frozenset({"RS256", "PS256", "ES256", "Ed25519", "EdDSA"})


MAX_OWNERS = 10_000


class Profile(StrEnum):
    """What kind of provider it is: `auth.profiles` has the settings, `auth.provider_rules` what is checked beyond them."""

    GENERIC = "generic"
    GITHUB = "github-actions"
    GITLAB = "gitlab"
    KUBERNETES = "kubernetes"
    SPIFFE = "spiffe"
    ENTRA = "entra"
    KEYCLOAK = "keycloak"
    OKTA = "okta"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True)
class Derived:
    """A group made of claims: `Derived("repo:", ("repository_id",))` makes `repo:123`. None when a claim is missing."""

    prefix: str
    claims: tuple[str, ...]
    """Claim paths; their values are joined by colons."""

    def __post_init__(self) -> None:
        if not self.prefix or not self.claims or not all(self.claims):
            raise ValueError("derived: a group is made of a prefix and at least one claim")


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
    profile: Profile = Profile.GENERIC
    """Made by `auth.profiles.issuer`, which fills in what the provider's tokens look like."""
    subject: str = "sub"
    """Claim that names a person or workload for good. Some providers give the same person another `sub` in each client."""
    subjects: tuple[str, ...] = ()
    """Patterns (`*` and `?`), one of which the subject must match; empty accepts every subject."""
    require: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """By claim path the accepted values; a token that lacks one of these claims is refused."""
    groups: str = "groups"
    """Claim with the groups, or a path: `realm_access.roles`, `/kubernetes.io/namespace`. Empty when no claim has any."""
    derived: tuple[Derived, ...] = ()
    """Further groups, made of single claims."""
    groups_prefix: str = ""
    """Put before every group of this issuer, so that one issuer cannot hand out another's groups."""
    name: str = "preferred_username"
    """Claim with the display name; the subject where it is missing or not fit to print."""
    kind: Kind | KindRule = Kind.HUMAN
    actor: str = ""
    """Claim with the subject of the agent that acts for `sub`: `act.sub` (RFC 8693 section 4.1). Empty refuses such tokens."""
    owner: str = ""
    """Claim with the subject of the person for whom `sub`, an agent, acts; empty when there is none."""
    owners: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """Agents by subject, exact or a pattern, with the person each one acts for: a subject of this issuer, or `issuer#subject`."""
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
    revocation: Revocation = NO_REVOCATION

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
        for name, path in (("name", self.name), ("subject", self.subject), ("groups", self.groups or self.derived)):
            if not path:
                raise ValueError(f"{name}: expected the name of a claim")
        self._check_people()
        if not all(self.authorized_parties):
            raise ValueError("authorized_parties: a client id is empty")
        for name, value, least, most in (
            ("leeway", self.leeway, 0.0, 300.0),
            ("max_lifetime", self.max_lifetime, 60.0, 366 * 86_400.0),
            ("jwks_fresh", self.jwks_fresh, 30.0, 86_400.0),
            ("jwks_grace", self.jwks_grace, 0.0, 86_400.0),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name}: found {value:g}, expected {least:g} to {most:g} seconds")

    def _check_people(self) -> None:
        if self.actor and self.owner:
            raise ValueError(
                "actor and owner: one says who acts for sub, the other for whom sub acts; expected one of them"
            )
        if not all(self.subjects):
            raise ValueError("subjects: a pattern is empty")
        if len(self.owners) > MAX_OWNERS:
            raise ValueError(f"owners: found {len(self.owners)}, expected at most {MAX_OWNERS}")
        for agent, person in self.owners.items():
            if not agent or not person or person.startswith("#") or person.endswith("#"):
                raise ValueError(f"owners: found {agent!r}: {person!r}, expected a subject and the person it acts for")
            if person in (agent, f"{self.url}#{agent}"):
                raise ValueError(f"owners: {agent!r} is said to act for itself")
        for claim, values in self.require.items():
            if not claim or not values or not all(values):
                raise ValueError(f"require: found {claim!r} without values, expected a claim and what it may be")

    @property
    def loopback(self) -> bool:
        """Whether the issuer is on this machine, which is where plain http is accepted."""
        return is_loopback(urlsplit(self.url).hostname or "")
