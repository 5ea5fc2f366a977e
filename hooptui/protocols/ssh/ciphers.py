"""AES-GCM for SSH packets (RFC 5647, in OpenSSH's way), and a decompressor that does not swell. In asyncssh's own shapes.

asyncssh makes a new cipher of the key for each packet and copies the packet six times; this makes one, and copies once.
"""

from __future__ import annotations

import zlib
from typing import Final

from asyncssh.compression import Decompressor
from asyncssh.encryption import Encryption, GCMEncryption
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TAG: Final = 16
"""Bytes of the tag behind each packet."""
BLOCK: Final = 16
"""What a packet's size without its length field is a multiple of."""
_COUNTS: Final = 1 << 64

INFLATED: Final = 256 * 1024
"""Bytes that one packet may be when decompressed, as many as asyncssh takes of one that is not compressed."""


class Gcm(Encryption):
    """One direction of a connection from one key exchange to the next."""

    __slots__ = ("_aes", "_count", "_fixed", "opened")

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._aes = AESGCM(key)
        self._fixed, self._count = iv[:4], int.from_bytes(iv[4:], "big")
        self.opened: bytes | None = None
        """A packet that `open` has decrypted already: what `decrypt_packet` gives next."""

    def seal(self, header: bytes, packet: bytes) -> bytes:
        """A packet encrypted, with its tag; `header` is its length, which is sent as it is."""
        return self._aes.encrypt(self._nonce(), packet, header)

    def seal_into(self, header: bytes, packet: bytes, sealed: memoryview) -> None:
        """As `seal`, into `sealed`, which is longer than the packet by `TAG`."""
        count = self._count
        self._count = (count + 1) % _COUNTS
        self._aes.encrypt_into(self._fixed + count.to_bytes(8, "big"), packet, header, sealed)

    def open(self, header: memoryview, sealed: memoryview) -> bytes | None:
        """The packet in what `seal` gave; None when it is not from who has the key."""
        try:
            return self._aes.decrypt(self._nonce(), sealed, header)
        except InvalidTag:
            return None

    def open_into(self, header: memoryview, sealed: memoryview, packet: memoryview) -> bool:
        """As `open`, into `packet`, which is as long as it; whether it is from who has the key."""
        count = self._count
        self._count = (count + 1) % _COUNTS
        try:
            self._aes.decrypt_into(self._fixed + count.to_bytes(8, "big"), sealed, header, packet)
        except InvalidTag:
            return False
        return True

    # --- asyncssh's shape

    def encrypt_packet(self, seq: int, header: bytes, packet: bytes) -> tuple[bytes, bytes]:
        sealed = self.seal(header, packet)
        return header + sealed[:-TAG], sealed[-TAG:]

    def decrypt_header(self, seq: int, first_block: bytes, header_len: int) -> tuple[bytes, bytes]:
        return first_block, first_block[:header_len]

    def decrypt_packet(self, seq: int, first: bytes, rest: bytes, header_len: int, mac: bytes) -> bytes | None:
        opened, self.opened = self.opened, None
        if opened is not None:
            return opened
        return self.open(memoryview(first)[:header_len], memoryview(first[header_len:] + rest + mac))

    def _nonce(self) -> bytes:
        # Counted for each packet, good or not: a nonce is never used twice.
        count = self._count
        self._count = (count + 1) % _COUNTS
        return self._fixed + count.to_bytes(8, "big")


def adopted(known: Encryption | None) -> Encryption | None:
    """The same cipher as `Gcm`, at the same packet; others as they are."""
    if type(known) is not GCMEncryption:
        return known
    cipher = known._cipher
    return Gcm(cipher._key, cipher._iv)


class Inflater(Decompressor):
    """zlib over packets, none of which may become larger than `INFLATED`."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj()

    def decompress(self, data: bytes) -> bytes | None:
        """None when it makes no sense, or is too large."""
        try:
            out = self._zlib.decompress(data, INFLATED)
        except zlib.error:
            return None
        return None if self._zlib.unconsumed_tail else out
