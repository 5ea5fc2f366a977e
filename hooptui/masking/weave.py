"""Replacing what was found in a text that control sequences run through, and keeping every sequence in its order.

Knows neither the detectors nor the stream: it is handed the finds and what to put in their place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from hooptui.masking.detectors import Hit
from hooptui.masking.escapes import Kind, Mark


@dataclass(frozen=True, slots=True)
class Woven:
    """A text and the marks between its characters, in order."""

    text: str
    marks: Sequence[Mark]

    def raw(self) -> str:
        """Both as they go down the wire."""
        if not self.marks:
            return self.text
        out: list[str] = []
        at = 0
        for mark in self.marks:
            if mark.at > at:
                out.append(self.text[at : mark.at])
                at = mark.at
            out.append(mark.raw)
        out.append(self.text[at:])
        return "".join(out)


def woven(text: str, marks: Iterable[Mark], start: int, hits: Sequence[Hit], word: Callable[[Hit], str]) -> Woven:
    """`text` from `start` on, with `word(hit)` for each find; marks inside a find come behind what replaces it."""
    out: list[str] = []
    kept: list[Mark] = []
    waiting = iter(marks)
    mark = next(waiting, None)
    at, size = start, 0
    for hit in hits:
        begin, end = max(hit.start, start), hit.end
        if end <= start:
            continue
        while mark is not None and mark.at <= begin:
            kept.append(Mark(size + max(0, mark.at - at), mark.raw, mark.kind))
            mark = next(waiting, None)
        shown = word(hit)
        out += (text[at:begin], shown)
        size += begin - at + len(shown)
        at = end
        while mark is not None and mark.at < end:
            kept.append(Mark(size, mark.raw, mark.kind))
            mark = next(waiting, None)
    while mark is not None:
        kept.append(Mark(size + max(0, mark.at - at), mark.raw, mark.kind))
        mark = next(waiting, None)
    out.append(text[at:])
    return Woven("".join(out), kept)


def spots(look: Callable[[str], list[Hit]], text: str, marks: Sequence[Mark]) -> list[Hit]:
    """What `look` finds in a text, cursor moves seen through, and what it finds when each move parts the text in two."""
    found = look(text)
    moves = sorted({mark.at for mark in marks if mark.kind is Kind.MOVE and 0 < mark.at < len(text)})
    if not moves:
        return found
    pieces = [text[begin:end] for begin, end in zip([0, *moves], [*moves, len(text)], strict=True)]
    parted = look("\n".join(pieces))
    if not parted:
        return found
    # The breaks are at these indices of the parted text; each one in front of an index makes it one too large.
    breaks = [move + count for count, move in enumerate(moves)]
    more = [
        replace(hit, start=hit.start - bisect_left(breaks, hit.start), end=hit.end - bisect_left(breaks, hit.end))
        for hit in parted
    ]
    return _united(sorted([*found, *more], key=lambda hit: (hit.start, -hit.end)))


def _united(hits: Iterable[Hit]) -> list[Hit]:
    out: list[Hit] = []
    for hit in hits:
        last = out[-1] if out else None
        if last is None or hit.start >= last.end:
            out.append(hit)
        elif hit.end <= last.end and hit.names <= last.names:
            continue
        else:
            wider = hit.end - hit.start > last.end - last.start
            same = (hit.start, hit.end) == (last.start, last.end)
            out[-1] = Hit(
                last.start,
                max(last.end, hit.end),
                hit.detector if wider else last.detector,
                last.names | hit.names,
                whole=same and last.whole and hit.whole,
            )
    return out
