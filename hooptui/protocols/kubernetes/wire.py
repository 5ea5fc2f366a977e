"""The head of an HTTP request, read so that no other parser can read it differently. Pure: bytes in, a Request out.

What RFC 9112 lets a parser be lenient with is refused, and so is everything that kube-apiserver, a proxy in front of it and this
module might each take for something else: they would then decide on one request and run another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from hooptui.core.secret import Secret
from hooptui.protocols.kubernetes.info import request_info
from hooptui.protocols.kubernetes.request import METHODS, Request, Upgrade

MAX_HEAD: Final = 64 * 1024
MAX_HEADERS: Final = 32 * 1024
"""Names and values together; real tokens have up to 16 KiB."""
MAX_COUNT: Final = 100
MAX_TARGET: Final = 16 * 1024
MAX_SEGMENTS: Final = 64
MAX_PARAMETERS: Final = 200

Headers = Sequence[tuple[bytes, bytes]]

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
_TARGET: Final = re.compile(rb"[!$%&'()*+,./0-9:=?@A-Z_a-z~-]+\Z")
"""Printable ASCII less what RFC 3986 has nowhere in a path or query, and less `;` and `#`."""
_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_IN_SEGMENT: Final = re.compile(r"[/\\%;\x00-\x1f\x7f-\x9f]")
_IN_QUERY: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUMBER: Final = re.compile(rb"[0-9]{1,15}\Z")
_BEARER: Final = re.compile(rb"(?i:bearer) {1,8}([A-Za-z0-9._~+/-]{1,16384}={0,2})\Z")
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_SUBPROTOCOL: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z/-]{1,128}\Z")
_WEBSOCKET_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==\Z")
_CLUSTER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")

_ONCE: Final = frozenset(
    {
        "accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type", "expect",
        "host", "sec-websocket-key", "sec-websocket-version", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip
"""Headers of which Go takes the first, others the last or all."""

_OWN: Final = frozenset(
    {
        "authorization", "connection", "content-length", "expect", "forwarded", "host", "http2-settings", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via", "x-real-ip",
        "x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url", "x-stream-protocol-version",
    }
)  # fmt: skip
"""Headers that are this connection's, or that speak for whoever stands in front of it; never passed on."""

_OWN_BEGINNINGS: Final = ("x-remote-", "x-forwarded-", "sec-websocket-", "proxy-")

_TOKENS: Final = frozenset(
    {"access_token", "token", "id_token", "bearer_token", "bearer", "authorization", "api_token", "auth_token", "jwt"}
)
"""Parameters in which a credential would end up in logs, here and upstream."""

_STREAMS: Final = frozenset({"exec", "attach", "portforward"})


class Malformed(Exception):
    """This is no request that may be looked at further: answer with a Status and close.

    The reason is fit for the client; it quotes nothing that came but names of headers.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        """HTTP status: 400, 401, 403, 405, 411, 414, 415, 417, 431, 501 or 505."""
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a request says."""

    request: Request
    cluster: str
    """Name of the target by the path prefix; empty when the connection says it (SNI)."""
    bearer: Secret | None
    """The one credential that is taken: `Authorization: Bearer`."""


def split_head(raw: bytes) -> tuple[bytes, bytes, list[tuple[bytes, bytes]]]:
    """Method, target and headers of a raw head, from the first byte to the empty line, both CRLF included.

    Raises:
        Malformed: not RFC 9112 to the letter: bare LF or CR, folded headers, blanks around names, another version than HTTP/1.1 …
    """
    if len(raw) > MAX_HEAD:
        raise Malformed(431, f"the head of the request has more than {MAX_HEAD} bytes")
    if not raw.endswith(b"\r\n\r\n"):
        raise Malformed(400, "the head of the request does not end in an empty line")
    first, *lines = raw[:-4].split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3:
        raise Malformed(400, "the request line is not method, target and version with one blank between")
    method, target, version = words
    if version != b"HTTP/1.1":
        raise Malformed(505, "only HTTP/1.1 is spoken here")
    headers: list[tuple[bytes, bytes]] = []
    for line in (first, *lines):
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise Malformed(400, "a line of the head holds a bare CR, LF or NUL")
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            raise Malformed(400, "a header is folded over two lines")
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed(400, "a line of the head has no colon")
        headers.append((name, value.strip(b" \t")))
    return method, target, headers


def read_head(method: bytes, target: bytes, headers: Headers, *, by_path: bool = True) -> Head:
    """Read a head that a parser has taken apart.

    Args:
        by_path: whether the path begins with `/clusters/NAME`; otherwise the connection says which cluster is meant.

    Raises:
        Malformed: see the module.
    """
    verb = _method(method)
    named = _headers(headers)
    _host(named)
    segments, query, slash = _target(target)
    cluster = ""
    if by_path:
        if len(segments) < 2 or segments[0] != "clusters" or not _CLUSTER.match(segments[1]):
            raise Malformed(404, "the path does not begin with /clusters/NAME, by which a cluster is chosen")
        cluster, segments = segments[1], segments[2:]
    length, chunked = _body(verb, named)
    bearer = _bearer(named)
    upgrade, subprotocols, key = _upgrade(verb, named, length, chunked=chunked)
    proxied = "proxy" in segments
    request = Request(
        verb, segments, query, tuple((name, value) for name, value in named if not _own(name)), upgrade, subprotocols, length,
        chunked, slash and proxied, key,
    )  # fmt: skip
    if upgrade:
        info = request_info(request)
        if info.resource != "pods" or info.api_group or info.subresource not in _STREAMS:
            raise Malformed(400, "an upgrade is for exec, attach and port-forward of pods alone")
    return Head(request, cluster, bearer)


def _method(method: bytes) -> str:
    verb = method.decode("ascii", "replace")
    if verb not in METHODS:
        raise Malformed(405, f"the method is none of {', '.join(sorted(METHODS))}")
    return verb


def _headers(headers: Headers) -> list[tuple[str, str]]:
    if len(headers) > MAX_COUNT:
        raise Malformed(431, f"there are more than {MAX_COUNT} headers")
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADERS:
        raise Malformed(431, f"the headers have more than {MAX_HEADERS} bytes")
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    for raw_name, raw_value in headers:
        if not _TOKEN.match(raw_name):
            raise Malformed(400, "the name of a header holds a character that it may not")
        if not _VALUE.match(raw_value):
            raise Malformed(400, "the value of a header holds a control character")
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1").strip("\t ")
        plain = name.replace("_", "-")
        if plain.startswith("impersonate-"):
            raise Malformed(403, "impersonation is not taken from clients: who you are comes from your token alone")
        if plain in _ONCE:
            # Some servers take an underscore for a dash, and so one name for two.
            if plain in seen or plain != name:
                raise Malformed(400, f"the header {plain} is there more than once, or misspelt")
            if not value.isascii():
                raise Malformed(400, f"the header {plain} is not ASCII")
            seen.add(plain)
        found.append((name, value))
    return found


def _own(name: str) -> bool:
    plain = name.replace("_", "-")
    return plain in _OWN or plain.startswith(_OWN_BEGINNINGS)


def _value(named: list[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in named if key == name), None)


def _host(named: list[tuple[str, str]]) -> None:
    host = _value(named, "host")
    if host is None:
        raise Malformed(400, "there is no Host header")
    if not _HOST.match(host.encode("ascii")):
        raise Malformed(400, "the Host header is no host and port")


def _target(target: bytes) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], bool]:
    if len(target) > MAX_TARGET:
        raise Malformed(414, f"the request target has more than {MAX_TARGET} bytes")
    if not target.startswith(b"/"):
        raise Malformed(400, "the request target is not in origin form: a path that begins with a slash")
    if not _TARGET.match(target):
        raise Malformed(400, "the request target holds a character that it may not, such as ; # \\ or one beyond ASCII")
    if _ESCAPE.search(target):
        raise Malformed(400, "a percent sign in the request target is not followed by two hexadecimal digits")
    path, _, raw_query = target.partition(b"?")
    raw_segments = path[1:].split(b"/")
    slash = raw_segments[-1] == b""
    if slash:
        raw_segments.pop()
    if len(raw_segments) > MAX_SEGMENTS:
        raise Malformed(414, f"the path has more than {MAX_SEGMENTS} segments")
    return tuple(map(_segment, raw_segments)), _query(raw_query), slash


def _segment(raw: bytes) -> str:
    text = _utf8(unquote_to_bytes(raw), "path")
    if text == "":
        raise Malformed(400, "the path has two slashes in a row")
    if text in (".", ".."):
        raise Malformed(400, "the path has a segment . or ..")
    if _IN_SEGMENT.search(text):
        raise Malformed(
            400, "a segment of the path holds an encoded slash, backslash, percent sign, semicolon or control character"
        )
    return text


def _query(raw: bytes) -> tuple[tuple[str, str], ...]:
    if b"?" in raw:
        raise Malformed(400, "the query holds a second question mark")
    found: list[tuple[str, str]] = []
    for pair in raw.split(b"&"):
        if not pair:
            continue
        key, _, value = (_utf8(unquote_to_bytes(one.replace(b"+", b" ")), "query") for one in pair.partition(b"="))
        if _IN_QUERY.search(key):
            raise Malformed(400, "the name of a query parameter holds a control character")
        if key.lower().replace("-", "_") in _TOKENS:
            raise Malformed(
                400, "a credential is not taken from the query, where logs would keep it: send Authorization: Bearer"
            )
        found.append((key, value))
    if len(found) > MAX_PARAMETERS:
        raise Malformed(414, f"the query has more than {MAX_PARAMETERS} parameters")
    return tuple(found)


def _utf8(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(400, f"the {where} is not UTF-8") from None


def _body(method: str, named: list[tuple[str, str]]) -> tuple[int | None, bool]:
    length, coding = _value(named, "content-length"), _value(named, "transfer-encoding")
    if coding is not None and length is not None:
        raise Malformed(400, "Content-Length and Transfer-Encoding are both there")
    if coding is not None and coding.lower() != "chunked":
        raise Malformed(501, "a Transfer-Encoding other than chunked")
    if length is not None and not _NUMBER.match(length.encode("ascii")):
        raise Malformed(400, "the Content-Length is not a number")
    size = None if length is None else int(length)
    if (size or coding is not None) and method in ("GET", "HEAD"):
        raise Malformed(400, f"{method} with a body")
    encoding = _value(named, "content-encoding")
    if encoding is not None and encoding.lower() not in ("", "identity"):
        raise Malformed(415, "a body is taken as it is, not compressed")
    expect = _value(named, "expect")
    if expect is not None and expect.lower() != "100-continue":
        raise Malformed(417, "an Expect other than 100-continue")
    return size, coding is not None


def _bearer(named: list[tuple[str, str]]) -> Secret | None:
    value = _value(named, "authorization")
    if value is None:
        return None
    found = _BEARER.match(value.encode("ascii"))
    if found is None:
        raise Malformed(401, "the Authorization header is no Bearer with one token")
    return Secret(found[1].decode("ascii"))


def _upgrade(
    method: str, named: list[tuple[str, str]], length: int | None, *, chunked: bool
) -> tuple[Upgrade, tuple[str, ...], str]:
    """Which protocol the client wants to go on with, what it offers there, and its WebSocket key."""
    connection = frozenset(one.strip().lower() for one in (_value(named, "connection") or "").split(",")) - {""}
    if beyond := connection - {"close", "keep-alive", "upgrade"}:
        raise Malformed(400, f"Connection names {len(beyond)} headers that would be taken away on the way")
    wanted = (_value(named, "upgrade") or "").lower()
    if not wanted and "upgrade" not in connection:
        if any(name.startswith("sec-websocket-") for name, _ in named):
            raise Malformed(400, "WebSocket headers without an upgrade")
        return "", (), ""
    if wanted not in ("websocket", "spdy/3.1") or "upgrade" not in connection:
        raise Malformed(400, "an upgrade is to websocket or SPDY/3.1, and both Connection and Upgrade say so")
    if length or chunked:
        raise Malformed(400, "an upgrade with a body")
    if wanted == "websocket":
        key = (_value(named, "sec-websocket-key") or "").encode("ascii")
        if method != "GET" or _value(named, "sec-websocket-version") != "13" or not _WEBSOCKET_KEY.match(key):
            raise Malformed(400, "a WebSocket handshake is a GET with version 13 and a key of 16 bytes")
        return "websocket", _offered(named, "sec-websocket-protocol"), key.decode("ascii")
    if method not in ("GET", "POST"):
        raise Malformed(400, "an upgrade to SPDY is a GET or a POST")
    return "spdy", _offered(named, "x-stream-protocol-version"), ""


def _offered(named: list[tuple[str, str]], header: str) -> tuple[str, ...]:
    words = [one.strip() for name, value in named if name == header for one in value.split(",")]
    words = [one for one in words if one]
    if any(one.lower().startswith("base64url.bearer.") for one in words):
        raise Malformed(401, "a credential is not taken from a subprotocol: send Authorization: Bearer")
    if len(words) > 16 or not all(map(_SUBPROTOCOL.match, words)):
        raise Malformed(400, f"the header {header} is no list of at most 16 protocols")
    return tuple(words)
