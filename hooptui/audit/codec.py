"""Events to JSON lines and back. Knows no file, no chain and no order.

One line is `{"at":1700000000.5,"session":"7f3a","kind":"asked","data":{…}}`, UTF-8, without its newline. `kind` is the
body's class name in snake case and `data` has the fields of `hooptui.core.events` in their written order. Reading is
strict: an unknown kind or field is an error that names it.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from math import isfinite
from typing import Any, Final, get_type_hints

import msgspec

from hooptui.core.events import BODIES, Alert, Body, Event
from hooptui.core.gate import Masked

MAX_LINE: Final = 32 * 1024 * 1024
"""Bytes; a longer line is neither written nor read."""


class Unwritable(ValueError):
    """This event has no line: a number that JSON cannot hold, or far too long. Names kind and field, never a value."""


class Unreadable(ValueError):
    """These bytes are no line of ours; the message says what was found."""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    at: float
    session: str
    kind: str
    data: msgspec.Raw


class _Written(msgspec.Struct, gc=False):
    """The same with its body as it is, so that one call of the encoder makes the whole line."""

    at: float
    session: str
    kind: str
    data: object


def kind_of(body: type[Body]) -> str:
    """The tag of a body's class: `SessionOpened` is `session_opened`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", body.__name__).lower()


def _reader(body: type[Body]) -> msgspec.json.Decoder[Any]:
    """A decoder for the fields of one body. A struct of the same shape, because only structs can forbid unknown fields."""
    hints = get_type_hints(body)
    shape: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in fields(body):
        plain = (field.name, hints[field.name])
        shape.append(plain if field.default is MISSING else (*plain, field.default))
    return msgspec.json.Decoder(msgspec.defstruct(body.__name__, shape, forbid_unknown_fields=True))


def _numbers(body: type[Body]) -> tuple[str, ...]:
    """Names of the fields that may hold a float."""
    return tuple(name for name, hint in get_type_hints(body).items() if hint in (float, float | None))


_KINDS: Final = {kind_of(body): body for body in BODIES}
_READERS: Final = {kind: _reader(body) for kind, body in _KINDS.items()}
_WRITERS: Final = {body: (kind, _numbers(body)) for kind, body in _KINDS.items()}
_encode: Final = msgspec.json.Encoder().encode
_line: Final = msgspec.json.Decoder(_Line)


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
    if not isfinite(at):
        raise Unwritable("the time of an event is not a finite number")
    try:
        line = _encode(_Written(at, event.session, kind, body))
    except UnicodeEncodeError:
        line = _encode(_Written(at, _clean(event.session), kind, _clean(msgspec.to_builtins(body))))
    except (TypeError, OverflowError, RecursionError) as error:
        raise Unwritable(f"{kind}: {type(error).__name__}") from None
    if len(line) > MAX_LINE:
        raise Unwritable(f"{kind} takes {len(line)} bytes, more than the {MAX_LINE} that a line may have")
    return line


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


def decode_event(line: bytes | msgspec.Raw) -> Event:
    """The event of one line.

    Raises:
        Unreadable: not JSON, or not of the shape that `encode_event` writes.
    """
    try:
        outer = _line.decode(line)
        reader = _READERS.get(outer.kind)
        if reader is None:
            raise Unreadable(f"unknown kind of event: {_short(outer.kind)}")
        values = reader.decode(outer.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"{error}") from None
    return Event(outer.at, outer.session, _KINDS[outer.kind](*msgspec.structs.astuple(values)))


def own_alert(at: float, code: str, text: str, session: str = "") -> Event:
    """An alert in hooptui's own words, with nothing from outside in it, for what the journal says in records of its own."""
    return Event(at, session, Alert(code, Masked(text)))


def beginning(text: Masked, length: int) -> Masked:
    """The first characters of what is masked are masked too: a mask never depends on what follows it."""
    return Masked(text[:length])


def _short(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:40] + "…")
