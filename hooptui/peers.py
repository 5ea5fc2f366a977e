"""Who is at the other end of a socket: as it is written, and as it is counted. Pure; knows no socket."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection."""

    host: str
    """Its address alone; empty for a socket that has none."""
    name: str
    """`address:port`, an IPv6 address in brackets, or `unix`."""

    @property
    def origin(self) -> str:
        """What bounds and guesses are counted by; see `origin`."""
        return origin(self.name)


def peer(address: object) -> Peer:
    """Out of what `getpeername` or `accept` returned."""
    if not isinstance(address, tuple):
        return Peer("", "unix")
    host, port = str(address[0]), address[1]
    return Peer(host, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def origin(name: str) -> str:
    """Where a peer's `address:port` comes from: the IPv4 address, or the /64 network of an IPv6 address, since whoever has
    one of its addresses has them all. What is no address (`unix`) stands for itself."""
    host = name.rpartition(":")[0]
    for text in (host.removeprefix("[").removesuffix("]"), name.removeprefix("[").removesuffix("]")):
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        if isinstance(address, ipaddress.IPv4Address):
            return str(address)
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"
    return name[:64]
