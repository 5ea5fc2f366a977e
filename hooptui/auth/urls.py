"""Which URLs the gateway may fetch. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, field: str) -> None:
    """Refuse what must never be fetched.

    Raises:
        ValueError: not an absolute https URL (http for a loopback host), or with user information or odd characters.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError(f"{field}: found characters that do not belong in a URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as bad:
        raise ValueError(f"{field}: {url!r} is not a URL ({bad})") from None
    if not parts.hostname or port == 0:
        raise ValueError(f"{field}: {url!r} names no host; expected https://…")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{field}: has user information; expected https://host/…")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError(f"{field}: {url!r} is not https; plain http is accepted only for a loopback host")
