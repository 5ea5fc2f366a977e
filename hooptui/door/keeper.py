"""What identities hold beside their sessions (leases, grants, the right to log in at all), and how it is taken back. Knows no socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from hooptui.auth.leases import Leases
from hooptui.core.approvals import Approvals
from hooptui.core.clock import Clock
from hooptui.core.desk import BlockView
from hooptui.core.events import Body, GrantEnded
from hooptui.core.events_people import CertificateIssued, IdentityBlocked, IdentityUnblocked, LeaseEnded, LeaseIssued
from hooptui.core.gate import CannotRecord, Killed, LoginRefused, Masked, Why
from hooptui.core.model import Bound, Grant, Identity, Lease
from hooptui.core.secret import Secret
from hooptui.core.session import Session
from hooptui.store.rows import Block

UNRECORDED: Final = "hooptui cannot record this now, so it is not done"


class BlockBook(Protocol):
    """Where lock-outs are kept."""

    def save(self, row: Block, /) -> None: ...

    def delete(self, key: str, /) -> bool: ...

    def all(self) -> tuple[Block, ...]: ...


@dataclass(frozen=True, slots=True)
class Blocked:
    """What a lock-out ended."""

    sessions: int
    leases: int
    grants: int
    confirmed: bool
    """Every kill was."""


class Keeper:
    """See the module. Lives on the gateway's loop."""

    def __init__(
        self,
        leases: Leases,
        blocks: BlockBook,
        approvals: Approvals,
        clock: Clock,
        *,
        sessions: Mapping[str, Session],
        emit: Callable[[Body], None],
        mask: Callable[[str], Masked],
    ) -> None:
        """`sessions` is the doorman's own mapping, which changes as they come and go."""
        self.leases = leases
        self._book = blocks
        self._blocks = {one.identity: one for one in blocks.all()}
        self._approvals = approvals
        self._clock = clock
        self._sessions = sessions
        self._emit = emit
        self._mask = mask

    # --- locking out

    def locked_out(self, identity: Identity) -> bool:
        """Whether this identity, or the person it acts for, may not be here."""
        return identity.key in self._blocks or (identity.owner is not None and identity.owner in self._blocks)

    def check(self, identity: Identity) -> None:
        """Raises:
        LoginRefused: the identity is locked out.
        """
        if self.locked_out(identity):
            raise LoginRefused(
                "identity-blocked",
                "an operator has locked you out of this gateway",
                hint="ask the people who run it",
                log=f"{identity.key} is locked out",
            )

    async def block(self, key: str, by: Identity, reason: str) -> Blocked:
        """Lock an identity out, with the agents that act for it: its sessions die now, its leases and grants are void.

        Raises:
            CannotRecord: the journal was not told; the identity is locked out all the same, for that can do no harm.
            StoreTrouble: it would not be remembered over a restart; until then it is locked out all the same.
        """
        one = Block(key, by.key, reason, self._clock.now())
        self._blocks[key] = one
        keys = {key} | {each.identity.key for each in self._of(key)}
        grants = self._approvals.take_back(lambda grant: grant.identity in keys)
        leases = [lease for lease in self.leases.live() if key in (lease.identity.key, lease.identity.owner)]
        for lease in leases:
            self.leases.revoke(lease.id)
        words = f"{by.name} locked this identity out" + (f": {reason}" if reason else "")
        killed = await self._kill(self._of(key), by, words)
        self._emit(IdentityBlocked(key, by.key, self._mask(reason), len(killed), len(leases), len(grants)))
        for lease in leases:
            self._emit(LeaseEnded(lease.id, "blocked", by.key))
        self._book.save(one)
        return Blocked(len(killed), len(leases), len(grants), all(one.confirmed for one in killed))

    def unblock(self, key: str, by: Identity) -> bool:
        """False when it was not locked out.

        Raises:
            CannotRecord: the journal was not told, and the identity stays locked out.
        """
        if key not in self._blocks:
            return False
        self._emit(IdentityUnblocked(key, by.key))
        del self._blocks[key]
        self._book.delete(key)
        return True

    def blocks(self) -> tuple[BlockView, ...]:
        return tuple(BlockView(one.identity, one.by, self._mask(one.reason), one.at) for one in self._blocks.values())

    # --- leases and grants

    def issue(self, identity: Identity, how: str, *, peer: str, until: float | None = None) -> tuple[Lease, Secret]:
        """A new lease.

        Raises:
            LoginRefused: it is locked out.
            CannotRecord: the journal was not told, and there is no lease.
        """
        self.check(identity)
        lease, secret = self.leases.issue(identity, how, until=until)
        who = lease.identity
        try:
            self._emit(
                LeaseIssued(
                    lease.id, who.issuer, who.subject, self._mask(who.name), tuple(sorted(who.groups)), who.kind, who.owner or "",
                    how, peer, lease.expires_at,
                )
            )  # fmt: skip
        except CannotRecord:
            self.leases.revoke(lease.id)
            raise
        return lease, secret

    def renew(self, fresh: Identity) -> list[Session]:
        """A newer proof of an identity extends its sessions, as long as it says the same about it; returns those it extended.

        Raises:
            CannotRecord: the journal was not told; what was not extended ends as before.
        """
        extended: list[Session] = []
        if fresh.expires_at is None:
            return extended
        for session in tuple(self._sessions.values()):
            known = session.identity
            if known.key != fresh.key or (known.groups, known.kind, known.owner) != (
                fresh.groups,
                fresh.kind,
                fresh.owner,
            ):
                continue
            which = Bound.LEASE if session.lease else Bound.TOKEN
            if session.bounds.get(which, fresh.expires_at) < fresh.expires_at:
                session.bound(which, fresh.expires_at)
                extended.append(session)
        return extended

    async def revoke_lease(self, lease: str, by: Identity, reason: str) -> int | None:
        """Take a lease back and end the sessions that were opened with it; how many, None when it is not in force.

        Raises:
            CannotRecord: the journal was not told; the lease is void all the same.
        """
        if self.leases.revoke(lease) is None:
            return None
        words = f"{by.name} took back lease {lease}" + (f": {reason}" if reason else "")
        ended = await self._end([one for one in self._sessions.values() if one.lease == lease], words)
        self._emit(LeaseEnded(lease, "revoked", by.key))
        return ended

    async def revoke_grant(self, approval: int, by: Identity, reason: str) -> int | None:
        """Take a grant back and end the sessions that are in by it; how many, None when it is not in force.

        Raises:
            CannotRecord: the journal was not told; the grant is void all the same.
        """
        gone = self._approvals.take_back(lambda grant: grant.approval == approval)
        if not gone:
            return None
        words = f"{by.name} took back the access that was granted" + (f": {reason}" if reason else "")
        ended = await self._end(
            [one for one in self._sessions.values() if one.grant is not None and one.grant.approval == approval], words
        )
        self._ended(gone[0], by, reason)
        return ended

    def certified(self, identity: Identity, lease: str, key_id: str, serial: int, until: float, peer: str) -> None:
        """Put an SSH certificate on record before it is given out; `lease` is empty when the client brought a token.

        Raises:
            LoginRefused: the identity is locked out, or the journal was not told.
        """
        self.check(identity)
        try:
            self._emit(CertificateIssued(identity.key, lease, key_id, serial, until, peer))
        except CannotRecord as broken:
            raise LoginRefused("unrecorded", UNRECORDED, log=f"{UNRECORDED}: {broken}") from None

    # --- inside

    def _ended(self, grant: Grant, by: Identity, reason: str) -> None:
        self._emit(GrantEnded(grant.approval, grant.identity, grant.target, by.key, self._mask(reason)))

    def _of(self, key: str) -> list[Session]:
        return [one for one in self._sessions.values() if key in (one.identity.key, one.identity.owner)]

    @staticmethod
    async def _kill(sessions: list[Session], by: Identity, words: str) -> list[Killed]:
        return list(await asyncio.gather(*(one.kill(by.name, words) for one in sessions)))

    @staticmethod
    async def _end(sessions: list[Session], words: str) -> int:
        await asyncio.gather(*(one.end(Why.DEADLINE, words) for one in sessions))
        return len(sessions)
