"""The shape of the configuration file, as YAML has it. Field names are the keys. Says nothing about what comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from hooptui.auth.issuer import Profile
from hooptui.auth.saml.settings import PERSISTENT
from hooptui.auth.validity import ClientAuth, Mode
from hooptui.core.model import Kind
from hooptui.notify.notice import Topic
from hooptui.protocols.postgres.dial import SslMode
from hooptui.strictyaml import Between, Duration, Matches, Node, NotEmpty, OneOrMany, Size, Where

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
Name = Annotated[str, Matches(NAME, "a name of letters, digits, dots, dashes and underscores, at most 63")]
Words = Annotated[tuple[str, ...], OneOrMany(), NotEmpty()]
Address = Annotated[str, Matches(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}", "host:port, such as 0.0.0.0:5432")]
Reference = Mapping[str, Node]
"""Where a secret is: `{file: …}` and the others of `credentials.static`."""


@dataclass(frozen=True, slots=True)
class ListenYaml:
    postgres: Address | None = None
    ssh: Address | None = None
    kubernetes: Address | None = None
    portal: Address | None = None


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
class RevocationYaml:
    mode: Mode
    interval: Duration = Duration(30.0)
    keep_for: Duration = Duration(300.0)
    client_id: str = ""
    client_secret: Reference | None = None
    client_auth: ClientAuth = ClientAuth.BASIC
    endpoint: str = ""
    denylist: str = ""


@dataclass(frozen=True, slots=True)
class IssuerYaml:
    where: Where
    issuer: str
    audience: Words
    profile: Profile = Profile.GENERIC
    """What is left out below is as the profile has it."""
    algorithms: Annotated[tuple[str, ...], OneOrMany()] | None = None
    subject: str | None = None
    subjects: Annotated[tuple[str, ...], OneOrMany()] = ()
    require: Mapping[str, Annotated[tuple[str, ...], OneOrMany(), NotEmpty()]] | None = None
    groups: str | None = None
    groups_prefix: str | None = None
    name: str | None = None
    kind: Node | None = None
    actor: str | None = None
    owner: str | None = None
    owners: Mapping[str, str] | None = None
    authorized_parties: Annotated[tuple[str, ...], OneOrMany()] = ()
    ca_file: Path | None = None
    leeway: Duration | None = None
    max_lifetime: Duration | None = None
    jwks_fresh: Duration | None = None
    jwks_grace: Duration | None = None
    revocation: RevocationYaml | None = None


@dataclass(frozen=True, slots=True)
class MintYaml:
    """A role for each session, instead of one that all share."""

    role: Annotated[str, NotEmpty("the role whose rights each session's own role gets")]
    user: str = ""
    """Who makes the roles; the target's own `user` when empty."""
    password: Reference | None = None
    connections: Annotated[int, Between(1, 100)] = 1


@dataclass(frozen=True, slots=True)
class TargetYaml:
    where: Where
    protocol: Literal["postgres"]
    host: Annotated[str, NotEmpty("a host name, an address, or the directory of a unix socket")]
    database: Annotated[str, NotEmpty("the database's name on the target")]
    user: Annotated[str, NotEmpty("the role that the gateway logs in with")]
    port: Annotated[int, Between(1, 65535)] = 5432
    password: Reference | None = None
    sslmode: SslMode = SslMode.VERIFY_FULL
    ca_file: Path | None = None
    connect_timeout: Annotated[Duration, Between(0.1, 300, "100ms to 5m")] = Duration(10.0)
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    mint: MintYaml | None = None


@dataclass(frozen=True, slots=True)
class LoginsYaml:
    """A certificate for each session, instead of one key that all share; the host trusts the gateway's authority."""

    lasts: Annotated[Duration, Between(60, 3_600, "1m to 1h")] = Duration(300.0)
    """In which a session must have logged in with it; what is open then goes on."""


@dataclass(frozen=True, slots=True)
class SshTargetYaml:
    where: Where
    protocol: Literal["ssh"]
    host: Annotated[str, NotEmpty("a host name or an address")]
    user: Annotated[str, NotEmpty("the user that the gateway logs in as")]
    key: Reference | None = None
    """The gateway's private key for that user, in OpenSSH's format."""
    mint: LoginsYaml | None = None
    """Instead of a key."""
    port: Annotated[int, Between(1, 65535)] = 22
    known_hosts: Path | None = None
    host_key: Annotated[tuple[str, ...], OneOrMany()] = ()
    """Public host keys, a line each."""
    host_ca: Annotated[tuple[str, ...], OneOrMany()] = ()
    """Public keys of the authorities that sign host keys, a line each."""
    connect_timeout: Annotated[Duration, Between(0.1, 300, "100ms to 5m")] = Duration(10.0)
    reap: bool = True
    """Whether a kill runs a command there that ends all the session started; not for hosts that force a command on every login."""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if (self.key is None) == (self.mint is None):
            raise ValueError("key, or mint, one of them: how the gateway logs in there")
        if not (self.known_hosts or self.host_key or self.host_ca):
            raise ValueError("known_hosts, host_key or host_ca: an unknown host is never trusted")
        if self.known_hosts and (self.host_key or self.host_ca):
            raise ValueError("known_hosts, or host_key and host_ca, not both")


@dataclass(frozen=True, slots=True)
class ImpersonateYaml:
    """As whom the gateway acts on the cluster: for each identity its own user and groups."""

    user: str = "{issuer}#{subject}"
    groups: Annotated[tuple[str, ...], OneOrMany()] = ("*",)
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class TokensYaml:
    """A token for each session, instead of one that all share."""

    service_account: Annotated[
        str,
        Matches(r"[a-z0-9.-]{1,253}/[a-z0-9.-]{1,253}", "namespace/name of the service account whose rights it gets"),
    ]
    lasts: Annotated[Duration, Between(600, 86_400, "10m to 24h")] = Duration(600.0)
    audiences: Annotated[tuple[str, ...], OneOrMany()] = ()


@dataclass(frozen=True, slots=True)
class KubernetesTargetYaml:
    where: Where
    protocol: Literal["kubernetes"]
    kubeconfig: Path | None = None
    context: str = ""
    """Of the kubeconfig; its current one when empty."""
    server: str = ""
    """Instead of a kubeconfig: https://host:port, with ca_file and token."""
    ca_file: Path | None = None
    token: Reference | None = None
    impersonate: ImpersonateYaml | None = None
    mint: TokensYaml | None = None
    connect_timeout: Annotated[Duration, Between(0.1, 300, "100ms to 5m")] = Duration(10.0)
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if bool(self.server) == (self.kubeconfig is not None):
            raise ValueError("kubeconfig, or server with ca_file and token, one of them")
        if self.kubeconfig is not None and (self.ca_file is not None or self.token is not None):
            raise ValueError("ca_file and token belong to server; a kubeconfig says both itself")
        if self.server and self.context:
            raise ValueError("context belongs to kubeconfig")
        if self.impersonate is not None and self.mint is not None:
            raise ValueError("impersonate or mint, not both: a request is made as one identity")


TARGETS: Mapping[str, type[TargetYaml] | type[SshTargetYaml] | type[KubernetesTargetYaml]] = MappingProxyType(
    {"postgres": TargetYaml, "ssh": SshTargetYaml, "kubernetes": KubernetesTargetYaml}
)
"""The shape of a target by its protocol."""


@dataclass(frozen=True, slots=True)
class RecordingYaml:
    cap: Size = Size(256 * 1024)
    terminal: Size = Size(64 * 1024 * 1024)


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
class LeasesYaml:
    lasts: Annotated[Duration, Between(60, 43_200, "1m to 12h")] = Duration(3_600.0)


@dataclass(frozen=True, slots=True)
class WayYaml:
    """One way to log in at the portal: an issuer of the list above."""

    where: Where
    id: Name
    title: str
    issuer: str
    client_id: str
    client_secret: Reference | None = None
    scopes: Annotated[tuple[str, ...], OneOrMany(), NotEmpty()] = ("openid", "profile", "groups")


@dataclass(frozen=True, slots=True)
class SamlYaml:
    where: Where
    id: Name
    title: str
    metadata: Path | None = None
    """The provider's metadata in a file; instead of the next three."""
    entity_id: str = ""
    sso_url: str = ""
    certificates: Annotated[tuple[Path, ...], OneOrMany()] = ()
    sp_entity_id: str = ""
    """Our own name towards the provider; the URL of our metadata when empty."""
    subject: str = ""
    name_id_format: str = PERSISTENT
    name: str = ""
    groups: str = ""
    groups_prefix: str = ""
    kind: Kind = Kind.HUMAN
    leeway: Duration = Duration(30.0)
    max_age: Duration = Duration(300.0)
    authn_contexts: Annotated[tuple[str, ...], OneOrMany()] = ()
    force_authn: bool = False


@dataclass(frozen=True, slots=True)
class PortalYaml:
    url: str = ""
    """How browsers and `hooptui login` reach it: https://bastion.example:8443; https://localhost and the port when empty."""
    ways: tuple[WayYaml, ...] = ()
    saml: tuple[SamlYaml, ...] = ()
    metrics: Reference | None = None
    """Bearer that /metrics wants from others than this machine."""


@dataclass(frozen=True, slots=True)
class NotifyYaml:
    """One channel out of band."""

    where: Where
    name: Name
    webhook: str = ""
    secret: Reference | None = None
    ca_file: Path | None = None
    apprise: Reference | None = None
    """Where apprise's address is, for it holds a secret of its own."""
    events: Annotated[frozenset[Topic], NotEmpty()] = frozenset(Topic)

    def __post_init__(self) -> None:
        if bool(self.webhook) == (self.apprise is not None):
            raise ValueError("webhook (with secret) or apprise, one of them")
        if bool(self.webhook) != (self.secret is not None):
            raise ValueError("secret together with webhook: what it is signed with")


@dataclass(frozen=True, slots=True)
class ConfigYaml:
    name: Name
    state_dir: Path
    listen: ListenYaml
    issuers: Annotated[tuple[IssuerYaml, ...], NotEmpty("at least one issuer")]
    policy: Annotated[tuple[Path, ...], OneOrMany(), NotEmpty("at least one policy file or directory")]
    targets: Annotated[Mapping[str, Node], NotEmpty("at least one target")]
    """Each in the shape that its protocol has; see TARGETS."""
    tls: TlsYaml = TlsYaml()
    operator: OperatorYaml | None = None
    recording: RecordingYaml = RecordingYaml()
    approvals: ApprovalsYaml = ApprovalsYaml()
    limits: LimitsYaml = LimitsYaml()
    leases: LeasesYaml = LeasesYaml()
    portal: PortalYaml | None = None
    notify: tuple[NotifyYaml, ...] = ()
