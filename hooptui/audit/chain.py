"""The lines of the journal: each names the hash of the one before, some are signed. Knows no file.

    {"seq":7,"prev":"<64 hex>","event":{…}}         an event, as `codec` writes it
    {"seq":8,"prev":"<64 hex>","checkpoint":{…}}    an Ed25519 signature over sequence number and `prev`
    {"seq":9,"prev":"<64 hex>","gap":{…}}           recording had stopped for a while; what happened to what was queued

`prev` is the SHA-256 of the bytes of the previous line without its newline. The first line's `prev` is the SHA-256 of
`hooptui journal v1\\n` and the fingerprint of the key, so that a journal belongs to one key from its first line on.
"""

from __future__ import annotations

from binascii import hexlify
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec

from hooptui.audit.codec import Unreadable
from hooptui.audit.keys import Signer

_encode: Final = msgspec.json.Encoder().encode
ABSENT: Final = msgspec.Raw()


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever holds the key vouches for everything up to and including record `seq - 1`."""

    at: float
    key: str
    """Fingerprint of the public key."""
    sig: str
    """Ed25519 signature over `signed(seq, prev, at, key)`, lower-case hex."""


class Gap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Recording had stopped and goes on. Records up to `after` had been acknowledged as durable before; the `again` that
    follow it were not, were kept in memory, and are written before this one."""

    at: float
    since: float
    segment: str
    after: int
    again: int
    error: str

    @property
    def words(self) -> str:
        return (
            f"the journal could not be written for {self.at - self.since:.1f} s ({self.error}); records up to"
            f" {self.after} were durable before, the {self.again} after it were written again from memory"
        )


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """One line, read. Exactly one of `event`, `checkpoint` and `gap` is set."""

    seq: int
    prev: str
    event: msgspec.Raw = ABSENT
    """JSON of the event, for `codec.decode_event`; the very `ABSENT` when there is none."""
    checkpoint: Checkpoint | None = None
    gap: Gap | None = None


_record: Final = msgspec.json.Decoder(Record)


@dataclass(slots=True)
class Chain:
    """The end of the chain: what the next line has to name."""

    seq: int
    """Sequence number of the last line; 0 before the first."""
    hash: bytes
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


def parse(line: bytes) -> Record:
    """One line without its newline.

    Raises:
        Unreadable: not JSON, or not of the shape of a record.
    """
    try:
        record = _record.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"{error}") from None
    if (record.event is not ABSENT) + (record.checkpoint is not None) + (record.gap is not None) != 1:
        raise Unreadable("a record is exactly one of event, checkpoint and gap")
    return record
