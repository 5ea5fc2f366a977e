"""What the operator says about notices. Settings only: knows no network. Each checks itself."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from hooptui.core.secret import Secret
from hooptui.notify.notice import Topic

EVERYTHING = frozenset(Topic)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a webhook's key, by the Standard Webhooks specification."""


def _common(name: str, topics: frozenset[Topic], timeout: float) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"name: found {name!r}, expected lower-case letters, digits and dashes, at most 32")
    if not topics:
        raise ValueError(f"events: found none, expected some of {', '.join(Topic)}")
    if not 0.05 <= timeout <= 60:
        raise ValueError(f"timeout: found {timeout:g} s, expected 0.05 to 60")


@dataclass(frozen=True, slots=True)
class Webhook:
    """One receiver of signed JSON (Standard Webhooks)."""

    name: str
    """What alerts call it."""
    url: str = field(repr=False)
    """`https`, or `http` to this machine itself; kept out of texts, for some receivers put a key into the path."""
    secret: Secret
    """`whsec_` and the base64 of 24 to 64 bytes."""
    events: frozenset[Topic] = EVERYTHING
    timeout: float = 10.0
    """Seconds for one attempt, whole."""
    attempts: int = 5
    backoff: float = 1.0
    """Seconds before the second attempt at most; twice as many before each further one."""
    ca: Path | None = None
    """PEM file of the authorities to trust instead of the system's."""

    def __post_init__(self) -> None:
        """Raises:
        ValueError: names the field, what was found and what was expected, and never a secret.
        """
        _common(self.name, self.events, self.timeout)
        _check_url(self.url)
        if not SHORTEST <= len(self.key()) <= LONGEST:
            raise ValueError(f"secret: found a key of {len(self.key())} bytes, expected {SHORTEST} to {LONGEST}")
        if not 1 <= self.attempts <= 10:
            raise ValueError(f"attempts: found {self.attempts}, expected 1 to 10")
        if not 0 <= self.backoff <= 60:
            raise ValueError(f"backoff: found {self.backoff:g} s, expected 0 to 60")

    def key(self) -> bytes:
        """What is signed with.

        Raises:
            ValueError: the secret is none.
        """
        text = self.secret.reveal()
        try:
            return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(
                f"secret: found no base64, expected {_PREFIX} and the base64 of {SHORTEST} to {LONGEST} bytes"
            ) from None

    @property
    def origin(self) -> str:
        """Scheme, host and port: as much of the address as may be told."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class Apprise:
    """One service that the apprise library speaks to (the extra `hooptui[notify]`)."""

    name: str
    url: Secret
    """Apprise's own form, `slack://…`; it holds the service's credentials."""
    events: frozenset[Topic] = EVERYTHING
    timeout: float = 30.0
    """Seconds."""

    def __post_init__(self) -> None:
        """Raises:
        ValueError: names the field, what was found and what was expected, and never a secret.
        """
        _common(self.name, self.events, self.timeout)
        if not re.match(r"[a-z0-9][a-z0-9+.-]*://", self.url.reveal(), re.IGNORECASE):
            raise ValueError("url: found something else, expected an address of apprise such as slack://…")


@dataclass(frozen=True, slots=True)
class Settings:
    """All channels."""

    webhooks: tuple[Webhook, ...] = ()
    apprise: tuple[Apprise, ...] = ()
    waiting: int = 256
    """Notices that wait for one channel at most; beyond, the oldest that is not grave is dropped."""
    repeat: float = 60.0
    """Seconds in which the same alert is told once."""

    def __post_init__(self) -> None:
        """Raises:
        ValueError: names the field, what was found and what was expected.
        """
        names = [one.name for one in self.webhooks] + [one.name for one in self.apprise]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"name: found {twice} twice, expected a name of its own for each channel")
        if not 1 <= self.waiting <= 10_000:
            raise ValueError(f"waiting: found {self.waiting}, expected 1 to 10000")
        if not 0 <= self.repeat <= 86_400:
            raise ValueError(f"repeat: found {self.repeat:g} s, expected 0 to 86400")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("url: found no address, expected https://host/path") from None
    if not url.isascii() or not url.isprintable() or any(char in url for char in ' \\"<>'):
        raise ValueError("url: found blanks or other characters that no address has, expected https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("url: found a user, a password or a fragment, expected https://host/path")
    if not host or parts.scheme not in ("https", "http"):
        raise ValueError(f"url: found the scheme {parts.scheme[:20]!r}, expected https://host/path")
    if parts.scheme == "http" and not _here(host):
        raise ValueError("url: found http to another machine, expected https")


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
