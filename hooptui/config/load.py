"""The configuration: YAML to a frozen Config. Every error says file:line, what was found and what was expected.

Knows the settings of the rooms it configures, and opens nothing but the file itself and the certificates that it pins.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from hooptui.auth.issuer import Issuer
from hooptui.auth.leases import LeaseSettings
from hooptui.config import build
from hooptui.config import targets as shapes
from hooptui.config.build import NotifyConfig, PortalConfig, Wrong
from hooptui.config.shape import ConfigYaml
from hooptui.config.targets import KubernetesTargetConfig, SshTargetConfig, TargetConfig
from hooptui.core.model import Identity, Kind
from hooptui.errors import UserError
from hooptui.protocols.postgres.proxy import Limits
from hooptui.strictyaml import Node, YamlError, decode
from hooptui.strictyaml import load as load_yaml

__all__ = ["Config", "Listen", "TargetConfig", "Tls", "is_loopback", "load", "load_text"]

T = TypeVar("T")

# --- what the gateway is built from ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listen:
    postgres: tuple[str, int] | None = None
    """Host and port; port 0 lets the kernel choose. None when PostgreSQL is not served."""
    ssh: tuple[str, int] | None = None
    """None when SSH is not served."""
    kubernetes: tuple[str, int] | None = None
    """None when Kubernetes is not served."""


@dataclass(frozen=True, slots=True)
class Tls:
    names: tuple[str, ...]
    cert: Path | None
    key: Path | None


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
    """The PostgreSQL databases."""
    hosts: tuple[SshTargetConfig, ...]
    """The SSH hosts."""
    clusters: tuple[KubernetesTargetConfig, ...]
    """The Kubernetes clusters."""
    recording_cap: int
    """Bytes of result rows, or of a command's output, kept for one operation."""
    terminal_cap: int
    """Bytes kept of what one terminal showed."""
    tell_every: float
    """Seconds between two reminders to a client whose operation is held."""
    limits: Limits
    leases: LeaseSettings
    portal: PortalConfig | None
    """None when this gateway has no portal."""
    notify: tuple[NotifyConfig, ...]


def load(path: Path) -> Config:
    """Read the configuration; paths inside are relative to the file.

    Raises:
        UserError: everything that is wrong with it, a line each.
    """
    try:
        return _config(_shape(load_yaml(path)), str(path), path.resolve().parent)
    except YamlError as wrong:
        raise UserError(str(wrong)) from None


def load_text(text: str, name: str, base: Path) -> Config:
    """As `load`, from text; `name` stands for the file in errors."""
    try:
        return _config(_shape(load_yaml(text, name)), name, base)
    except YamlError as wrong:
        raise UserError(str(wrong)) from None


def _shape(node: Node) -> ConfigYaml:
    """The file in its shape; a file that is wrong elsewhere is told at once what is wrong with its targets too.

    Raises:
        YamlError: everything that is wrong.
    """
    try:
        return decode(node, ConfigYaml)
    except YamlError as wrong:
        problems = [str(wrong)]
    targets = node.value.get("targets") if isinstance(node.value, Mapping) else None
    if targets is not None and isinstance(targets.value, Mapping):
        for name, one in targets.value.items():
            try:
                shapes.shape(name, one)
            except (Wrong, YamlError) as wrong:
                problems.append(str(wrong))
    raise YamlError(*problems)


def _config(given: ConfigYaml, file: str, base: Path) -> Config:
    problems: list[str] = []

    def collect(make: Callable[[], T]) -> T | None:
        try:
            return make()
        except (Wrong, YamlError) as wrong:
            problems.append(str(wrong))
        return None

    issuers = tuple(one for yaml in given.issuers if (one := collect(partial(build.issuer, yaml, base))))
    urls = [one.url for one in issuers]
    problems.extend(
        f"{file}: issuers: found {url} twice, expected each once" for url in {u for u in urls if urls.count(u) > 1}
    )
    targets = tuple(
        found
        for name, node in given.targets.items()
        if (found := collect(partial(shapes.target, name, node, base, base / given.state_dir)))
    )
    if given.listen.postgres is None and any(isinstance(one, TargetConfig) for one in targets):
        problems.append(f"{file}: listen.postgres: found none, expected one for the targets of protocol postgres")
    hosts = tuple(one for one in targets if isinstance(one, SshTargetConfig))
    if bool(hosts) != (given.listen.ssh is not None):
        problems.append(f"{file}: listen.ssh: expected listen.ssh and targets of protocol ssh together, or neither")
    clusters = tuple(one for one in targets if isinstance(one, KubernetesTargetConfig))
    if bool(clusters) != (given.listen.kubernetes is not None):
        problems.append(
            f"{file}: listen.kubernetes: expected listen.kubernetes and targets of protocol kubernetes together, or neither"
        )
    channels = tuple(told for yaml in given.notify if (told := collect(partial(build.channel, yaml, base))))
    portal = collect(
        lambda: build.portal(given.portal, given.listen.portal, {one.url: one for one in issuers}, base, file)
    )
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
        listen=Listen(
            build.address(given.listen.postgres) if given.listen.postgres is not None else None,
            build.address(given.listen.ssh) if given.listen.ssh is not None else None,
            build.address(given.listen.kubernetes) if given.listen.kubernetes is not None else None,
        ),
        tls=Tls(given.tls.names, build.under(base, given.tls.cert), build.under(base, given.tls.key)),
        operator=operator,
        issuers=issuers,
        policy=tuple(base / path for path in given.policy),
        targets=tuple(one for one in targets if isinstance(one, TargetConfig)),
        hosts=hosts,
        clusters=clusters,
        recording_cap=given.recording.cap,
        terminal_cap=given.recording.terminal,
        tell_every=given.approvals.remind,
        limits=Limits(
            handshake=given.limits.handshake,
            connections=given.limits.connections,
            per_peer=given.limits.per_peer,
            message=given.limits.message,
        ),
        leases=LeaseSettings(lasts=given.leases.lasts),
        portal=portal,
        notify=channels,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
