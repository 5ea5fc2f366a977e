"""What a protected value becomes: a block, its tail, a pseudonym or nothing. Knows no wire format and no column.

The results match no detector, so that masked text can be masked again without harm.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import assert_never

from hooptui.core.model import MaskAction
from hooptui.masking import detectors
from hooptui.masking.prefilter import hits, screen

BLOCK = "█"
STAR = "*"
REDACTED = BLOCK * 4

_STRENGTH = {MaskAction.PARTIAL: 0, MaskAction.HASH: 1, MaskAction.REDACT: 2, MaskAction.NULL: 3}

_EVERY = frozenset(detectors.ALL)

KEEP = 4
"""Most characters that a partial mask leaves."""
_BLOCKS_MAX = 12


@dataclass(frozen=True, slots=True)
class Ruling:
    """An action and the identifier of the mask rule that demands it."""

    action: MaskAction
    rule: str


def stronger(one: Ruling | None, other: Ruling) -> Ruling:
    """The ruling that hides more; the earlier one when they are equal. Null, redact, hash, partial: in this order."""
    if one is None or _STRENGTH[other.action] > _STRENGTH[one.action]:
        return other
    return one


def plain(text: str) -> str:
    """For an encoding that cannot carry the block character."""
    return text.replace(BLOCK, STAR)


def replaced(action: MaskAction, value: str, detector: str, key: bytes) -> str | None:
    """What stands for a found value; None when it has to become NULL.

    `detector` names the kind of value, empty for a value that only its column protects.
    """
    match action:
        case MaskAction.NULL:
            return None
        case MaskAction.REDACT:
            return REDACTED
        case MaskAction.HASH:
            return pseudonym(value, detector, key)
        case MaskAction.PARTIAL:
            return partial(value, detector)
        case _:
            assert_never(action)


def kind(value: str) -> str:
    """The detector whose find `value` is as a whole, empty when it is none."""
    found = hits(screen(_EVERY), value)
    if len(found) == 1 and found[0].whole and found[0].start == 0 and found[0].end == len(value):
        return found[0].detector
    return ""


def partial(value: str, detector: str) -> str:
    """The value with little left of it: enough to recognise, not enough to use.

    Cards and social security numbers keep their last four digits, phone numbers two to four, IBANs the country and the
    last four, e-mail addresses the domain, keys the last four characters; tokens and private keys keep nothing. Anything
    else keeps at most its last quarter and at most four characters, with at least four blocks in front.
    """
    match detector:
        case "credit-card" | "us-ssn":
            return _tail(value, KEEP)
        case "phone":
            digits = sum("0" <= char <= "9" for char in value)
            return _tail(value, 4 if digits > 10 else 3 if digits > 8 else 2)
        case "iban":
            return value[:2] + _tail(value[2:], KEEP)
        case "email":
            return REDACTED + value[value.rfind("@") :]
        case "jwt" | "private-key":
            return REDACTED
        case _:
            keep = min(len(value) // 4, KEEP)
            blocks = max(4, min(len(value) - keep, _BLOCKS_MAX))
            return BLOCK * blocks + (value[-keep:] if keep else "")


def _tail(value: str, keep: int) -> str:
    """The last `keep` letters and digits of a number, the others as blocks, its punctuation as it was."""
    left = sum(char.isalnum() for char in value) - keep
    out: list[str] = []
    for char in value:
        if char.isalnum():
            out.append(BLOCK if left > 0 else char)
            left -= 1
        else:
            out.append(char)
    return "".join(out)


_LOOKS_REAL = re.compile(r"[0-9]{9}|be[0-9]{2}")
"""Hexadecimal that a card or (Belgian) IBAN detector could take for its own."""


def pseudonym(value: str, detector: str, key: bytes) -> str:
    """A stable stand-in: a label and 16 hexadecimal digits of a keyed HMAC-SHA256.

    Equal values of one kind get equal pseudonyms under one key, however they are written (`normal`).
    """
    label = detectors.BY_NAME[detector].label if detector else "value"
    message = f"{detector}\x00{normal(value, detector)}".encode("utf-8", "surrogatepass")
    for attempt in range(256):
        digest = hmac.digest(key, bytes((attempt,)) + message, "sha256").hex()[:16]
        if not _LOOKS_REAL.search(digest):
            break
    return f"{label}_{digest}"


def normal(value: str, detector: str) -> str:
    """The value without what does not tell it apart: grouping, case where case means nothing."""
    match detector:
        case "credit-card" | "us-ssn":
            return "".join(char for char in value if "0" <= char <= "9")
        case "phone":
            return "".join(char for char in value if "0" <= char <= "9" or char == "+")
        case "iban":
            return value.replace(" ", "").upper()
        case "email":
            return value.lower()
        case _:
            return value
