"""What each verb that ends in a command does: what it is about, and the window or the command that follows.

Whatever cannot be undone with the same key goes through a window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooptui.core.desk import BlockView, Command, GrantView, HeldView, LeaseView, SessionView, Snapshot
from hooptui.tui.people import name_of, operator_words, requester
from hooptui.tui.screens.access_review import AccessReviewScreen
from hooptui.tui.screens.confirm import BlockScreen, BreakGlassScreen, RevokeScreen, UnblockScreen
from hooptui.tui.screens.deny import DenyScreen
from hooptui.tui.screens.kill import KillScreen
from hooptui.tui.screens.operator import OperatorScreen
from hooptui.tui.screens.quit import QuitScreen
from hooptui.tui.screens.review import ReviewScreen
from hooptui.tui.text import clean
from hooptui.tui.widgets.channel_pane import ChannelPane

if TYPE_CHECKING:
    from hooptui.tui.screens.main import MainScreen


class Changes:
    """See the module."""

    def __init__(self, screen: MainScreen) -> None:
        self.screen = screen

    def do(self, verb: str, arg: str = "") -> None:
        """Run a verb; `arg` is what the palette was told beyond it."""
        app = self.screen.hooptui
        match verb:
            case "approve" | "deny" | "claim" | "break-glass":
                self._about_hold(verb, arg)
            case "kill" | "freeze":
                self._about_session(verb, arg)
            case "block" | "unblock" | "revoke":
                self._about_access(verb, arg)
            case "export":
                number, pane = arg or self.subject(), self.screen.pane
                channel = pane.channel if isinstance(pane, ChannelPane) and not arg else None
                if number and channel is not None:
                    # What shows a terminal hands on a terminal.
                    app.command(Command("export", {"session": number, "format": "cast", "channel": str(channel)}))
                elif number:
                    app.command(Command("export", {"session": number}))
                else:
                    app.flash("no session here to export", "faint")
            case "login":
                health = app.snapshot.health if app.snapshot is not None else None
                nobody = health is not None and health.may_log_in and not operator_words(health)
                app.push_screen(OperatorScreen(start=nobody and not app.desk.readonly))
            case "drain":
                app.push_screen(QuitScreen())
            case "reload" | "logout":
                app.command(Command(verb))
            case _:
                raise KeyError(verb)

    def _about_hold(self, verb: str, arg: str) -> None:
        app, hold = self.screen.hooptui, self.hold(arg)
        if hold is None:
            app.flash(f"nothing is held {'as ' + clean(arg, 20) if arg else 'here'}", "faint")
            return
        match verb:
            case "approve":
                app.push_screen(AccessReviewScreen(hold) if hold.access else ReviewScreen(hold))
            case "deny":
                app.push_screen(DenyScreen(hold))
            case "claim":
                app.command(Command("claim", {"number": str(hold.number)}))
            case _:
                app.push_screen(BreakGlassScreen(hold))

    def _about_session(self, verb: str, arg: str) -> None:
        app, session = self.screen.hooptui, self.session(arg)
        if session is None:
            app.flash("no open session here", "faint")
        elif verb == "kill":
            app.push_screen(KillScreen(session))
        else:
            app.command(Command("thaw" if session.state == "frozen" else "freeze", {"session": session.id}))

    def _about_access(self, verb: str, arg: str) -> None:
        app = self.screen.hooptui
        match verb:
            case "revoke":
                holding = self._holding(arg)
                if holding is None:
                    app.flash(f"no lease or grant {clean(arg, 30) if arg else 'under the cursor'}", "faint")
                else:
                    app.push_screen(RevokeScreen(holding))
            case "block":
                person = self._person(arg)
                if person is None:
                    app.flash(f"no identity {clean(arg, 60) if arg else 'here'} to block", "faint")
                else:
                    app.push_screen(BlockScreen(*person))
            case _:
                block = self._block(arg)
                if block is None:
                    app.flash(f"{clean(arg, 60) if arg else 'what is under the cursor'} is not blocked", "faint")
                else:
                    app.push_screen(UnblockScreen(block))

    # --- what a verb is about

    @property
    def _snapshot(self) -> Snapshot | None:
        return self.screen.hooptui.snapshot

    def hold(self, arg: str) -> HeldView | None:
        """The hold that is meant: by number, under the cursor, or of the session in question."""
        screen, snapshot = self.screen, self._snapshot
        waiting = snapshot.held if snapshot is not None else ()
        if arg:
            return next((one for one in waiting if str(one.number) == arg.removeprefix("#")), None)
        if screen.pane.place == "held":
            return screen.held.hold
        session = self.session("")
        return next((one for one in waiting if session is not None and one.session == session.id), None)

    def session(self, arg: str) -> SessionView | None:
        """The open session that is meant: by the beginning of its name, or under the cursor."""
        screen = self.screen
        if arg:
            snapshot = self._snapshot
            found = [one for one in snapshot.sessions if one.id.startswith(arg)] if snapshot is not None else []
            return found[0] if len(found) == 1 else None
        match screen.pane.place:
            case "live":
                return screen.live.session
            case "held":
                return requester(screen.held.hold, self._snapshot) if screen.held.hold else None
            case "output":
                return screen.session_of(screen.output.session)
            case _:
                return None

    def subject(self) -> str:
        """The session that the cursor is about, open or closed."""
        screen = self.screen
        match screen.pane.place:
            case "live":
                return screen.live.session.id if screen.live.session else ""
            case "held":
                return screen.held.hold.session if screen.held.hold else ""
            case "output":
                return screen.output.session
            case "recordings":
                return screen.recordings.list.chosen.session if screen.recordings.list.chosen else ""
            case "player":
                return screen.player.session
            case "audit":
                return screen.audit.record.event.session if screen.audit.record else ""
            case _:
                return ""

    def _holding(self, arg: str) -> LeaseView | GrantView | None:
        """The lease (by the beginning of its id) or grant (by the number of its approval) that is meant."""
        if not arg:
            under = self.screen.access.holding if self.screen.pane.place == "access" else None
            return under if isinstance(under, LeaseView | GrantView) else None
        snapshot = self._snapshot
        if snapshot is None:
            return None
        leases = [one for one in snapshot.leases if one.id.startswith(arg)] if arg.startswith("hl_") else []
        if leases:
            return leases[0] if len(leases) == 1 else None
        number = arg.removeprefix("grant ").removeprefix("#")
        return next((one for one in snapshot.grants if str(one.approval) == number), None)

    def _person(self, arg: str) -> tuple[str, str] | None:
        """Key and name of the identity that is meant: by key, by one of its sessions, or under the cursor."""
        snapshot = self._snapshot
        if "#" in arg:
            return arg, name_of(snapshot, arg)
        if not arg and self.screen.pane.place == "access":
            holding = self.screen.access.holding
            if holding is None or isinstance(holding, BlockView):
                return None
            return holding.identity, self.screen.access.list.who(holding)
        session = self.session(arg)
        return (session.identity, session.who) if session is not None else None

    def _block(self, arg: str) -> BlockView | None:
        snapshot = self._snapshot
        if arg:
            return next((one for one in snapshot.blocks if one.identity == arg), None) if snapshot is not None else None
        under = self.screen.access.holding if self.screen.pane.place == "access" else None
        return under if isinstance(under, BlockView) else None
