"""The frames of view 4: the list of recordings, and the stage that plays one. They never ask the desk."""

from __future__ import annotations

from datetime import tzinfo

from textual.app import ComposeResult

from hooptui.core.desk import RecordingView
from hooptui.core.events import Event
from hooptui.tui.player import Player
from hooptui.tui.text import clean, count
from hooptui.tui.widgets.lines import Bar
from hooptui.tui.widgets.panes import ListPane, TranscriptPane
from hooptui.tui.widgets.recordings import Recordings, progress

MOST = 20_000
"""Events of a recording that the player takes; `hooptui replay` has no limit."""

_WINDOW = 400
"""Events drawn again after a jump back."""


class RecordingsPane(ListPane[Recordings]):
    """View 4, the list."""

    place = "recordings"

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(Recordings(zone))
        self.all: tuple[RecordingView, ...] = ()
        self.now = 0.0

    def show(self, recordings: tuple[RecordingView, ...], now: float) -> None:
        self.all, self.now = recordings, now
        self.again()

    def again(self) -> None:
        self.list.order(self.all, self.now)
        self.titled("4 Replay", "recording", "no recording yet", self.filter_words())


class PlayerPane(TranscriptPane):
    """View 4, the stage. `tick` is told how many seconds went by."""

    place = "player"

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(zone)
        self.bar = Bar(id="player-bar")
        self.player: Player | None = None
        self.note = ""
        self._shown = 0
        self._title = ""

    def compose(self) -> ComposeResult:
        yield self.transcript
        yield self.bar

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
            self.filtered(foot),
        )

    def on_resize(self) -> None:
        self.draw()
