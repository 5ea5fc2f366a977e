"""Whoever guesses leases learns nothing, gets nowhere, is soon not heard, and costs bounded memory."""

from __future__ import annotations

import string
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.auth import leases as module
from hooptui.auth.leases import Leases, LeaseSettings, LockedOut
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Lease
from hooptui.core.secret import Secret

from .test_leases import KEY, PEER, WHO, Book, TwoClocks, refused, scram

WRONG = "a" * 32


@pytest.fixture
def clock() -> TwoClocks:
    return TwoClocks()


@pytest.fixture
def leases(clock: TwoClocks) -> Leases:
    return Leases(Book(), clock, KEY, LeaseSettings())


def peer(number: int) -> str:
    return f"192.0.{number // 250}.{number % 250}:50000"


def near_misses(secret: str) -> list[str]:
    """Well-formed leases that are wrong in one place."""
    name, _, value = secret.partition(".")
    other = {letter: ("b" if letter == "a" else "a") for letter in string.ascii_lowercase + "234567"}
    found = [f"{name}.{value[:at]}{other[value[at]]}{value[at + 1 :]}" for at in range(32)]
    return [
        *found,
        *(f"{name[:at]}{other[name[at]]}{name[at + 1 :]}.{value}" for at in range(3, 15)),
        f"{name}.{value[::-1]}",
    ]


def test_every_near_miss_is_refused_in_the_same_words(leases: Leases) -> None:
    lease, secret = leases.issue(WHO, "device")
    seen = set()
    for number, guess in enumerate(near_misses(secret.reveal())):
        if number % 9 == 0:
            leases = Leases(leases._book, leases._clock, KEY, LeaseSettings())  # nobody is locked out yet
        no = refused(leases, guess, peer(number))
        assert no.code == ("lease-wrong" if guess.startswith(lease.id) else "lease-unknown")
        assert guess.partition(".")[2] not in f"{no.message}{no.hint}{no.log}{no.args}"
        seen.add((no.message, no.hint))
    assert len(seen) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\n", lambda text: " " + text, lambda text: text.upper(), lambda text: text[:-1],
        lambda text: text + "a", lambda text: text.replace(".", ":"), lambda text: f'"{text}"', lambda text: text[:15],
        lambda text: text[:16], lambda text: text.replace("hl_", "hl-"), lambda text: text + "." + text, lambda _: "hl_",
        lambda _: "", lambda _: "hl_" + "a" * 2_000_000, lambda _: "hl_" + "ａ" * 12 + "." + "a" * 32,
        lambda _: "hl_" + "1" * 12 + "." + "a" * 32, lambda text: text.replace("hl_", "hl_\x00"), lambda text: text + "\ud800",
        lambda text: text.replace(".", "\u2024"),
    ],
)  # fmt: skip
def test_what_has_not_the_form_says_so_and_counts_for_nobody(leases: Leases, change: Callable[[str], str]) -> None:
    lease, secret = leases.issue(WHO, "device")
    for _ in range(50):
        assert refused(leases, change(secret.reveal())).code == "lease-malformed"
    assert leases.check(secret, PEER) == lease


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(st.characters(), max_size=80) | st.from_regex(r"hl_[a-z2-7]{11,13}\.[a-z2-7]{31,33}", fullmatch=True))
def test_no_text_gets_in_and_none_is_a_traceback(text: str) -> None:
    leases = Leases(Book(), TwoClocks(), KEY, LeaseSettings())
    leases.issue(WHO, "device")
    assert refused(leases, text).code in ("lease-malformed", "lease-unknown")
    leases.keys(text, text)
    assert not leases.failed(text, text)
    with pytest.raises(LoginRefused):
        leases.proved(text)


def test_a_name_that_no_encoding_has_is_guessed_at_like_any_other(leases: Leases) -> None:
    assert leases.keys("hl_\ud800", PEER) == leases.keys("hl_\ud800", PEER)
    assert not leases.failed("hl_\ud800", "\ud800")
    with pytest.raises(LoginRefused, match="no such lease"):
        leases.proved("hl_\ud800")


# --- locked out ----------------------------------------------------------------------------------


def test_ten_wrong_guesses_lock_a_lease_wherever_they_come_from(leases: Leases, clock: TwoClocks) -> None:
    lease, secret = leases.issue(WHO, "device")
    for number in range(9):
        assert refused(leases, f"{lease.id}.{WRONG}", peer(number)).code == "lease-wrong"
    began = refused(leases, f"{lease.id}.{WRONG}", peer(9))
    assert isinstance(began, LockedOut) and began.began
    assert (began.code, began.log) == (
        "lease-locked",
        f"too many wrong guesses at lease '{lease.id}': locked out for 600 s",
    )
    for number in range(10, 40):
        again = refused(leases, secret, peer(number))
        assert isinstance(again, LockedOut) and not again.began
    with pytest.raises(LockedOut):
        leases.keys(lease.id, PEER)
    with pytest.raises(LockedOut):
        leases.proved(lease.id)
    clock.advance(600)
    assert leases.check(secret, PEER) == lease


def test_a_lease_that_never_was_is_locked_alike(leases: Leases) -> None:
    codes = [refused(leases, f"hl_aaaaaaaaaaaa.{WRONG}", peer(number)).code for number in range(12)]
    assert codes == ["lease-unknown"] * 9 + ["lease-locked"] * 3


def test_thirty_wrong_guesses_lock_an_address_out_and_nobody_else(leases: Leases, clock: TwoClocks) -> None:
    lease, secret = leases.issue(WHO, "device")
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    began = [
        isinstance(no := refused(leases, f"hl_{letter * 12}.{WRONG}", f"192.0.2.7:{50_000 + at}"), LockedOut)
        and no.began
        for at, letter in enumerate(letters)
    ]
    assert began == [False] * 29 + [True] + [False] * 2
    assert refused(leases, secret, "192.0.2.7:9").code == "lease-locked"
    assert leases.check(secret, "192.0.2.8:9") == lease
    clock.wall += 86_400 * 365  # the wall's clock opens nothing
    assert refused(leases, secret, "192.0.2.7:9").code == "lease-locked"
    clock.wall -= 86_400 * 365
    assert leases.check(secret, "192.0.2.8:9") == lease


def test_whoever_has_one_address_of_a_network_has_them_all(leases: Leases) -> None:
    for number in range(30):
        refused(leases, f"hl_{'abcdefghijklmnopqrstuvwxyz2345'[number] * 12}.{WRONG}", f"[2001:db8::{number:x}]:1")
    assert refused(leases, f"hl_aaaaaaaaaaaa.{WRONG}", "[2001:db8::ffff]:1").code == "lease-locked"
    assert refused(leases, f"hl_zzzzzzzzzzzz.{WRONG}", "[2001:db8:0:1::1]:1").code == "lease-unknown"


def test_both_ways_in_are_counted_together_and_told_once(leases: Leases) -> None:
    lease, secret = leases.issue(WHO, "device")
    told = []
    for number in range(5):
        assert refused(leases, f"{lease.id}.{WRONG}", peer(number)).code == "lease-wrong"
        leases.keys(lease.id, peer(number))
        told.append(leases.failed(lease.id, peer(number)))
    assert told == [False] * 4 + [True]
    assert not leases.failed(lease.id, PEER)
    assert refused(leases, secret).code == "lease-locked"


def test_many_guesses_at_once_do_not_get_past_the_lock(leases: Leases) -> None:
    """Logins that began before the lock: the right one among them does not count any more."""
    lease, _ = leases.issue(WHO, "device")
    for number in range(40):
        leases.keys(lease.id, peer(number))
    assert [leases.failed(lease.id, peer(number)) for number in range(12)] == [False] * 9 + [True, False, False]
    with pytest.raises(LockedOut):
        leases.proved(lease.id)


def test_right_ones_are_never_counted(leases: Leases) -> None:
    lease, secret = leases.issue(WHO, "device")
    for _ in range(40):
        assert leases.check(secret, PEER) == lease
    leases.revoke(lease.id)
    for _ in range(40):
        assert refused(leases, secret).code == "lease-revoked"


def test_a_flood_of_guesses_costs_bounded_memory(leases: Leases) -> None:
    for number in range(20_000):
        leases.failed(f"hl_{number}" + "x" * 5_000, f"[2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1]:1")
    assert len(leases._by_lease) <= 8_192 and len(leases._by_peer) <= 8_192
    assert max(map(len, leases._by_lease._wrong)) <= 64


def test_ended_leases_cost_bounded_memory(clock: TwoClocks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 5)
    leases = Leases(Book(), clock, KEY, LeaseSettings())
    secrets = []
    for _ in range(8):
        lease, secret = leases.issue(WHO, "device")
        leases.revoke(lease.id)
        secrets.append(secret)
    assert len(leases._ended) == 5
    assert [refused(leases, secret).code for secret in secrets] == ["lease-unknown"] * 3 + ["lease-revoked"] * 5


# --- nothing to learn ----------------------------------------------------------------------------


def test_a_lease_that_never_was_has_keys_like_any_other(leases: Leases, clock: TwoClocks) -> None:
    lease, _ = leases.issue(WHO, "device")
    real, decoy = leases.keys(lease.id, PEER), leases.keys("hl_aaaaaaaaaaaa", PEER)
    assert decoy == leases.keys("hl_aaaaaaaaaaaa", "198.51.100.1:1")
    assert decoy == Leases(Book(), clock, KEY, LeaseSettings()).keys("hl_aaaaaaaaaaaa", PEER)
    assert decoy != Leases(Book(), clock, KEY[::-1], LeaseSettings()).keys("hl_aaaaaaaaaaaa", PEER)
    shape = [(len(keys.salt), keys.iterations, len(keys.stored_key), len(keys.server_key)) for keys in (real, decoy)]
    assert shape[0] == shape[1]
    assert len({decoy.salt, leases.keys("hl_aaaaaaaaaaab", PEER).salt, real.salt}) == 3
    assert decoy.stored_key != decoy.server_key
    assert not scram(decoy, "hl_aaaaaaaaaaaa", WRONG)


def test_a_salt_does_not_change_when_a_lease_is_gone_for_good(clock: TwoClocks) -> None:
    book = Book()
    leases = Leases(book, clock, KEY, LeaseSettings())
    lease, _ = leases.issue(WHO, "device")
    salt = leases.keys(lease.id, PEER).salt
    book.rows.clear()
    assert Leases(book, clock, KEY, LeaseSettings()).keys(lease.id, PEER).salt == salt


@pytest.mark.parametrize("case", ["right", "wrong", "unknown", "expired"])
def test_every_check_does_the_same_slow_work(
    leases: Leases, clock: TwoClocks, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    lease, secret = leases.issue(WHO, "device")
    text = {"wrong": f"{lease.id}.{WRONG}", "unknown": f"hl_aaaaaaaaaaaa.{WRONG}"}.get(case, secret.reveal())
    if case == "expired":
        clock.advance(3_600)
    done: list[int] = []
    compared: list[int] = []
    real_keys, real_compare = module.scram_keys, module.hmac.compare_digest

    def keys(value: str, salt: bytes) -> object:
        done.append(len(value))
        return real_keys(value, salt)

    def compare(one: bytes, two: bytes) -> bool:
        compared.append(len(one))
        return real_compare(one, two)

    monkeypatch.setattr(module, "scram_keys", keys)
    monkeypatch.setattr(module.hmac, "compare_digest", compare)
    try:
        found: Lease | str = leases.check(Secret(text), PEER)
    except LoginRefused as no:
        found = no.code
    assert found == {
        "right": lease, "wrong": "lease-wrong", "unknown": "lease-unknown", "expired": "lease-expired"
    }[case]  # fmt: skip
    assert (done, compared) == ([32], [32])


def test_known_and_unknown_take_the_same_time() -> None:
    """Medians of interleaved rounds; the bound is wide, the difference a look-up without the key work would show is tenfold."""
    clock = TwoClocks()
    leases = Leases(Book(), clock, KEY, LeaseSettings(guesses_lease=1_000, guesses_peer=10_000))
    lease, _ = leases.issue(WHO, "device")
    times: dict[str, list[float]] = {f"{lease.id}.{WRONG}": [], f"hl_aaaaaaaaaaaa.{WRONG}": []}
    for _ in range(60):
        for text, taken in times.items():
            began = time.thread_time()
            refused(leases, text)
            taken.append(time.thread_time() - began)
    known, unknown = (median(taken) for taken in times.values())
    assert 0.5 < known / unknown < 2.0


def test_an_identity_is_compared_by_issuer_and_subject_alone(leases: Leases) -> None:
    lease, secret = leases.issue(WHO, "device")
    assert leases.revoke_identity(replace(WHO, issuer="https://other").key) == ()
    assert leases.revoke_identity(WHO.name) == ()
    assert leases.check(secret, PEER) == lease
