"""The frames of view 4: the list of recordings, and the stage that plays one. They never ask the desk."""

from __future__ import annotations

from datetime import tzinfo

from textual.app import ComposeResult

from hooptui.core.desk import RecordingView
from hooptui.core.events import Event
from hooptui.core.filter import Filter
from hooptui.tui.player import Player
from hooptui.tui.text import clean, count
from hooptui.tui.widgets.lines import Bar
from hooptui.tui.widgets.output import Transcript
from hooptui.tui.widgets.panes import Pane, amount
from hooptui.tui.widgets.recordings import SORTS, Recordings, progress

MOST = 20_000
"""Events of a recording that the player takes; `hooptui replay` has no limit."""

_WINDOW = 400
"""Events drawn again after a jump back."""


class RecordingsPane(Pane):
    """View 4, the list."""

    place = "recordings"

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(id="recordings")
        self.head = Bar(id="recordings-head", classes="head")
        self.list = Recordings(zone)
        self.all: tuple[RecordingView, ...] = ()
        self.now = 0.0

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.list

    @property
    def lines(self) -> Recordings:
        return self.list

    @property
    def filter(self) -> Filter:
        return self.list.filter

    def set_filter(self, filter: Filter) -> None:  # noqa: A002 - it is one
        self.list.filter = filter
        self.again()

    def show(self, recordings: tuple[RecordingView, ...], now: float) -> None:
        self.all, self.now = recordings, now
        self.again()

    def again(self) -> None:
        self.list.order(self.all, self.now)
        by = SORTS[self.list.sort][0]
        if not self.list.total:
            self.head.put(((" no recording yet", "faint"),))
        elif not self.list.items:
            self.head.put(((" no recording passes the filter", "faint"),))
        else:
            self.head.put(self.list.title_row(by if self.list.sort else ""))
        foot = f"sort {by} · {self.filter_words()}" if self.list.sort else self.filter_words()
        self.frame(f"4 Replay  {amount(len(self.list.items), self.list.total)}", foot)

    def on_resize(self) -> None:
        self.again()


class PlayerPane(Pane):
    """View 4, the stage. `tick` is told how many seconds went by."""

    place = "player"

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(id="player")
        self.transcript = Transcript(id="player-lines", zone=zone)
        self.bar = Bar(id="player-bar")
        self.player: Player | None = None
        self.session = ""
        self.note = ""
        self._shown = 0
        self._title = ""

    def compose(self) -> ComposeResult:
        yield self.transcript
        yield self.bar

    @property
    def lines(self) -> Transcript:
        return self.transcript

    @property
    def filter(self) -> Filter:
        return self.transcript.filter

    def set_filter(self, filter: Filter) -> None:  # noqa: A002 - it is one
        self.transcript.filter = filter
        self.transcript.lay_out()
        self.draw()

    def waiting(self, session: str, words: str) -> None:
        """A recording is being read."""
        self.session, self._title, self.player, self._shown = session, words, None, 0
        self.transcript.clear()
        self.note = "reading …"
        self.draw()

    def load(self, events: list[Event], *, cut: bool) -> None:
        """It has been read; `cut` says that it was longer than the player takes."""
        self.player = Player(events)
        self.note = f" (the first {count(MOST)}; `hooptui replay` has all)" if cut else ""
        self._shown = 0
        self.player.toggle()
        self.draw()

    def tick(self, seconds: float) -> None:
        if self.player is not None and self.player.playing:
            self.player.advance(seconds)
            self.draw()

    def draw(self) -> None:
        """Show what the player says is to be seen."""
        player = self.player
        if player is not None:
            if player.at < self._shown:
                self.transcript.clear()
                self._shown = max(0, player.at - _WINDOW)
            if player.at > self._shown:
                self.transcript.feed(player.events[self._shown : player.at])
                self._shown = player.at
        self.bar.put(
            progress(player, self.size.width, self.note) if player is not None else ((f" {self.note}", "faint"),)
        )
        state = "" if player is None else "PLAYING" if player.playing else "END" if player.ended else "PAUSED"
        foot = f"{state}  masked" if state else ""
        self.frame(
            f"Player  {clean(self.session, 12)} {self._title}" if self.session else "Player",
            f"{self.filter_words()} · {foot}" if self.filter else foot,
        )

    def on_resize(self) -> None:
        self.draw()
