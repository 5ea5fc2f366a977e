"""What the core asks of the other rooms, as types. The only way a protocol sees policy, masking, audit and auth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hooptui.core.approvals import Approval
from hooptui.core.events import Event
from hooptui.core.gate import Killed, Masked
from hooptui.core.model import Access, Column, Decision, Identity, MaskSet, Operation, Target
from hooptui.core.watch import WatchRule

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an identity may open a session on a target at all, and for how long."""

    admitted: bool
    rule: str = ""
    reason: str = ""
    session_max: float | None = None
    """Seconds from the opening of the session; None when no rule says."""
    access: Access | None = None
    """Set when only people can let this identity in: `admitted` is true, and the session waits before its first operation."""


class Judge(Protocol):
    """The policy. Pure and total: an exception is the caller's cue to deny."""

    @property
    def version(self) -> str:
        """Hash of the policy in force; changes with every successful reload."""

    def admits(self, identity: Identity, target: Target) -> Admission: ...

    def decide(
        self, identity: Identity, target: Target, operation: Operation, granted: frozenset[str] = NOTHING
    ) -> Decision:
        """`granted` are the rules that just-in-time access has put in force for this session: they count as allows."""

    def masks(self, identity: Identity, target: Target) -> MaskSet: ...

    def watches(self, identity: Identity, target: Target) -> tuple[WatchRule, ...]:
        """What is looked for in this identity's terminals there."""


class Ledger(Protocol):
    """The audit log: journal and recordings behind one door, called from the gateway's thread."""

    def append(self, event: Event) -> None:
        """Queue one event in order, to where its body says it is kept; never blocks.

        Raises:
            CannotRecord: the log is not able to take events now.
        """

    def append_all(self, events: list[Event]) -> None:
        """`append` for several of one session at once, which costs little more than one of them.

        Raises:
            CannotRecord: as `append`, and then not all of them were taken, or none.
        """

    async def durable(self) -> None:
        """Return once everything appended so far is on stable storage.

        Raises:
            CannotRecord: it could not be written or synced.
        """

    def fingerprint(self, identity: Identity, target: Target, operation: Operation) -> str:
        """A keyed hash of exactly this text and these parameters by this identity on this target."""


class ColumnMask(Protocol):
    """What happens to the values of one column."""

    def apply(self, value: bytes) -> tuple[bytes | None, str]:
        """Mask one value in the column's own format (text or binary).

        Returns the value to send (None is SQL NULL) and the identifier of the mask rule that fired, empty when none did;
        an untouched value is returned as the very same object.
        """


class ResultMask(Protocol):
    """The plan for one result."""

    @property
    def columns(self) -> tuple[ColumnMask | None, ...]:
        """One for each column; None when its values pass untouched whatever they are."""

    @property
    def forced(self) -> bool:
        """True when every row must be read: a column is masked whatever it holds, or holds binary numbers that no byte pattern sees."""

    def needed(self, chunk: bytes) -> tuple[ColumnMask | None, ...]:
        """`columns` without those that cannot find anything in the rows of these raw message bytes."""

    def suspects(self, chunk: bytes) -> bool:
        """Fast look over raw message bytes: False promises that no detector matches any field inside."""


class Masker(Protocol):
    """The masks of one session."""

    @property
    def masks(self) -> MaskSet: ...

    def text(self, raw: str) -> Masked:
        """Free text (a statement, an error, a notice) with every detected value replaced."""

    def plan(self, columns: Sequence[Column], *, ascii_only: bool = False) -> ResultMask | None:
        """The plan for a result of these columns; None when no mask can touch it.

        `ascii_only` keeps to replacements that every client encoding can carry."""

    def transcribe(
        self, columns: Sequence[Column], rows: Sequence[Sequence[bytes | None]]
    ) -> tuple[tuple[Masked | None, ...], ...]:
        """Rows as the client saw them, for people to read: binary values rendered by type, long values cut."""


class Channel(Protocol):
    """The protocol's hold on one client connection and its upstream; made by a proxy, driven by its Session."""

    async def kill(self, message: str) -> Killed:
        """Stop what runs upstream, prove that it is gone, tell the client `message` in its own words, close both sides."""

    async def end(self, message: str) -> None:
        """Close both sides in the protocol's polite way: deadline reached, gateway draining."""


class Tell(Protocol):
    """How a protocol tells its client that an operation waits. Called at once and then every few seconds."""

    def __call__(self, approval: Approval, remaining: float) -> None: ...
