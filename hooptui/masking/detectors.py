"""The detectors by name: each finds one kind of protected value in text. Knows no column, no action and no wire.

Each detector has `screens`: byte patterns, one of which matches wherever the detector can. They hold no look-around and
no `\\b`, because in raw messages the bytes beside a value are lengths that can pass for letters and digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from hooptui.masking import digits, tokens
from hooptui.masking.digits import Span


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of protected value."""

    name: str
    label: str
    """Short word in front of its pseudonyms: `card`."""
    find: Callable[[str], Iterator[Span]]
    """Spans in order; overlaps are possible."""
    screens: tuple[bytes, ...]
    """Bounded, so that a backtracking engine stays linear too."""


LABEL = rb"[sS][eE][cC][rR][eE][tT]"
"""What a key of AWS that has no sign of its own is known by."""

_DETECTORS = (
    Detector("credit-card", "card", digits.credit_card, (rb"[0-9](?:[ -]?[0-9]){12}",)),
    Detector("us-ssn", "ssn", digits.us_ssn, (rb"[0-9]{3}-[0-9]{2}-[0-9]{4}",)),
    Detector("email", "email", tokens.email, (rb"[^\x00-\x20]@[^\x00-\x20]",)),
    Detector("iban", "iban", digits.iban, (rb"[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]){11}",)),
    Detector(
        "phone",
        "phone",
        digits.phone,
        (
            rb"\+[1-9](?:[ .()/-]{0,2}[0-9]){7}",
            rb"[2-9][0-9]{2}[). -]{1,2}[2-9][0-9]{2}[ .-][0-9]{4}",
            rb"0[1-9][ .-][0-9]{2}[ .-][0-9]{2}[ .-][0-9]{2}",
            rb"0[1-9][0-9]{1,4}[ )/-]{1,4}[0-9]{3}",
        ),
    ),
    Detector("jwt", "jwt", tokens.jwt, (rb"e[wy][A-Za-z0-9_-]{8}",)),
    Detector(
        "api-key",
        "key",
        tokens.api_key,
        (
            *(f"{token.prefix}{token.chars}{{{token.size}}}".encode() for token in tokens.TOKENS),
            LABEL,
        ),
    ),
    Detector("private-key", "pem", tokens.private_key, (rb"-----BEGIN ", rb"PuTTY-User-Key-File-")),
)

BY_NAME = {detector.name: detector for detector in _DETECTORS}

ALL: tuple[str, ...] = tuple(BY_NAME)
"""Every detector's name, as a policy writes it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One found value."""

    start: int
    end: int
    detector: str
    """The detector of the longest find, when several overlap."""
    names: frozenset[str]
    """Every detector that found something here."""
    whole: bool = True
    """False when overlapping finds reach beyond the longest one."""


def find(name: str, text: str) -> list[Span]:
    """What one detector finds.

    Raises:
        KeyError: there is no such detector.
    """
    return list(BY_NAME[name].find(text))


def hits(names: Iterable[str], text: str) -> list[Hit]:
    """What the detectors `names` find, in order and without overlaps: overlapping finds become one hit.

    Raises:
        KeyError: there is no such detector.
    """
    found = sorted(
        (start, -end, name) for name in names for start, end in BY_NAME[name].find(text) if end > start
    )  # fmt: skip
    merged: list[Hit] = []
    longest = 0
    for start, negative, name in found:
        end = -negative
        last = merged[-1] if merged else None
        if last is None or start >= last.end:
            merged.append(Hit(start, end, name, frozenset((name,))))
            longest = end - start
            continue
        wider = end - start > longest
        longest = max(longest, end - start)
        stretched = Hit(
            last.start, max(last.end, end), name if wider else last.detector, last.names | {name}, last.whole
        )
        merged[-1] = stretched if stretched.end - stretched.start == longest else _torn(stretched)
    return merged


def _torn(hit: Hit) -> Hit:
    return Hit(hit.start, hit.end, hit.detector, hit.names, whole=False)
