"""What the server reports of its session's settings, as far as it decides how a statement's bytes are to be read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REPORTED: Final = frozenset(
    {
        b"server_version", b"server_encoding", b"client_encoding", b"application_name", b"default_transaction_read_only",
        b"in_hot_standby", b"is_superuser", b"session_authorization", b"DateStyle", b"IntervalStyle", b"TimeZone",
        b"integer_datetimes", b"standard_conforming_strings", b"scram_iterations", b"search_path",
    }
)  # fmt: skip
"""Settings that PostgreSQL up to 18 reports; the name or value of any other could be anything."""

_MASKING_TRAILERS: Final = frozenset({"SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004"})
"""Client encodings in which a byte that looks like a quote or backslash may be the second half of a character."""

_CODECS: Final[dict[str, str]] = {
    "UTF8": "utf-8", "UNICODE": "utf-8", "SQL_ASCII": "utf-8", "LATIN1": "latin-1", "LATIN2": "iso8859-2",
    "LATIN3": "iso8859-3", "LATIN4": "iso8859-4", "LATIN5": "iso8859-9", "LATIN6": "iso8859-10", "LATIN7": "iso8859-13",
    "LATIN8": "iso8859-14", "LATIN9": "iso8859-15", "LATIN10": "iso8859-16", "ISO_8859_5": "iso8859-5",
    "ISO_8859_6": "iso8859-6", "ISO_8859_7": "iso8859-7", "ISO_8859_8": "iso8859-8", "WIN866": "cp866", "WIN874": "cp874",
    "WIN1250": "cp1250", "WIN1251": "cp1251", "WIN1252": "cp1252", "WIN1253": "cp1253", "WIN1254": "cp1254",
    "WIN1255": "cp1255", "WIN1256": "cp1256", "WIN1257": "cp1257", "WIN1258": "cp1258", "KOI8R": "koi8-r",
    "KOI8U": "koi8-u", "EUC_JP": "euc_jp", "EUC_KR": "euc_kr", "EUC_CN": "gb2312",
}  # fmt: skip


class NotReadable(Exception):
    """A statement's bytes cannot be read with certainty; the message says why."""


class Settings:
    """The session's reported settings as they are now."""

    def __init__(self, reported: Mapping[bytes, bytes]) -> None:
        self._values = dict(reported)
        self._refresh()

    def report(self, name: bytes, value: bytes) -> bool:
        """The server reports a setting. False when it is none that the client should be told of."""
        if name not in REPORTED:
            return False
        self._values[name] = value
        self._refresh()
        return True

    def _refresh(self) -> None:
        self.standard = self._values.get(b"standard_conforming_strings") == b"on"
        """Backslashes in plain string literals mean nothing."""
        self.encoding = self._values.get(b"client_encoding", b"").decode("ascii", "replace").upper()
        self.splits_bytes = self.encoding in _MASKING_TRAILERS
        """An ASCII byte may be part of a longer character."""
        self.codec = _CODECS.get(self.encoding, "latin-1")
        """Python's name for decoding what the client sends and is sent; where there is none, one that keeps the bytes apart."""

    def text(self, raw: bytes) -> str:
        """A statement as the server's parser will see it.

        Raises:
            NotReadable: server and gateway might read it differently.
        """
        if not self.standard and b"\\'" in raw:
            raise NotReadable("it escapes a quote by a backslash while standard_conforming_strings is off")
        if raw.isascii():
            return raw.decode("ascii")
        if self.splits_bytes:
            raise NotReadable(f"it is not plain ASCII, which {self.encoding} does not keep apart from other characters")
        try:
            return raw.decode(self.codec)
        except UnicodeDecodeError:
            if self.encoding == "SQL_ASCII":
                return raw.decode("latin-1")
            raise NotReadable(f"it is not valid {self.encoding}") from None

    def show(self, raw: bytes) -> str:
        """Text for people; never fails."""
        return raw.decode(self.codec, "replace")


def depends(raw: bytes) -> bool:
    """Whether the settings could change how this statement is read."""
    return not raw.isascii() or b"\\'" in raw
