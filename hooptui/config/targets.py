"""The targets of the file, from its shape to what the protocols are built from. Each says for itself what is wrong with it.

Credentials are fetched when the gateway starts, never kept here; knows no gateway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hooptui.config.build import Wrong, secret, under
from hooptui.config.shape import NAME, TARGETS, KubernetesTargetYaml, MintYaml, SshTargetYaml, TargetYaml
from hooptui.core.model import Target
from hooptui.credentials.kubernetes_login import KubeconfigLogin, TokenLogin
from hooptui.credentials.static import Static
from hooptui.protocols.kubernetes.impersonation import Impersonation
from hooptui.protocols.postgres.dial import SslMode, Upstream
from hooptui.protocols.ssh.names import LOGIN
from hooptui.protocols.ssh.upstream import HostKeys
from hooptui.protocols.ssh.upstream import Upstream as SshUpstream
from hooptui.strictyaml import Node, decode


@dataclass(frozen=True, slots=True)
class MintConfig:
    """How a target's own credential for each session is made."""

    role: str
    user: str
    """Who makes the roles; empty for the target's own user."""
    password: Static | None
    connections: int


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """A target and the way to it; the credential is fetched when the gateway starts or reloads, never kept here."""

    target: Target
    upstream: Upstream
    """Without its password."""
    password: Static | None
    mint: MintConfig | None


@dataclass(frozen=True, slots=True)
class SshTargetConfig:
    """An SSH host and the way to it; the key is fetched when the gateway starts, never kept here."""

    target: Target
    upstream: SshUpstream
    """Without its key."""
    key: Static | None
    lasts: float
    """Seconds that a certificate made for one session is good for, where there is no key."""


@dataclass(frozen=True, slots=True)
class TokensConfig:
    """How a cluster's own token for each session is made."""

    namespace: str
    service_account: str
    lasts: float
    """Seconds that one token lives; a session that goes on gets another."""
    audiences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KubernetesTargetConfig:
    """A cluster and the way to it; credentials are fetched when they are needed, never kept here."""

    target: Target
    login: KubeconfigLogin | TokenLogin
    impersonation: Impersonation | None
    mint: TokensConfig | None
    connect_timeout: float


AnyTargetConfig: TypeAlias = TargetConfig | SshTargetConfig | KubernetesTargetConfig


def shape(name: str, node: Node) -> TargetYaml | SshTargetYaml | KubernetesTargetYaml:
    """A target in the shape that its protocol has.

    Raises:
        Wrong, YamlError: what is the matter with it.
    """
    if not re.fullmatch(NAME, name):
        raise Wrong(
            f"{node.where}: targets: found the name {name!r}, expected letters, digits, dots, dashes and underscores"
        )
    protocol = node.value.get("protocol") if isinstance(node.value, Mapping) else None
    # Without a protocol the decoder says that it is missing.
    kind = TARGETS.get(str(protocol.value)) if protocol is not None else TargetYaml
    if kind is None:
        found = protocol.found if protocol is not None else "nothing"
        raise Wrong(f"{node.where}: targets.{name}.protocol: found {found}, expected one of {', '.join(TARGETS)}")
    return decode(node, kind, f"targets.{name}")


def target(name: str, node: Node, base: Path, state_dir: Path) -> AnyTargetConfig:
    """Raises:
    Wrong, YamlError: the target, and what is the matter with it.
    """
    given = shape(name, node)
    match given:
        case TargetYaml():
            return _postgres(name, given, base)
        case SshTargetYaml():
            return _ssh(name, given, base)
        case KubernetesTargetYaml():
            return _kubernetes(name, given, base, state_dir)


def _ssh(name: str, given: SshTargetYaml, base: Path) -> SshTargetConfig:
    """Raises:
    Wrong: the target, and what is the matter with it.
    """
    where = f"{given.where}: targets.{name}"
    if name == LOGIN:
        raise Wrong(
            f"{where}: found the name {LOGIN!r}, expected another: ssh {LOGIN}@bastion is how certificates are had"
        )
    known = ""
    if given.known_hosts is not None:
        try:
            known = (base / given.known_hosts).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise Wrong(
                f"{where}.known_hosts: cannot be read: {getattr(fault, 'strerror', None) or 'not UTF-8'}"
            ) from None
    host_keys = HostKeys(known, given.host_key, given.host_ca)
    try:
        host_keys.trusted()
    except ValueError as wrong:
        raise Wrong(f"{where}: {wrong}") from None
    upstream = SshUpstream(
        given.host, given.port, given.user, host_keys, connect_timeout=given.connect_timeout, reap=given.reap
    )
    key = secret(given.key, base, f"{where}.key")
    lasts = given.mint.lasts if given.mint is not None else 0.0
    return SshTargetConfig(Target(name, "ssh", dict(given.labels)), upstream, key, lasts)


def _postgres(name: str, given: TargetYaml, base: Path) -> TargetConfig:
    """Raises:
    Wrong: the target, and what is the matter with it.
    """
    where = f"{given.where}: targets.{name}"
    ca_file = under(base, given.ca_file)
    if given.sslmode in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL) and ca_file is not None and not ca_file.is_file():
        raise Wrong(f"{where}.ca_file: found no file {ca_file}, expected the PEM of a CA")
    upstream = Upstream(
        host=given.host,
        port=given.port,
        database=given.database,
        user=given.user,
        password=None,
        sslmode=given.sslmode,
        ca_file=ca_file,
        connect_timeout=given.connect_timeout,
    )
    password = secret(given.password, base, f"{where}.password")
    return TargetConfig(
        Target(name, "postgres", dict(given.labels)), upstream, password, _mint(given.mint, base, f"{where}.mint")
    )


def _mint(given: MintYaml | None, base: Path, where: str) -> MintConfig | None:
    """Raises:
    Wrong: what is the matter with it.
    """
    if given is None:
        return None
    if bool(given.user) != (given.password is not None):
        raise Wrong(
            f"{where}: expected user and password together, or neither: then the target's own user makes the roles"
        )
    return MintConfig(given.role, given.user, secret(given.password, base, f"{where}.password"), given.connections)


def _kubernetes(name: str, given: KubernetesTargetYaml, base: Path, state_dir: Path) -> KubernetesTargetConfig:
    """Raises:
    Wrong: the target, and what is the matter with it.
    """
    where = f"{given.where}: targets.{name}"
    login: KubeconfigLogin | TokenLogin
    if given.kubeconfig is not None:
        login = KubeconfigLogin(base / given.kubeconfig, given.context, state_dir / "kubeconfig")
    else:
        try:
            login = TokenLogin(given.server, under(base, given.ca_file), secret(given.token, base, f"{where}.token"))
        except ValueError as wrong:
            raise Wrong(f"{where}: {wrong}") from None
    impersonation = None
    if given.impersonate is not None:
        try:
            impersonation = Impersonation(given.impersonate.user, given.impersonate.groups, given.impersonate.prefix)
        except ValueError as wrong:
            raise Wrong(f"{where}.impersonate.{wrong}") from None
    mint = None
    if given.mint is not None:
        namespace, _, account = given.mint.service_account.partition("/")
        mint = TokensConfig(namespace, account, given.mint.lasts, given.mint.audiences)
    target = Target(name, "kubernetes", dict(given.labels))
    return KubernetesTargetConfig(target, login, impersonation, mint, given.connect_timeout)
