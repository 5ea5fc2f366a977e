"""The gateway as its portal sees it: who a credential belongs to, leases, refusals, health and figures. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import hooptui
from hooptui.audit.log import AuditLog
from hooptui.core.clock import Clock
from hooptui.core.desk import ListenerView
from hooptui.core.gate import CannotRecord, LoginRefused
from hooptui.core.house import House
from hooptui.core.model import Identity, Lease
from hooptui.core.secret import Secret
from hooptui.door.doorman import FrontDoor
from hooptui.door.keeper import UNRECORDED, Keeper
from hooptui.portal.base import Info, Metric, Wellness
from hooptui.protocols.base import Bearer

PROTOCOL = "portal"


class GatewayPorter:
    """See the module, and `portal.base.Porter`. Lives on the gateway's loop."""

    def __init__(
        self,
        name: str,
        door: FrontDoor,
        keeper: Keeper,
        house: House,
        log: AuditLog,
        clock: Clock,
        *,
        listeners: Callable[[], tuple[ListenerView, ...]],
        loop_delay: Callable[[], float],
        ca: str | None,
        ssh_host_ca: str,
    ) -> None:
        """`ca` is the PEM of the gateway's own authority; None when its certificate is from somewhere else. `ssh_host_ca` is the
        public key line of the authority for its ssh host key."""
        self._name = name
        self._door = door
        self._keeper = keeper
        self._house = house
        self._log = log
        self._clock = clock
        self._listeners = listeners
        self._loop_delay = loop_delay
        self._ca = ca
        self._ssh_host_ca = ssh_host_ca

    async def authenticate(self, secret: Secret, peer: str) -> Identity:
        proof = await self._door.identify(Bearer(secret), peer)
        return proof.identity

    def issue(
        self, identity: Identity, how: str, peer: str, until: float | None = None, token: Secret | None = None
    ) -> tuple[Lease, Secret]:
        try:
            return self._door.issue(identity, how, peer=peer, until=until, token=token)
        except CannotRecord as broken:
            raise LoginRefused("unrecorded", UNRECORDED, log=f"{UNRECORDED}: {broken}") from None

    def certified(self, identity: Identity, lease: str, key_id: str, serial: int, until: float, peer: str) -> None:
        self._keeper.certified(identity, lease, key_id, serial, until, peer)

    def refused(self, code: str, message: str, peer: str) -> None:
        self._door.refused(code, message, protocol=PROTOCOL, target="", peer=peer)

    def trouble(self, code: str, message: str) -> None:
        self._door.trouble(PROTOCOL, code, message)

    def health(self) -> Wellness:
        if self._door.draining:
            return Wellness(False, "draining")
        if not self._log.health.ok:
            return Wellness(False, "the journal takes no records")
        return Wellness(True)

    def info(self) -> Info:
        listeners = {one.protocol: one.address for one in self._listeners() if one.up}
        return Info(
            self._name, hooptui.__version__, self._ca, listeners, self._ssh_host_ca if "ssh" in listeners else ""
        )

    def metrics(self) -> Iterable[Metric]:
        totals, journal = self._door.totals(), self._log.health
        held = len(self._house.approvals.waiting())
        yield _gauge("hooptui_sessions", "Open sessions.", len(self._door.sessions))
        yield _gauge("hooptui_held", "Operations and connections that wait for people.", held)
        yield _gauge("hooptui_leases", "Leases in force.", len(self._keeper.leases.live()))
        yield _gauge("hooptui_grants", "Grants in force.", len(self._house.approvals.grants(self._clock.now())))
        yield _gauge("hooptui_blocks", "Identities that are locked out.", len(self._keeper.blocks()))
        yield _gauge("hooptui_journal_up", "1 when the journal takes records.", float(journal.ok))
        yield _gauge(
            "hooptui_loop_delay_seconds", "How late the gateway's loop was at its last tick.", self._loop_delay()
        )
        yield _counter("hooptui_journal_records_total", "Records in the journal.", journal.records)
        yield _counter("hooptui_sessions_total", "Sessions opened since the start.", totals.sessions)
        yield _counter("hooptui_operations_total", "Operations asked for since the start.", totals.operations)
        yield _counter("hooptui_masked_values_total", "Values masked since the start.", totals.masked)
        yield _counter("hooptui_client_bytes_total", "Bytes sent to clients since the start.", totals.bytes_out)
        samples: list[tuple[Mapping[str, str], float]] = [
            ({"code": code}, float(count)) for code, count in sorted(self._door.refusals.items())
        ]
        yield Metric(
            "hooptui_logins_refused_total", "Logins refused since the start, by reason.", "counter", tuple(samples)
        )


def _gauge(name: str, words: str, value: float) -> Metric:
    return Metric(name, words, "gauge", (({}, value),))


def _counter(name: str, words: str, value: float) -> Metric:
    return Metric(name, words, "counter", (({}, value),))
