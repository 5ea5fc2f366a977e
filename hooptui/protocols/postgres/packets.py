"""The messages without a type byte that open a connection, to values. Pure.

Source: PostgreSQL documentation, "Message Flow: Start-up" and "Message Formats", protocol 3.0 and 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from hooptui.protocols.postgres.codec import KEY_MAX, KEY_MIN
from hooptui.protocols.postgres.reader import Reader
from hooptui.protocols.postgres.wire import ProtocolViolation

CANCEL = 80877102
SSL = 80877103
GSSENC = 80877104

PACKET_MAX = 10_000
"""Bytes of a start-up packet, as the server's own bound."""

MINOR_MAX = 2
"""The newest 3.x spoken here."""


@dataclass(frozen=True, slots=True)
class SslRequest:
    """The client asks for TLS."""


@dataclass(frozen=True, slots=True)
class GssRequest:
    """The client asks for GSSAPI encryption."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    pid: int
    key: bytes

    def __repr__(self) -> str:
        return f"CancelRequest(pid={self.pid}, key=***)"


@dataclass(frozen=True, slots=True)
class Startup:
    """A StartupMessage."""

    asked: int
    """The minor version of protocol 3 that the client asked for."""
    parameters: Mapping[str, str]
    """Without the `_pq_.` ones."""
    options: tuple[str, ...]
    """Names of protocol options (`_pq_.…`) asked for; none is known here."""

    @property
    def minor(self) -> int:
        """The minor version to speak. 3.1 was never released and counts as 3.0."""
        return MINOR_MAX if self.asked >= MINOR_MAX else 0

    @property
    def negotiate(self) -> bool:
        """The client must be told, by NegotiateProtocolVersion, that it gets less than it asked for."""
        return self.minor != self.asked or bool(self.options)


Packet: TypeAlias = SslRequest | GssRequest | CancelRequest | Startup


def packet_length(head: bytes) -> int:
    """The length of the packet whose first four bytes these are, itself included.

    Raises:
        ProtocolViolation: no packet is that short or that long.
    """
    length = int.from_bytes(head[:4], "big")
    if not 8 <= length <= PACKET_MAX:
        raise ProtocolViolation(f"start-up packet announces {length} bytes; 8 to {PACKET_MAX} are allowed")
    return length


def packet(raw: bytes) -> Packet:
    """Read one whole packet, its length included.

    Raises:
        ProtocolViolation: anything but SSLRequest, GSSENCRequest, CancelRequest or a StartupMessage of protocol 3.
    """
    body = Reader(raw, "start-up packet", 0)
    if body.uint32() != len(raw):
        raise body.violation("is not as long as it says")
    code = body.uint32()
    if code == SSL:
        body.end()
        return SslRequest()
    if code == GSSENC:
        body.end()
        return GssRequest()
    if code == CANCEL:
        pid, key = body.uint32(), body.rest()
        if not KEY_MIN <= len(key) <= KEY_MAX:
            raise ProtocolViolation(f"CancelRequest has a key of {len(key)} bytes")
        return CancelRequest(pid, key)
    if code >> 16 == 3:
        return _startup(body, code & 0xFFFF)
    raise ProtocolViolation(f"protocol {code >> 16}.{code & 0xFFFF} is not supported, 3.0 to 3.{MINOR_MAX} are")


def _startup(body: Reader, minor: int) -> Startup:
    parameters: dict[str, str] = {}
    options: list[str] = []
    while name := _text(body):
        value = _text(body)
        if name in parameters or name in options:
            raise body.violation("has a parameter twice")
        if name.startswith("_pq_."):
            options.append(name)
        else:
            parameters[name] = value
    body.end()
    if not parameters.get("user"):
        raise body.violation("names no user")
    return Startup(minor, MappingProxyType(parameters), tuple(options))


def _text(body: Reader) -> str:
    try:
        return body.string().decode()
    except UnicodeDecodeError:
        raise body.violation("has a parameter that is not UTF-8") from None
