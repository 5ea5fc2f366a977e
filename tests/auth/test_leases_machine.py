"""Leases as a state machine against a plain model: issued, checked both ways, revoked, expired, restarted, clocks set."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from hooptui.auth.leases import FUTURE, Leases, LeaseSettings, scram_keys
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Lease
from hooptui.core.secret import Secret
from hooptui.store import Store

from .test_leases import WHO, TwoClocks

PEERS = st.sampled_from(["192.0.2.1:1", "192.0.2.2:1", "[2001:db8::1]:1"])
SETTINGS = LeaseSettings(lasts=600.0, guesses_lease=3, guesses_peer=5, window=100.0, lockout=100.0)


@dataclass
class Known:
    """What the model thinks of one lease."""

    lease: Lease
    secret: Secret
    ends: float
    """Monotonic."""
    over: bool = False
    forgotten: bool = False
    """Over before a restart; nothing knows it any more."""


class LeaseMachine(RuleBasedStateMachine):
    given = Bundle("given")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="leases-"))
        self.clock = TwoClocks()
        self.known: dict[str, Known] = {}
        self.wrong: dict[str, list[float]] = {}
        self.locked: dict[str, float] = {}
        self.open()

    def open(self) -> None:
        self.store = Store(self.directory / "hooptui.db")
        self.leases = Leases(self.store.leases, self.clock, self.store.key, SETTINGS)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.directory)

    # --- the model

    def settle(self) -> None:
        for one in self.known.values():
            one.over |= self.clock.wall >= one.lease.expires_at or self.clock.ticks >= one.ends

    def is_locked(self, *names: str) -> bool:
        return any(self.locked.get(name, 0.0) > self.clock.ticks for name in names)

    def count(self, name: str, allowed: int) -> bool:
        if self.is_locked(name):
            return False
        recent = [at for at in self.wrong.get(name, []) if at > self.clock.ticks - 100.0] + [self.clock.ticks]
        self.wrong[name] = [] if len(recent) >= allowed else recent
        if len(recent) >= allowed:
            self.locked[name] = self.clock.ticks + 100.0
        return len(recent) >= allowed

    # --- what happens

    @rule(
        target=given,
        subject=st.sampled_from("ab"),
        how=st.sampled_from(["device", "exchange"]),
        until=st.none() | st.floats(1, 900),
    )
    def issue(self, subject: str, how: str, until: float | None) -> str:
        end = None if until is None else self.clock.wall + until
        lease, secret = self.leases.issue(replace(WHO, subject=subject), how, until=end)
        lasts = min(600.0, until or 600.0)
        assert abs(lease.expires_at - self.clock.wall - lasts) < 1e-3
        self.known[lease.id] = Known(lease, secret, self.clock.ticks + lease.expires_at - self.clock.wall)
        return lease.id

    @rule(name=given, peer=PEERS, right=st.booleans())
    def check(self, name: str, peer: str, right: bool) -> None:
        one = self.known[name]
        self.settle()
        locked = self.is_locked(name, peer)
        text = one.secret.reveal() if right else f"{name}.{'a' * 32}"
        try:
            found = self.leases.check(Secret(text), peer)
        except LoginRefused as no:
            if locked:
                assert no.code == "lease-locked"
            elif right and not one.forgotten:
                assert one.over and no.code in ("lease-expired", "lease-revoked")
            else:
                began = [self.count(peer, 5), self.count(name, 3)]
                wrong = "lease-unknown" if one.forgotten else "lease-wrong"
                assert no.code == ("lease-locked" if any(began) else wrong)
        else:
            assert right and not one.over and not locked
            assert found == one.lease

    @rule(name=given, peer=PEERS, right=st.booleans())
    def scram(self, name: str, peer: str, right: bool) -> None:
        one = self.known[name]
        self.settle()
        try:
            keys = self.leases.keys(name, peer)
        except LoginRefused as no:
            assert self.is_locked(name, peer) and no.code == "lease-locked"
            return
        assert not self.is_locked(name, peer)
        value = one.secret.reveal().partition(".")[2] if right else "a" * 32
        proved = scram_keys(value, keys.salt) == keys
        assert proved == (right and not one.forgotten)
        if not proved:
            began = [self.count(peer, 5), self.count(name, 3)]
            assert self.leases.failed(name, peer) == any(began)
            return
        try:
            assert self.leases.proved(name) == one.lease and not one.over
        except LoginRefused:
            assert one.over

    @rule(name=given)
    def revoke(self, name: str) -> None:
        one = self.known[name]
        self.settle()
        assert self.leases.revoke(name) == (None if one.over else one.lease)
        one.over = True

    @rule(name=consumes(given))
    def revoke_identity(self, name: str) -> None:
        key = self.known[name].lease.identity.key
        self.settle()
        mine = {one.lease for one in self.known.values() if one.lease.identity.key == key and not one.over}
        assert set(self.leases.revoke_identity(key)) == mine
        for one in self.known.values():
            one.over |= one.lease in mine

    @rule(seconds=st.sampled_from([0.5, 20.0, 99.0, 101.0, 300.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-5_000.0, -50.0, 50.0, 5_000.0]))
    def clock_is_set(self, seconds: float) -> None:
        self.clock.wall += seconds
        self.settle()
        self.leases.live()

    @rule(seconds=st.sampled_from([0.0, 30.0, 1_000.0]), purge=st.booleans())
    def restart(self, seconds: float, purge: bool) -> None:
        self.settle()
        self.leases.live()
        self.store.close()
        self.clock.advance(seconds)
        if purge:
            self.clock.ticks = 5.0  # a reboot
        self.wrong.clear()
        self.locked.clear()
        self.open()
        if purge:
            self.store.purge(self.clock.wall)
        for one in self.known.values():
            lease = one.lease
            one.forgotten |= one.over
            one.over |= lease.issued_at > self.clock.wall + FUTURE or self.clock.wall >= lease.expires_at
            one.ends = self.clock.ticks + min(lease.expires_at - self.clock.wall, lease.expires_at - lease.issued_at)

    # --- what must hold

    @invariant()
    def the_live_ones_are_the_models(self) -> None:
        self.settle()
        assert set(self.leases.live()) == {one.lease for one in self.known.values() if not one.over}

    @invariant()
    def the_book_has_what_is_live_and_no_secret(self) -> None:
        live = {lease.id for lease in self.leases.live()}
        assert {lease.id for lease, _ in self.store.leases.all()} == live


TestLeaseMachine = LeaseMachine.TestCase
TestLeaseMachine.settings = settings(max_examples=60, stateful_step_count=30, derandomize=True, deadline=None)
