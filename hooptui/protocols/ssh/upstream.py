"""The way to a target's sshd: its address, the host keys that are trusted, the gateway's login there, and the connection.

A host key that is not pinned is never accepted, and nothing of the gateway's own ~/.ssh or agent is used. Knows no client
and no policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import asyncssh

from hooptui.core.secret import Secret
from hooptui.protocols.ssh import algorithms, connections
from hooptui.protocols.ssh.limits import Limits


@dataclass(frozen=True, slots=True)
class HostKeys:
    """What a target may prove itself with. At least one of the three must be there."""

    known_hosts: str = ""
    """Text of a file in OpenSSH's known_hosts format, looked up by host and port."""
    keys: tuple[str, ...] = ()
    """Public keys, one line each, trusted for this target alone."""
    authorities: tuple[str, ...] = ()
    """Public keys of certificate authorities for host certificates."""

    def trusted(
        self,
    ) -> asyncssh.SSHKnownHosts | tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        """As asyncssh takes it; never its word for "do not check".

        Raises:
            ValueError: nothing is pinned, or a key cannot be read.
        """
        try:
            if self.known_hosts:
                return asyncssh.import_known_hosts(self.known_hosts)
            keys = [asyncssh.import_public_key(line) for line in self.keys]
            authorities = [asyncssh.import_public_key(line) for line in self.authorities]
        except (asyncssh.KeyImportError, ValueError) as wrong:
            raise ValueError(f"a host key cannot be read: {wrong}") from None
        if not keys and not authorities:
            raise ValueError("no host key is pinned; expected known_hosts, host_key or host_ca")
        return keys, authorities, []


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a target's sshd is, and who the gateway is there."""

    host: str
    port: int
    user: str
    host_keys: HostKeys
    key: Secret | None = field(default=None, repr=False)
    """Private key in OpenSSH's format, perhaps followed by its certificate line; None when each session has its own."""
    connect_timeout: float = 10.0
    reap: bool = True
    """Whether a kill may run a command of the gateway's own there (see `reap`)."""


class UpstreamFailed(Exception):
    """The target cannot be used. `code` is stable, `message` for the operator, `public` fit for the client.

    Codes: `upstream-unreachable`, `upstream-timeout`, `upstream-host-key`, `upstream-auth`, `upstream-key`, `upstream-protocol`.
    """

    def __init__(self, code: str, message: str, public: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.public = public


class _Client(asyncssh.SSHClient):
    """Says when the connection is gone."""

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()


def credential(text: Secret) -> tuple[asyncssh.SSHKey, asyncssh.SSHCertificate | None]:
    """A private key and, where its line follows, its certificate.

    Raises:
        ValueError: it is no private key in OpenSSH's or PEM format, or it has a passphrase. Quotes nothing of it.
    """
    body, mark, line = text.reveal().rpartition("-----\n")
    try:
        key = asyncssh.import_private_key(body + mark if mark else line)
        return key, asyncssh.import_certificate(line) if mark and line.strip() else None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        raise ValueError("expected an unencrypted private key in OpenSSH's format") from None


async def connect(where: Upstream, limits: Limits, lost: Callable[[], None]) -> asyncssh.SSHClientConnection:
    """An authenticated connection to the target; `lost` is called once when it is gone.

    Raises:
        UpstreamFailed: there is none.
    """
    try:
        trusted = where.host_keys.trusted()
        if where.key is None:
            raise ValueError("no key is configured, and none was made for this session")
        key, certificate = credential(where.key)
    except ValueError as wrong:
        raise UpstreamFailed("upstream-key", str(wrong), "its gateway has no working key for it") from None
    try:
        async with asyncio.timeout(where.connect_timeout):
            return await connections.dial(
                where.host,
                where.port,
                username=where.user,
                client_factory=lambda: _Client(lost),
                client_keys=[(key, certificate)] if certificate is not None else [key],
                known_hosts=trusted,
                agent_path=None,
                gss_host=None,
                password=None,
                preferred_auth="publickey",
                encryption_algs=list(algorithms.ENCRYPTION),
                kex_algs=algorithms.available(algorithms.KEX, asyncssh.kex.get_kex_algs()),
                compression_algs=["none"],
                rekey_bytes=limits.rekey,
                keepalive_interval=limits.keepalive,
                keepalive_count_max=3,
                client_version="hooptui",
            )
    except TimeoutError:
        said = f"no login within {where.connect_timeout:g} s"
        raise UpstreamFailed("upstream-timeout", said, "its server does not answer") from None
    except asyncssh.HostKeyNotVerifiable as wrong:
        words = f"its host key is not the pinned one: {wrong.reason}"
        raise UpstreamFailed("upstream-host-key", words, "its server does not prove who it is") from None
    except asyncssh.PermissionDenied as wrong:
        words = f"it refuses the gateway's key for {where.user}: {wrong.reason}"
        raise UpstreamFailed("upstream-auth", words, "its server refuses the gateway") from None
    except OSError as wrong:
        words = wrong.strerror or str(wrong)
        raise UpstreamFailed("upstream-unreachable", words, "its server cannot be reached") from None
    except (asyncssh.Error, ValueError) as wrong:
        raise UpstreamFailed(
            "upstream-protocol", f"{type(wrong).__name__}: {wrong}", "its server speaks no SSH that works"
        ) from None
