"""Events to JSON lines. Knows no file, no chain and no order; `codec` reads what this writes and says what it looks like."""

from __future__ import annotations

import re
import sys
from math import isfinite
from typing import Any, Final, get_type_hints

import msgspec

from hooptui.audit.shapes import Written
from hooptui.core.body import Body
from hooptui.core.events import BODIES
from hooptui.core.happening import Event

MAX_LINE = 32 * 1024 * 1024
"""Bytes; a longer line is neither written nor read."""


class Unwritable(ValueError):
    """This event has no line: a number that JSON cannot hold, or far too long. Names kind and field, never a value."""


def kind_of(body: type[Body]) -> str:
    """The tag of a body's class: `SessionOpened` is `session_opened`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", body.__name__).lower()


def _numbers(body: type[Body]) -> tuple[str, ...]:
    """Names of the fields that may hold a float."""
    return tuple(name for name, hint in get_type_hints(body).items() if hint in (float, float | None))


_WRITERS: Final[dict[type[Body], tuple[str, tuple[str, ...]]]] = {
    body: (kind_of(body), _numbers(body)) for body in BODIES
}
_LARGEST: Final = sys.float_info.max
_encode: Final = msgspec.json.Encoder().encode
_encode_lines: Final = msgspec.json.Encoder().encode_lines


def encode_event(event: Event) -> bytes:
    """The line of one event, without newline.

    Lone surrogates, which UTF-8 cannot hold, are written as the text of their escape: `\\ud83d`.

    Raises:
        Unwritable: its body is of no known kind or holds what JSON cannot hold, or the line exceeds `MAX_LINE`.
    """
    body = event.body
    known = _WRITERS.get(type(body))
    if known is None:
        raise Unwritable(f"{type(body).__name__} is no kind of event")
    kind, numbers = known
    for name in numbers:
        number = getattr(body, name)
        if number is not None and not isfinite(number):
            raise Unwritable(f"{kind}.{name} is not a finite number")
    at = event.at
    if not -_LARGEST <= at <= _LARGEST:
        raise Unwritable("the time of an event is not a finite number")
    try:
        line = _encode(Written(at, event.session, kind, body))
    except UnicodeEncodeError:
        line = _encode(Written(at, _clean(event.session), kind, _clean(msgspec.to_builtins(body))))
    except (TypeError, OverflowError, RecursionError) as error:
        raise Unwritable(f"{kind}: {type(error).__name__}") from None
    if len(line) > MAX_LINE:
        raise Unwritable(f"{kind} takes {len(line)} bytes, more than the {MAX_LINE} that a line may have")
    return line


def encode_events(events: list[Event]) -> list[bytes]:
    """`encode_event` for several, all of them `light` in the word of `staged`.

    Raises:
        Unwritable: one of them is not.
    """
    try:
        written = [Written(event.at, event.session, _WRITERS[type(event.body)][0], event.body) for event in events]
        lines = _encode_lines(written).split(b"\n")
    except (KeyError, UnicodeEncodeError, TypeError, OverflowError, RecursionError):
        return [encode_event(event) for event in events]
    lines.pop()
    return lines


def _clean(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case list() | tuple():
            return [_clean(one) for one in value]
        case dict():
            return {key: _clean(one) for key, one in value.items()}
        case _:
            return value
