"""From the file's shape to what the rooms are built from. Each part says for itself what is wrong with it; knows no gateway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hooptui.auth import profiles
from hooptui.auth.issuer import Issuer, KindRule
from hooptui.auth.saml.settings import SamlIdp, SamlWay
from hooptui.auth.validity import NO_REVOCATION, Revocation
from hooptui.config.shape import (
    IssuerYaml,
    NotifyYaml,
    PortalYaml,
    Reference,
    RevocationYaml,
    SamlYaml,
    WayYaml,
)
from hooptui.core.model import Kind
from hooptui.credentials.static import Static, reference, resolve
from hooptui.notify.notice import Topic
from hooptui.notify.settings import Apprise, Settings, Webhook
from hooptui.portal.settings import OidcWay, PortalSettings
from hooptui.strictyaml import Node, decode


class Wrong(Exception):
    """Something in the configuration: where, what was found, what was expected."""


@dataclass(frozen=True, slots=True)
class PortalConfig:
    """The portal, its secrets still where they are kept."""

    settings: PortalSettings
    """Without its secrets."""
    secrets: Mapping[str, Static]
    """Of our clients at the providers, by the id of the way."""
    metrics: Static | None

    def with_secrets(self) -> PortalSettings:
        """The portal's settings with the secrets as they are now.

        Raises:
            CredentialTrouble: one cannot be had.
            ValueError: one is not fit for its use.
        """
        ways = tuple(
            replace(way, client_secret=resolve(self.secrets[way.id].where)) if way.id in self.secrets else way
            for way in self.settings.ways
        )
        metrics = resolve(self.metrics.where) if self.metrics else None
        return replace(self.settings, ways=ways, metrics=metrics)


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    """One channel out of band, its secret still where it is kept."""

    where: str
    name: str
    webhook: str
    """URL; empty for apprise."""
    secret: Static
    """What a webhook is signed with, or apprise's address."""
    ca_file: Path | None
    events: frozenset[Topic]

    def channel(self) -> Webhook | Apprise:
        """The channel with its secret as it is now.

        Raises:
            CredentialTrouble: it cannot be had.
            ValueError: where it is configured, what was found and what is expected.
        """
        kept = resolve(self.secret.where)
        try:
            if self.webhook:
                return Webhook(self.name, self.webhook, kept, self.events, ca=self.ca_file)
            return Apprise(self.name, kept, self.events)
        except ValueError as wrong:
            raise ValueError(f"{self.where}: notify: {wrong}") from None


def address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[::1]:port`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def secret(given: Reference | None, base: Path, what: str) -> Static | None:
    """Where a secret is.

    Raises:
        Wrong: `what`, and what is the matter with it.
    """
    if given is None:
        return None
    try:
        return Static(reference({name: _plain(node) for name, node in given.items()}, base))
    except ValueError as wrong:
        raise Wrong(f"{what}: {wrong}") from None


def issuer(given: IssuerYaml, base: Path) -> Issuer:
    """Raises:
    Wrong, YamlError: the issuer, and what is the matter with it.
    """
    stated: dict[str, Any] = {
        name: value
        for name in ("subject", "groups", "groups_prefix", "name", "actor", "owner", "owners", "leeway", "max_lifetime", "jwks_fresh", "jwks_grace")
        if (value := getattr(given, name)) is not None
    }  # fmt: skip
    if given.algorithms is not None:
        stated["algorithms"] = frozenset(given.algorithms)
    if given.require is not None:
        stated["require"] = {claim: frozenset(values) for claim, values in given.require.items()}
    if given.kind is not None:
        stated["kind"] = _kind(given.kind)
    where = f"{given.where}: issuer"
    try:
        return profiles.issuer(
            given.profile,
            given.issuer,
            frozenset(given.audience),
            subjects=given.subjects,
            authorized_parties=frozenset(given.authorized_parties),
            ca_file=under(base, given.ca_file),
            revocation=_revocation(given.revocation, base, where),
            **stated,
        )
    except ValueError as wrong:
        raise Wrong(f"{where}: {wrong}") from None


def portal(
    given: PortalYaml | None, listen: str | None, issuers: Mapping[str, Issuer], base: Path, file: str
) -> PortalConfig | None:
    """Raises:
    Wrong: the portal, and what is the matter with it.
    """
    if given is None or listen is None:
        if (given is None) != (listen is None):
            raise Wrong(f"{file}: portal: expected portal and listen.portal together, or neither")
        return None
    host, port = address(listen)
    secrets = {
        way.id: kept
        for way in given.ways
        if (kept := secret(way.client_secret, base, f"{way.where}: portal.ways.client_secret")) is not None
    }
    try:
        settings = PortalSettings(
            host=host,
            port=port,
            public_url=given.url,
            ways=tuple(_way(way, issuers) for way in given.ways),
            saml=tuple(_saml(way, given.url, base) for way in given.saml),
        )
    except ValueError as wrong:
        raise Wrong(f"{file}: portal: {wrong}") from None
    return PortalConfig(settings, secrets, secret(given.metrics, base, f"{file}: portal.metrics"))


def channel(given: NotifyYaml, base: Path) -> NotifyConfig:
    """Raises:
    Wrong: the channel, and what is the matter with it.
    """
    kept = secret(given.secret or given.apprise, base, f"{given.where}: notify")
    if kept is None:
        raise Wrong(f"{given.where}: notify: expected a secret")
    return NotifyConfig(str(given.where), given.name, given.webhook, kept, under(base, given.ca_file), given.events)


def notify(channels: Iterable[NotifyConfig]) -> Settings | None:
    """All channels with their secrets as they are now; None when there are none.

    Raises:
        CredentialTrouble, ValueError: see `NotifyConfig.channel`.
    """
    made = [one.channel() for one in channels]
    if not made:
        return None
    return Settings(
        tuple(one for one in made if isinstance(one, Webhook)), tuple(one for one in made if isinstance(one, Apprise))
    )


def under(base: Path, path: Path | None) -> Path | None:
    return None if path is None else base / path


def _plain(node: Node) -> object:
    """A value without its places."""
    match node.value:
        case tuple() as many:
            return [_plain(one) for one in many]
        case Mapping() as members:
            return {name: _plain(one) for name, one in members.items()}
        case scalar:
            return scalar


def _kind(node: Node) -> Kind | KindRule:
    if isinstance(node.value, str):
        return decode(node, Kind, "kind")
    return decode(node, KindRule, "kind")


def _revocation(given: RevocationYaml | None, base: Path, where: str) -> Revocation:
    """Raises:
    Wrong, ValueError: what is the matter with it.
    """
    if given is None:
        return NO_REVOCATION
    kept = secret(given.client_secret, base, f"{where}.revocation.client_secret")
    denylist = given.denylist
    if denylist and "://" not in denylist:
        denylist = str(base / denylist)
    return Revocation(
        mode=given.mode,
        interval=given.interval,
        keep_for=given.keep_for,
        client_id=given.client_id,
        client_secret=kept.secret if kept else None,
        client_auth=given.client_auth,
        endpoint=given.endpoint,
        denylist=denylist,
    )


def _way(given: WayYaml, issuers: Mapping[str, Issuer]) -> OidcWay:
    where = f"{given.where}: portal.ways"
    known = issuers.get(given.issuer)
    if known is None:
        raise Wrong(
            f"{where}: found issuer {given.issuer!r}, expected one of the list `issuers`: {', '.join(issuers) or 'none'}"
        )
    try:
        return OidcWay(given.id, given.title, known, given.client_id, None, given.scopes)
    except ValueError as wrong:
        raise Wrong(f"{where}: {wrong}") from None


def _idp(given: SamlYaml, base: Path) -> SamlIdp:
    """Raises:
    ValueError: what was found and what is expected.
    """
    if given.metadata is None:
        return SamlIdp.pinned(given.entity_id, given.sso_url, [base / file for file in given.certificates])
    if given.sso_url or given.certificates:
        raise ValueError("metadata: found sso_url or certificates beside it, expected one or the other")
    try:
        from hooptui.auth.saml.metadata import idp_from_file
    except ImportError:
        raise ValueError("metadata: needs the extra hooptui[saml], which is not installed") from None
    return idp_from_file(base / given.metadata, given.entity_id)


def _saml(given: SamlYaml, url: str, base: Path) -> SamlWay:
    try:
        return SamlWay(
            id=given.id,
            title=given.title,
            idp=_idp(given, base),
            sp_entity_id=given.sp_entity_id
            or (f"{url}/saml/{given.id}/metadata" if url else f"urn:hooptui:{given.id}"),
            subject=given.subject,
            name_id_format=given.name_id_format,
            name=given.name,
            groups=given.groups,
            groups_prefix=given.groups_prefix,
            kind=given.kind,
            leeway=given.leeway,
            max_age=given.max_age,
            authn_contexts=given.authn_contexts,
            force_authn=given.force_authn,
        )
    except ValueError as wrong:
        raise Wrong(f"{given.where}: portal.saml: {wrong}") from None
