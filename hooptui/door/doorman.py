"""Who is let in: credential to identity, identity to admission, admission to a recorded session, and the end of its time.

The `Doorman` that every protocol is handed. Knows no socket and no wire; the gateway builds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from hooptui.audit.log import AuditLog
from hooptui.auth.leases import LockedOut, is_lease
from hooptui.auth.oidc import Verifier
from hooptui.auth.revocation import Watcher
from hooptui.config.load import Config
from hooptui.core.clock import Clock
from hooptui.core.events import Alert, Body, LoginFailed
from hooptui.core.gate import CannotRecord, LoginRefused, Why
from hooptui.core.house import House
from hooptui.core.model import Bound, Identity, Lease, MaskRule, MaskSet, ScramKeys, Target
from hooptui.core.secret import Secret
from hooptui.core.session import Session
from hooptui.door.keeper import Keeper
from hooptui.masking import detectors
from hooptui.policy.store import PolicyHolder
from hooptui.protocols.base import Bearer, Credential, ProvedLease

STRANGERS = MaskSet((MaskRule("strangers", detect=tuple(sorted(detectors.ALL))),))
"""What is masked in texts of people who are not let in, and of the gateway itself."""

WORDS: dict[Bound, str] = {
    Bound.TOKEN: "the token it was opened with has expired",
    Bound.LEASE: "the lease it was opened with has ended",
    Bound.POLICY: "the policy gives it no more time",
    Bound.GRANT: "the access that was granted is over",
}
"""Why a session's time is over, for its client."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What all sessions since the start have done."""

    sessions: int = 0
    operations: int = 0
    masked: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody has been found to be, and by what."""

    identity: Identity
    lease: str = ""
    """Identifier of the lease they came with; empty when they brought a token."""
    token: Secret | None = field(default=None, repr=False)
    """The token itself, or the one that the lease was given for, where it is at hand."""


class FrontDoor:
    """See the module. Lives on the gateway's loop."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        policy: PolicyHolder,
        verifier: Verifier,
        keeper: Keeper,
        watcher: Watcher,
        log: AuditLog,
        house: House,
        *,
        sessions: dict[str, Session],
        emit: Callable[[Body], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._policy = policy
        self._verifier = verifier
        self._keeper = keeper
        self._watcher = watcher
        self._tokens: dict[str, Secret] = {}
        """Tokens that live leases were given for, by lease, where somebody can be asked whether they are still good."""
        self._log = log
        self._house = house
        self._emit = emit
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.strangers = house.make_masker(STRANGERS)
        self.sessions = sessions
        self.draining = False
        self.refusals: Counter[str] = Counter()
        """Refused logins by their code; the codes are ours, so there are only so many."""
        self._past = Totals()
        self.empty = asyncio.Event()
        """Set while no session is open."""
        self.empty.set()

    # --- what protocols call

    async def admit(
        self,
        credential: Credential,
        target: str,
        *,
        protocol: str,
        peer: str,
        application: str,
        purpose: str = "",
        emergency: str = "",
    ) -> Session:
        try:
            self.may_open()
            proof = await self.identify(credential, peer)
            return self._open(proof, target, protocol, peer, application, purpose, emergency)
        except LoginRefused as no:
            self.turned_away(no, protocol=protocol, target=target, peer=peer)
            raise

    def lease_keys(self, lease: str, *, peer: str) -> ScramKeys:
        return self._keeper.leases.keys(lease, peer)

    def lease_failed(self, lease: str, *, protocol: str, target: str, peer: str) -> None:
        locked = self._keeper.leases.failed(lease, peer)
        self.refused(
            "lease-wrong", f"wrong secret for lease {lease[:64]!a}", protocol=protocol, target=target, peer=peer
        )
        if locked:
            self._alarm(peer, f"the last one at lease {lease[:64]!a}")

    def turned_away(self, no: LoginRefused, *, protocol: str, target: str, peer: str) -> None:
        """Journal a login that was refused, and raise the alarm when it was one guess too many."""
        self.refused(no.code, no.log, protocol=protocol, target=target, peer=peer)
        if isinstance(no, LockedOut) and no.began:
            self._alarm(peer, no.log)

    def _alarm(self, peer: str, words: str) -> None:
        self.trouble("leases", "lease-locked", f"somebody at {peer} guesses leases: {words}")

    def refused(self, code: str, message: str, *, protocol: str, target: str, peer: str) -> None:
        text = self.strangers.text
        self.refusals[code] += 1
        with contextlib.suppress(CannotRecord):  # the refusal stands; the journal's failure has its own banner
            self._emit(LoginFailed(code, protocol, text(target[:256]), peer, text(message[:2048])))

    def trouble(self, target: str, code: str, message: str) -> None:
        with contextlib.suppress(CannotRecord):  # as above
            self._emit(Alert(code, self.strangers.text(f"{target}: {message}"[:2048])))

    def kill(self, session: Session, by: str, reason: str) -> None:
        self._spawn(self._cut(session, reason, by))

    def left(self, session: Session, reason: str) -> None:
        session.closed(reason)
        self._watcher.unwatch(session.id)
        if self.sessions.pop(session.id, None) is None:
            return
        self._disarm(session)
        count, past = session.counters, self._past
        self._past = Totals(
            past.sessions,
            past.operations + count.operations,
            past.masked + count.masked,
            past.bytes_out + count.bytes_out,
        )
        if not self.sessions:
            self.empty.set()

    # --- what the gateway and its portal call

    def may_open(self) -> None:
        """Raises:
        LoginRefused: nobody is let in now.
        """
        if self.draining:
            raise LoginRefused("draining", "this gateway is shutting down", hint="connect again in a moment")
        if not self._log.health.ok:
            message = "hooptui cannot record sessions now, so it opens none"
            raise LoginRefused("unrecorded", message, log=f"{message}: {self._log.health.error}")

    async def identify(self, credential: Credential, peer: str) -> Proof:
        """Who it is. A newer proof than those at hand extends what the identity has open.

        Raises:
            LoginRefused: nobody that may be here.
        """
        leases = self._keeper.leases
        match credential:
            case Bearer(secret) if is_lease(secret.reveal()):
                proof = self._by_lease(leases.check(secret, peer))
            case Bearer(secret):
                proof = Proof(await self._verifier.identify(secret), "", secret)
            case ProvedLease(name):
                proof = self._by_lease(leases.proved(name))
            case _ as never:
                assert_never(never)
        self._keeper.check(proof.identity)
        await self._watcher.check(proof.identity, proof.token)
        self.renew(proof)
        return proof

    def renew(self, proof: Proof) -> None:
        """A newer proof extends what the identity has open; from then on it is this one that must stay good."""
        with contextlib.suppress(CannotRecord):  # then nothing was extended, and the journal has its own banner
            for session in self._keeper.renew(proof.identity):
                self._watch(session, proof)

    def issue(
        self, identity: Identity, how: str, *, peer: str, until: float | None, token: Secret | None
    ) -> tuple[Lease, Secret]:
        """A lease, and longer life for what its identity has open; `token` is what proved the identity, where there is one.

        Raises:
            LoginRefused: nobody gets one now, or not this identity.
            CannotRecord: the journal was not told, and there is no lease.
        """
        self.may_open()
        lease, secret = self._keeper.issue(identity, how, peer=peer, until=until)
        if token is not None:
            live = {one.id for one in self._keeper.leases.live()}
            self._tokens = {name: kept for name, kept in self._tokens.items() if name in live}
            self._tokens[lease.id] = token
        self.renew(self._by_lease(lease))
        return lease, secret

    def look_at_the_clock(self) -> None:
        """End what is over by the wall's clock, which may have jumped past what the timers were set to."""
        now = self._clock.now()
        for session in tuple(self.sessions.values()):
            if session.deadline is not None and session.deadline <= now:
                self._rang(session)

    def totals(self) -> Totals:
        """What has been counted since the start, in open sessions too."""
        now = [session.counters for session in self.sessions.values()]
        past = self._past
        return Totals(
            past.sessions,
            past.operations + sum(one.operations for one in now),
            past.masked + sum(one.masked for one in now),
            past.bytes_out + sum(one.bytes_out for one in now),
        )

    def close(self) -> None:
        """Stop the clocks of all sessions."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # --- inside

    def _by_lease(self, lease: Lease) -> Proof:
        return Proof(lease.identity, lease.id, self._tokens.get(lease.id))

    def _watch(self, session: Session, proof: Proof) -> None:
        """End the session when what proved its identity is good no longer."""

        def revoked(reason: str) -> None:
            self._spawn(self._cut(session, reason))

        self._watcher.watch(session.id, proof.identity, proof.token, revoked, until=proof.identity.expires_at)

    @staticmethod
    async def _cut(session: Session, reason: str, by: str = "the gateway") -> None:
        await session.kill(by, reason)

    def _open(
        self,
        proof: Proof,
        name: str,
        protocol: str,
        peer: str,
        application: str,
        purpose: str,
        emergency: str,
    ) -> Session:
        identity, lease = proof.identity, proof.lease
        target = self._target(name, protocol)
        admission = self._policy.admits(identity, target) if target else None
        if target is None or admission is None or not admission.admitted:
            # The same words for both, so that names of targets cannot be found by trying.
            message = f'{identity.name} has no access to "{name}", or there is no such target'
            code, log = (
                ("unknown-target", f'no target is called "{name}"') if target is None else ("no-access", message)
            )
            raise LoginRefused(code, message, hint="ask for a rule that names your groups and this target", log=log)
        now = self._clock.now()
        bounds: dict[Bound, float] = {}
        if identity.expires_at is not None:
            bounds[Bound.LEASE if lease else Bound.TOKEN] = identity.expires_at
        if admission.session_max is not None:
            bounds[Bound.POLICY] = now + admission.session_max
        session = Session(
            self._house, self._new_id(), identity, target, peer=peer, application=application, bounds=bounds, lease=lease,
            access=admission.access, purpose=purpose, emergency=emergency,
        )  # fmt: skip
        rules = admission.access.rules if admission.access else frozenset()
        grant = self._house.approvals.access(identity, target, rules, now)
        try:
            session.opened()
            if grant is not None:
                session.let_in(grant)
        except CannotRecord as broken:
            message = "hooptui cannot record sessions now, so it opens none"
            raise LoginRefused("unrecorded", message, log=f"{message}: {broken}") from None
        self.sessions[session.id] = session
        self.empty.clear()
        self._past = replace(self._past, sessions=self._past.sessions + 1)
        session.on_deadline = lambda: self._arm(session)
        self._arm(session)
        self._watch(session, proof)
        return session

    def _arm(self, session: Session) -> None:
        """Set the session's clock to its deadline as it is now."""
        self._disarm(session)
        if session.deadline is not None and session.id in self.sessions:
            delay = max(0.0, session.deadline - self._clock.now())
            self._timers[session.id] = self._loop.call_later(delay, self._rang, session)

    def _disarm(self, session: Session) -> None:
        timer = self._timers.pop(session.id, None)
        if timer is not None:
            timer.cancel()

    def _rang(self, session: Session) -> None:
        if session.deadline is not None and self._clock.now() < session.deadline:
            # The loop's clock and the wall's went apart: the wall's is the one that counts.
            self._arm(session)
            return
        if session.state in ("ending", "closed"):
            return
        bound = min(session.bounds, key=session.bounds.__getitem__)
        self._spawn(session.end(Why.DEADLINE, f"this session's time is over: {WORDS[bound]}"))

    def _target(self, name: str, protocol: str) -> Target | None:
        config = self._config
        known = [one.target for several in (config.targets, config.hosts, config.clusters) for one in several]
        return next((one for one in known if one.name == name and one.protocol == protocol), None)

    def _new_id(self) -> str:
        while True:
            number = secrets.token_hex(5)
            if number not in self.sessions:
                return number
