"""A pane on one session: its timeline as a transcript, its terminals as they look, its files as a list, one tab each.

Which of them is shown follows what happens, the newest open terminal first, until somebody chooses. It never asks the desk.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from textual.app import ComposeResult
from textual.message import Message

from hooptui.core.desk import SessionView
from hooptui.core.events import Asked, Event
from hooptui.core.events_channels import FileDone
from hooptui.core.filter import Filter
from hooptui.tui.channels import FILES, TIMELINE, Channels, Tab
from hooptui.tui.people import left_words
from hooptui.tui.text import Row, Span, clean, count, fit, size, width
from hooptui.tui.widgets.lines import Bar, Zone
from hooptui.tui.widgets.output import Transcript
from hooptui.tui.widgets.panes import Pane, session_words
from hooptui.tui.widgets.terminal import TerminalView

_LABEL: Final = 28
"""Widest tab, in cells."""


class ChannelPane(Pane):
    """See the module. Subclasses say which tabs there are and bring what is shown up to date."""

    class Turned(Message):
        """Another tab is shown."""

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(id=self.place)
        self.session = ""
        self.transcript = Transcript(id=f"{self.place}-lines", zone=zone)
        self.files = Transcript(id=f"{self.place}-files", zone=zone)
        self.terminal = TerminalView(id=f"{self.place}-terminal")
        self.strip = Bar(id=f"{self.place}-tabs", classes="channel-tabs")
        self.files.display = self.terminal.display = self.strip.display = False
        self.tab = TIMELINE
        self.chosen = False
        """Somebody has chosen the tab, so that nothing else may."""

    def compose(self) -> ComposeResult:
        yield self.strip
        yield self.transcript
        yield self.files
        yield self.terminal

    # --- for subclasses

    def tabs(self) -> list[Tab]:
        raise NotImplementedError

    def draw(self) -> None:
        """Bring what is shown, title and foot in line with what there is."""
        raise NotImplementedError

    # ---

    @property
    def lines(self) -> Transcript | TerminalView:
        match self.tab:
            case "timeline":
                return self.transcript
            case "files":
                return self.files
            case _:
                return self.terminal

    @property
    def channel(self) -> int | None:
        """The operation whose terminal is shown; None when it is none."""
        return int(self.tab) if self.tab.isdecimal() else None

    @property
    def text(self) -> str:
        """For the clipboard: what the terminal shows, or what the cursor is on."""
        return self.lines.text if isinstance(self.lines, TerminalView) else self.lines.chosen

    def begin(self, session: str) -> None:
        """Turn to another session, of which nothing is known yet."""
        self.session, self.chosen = session, False
        self.transcript.clear()
        self.files.clear()
        self.turn(TIMELINE)

    def write(self, events: Sequence[Event], lost: int = 0) -> None:
        """Add to the transcripts."""
        self.transcript.feed(events, lost)
        self.files.feed([event for event in events if isinstance(event.body, FileDone)])

    def next_tab(self, step: int) -> bool:
        """To the next tab, or the one before; False when there is but one."""
        keys = [tab.key for tab in self.tabs()]
        if len(keys) < 2:
            return False
        at = keys.index(self.tab) if self.tab in keys else 0
        self.choose(keys[(at + step) % len(keys)])
        return True

    def choose(self, key: str) -> None:
        """Somebody wants to see this one."""
        if any(tab.key == key for tab in self.tabs()):
            self.chosen = True
            self.turn(key)
            self.draw()

    def turn(self, key: str) -> None:
        """Show this tab; the focus stays in the pane."""
        before = self.lines
        self.tab = key
        now = self.lines
        if now is not before:
            focus = before.has_focus
            now.display = True
            if focus:
                now.focus()
            before.display = False
            self.post_message(self.Turned())
        elif isinstance(now, TerminalView):
            now.follow = True

    def show_tabs(self) -> None:
        tabs = self.tabs()
        self.strip.display = len(tabs) > 1
        if self.strip.display:
            row, zones = tab_line(tabs, self.tab, self.size.width)
            self.strip.put(row, zones=zones)

    def on_resize(self) -> None:
        self.draw()

    # --- Pane

    @property
    def filter(self) -> Filter:
        return self.transcript.filter

    def set_filter(self, filter: Filter) -> None:  # noqa: A002 - it is one
        for transcript in (self.transcript, self.files):
            transcript.filter = filter
            transcript.lay_out()
        if filter and self.tab not in (TIMELINE, FILES):
            # Only lines can be filtered.
            self.choose(TIMELINE)
        self.draw()

    def filtered(self, foot: str) -> str:
        return f"{self.filter_words()} · {foot}" if self.filter else foot


class OutputPane(ChannelPane):
    """View 3: one session as it goes on."""

    place = "output"

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(zone)
        self.head = Bar(id="output-head", classes="head")
        self.channels = Channels()
        self._words = ""
        self._left = ""

    def compose(self) -> ComposeResult:
        yield self.head
        yield from super().compose()

    def tabs(self) -> list[Tab]:
        return self.channels.tabs()

    def open(self, session: str, words: str) -> None:
        """Turn to another session; its events are fed by who holds the desk."""
        self._words, self._left, self.channels = words, "", Channels()
        self.begin(session)
        self.draw()

    def feed(self, events: Sequence[Event], lost: int = 0) -> None:
        """What has happened since; `lost` events are missing before these."""
        if not events and not lost:
            return
        self.write(events, lost)
        self.channels.feed(events, lost)
        newest = self.channels.newest
        if not self.chosen and newest is not None and self.tab != str(newest.operation):
            self.turn(str(newest.operation))
        elif not any(tab.key == self.tab for tab in self.tabs()):
            self.chosen = False
            self.turn(TIMELINE)
        elif not self.chosen and newest is None and any(isinstance(event.body, Asked) for event in events):
            self.turn(TIMELINE)
        self.draw()

    def show(self, view: SessionView | None, now: float = 0.0) -> None:
        """Title and foot; `view` is the session's row when it is still open."""
        self._left = ""
        if view is not None:
            self._words = session_words(view)
            self._left = f"{left_words(view, now)}  "
        self.draw()

    def draw(self) -> None:
        self.head.display = not self.session
        self.show_tabs()
        if not self.session:
            self.head.put((("enter on a session shows its output here", "faint"),))
            self.frame("3 Output", "")
            return
        shown = self.channels.terminals.get(self.channel) if self.channel is not None else None
        if shown is not None:
            screen = shown.emulator.screen
            self.terminal.show(screen, live=not shown.ended)
            state = shown.ended or ("LIVE" if self.terminal.follow else "SCROLLED")
            foot = f"{state}  {screen.columns}×{screen.rows}"
            if shown.left_out:
                foot = f"{size(shown.left_out)} not drawn, all recorded  {foot}"
        else:
            lines = self.files if self.tab == FILES else self.transcript
            foot = f"{'FOLLOW' if lines.follow else 'PAUSED'}{'' if lines.wrap else '  cut'}"
        title = f"3 Output  {clean(self.session, 12)} {self._words}"
        self.frame(title, self.filtered(f"{self._left}{foot}  masked"))


def tab_line(tabs: Sequence[Tab], shown: str, cells: int) -> tuple[Row, list[Zone]]:
    """`[Timeline]  ● 3 top   Files 12`: the tabs, the shown one in sight and in brackets, the others as far as there is room."""
    texts = [fit(clean(tab.label, 60), min(_LABEL, width(clean(tab.label, 60)))) for tab in tabs]
    at = next((index for index, tab in enumerate(tabs) if tab.key == shown), 0)
    first = 0
    while first < at and sum(width(text) + 3 for text in texts[first : at + 1]) + 3 > cells:
        first += 1
    spans: list[Span] = [(" ‹ " if first else " ", "faint")]
    zones: list[Zone] = []
    used = width(spans[0][0])
    for index in range(first, len(tabs)):
        text = f"[{texts[index]}]" if index == at else f" {texts[index]} "
        if used + width(text) + 2 > cells and index > at:
            spans.append((f"+{count(len(tabs) - index)}", "faint"))
            break
        spans += [(text, "tab-on" if index == at else "tab"), (" ", "")]
        zones.append((used, used + width(text), f"channel:{tabs[index].key}"))
        used += width(text) + 1
    return tuple(spans), zones
