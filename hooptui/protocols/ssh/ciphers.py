"""AES-GCM, and a decompressor that does not swell. In asyncssh's own shapes.

asyncssh makes a new cipher of the key for each packet and copies the packet six times; this makes one, and copies once.
"""

from __future__ import annotations

import zlib
from typing import Final

from asyncssh.compression import Decompressor
from asyncssh.encryption import Encryption, GCMEncryption

from hooptui.protocols.ssh.lane import TAG, Lane

INFLATED: Final = 256 * 1024
"""Bytes that one packet may be when decompressed, as many as asyncssh takes of one that is not compressed."""


class Gcm(Encryption):
    """A `Lane`, as asyncssh has its ciphers."""

    __slots__ = ("lane", "opened")

    def __init__(self, key: bytes, iv: bytes) -> None:
        self.lane = Lane(key, iv)
        self.opened: bytes | None = None
        """A packet that the lane has opened already: what `decrypt_packet` gives next."""

    # --- asyncssh's shape

    def encrypt_packet(self, seq: int, header: bytes, packet: bytes) -> tuple[bytes, bytes]:
        sealed = self.lane.seal(header, packet)
        return header + sealed[:-TAG], sealed[-TAG:]

    def decrypt_header(self, seq: int, first_block: bytes, header_len: int) -> tuple[bytes, bytes]:
        return first_block, first_block[:header_len]

    def decrypt_packet(self, seq: int, first: bytes, rest: bytes, header_len: int, mac: bytes) -> bytes | None:
        opened, self.opened = self.opened, None
        if opened is not None:
            return opened
        return self.lane.open(first[:header_len], first[header_len:] + rest + mac)


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
