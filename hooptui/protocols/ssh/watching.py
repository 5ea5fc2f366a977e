"""The eye on one command or shell: typed lines as a hint for the record, and the policy's watches over them and over output.

Everything is seen after it was shown, so that nothing here can hold anything back: it tells the operator, or ends the session. What
it looks at is what the client saw, behind the masks.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final

from hooptui.core.events import Alert, Output
from hooptui.core.session import Session
from hooptui.core.watch import WatchEffect, WatchRule
from hooptui.protocols.ssh.typed import TypedLines

STREAM: Final = "typed"
"""What the record calls a hint."""
HINTS: Final = 5000
"""Typed lines that one shell's record takes."""
WIDE: Final = 4096
"""Characters of a line of output that are looked at."""
AGAIN: Final = 10.0
"""Seconds in which one watch tells the operator once."""
QUOTED: Final = 200
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")

Send = Callable[[bytes, int | None], None]
Kill = Callable[[str, str], None]


class Watching:
    """See the module. Lives on the gateway's loop; stands between a command's outlet and its client."""

    def __init__(self, session: Session, number: int, send: Send, kill: Kill, *, terminal: bool) -> None:
        """`kill` ends the session, by whom and why."""
        self._session = session
        self._number = number
        self._send = send
        self._kill = kill
        self._typed = TypedLines() if terminal else None
        self._hints = 0
        self._policy = ""
        self._watches: tuple[WatchRule, ...] = ()
        self._pieces: frozenset[str] = frozenset()
        """What output is looked through for first; empty when no watch looks at it."""
        self._lines: dict[int | None, _Lines] = {}
        self._told: dict[str, float] = {}
        self._killed = False

    def out(self, data: bytes, datatype: int | None) -> None:
        """To the client, and then have a look."""
        self._send(data, datatype)
        if self._typed is not None:
            for line in self._typed.screen(data):
                self._entered(line)
        if self._session.house.judge.version != self._policy:
            self._renew()
        if self._pieces:
            lines = self._lines.get(datatype)
            if lines is None:
                lines = self._lines[datatype] = _Lines()
            for line in lines.feed(data, self._pieces):
                self._look(line, typed=False)

    def keys(self, data: bytes) -> None:
        """What the client sends on."""
        if self._typed is not None:
            self._typed.keys(data)

    # --- inside

    def _renew(self) -> None:
        session = self._session
        judge = session.house.judge
        self._watches, self._policy = judge.watches(session.identity, session.target), judge.version
        self._pieces = frozenset(piece for watch in self._watches for piece in watch.pieces)

    def _entered(self, line: str) -> None:
        session = self._session
        self._hints += 1
        if self._hints <= HINTS:
            # A hint that cannot be recorded is none; what is shown and cannot be, is the outlet's to stop.
            session.try_record(Output(self._number, STREAM, session.masker.text(line)))
        if session.house.judge.version != self._policy:
            self._renew()
        self._look(line, typed=True)

    def _look(self, line: str, *, typed: bool) -> None:
        if not line or self._killed:
            return
        for watch in self._watches:
            matches = watch.typed if typed else watch.output
            if matches is not None and matches(line):
                self._found(watch, line, typed=typed)

    def _found(self, watch: WatchRule, line: str, *, typed: bool) -> None:
        session, now = self._session, self._session.house.clock.monotonic()
        kills = watch.effect is WatchEffect.KILL
        if kills or now - self._told.get(watch.id, -AGAIN) >= AGAIN:
            self._told[watch.id] = now
            what = "typed" if typed else "shown"
            words = f"{session.id} on {session.target.name}: {watch.id}: {watch.reason or 'something that is watched for'}; {what}: {line[:QUOTED]}"
            session.try_record(Alert("watch", session.masker.text(words)))
        if kills and not self._killed:
            self._killed = True
            self._kill(f"rule {watch.id}", watch.reason)


class _Lines:
    """Output as lines of plain text, whatever the pieces; of a line that does not end, its beginning."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""

    def feed(self, data: bytes, pieces: frozenset[str]) -> list[str]:
        """The lines that end here and have one of the casefolded `pieces` in them."""
        text = self._line + self._decoder.decode(data)
        end = text.rfind("\n")
        self._line = text[end + 1 :][:WIDE]
        if end < 0:
            return []
        body = text[:end]
        if "\x1b" in body:
            body = _ESCAPES.sub("", body)
        if not _has(body.casefold(), pieces):
            return []
        plain = (_CONTROLS.sub("", line[:WIDE]) for line in body.split("\n"))
        return [line for line in plain if _has(line.casefold(), pieces)]


def _has(folded: str, pieces: frozenset[str]) -> bool:
    return any(piece in folded for piece in pieces)
