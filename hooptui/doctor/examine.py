"""`hooptui doctor`: try every part of a configuration for real, and say what is wrong and how to mend it.

Changes nothing that a start would not change: it makes no key and writes no record.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from hooptui import form
from hooptui.auth.oidc import Verifier
from hooptui.config.build import notify
from hooptui.config.load import Config, TargetConfig, is_loopback, load
from hooptui.config.targets import SshTargetConfig
from hooptui.control.client import RemoteDesk
from hooptui.core.clock import SystemClock
from hooptui.core.desk import DeskClosed
from hooptui.credentials.certificates import CertificateTrouble, server_context
from hooptui.credentials.mint import MintTrouble
from hooptui.credentials.ssh_certificates import KEY_NAME, SshCa
from hooptui.credentials.ssh_host import KEY_NAME as HOST_CA
from hooptui.credentials.ssh_host import trust
from hooptui.credentials.static import CredentialTrouble, resolve
from hooptui.doctor.clusters import cluster
from hooptui.doctor.finding import Finding
from hooptui.errors import UserError
from hooptui.notify.notifier import channels_of
from hooptui.policy.loader import PolicyError
from hooptui.policy.loader import load as load_policy
from hooptui.policy.rules import Policy, RuleEffect
from hooptui.policy.suite import run_tests
from hooptui.protocols.kubernetes.stated import read_request
from hooptui.protocols.postgres.dial import SslMode, UpstreamFailed
from hooptui.protocols.postgres.facts import read_sql
from hooptui.protocols.postgres.upstream import connect
from hooptui.protocols.ssh.commands import read_command
from hooptui.protocols.ssh.limits import Limits as SshLimits
from hooptui.protocols.ssh.upstream import UpstreamFailed as SshUpstreamFailed
from hooptui.protocols.ssh.upstream import connect as ssh_connect
from hooptui.targets import host_names, hosts, served

SOON = timedelta(days=30)
"""A pinned certificate that ends sooner is worth a word."""

LITTLE_ROOM = 1024**3
"""Bytes of free disk below which doctor warns: journals and recordings live there."""


async def examine(path: Path) -> tuple[Finding, ...]:
    """Everything there is to say about the configuration in `path`; the first finding is about the file itself."""
    try:
        config = load(path)
    except UserError as wrong:
        return (Finding(False, "config", str(wrong), "correct the file; `hooptui init` writes a commented one"),)
    found = [
        Finding(
            True,
            "config",
            f"{path}: {len(config.issuers)} issuers, {len(config.targets) + len(config.hosts) + len(config.clusters)} targets",
        )
    ]
    found.append(_core())
    running = await _running(config)
    found.append(_state(config, running))
    found.append(_disk(config))
    found.extend(_policy(config))
    found.append(_tls(config))
    if config.listen.postgres is not None:
        found.append(_listen("listen", config.listen.postgres, running))
    if config.listen.ssh is not None:
        found.append(_listen("listen ssh", config.listen.ssh, running))
        found.append(_host_ca(config, config.listen.ssh[1]))
    if config.listen.kubernetes is not None:
        found.append(_listen("listen kubernetes", config.listen.kubernetes, running))
    found.extend(_portal(config, running))
    found.extend(_notify(config))
    found.extend([finding async for finding in _issuers(config)])
    found.extend(await asyncio.gather(*(_target(target) for target in config.targets)))
    found.extend(await asyncio.gather(*(_host(host, config.state_dir) for host in config.hosts)))
    found.extend(await asyncio.gather(*(cluster(one) for one in config.clusters)))
    return tuple(found)


async def _running(config: Config) -> bool:
    desk = RemoteDesk(config.state_dir, readonly=True)
    try:
        await desk.snapshot()
    except DeskClosed:
        return False
    finally:
        await desk.close()
    return True


def _core() -> Finding:
    if form.compiled():
        return Finding(True, "core", form.words())
    return Finding(
        True, "core", f"{form.words()}; built with a C compiler and Python's headers at hand it is twice as fast"
    )


def _state(config: Config, running: bool) -> Finding:
    directory = config.state_dir
    if not directory.exists():
        parent = next(one for one in directory.parents if one.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding(True, "state", f"{directory} will be made at the first start")
        return Finding(
            False, "state", f"{directory} does not exist and {parent} is not writable", f"mkdir -m 0700 {directory}"
        )
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & 0o077:
        return Finding(
            False, "state", f"{directory} has mode {mode:04o}: others could read keys", f"chmod 0700 {directory}"
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        return Finding(False, "state", f"{directory} is not writable by this user", f"chown {os.getuid()} {directory}")
    return Finding(True, "state", f"{directory}{', a gateway is running on it' if running else ''}")


def _disk(config: Config) -> Finding:
    place = next(one for one in (config.state_dir, *config.state_dir.parents) if one.exists())
    free = shutil.disk_usage(place).free
    words = f"{free / 1024**3:.1f} GiB free at {place}"
    if free < LITTLE_ROOM:
        return Finding(False, "disk", words, "make room: when the journal cannot be written, nothing is admitted")
    return Finding(True, "disk", words)


def _policy(config: Config) -> list[Finding]:
    try:
        policy = load_policy(config.policy)
    except PolicyError as wrong:
        return [Finding(False, "policy", str(wrong), "correct the file; `hooptui policy check` repeats this check")]
    found = [Finding(True, "policy", f"{len(policy.rules)} rules, {len(policy.masks)} masks, version {policy.short}")]
    report = run_tests(policy, read_sql, read_command, read_request)
    if report.ok:
        found.append(Finding(True, "policy tests", f"{len(report.results)} pass"))
    else:
        words = f"{len(report.failed)} fail: {report.failed[0]}" if report.failed else "there is none"
        found.append(Finding(False, "policy tests", words, "`hooptui policy test` shows all"))
    found.extend(_nobody(config, policy))
    return found


def _nobody(config: Config, policy: Policy) -> list[Finding]:
    """Rules that hold for groups of which nobody at this gateway is a member; whose members log in, nobody can say."""
    if config.portal is not None:
        return []
    mine = config.operator.groups if config.operator else frozenset()
    found = []
    for rule in policy.rules:
        if rule.effect is RuleEffect.APPROVE and rule.approval is not None and not mine & frozenset(rule.approval.by):
            by = ", ".join(sorted(rule.approval.by))
            found.append(
                Finding(
                    False,
                    "approvers",
                    f"rule {rule.id} wants {by}, and the operator of this gateway is in none of them",
                    "name one of these groups under operator.groups, or everything the rule holds will expire",
                )
            )
    return found


def _tls(config: Config) -> Finding:
    tls = config.tls
    if tls.cert is None or tls.key is None:
        return Finding(True, "tls", f"own CA at {config.state_dir / 'tls'}, names {', '.join(tls.names)}")
    try:
        server_context(tls.cert, tls.key, now=SystemClock().now())
    except (CertificateTrouble, OSError) as wrong:
        return Finding(
            False, "tls", str(wrong), "bring a certificate and its key as PEM, the key readable by this user only"
        )
    return Finding(True, "tls", f"certificate {tls.cert}")


def _listen(name: str, address: tuple[str, int], running: bool) -> Finding:
    host, port = address
    if running:
        return Finding(True, name, f"the running gateway has {host}:{port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with closing(socket.socket(family)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as fault:
        return Finding(
            False,
            name,
            f"{host}:{port}: {fault.strerror or fault}",
            "choose another port, or stop what listens there",
        )
    reach = "only this machine can connect" if is_loopback(host) else "other machines can connect"
    return Finding(True, name, f"{host}:{port} is free; {reach}")


def _host_ca(config: Config, port: int) -> Finding:
    """What ssh clients put into known_hosts, so that they trust nothing at first use."""
    what, public = "ssh host key", config.state_dir / f"{HOST_CA}.pub"
    try:
        key = " ".join(public.read_text().split()[:2])
    except FileNotFoundError:
        return Finding(
            True, what, "its authority is made at the first start; then this says what clients put into known_hosts"
        )
    except (OSError, UnicodeDecodeError) as fault:
        return Finding(False, what, f"{public}: {getattr(fault, 'strerror', None) or 'not UTF-8'}", "make it readable")
    return Finding(True, what, f"for clients' known_hosts: {trust(key, host_names(config), port)}")


def _portal(config: Config, running: bool) -> Iterator[Finding]:
    if config.portal is None:
        yield Finding(True, "portal", "there is none: clients bring their own tokens, and nobody logs in at the screen")
        return
    settings = config.portal.settings
    yield _listen("portal", (settings.host, settings.port), running)
    try:
        config.portal.with_secrets()
    except (CredentialTrouble, ValueError) as wrong:
        yield Finding(False, "portal", str(wrong), "the secret's place must exist and be readable by this user only")
    if settings.saml and importlib.util.find_spec("signxml") is None:
        yield Finding(
            False, "saml", "a SAML way is configured and signxml is not installed", "pip install 'hooptui[saml]'"
        )
    now = datetime.now(UTC)
    for way in settings.saml:
        last = max(one.not_valid_after_utc for one in way.idp.certificates)
        if last - now < SOON:
            words = f"{way.id}: the last pinned certificate ends on {last:%Y-%m-%d}"
            yield Finding(
                False, "saml", words, "pin the provider's next certificate beside it, before its logins are refused"
            )


def _notify(config: Config) -> Iterator[Finding]:
    try:
        settings = notify(config.notify)
        channels = channels_of(settings, SystemClock().now) if settings else ()
    except (CredentialTrouble, ValueError, OSError) as wrong:
        yield Finding(False, "notify", str(wrong), "see notify in the configuration")
    else:
        if channels:
            yield Finding(True, "notify", f"{len(channels)} channels: {', '.join(one.name for one in config.notify)}")


async def _issuers(config: Config) -> AsyncIterator[Finding]:
    async with Verifier(config.issuers, SystemClock()) as verifier:
        for url, trouble in (await verifier.prepare()).items():
            if trouble is None:
                yield Finding(True, "issuer", f"{url}: discovery and keys are good")
            else:
                yield Finding(
                    False, "issuer", f"{url}: {trouble.log}", trouble.hint or "see issuers in the configuration"
                )


async def _target(target: TargetConfig) -> Finding:
    name = f"target {target.target.name}"
    upstream = target.upstream
    where = f"{upstream.host}:{upstream.port}/{upstream.database} as {upstream.user}"
    try:
        password = resolve(target.password.where) if target.password else None
    except CredentialTrouble as wrong:
        return Finding(False, name, str(wrong), "the password's place must exist and be readable by this user only")
    try:
        connected = await connect(replace(upstream, password=password), {"application_name": "hooptui doctor"})
    except UpstreamFailed as failed:
        return Finding(
            False,
            name,
            f"{where}: {failed.code}: {failed.message}",
            _MEND.get(failed.code, "see targets in the configuration"),
        )
    connected.transport.abort()
    version = dict(connected.parameters).get(b"server_version", b"?").decode("ascii", "replace")
    if (
        upstream.sslmode in (SslMode.DISABLE, SslMode.PREFER)
        and not is_loopback(upstream.host)
        and "/" not in upstream.host
    ):
        mend = "sslmode: verify-full with ca_file"
        return Finding(False, name, f"{where}: PostgreSQL {version}, but the server's identity is not checked", mend)
    if target.mint is not None:
        return await _mint(name, target, f"{where}: PostgreSQL {version}")
    return Finding(True, name, f"{where}: PostgreSQL {version}")


async def _host(host: SshTargetConfig, state: Path) -> Finding:
    """Whether the gateway can log in there, and the host is the one that is pinned."""
    name, where = f"target {host.target.name}", f"{host.upstream.user}@{host.upstream.host}:{host.upstream.port}"
    authority, clock, how = state / KEY_NAME, SystemClock(), ""
    trust = f"TrustedUserCAKeys on the host must name what {authority}.pub says"
    if host.key is None and not authority.exists():
        return Finding(
            True, name, f"{where}: logins are minted by an authority that the first start makes; then {trust}"
        )
    try:
        [target] = hosts([host], partial(SshCa.kept, state), "doctor00", clock).values()
        upstream = target.upstream
        if target.mint is not None:
            minted = await target.mint.issue(secrets.token_hex(5), "doctor", clock.now() + 60.0)
            upstream, how = replace(upstream, key=minted.secret), " with a certificate made for the occasion"
        connection = await ssh_connect(upstream, SshLimits(), lambda: None)
    except (CredentialTrouble, ValueError, OSError) as wrong:
        return Finding(False, name, str(wrong), "the key's place must exist and be readable by this user only")
    except MintTrouble as trouble:
        return Finding(False, name, f"{where}: {trouble.code}: {trouble.message}", "see mint in the configuration")
    except SshUpstreamFailed as failed:
        mend = trust if how and failed.code == "upstream-auth" else "see targets in the configuration"
        return Finding(False, name, f"{where}: {failed.code}: {failed.message}", mend)
    connection.close()
    return Finding(True, name, f"{where}: its host key is the pinned one, and the gateway may log in{how}")


async def _mint(name: str, target: TargetConfig, words: str) -> Finding:
    """Whether the mint works: it makes one credential and takes it back."""
    clock = SystemClock()
    try:
        mint = served([target], "doctor00", clock)[target.target.name].mint
        if mint is None:
            return Finding(True, name, words)
        minted = await mint.issue(secrets.token_hex(5), "doctor", clock.now() + 60.0)
        removed = await mint.retire(minted.name)
    except (CredentialTrouble, ValueError) as wrong:
        return Finding(False, name, f"{words}; mint: {wrong}", "see mint in the configuration")
    except MintTrouble as trouble:
        mend = "the mint's login needs CREATEROLE, and the configured role WITH ADMIN OPTION"
        return Finding(False, name, f"{words}; mint: {trouble.code}: {trouble.message}", mend)
    if not removed.confirmed:
        return Finding(False, name, f"{words}; mint: {removed.how}", f"look for the role {minted.name} and drop it")
    return Finding(True, name, f"{words}; made {minted.kind} {minted.name} and took it back")


_MEND = {
    "unreachable": "check host, port and firewall",
    "refused": "start PostgreSQL, or correct host and port",
    "timeout": "check host, port and firewall",
    "tls-untrusted": "point ca_file at the CA that signed the server's certificate, and host at a name it carries",
    "tls-refused": "enable TLS on the server, or lower sslmode if the network is yours",
    "wrong-credential": "correct user and password; the gateway's own role must be able to log in",
    "no-such-database": "correct database",
    "too-many-connections": "raise max_connections or lower limits.connections",
}
