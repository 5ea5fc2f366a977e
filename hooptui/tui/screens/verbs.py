"""What each verb of the keymap does on the main screen, as far as it only looks; what changes the world is in `changes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooptui.core.desk import Snapshot
from hooptui.core.events import Event
from hooptui.core.events_channels import TerminalOutput
from hooptui.core.filter import Filter
from hooptui.tui.feed import SLICE, Feed
from hooptui.tui.keymap import VIEWS, changes, key_of
from hooptui.tui.people import READ_ONLY
from hooptui.tui.screens.card import CardScreen, session_rows
from hooptui.tui.screens.changes import Changes
from hooptui.tui.screens.help import HelpScreen
from hooptui.tui.screens.palette import PaletteScreen
from hooptui.tui.screens.quit import QuitScreen
from hooptui.tui.screens.record import RecordScreen
from hooptui.tui.text import Row, clean, plain
from hooptui.tui.widgets.access import detail, handle, what
from hooptui.tui.widgets.audit import record_rows
from hooptui.tui.widgets.panes import ListPane, session_words
from hooptui.tui.widgets.replay_panes import MOST, MOST_TEXT
from hooptui.tui.widgets.terminal import TerminalView

if TYPE_CHECKING:
    from hooptui.tui.screens.main import MainScreen

PANES = ("live", "held", "output")


class Verbs:
    """See the module."""

    def __init__(self, screen: MainScreen) -> None:
        self.screen = screen
        self.changes = Changes(screen)

    def do(self, verb: str, key: str = "", arg: str = "") -> None:
        """Run a verb of the keymap; `arg` is what the palette was told beyond it."""
        screen, app = self.screen, self.screen.hooptui
        row = key_of(verb)
        if screen.filtering:
            if verb == "back":
                screen.close_filter(keep=False)
            return
        if screen.pane.place not in row.where and not arg:
            app.flash(f"{row.shown or row.word}: {row.help}; not here", "faint")
            return
        if changes(row) and app.why_not:
            gap = ": " if app.why_not == READ_ONLY else "; "
            app.flash(f"{app.why_not}{gap}{row.shown or row.word} ({row.word.lower()}) does nothing here", "warn")
            return
        if row.command:
            self.changes.do(verb, arg)
            return
        match verb:
            case "play" | "step" | "operation-before" | "operation-after" | "risky-after" | "risky-before":
                self._play(verb)
            case "seconds-back" | "seconds-on" | "slower" | "faster":
                self._play(verb)
            case "down" | "up" | "top" | "end" | "page-down" | "page-up":
                screen.pane.lines.move(verb)
                if verb == "up" or verb == "top" or verb == "page-up":
                    self._older()
            case "follow" | "wrap" | "times":
                self._output(verb)
            case "channel" | "channel-before":
                self._channel(verb, arg or key)
            case _:
                self._look(verb, key, arg)

    # --- looking

    def _look(self, verb: str, key: str, arg: str) -> None:
        screen, app = self.screen, self.screen.hooptui
        match verb:
            case "view":
                number = arg or key
                if number.isdecimal() and 1 <= int(number) <= len(VIEWS):
                    screen.go(VIEWS[int(number) - 1])
            case "pane" | "pane-before":
                self._next_pane(1 if verb == "pane" else -1)
            case "access":
                screen.go("access")
            case "who":
                self._who()
            case "open":
                self._open()
            case "back":
                self._back()
            case "filter":
                screen.open_filter()
            case "palette":
                app.push_screen(PaletteScreen(screen.pane.place, readonly=app.readonly, run=self.do))
            case "help":
                app.push_screen(HelpScreen())
            case "quit":
                app.push_screen(QuitScreen())
            case "zoom":
                screen.zoomed = not screen.zoomed
                screen.restyle()
                app.flash("this pane alone; z again for all" if screen.zoomed else "all panes", "faint")
            case "sort":
                self._sort()
            case "copy":
                self._copy()
            case "replay":
                self._replay(arg)
            case "verify":
                app.background("verify", self._verify)
            case _:
                raise KeyError(verb)

    def _open(self) -> None:
        screen = self.screen
        match screen.pane.place:
            case "live":
                if screen.live.session is not None:
                    self.show_output(screen.live.session.id)
                    screen.output.lines.set_follow(True)
                    screen.go("output")
            case "held":
                self.changes.do("approve")
            case "access":
                self._who()
            case "recordings":
                self._replay("")
            case "audit":
                record = screen.audit.record
                if record is not None:
                    screen.app.push_screen(
                        RecordScreen(f"Record {record.seq}", record_rows(record, screen.hooptui.zone))
                    )

    def _back(self) -> None:
        screen = self.screen
        if screen.pane.filter:
            screen.pane.set_filter(Filter())
            screen.hooptui.flash("filter off", "faint")
        elif screen.zoomed:
            screen.zoomed = False
            screen.restyle()
        elif screen.view == "replay" and screen.on_stage:
            screen.go("replay", stage=False)
        elif screen.view != "live":
            screen.go("live")
        else:
            screen.hooptui.flash("nothing to go back from; ctrl+q leaves", "faint")

    def _who(self) -> None:
        """The card of whoever is under the cursor."""
        screen, app = self.screen, self.screen.hooptui
        if screen.pane.place == "access":
            self._holding_card()
            return
        session = self.changes.session("")
        if session is None:
            app.flash("no open session here to tell of", "faint")
            return
        number = session.id

        def rows(snapshot: Snapshot, cells: int) -> list[Row]:
            one = next((row for row in snapshot.sessions if row.id == number), None)
            if one is None:
                return []
            hold = next((row for row in snapshot.held if row.session == number), None)
            return session_rows(one, hold, snapshot, cells, app.zone, one.grant in app.tail.glass)

        app.push_screen(CardScreen(f"Session {clean(number, 12)}", rows))

    def _holding_card(self) -> None:
        """The card of a lease, a grant or a block."""
        screen, lister = self.screen, self.screen.access.list
        holding = screen.access.holding
        if holding is None:
            screen.hooptui.flash("nothing here to tell of", "faint")
            return
        key = lister.key(holding)

        def rows(_: Snapshot, cells: int) -> list[Row]:
            one = next((row for row in lister.items if lister.key(row) == key), None)
            return detail(lister, one, cells) if one is not None else []

        screen.app.push_screen(CardScreen(f"{what(holding).capitalize()} {clean(handle(holding), 40)}", rows))

    def _next_pane(self, step: int) -> None:
        screen = self.screen
        if screen.view == "replay" and screen.player.player is not None:
            screen.go("replay", stage=not screen.on_stage)
            return
        if screen.view not in VIEWS:
            screen.go(VIEWS[0] if step > 0 else VIEWS[-1])
            return
        ring = VIEWS if screen.narrow or screen.zoomed or screen.view not in PANES else PANES
        screen.go(ring[(ring.index(screen.view) + step) % len(ring)])

    def _sort(self) -> None:
        pane = self.screen.pane
        if isinstance(pane, ListPane) and pane.list.sorts:
            by = pane.list.next_sort()
            pane.again()
            self.screen.hooptui.flash(f"sorted by {by}", "faint")

    def _copy(self) -> None:
        screen = self.screen
        match screen.pane.place:
            case "live":
                text = screen.live.session.last if screen.live.session else ""
            case "held":
                text = screen.held.hold.text if screen.held.hold else ""
            case "output":
                text = screen.output.text
            case "player":
                text = screen.player.text
            case "recordings":
                text = screen.recordings.list.chosen.session if screen.recordings.list.chosen else ""
            case "access":
                text = handle(screen.access.holding) if screen.access.holding else ""
            case _:
                record = screen.audit.list.chosen
                text = plain(screen.audit.list.row(screen.audit.list.at, 500)).strip("▌ ") if record else ""
        if not text:
            screen.hooptui.flash("nothing to copy here", "faint")
            return
        # What is pasted may go into a shell: it is the inert text that was seen, not what it was made of.
        shown = "\n".join(clean(line) for line in text.split("\n"))
        screen.app.copy_to_clipboard(shown)
        screen.hooptui.flash(f"copied {len(shown)} characters", "faint")

    def _output(self, verb: str) -> None:
        screen = self.screen
        pane = screen.player if screen.pane.place == "player" else screen.output
        lines = pane.lines
        if verb == "follow":
            lines.set_follow(not lines.follow)
        elif isinstance(lines, TerminalView):
            screen.hooptui.flash("a terminal is shown as it is", "faint")
        elif verb == "wrap":
            lines.wrap = not lines.wrap
            lines.lay_out()
        else:
            lines.times = not lines.times
            lines.lay_out()
        screen.show_output_frame()

    # --- output

    def _channel(self, verb: str, key: str) -> None:
        """To the next tab of the session, or to the one that was clicked."""
        screen = self.screen
        pane = screen.player if screen.pane.place == "player" else screen.output
        if any(tab.key == key for tab in pane.tabs()):
            pane.choose(key)
        elif not pane.next_tab(1 if verb == "channel" else -1):
            screen.hooptui.flash("this session has one channel", "faint")

    def show_output(self, session: str) -> None:
        """Turn Output to a session."""
        screen = self.screen
        if screen.output.session == session:
            return
        old, screen.feed = screen.feed, Feed(screen.hooptui.desk, session)
        view = screen.session_of(session)
        screen.output.open(session, session_words(view) if view else "")
        if old is not None:
            screen.hooptui.background(f"close {old.session}", old.close)
        self.pull()

    def pull(self) -> None:
        """Read on in the session that Output shows; one read at a time, however often this is called."""
        feed = self.screen.feed
        if feed is None or self.screen.hooptui.closed:
            return

        async def work() -> None:
            batch = await feed.pull()
            if feed is self.screen.feed:
                self.screen.output.feed(batch.events, batch.lost)

        self.screen.hooptui.background(f"output {feed.session}", work)

    # --- held

    def ask_review(self) -> None:
        """Ask once what the target says of the hold under the cursor."""
        held = self.screen.held
        hold = held.hold
        if hold is None or hold.number in held.asked:
            return
        held.asked.add(hold.number)
        number = hold.number

        async def work() -> None:
            review = await self.screen.hooptui.desk.review(number)
            if review is not None:
                held.reviews[number] = review
            held.show_detail()

        self.screen.hooptui.background(f"estimate {number}", work)

    # --- replay and audit

    def list_recordings(self) -> None:
        screen = self.screen

        async def work() -> None:
            recordings = await screen.hooptui.desk.recordings()
            snapshot = screen.hooptui.snapshot
            screen.recordings.show(recordings, snapshot.health.now if snapshot else screen.hooptui.clock.now())

        screen.hooptui.background("recordings", work)

    def _replay(self, arg: str) -> None:
        number = arg or self.changes.subject()
        if not number:
            self.screen.hooptui.flash("no session here to replay", "faint")
            return
        known = next(
            (one for one in self.screen.recordings.all if one.session == number), None
        ) or self.screen.session_of(number)
        self.play_session(number, f"{clean(known.who, 40)} → {clean(known.target, 40)}" if known else "")

    def play_session(self, number: str, words: str) -> None:
        """Read a recording and play it from its start."""
        screen = self.screen
        screen.player.waiting(number, words)
        screen.go("replay", stage=True)

        async def work() -> None:
            events: list[Event] = []
            position = text = 0
            while len(events) < MOST and text < MOST_TEXT:
                part, after = await screen.hooptui.desk.transcript(number, after=position, limit=SLICE)
                if after == position:
                    break
                position = after
                events.extend(part)
                text += sum(len(one.body.text) for one in part if isinstance(one.body, TerminalOutput))
            if screen.player.session == number:
                screen.player.load(events[:MOST], cut=len(events) >= MOST or text >= MOST_TEXT)

        screen.hooptui.background(f"recording {number}", work)

    def _play(self, verb: str) -> None:
        pane, app = self.screen.player, self.screen.hooptui
        player = pane.player
        if player is None:
            app.flash("the recording is being read", "faint")
            return
        found = True
        match verb:
            case "play":
                player.toggle()
            case "step":
                player.step()
            case "operation-before" | "operation-after":
                found = player.to_operation(1 if verb == "operation-after" else -1)
            case "risky-after" | "risky-before":
                found = player.to_risky(1 if verb == "risky-after" else -1)
            case "seconds-back" | "seconds-on":
                player.seek(5.0 if verb == "seconds-on" else -5.0)
            case "slower":
                player.slower()
            case _:
                player.faster()
        if not found:
            app.flash("there is no further one", "faint")
        pane.draw()

    async def _verify(self) -> None:
        audit = self.screen.audit
        audit.running = True
        audit.draw()
        try:
            audit.result = await self.screen.hooptui.desk.verify()
        finally:
            audit.running = False
            audit.draw()

    def _older(self) -> None:
        screen = self.screen
        if screen.pane is not screen.audit or screen.audit.list.at > 0:
            return

        async def work() -> None:
            if await screen.hooptui.tail.older(screen.hooptui.desk):
                screen.show_tail()

        screen.hooptui.background("older", work)
