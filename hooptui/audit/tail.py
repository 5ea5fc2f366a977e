"""The end of the journal's chain, where the next line is made. Knows no file and reads no line; `chain` says what lines look like."""

from __future__ import annotations

from binascii import hexlify
from hashlib import sha256
from typing import Final, final

import msgspec

from hooptui.audit.keys import Signer
from hooptui.audit.shapes import Checkpoint, Gap

_encode: Final = msgspec.json.Encoder().encode


@final
class Chain:
    """What the next line has to name. Not a dataclass, because compiled ones are reached without a look-up."""

    __slots__ = ("hash", "seq")

    def __init__(self, seq: int, last: bytes) -> None:
        self.seq = seq
        """Sequence number of the last line; 0 before the first."""
        self.hash = last
        """Its hash, 64 hex digits."""

    def event(self, event: bytes) -> bytes:
        """The next line, newline included, for an encoded event."""
        # `_add`, written out: this is the hot path.
        self.seq += 1
        line = b'{"seq":%d,"prev":"%b","event":%b}' % (self.seq, self.hash, event)
        self.hash = hexlify(sha256(line).digest())
        return line + b"\n"

    def checkpoint(self, signer: Signer, at: float) -> bytes:
        """The next line: a signature over everything so far."""
        seq, prev = self.seq + 1, self.hash.decode()
        sig = signer.sign(signed(seq, prev, at, signer.fingerprint))
        return self._add(checkpoint_line(seq, prev, Checkpoint(at, signer.fingerprint, sig.hex())))

    def gap(self, gap: Gap) -> bytes:
        return self._add(b'{"seq":%d,"prev":"%b","gap":%b}' % (self.seq + 1, self.hash, _encode(gap)))

    def _add(self, line: bytes) -> bytes:
        self.hash = hexlify(sha256(line).digest())
        self.seq += 1
        return line + b"\n"


def genesis(fingerprint: str) -> Chain:
    """The empty chain of a key."""
    return Chain(0, line_hash(b"hooptui journal v1\n" + fingerprint.encode()))


def line_hash(line: bytes) -> bytes:
    """Hash of a line without its newline, as 64 hex digits."""
    return hexlify(sha256(line).digest())


def signed(seq: int, prev: str, at: float, key: str) -> bytes:
    """What a checkpoint's signature covers."""
    return f"hooptui journal checkpoint v1\nseq {seq}\nprev {prev}\nat {at!r}\nkey {key}\n".encode()


def checkpoint_line(seq: int, prev: str, checkpoint: Checkpoint) -> bytes:
    """The only way to write this checkpoint; the checker compares it with what it found."""
    return b'{"seq":%d,"prev":"%b","checkpoint":%b}' % (seq, prev.encode(), _encode(checkpoint))
