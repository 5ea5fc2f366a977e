"""Errors, notices and notifications of the server as the client may see them. Pure.

A cast error quotes the value it could not read, a unique violation's DETAIL shows the key, a RAISE says whatever it likes.
So every text in them passes the masker; and while columns are masked by name, for which no text gives itself away, what is
made of values is left out: DETAIL, CONTEXT, the internal query, and what a data exception puts in quotes.
"""

from __future__ import annotations

import re
from typing import Final

from hooptui.core.ports import Masker
from hooptui.protocols.postgres import build, codec
from hooptui.protocols.postgres.settings import Settings

_PLAIN: Final = frozenset("SVCPpFLR")
"""Fields that hold no value: severity, code, positions, where in the server's source."""
_MADE_OF_VALUES: Final = frozenset("DWq")
_QUOTED: Final = re.compile(r'"[^"]*"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb|\u201e[^\u201c]*\u201c')
_LEFT_OUT: Final = "left out by hooptui: columns are masked in this session"
_HIDDEN: Final = '"\u2588\u2588\u2588\u2588"'

FATAL: Final = (b"FATAL", b"PANIC")


def masks_columns(masker: Masker) -> bool:
    """Whether some mask goes by the column's name."""
    return any(rule.columns for rule in masker.masks.rules)


def masked(kind: int, raw: bytes, fields: dict[str, bytes], masker: Masker, settings: Settings) -> bytes:
    """An ErrorResponse or NoticeResponse under the session's masks; the same bytes when they do not touch it.

    Args:
        raw: the whole message, `fields` what `codec.error_fields` read from it.
    """
    if not masker.masks:
        return raw
    by_name = masks_columns(masker)
    shown: dict[str, bytes] = {}
    for code, value in fields.items():
        if code in _PLAIN:
            shown[code] = value
        elif by_name and code in _MADE_OF_VALUES:
            if code == "D":
                shown[code] = _LEFT_OUT.encode()
        else:
            shown[code] = _text(value, masker, settings, data=by_name and fields.get("C", b"")[:2] == b"22")
    if all(shown.get(code) is value for code, value in fields.items()):
        return raw
    return build.fields(bytes((kind,)), shown)


def words(fields: dict[str, bytes], settings: Settings) -> str:
    """Code, text and detail in one line, raw."""
    parts = [fields.get("C", b""), fields.get("M", b""), fields.get("D", b"")]
    return " ".join(settings.show(part) for part in parts if part)


def notification(raw: bytes, masker: Masker, settings: Settings) -> tuple[bytes, str]:
    """A NotificationResponse under the session's masks, and its raw words for the record."""
    said = codec.notification(raw)
    text = f"{settings.show(said.channel)} {settings.show(said.payload)}".rstrip()
    if not masker.masks:
        return raw, text
    channel = _text(said.channel, masker, settings, data=False)
    payload = _text(said.payload, masker, settings, data=False)
    if channel is said.channel and payload is said.payload:
        return raw, text
    return build.notification(said.pid, channel, payload), text


def _text(value: bytes, masker: Masker, settings: Settings, *, data: bool) -> bytes:
    """The very same object when nothing is masked."""
    text = settings.show(value)
    shown = str(masker.text(_QUOTED.sub(_HIDDEN, text) if data else text))
    return value if shown == text else shown.encode(settings.codec, "replace").replace(b"\0", b"?")
