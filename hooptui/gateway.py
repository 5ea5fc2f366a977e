"""The only composition root: builds every room from a Config, starts the listeners and owns the tasks.

Runs on one asyncio loop; `hooptui.control` gives it a thread of its own when a screen keeps the main thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

import hooptui
from hooptui.audit.log import AuditLog, LogHealth
from hooptui.auth.leases import Leases
from hooptui.auth.oidc import Verifier
from hooptui.auth.revocation import Watcher
from hooptui.config.build import PortalConfig, notify
from hooptui.config.load import Config
from hooptui.core.approvals import Approval, Status, Vote
from hooptui.core.bus import Bus
from hooptui.core.clock import Clock, SystemClock
from hooptui.core.desk import ListenerView
from hooptui.core.events import (
    Alert,
    Body,
    CredentialRemoved,
    Event,
    GatewayStarted,
    GatewayStopped,
    PolicyLoaded,
    PolicyRejected,
)
from hooptui.core.gate import CannotRecord, Why
from hooptui.core.hold import ballot
from hooptui.core.house import House
from hooptui.core.session import Session
from hooptui.credentials.custody import Custody
from hooptui.credentials.keyfile import key_file
from hooptui.credentials.mint import Removed
from hooptui.credentials.ssh_certificates import SshCa
from hooptui.credentials.ssh_host import HostCa
from hooptui.door.doorman import STRANGERS, FrontDoor
from hooptui.door.grants import KeptApprovals
from hooptui.door.keeper import Keeper
from hooptui.door.logins import GatewayLogins
from hooptui.door.porter import GatewayPorter
from hooptui.door.seats import Seats
from hooptui.masking import make_masker
from hooptui.notify.notifier import Notifier, channels_of
from hooptui.papers import papers
from hooptui.policy.store import PolicyHolder
from hooptui.portal.server import Portal
from hooptui.protocols.kubernetes.gate import KubernetesGate, KubernetesTarget
from hooptui.protocols.postgres import sasl
from hooptui.protocols.postgres.proxy import PostgresGate, PostgresTarget
from hooptui.protocols.ssh.gate import SshGate, SshTarget
from hooptui.statedir import prepare
from hooptui.store.sqlite import Store
from hooptui.store.trouble import StoreTrouble
from hooptui.targets import clusters, hosts, kubernetes_gate, mints, oauth, served, ssh_gate, store_tag
from hooptui.vetting import failing

VIA = {"postgres": "pg", "ssh": "ssh", "kubernetes": "k8s"}
"""Protocol names as the narrow column has them."""

TICK = 0.25
"""Seconds between two looks at the loop's delay, the policy's files and the journal."""


PURGE = 3600.0
"""Seconds between two times that the store forgets what is over."""


class Gateway:
    """See the module. `start` and `stop` bracket its life; everything else is read or called in between, on its loop."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or SystemClock()
        self.bus = Bus()
        self.log = AuditLog(config.state_dir, clock=self.clock, on_health=self._on_health)
        self.policy = PolicyHolder(config.policy, failing)
        self.verifier = Verifier(config.issuers, self.clock)
        self.watcher = Watcher(config.issuers, self.verifier, self.clock, self._trouble)
        self.custody = Custody(
            lambda: mints(self._served, self._hosts, self._clusters), removed=self._removed, trouble=self._trouble
        )
        self.sessions: dict[str, Session] = {}
        self.loop_delay = 0.0
        self.postgres: PostgresGate | None = None
        self._served: Mapping[str, PostgresTarget] = {}
        self._hosts: Mapping[str, SshTarget] = {}
        self.listeners: tuple[ListenerView, ...] = ()
        self.door: FrontDoor | None = None
        self.store: Store | None = None
        self.portal: Portal | None = None
        self.ssh: SshGate | None = None
        self.logins: GatewayLogins | None = None
        self.kubernetes: KubernetesGate | None = None
        self._clusters: Mapping[str, KubernetesTarget] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._purged = 0.0

    # --- life

    async def start(self) -> None:
        """Open the journal, then the listeners.

        Raises:
            ConfigError, PolicyError, JournalError, OSError: with words for the operator; nothing is left running.
        """
        self.loop = asyncio.get_running_loop()
        config = self.config
        self.policy.load()
        prepare(config.state_dir)
        await self.log.start()
        try:
            self.papers = papers(config, self.clock)
            self.store = store = Store(config.state_dir / "store.sqlite")
            self.door = door = self._build(store)
            # Of the store, not of the name: whatever two gateways are called, each sweeps its own credentials only.
            self._served = served(config.targets, store_tag(store), self.clock)
            self._hosts = hosts(config.hosts, partial(SshCa.kept, config.state_dir), store_tag(store), self.clock)
            self._clusters = clusters(config.clusters, store_tag(store), self.clock)
            self.postgres = PostgresGate(
                door,
                self._served,
                self.papers.context(self.clock),
                config.limits,
                binding=sasl.server_end_point(self.papers.certificate.read_bytes()),
                oauth=oauth(config),
                custody=self.custody,
            )
            self.custody.start()
            self.watcher.start()
            if config.listen.postgres is not None:
                actual = await self.postgres.start(*config.listen.postgres)
                self.listeners = (ListenerView("pg", f"{config.listen.postgres[0]}:{actual}", True),)
            if config.listen.ssh is not None:
                await self._open_ssh(config.listen.ssh, door)
            if config.listen.kubernetes is not None:
                await self._open_kubernetes(config.listen.kubernetes, door)
            self.seats = Seats(config, self.clock, self.keeper, door, emit=self.emit, mask=self.mask)
            if config.portal is not None:
                await self._open_portal(config.portal, door)
            self.emit(
                GatewayStarted(
                    hooptui.__version__,
                    self.policy.version,
                    tuple(f"{one.protocol} {one.address}" for one in self.listeners),
                )
            )
            await self.log.durable()
            self._notify(door)
        except BaseException:
            await self._close_all()
            raise
        self._spawn(self._tick())

    def _notify(self, door: FrontDoor) -> None:
        """Tell people out of band from now on.

        Raises:
            CredentialTrouble, ValueError, OSError: a channel cannot be used.
        """
        settings = notify(self.config.notify)
        if settings is None:
            return

        def target_of(session: str) -> str:
            found = self.sessions.get(session)
            return found.target.name if found is not None else ""

        channels = channels_of(settings, self.clock.now)
        notifier = Notifier(
            settings, channels, self.bus, gateway=self.config.name, target_of=target_of, trouble=door.trouble
        )
        self._spawn(notifier.run())

    async def _open_ssh(self, address: tuple[str, int], door: FrontDoor) -> None:
        """Raises:
        CredentialTrouble, ValueError, OSError: SSH cannot be served.
        """
        self.logins = GatewayLogins(door, self.keeper, self.clock, SshCa.kept(self.config.state_dir))
        self.ssh = ssh_gate(self.config, self._hosts, door, self.custody, self.logins, self.clock)
        actual = await self.ssh.start(*address)
        self.listeners += (ListenerView("ssh", f"{address[0]}:{actual}", True),)

    async def _open_kubernetes(self, address: tuple[str, int], door: FrontDoor) -> None:
        """Raises:
        CertificateTrouble, OSError: Kubernetes cannot be served.
        """
        self.kubernetes = kubernetes_gate(
            self.config, door, self.custody, self.papers.context(self.clock), self._clusters
        )
        actual = await self.kubernetes.start(*address)
        self.listeners += (ListenerView("k8s", f"{address[0]}:{actual}", True),)

    async def _open_portal(self, config: PortalConfig, door: FrontDoor) -> None:
        """Raises:
        CredentialTrouble, ValueError, OSError: the portal cannot be opened.
        """
        settings = config.with_secrets()
        porter = GatewayPorter(
            self.config.name,
            door,
            self.keeper,
            self.house,
            self.log,
            self.clock,
            listeners=lambda: self.listeners,
            loop_delay=lambda: self.loop_delay,
            ca=ca.read_text() if (ca := self.papers.ca) else None,
            ssh_host_ca=HostCa.kept(self.config.state_dir).public_key if self.ssh is not None else "",
        )
        portal = Portal(
            settings,
            self.papers.context(self.clock),
            porter,
            self.verifier,
            self.clock,
            ssh=SshCa.kept(self.config.state_dir),
            replays=self.store,
        )
        try:
            actual = await portal.start()
        except ImportError:
            raise ValueError("portal.saml: needs the extra hooptui[saml], which is not installed") from None
        self.portal = self.seats.portal = portal
        if self.logins is not None:
            self.logins.portal = portal
        self.listeners += (ListenerView("web", f"{settings.host}:{actual}", True),)

    def _build(self, store: Store) -> FrontDoor:
        """Everything between the journal and the listeners, which are handed the doorman.

        Raises:
            StoreTrouble, OSError: the store or a key cannot be used.
        """
        config, state = self.config, self.config.state_dir
        self.approvals = KeptApprovals(self._voted, store.grants, self.clock.now(), self._store_trouble)
        self.house = House(
            self.policy,
            self.log,
            self.approvals,
            self.bus,
            self.clock,
            partial(make_masker, key=key_file(state / "mask.key")),
            tell_every=config.tell_every,
            recording_cap=config.recording_cap,
            terminal_cap=config.terminal_cap,
        )
        self.mask = self.house.make_masker(STRANGERS).text
        self.keeper = Keeper(
            Leases(store.leases, self.clock, store.key, config.leases, trouble=self._store_trouble),
            store.blocks,
            self.approvals,
            self.clock,
            sessions=self.sessions,
            emit=self.emit,
            mask=self.mask,
        )
        return FrontDoor(
            config,
            self.clock,
            self.policy,
            self.verifier,
            self.keeper,
            self.watcher,
            self.log,
            self.house,
            sessions=self.sessions,
            emit=self.emit,
            spawn=self._spawn,
        )

    async def stop(self, reason: str, *, drain: float = 0.0) -> None:
        """Refuse new connections, give the open sessions `drain` seconds, end them politely, close the journal."""
        await self.drain(drain)
        await asyncio.gather(
            *(session.end(Why.DEADLINE, f"the gateway stops: {reason}") for session in tuple(self.sessions.values())),
            return_exceptions=True,
        )
        for gate in self._gates:
            await gate.close()
        # What was minted is taken back, and on record as such, before the last word.
        await self.custody.close()
        # The journal's own failure is on the screen already, and must not stop the stop.
        with contextlib.suppress(CannotRecord):
            self.emit(GatewayStopped(reason))
        await self._close_all()

    async def drain(self, seconds: float) -> None:
        """Stop listening; return when the last session is gone or after `seconds`."""
        if self.door is not None:
            self.door.draining = True
        for gate in self._gates:
            await gate.stop()
        if self.portal is not None:
            await self.portal.stop()
        self.listeners = tuple(ListenerView(one.protocol, one.address, False, "draining") for one in self.listeners)
        if seconds > 0 and self.door is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.door.empty.wait(), seconds)

    @property
    def _gates(self) -> tuple[PostgresGate | SshGate | KubernetesGate, ...]:
        return tuple(gate for gate in (self.postgres, self.ssh, self.kubernetes) if gate is not None)

    async def _close_all(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.door is not None:
            self.door.close()
        if self.store is not None:
            self.store.close()
        for gate in self._gates:
            await gate.close()
        if self.portal is not None:
            await self.portal.stop()
        await self.custody.close()
        await self.watcher.stop()
        await self.verifier.close()
        await self.log.close()

    # --- what commands and desks use

    @property
    def draining(self) -> bool:
        return self.door is not None and self.door.draining

    def emit(self, body: Body) -> None:
        """Journal, then bus, for events of the whole gateway.

        Raises:
            CannotRecord: the journal cannot take it.
        """
        event = Event(self.clock.now(), "", body)
        self.log.append(event)
        self.bus.publish(event)

    def reload(self, by: str) -> str:
        """Load the policy's files again; the old policy stays when they are wrong. Live sessions are judged again.

        Returns the problem, empty when the new files are in force.
        """
        before = self.policy.version
        error = self.policy.reload()
        with contextlib.suppress(CannotRecord):  # the policy is in force either way, and the banner shows the journal
            if error:
                self.emit(PolicyRejected(error, by))
            elif self.policy.version != before:
                self.emit(PolicyLoaded(self.policy.version, self.policy.rules, by))
        if not error and self.policy.version != before:
            for session in tuple(self.sessions.values()):
                if not self.policy.admits(session.identity, session.target).admitted:
                    self._spawn(session.end(Why.POLICY, "the policy no longer admits you to this target"))
        return error

    def _voted(self, approval: Approval, vote: Vote) -> None:
        name = self.sessions[approval.session].masker.text(vote.by.name) if approval.session in self.sessions else None
        if name is None:
            raise CannotRecord(f"the session of #{approval.number} is gone")
        event = Event(vote.at, approval.session, ballot(approval, vote, name))
        self.log.append(event)
        self.bus.publish(event)

    # --- inside

    def _removed(self, target: str, removed: Removed) -> None:
        with contextlib.suppress(CannotRecord):  # it is gone all the same, and the journal has its own banner
            self.emit(CredentialRemoved(target, removed.kind, removed.name, removed.confirmed, removed.how))

    def _trouble(self, where: str, code: str, words: str) -> None:
        if self.door is not None:
            self.door.trouble(where, code, words)

    def _store_trouble(self, words: str) -> None:
        with contextlib.suppress(CannotRecord):  # the journal has its own banner
            self.emit(Alert("store", self.mask(words)))

    def _on_health(self, health: LogHealth) -> None:
        if not health.ok and self.store is not None:
            self.approvals.end_all(Status.UNRECORDED, self.clock.now())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            if self.door is not None:
                self.door.trouble("gateway", "internal-error", f"{type(fault).__name__}: a task of the gateway failed")
            self.loop.call_exception_handler({"message": "a task of the gateway failed", "exception": fault})

    async def _tick(self) -> None:
        while True:
            before = self.loop.time()
            await asyncio.sleep(TICK)
            self.loop_delay = max(0.0, self.loop.time() - before - TICK)
            if self.door is not None:
                self.door.look_at_the_clock()
            if self.policy.changed():
                self.reload("file change")
            if before - self._purged >= PURGE:
                self._purged = before
                self._purge()

    def _purge(self) -> None:
        """Let the store forget what is over."""
        if self.store is not None:
            try:
                self.store.purge(self.clock.now())
            except StoreTrouble as fault:
                self._store_trouble(str(fault))
