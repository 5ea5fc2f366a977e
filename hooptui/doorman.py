"""Who is let in: credential to identity, identity to admission, admission to a recorded session, and the end of its time.

The `Doorman` that every protocol is handed. Knows no socket and no wire; the gateway builds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, assert_never

from hooptui.audit.log import AuditLog
from hooptui.auth.oidc import Verifier
from hooptui.config import Config
from hooptui.core.approvals import Approvals
from hooptui.core.clock import Clock
from hooptui.core.events import Alert, Body, LoginFailed
from hooptui.core.gate import CannotRecord, LoginRefused, Why
from hooptui.core.house import House
from hooptui.core.model import Bound, Identity, MaskRule, MaskSet, ScramKeys, Target
from hooptui.core.session import Session
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


class FrontDoor:
    """See the module. Lives on the gateway's loop."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        policy: PolicyHolder,
        verifier: Verifier,
        approvals: Approvals,
        log: AuditLog,
        house: House,
        *,
        emit: Callable[[Body], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._policy = policy
        self._verifier = verifier
        self._approvals = approvals
        self._log = log
        self._house = house
        self._emit = emit
        self._spawn = spawn
        self._loop = asyncio.get_running_loop()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.strangers = house.make_masker(STRANGERS)
        self.sessions: dict[str, Session] = {}
        self.draining = False
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
            self._may_open()
            identity, lease = await self._identify(credential)
            return self._open(identity, lease, target, protocol, peer, application, purpose, emergency)
        except LoginRefused as no:
            self.refused(no.code, no.log, protocol=protocol, target=target, peer=peer)
            raise

    def lease_keys(self, lease: str, *, peer: str) -> ScramKeys:
        raise LoginRefused("no-leases", "this gateway gives no leases", hint="send your OIDC token as the password")

    def lease_failed(self, lease: str, *, protocol: str, target: str, peer: str) -> None:
        self.refused(
            "lease-wrong", f"wrong secret for lease {lease[:64]!a}", protocol=protocol, target=target, peer=peer
        )

    def refused(self, code: str, message: str, *, protocol: str, target: str, peer: str) -> None:
        text = self.strangers.text
        with contextlib.suppress(CannotRecord):  # the refusal stands; the journal's failure has its own banner
            self._emit(LoginFailed(code, protocol, text(target[:256]), peer, text(message[:2048])))

    def trouble(self, target: str, code: str, message: str) -> None:
        with contextlib.suppress(CannotRecord):  # as above
            self._emit(Alert(code, self.strangers.text(f"{target}: {message}"[:2048])))

    def left(self, session: Session, reason: str) -> None:
        session.closed(reason)
        if self.sessions.pop(session.id, None) is None:
            return
        self._disarm(session)
        if not self.sessions:
            self.empty.set()

    # --- what the gateway calls

    def look_at_the_clock(self) -> None:
        """End what is over by the wall's clock, which may have jumped past what the timers were set to."""
        now = self._clock.now()
        for session in tuple(self.sessions.values()):
            if session.deadline is not None and session.deadline <= now:
                self._rang(session)

    def close(self) -> None:
        """Stop the clocks of all sessions."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # --- inside

    def _may_open(self) -> None:
        if self.draining:
            raise LoginRefused("draining", "this gateway is shutting down", hint="connect again in a moment")
        if not self._log.health.ok:
            message = "hooptui cannot record sessions now, so it opens none"
            raise LoginRefused("unrecorded", message, log=f"{message}: {self._log.health.error}")

    async def _identify(self, credential: Credential) -> tuple[Identity, str]:
        """Who it is, and the lease they came with, when they did."""
        match credential:
            case Bearer(secret):
                return await self._verifier.identify(secret), ""
            case ProvedLease():
                raise LoginRefused("no-leases", "this gateway gives no leases")
            case _ as never:
                assert_never(never)

    def _open(
        self,
        identity: Identity,
        lease: str,
        name: str,
        protocol: str,
        peer: str,
        application: str,
        purpose: str,
        emergency: str,
    ) -> Session:
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
        grant = self._approvals.access(identity, target, rules, now)
        try:
            session.opened()
            if grant is not None:
                session.let_in(grant)
        except CannotRecord as broken:
            message = "hooptui cannot record sessions now, so it opens none"
            raise LoginRefused("unrecorded", message, log=f"{message}: {broken}") from None
        self.sessions[session.id] = session
        self.empty.clear()
        session.on_deadline = lambda: self._arm(session)
        self._arm(session)
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
        for one in self._config.targets:
            if one.target.name == name and one.target.protocol == protocol:
                return one.target
        return None

    def _new_id(self) -> str:
        while True:
            number = secrets.token_hex(5)
            if number not in self.sessions:
                return number
