"""The frames of view 4: the list of recordings, and the stage that plays one. They never ask the desk."""

from __future__ import annotations

from datetime import tzinfo

from textual.app import ComposeResult

from hooptui.core.desk import RecordingView
from hooptui.core.events import Event
from hooptui.terminal.screen import Screen
from hooptui.tui.channels import Tab
from hooptui.tui.player import Player
from hooptui.tui.reel import Reel
from hooptui.tui.scenes import Scenes
from hooptui.tui.text import clean, count
from hooptui.tui.widgets.channel_pane import ChannelPane
from hooptui.tui.widgets.lines import Bar
from hooptui.tui.widgets.panes import ListPane
from hooptui.tui.widgets.recordings import Recordings, progress

MOST = 100_000
"""Events of a recording that the player takes; `hooptui replay --plain` has no limit."""

MOST_TEXT = 128 * 1024 * 1024
"""Characters of terminals' output that it takes."""

REELS = 4
"""Terminals that are kept ready to be shown at any moment."""

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


class PlayerPane(ChannelPane):
    """View 4, the stage. `tick` is told how many seconds went by."""

    place = "player"

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(zone)
        self.bar = Bar(id="player-bar")
        self.player: Player | None = None
        self.note = ""
        self._shown = 0
        self._title = ""
        self._scenes = Scenes(())
        self._reels: dict[int, Reel] = {}

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield self.bar

    def tabs(self) -> list[Tab]:
        return self._scenes.tabs(self.player.at) if self.player is not None else []

    def waiting(self, session: str, words: str) -> None:
        """A recording is being read."""
        self._title, self.player, self._shown, self._reels = words, None, 0, {}
        self.begin(session)
        self.note = "reading …"
        self.draw()

    def load(self, events: list[Event], *, cut: bool) -> None:
        """It has been read; `cut` says that it was longer than the player takes."""
        self.player = Player(events)
        self._scenes = Scenes(events)
        self.note = f" (the first {count(len(events))}; `hooptui replay --plain` has all)" if cut else ""
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
                self.files.clear()
                self._shown = max(0, player.at - _WINDOW)
            if player.at > self._shown:
                self.write(player.events[self._shown : player.at])
                self._shown = player.at
            if not self.chosen:
                self.turn(self._scenes.best(player.at))
            elif not any(tab.key == self.tab for tab in self.tabs()):
                # It is before the terminal was opened; there it is shown again.
                self.terminal.show(Screen(1, 1), live=False)
        self.show_tabs()
        self.bar.put(
            progress(player, self.size.width, self.note) if player is not None else ((f" {self.note}", "faint"),)
        )
        state = "" if player is None else "PLAYING" if player.playing else "END" if player.ended else "PAUSED"
        foot = f"{state}  {self._picture(player)}masked" if player is not None else ""
        self.frame(
            f"Player  {clean(self.session, 12)} {self._title}" if self.session else "Player",
            self.filtered(foot),
        )

    def _picture(self, player: Player) -> str:
        """Show the terminal of the tab as it is at this moment; words on it for the foot."""
        number = self.channel
        scene = self._scenes.at(number, player.at) if number is not None else None
        if number is None or scene is None:
            return ""
        reel = self._reels.get(number)
        if reel is None:
            if len(self._reels) >= REELS:
                del self._reels[next(iter(self._reels))]
            reel = self._reels[number] = Reel(player.events, number)
        screen = reel.to(player.at).screen
        ended = scene.ended_by(player.at)
        self.terminal.show(screen, live=not ended)
        near = "" if reel.exact else "from its last part only  "
        return f"{ended + '  ' if ended else ''}{near}{screen.columns}×{screen.rows}  "
