"""SPDY/3.1 frames as Kubernetes uses them (draft-mbelshe-httpbis-spdy-00 with its dictionary), to values and back. Pure.

Streams have no windows here: clients and servers of Kubernetes neither send WINDOW_UPDATE nor wait for it, so that back-pressure is
TCP's alone. Each direction has one zlib stream for its header blocks; who reads must read them all.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final, TypeAlias

_PLAIN: Final = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization "
    "cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range "
    "content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified "
    "location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding "
    "upgrade user-agent vary via warning www-authenticate method get status"
)
_WORDS: Final = (
    *_PLAIN.split(" "), "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin",
)  # fmt: skip
_TEXT: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information"
    "204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error"
    "501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, "
    "Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY: Final = b"".join(struct.pack(">I", len(word)) + word.encode() for word in _WORDS) + _TEXT.encode()
"""Section 2.6.10.1; Adler-32 0xe3c6a7c2."""

VERSION: Final = 3
FIN: Final = 0x01
HEADERS_MAX: Final = 64 * 1024
"""Bytes of one header block, unpacked."""
CONTROL_MAX: Final = 64 * 1024
"""Bytes of one control frame."""
COUNT_MAX: Final = 64

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW = 1, 2, 3, 4, 6, 7, 8, 9

PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, INTERNAL_ERROR = 1, 3, 5, 6
"""Status codes of RST_STREAM (section 2.6.3)."""

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Broken(Exception):
    """The other side does not keep to the protocol; the words say how, and quote nothing."""


@dataclass(frozen=True, slots=True)
class Open:
    """SYN_STREAM."""

    stream: int
    headers: Headers
    last: bool = False
    """Its opener sends nothing on it."""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Reply:
    """SYN_REPLY."""

    stream: int
    headers: Headers
    last: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    stream: int
    code: int


@dataclass(frozen=True, slots=True)
class Data:
    """Data of one stream, perhaps a part of its frame."""

    stream: int
    data: bytes
    last: bool = False


@dataclass(frozen=True, slots=True)
class Ping:
    number: int


@dataclass(frozen=True, slots=True)
class Away:
    """GOAWAY: no new streams."""


Frame: TypeAlias = Open | Reply | Reset | Data | Ping | Away


class Reader:
    """Bytes of one side to frames; what means nothing here (SETTINGS, WINDOW_UPDATE) is left out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._unpack = zlib.decompressobj(zdict=DICTIONARY)
        self._stream = 0
        self._left = 0
        """Bytes that are still to come of a data frame on `_stream`."""
        self._last = False

    def feed(self, data: bytes) -> list[Frame]:
        """Raises:
        Broken: nothing more of this side can be understood.
        """
        self._buffer += data
        found: list[Frame] = []
        while True:
            if self._left:
                if not self._buffer:
                    return found
                part = bytes(self._buffer[: self._left])
                del self._buffer[: len(part)]
                self._left -= len(part)
                found.append(Data(self._stream, part, self._last and not self._left))
                continue
            if len(self._buffer) < 8:
                return found
            first, second = struct.unpack_from(">II", self._buffer)
            flags, size = second >> 24, second & 0xFFFFFF
            if not first & 0x80000000:
                del self._buffer[:8]
                self._stream, self._left, self._last = first, size, bool(flags & FIN)
                if not size:
                    found.append(Data(first, b"", self._last))
                continue
            if size > CONTROL_MAX:
                raise Broken(f"a control frame has more than {CONTROL_MAX} bytes")
            if len(self._buffer) < 8 + size:
                return found
            body = bytes(self._buffer[8 : 8 + size])
            del self._buffer[: 8 + size]
            if (first >> 16) & 0x7FFF != VERSION:
                raise Broken("a control frame of another version than 3")
            one = self._control(first & 0xFFFF, flags, body)
            if one is not None:
                found.append(one)

    def _control(self, kind: int, flags: int, body: bytes) -> Frame | None:
        least = {_SYN_STREAM: 10, _SYN_REPLY: 4, _RST_STREAM: 8, _PING: 4, _GOAWAY: 4, _HEADERS: 4}.get(kind, 0)
        if len(body) < least:
            raise Broken("a control frame is too short")
        number = int.from_bytes(body[:4], "big") & 0x7FFFFFFF if least else 0
        match kind:
            case 1:
                return Open(number, self._headers(body[10:]), bool(flags & FIN))
            case 2:
                return Reply(number, self._headers(body[4:]), bool(flags & FIN))
            case 3:
                return Reset(number, int.from_bytes(body[4:8], "big"))
            case 6:
                return Ping(int.from_bytes(body[:4], "big"))
            case 7:
                return Away()
            case 8:
                # Means nothing here, but is part of the one compressed stream.
                self._headers(body[4:])
        return None

    def _headers(self, packed: bytes) -> Headers:
        try:
            plain = self._unpack.decompress(packed, HEADERS_MAX + 1)
        except zlib.error:
            raise Broken("a header block cannot be unpacked") from None
        if len(plain) > HEADERS_MAX or self._unpack.unconsumed_tail:
            raise Broken(f"a header block has more than {HEADERS_MAX} bytes")
        try:
            (count,) = struct.unpack_from(">I", plain)
            if count > COUNT_MAX:
                raise Broken(f"a header block has more than {COUNT_MAX} headers")
            at, found = 4, []
            for _ in range(count):
                pair = []
                for _ in range(2):
                    (size,) = struct.unpack_from(">I", plain, at)
                    if at + 4 + size > len(plain):
                        raise Broken("a header block is too short")
                    pair.append(plain[at + 4 : at + 4 + size].decode("latin-1"))
                    at += 4 + size
                found.append((pair[0].lower(), pair[1]))
        except struct.error:
            raise Broken("a header block is too short") from None
        return tuple(found)


class Writer:
    """Frames to bytes, for one direction."""

    def __init__(self) -> None:
        self._pack = zlib.compressobj(zdict=DICTIONARY)

    def open(self, stream: int, headers: Headers, *, last: bool = False) -> bytes:
        return self._framed(_SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + self._block(headers), last)

    def reply(self, stream: int, headers: Headers = (), *, last: bool = False) -> bytes:
        return self._framed(_SYN_REPLY, struct.pack(">I", stream) + self._block(headers), last)

    def reset(self, stream: int, code: int) -> bytes:
        return self._framed(_RST_STREAM, struct.pack(">II", stream, code), False)

    def ping(self, number: int) -> bytes:
        return self._framed(_PING, struct.pack(">I", number), False)

    def away(self, last_stream: int) -> bytes:
        return self._framed(_GOAWAY, struct.pack(">II", last_stream, 0), False)

    @staticmethod
    def data(stream: int, data: bytes, *, last: bool = False) -> bytes:
        return struct.pack(">II", stream, ((FIN if last else 0) << 24) | len(data)) + data

    def _block(self, headers: Headers) -> bytes:
        plain = struct.pack(">I", len(headers)) + b"".join(
            struct.pack(">I", len(raw)) + raw for pair in headers for raw in (part.encode("latin-1") for part in pair)
        )
        return self._pack.compress(plain) + self._pack.flush(zlib.Z_SYNC_FLUSH)

    @staticmethod
    def _framed(kind: int, body: bytes, last: bool) -> bytes:
        head = struct.pack(">II", 0x80000000 | VERSION << 16 | kind, ((FIN if last else 0) << 24) | len(body))
        return head + body
