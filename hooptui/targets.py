"""The targets of the configuration as the protocols take them: with the credentials as they are now, and what mints others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from hooptui.config_build import MintConfig, TargetConfig
from hooptui.core.clock import Clock
from hooptui.credentials.postgres_roles import AdminLogin, PostgresRoles, RoleMint
from hooptui.credentials.static import resolve
from hooptui.protocols.postgres.dial import Upstream
from hooptui.protocols.postgres.proxy import PostgresTarget
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
