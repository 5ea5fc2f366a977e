"""What is kept of a login on this machine: the lease, readable by its owner alone, and where everything lies. Knows no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hooptui.core.secret import Secret
from hooptui.errors import UserError
from hooptui.login import files
from hooptui.login.gateway import LEASE, NAME


@dataclass(frozen=True, slots=True)
class Place:
    """The directory of one gateway under `$XDG_STATE_HOME/hooptui`, and the files in it."""

    directory: Path

    @classmethod
    def of(cls, url: str, environment: Mapping[str, str]) -> Place:
        """`url` as `gateway.origin` gives it."""
        return cls(files.state_home(environment) / re.sub(r"[^a-z0-9._-]", "@", url.removeprefix("https://")))

    @property
    def login(self) -> Path:
        return self.directory / "login.json"

    @property
    def lock(self) -> Path:
        return self.directory / "lock"

    @property
    def ca(self) -> Path:
        """The authorities that vouch for the portal, as given by --ca the last time."""
        return self.directory / "portal-ca.crt"

    @property
    def listener_ca(self) -> Path:
        """Those that vouch for the gateway's listeners, as the gateway said over a connection that was checked."""
        return self.directory / "ca.crt"

    @property
    def passfile(self) -> Path:
        return self.directory / "pgpass"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def ssh_config(self) -> Path:
        return self.directory / "ssh_config"

    @property
    def ssh_known_hosts(self) -> Path:
        return self.directory / "ssh_known_hosts"

    @property
    def ssh_key(self) -> Path:
        return self.directory / "id_ed25519"

    @property
    def ssh_certificate(self) -> Path:
        return self.directory / "id_ed25519-cert.pub"


@dataclass(frozen=True, slots=True)
class Login:
    """One login that was kept."""

    gateway: str
    """As `gateway.origin` gives it."""
    name: str
    """What the gateway calls itself; the name of service, context and host in the clients' files."""
    lease: str
    secret: Secret
    """The lease's bearer form."""
    expires_at: float
    """Unix seconds by this machine's clock."""
    who: str
    listeners: Mapping[str, str] = field(default_factory=dict)
    installed: tuple[str, ...] = ()
    """Clients whose files are kept up to date: `psql`, `kube`, `ssh`."""
    clusters: tuple[str, ...] = ()
    """Kubernetes clusters that were asked for."""


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    gateway: str
    name: str
    secret: str
    expires_at: float
    who: str
    listeners: dict[str, str]
    installed: tuple[str, ...]
    clusters: tuple[str, ...]


def save(place: Place, login: Login) -> None:
    """Keep it in the place's directory, which is there already. Raises UserError."""
    kept = _Kept(
        1, login.gateway, login.name, login.secret.reveal(), login.expires_at, login.who, dict(login.listeners),
        login.installed, login.clusters,
    )  # fmt: skip
    files.write(place.login, msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


def load(place: Place) -> Login | None:
    """The login that was kept; None when there is none.

    Raises:
        UserError: it cannot be read, others may read it, or it is not as it was written.
    """
    raw = files.read(place.login)
    if raw is None:
        return None
    if (mode := place.login.stat().st_mode & 0o777) & 0o077:
        raise UserError(f"{place.login}: others may read it (mode {mode:03o}); chmod 600 {place.login}")
    try:
        kept = msgspec.json.decode(raw, type=_Kept)
    except (msgspec.DecodeError, UnicodeDecodeError):
        kept = None
    found = LEASE.fullmatch(kept.secret) if kept is not None else None
    if kept is None or found is None or kept.version != 1 or not NAME.fullmatch(kept.name):
        raise UserError(f"{place.login}: not as hooptui wrote it; remove it and log in again")
    return Login(
        kept.gateway, kept.name, found[1], Secret(kept.secret), kept.expires_at, kept.who, kept.listeners, kept.installed,
        kept.clusters,
    )  # fmt: skip


def known(environment: Mapping[str, str]) -> list[str]:
    """Addresses of the gateways that a login was kept for. Raises UserError."""
    top = files.state_home(environment)
    found = [load(Place(path.parent)) for path in sorted(top.glob("*/login.json"))] if top.is_dir() else []
    return [login.gateway for login in found if login is not None]
