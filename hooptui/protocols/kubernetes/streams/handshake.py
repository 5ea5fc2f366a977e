"""The two handshakes by which a request becomes a stream, on either side. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.streams import websocket

Kind = Literal["websocket", "spdy"]

V5: Final = "v5.channel.k8s.io"
V4: Final = "v4.channel.k8s.io"
PORTS: Final = "portforward.k8s.io"
TUNNEL: Final = "SPDY/3.1+portforward.k8s.io"
"""SPDY inside WebSocket, from kubectl 1.31."""

_WANTED: Final = {
    ("websocket", False): (V5, V4),
    ("spdy", False): (V5, V4),
    ("websocket", True): (TUNNEL, V4),
    ("spdy", True): (PORTS,),
}

Headers = list[tuple[str, str]]


def known(request: Request, *, ports: bool) -> tuple[str, ...]:
    """Of what the client offers, in its order, what is spoken here."""
    kind = request.upgrade
    assert kind
    return tuple(one for one in request.subprotocols if one in _WANTED[kind, ports])


def answer(kind: Kind, key: str, protocol: str) -> bytes:
    """101 to a client."""
    said = [("Upgrade", "SPDY/3.1" if kind == "spdy" else "websocket"), ("Connection", "Upgrade")]
    if kind == "websocket":
        said += [("Sec-WebSocket-Accept", websocket.accept(key)), ("Sec-WebSocket-Protocol", protocol)]
    else:
        said.append(("X-Stream-Protocol-Version", protocol))
    lines = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in said)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def question(kind: Kind, key: str, protocols: Sequence[str]) -> Headers:
    """The headers by which an API server is asked."""
    if kind == "websocket":
        return [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Protocol", ", ".join(protocols)),
        ]
    return [
        ("Connection", "Upgrade"),
        ("Upgrade", "SPDY/3.1"),
        *(("X-Stream-Protocol-Version", one) for one in protocols),
    ]
