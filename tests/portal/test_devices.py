"""The table of devices that wait: one use, one verdict, bounded, slow."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from hooptui.core.clock import ManualClock
from hooptui.core.model import Identity
from hooptui.core.secret import Secret
from hooptui.portal.base import Login
from hooptui.portal.devices import ALPHABET, INTERVAL, LASTS, MAX_INTERVAL, Device, Devices, DevicesFull, normalised

OPS = Login(Identity("https://op", "ops-1", "ops-1"), "browser")
PEER = "10.0.0.1:999"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def devices(clock: ManualClock) -> Devices:
    return Devices(clock)


def test_a_device_waits_then_gets_what_it_wants_once(devices: Devices, clock: ManualClock) -> None:
    code, device = devices.start(PEER, "psql")
    assert devices.ask(code.reveal()) == "authorization_pending"
    assert devices.approve(device, OPS)
    clock.advance(INTERVAL)
    given = devices.ask(code.reveal())
    assert given is device
    assert device.login is OPS
    assert devices.ask(code.reveal()) == "expired_token"
    assert len(devices) == 0


def test_a_denied_device_is_told_so_once(devices: Devices) -> None:
    code, device = devices.start(PEER, "")
    assert devices.deny(device)
    assert devices.ask(code.reveal()) == "access_denied"
    assert devices.ask(code.reveal()) == "expired_token"


def test_one_verdict_only(devices: Devices) -> None:
    _, device = devices.start(PEER, "")
    assert devices.deny(device)
    assert not devices.approve(device, OPS)
    assert device.verdict == "denied"
    assert device.login is None
    _, other = devices.start(PEER, "")
    assert devices.approve(other, OPS)
    assert not devices.deny(other)
    assert other.verdict == "approved"


def test_asking_too_early_slows_down(devices: Devices, clock: ManualClock) -> None:
    code, device = devices.start(PEER, "")
    assert devices.ask(code.reveal()) == "authorization_pending"
    assert devices.ask(code.reveal()) == "slow_down"
    assert device.interval == 2 * INTERVAL
    clock.advance(INTERVAL)
    assert devices.ask(code.reveal()) == "slow_down"
    clock.advance(3 * INTERVAL)
    assert devices.ask(code.reveal()) == "authorization_pending"
    for _ in range(50):
        devices.ask(code.reveal())
    assert device.interval == MAX_INTERVAL


def test_each_question_too_early_begins_the_wait_anew(devices: Devices, clock: ManualClock) -> None:
    code, _ = devices.start(PEER, "")
    devices.ask(code.reveal())
    clock.advance(2)
    assert devices.ask(code.reveal()) == "slow_down"
    clock.advance(2 * INTERVAL - 1)
    assert devices.ask(code.reveal()) == "slow_down"


def test_too_early_is_too_early_also_when_approved(devices: Devices, clock: ManualClock) -> None:
    code, device = devices.start(PEER, "")
    devices.ask(code.reveal())
    devices.approve(device, OPS)
    assert devices.ask(code.reveal()) == "slow_down"
    clock.advance(2 * INTERVAL)
    assert devices.ask(code.reveal()) is device


def test_a_code_ends(devices: Devices, clock: ManualClock) -> None:
    code, device = devices.start(PEER, "")
    clock.advance(LASTS - 1)
    assert devices.find(device.user_code) is device
    clock.advance(1)
    assert devices.find(device.user_code) is None
    assert not devices.alive(device)
    assert not devices.approve(device, OPS)
    assert devices.ask(code.reveal()) == "expired_token"
    assert len(devices) == 0


def test_an_approved_device_that_never_asks_is_forgotten(devices: Devices, clock: ManualClock) -> None:
    code, device = devices.start(PEER, "")
    devices.approve(device, OPS)
    clock.advance(LASTS)
    assert devices.ask(code.reveal()) == "expired_token"
    assert len(devices) == 0


def test_user_codes_are_eight_consonants_and_read_as_people_type(devices: Devices) -> None:
    _, device = devices.start(PEER, "")
    code = device.user_code
    assert re.fullmatch(f"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", code)
    for typed in (code, code.lower(), code.replace("-", ""), f"  {code[0]} {code[1:]} ", code.replace("-", " – ")):
        assert devices.find(typed) is device


@pytest.mark.parametrize(
    "typed", ["", "A", "AEIOUAEI", "BCDF-GHJ", "BCDF-GHJKL", "B" * 10_000, "\ud800", "ＢＣＤＦＧＨＪＫ"]
)
def test_what_is_no_code_finds_nothing(devices: Devices, typed: str) -> None:
    devices.start(PEER, "")
    assert devices.find(typed) is None


def test_fullwidth_letters_are_not_letters_of_the_code() -> None:
    assert normalised("ＢＣＤＦＧＨＪＫ") == ""


def test_a_settled_code_cannot_be_typed_again(devices: Devices) -> None:
    _, device = devices.start(PEER, "")
    devices.approve(device, OPS)
    assert devices.find(device.user_code) is None


def test_device_codes_are_256_bits_and_not_kept(devices: Devices) -> None:
    code, _ = devices.start(PEER, "")
    assert len(code) == 43
    assert code.reveal() not in repr(vars(devices))


def test_an_operators_device_is_nobodys_lease(devices: Devices) -> None:
    seen: list[Login] = []
    code, device = devices.start(PEER, "", "operator", seen.append)
    assert devices.ask(code.reveal()) == "expired_token"
    assert devices.find(device.user_code) is device
    assert devices.approve(device, OPS)
    assert len(devices) == 0


def test_bounds(clock: ManualClock) -> None:
    devices = Devices(clock, limit=20, per_peer=4)
    for _ in range(4):
        devices.start(PEER, "")
    with pytest.raises(DevicesFull, match="at your address"):
        devices.start("10.0.0.1:1000", "")
    assert devices.start(PEER, "", "operator", lambda login: None)
    for number in range(15):
        devices.start(f"10.0.1.{number}:1", "")
    with pytest.raises(DevicesFull, match="too many devices"):
        devices.start("10.0.2.1:1", "")
    clock.advance(LASTS)
    devices.start("10.0.2.1:1", "")
    assert len(devices) == 1


def test_a_purpose_is_bounded(devices: Devices) -> None:
    _, device = devices.start(PEER, "x" * 100_000)
    assert len(device.purpose) == 200


class Life(RuleBasedStateMachine):
    """Many devices, any order: each is given out at most once, only if approved and never denied, and only in time."""

    codes: Bundle[tuple[Secret, Device]] = Bundle("codes")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.devices = Devices(self.clock, limit=8, per_peer=8)
        self.given: set[str] = set()
        self.verdicts: dict[str, str] = {}
        self.born: dict[str, float] = {}

    @rule(target=codes)
    def start(self) -> tuple[Secret, Device]:
        try:
            code, device = self.devices.start(PEER, "")
        except DevicesFull:
            code, device = Secret("never"), Device("NEVR-GVNN", PEER, "", "", "lease", 0.0, None)
        self.born[device.user_code] = self.clock.monotonic()
        return code, device

    @rule(one=codes, approve=st.booleans())
    def settle(self, one: tuple[Secret, Device], approve: bool) -> None:
        decide: Callable[[], bool] = (
            (lambda: self.devices.approve(one[1], OPS)) if approve else (lambda: self.devices.deny(one[1]))
        )
        if decide():
            assert one[1].user_code not in self.verdicts
            assert self.clock.monotonic() < self.born[one[1].user_code] + LASTS
            self.verdicts[one[1].user_code] = "approved" if approve else "denied"

    @rule(one=codes)
    def ask(self, one: tuple[Secret, Device]) -> None:
        if isinstance(self.devices.ask(one[0].reveal()), Device):
            assert one[1].user_code not in self.given
            assert self.verdicts[one[1].user_code] == "approved"
            assert self.clock.monotonic() < self.born[one[1].user_code] + LASTS
            self.given.add(one[1].user_code)

    @rule(seconds=st.sampled_from([1.0, INTERVAL, 60.0, LASTS]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def bounded(self) -> None:
        assert len(self.devices) <= 8


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=30, derandomize=True, deadline=None)
