"""What has just come and wants a person: new holds, access requests, broken glass. Told once each; knows no screen and no terminal."""

from __future__ import annotations

from dataclasses import dataclass

from hooptui.core.desk import HeldView, Snapshot
from hooptui.tui.tail import Tail
from hooptui.tui.text import clean
from hooptui.tui.widgets.held import purpose_of


@dataclass(frozen=True, slots=True)
class Call:
    words: str
    """For a notification."""
    sign: str
    style: str

    @property
    def flash(self) -> str:
        return f"{self.sign} {self.words}"


class Calls:
    """Remembers what was told. What was there at the first look is no news."""

    def __init__(self) -> None:
        self._held: set[int] | None = None
        self._glass: set[int] | None = None

    def news(self, snapshot: Snapshot, tail: Tail) -> tuple[Call, ...]:
        """What to tell now; the most urgent comes last, where it stays to be read."""
        calls = [*self._holds(snapshot), *self._broken(snapshot, tail)]
        return tuple(calls)

    def _holds(self, snapshot: Snapshot) -> list[Call]:
        numbers = {one.number for one in snapshot.held}
        known, self._held = self._held, numbers
        fresh = [one for one in snapshot.held if known is not None and one.number not in known]
        if not fresh:
            return []
        more = f"  (and {len(fresh) - 1} more)" if len(fresh) > 1 else ""
        return [Call(_wants(fresh[-1]) + more, "▲", "held")]

    def _broken(self, snapshot: Snapshot, tail: Tail) -> list[Call]:
        if not tail.read:
            return []
        known, self._glass = self._glass, set(tail.glass)
        fresh = sorted(number for number in tail.glass if known is not None and number not in known)
        return [Call(tail.glass[number][1], "‼", "alarm") for number in fresh[-1:]]


def _wants(one: HeldView) -> str:
    who, target = clean(one.who, 40), clean(one.target, 40)
    if one.access:
        why = f": {clean(purpose_of(one), 80)}" if purpose_of(one) else ""
        return f"held #{one.number}: {who} asks for access to {target}{why}"
    what = f"{clean(one.verb, 20)} {clean(', '.join(one.relations), 60)}".strip() or clean(one.text, 60)
    return f"held #{one.number}: {who} wants to {what} on {target}"
