"""The newest records of the journal, as far as the screen keeps them. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hooptui.core.desk import Desk, JournalLine
from hooptui.core.events import Alert, Decided, Voted
from hooptui.core.events import SessionOpened as Opened
from hooptui.tui.people import decider, spoken
from hooptui.tui.text import clean

KEPT: Final = 5000
PAGE: Final = 200
ALERT_LASTS: Final = 120.0
"""Seconds that an alert stays in the banner."""


class Tail:
    """See the module. Reading raises DeskClosed."""

    def __init__(self) -> None:
        self.lines: list[JournalLine] = []
        self.who: dict[str, str] = {}
        """Session to display name, as far as it was seen opening."""
        self.glass: dict[int, tuple[float, str]] = {}
        """Broken glass by the number of the approval: when (Unix seconds), and words."""
        self._records = -1

    @property
    def read(self) -> bool:
        """Whether the journal's end was read at all."""
        return self._records >= 0

    async def newest(self, desk: Desk, records: int) -> bool:
        """Read what was written since; False when `records` says that nothing was."""
        if records == self._records:
            return False
        fresh = await desk.journal(limit=PAGE)
        self._records = records
        last = self.lines[-1].seq if self.lines else -1
        new = [line for line in fresh if line.seq > last]
        if new and self.lines and fresh[0].seq > last + 1:
            # More was written than a page: the list starts again rather than have a hole nobody sees. Not every number is a record's:
            # a page that reaches back to what is here already has no hole, whatever comes first in it that is new.
            self.lines = []
        self.lines.extend(new)
        if len(self.lines) > KEPT:
            del self.lines[: len(self.lines) - KEPT]
        self._learn(new)
        return bool(new)

    async def older(self, desk: Desk) -> int:
        """Read a page before the oldest line; how many came. Nothing is read beyond what is kept."""
        if not self.lines or len(self.lines) + PAGE > KEPT or self.lines[0].seq <= 1:
            return 0
        page = await desk.journal(before=self.lines[0].seq, limit=PAGE)
        page = tuple(line for line in page if line.seq < self.lines[0].seq)
        self.lines = [*page, *self.lines]
        self._learn(list(page))
        return len(page)

    def _learn(self, lines: list[JournalLine]) -> None:
        for line in lines:
            body = line.event.body
            if isinstance(body, Opened):
                self.who[line.event.session] = clean(body.name, 80)
            elif isinstance(body, Voted) and body.break_glass:
                self.glass[body.approval] = (line.event.at, _glass(body, self.who.get(line.event.session, "")))
        while len(self.who) > KEPT:
            del self.who[next(iter(self.who))]
        while len(self.glass) > PAGE:
            del self.glass[min(self.glass)]

    def alerts(self, now: float) -> tuple[str, ...]:
        """The alerts that are fresh, newest last, each said once."""
        said: dict[str, None] = {}
        for line in self.lines[-PAGE:]:
            body = line.event.body
            if isinstance(body, Alert) and now - line.event.at < ALERT_LASTS:
                said.setdefault(f"{clean(body.code, 40)}: {clean(body.text, 200)}", None)
        return tuple(said)[-3:]

    def broken_glass(self, numbers: Iterable[int], now: float) -> tuple[str, ...]:
        """Words for the banner: what was let go alone, in an emergency, just now or by one of the grants of `numbers`."""
        held = frozenset(numbers)
        return tuple(words for number, (at, words) in self.glass.items() if number in held or now - at < ALERT_LASTS)[
            -3:
        ]

    def settled(self, number: int) -> str:
        """How approval `number` ended, in words; empty when the lines do not tell."""
        for line in reversed(self.lines):
            body = line.event.body
            if not isinstance(body, Decided) or body.approval != number:
                continue
            by = f" by {self._voter(number) or decider(body.by)}" if body.by else ""
            match body.why:
                case "approved":
                    return f"{'let go by broken glass' if number in self.glass else 'approved'}{by}"
                case "denied":
                    return f"denied{by}"
                case "expired":
                    return "denied itself: its time was over"
                case "withdrawn":
                    return "withdrawn by the client"
                case "killed":
                    return "ended with its session, which was killed"
                case why:
                    return f"{'allowed' if body.effect == 'allow' else 'refused'} ({clean(why, 20)})"
        return ""

    def _voter(self, number: int) -> str:
        for line in reversed(self.lines):
            body = line.event.body
            if isinstance(body, Voted) and body.approval == number:
                return clean(body.name, 80)
        return ""


def _glass(body: Voted, who: str) -> str:
    lasts = f" for {spoken(body.lasts)}" if body.lasts else ""
    whose = f" of {who}" if who and who != body.name else ""
    return f"GLASS BROKEN: {clean(body.name, 60)} let #{body.approval}{whose} go alone{lasts}: {clean(body.reason, 200) or 'no reason given'}"
