"""The targets of the configuration as the protocols take them: with the credentials as they are now, and what mints others.

Also what a gateway proves itself with towards ssh clients. Knows no listener.
"""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import asyncssh

from hooptui.config.load import Config
from hooptui.config.targets import KubernetesTargetConfig, MintConfig, SshTargetConfig, TargetConfig
from hooptui.core.clock import Clock
from hooptui.credentials.custody import Custody
from hooptui.credentials.keyfile import key_file
from hooptui.credentials.kubernetes_tokens import ServiceAccountTokens, TokenMint
from hooptui.credentials.mint import Mint
from hooptui.credentials.postgres_roles import AdminLogin, PostgresRoles, RoleMint
from hooptui.credentials.ssh_certificates import SshCa
from hooptui.credentials.ssh_host import HostCa
from hooptui.credentials.ssh_mint import SshLogins
from hooptui.credentials.static import resolve, resolve_text
from hooptui.protocols.base import Doorman, Logins
from hooptui.protocols.kubernetes import gate as kubernetes
from hooptui.protocols.kubernetes.gate import KubernetesGate, KubernetesTarget
from hooptui.protocols.postgres.dial import Upstream
from hooptui.protocols.postgres.proxy import PostgresTarget
from hooptui.protocols.postgres.sasl import OAuth
from hooptui.protocols.ssh.commands import read_command
from hooptui.protocols.ssh.gate import Keys, SshGate, SshTarget
from hooptui.protocols.ssh.limits import Limits
from hooptui.protocols.ssh.upstream import credential
from hooptui.store.sqlite import Store


def store_tag(store: Store) -> str:
    """A short name for this gateway that no other has, the same for the life of its state directory."""
    return hashlib.sha256(store.key).hexdigest()[:8]


def served(targets: Iterable[TargetConfig], tag: str, clock: Clock) -> dict[str, PostgresTarget]:
    """The PostgreSQL targets by name; `tag` marks what is minted as this gateway's.

    Raises:
        CredentialTrouble: a credential cannot be had.
        ValueError: a mint could not work as it is set up.
    """
    found = {}
    for one in targets:
        password = resolve(one.password.where) if one.password else None
        upstream = replace(one.upstream, password=password)
        mint = _roles(one.mint, upstream, tag, clock) if one.mint is not None else None
        found[one.target.name] = PostgresTarget(one.target, upstream, mint)
    return found


def _roles(config: MintConfig, upstream: Upstream, tag: str, clock: Clock) -> PostgresRoles:
    """Makes a role for each session of a target."""
    login = AdminLogin(
        host=upstream.host,
        port=upstream.port,
        database=upstream.database,
        user=config.user or upstream.user,
        password=resolve(config.password.where) if config.password else upstream.password,
        sslmode=upstream.sslmode,
        ca_file=upstream.ca_file,
        connect_timeout=upstream.connect_timeout,
    )
    watchers = (upstream.user,) if config.user else ()
    settings = RoleMint(login, config.role, tag, connection_limit=config.connections, watchers=watchers)
    return PostgresRoles(settings, clock)


def hosts(targets: Iterable[SshTargetConfig], ca: Callable[[], SshCa], tag: str, clock: Clock) -> dict[str, SshTarget]:
    """The SSH hosts by name; `ca` is asked for by those where logins are minted, `tag` marks these as this gateway's.

    Raises:
        CredentialTrouble: a key cannot be had.
        ValueError: a key is none; quotes nothing of it.
        OSError: the authority's key cannot be used.
    """
    found = {}
    for one in targets:
        if one.key is None:
            logins = SshLogins(ca(), one.upstream.user, tag, clock, lasts=one.lasts)
            found[one.target.name] = SshTarget(one.target, one.upstream, logins)
            continue
        key = resolve_text(one.key.where)
        try:
            credential(key)
        except ValueError as wrong:
            raise ValueError(f"targets.{one.target.name}.key: {wrong}") from None
        found[one.target.name] = SshTarget(one.target, replace(one.upstream, key=key))
    return found


def host_certificate(config: Config, key: asyncssh.SSHKey, clock: Clock) -> Callable[[], asyncssh.SSHCertificate]:
    """What gives the certificate of the gateway's host key that is good now: the same one for days.

    Raises:
        OSError: the authority's key cannot be made or used.
    """
    authority, line = HostCa.kept(config.state_dir), key.export_public_key().decode()
    made: list[tuple[asyncssh.SSHCertificate, float]] = []

    def current() -> asyncssh.SSHCertificate:
        now = clock.now()
        if not made or now >= made[0][1]:
            fresh = authority.certify(line, host_names(config), now=now)
            made[:] = [(asyncssh.import_certificate(fresh.certificate), fresh.renew_at)]
        return made[0][0]

    return current


def host_names(config: Config) -> tuple[str, ...]:
    """What clients may call this gateway: as TLS has it, and its own name, which `hooptui login` makes an alias."""
    return (*config.tls.names, config.name)


def mints(
    databases: Mapping[str, PostgresTarget], ssh: Mapping[str, SshTarget], kubernetes: Mapping[str, KubernetesTarget]
) -> dict[str, Mint]:
    """What mints credentials, by the names of the targets."""
    every: tuple[tuple[str, Mint | None], ...] = (
        *((name, one.mint) for name, one in databases.items()),
        *((name, one.mint) for name, one in ssh.items()),
        *((name, one.mint) for name, one in kubernetes.items()),
    )
    return {name: mint for name, mint in every if mint is not None}


def oauth(config: Config) -> OAuth:
    """Where a client of PostgreSQL without a token is sent (OAUTHBEARER): where people log in, or the first issuer there is."""
    ways = config.portal.settings.ways if config.portal else ()
    issuer = ways[0].issuer if ways else config.issuers[0]
    return OAuth(issuer.url, " ".join(ways[0].scopes) if ways else "openid")


def host_key(state_dir: Path) -> asyncssh.SSHKey:
    """The gateway's own Ed25519 host key, made at first use; clients know the gateway by it.

    Raises:
        OSError: it cannot be made or read, others may read it, or it is no key.
    """
    path = state_dir / "ssh_host_ed25519"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        mode = path.stat().st_mode
        if mode & 0o077:
            raise OSError(f"{path}: found mode {mode & 0o777:04o}, expected 0600: others could read the key") from None
        try:
            return asyncssh.read_private_key(path)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            raise OSError(f"{path}: expected an unencrypted private key in OpenSSH's format") from None
    key = asyncssh.generate_private_key("ssh-ed25519", comment="hooptui")
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.export_private_key())
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".pub").write_bytes(key.export_public_key())
    return key


def ssh_gate(
    config: Config, targets: Mapping[str, SshTarget], door: Doorman, custody: Custody, logins: Logins, clock: Clock
) -> SshGate:
    """The SSH listener, not yet open; `targets` as `hosts` makes them.

    Raises:
        OSError: a key of the gateway's own cannot be used.
    """
    state, limits, key = config.state_dir, config.limits, host_key(config.state_dir)
    return SshGate(
        door,
        targets,
        Keys(key, host_certificate(config, key, clock), SshCa.kept(state).public_key),
        Limits(connections=limits.connections, per_peer=limits.per_peer),
        read=read_command,
        mask_key=key_file(state / "mask.key"),
        custody=custody,
        logins=logins,
    )


def clusters(targets: Iterable[KubernetesTargetConfig], tag: str, clock: Clock) -> dict[str, KubernetesTarget]:
    """The Kubernetes clusters by name; `tag` marks what is minted as this gateway's."""
    found = {}
    for one in targets:
        mint = None
        if one.mint is not None:
            made = one.mint
            settings = TokenMint(made.namespace, made.service_account, made.lasts, made.audiences, tag)
            mint = ServiceAccountTokens(one.login, settings, clock)
        found[one.target.name] = KubernetesTarget(one.target, one.login, one.impersonation, mint, one.connect_timeout)
    return found


def kubernetes_gate(
    config: Config, door: Doorman, custody: Custody, tls: ssl.SSLContext, targets: Mapping[str, KubernetesTarget]
) -> KubernetesGate:
    """The Kubernetes listener, not yet open; `tls` is its alone.

    Raises:
        OSError: a key cannot be read.
    """
    limits = config.limits
    return KubernetesGate(
        door,
        targets,
        tls,
        kubernetes.Limits(handshake=limits.handshake, connections=limits.connections, per_peer=limits.per_peer),
        mask_key=key_file(config.state_dir / "mask.key"),
        custody=custody,
    )
