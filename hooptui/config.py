"""The configuration: YAML to a frozen Config. Every error says file:line, what was found and what was expected.

Knows the settings of the rooms it configures, and opens nothing but the file itself.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from hooptui.auth.issuer import Issuer, KindRule
from hooptui.auth.leases import LeaseSettings
from hooptui.config_shape import NAME, ConfigYaml, IssuerYaml, TargetYaml
from hooptui.core.model import Identity, Kind, Target
from hooptui.credentials.static import Static, reference
from hooptui.errors import UserError
from hooptui.protocols.postgres.dial import SslMode, Upstream
from hooptui.protocols.postgres.proxy import Limits
from hooptui.strictyaml import (
    Node,
    YamlError,
    decode,
)
from hooptui.strictyaml import (
    load as load_yaml,
)

# --- what the gateway is built from ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listen:
    postgres: tuple[str, int]
    """Host and port; port 0 lets the kernel choose."""


@dataclass(frozen=True, slots=True)
class Tls:
    names: tuple[str, ...]
    cert: Path | None
    key: Path | None


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """A target and the way to it; the credential is fetched when the gateway starts or reloads, never kept here."""

    target: Target
    upstream: Upstream
    """Without its password."""
    password: Static | None


@dataclass(frozen=True, slots=True)
class Config:
    file: str
    name: str
    state_dir: Path
    listen: Listen
    tls: Tls
    operator: Identity | None
    """Who decides at this gateway's own screen; None when nobody may."""
    issuers: tuple[Issuer, ...]
    policy: tuple[Path, ...]
    targets: tuple[TargetConfig, ...]
    recording_cap: int
    """Bytes of result rows kept for one operation."""
    tell_every: float
    """Seconds between two reminders to a client whose operation is held."""
    limits: Limits
    leases: LeaseSettings
    portal: None


def load(path: Path) -> Config:
    """Read the configuration; paths inside are relative to the file.

    Raises:
        UserError: everything that is wrong with it, a line each.
    """
    try:
        return _config(decode(load_yaml(path), ConfigYaml), str(path), path.resolve().parent)
    except YamlError as wrong:
        raise UserError(str(wrong)) from None


def load_text(text: str, name: str, base: Path) -> Config:
    """As `load`, from text; `name` stands for the file in errors."""
    try:
        return _config(decode(load_yaml(text, name), ConfigYaml), name, base)
    except YamlError as wrong:
        raise UserError(str(wrong)) from None


def _config(given: ConfigYaml, file: str, base: Path) -> Config:
    problems: list[str] = []
    host, _, port = given.listen.postgres.rpartition(":")
    issuers = tuple(one for one in (_issuer(yaml, base, problems) for yaml in given.issuers) if one)
    urls = [one.url for one in issuers]
    problems.extend(
        f"{file}: issuers: found {url} twice, expected each once" for url in {u for u in urls if urls.count(u) > 1}
    )
    targets = tuple(one for one in (_target(name, yaml, base, problems) for name, yaml in given.targets.items()) if one)
    if problems:
        raise YamlError(*problems)
    operator = None
    if given.operator is not None:
        who = given.operator.name
        operator = Identity("local", who, who, frozenset(given.operator.groups), kind=Kind.HUMAN)
    return Config(
        file=file,
        name=given.name,
        state_dir=base / given.state_dir,
        listen=Listen((host.strip("[]"), int(port))),
        tls=Tls(given.tls.names, _under(base, given.tls.cert), _under(base, given.tls.key)),
        operator=operator,
        issuers=issuers,
        policy=tuple(base / path for path in given.policy),
        targets=targets,
        recording_cap=given.recording.cap,
        tell_every=given.approvals.remind,
        limits=Limits(
            handshake=given.limits.handshake,
            connections=given.limits.connections,
            per_peer=given.limits.per_peer,
            message=given.limits.message,
        ),
        leases=LeaseSettings(lasts=given.leases.lasts),
        portal=None,
    )


def _under(base: Path, path: Path | None) -> Path | None:
    return None if path is None else base / path


def _issuer(given: IssuerYaml, base: Path, problems: list[str]) -> Issuer | None:
    try:
        return Issuer(
            url=given.issuer,
            audiences=frozenset(given.audience),
            algorithms=frozenset(given.algorithms),
            groups=given.groups,
            groups_prefix=given.groups_prefix,
            name=given.name,
            kind=_kind(given.kind),
            owner=given.owner,
            authorized_parties=frozenset(given.authorized_parties),
            ca_file=_under(base, given.ca_file),
            leeway=given.leeway,
            max_lifetime=given.max_lifetime,
            jwks_fresh=given.jwks_fresh,
            jwks_grace=given.jwks_grace,
        )
    except YamlError as wrong:
        problems.append(str(wrong))
    except ValueError as wrong:
        problems.append(f"{given.where}: issuer: {wrong}")
    return None


def _kind(node: Node | None) -> Kind | KindRule:
    if node is None:
        return Kind.HUMAN
    if isinstance(node.value, str):
        return decode(node, Kind, "kind")
    return decode(node, KindRule, "kind")


def _target(name: str, given: TargetYaml, base: Path, problems: list[str]) -> TargetConfig | None:
    if not re.fullmatch(NAME, name):
        problems.append(
            f"{given.where}: targets: found the name {name!r}, expected letters, digits, dots, dashes and underscores"
        )
        return None
    ca_file = _under(base, given.ca_file)
    if given.sslmode in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL) and ca_file is not None and not ca_file.is_file():
        problems.append(f"{given.where}: targets.{name}.ca_file: found no file {ca_file}, expected the PEM of a CA")
        return None
    try:
        password = None if given.password is None else Static(reference(given.password, base))
    except ValueError as wrong:
        problems.append(f"{given.where}: targets.{name}.password: {wrong}")
        return None
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
    return TargetConfig(Target(name, "postgres", dict(given.labels)), upstream, password)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
