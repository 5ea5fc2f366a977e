"""One operation that the server works on: what of its answer is recorded, and what is said when it is finished.

Rows are recorded as the client sees them until the recording's cap for one operation; beyond it they are only counted.
Knows no message format and no socket.
"""

from __future__ import annotations

from hooptui.core.events import Header, Omitted, Output, Rows
from hooptui.core.gate import CannotRecord
from hooptui.core.session import Session
from hooptui.protocols.postgres.rows import Layout, Tally

TAGS_SHOWN = 10
"""Command tags of one batch that its record names."""


class Running:
    """From the permit to `finish`, which takes place exactly once."""

    __slots__ = (
        "_begun",
        "_cap",
        "_finished",
        "_kept",
        "_layout",
        "_left_out",
        "_left_out_bytes",
        "_session",
        "_tags",
        "_used",
        "cancelled",
        "error",
        "number",
        "rows",
        "tally",
    )

    def __init__(self, session: Session, number: int) -> None:
        self.number = number
        house = session.house
        self.rows = 0
        """Result rows so far."""
        self.tally = Tally()
        self.error = ""
        """Code and text of the error that ended it."""
        self.cancelled = False
        """Somebody asked the server to stop it."""
        self._session = session
        self._begun = house.clock.monotonic()
        self._cap = house.recording_cap
        self._used = 0
        self._kept: list[list[bytes | None]] = []
        self._layout: Layout | None = None
        self._left_out = 0
        self._left_out_bytes = 0
        self._tags: list[str] = []
        self._finished = False

    @property
    def room(self) -> bool:
        """Whether the recording takes more of this operation's answer."""
        return self._used < self._cap

    def columns(self, layout: Layout) -> None:
        """Rows of this layout follow; nothing new when they did before.

        Raises:
            CannotRecord: the recording cannot take it.
        """
        if self._layout is layout:
            return
        if self._kept:
            self.flush()
        self._layout = layout
        if self._used < self._cap:
            self._used += 1 + sum(map(len, layout.header))
            self._session.record(Header(self.number, layout.header))

    def keep(self, row: list[bytes | None], size: int) -> None:
        """A row that the client is about to see; left out when there is no room."""
        if self._used < self._cap:
            self._used += size
            self._kept.append(row)
        else:
            self._left_out += 1
            self._left_out_bytes += size

    def leave_out(self, rows: int, size: int) -> None:
        """Rows that the client is about to see and the recording has no room for."""
        self._left_out += rows
        self._left_out_bytes += size

    def flush(self) -> None:
        """Record the rows kept so far; called before they are on their way to the client.

        Raises:
            CannotRecord: the recording cannot take them.
        """
        if self._kept and self._layout is not None:
            rows, self._kept = self._kept, []
            shown = self._layout.masker.transcribe(self._layout.columns, rows)
            self._session.record(Rows(self.number, shown))

    def output(self, stream: str, text: str, size: int) -> None:
        """Something else the client is about to see: a notice, an error, copied lines.

        Raises:
            CannotRecord: the recording cannot take it.
        """
        self.flush()
        if self.room:
            self._used += size
            self._session.record(Output(self.number, stream, self._session.masker.text(text)))
        else:
            self.leave_out(1, size)

    def completed(self, tag: str) -> None:
        """One statement of it is done; the next one's rows are of another layout."""
        if self._kept:
            self.flush()
        self._layout = None
        if len(self._tags) == TAGS_SHOWN:
            self._tags.append("…")
        elif len(self._tags) < TAGS_SHOWN:
            self._tags.append(tag)

    def finish(self, instead: str = "") -> None:
        """Its answer is complete; `instead` says why it never got one."""
        if self._finished:
            return
        self._finished = True
        session, tally = self._session, self.tally
        if self._kept or self._left_out:
            try:
                self.flush()
                if self._left_out:
                    session.record(Omitted(self.number, self._left_out, self._left_out_bytes, self._cap))
            except CannotRecord:
                # The same failure meets whatever the session asks next; what has run is still to be counted.
                self._kept = []
        failure = self.error or instead
        session.finished(
            self.number,
            failure or "; ".join(self._tags),
            ok=not failure,
            rows=self.rows,
            masked=tally.masked,
            seconds=session.house.clock.monotonic() - self._begun,
            masks=tuple(sorted(tally.rules)) if tally.rules else (),
        )
