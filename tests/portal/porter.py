"""A gateway's stand-in behind the portal: real verification of tokens, leases that it remembers, and a diary of refusals."""

from __future__ import annotations

import contextlib
import secrets
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp

from hooptui.auth.oidc import Verifier
from hooptui.core.clock import Clock, SystemClock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity, Lease
from hooptui.core.secret import Secret
from hooptui.credentials import certificates
from hooptui.portal.base import Info, Metric, Wellness
from hooptui.portal.server import Portal
from hooptui.portal.settings import OidcWay, PortalSettings
from tests.providers.oidc_provider import AUDIENCE, PORTAL, OidcProvider


@dataclass
class FakePorter:
    """Remembers what the portal asks of it."""

    verifier: Verifier
    clock: Clock
    ca: str | None = None
    listeners: Mapping[str, str] = field(default_factory=lambda: {"pg": "localhost:5432"})
    refusals: list[tuple[str, str, str]] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    issued: list[tuple[Lease, str, str]] = field(default_factory=list)
    """Lease, way and peer."""
    tokens: list[Secret | None] = field(default_factory=list)
    """What each of them was exchanged for."""
    signed: list[tuple[str, str, str, int]] = field(default_factory=list)
    leases: dict[str, Identity] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    well: Wellness = field(default_factory=lambda: Wellness(True))
    recording: bool = True

    async def authenticate(self, secret: Secret, peer: str) -> Identity:
        text = secret.reveal()
        if not text.startswith("hl_"):
            identity = await self.verifier.identify(secret)
        elif text in self.leases:
            identity = self.leases[text]
        else:
            raise LoginRefused("lease-unknown", "no such lease")
        self._may(identity)
        return identity

    def issue(
        self, identity: Identity, how: str, peer: str, until: float | None = None, token: Secret | None = None
    ) -> tuple[Lease, Secret]:
        self._may(identity)
        now = self.clock.now()
        ends = min(now + 3600, until if until is not None else now + 3600)
        name = "hl_" + "".join(secrets.choice("abcdefghijklmnop234567") for _ in range(12))
        lease = Lease(name, replace(identity, expires_at=ends), now, ends, how)
        secret = f"{name}.{secrets.token_hex(16)}"
        self.leases[secret] = lease.identity
        self.issued.append((lease, how, peer))
        self.tokens.append(token)
        return lease, Secret(secret)

    def certified(self, identity: Identity, lease: str, key_id: str, serial: int, until: float, peer: str) -> None:
        if not self.recording:
            raise LoginRefused("unrecorded", "this gateway cannot record now")
        self.signed.append((identity.key, lease, key_id, serial))

    def refused(self, code: str, message: str, peer: str) -> None:
        self.refusals.append((code, message, peer))

    def trouble(self, code: str, message: str) -> None:
        self.troubles.append((code, message))

    def health(self) -> Wellness:
        return self.well

    def metrics(self) -> Iterable[Metric]:
        yield Metric(
            "hooptui_sessions", "Sessions open now.", "gauge", (({"state": "live"}, 3), ({"state": "held"}, 1))
        )

    def info(self) -> Info:
        return Info("prod-eu", "0.1.0", self.ca, self.listeners)

    def codes(self) -> list[str]:
        return [code for code, _, _ in self.refusals]

    def _may(self, identity: Identity) -> None:
        if identity.key in self.blocked:
            raise LoginRefused("identity-blocked", "this identity is blocked")


def way(idp: OidcProvider, **changes: object) -> OidcWay:
    """The real provider as a way to log in."""
    issuer = idp.issuer()
    made = OidcWay("op", "Example provider", issuer, PORTAL, Secret(idp.secrets[PORTAL]))
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name, as in dataclasses.replace


@dataclass
class Bed:
    """A portal that listens, and an HTTP client that trusts it."""

    portal: Portal
    porter: FakePorter
    client: aiohttp.ClientSession
    trust: ssl.SSLContext
    directory: Path

    @property
    def url(self) -> str:
        return self.portal.url

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])


@contextlib.asynccontextmanager
async def portal_bed(
    directory: Path,
    *ways: OidcWay,
    clock: Clock | None = None,
    ssh: bool = False,
    settings: PortalSettings | None = None,
) -> AsyncIterator[Bed]:
    """A running portal with these ways to log in."""
    from hooptui.credentials.ssh_certificates import SshCa

    clock = clock or SystemClock()
    own = certificates.ensure(directory / "tls", [], now=SystemClock().now())
    context = certificates.server_context(own.certificate, own.key, now=SystemClock().now())
    trust = ssl.create_default_context(cafile=str(own.ca))
    async with Verifier({one.issuer.url: one.issuer for one in ways}.values(), clock) as verifier:
        porter = FakePorter(verifier, clock, own.ca.read_text())
        portal = Portal(
            settings or PortalSettings(ways=ways), context, porter, verifier, clock,
            ssh=SshCa.kept(directory) if ssh else None,
        )  # fmt: skip
        await portal.start()
        jar = aiohttp.CookieJar(unsafe=True)
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust), cookie_jar=jar) as client:
                yield Bed(portal, porter, client, trust, directory)
        finally:
            await portal.stop()


__all__ = ["AUDIENCE", "Bed", "FakePorter", "portal_bed", "way"]
