"""The lines of the journal: each names the hash of the one before, some are signed. Knows no file.

    {"seq":7,"prev":"<64 hex>","event":{…}}         an event, as `codec` writes it
    {"seq":8,"prev":"<64 hex>","checkpoint":{…}}    an Ed25519 signature over sequence number and `prev`
    {"seq":9,"prev":"<64 hex>","gap":{…}}           recording had stopped for a while; what happened to what was queued

`prev` is the SHA-256 of the bytes of the previous line without its newline. The first line's `prev` is the SHA-256 of
`hooptui journal v1\\n` and the fingerprint of the key, so that a journal belongs to one key from its first line on.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hooptui.audit.codec import Unreadable
from hooptui.audit.shapes import Checkpoint, Gap
from hooptui.audit.tail import Chain, checkpoint_line, genesis, line_hash, signed

__all__ = [
    "ABSENT",
    "Chain",
    "Checkpoint",
    "Gap",
    "Record",
    "checkpoint_line",
    "genesis",
    "line_hash",
    "parse",
    "signed",
]

ABSENT: Final = msgspec.Raw()


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """One line, read. Exactly one of `event`, `checkpoint` and `gap` is set."""

    seq: int
    prev: str
    event: msgspec.Raw = ABSENT
    """JSON of the event, for `codec.decode_event`; the very `ABSENT` when there is none."""
    checkpoint: Checkpoint | None = None
    gap: Gap | None = None


_record: Final = msgspec.json.Decoder(Record)


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
