"""How the gateway itself logs in at an API server: a token that is kept somewhere, or whatever a kubeconfig says.

A kubeconfig's tokens, client certificates and exec plugins are kubernetes-asyncio's affair. What is read is good for a minute, so
that a secret which was replaced where it is kept is in use soon. The server's certificate is always checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from hooptui.core.secret import Secret
from hooptui.credentials.references import CredentialTrouble
from hooptui.credentials.static import Static

GOOD_FOR: Final = 60.0
"""Seconds that a credential is used before it is looked at again."""
PLUGIN: Final = 30.0
"""Seconds in which a kubeconfig's exec plugin must have answered."""


@dataclass(frozen=True, slots=True)
class Server:
    """An API server and how it is known."""

    host: str
    port: int
    path: str
    """What goes before every path, without a slash at its end; empty for most."""
    tls: ssl.SSLContext | None
    """None for plain HTTP, which is for this machine alone."""
    name: str = ""
    """What its certificate must say, when that is not `host`."""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Access:
    """Where, and as whom."""

    server: Server
    authorization: Secret | None
    """The whole value of the Authorization header; None when a client certificate is all."""


class Login(Protocol):
    """One way to log in at one API server."""

    async def access(self) -> Access:
        """The credential as it is now.

        Raises:
            CredentialTrouble: it cannot be had; the words are for the operator.
        """


def server(url: str, tls: ssl.SSLContext | None, name: str = "") -> Server:
    """The server of a URL.

    Raises:
        ValueError: what was found and what is expected.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("expected https://host[:port]") from None
    if not host or parts.username or parts.query or parts.fragment or parts.scheme not in ("https", "http"):
        raise ValueError(f"found {url!r}, expected https://host[:port] and perhaps a path")
    if parts.scheme == "http":
        if not _loopback(host):
            raise ValueError(f"found {url!r}: plain http would send the credential in the clear; expected https://")
        tls = None
    elif tls is None:
        raise ValueError(f"{url}: no way to check its certificate")
    return Server(host, port or (443 if tls else 80), parts.path.rstrip("/"), tls, name)


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """A context that believes the certificates signed by `ca_file`, or by the machine's own authorities.

    Raises:
        ValueError: the file is no PEM of a certificate authority.
    """
    try:
        made = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as wrong:
        raise ValueError(f"{ca_file}: {getattr(wrong, 'strerror', None) or 'not a PEM of certificates'}") from None
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    return made


class TokenLogin:
    """A server, its CA, and where a bearer token is kept."""

    def __init__(self, url: str, ca_file: Path | None, token: Static | None) -> None:
        """Raises:
        ValueError: the URL or the CA cannot be used.
        """
        self._server = server(url, trusting(ca_file))
        self._token = token
        self._held: tuple[float, Access] | None = None

    @property
    def where(self) -> str:
        return self._server.url

    async def access(self) -> Access:
        """See `Login`."""
        now = time.monotonic()
        if self._held is not None and now < self._held[0]:
            return self._held[1]
        secret = await self._token.secret() if self._token else None
        value = Secret(f"Bearer {secret.reveal()}") if secret else None
        if value is not None and not value.reveal().isascii():
            raise CredentialTrouble(f"{self.where}: the token has characters that no header can carry")
        found = Access(self._server, value)
        self._held = (now + GOOD_FOR, found)
        return found


class KubeconfigLogin:
    """One context of a kubeconfig file."""

    def __init__(self, file: Path, context: str, scratch: Path) -> None:
        """`context` may be empty for the file's current one. Certificates that the file carries are laid down in the
        directory `scratch`, which TLS wants files for; it is made 0700."""
        self._file = file
        self._context = context
        self._scratch = scratch
        self._held: tuple[float, Access] | None = None
        self._tls: tuple[tuple[object, ...], ssl.SSLContext] | None = None
        self._lock: asyncio.Lock | None = None

    @property
    def where(self) -> str:
        return f"{self._file} {self._context}".rstrip()

    async def access(self) -> Access:
        """See `Login`."""
        if self._held is not None and time.monotonic() < self._held[0]:
            return self._held[1]
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if self._held is not None and time.monotonic() < self._held[0]:
                return self._held[1]
            found = await self._load()
            self._held = (time.monotonic() + GOOD_FOR, found)
            return found

    async def _load(self) -> Access:
        # Loading the client of a whole API takes a while, which is for those who have such a target.
        from kubernetes_asyncio.client import Configuration
        from kubernetes_asyncio.config import ConfigException, load_kube_config

        if not self._file.is_file():
            raise CredentialTrouble(f"{self._file}: there is no such file")
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = Configuration()
        try:
            async with asyncio.timeout(PLUGIN):
                await load_kube_config(
                    str(self._file),
                    self._context or None,
                    config,
                    persist_config=False,
                    temp_file_path=str(self._scratch),
                )
        except TimeoutError:
            raise CredentialTrouble(f"{self.where}: its exec plugin gave no credential within {PLUGIN:g} s") from None
        except ConfigException as wrong:
            raise CredentialTrouble(f"{self.where}: {wrong}") from None
        except Exception as fault:  # noqa: BLE001 - whatever a plugin or a file does wrong; its text may hold the credential
            raise CredentialTrouble(f"{self.where}: cannot be used ({type(fault).__name__})") from None
        if not config.verify_ssl:
            raise CredentialTrouble(
                f"{self.where}: insecure-skip-tls-verify is set; give certificate-authority instead"
            )
        if config.proxy:
            raise CredentialTrouble(f"{self.where}: proxy-url is set, which hooptui does not use")
        try:
            tls = self._context_for(config.ssl_ca_cert, config.cert_file, config.key_file)
            where = server(config.host or "", tls, config.tls_server_name or "")
        except (ValueError, OSError) as wrong:
            raise CredentialTrouble(f"{self.where}: {wrong}") from None
        value = config.api_key.get("BearerToken")
        return Access(where, Secret(value) if value else None)

    def _context_for(self, ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
        """The same object while the same files say the same, for connections are pooled by it."""
        files = tuple(_stamp(one) for one in (ca, certificate, key))
        if self._tls is None or self._tls[0] != files:
            made = trusting(Path(ca) if ca else None)
            if certificate:
                try:
                    made.load_cert_chain(certificate, key)
                except ssl.SSLError:
                    raise ValueError("client-certificate and client-key are no matching PEM pair") from None
            self._tls = (files, made)
        return self._tls[1]


def _stamp(file: str | None) -> object:
    if file is None:
        return None
    with contextlib.suppress(OSError):
        status = Path(file).stat()
        return file, status.st_mtime_ns, status.st_size
    return file


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
