"""Feeding streams in every way they can come, and what they hide."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence

from hooptui.core.model import MaskAction, MaskRule, MaskSet
from hooptui.masking import detectors
from hooptui.masking.streams import StreamMasker

KEY = bytes(range(32))
PAINT = (
    b"\x1b[31m", b"\x1b[0m", b"\x1b[1;38;5;208m", b"\x1b[K", b"\x1b(B", b"\x1b[?25l", b"\x07", b"\x0f", b"\x1b]0;title\x07",
    b"\x1b]8;;http://x/\x1b\\", b"\x1b[38:2::1:2:3m", b"\x1b[>4;2m", b"\x1b=",
)  # fmt: skip
"""Control sequences that leave the cursor where it is."""
STAMPS = (*PAINT, b"\x1b[2;9H", b"\x1b[C", b"\r", b"\x1b[1A", b"\x1b7")
"""Control sequences that a secret can be run through with."""
_STEER = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]+[0-~]|\x1b[0-~]|[\x07\x08\x0e\x0f\x7f]|\r(?!\n)"
)


def masker(action: MaskAction = MaskAction.REDACT, detect: Sequence[str] = detectors.ALL) -> StreamMasker:
    return StreamMasker(MaskSet((MaskRule("net", detect=tuple(detect), action=action),)), KEY)


def visible(data: bytes) -> str:
    """What is left without control sequences; written apart from the code under test."""
    return _STEER.sub(b"", data).decode("utf-8", "surrogateescape")


def steering(data: bytes) -> list[bytes]:
    """The control sequences in order, without returns: one before a line end that was masked meets another line end."""
    return [found for found in _STEER.findall(data) if found != b"\r"]


def fed(stream: StreamMasker, chunks: Iterable[bytes]) -> bytes:
    """Everything that comes out while the clock stands still."""
    return b"".join([stream.feed(chunk, 0.0).data for chunk in chunks]) + stream.close().data


def chunked(data: bytes, dice: random.Random) -> Iterator[bytes]:
    most = dice.choice((1, 2, 3, 7, 20, 100, 1000))
    at = 0
    while at < len(data):
        size = dice.randint(1, most)
        yield data[at : at + size]
        at += size


def interleaved(text: str, dice: random.Random, rate: float, stamps: Sequence[bytes] = STAMPS) -> bytes:
    """`text` with control sequences between its characters."""
    out = bytearray()
    for char in text:
        if dice.random() < rate:
            out += dice.choice(stamps)
        out += char.encode()
    return bytes(out)
