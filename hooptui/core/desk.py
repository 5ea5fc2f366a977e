"""What a screen may know and do: snapshots out, commands in, a bounded subscription. Knows neither screen nor gateway.

`hooptui.control` has the two desks: one into the gateway of the same process, one over the control socket. A screen
cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hooptui.core.events import Event
from hooptui.core.gate import Masked


@dataclass(frozen=True, slots=True)
class ListenerView:
    protocol: str
    """`pg`, `ssh` or `k8s`."""
    address: str
    up: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """Line 1 of the screen, as it is now."""

    name: str
    """Name of the gateway."""
    now: float
    listeners: tuple[ListenerView, ...]
    live: int
    held: int
    oldest_held: float
    """Seconds the oldest held operation has waited; 0 when none is."""
    journal_ok: bool
    journal_records: int
    journal_error: str
    loop_delay: float
    """Seconds the gateway's loop was late at its last tick."""
    policy: str
    """Short version of the policy in force."""
    policy_error: str = ""
    """`file:line: …` of the last reload that was rejected; empty when the files on disk are in force."""
    draining: bool = False
    operator: str = ""
    """Name of the operator this desk acts for; empty when it may only look."""
    operator_key: str = ""
    """Issuer and subject of that operator; the issuer is `local` for the one that the configuration names."""
    operator_groups: tuple[str, ...] = ()
    operator_until: float | None = None
    """Unix seconds at which the operator's login ends; None when it has no end."""
    may_log_in: bool = False
    """Operators prove who they are at this desk (`login`); without that nobody may decide."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """One row of Live."""

    id: str
    who: Masked
    identity: str
    """Issuer and subject."""
    groups: tuple[str, ...]
    kind: str
    target: str
    via: str
    """`pg`, `ssh` or `k8s`."""
    peer: str
    application: Masked
    opened_at: float
    deadline: float | None
    operations: int
    masked: int
    bytes_out: int
    state: str
    """`live running held frozen ending closed`."""
    last: Masked
    last_at: float
    owner: str = ""
    """Key of the person that an agent acts for; empty when there is none."""
    lease: str = ""
    """Lease it was opened with; empty when the client brought its own token."""
    bounds: tuple[tuple[str, float], ...] = ()
    """What limits it (`token`, `lease`, `policy`, `grant`) and when each ends it in Unix seconds, the earliest first."""
    grant: int = 0
    """Number of the approval that let it in; 0 when a standing rule did."""
    purpose: Masked | None = None
    """What the client said it wants access for; None when it said nothing."""


@dataclass(frozen=True, slots=True)
class HeldView:
    """One row of Held."""

    number: int
    session: str
    who: Masked
    target: str
    via: str
    opened_at: float
    expires_at: float
    text: Masked
    verb: str
    relations: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    """Label and words, ready to show: `("where", "none")`, `("in transaction", "yes")`."""
    rule: str
    rule_words: str
    risk: str
    by: tuple[str, ...]
    quorum: int
    approvals: int
    scopes: tuple[str, ...]
    scope_lasts: float
    reason_required: bool
    parameters: tuple[Masked | None, ...] = ()
    access: bool = False
    """A connection that asks to be let in; `scope_lasts` is the longest access in seconds that may be given."""
    kind: str = ""
    """`human`, `workload` or `agent`."""
    owner: str = ""
    claimed: str = ""
    """Name of who looks into it; empty when nobody does."""
    claimed_at: float = 0.0
    """Unix seconds since when they do."""
    break_glass: tuple[str, ...] = ()
    """Groups that may break the glass for it."""
    group: int = 0
    """Objects that one review of it covers with scope `group`, its own among them; 0 when it is alone."""
    members: tuple[Masked, ...] = ()
    """The first of them; the review has all."""


@dataclass(frozen=True, slots=True)
class LeaseView:
    """One live lease."""

    id: str
    who: Masked
    identity: str
    kind: str
    owner: str
    how: str
    issued_at: float
    expires_at: float
    sessions: int
    """Open sessions that were opened with it."""


@dataclass(frozen=True, slots=True)
class GrantView:
    """One grant in force."""

    approval: int
    identity: str
    target: str
    scope: str
    """`fingerprint`, `group`, `run`, `rule` or `access`."""
    rule: str
    until: float
    sessions: int
    """Open sessions that are in by it."""


@dataclass(frozen=True, slots=True)
class BlockView:
    """One identity that is locked out."""

    identity: str
    by: str
    reason: Masked
    at: float


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer sees beyond the row; looked up when the modal opens, so it may take a moment."""

    held: HeldView
    estimate: Masked
    """EXPLAIN's row estimate and plan head, or an API server's dry run and what a delete takes along; or why there is none."""
    peer: str
    application: Masked
    groups: tuple[str, ...]
    opened_at: float
    """When the session began."""
    history: tuple[Masked, ...]
    """The session's last operations, newest last."""
    may_vote: str
    """Empty when the operator of this desk may vote; otherwise why not."""
    members: tuple[Masked, ...] = ()
    """All objects that it covers with scope `group`, in the order in which they will be asked for; empty when it is alone."""
    more: bool = False
    """The client knows of others, which are not covered."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    health: Health
    sessions: tuple[SessionView, ...]
    held: tuple[HeldView, ...]
    leases: tuple[LeaseView, ...] = ()
    """Those that end first come first."""
    grants: tuple[GrantView, ...] = ()
    blocks: tuple[BlockView, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordingView:
    """One row of the list of recordings."""

    session: str
    who: Masked
    target: str
    via: str
    opened_at: float
    closed_at: float | None
    operations: int
    size: int
    live: bool


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One record of the journal, for Audit."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True)
class VerifyView:
    """The outcome of checking the whole journal and every sealed recording."""

    status: int
    """0 intact, 1 broken, 2 unreadable: the exit status of `hooptui verify`."""
    records: int
    checkpoints: int
    recordings: int
    findings: tuple[str, ...]
    """What is wrong and where; torn tails that were recorded as such are named too."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Command:
    """A verb of the command table with its arguments."""

    verb: str
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command; `text` is for the operator."""

    ok: bool
    text: str
    data: Mapping[str, object] = field(default_factory=dict)


class DeskClosed(Exception):
    """The gateway behind this desk is gone."""


class Watch(Protocol):
    """A bounded subscription to the events of one session, or of all."""

    def drain(self) -> tuple[Sequence[Event], int]:
        """The events since the last call and how many were lost before them; never blocks."""

    async def close(self) -> None: ...


class Desk(Protocol):
    """All calls are made on the screen's own loop and may raise DeskClosed."""

    @property
    def readonly(self) -> bool: ...

    async def snapshot(self) -> Snapshot: ...

    async def review(self, number: int) -> Review | None:
        """None when the approval was settled meanwhile."""

    async def run(self, command: Command) -> Outcome: ...

    async def watch(self, session: str) -> Watch:
        """Watch a session from now on; empty for all sessions."""

    async def transcript(self, session: str, *, after: int = 0, limit: int = 2000) -> tuple[tuple[Event, ...], int]:
        """A slice of a recording (of a live session too), from position `after`, and the position to go on from."""

    async def recordings(self) -> tuple[RecordingView, ...]:
        """Newest first, bounded."""

    async def journal(self, *, before: int | None = None, limit: int = 200) -> tuple[JournalLine, ...]:
        """The newest records with a sequence number below `before`, oldest first."""

    async def verify(self) -> VerifyView: ...

    async def close(self) -> None: ...
