"""HTTPS with the certificate always checked, answers bounded in size and time, and failures put in words. Knows no API."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

import hooptui
from hooptui.errors import UserError

LARGEST: Final = 256 * 1024
"""Bytes of one answer."""
LONGEST: Final = 30.0
"""Seconds for the body of one answer."""
TIMEOUT: Final = 10.0
"""Seconds for a connection, and for each piece that is waited for."""

GET_CA: Final = (
    "if the gateway made its own certificate, ask the people who run it for ca.crt (tls/ca.crt in its state directory) "
    "and give it with --ca"
)


class Unreachable(UserError):
    """Nobody answered, or not in time: trying again may help."""


class _Bounded(httpx2.SyncByteStream):
    """A body that is cut off when it is too long or too slow."""

    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        size, until = 0, time.monotonic() + LONGEST
        for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST:
                raise httpx2.RemoteProtocolError(f"the answer has more than {LARGEST // 1024} KiB")
            if time.monotonic() > until:
                raise httpx2.ReadTimeout(f"the answer takes more than {LONGEST:.0f} seconds")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _bound(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise httpx2.RemoteProtocolError("the answer is compressed, which was not asked for")
    if not isinstance(response.stream, httpx2.SyncByteStream):
        raise TypeError("a synchronous client has a synchronous stream")
    response.stream = _Bounded(response.stream)


def options(ca: Path | None) -> dict[str, Any]:
    """How every client here is made. `ca` holds the only authorities that count; None for those of the system.

    Raises:
        UserError: the file cannot be used.
    """
    return {
        "verify": True if ca is None else trusting(ca),
        "timeout": TIMEOUT,
        "follow_redirects": False,
        "headers": {"User-Agent": f"hooptui/{hooptui.__version__}", "Accept-Encoding": "identity"},
        "event_hooks": {"response": [_bound]},
    }


def trusting(ca: Path) -> ssl.SSLContext:
    """Raises UserError: there are no certificates in the file."""
    try:
        context = ssl.create_default_context(cafile=str(ca))
    except OSError as fault:  # ssl.SSLError is one
        words = (
            fault.strerror if fault.errno and not isinstance(fault, ssl.SSLError) else "found no PEM certificates in it"
        )
        raise UserError(f"{ca}: {words}; expected the gateway's ca.crt") from None
    return context


@contextmanager
def asking(url: str, trust: str = GET_CA) -> Iterator[None]:
    """Put what goes wrong with a request to `url` in words; `trust` says how to trust a certificate that is not trusted.

    Raises:
        Unreachable: trying again may help.
        UserError: it will not.
    """
    try:
        place = urlsplit(url).netloc
    except ValueError:
        place = url
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as fault:
        cause = _certificate_fault(fault)
        if cause is not None and cause.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH
            raise UserError(
                f"{place}: its certificate is for another name ({cause.verify_message}); use the name it goes by"
            ) from None
        if cause is not None:
            raise UserError(f"{place}: its certificate is not trusted here ({cause.verify_message}); {trust}") from None
        match fault:
            case httpx2.TimeoutException():
                raise Unreachable(f"{place}: no answer in time") from None
            case httpx2.ConnectError():
                raise Unreachable(
                    f"{place}: cannot connect ({fault}); is it running, and is the address right?"
                ) from None
            case httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
                raise UserError(f"{place}: not an address that can be asked ({fault})") from None
            case _:
                raise Unreachable(f"{place}: {fault or type(fault).__name__}") from None


def _certificate_fault(fault: BaseException) -> ssl.SSLCertVerificationError | None:
    found: BaseException | None = fault
    while found is not None:
        if isinstance(found, ssl.SSLCertVerificationError):
            return found
        found = found.__cause__ or found.__context__
    return None


def check_url(url: str, what: str) -> str:
    """`url`, if it may be asked and shown.

    Raises:
        UserError: it is no absolute https URL (http for a loopback host alone), or holds what does not belong there.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    plain = url.isascii() and url.isprintable() and not set(url) & set(' "<>\\^`{|}')
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not plain or not host or not secure or port == 0 or "@" in parts.netloc or len(url) > 2048:
        raise UserError(f"{what}: found {url[:200]!a}, expected https://host[:port]…")
    return url


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
