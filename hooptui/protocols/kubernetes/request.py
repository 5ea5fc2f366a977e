"""One HTTP request to an API server, parsed once. Knows no socket and not what the request means.

What is forwarded is rebuilt from this value alone, never from the bytes that came: whatever a client wrote in a way that two parsers
might read differently was refused by `wire`, or is written here in the one way that they agree on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})

Upgrade = Literal["", "websocket", "spdy"]

# RFC 3986 section 3.3: what may stand in a segment as it is, less `;`, which some servers take for parameters.
_SEGMENT: Final = "!$&'()*+,=:@-._~"
_QUERY: Final = "!$'()*,:@/-._~"


@dataclass(frozen=True, slots=True)
class Request:
    """See the module."""

    method: str
    """Upper case, one of METHODS."""
    segments: tuple[str, ...]
    """Of the path below the cluster's prefix, decoded: none empty, no `.` and `..`, none with a slash, backslash, percent or NUL."""
    query: tuple[tuple[str, str], ...] = ()
    """Decoded, in the order in which it came; a key without `=` has an empty value."""
    headers: tuple[tuple[str, str], ...] = ()
    """Lower-case names, in order. Without hop-by-hop headers, Host, Content-Length, Authorization, X-Remote-*, X-Forwarded-*, Sec-WebSocket-*
    and X-Stream-Protocol-Version; the gateway writes its own."""
    upgrade: Upgrade = ""
    subprotocols: tuple[str, ...] = ()
    """What the client offers, in order: Sec-WebSocket-Protocol or X-Stream-Protocol-Version."""
    length: int | None = None
    """Content-Length; None when the body is chunked, or there is none."""
    chunked: bool = False
    slash: bool = False
    """The path ended in a slash; kept only where it means something to somebody else: below `proxy`."""
    key: str = ""
    """Sec-WebSocket-Key, to answer the client with."""

    @property
    def path(self) -> str:
        """The decoded path, for people and for rules."""
        return "/" + "/".join(self.segments) + ("/" if self.slash and self.segments else "")

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.length)

    def target(self) -> str:
        """The request target in origin form (RFC 9112 section 3.2.1), for the upstream."""
        path = "/" + "/".join(quote(one, safe=_SEGMENT) for one in self.segments)
        if self.slash and self.segments:
            path += "/"
        if not self.query:
            return path
        return (
            path + "?" + "&".join(f"{quote(key, safe=_QUERY)}={quote(value, safe=_QUERY)}" for key, value in self.query)
        )

    def header(self, name: str) -> str:
        """The value of a header by its lower-case name; empty when it is not there."""
        return next((value for key, value in self.headers if key == name), "")

    def first(self, key: str) -> str | None:
        """The first value of a query parameter, which is the one that an API server takes; None when it is not there."""
        return next((value for one, value in self.query if one == key), None)

    def every(self, key: str) -> tuple[str, ...]:
        """All values of a query parameter."""
        return tuple(value for one, value in self.query if one == key)
