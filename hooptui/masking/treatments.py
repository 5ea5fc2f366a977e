"""The two ways to treat what a value holds: everything (its column is protected) or what the detectors find in it.

Both remember in `fired` the rule that hid something last; one object serves one result on one thread.
"""

from __future__ import annotations

from collections.abc import Mapping

from hooptui.core.model import MaskAction
from hooptui.masking import json_text, strategies
from hooptui.masking.detectors import Hit
from hooptui.masking.digits import is_card
from hooptui.masking.pg_text import Unreadable, whole_digits
from hooptui.masking.prefilter import hits, screen
from hooptui.masking.strategies import REDACTED, Ruling, replaced

_SYNTAX = frozenset("\"'\\(){}[],")
_OPENING = ("(", "{", "[")
_ROUNDS = 3


class Forced:
    """All of it is protected."""

    __slots__ = ("_key", "_ruling", "fired")

    def __init__(self, ruling: Ruling, key: bytes) -> None:
        self._ruling = ruling
        self._key = key
        self.fired = ruling.rule

    def text(self, text: str) -> str | None:
        action = self._ruling.action
        if action is MaskAction.REDACT:
            return REDACTED
        bare = text.strip()
        kind = strategies.kind(bare) if action is not MaskAction.NULL else ""
        return replaced(action, bare, kind, self._key)

    def bare(self, text: str) -> str | None:
        return None

    def document(self, text: str) -> str | None:
        """One JSON string for the whole document: no part of it is told apart."""
        if self._ruling.action is MaskAction.NULL:
            return None
        if self._ruling.action is MaskAction.HASH:
            return json_text.quoted(strategies.pseudonym(text, "", self._key))
        return json_text.quoted(REDACTED)

    def number(self, digits: str) -> bool:
        return True

    def octets(self, payload: bytes) -> bool:
        return True


class Net:
    """Only what the detectors find."""

    __slots__ = ("_key", "_rulings", "_screen", "fired")

    def __init__(self, rulings: Mapping[str, Ruling], key: bytes) -> None:
        """`rulings`: for each detector in force, what to do with its finds."""
        self._rulings = rulings
        self._screen = screen(frozenset(rulings))
        self._key = key
        self.fired = ""

    @property
    def doubt(self) -> str:
        """The rule to name when a value is hidden because it cannot be read."""
        return next(iter(self._rulings.values())).rule

    def text(self, text: str) -> str | None:
        return self._masked(text, text, 0)

    def bare(self, text: str) -> str | None:
        found = self._hits(text)
        if not found:
            return text
        nested = text[:1] in _OPENING
        if any(
            not _SYNTAX.isdisjoint(text[hit.start : hit.end]) or (nested and text[hit.start : hit.end].isdigit())
            for hit in found
        ):
            # A find across punctuation would take syntax along, and a bare number can be a field that takes no blocks.
            self.fired = self._ruling(found[0]).rule
            return None
        return self._masked(text, text, 0)

    def document(self, text: str) -> str | None:
        try:
            return json_text.rewrite(text, self.leaf, self._literal)
        except json_text.NotJson:
            raise Unreadable("json") from None

    def number(self, digits: str) -> bool:
        ruling = self._rulings.get("credit-card")
        if ruling is None or not is_card(digits):
            return False
        self.fired = ruling.rule
        return True

    def octets(self, payload: bytes) -> bool:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            text = payload.decode("latin-1")
        found = self._hits(text)
        if found:
            self.fired = self._ruling(found[0]).rule
        return bool(found)

    def prose(self, text: str, limit: int, spare: int) -> str:
        """Free text for people, cut at `limit` characters; never half a find, and NULL is not to be had.

        Finds are looked for up to `limit + spare`, so a value that starts before the cut is found whole if it is no longer
        than `spare`; a longer run of characters without a space that reaches beyond is left out altogether.
        """
        window = text[: limit + spare]
        cut = min(limit, len(text))
        found = self._hits(window)
        if len(text) > limit:
            cut = next((hit.start for hit in found if hit.start < cut < hit.end), cut)
            if len(text) > len(window) and not _has_space(window, cut):
                cut = _after_last_space(window, cut)
        out: list[str] = []
        at = 0
        for hit in found:
            if hit.end <= cut:
                out += (text[at : hit.start], self._stand_in(hit, text[hit.start : hit.end]) or REDACTED)
                at = hit.end
        masked = "".join(out) + text[at:cut]
        if at or cut < len(text):
            masked = self._settled(masked) or ""
        return masked if cut == len(text) else f"{masked}… ‹{len(text) - cut} characters more›"

    def leaf(self, decoded: str, label: str) -> str | None:
        if label and "secret" in label.lower():
            # Some keys are known by their label only, and in JSON the label is another string.
            return self._masked(decoded, f"{label}={decoded}", len(label) + 1)
        return self._masked(decoded, decoded, 0)

    def _literal(self, literal: str) -> bool:
        return len(literal) > 5 and self.number(whole_digits(literal.lstrip("-")))

    def _masked(self, text: str, context: str, offset: int) -> str | None:
        """`text` with its finds replaced. They are looked for in `context`, in which `text` starts at `offset`."""
        found = [hit for hit in self._hits(context) if hit.end > offset]
        if not found:
            return text
        out: list[str] = []
        at = 0
        for hit in found:
            start, end = max(0, hit.start - offset), hit.end - offset
            after = self._stand_in(hit, text[start:end])
            if after is None:
                return None
            out += (text[at:start], after)
            at = end
        out.append(text[at:])
        return self._settled("".join(out))

    def _settled(self, text: str) -> str | None:
        """Until nothing is found any more: what one mask left standing can join with its neighbours to a new find."""
        for _ in range(_ROUNDS):
            found = self._hits(text)
            if not found:
                return text
            out: list[str] = []
            at = 0
            for hit in found:
                out += (text[at : hit.start], REDACTED)
                at = hit.end
            text = "".join(out) + text[at:]
        return REDACTED if self._hits(text) else text

    def _hits(self, text: str) -> list[Hit]:
        return hits(self._screen, text)

    def _stand_in(self, hit: Hit, value: str) -> str | None:
        ruling = self._ruling(hit)
        self.fired = ruling.rule
        if not hit.whole and ruling.action is MaskAction.PARTIAL:
            return REDACTED
        return replaced(ruling.action, value, hit.detector, self._key)

    def _ruling(self, hit: Hit) -> Ruling:
        ruling: Ruling | None = None
        for name in sorted(hit.names):
            ruling = strategies.stronger(ruling, self._rulings[name])
        if ruling is None:
            raise AssertionError("a hit without a detector")
        return ruling


def _has_space(text: str, start: int) -> bool:
    return any(char.isspace() for char in text[start:])


def _after_last_space(text: str, end: int) -> int:
    at = end
    while at and not text[at - 1].isspace():
        at -= 1
    return at
