"""The configuration: YAML to a frozen Config. Every error says file:line, what was found and what was expected.

Knows the settings of the rooms it configures, and opens nothing but the file itself.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from hooptui.auth.issuer import DEFAULT_ALGORITHMS, Issuer, KindRule
from hooptui.core.model import Identity, Kind, Target
from hooptui.credentials.static import Static, reference
from hooptui.errors import UserError
from hooptui.protocols.postgres.dial import SslMode, Upstream
from hooptui.protocols.postgres.proxy import Limits
from hooptui.strictyaml import (
    Between,
    Duration,
    Matches,
    Node,
    NotEmpty,
    OneOrMany,
    Size,
    Where,
    YamlError,
    decode,
)
from hooptui.strictyaml import (
    load as load_yaml,
)

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
Name = Annotated[str, Matches(NAME, "a name of letters, digits, dots, dashes and underscores, at most 63")]
Words = Annotated[tuple[str, ...], OneOrMany(), NotEmpty()]


# --- the shape of the file -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListenYaml:
    postgres: Annotated[
        str, Matches(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}", "host:port, such as 0.0.0.0:5432")
    ]


@dataclass(frozen=True, slots=True)
class TlsYaml:
    names: Annotated[tuple[str, ...], OneOrMany(), NotEmpty()] = ("localhost", "127.0.0.1", "::1")
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key together, or neither")


@dataclass(frozen=True, slots=True)
class OperatorYaml:
    name: Annotated[str, NotEmpty("a name")]
    groups: Words


@dataclass(frozen=True, slots=True)
class IssuerYaml:
    where: Where
    issuer: str
    audience: Words
    algorithms: Annotated[tuple[str, ...], OneOrMany()] = tuple(sorted(DEFAULT_ALGORITHMS))
    groups: str = "groups"
    groups_prefix: str = ""
    name: str = "preferred_username"
    kind: Node | None = None
    owner: str = ""
    authorized_parties: Annotated[tuple[str, ...], OneOrMany()] = ()
    ca_file: Path | None = None
    leeway: Duration = Duration(30.0)
    max_lifetime: Duration = Duration(86_400.0)
    jwks_fresh: Duration = Duration(600.0)
    jwks_grace: Duration = Duration(3_600.0)


@dataclass(frozen=True, slots=True)
class TargetYaml:
    where: Where
    protocol: Literal["postgres"]
    host: Annotated[str, NotEmpty("a host name, an address, or the directory of a unix socket")]
    database: Annotated[str, NotEmpty("the database's name on the target")]
    user: Annotated[str, NotEmpty("the role that the gateway logs in with")]
    port: Annotated[int, Between(1, 65535)] = 5432
    password: Mapping[str, str] | None = None
    sslmode: SslMode = SslMode.VERIFY_FULL
    ca_file: Path | None = None
    connect_timeout: Annotated[Duration, Between(0.1, 300, "100ms to 5m")] = Duration(10.0)
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class RecordingYaml:
    cap: Size = Size(256 * 1024)


@dataclass(frozen=True, slots=True)
class ApprovalsYaml:
    remind: Annotated[Duration, Between(0.5, 300, "500ms to 5m")] = Duration(5.0)


@dataclass(frozen=True, slots=True)
class LimitsYaml:
    handshake: Annotated[Duration, Between(0.5, 300, "500ms to 5m")] = Duration(10.0)
    connections: Annotated[int, Between(1, 100_000)] = 1000
    per_peer: Annotated[int, Between(1, 100_000)] = 200
    message: Annotated[Size, Between(64 * 1024, 1024**3, "64KiB to 1GiB")] = Size(64 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class ConfigYaml:
    name: Name
    state_dir: Path
    listen: ListenYaml
    issuers: Annotated[tuple[IssuerYaml, ...], NotEmpty("at least one issuer")]
    policy: Annotated[tuple[Path, ...], OneOrMany(), NotEmpty("at least one policy file or directory")]
    targets: Annotated[Mapping[str, TargetYaml], NotEmpty("at least one target")]
    tls: TlsYaml = TlsYaml()
    operator: OperatorYaml | None = None
    recording: RecordingYaml = RecordingYaml()
    approvals: ApprovalsYaml = ApprovalsYaml()
    limits: LimitsYaml = LimitsYaml()


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
