"""AES-GCM for SSH packets (RFC 5647, in OpenSSH's way) from one key exchange to the next, in one direction.

Works from and into given places, so that a packet is moved by nothing but its encryption. Knows no connection and no packet.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TAG: Final = 16
"""Bytes of the tag behind each packet."""
BLOCK: Final = 16
"""What a packet's size without its length field is a multiple of."""
_COUNTS: Final = 1 << 64
_POOL: Final = 4096


class Lane:
    """See the module."""

    __slots__ = ("_aes", "_at", "_count", "_fixed", "_pool")

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._aes = AESGCM(key)
        self._fixed, self._count = iv[:4], int.from_bytes(iv[4:], "big")
        self._pool = b""
        self._at = 0

    def padding(self, size: int) -> bytes:
        """Random bytes, few."""
        at = self._at
        if at + size > len(self._pool):
            self._pool, at = os.urandom(_POOL), 0
        self._at = at + size
        return self._pool[at : at + size]

    def seal(self, header: bytes, packet: bytes | memoryview) -> bytes:
        """A packet encrypted, with its tag; `header` is its length, which is sent as it is."""
        return self._aes.encrypt(self._nonce(), packet, header)

    def seal_into(self, header: bytes, packet: bytes | memoryview, sealed: memoryview) -> None:
        """As `seal`, into `sealed`, which is longer than the packet by `TAG`."""
        self._aes.encrypt_into(self._nonce(), packet, header, sealed)

    def open(self, header: bytes | memoryview, sealed: bytes | memoryview) -> bytes | None:
        """The packet in what `seal` gave; None when it is not from who has the key."""
        try:
            return self._aes.decrypt(self._nonce(), sealed, header)
        except InvalidTag:
            return None

    def open_into(self, header: bytes | memoryview, sealed: memoryview, packet: memoryview) -> bool:
        """As `open`, into `packet`, which is as long as it; whether it is from who has the key."""
        try:
            self._aes.decrypt_into(self._nonce(), sealed, header, packet)
        except InvalidTag:
            return False
        return True

    def _nonce(self) -> bytes:
        # Counted for each packet, good or not: a nonce is never used twice.
        count = self._count
        self._count = (count + 1) % _COUNTS
        return self._fixed + count.to_bytes(8, "big")
