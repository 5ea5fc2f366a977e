"""View 4: the list of recordings, and the line that tells where a replay is. Pure; knows no desk."""

from __future__ import annotations

from datetime import tzinfo

from hooptui.core.desk import RecordingView
from hooptui.core.filter import Fields
from hooptui.tui.player import Player
from hooptui.tui.text import Row, Span, clean, count, size, span_of
from hooptui.tui.widgets.rows import Column, Rows, Sort
from hooptui.tui.widgets.statusline import clock


class Recordings(Rows[RecordingView]):
    """See the module."""

    sorts: tuple[Sort[RecordingView], ...] = (
        ("opened", lambda one: (-one.opened_at, one.session)),
        ("who", lambda one: (one.who.lower(), -one.opened_at)),
        ("target", lambda one: (one.target, -one.opened_at)),
        ("ops", lambda one: (-one.operations, one.session)),
        ("size", lambda one: (-one.size, one.session)),
    )

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(id="recordings-list")
        self.columns = (
            Column("ID", lambda one: (clean(one.session, 12), "faint"), 4, 8),
            Column("OPENED", lambda one: (clock(one.opened_at, zone, seconds=True), ""), 8, 8),
            Column("LASTED", lambda one: _lasted(one, self.now), 6, 7, right=True),
            Column("WHO", lambda one: (clean(one.who, 80), ""), 5, 200, flex=True),
            Column("TARGET", lambda one: (clean(one.target, 80), ""), 6, 14),
            Column("VIA", lambda one: (clean(one.via, 8), "faint"), 3, 4),
            Column("OPS", lambda one: (count(one.operations), ""), 3, 6, right=True),
            Column("SIZE", lambda one: (size(one.size), "faint"), 6, 8, right=True),
        )

    def key(self, item: RecordingView) -> object:
        return item.session

    def passes(self, item: RecordingView) -> bool:
        return self.filter.holds(fields(item), item.opened_at)

    def row_style(self, item: RecordingView) -> str:
        return "text"


def _lasted(one: RecordingView, now: float) -> Span:
    if one.live:
        return f"● {span_of(now - one.opened_at)}", "up"
    if one.closed_at is None:
        return "torn", "warn"
    return span_of(one.closed_at - one.opened_at), ""


def fields(one: RecordingView) -> Fields:
    """What the filter may ask of a recording."""
    state = "live" if one.live else "closed" if one.closed_at is not None else "torn"
    return {"id": one.session, "who": one.who, "target": one.target, "via": one.via, "state": state}


def progress(player: Player | None, cells: int, note: str = "") -> Row:
    """`▸ 2x  0:31 ━━━━▲━━━━╸────── 1:12  event 40 of 112`: risky events are marked on the line."""
    if player is None:
        return (("", ""),)
    sign = "▸ " if player.playing else "■ " if player.ended else "‖ "
    head = f" {sign}{player.speed:g}x  {span_of(player.moment)} "
    tail = f" {span_of(player.length)}  event {count(player.at)} of {count(len(player.events))}{note} "
    room = max(4, cells - len(head) - len(tail))
    share = player.moment / player.length if player.length else float(player.ended)
    done = min(room, round(share * room))
    marks = _marks(player, room)
    spans: list[Span] = [(head, "strong" if player.playing else "text")]
    for index in range(room):
        if index in marks:
            spans.append(("▲", "held"))
        else:
            spans.append(("━", "bar") if index < done else ("─", "rule"))
    spans.append((tail, "faint"))
    return tuple(spans)


def _marks(player: Player, room: int) -> frozenset[int]:
    if not player.length:
        return frozenset()
    return frozenset(min(room - 1, int(player.offset(index) / player.length * room)) for index in player.risks)
