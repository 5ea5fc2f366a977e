"""The screen: line 1, banner, panes, flash line, footer; which view is shown and where the focus is.

What the keys do is in `verbs`; this file knows only how things stand. Widths change the stylesheet's classes, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input

from hooptui.core.desk import SessionView, Snapshot
from hooptui.core.filter import Filter, FilterError, parse
from hooptui.tui.channels import TIMELINE
from hooptui.tui.feed import Feed
from hooptui.tui.keymap import VIEWS, bindings, footer
from hooptui.tui.people import READ_ONLY
from hooptui.tui.screens.verbs import Verbs
from hooptui.tui.text import clean
from hooptui.tui.widgets.access_pane import AccessPane
from hooptui.tui.widgets.audit_pane import AuditPane
from hooptui.tui.widgets.channel_pane import ChannelPane, OutputPane
from hooptui.tui.widgets.footer import footer_row, tab_row
from hooptui.tui.widgets.lines import Bar, Lines
from hooptui.tui.widgets.panes import HeldPane, LivePane, Pane
from hooptui.tui.widgets.replay_panes import PlayerPane, RecordingsPane
from hooptui.tui.widgets.statusline import alarms, status_row

if TYPE_CHECKING:
    from hooptui.tui.app import HooptuiApp

FLASH = 8.0
"""Seconds that a flash stays."""


class MainScreen(Screen[None]):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    AUTO_FOCUS = "#live-list"

    def __init__(self) -> None:
        super().__init__()
        self.view = "live"
        self.zoomed = False
        self.feed: Feed | None = None
        self._flash_until = float("-inf")
        self._played_at: float | None = None
        self._before_filter = Filter()

    @property
    def hooptui(self) -> HooptuiApp:
        return cast("HooptuiApp", self.app)

    def compose(self) -> ComposeResult:
        zone = self.hooptui.zone
        self.line1, self.banner, self.tabs = Bar(id="line1"), Bar(id="banner"), Bar(id="tabs")
        self.flash_bar, self.footer = Bar(id="flash"), Bar(id="footer")
        self.live, self.held, self.output = LivePane(), HeldPane(), OutputPane(zone)
        self.recordings, self.player, self.audit = RecordingsPane(zone), PlayerPane(zone), AuditPane(zone)
        self.access = AccessPane()
        self.filter_label, self.filter_words = Bar(), Bar(id="filter-words")
        self.filter_label.put(((" / Filter ", "key"),))
        self.filter_input = Input(id="filter-input", max_length=500, select_on_focus=False)
        self.verbs = Verbs(self)
        yield self.line1
        yield self.banner
        yield self.tabs
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.live
                yield self.held
            yield self.output
            yield self.recordings
            yield self.player
            yield self.audit
            yield self.access
        with Horizontal(id="filterbar"):
            yield self.filter_label
            yield self.filter_input
            yield self.filter_words
        yield self.flash_bar
        yield self.footer

    def on_mount(self) -> None:
        self.recordings.show((), 0.0)
        self.player.draw()
        self.audit.draw()
        self.output.draw()
        self.filter_input.can_focus = False
        self.restyle()
        self.show()
        if self.hooptui.replay_first:
            self.verbs.play_session(self.hooptui.replay_first, "")

    # --- what is shown

    def show(self) -> None:
        """Bring everything in line with the last snapshot."""
        snapshot = self.hooptui.snapshot
        if snapshot is not None:
            self.held.show(snapshot)
            self._show_people(snapshot)
            self.show_output_frame()
            if not self.output.session and self.live.session is not None:
                self.verbs.show_output(self.live.session.id)
        if self.hooptui.clock.monotonic() >= self._flash_until:
            self.flash_bar.put(())
        self.show_health()
        self.show_footer()
        self.verbs.pull()

    def _show_people(self, snapshot: Snapshot) -> None:
        """The lists that mark who is in by broken glass, which only the journal tells."""
        glass = frozenset(self.hooptui.tail.glass)
        self.live.show(snapshot, glass)
        self.access.show(snapshot, glass)

    def show_output_frame(self) -> None:
        """Title and foot of Output: whose it is, and how long they have."""
        snapshot = self.hooptui.snapshot
        self.output.show(self.session_of(self.output.session), snapshot.health.now if snapshot is not None else 0.0)

    def show_health(self) -> None:
        """Line 1, the banner and the tab line."""
        app = self.hooptui
        snapshot = app.snapshot
        health = snapshot.health if snapshot is not None else None
        silent = app.silent if app.silent >= 2 else 0.0
        self.line1.put(
            status_row(
                health, self.size.width, app.zone, demo=app.demo, readonly=app.why_not == READ_ONLY, silent=silent
            )
        )
        alerts: tuple[str, ...] = ()
        if snapshot is not None:
            now, grants = snapshot.health.now, (one.approval for one in snapshot.grants)
            alerts = (*app.tail.broken_glass(grants, now), *app.tail.alerts(now))
        said = alarms(snapshot, app.closed, silent, alerts)
        most = max(1, self.size.height // 6)
        shown = said[:most] if len(said) <= most else [*said[: most - 1], f"{len(said) - most + 1} more: see 5 Audit"]
        self.banner.display = bool(shown)
        if shown:
            self.banner.styles.height = len(shown)
            self.banner.put(*(((f" ✗ {line}", "alarm"),) for line in shown))
        if health is not None:
            row, zones = tab_row(self.view, health.live, health.held, self.size.width)
            self.tabs.put(row, zones=zones)

    def show_tail(self) -> None:
        """The journal's end is newer."""
        self.audit.show(self.hooptui.tail)
        if self.hooptui.snapshot is not None:
            self._show_people(self.hooptui.snapshot)
        self.show_health()

    def show_footer(self) -> None:
        row, zones = footer_row(footer(self.pane.place, readonly=self.hooptui.readonly), self.size.width)
        self.footer.put(row, zones=zones)

    def flash(self, text: str, style: str) -> None:
        if not self.is_mounted:
            return
        self._flash_until = self.hooptui.clock.monotonic() + FLASH
        self.flash_bar.put(((f" {text}", style),))

    def play(self) -> None:
        """Let a replay go on by the time that went by; called as often as the screen may repaint."""
        now = self.hooptui.clock.monotonic()
        before, self._played_at = self._played_at, now
        if before is not None and self.is_mounted and self.view == "replay":
            self.player.tick(max(0.0, now - before))

    def session_of(self, number: str) -> SessionView | None:
        """A session that is open now."""
        snapshot = self.hooptui.snapshot
        return (
            next((one for one in snapshot.sessions if one.id == number), None)
            if snapshot is not None and number
            else None
        )

    # --- where the focus is

    @property
    def panes(self) -> dict[str, Pane]:
        return {
            pane.place: pane
            for pane in (self.live, self.held, self.output, self.recordings, self.player, self.audit, self.access)
        }

    @property
    def pane(self) -> Pane:
        """The pane that keys speak to."""
        if self.view == "replay":
            return self.player if self.on_stage else self.recordings
        return self.panes[self.view]

    on_stage = False
    """In Replay: the player has the focus, not the list."""

    @property
    def narrow(self) -> bool:
        return self.size.width < 110

    def restyle(self) -> None:
        """Classes for the stylesheet from where things stand."""
        for name in (*VIEWS, "access"):
            self.set_class(name == self.view, f"-view-{name}")
        self.set_class(self.zoomed or self.narrow, "-one")
        self.set_class(self.view == "replay" and self.on_stage, "-stage")
        self.set_class(self.view == "replay" and not self.on_stage, "-list")
        pane = self.pane
        # Terminals and hashes are wider than lines: they get the room that they need.
        self.set_class(isinstance(pane, ChannelPane) and pane.tab != TIMELINE, "-terminal")

    def go(self, view: str, *, stage: bool | None = None) -> None:
        """Show a view and put the focus in it."""
        self.view = view
        if stage is not None:
            self.on_stage = stage
        elif view == "replay" and self.player.player is None:
            self.on_stage = False
        self.restyle()
        self.pane.lines.focus()
        self.show_health()
        self.show_footer()
        if view == "replay":
            self.verbs.list_recordings()
        if view == "audit":
            self.hooptui.background("tail", self.hooptui.read_tail)
            self.audit.show(self.hooptui.tail)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click or Textual itself moved the focus: the view follows."""
        for place, pane in self.panes.items():
            if pane.lines is event.widget:
                self.on_stage = place == "player" if place in ("player", "recordings") else self.on_stage
                self.view = "replay" if place in ("player", "recordings") else place
                self.restyle()
                self.show_footer()
                self.show_health()

    def on_channel_pane_turned(self, event: ChannelPane.Turned) -> None:
        event.stop()
        self.restyle()

    def on_resize(self) -> None:
        self.restyle()
        self.show_health()
        self.show_footer()

    # --- what is done

    def action_do(self, verb: str, key: str) -> None:
        self.verbs.do(verb, key)

    def on_lines_opened(self, event: Lines.Opened) -> None:
        event.stop()
        self.verbs.do("open", "enter")

    def on_lines_moved(self, event: Lines.Moved) -> None:
        event.stop()
        if event.lines is self.held.list:
            self.verbs.ask_review()

    def on_bar_clicked(self, event: Bar.Clicked) -> None:
        event.stop()
        verb, _, key = event.verb.partition(":")
        self.verbs.do(verb, key)

    # --- the filter's line

    def open_filter(self) -> None:
        self._before_filter = self.pane.filter
        self.add_class("-filtering")
        self.filter_input.can_focus = True
        self.filter_input.value = self.pane.filter.text
        self.filter_words.put(((" who:bot via:pg|ssh !state:idle ~regex after:-10m", "faint"),))
        self.filter_input.focus()

    @property
    def filtering(self) -> bool:
        return self.has_class("-filtering")

    def close_filter(self, *, keep: bool) -> None:
        if not keep:
            self.pane.set_filter(self._before_filter)
        self.remove_class("-filtering")
        self.filter_input.can_focus = False
        self.pane.lines.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """The list follows while one types; what cannot be read yet leaves it as it was."""
        if not self.filtering:
            return
        event.stop()
        if self._read_filter(event.value):
            self.filter_words.put(((" enter keeps it, esc takes it back", "faint"),))

    def _read_filter(self, text: str) -> bool:
        """Apply what was typed; False, with the reason shown, when it cannot be read."""
        snapshot = self.hooptui.snapshot
        now = snapshot.health.now if snapshot is not None else self.hooptui.clock.now()
        try:
            filter = parse(text, now, self.hooptui.zone)  # noqa: A001 - it is one
        except FilterError as no:
            self.filter_words.put(((f" ✗ {clean(str(no), 200)}", "bad"),))
            return False
        self.pane.set_filter(filter)
        return True

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if self.filtering:
            event.stop()
            if self._read_filter(event.value):
                self.close_filter(keep=True)
