"""What travels over the control socket: one JSON object a line, requests up, replies down.

Pure. Events travel as the lines the journal writes, so that both ends read them with one codec.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from hooptui.audit.codec import decode_event, encode_event
from hooptui.core.bus import Subscription
from hooptui.core.desk import JournalLine
from hooptui.core.events import Event

LONGEST = 32 * 1024 * 1024
"""Bytes of one line; a longer one ends the connection."""

PORTION = 2 * 1024 * 1024
"""Bytes of events that one look at a watch brings: a terminal that is flooded must not keep the gateway encoding, nor break this."""

T = TypeVar("T")


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """One call. `call` names a method of the Desk, or `drain` and `unwatch` for a watch."""

    id: int
    call: str
    args: dict[str, Any] = {}


class Reply(msgspec.Struct):
    """The answer to the request of the same number: `result`, or `error` in words."""

    id: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


_requests = msgspec.json.Decoder(Request)
_replies = msgspec.json.Decoder(Reply)
_encoder = msgspec.json.Encoder()


def read_request(line: bytes) -> Request:
    """Raises:
    msgspec.MsgspecError: what was found and what was expected.
    """
    return _requests.decode(line)


def read_reply(line: bytes) -> Reply:
    return _replies.decode(line)


def encode(value: object) -> bytes:
    return _encoder.encode(value)


def result(raw: msgspec.Raw, kind: type[T]) -> T:
    return msgspec.json.decode(raw, type=kind)


def event_texts(events: tuple[Event, ...] | list[Event]) -> list[str]:
    return [encode_event(event).decode() for event in events]


def drained(watch: Subscription) -> tuple[list[str], int]:
    """What a watch has, up to about `PORTION` bytes of it: the rest waits for the next call. And how many were lost before."""
    texts: list[str] = []
    lost = size = 0
    while size < PORTION:
        some, gone = watch.drain(16)
        lost += gone
        if not some:
            break
        for text in event_texts(some):
            texts.append(text)
            size += len(text)
    return texts, lost


def events(texts: list[str]) -> tuple[Event, ...]:
    return tuple(decode_event(text.encode()) for text in texts)


def journal_texts(lines: tuple[JournalLine, ...]) -> list[tuple[int, str]]:
    return [(line.seq, encode_event(line.event).decode()) for line in lines]


def journal_lines(texts: list[tuple[int, str]]) -> tuple[JournalLine, ...]:
    return tuple(JournalLine(seq, decode_event(text.encode())) for seq, text in texts)
