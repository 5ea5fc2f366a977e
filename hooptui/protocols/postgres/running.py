"""One operation that the server works on: what of its answer is recorded, and what is said when it is finished.

Rows are recorded as the client sees them until the recording's cap for one operation; beyond it they are only counted. What is
gathered here goes on record before it is on its way, at `flush` or at `finish`, whichever comes first: all of a small answer at
once. Knows no message format and no socket.
"""

from __future__ import annotations

from hooptui.core.events import Body, Header, Omitted, Output, Rows
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
        "_said",
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
        self._said: list[Body] = []
        """What is to be recorded next, before the rows that are kept."""
        self._left_out = 0
        self._left_out_bytes = 0
        self._tags: list[str] = []
        self._finished = False

    @property
    def room(self) -> bool:
        """Whether the recording takes more of this operation's answer."""
        return self._used < self._cap

    def columns(self, layout: Layout) -> None:
        """Rows of this layout follow; nothing new when they did before."""
        if self._layout is layout:
            return
        self._gather()
        self._layout = layout
        if self._used < self._cap:
            self._used += layout.header_size
            self._said.append(Header(self.number, layout.header))

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
        """Record what was gathered so far; called before it is on its way to the client.

        Raises:
            CannotRecord: the recording cannot take it.
        """
        self._gather()
        if self._said:
            said, self._said = self._said, []
            self._session.record_all(said)

    def _gather(self) -> None:
        """The rows kept so far become a body."""
        if self._kept and self._layout is not None:
            rows, self._kept = self._kept, []
            shown = self._layout.masker.transcribe(self._layout.columns, rows)
            self._said.append(Rows(self.number, shown))

    def output(self, stream: str, text: str, size: int) -> None:
        """Something else the client is about to see: a notice, an error, copied lines.

        Raises:
            CannotRecord: the recording cannot take it.
        """
        self._gather()
        if self.room:
            self._used += size
            self._said.append(Output(self.number, stream, self._session.masker.text(text)))
        else:
            self.leave_out(1, size)
        self.flush()

    def completed(self, tag: str) -> None:
        """One statement of it is done; the next one's rows are of another layout."""
        self._gather()
        self._layout = None
        if len(self._tags) == TAGS_SHOWN:
            self._tags.append("…")
        elif len(self._tags) < TAGS_SHOWN:
            self._tags.append(tag)

    def finish(self, instead: str = "") -> None:
        """Its answer is complete; `instead` says why it never got one.

        Raises:
            CannotRecord: something of it that is about to be shown could not be recorded.
        """
        if self._finished:
            return
        self._finished = True
        session, tally = self._session, self.tally
        self._gather()
        said, self._said = self._said, []
        if self._left_out:
            said.append(Omitted(self.number, self._left_out, self._left_out_bytes, self._cap))
        failure = self.error or instead
        session.finished(
            self.number,
            failure or "; ".join(self._tags),
            ok=not failure,
            rows=self.rows,
            masked=tally.masked,
            seconds=session.house.clock.monotonic() - self._begun,
            masks=tuple(sorted(tally.rules)) if tally.rules else (),
            shown=said,
        )
