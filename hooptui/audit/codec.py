"""JSON lines back to events; `encoding` writes them. Knows no file, no chain and no order.

One line is `{"at":1700000000.5,"session":"7f3a","kind":"asked","data":{…}}`, UTF-8, without its newline. `kind` is the
body's class name in snake case and `data` has the fields of `hooptui.core.events` in their written order. Reading is
strict: an unknown kind or field is an error that names it.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, Final, get_type_hints

import msgspec

from hooptui.audit.encoding import MAX_LINE, Unwritable, encode_event, kind_of
from hooptui.core.events import BODIES, Alert, Body, Event
from hooptui.core.gate import Masked

__all__ = ["MAX_LINE", "Unreadable", "Unwritable", "beginning", "decode_event", "encode_event", "kind_of", "own_alert"]


class Unreadable(ValueError):
    """These bytes are no line of ours; the message says what was found."""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    at: float
    session: str
    kind: str
    data: msgspec.Raw


def _reader(body: type[Body]) -> msgspec.json.Decoder[Any]:
    """A decoder for the fields of one body. A struct of the same shape, because only structs can forbid unknown fields."""
    hints = get_type_hints(body)
    shape: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in fields(body):
        plain = (field.name, hints[field.name])
        shape.append(plain if field.default is MISSING else (*plain, field.default))
    return msgspec.json.Decoder(msgspec.defstruct(body.__name__, shape, forbid_unknown_fields=True))


_KINDS: Final = {kind_of(body): body for body in BODIES}
_READERS: Final = {kind: _reader(body) for kind, body in _KINDS.items()}
_line: Final = msgspec.json.Decoder(_Line)


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
