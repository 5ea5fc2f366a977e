"""Leases: what is given out can be used until it ends, by SCRAM and as a bearer, and by nobody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from scramp import ScramClient, ScramMechanism  # type: ignore[import-untyped]  # it ships no types

from hooptui.auth.leases import ITERATIONS, Leases, LeaseSettings, LockedOut, is_lease, scram_keys
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity, Kind, Lease, ScramKeys
from hooptui.core.secret import Secret
from hooptui.store import Store, StoreTrouble

KEY = bytes(range(32))
PEER = "192.0.2.7:50000"
WHO = Identity("https://idp", "u-1", "ops-1", frozenset({"dba"}), None, Kind.AGENT, "https://idp#u-2")
OTHER = replace(WHO, subject="u-3", kind=Kind.HUMAN, owner=None)


class TwoClocks:
    """A wall's clock that can be set, and one that only goes on."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        self.ticks = 50.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds


class Book:
    """A book in memory that can be told to fail."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Lease, ScramKeys]] = {}
        self.broken = False

    def save(self, row: tuple[Lease, ScramKeys]) -> None:
        self._check()
        self.rows[row[0].id] = row

    def delete(self, key: str) -> bool:
        self._check()
        return self.rows.pop(key, None) is not None

    def all(self) -> tuple[tuple[Lease, ScramKeys], ...]:
        self._check()
        return tuple(self.rows.values())

    def _check(self) -> None:
        if self.broken:
            raise StoreTrouble("hooptui.db: no room left")


@pytest.fixture
def clock() -> TwoClocks:
    return TwoClocks()


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def leases(book: Book, clock: TwoClocks) -> Leases:
    return Leases(book, clock, KEY, LeaseSettings())


def refused(leases: Leases, secret: Secret | str, peer: str = PEER) -> LoginRefused:
    with pytest.raises(LoginRefused) as caught:
        leases.check(Secret(secret) if isinstance(secret, str) else secret, peer)
    return caught.value


def scram(keys: ScramKeys, user: str, password: str) -> bool:
    """Whether a real SCRAM client with this password gets in at a real SCRAM server with these keys."""
    server = ScramMechanism("SCRAM-SHA-256").make_server(
        lambda _: (keys.salt, keys.stored_key, keys.server_key, keys.iterations)
    )
    client = ScramClient(["SCRAM-SHA-256"], user, password)
    server.set_client_first(client.get_client_first())
    client.set_server_first(server.get_server_first())
    try:
        server.set_client_final(client.get_client_final())
    except Exception:  # noqa: BLE001 - whatever the library calls it, it is no login
        return False
    client.set_server_final(server.get_server_final())
    return True


# --- given out, and used -------------------------------------------------------------------------


def test_a_lease_has_a_form_that_needs_no_quoting(leases: Leases) -> None:
    lease, secret = leases.issue(WHO, "device")
    assert re.fullmatch(r"hl_[a-z2-7]{12}", lease.id)
    assert re.fullmatch(rf"{lease.id}\.[a-z2-7]{{32}}", secret.reveal())
    assert is_lease(secret.reveal()) and not is_lease("eyJhbGciOiJSUzI1NiJ9.e30.e30")
    assert len({leases.issue(WHO, "device")[1].reveal() for _ in range(50)}) == 50


def test_it_stands_for_the_identity_until_its_end(leases: Leases, clock: TwoClocks) -> None:
    lease, secret = leases.issue(replace(WHO, expires_at=clock.wall + 5), "browser")
    assert lease == Lease(
        lease.id, replace(WHO, expires_at=clock.wall + 3_600), clock.wall, clock.wall + 3_600, "browser"
    )
    assert leases.check(secret, PEER) == lease
    assert leases.proved(lease.id) == lease
    assert leases.live() == (lease,)
    clock.advance(3_599.9)
    assert leases.check(secret, PEER) == lease
    clock.advance(0.1)
    assert refused(leases, secret).code == "lease-expired"
    assert leases.live() == ()
    with pytest.raises(LoginRefused, match="has expired"):
        leases.proved(lease.id)


def test_its_secret_is_a_scram_password(leases: Leases) -> None:
    lease, secret = leases.issue(WHO, "device")
    password = secret.reveal().partition(".")[2]
    keys = leases.keys(lease.id, PEER)
    assert scram(keys, lease.id, password)
    assert not scram(keys, lease.id, password[:-1] + ("a" if password[-1] != "a" else "b"))
    other, _ = leases.issue(WHO, "device")
    assert not scram(leases.keys(other.id, PEER), other.id, password)


def test_the_keys_are_those_of_the_rfc() -> None:
    """RFC 7677 section 3: user "user", password "pencil"."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    keys = scram_keys("pencil", salt)
    auth = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(keys.stored_key, auth, "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == keys.stored_key
    assert keys.iterations == ITERATIONS == 4096


def test_only_keys_are_kept(leases: Leases, book: Book) -> None:
    _, secret = leases.issue(WHO, "device")
    value = secret.reveal().partition(".")[2]
    assert value not in repr(book.rows)
    assert value not in repr(vars(leases))


@pytest.mark.parametrize(
    ("how", "until", "token", "lasts"),
    [
        ("device", None, None, 3_600),
        ("device", None, 300, 3_600),
        ("saml", 900, None, 900),
        ("saml", 86_400, None, 3_600),
        ("exchange", None, 300, 300),
        ("exchange", 900, 300, 300),
        ("exchange", 200, 300, 200),
        ("exchange", None, 86_400, 3_600),
        ("exchange", None, None, 3_600),
    ],
)
def test_how_long_it_lasts(
    leases: Leases, clock: TwoClocks, how: str, until: float | None, token: float | None, lasts: float
) -> None:
    who = replace(WHO, expires_at=None if token is None else clock.wall + token)
    lease, _ = leases.issue(who, how, until=None if until is None else clock.wall + until)
    assert lease.expires_at == lease.identity.expires_at == clock.wall + lasts


@pytest.mark.parametrize("until", [0.0, -1.0, float("nan"), float("-inf")])
def test_what_is_over_gives_no_lease(leases: Leases, clock: TwoClocks, book: Book, until: float) -> None:
    with pytest.raises(LoginRefused, match="over already"):
        leases.issue(WHO, "saml", until=clock.wall + until)
    with pytest.raises(LoginRefused, match="over already"):
        leases.issue(replace(WHO, expires_at=clock.wall + until), "exchange")
    assert book.rows == {}


def test_there_is_a_limit_in_all_and_for_each_identity(book: Book, clock: TwoClocks) -> None:
    leases = Leases(book, clock, KEY, LeaseSettings(limit=3, per_identity=2))
    first, _ = leases.issue(WHO, "device")
    leases.issue(WHO, "device")
    with pytest.raises(LoginRefused, match="ops-1 has 2 leases already") as caught:
        leases.issue(WHO, "device")
    assert caught.value.code == "too-many-leases"
    leases.issue(OTHER, "device")
    with pytest.raises(LoginRefused, match="as many leases as it keeps"):
        leases.issue(OTHER, "device")
    leases.revoke(first.id)
    leases.issue(WHO, "device")
    clock.advance(3_600)
    leases.issue(WHO, "device")
    assert len(leases.live()) == 1


# --- taken back ----------------------------------------------------------------------------------


def test_a_revoked_lease_is_over_at_once_and_stays_so(leases: Leases, clock: TwoClocks, book: Book) -> None:
    lease, secret = leases.issue(WHO, "device")
    kept, kept_secret = leases.issue(WHO, "device")
    keys = leases.keys(lease.id, PEER)
    assert leases.revoke(lease.id) == lease
    assert leases.revoke(lease.id) is None
    assert leases.revoke("hl_aaaaaaaaaaaa") is None
    assert refused(leases, secret).code == "lease-revoked"
    assert leases.keys(lease.id, PEER) == keys, "a proof that is under way can be finished, and is then told why"
    with pytest.raises(LoginRefused, match="was revoked"):
        leases.proved(lease.id)
    assert leases.check(kept_secret, PEER) == kept
    again = Leases(book, clock, KEY, LeaseSettings())
    assert refused(again, secret).code == "lease-unknown"
    assert again.check(kept_secret, PEER) == kept


def test_what_has_expired_cannot_be_revoked(leases: Leases, clock: TwoClocks) -> None:
    lease, secret = leases.issue(WHO, "device")
    clock.advance(3_600)
    assert leases.revoke(lease.id) is None
    assert refused(leases, secret).code == "lease-expired"


def test_all_leases_of_an_identity_go_together(leases: Leases) -> None:
    mine = {leases.issue(WHO, "device")[0] for _ in range(3)}
    other, secret = leases.issue(OTHER, "device")
    assert set(leases.revoke_identity(WHO.key)) == mine
    assert leases.revoke_identity(WHO.key) == ()
    assert leases.live() == (other,)
    assert leases.check(secret, PEER) == other


def test_a_book_that_fails_gives_no_lease_and_takes_back_all_the_same(clock: TwoClocks, book: Book) -> None:
    said: list[str] = []
    leases = Leases(book, clock, KEY, LeaseSettings(), trouble=said.append)
    lease, secret = leases.issue(WHO, "device")
    book.broken = True
    with pytest.raises(LoginRefused) as caught:
        leases.issue(WHO, "device")
    assert caught.value.code == "store-down"
    assert "no room left" in caught.value.log and "no room left" not in caught.value.message
    assert leases.revoke(lease.id) == lease
    assert refused(leases, secret).code == "lease-revoked"
    leases.live()
    assert said == [f"{lease.id} is over, but would be good again after a restart: hooptui.db: no room left"]
    assert lease.id in book.rows
    book.broken = False
    leases.live()
    assert book.rows == {}


def test_an_unreadable_book_is_no_empty_one(clock: TwoClocks, book: Book) -> None:
    book.broken = True
    with pytest.raises(StoreTrouble):
        Leases(book, clock, KEY, LeaseSettings())


def test_what_a_store_cannot_hold_is_refused(tmp_path: Path, clock: TwoClocks) -> None:
    store = Store(tmp_path / "hooptui.db")
    leases = Leases(store.leases, clock, store.key, LeaseSettings())
    with pytest.raises(LoginRefused, match="cannot keep leases now"):
        leases.issue(replace(WHO, name="\ud800"), "device")
    assert leases.live() == ()
    store.close()


# --- clocks --------------------------------------------------------------------------------------


def test_setting_the_clock_back_makes_no_lease_live_longer(leases: Leases, clock: TwoClocks) -> None:
    _, secret = leases.issue(WHO, "device")
    clock.wall -= 86_400
    clock.advance(3_599)
    leases.check(secret, PEER)
    clock.advance(1)
    assert refused(leases, secret).code == "lease-expired"


def test_a_clock_that_jumps_ahead_and_back_ends_it_for_good(leases: Leases, clock: TwoClocks, book: Book) -> None:
    _, secret = leases.issue(WHO, "device")
    clock.wall += 86_400
    assert refused(leases, secret).code == "lease-expired"
    clock.wall -= 86_400
    assert refused(leases, secret).code == "lease-expired"
    assert refused(Leases(book, clock, KEY, LeaseSettings()), secret).code == "lease-unknown"


@pytest.mark.parametrize(("back", "lives"), [(0.0, 3_600.0), (30.0, 3_600.0), (90.0, 0.0), (86_400.0, 0.0)])
def test_a_clock_set_back_over_a_restart(
    leases: Leases, clock: TwoClocks, book: Book, back: float, lives: float
) -> None:
    _, secret = leases.issue(WHO, "device")
    clock.wall -= back
    clock.ticks = 1.0  # a reboot
    again = Leases(book, clock, KEY, LeaseSettings())
    if lives:
        clock.advance(lives - 1)
        again.check(secret, PEER)
        clock.advance(1)
    assert len(again.live()) == 0
    assert refused(again, secret).code in ("lease-expired", "lease-unknown")


def test_a_restart_neither_loses_nor_lengthens(tmp_path: Path, clock: TwoClocks) -> None:
    def start() -> Iterator[Leases]:
        store = Store(tmp_path / "hooptui.db")
        yield Leases(store.leases, clock, store.key, LeaseSettings())
        store.close()

    running = start()
    leases = next(running)
    lease, secret = leases.issue(WHO, "device")
    keys, decoy = leases.keys(lease.id, PEER), leases.keys("hl_aaaaaaaaaaaa", PEER)
    next(running, None)
    clock.advance(3_000)
    running = start()
    leases = next(running)
    assert leases.check(secret, PEER) == lease
    assert leases.keys(lease.id, PEER) == keys
    assert leases.keys("hl_aaaaaaaaaaaa", PEER) == decoy
    clock.advance(600)
    assert refused(leases, secret).code == "lease-expired"
    next(running, None)


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", LeaseSettings.__dataclass_fields__)
@pytest.mark.parametrize("value", [0, -1, float("nan"), 1e9])
def test_settings_out_of_bounds_name_themselves(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{field}: found .*, expected"):
        LeaseSettings(**{field: value})


def test_a_short_key_is_refused(book: Book, clock: TwoClocks) -> None:
    with pytest.raises(ValueError, match="key: found 16 bytes"):
        Leases(book, clock, bytes(16), LeaseSettings())


def test_a_lock_out_is_a_refusal_with_words() -> None:
    one = LockedOut("from 192.0.2.7", 61.0, began=True)
    assert (one.code, one.hint) == ("lease-locked", "wait 2 minutes, then run `hooptui login` for a new one")
    assert one.log == "too many wrong guesses from 192.0.2.7: locked out for 61 s"
