"""Leases: short secrets that the gateway gives out for a proven identity, and how one is checked, over SCRAM or as a bearer.

A lease as one text is `hl_<id>.<secret>`: 60 bits that name it and 160 that prove it, in characters that need no quoting
anywhere. Of the secret only SCRAM keys are kept (RFC 5802 section 3, RFC 7677). Whoever guesses learns nothing: a lease
that never was has keys too, made from a keyed hash of its name; right and wrong take the same time; and after a few wrong
guesses nobody is heard for a while. Knows no file: a book keeps the leases over a restart.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import math
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, assert_never

from hooptui.auth.lockout import Lockout
from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity, Lease, ScramKeys
from hooptui.core.secret import Secret
from hooptui.errors import UserError
from hooptui.peers import origin

PREFIX: Final = "hl_"
ITERATIONS: Final = 4096
"""The least that RFC 7677 allows, and enough: a secret of 160 random bits is not found by trying."""
REMEMBERED: Final = 4096
"""Ended leases kept in memory, only to tell their holders why."""
FUTURE: Final = 60.0
"""Seconds by which a kept lease may have begun after now; beyond that the clock was set back, and the lease is void."""

_FORM: Final = re.compile(r"(hl_[a-z2-7]{12})\.([a-z2-7]{32})")
_BYTES: Final = ((8, 12), (20, 32))
"""Random bytes and base32 characters taken, of a lease's name and of its secret."""
_LONGEST_NAME: Final = 64
Why = Literal["expired", "revoked"]

log = logging.getLogger("hooptui.auth")


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """How long leases last, how many there may be, and how often one may be guessed.

    Raises:
        ValueError: on construction, naming the field, what was found and what is expected.
    """

    lasts: float = 3_600.0
    """Seconds; a lease given for a token, or by SAML, may have to end sooner."""
    limit: int = 10_000
    """Live leases in all."""
    per_identity: int = 256
    guesses_lease: int = 10
    """Wrong guesses at one lease within `window` that lock it."""
    guesses_peer: int = 30
    """Wrong guesses from one address within `window` that lock it out."""
    window: float = 600.0
    """Seconds."""
    lockout: float = 600.0
    """Seconds."""

    def __post_init__(self) -> None:
        for field, value, least, most in (
            ("lasts", self.lasts, 60.0, 43_200.0),
            ("limit", self.limit, 1, 20_000),
            ("per_identity", self.per_identity, 1, 20_000),
            ("guesses_lease", self.guesses_lease, 1, 1_000),
            ("guesses_peer", self.guesses_peer, 1, 10_000),
            ("window", self.window, 1.0, 86_400.0),
            ("lockout", self.lockout, 1.0, 86_400.0),
        ):
            if not least <= value <= most:
                raise ValueError(f"{field}: found {value:g}, expected {least:g} to {most:g}")


class LeaseBook(Protocol):
    """Where leases outlive the process; `hooptui.store` has one. Every call may raise UserError: the book cannot be used now."""

    def save(self, row: tuple[Lease, ScramKeys]) -> None: ...

    def delete(self, key: str) -> bool: ...

    def all(self) -> tuple[tuple[Lease, ScramKeys], ...]: ...


class LockedOut(LoginRefused):
    """Too many wrong guesses, for this lease or from this address; nothing was checked."""

    def __init__(self, what: str, seconds: float, *, began: bool) -> None:
        minutes = max(1, math.ceil(seconds / 60))
        super().__init__(
            "lease-locked",
            "too many wrong leases were sent",
            hint=f"wait {minutes} minute{'s' if minutes > 1 else ''}, then run `hooptui login` for a new one",
            log=f"too many wrong guesses {what}: locked out for {seconds:.0f} s",
        )
        self.began = began
        """This very guess began the lock-out: the one time to alert the operator."""


@dataclass(frozen=True, slots=True)
class _Kept:
    lease: Lease
    keys: ScramKeys
    ends: float
    """Monotonic seconds; setting the wall's clock back makes no lease live longer."""


def is_lease(text: str) -> bool:
    """Whether a credential is meant to be a lease and not a token: no token begins like one."""
    return text.startswith(PREFIX)


def scram_keys(secret: str, salt: bytes) -> ScramKeys:
    """What a server keeps of a secret (RFC 5802 section 3). The secret is ASCII, which SASLprep leaves alone."""
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return ScramKeys(salt, ITERATIONS, stored, hmac.digest(salted, b"Server Key", "sha256"))


class Leases:
    """See the module. Lives on the gateway's loop; checking a bearer takes about a millisecond of it, by intention."""

    def __init__(
        self,
        book: LeaseBook,
        clock: Clock,
        key: bytes,
        settings: LeaseSettings,
        *,
        trouble: Callable[[str], None] = log.error,
    ) -> None:
        """`key`: 32 secret bytes that stay the same over a restart. `trouble` is told, once for each lease, that the book did
        not forget an ended one; it is tried again until it does.

        Raises:
            UserError: the book cannot be read.
            ValueError: the key is too short.
        """
        if len(key) < 32:
            raise ValueError(f"key: found {len(key)} bytes, expected 32")
        self._book = book
        self._clock = clock
        self._key = key
        self._settings = settings
        self._trouble = trouble
        self._live: dict[str, _Kept] = {}
        self._ended: OrderedDict[str, tuple[_Kept, Why]] = OrderedDict()
        self._unforgotten: set[str] = set()
        """Ended, and still in the book because it could not be written."""
        window, lasts = settings.window, settings.lockout
        self._by_lease = Lockout(guesses=settings.guesses_lease, window=window, lasts=lasts)
        self._by_peer = Lockout(guesses=settings.guesses_peer, window=window, lasts=lasts)
        now, ticks = clock.now(), clock.monotonic()
        for lease, keys in book.all():
            kept = _Kept(lease, keys, ticks + min(lease.expires_at - now, lease.expires_at - lease.issued_at))
            self._live[lease.id] = kept if lease.issued_at <= now + FUTURE else replace(kept, ends=ticks)
        self.live()

    # --- giving out

    def issue(self, identity: Identity, how: str, *, until: float | None = None) -> tuple[Lease, Secret]:
        """A new lease for a proven identity, and its bearer form, which is known to nobody afterwards.

        Args:
            how: `device`, `browser`, `saml` or `exchange`. One exchanged for a token never outlives it.
            until: Unix seconds at which it must be over; None when only the settings limit it.

        Raises:
            LoginRefused: the proof is over already, there are too many leases, or the book cannot keep it.
        """
        now = self._clock.now()
        ends = [now + self._settings.lasts]
        ends += [end for end in (until, identity.expires_at if how == "exchange" else None) if end is not None]
        end = min(ends)
        if not all(now < one for one in ends):
            raise LoginRefused("lease-expired", "the login that a lease was asked for is over already", hint=_AGAIN)
        live = self.live()
        if len(live) >= self._settings.limit:
            message = "this gateway has given out as many leases as it keeps"
            raise LoginRefused("too-many-leases", message, hint="wait until some are over, or have some revoked")
        if sum(one.identity.key == identity.key for one in live) >= self._settings.per_identity:
            message = f"{identity.name} has {self._settings.per_identity} leases already, which is the limit"
            raise LoginRefused(
                "too-many-leases", message, hint="use one of them until it is over, or have some revoked"
            )
        name, secret = (_random(size, characters) for size, characters in _BYTES)
        lease = Lease(PREFIX + name, replace(identity, expires_at=end), now, end, how)
        keys = scram_keys(secret, self._salt(lease.id))
        try:
            self._book.save((lease, keys))
        except (UserError, ValueError) as fault:
            message = "hooptui cannot keep leases now, so it gives none"
            raise LoginRefused("store-down", message, hint="try again in a minute", log=f"{message}: {fault}") from None
        self._live[lease.id] = _Kept(lease, keys, self._clock.monotonic() + end - now)
        return lease, Secret(f"{lease.id}.{secret}")

    # --- checking

    def check(self, secret: Secret, peer: str) -> Lease:
        """The lease whose bearer form this is; a wrong one is counted here.

        Raises:
            LoginRefused: it is none, or not any more; as LockedOut after too many guesses.
        """
        found = _FORM.fullmatch(secret.reveal()) if len(secret) <= 1024 else None
        if found is None:
            raise LoginRefused(
                "lease-malformed",
                "the lease was not sent as it was given out",
                hint="it is one text, hl_…, with a dot and 32 characters after it; no quotes, spaces or line ends",
            )
        name = found[1]
        self._heard(name, peer)
        keys, known = self._keys(name)
        proof = scram_keys(found[2], keys.salt)
        right = hmac.compare_digest(proof.stored_key, keys.stored_key)
        if right and known:
            return self.proved(name)
        self._count(name, peer)
        raise _wrong("lease-wrong" if known else "lease-unknown", name)

    def keys(self, lease: str, peer: str) -> ScramKeys:
        """What to check a SCRAM login with; made up, and always the same, for a lease that does not exist.

        Raises:
            LockedOut: too many wrong guesses.
        """
        self._heard(lease, peer)
        return self._keys(lease)[0]

    def failed(self, lease: str, peer: str) -> bool:
        """A SCRAM login was wrong: count it. True when this one locked the lease or the address out: the time to alert."""
        try:
            self._count(lease, peer)
        except LockedOut:
            return True
        return False

    def proved(self, lease: str) -> Lease:
        """The lease, when its holder has proved to have its secret.

        Raises:
            LoginRefused: it has expired or was revoked, also while the proof went on; or it is locked.
        """
        left = self._by_lease.left(lease[:_LONGEST_NAME], self._clock.monotonic())
        if left:
            raise LockedOut(f"at lease {lease[:_LONGEST_NAME]!a}", left, began=False)
        kept = self._live.get(lease)
        if kept is not None and self._over(kept):
            self._end(kept, "expired")
            kept = None
        if kept is not None:
            return kept.lease
        if lease not in self._ended:
            raise _wrong("lease-unknown", lease)
        why = self._ended[lease][1]
        match why:
            case "expired":
                raise LoginRefused(
                    "lease-expired", "the lease has expired", hint=_AGAIN, log=f"lease {lease} has expired"
                )
            case "revoked":
                raise LoginRefused(
                    "lease-revoked", "the lease was revoked", hint=_AGAIN, log=f"lease {lease} was revoked"
                )
            case _ as never:
                assert_never(never)

    # --- looking, and taking back

    def live(self) -> tuple[Lease, ...]:
        """The leases that are good now, those that end first coming first."""
        for kept in tuple(self._live.values()):
            if self._over(kept):
                self._end(kept, "expired")
        for lease in tuple(self._unforgotten):
            self._forget(lease)
        return tuple(
            sorted((kept.lease for kept in self._live.values()), key=lambda lease: (lease.expires_at, lease.id))
        )

    def revoke(self, lease: str) -> Lease | None:
        """End one before its time; None when no such lease is live. Its sessions are the caller's to close."""
        kept = self._live.get(lease)
        if kept is None or self._over(kept):
            return None
        self._end(kept, "revoked")
        return kept.lease

    def revoke_identity(self, key: str) -> tuple[Lease, ...]:
        """End all leases of one identity (issuer and subject)."""
        return tuple(gone for lease in self.live() if lease.identity.key == key and (gone := self.revoke(lease.id)))

    # --- inside

    def _over(self, kept: _Kept) -> bool:
        return self._clock.now() >= kept.lease.expires_at or self._clock.monotonic() >= kept.ends

    def _end(self, kept: _Kept, why: Why) -> None:
        lease = kept.lease.id
        self._live.pop(lease, None)
        self._ended[lease] = (kept, why)
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        self._forget(lease)

    def _forget(self, lease: str) -> None:
        """Take it out of the book. What cannot be taken out is over all the same, and is tried again."""
        try:
            self._book.delete(lease)
        except UserError as fault:
            if lease not in self._unforgotten:
                self._unforgotten.add(lease)
                self._trouble(f"{lease} is over, but would be good again after a restart: {fault}")
        else:
            self._unforgotten.discard(lease)

    def _salt(self, lease: str) -> bytes:
        """The same way for real and made-up leases, so that a salt says nothing."""
        return hmac.digest(self._key, b"salt " + _bytes(lease), "sha256")[:16]

    def _keys(self, lease: str) -> tuple[ScramKeys, bool]:
        """The keys, and whether there is or was such a lease. The made-up ones are always made: looking takes as long as not."""
        stored, server = (hmac.digest(self._key, use + _bytes(lease), "sha256") for use in (b"stored ", b"server "))
        made_up = ScramKeys(self._salt(lease), ITERATIONS, stored, server)
        kept = self._live.get(lease)
        if kept is None and lease in self._ended:
            kept = self._ended[lease][0]
        return (made_up, False) if kept is None else (kept.keys, True)

    def _heard(self, lease: str, peer: str) -> None:
        """Raises LockedOut."""
        name, place, ticks = lease[:_LONGEST_NAME], origin(peer), self._clock.monotonic()
        if left := self._by_peer.left(place, ticks):
            raise LockedOut(f"from {place}", left, began=False)
        if left := self._by_lease.left(name, ticks):
            raise LockedOut(f"at lease {name!a}", left, began=False)

    def _count(self, lease: str, peer: str) -> None:
        """Raises LockedOut when this guess is the one too many."""
        name, place, ticks = lease[:_LONGEST_NAME], origin(peer), self._clock.monotonic()
        locked = [self._by_peer.failed(place, ticks), self._by_lease.failed(name, ticks)]
        what = [words for yes, words in zip(locked, (f"from {place}", f"at lease {name!a}"), strict=True) if yes]
        if what:
            raise LockedOut(" and ".join(what), self._settings.lockout, began=True)


_AGAIN: Final = "run `hooptui login` for a new one"


def _wrong(code: str, lease: str) -> LoginRefused:
    """The same words for the holder of a wrong secret and of a lease that never was; the operator's log knows which."""
    words = "wrong secret for" if code == "lease-wrong" else "there is no"
    log_words = f"{words} lease {lease[:_LONGEST_NAME]!a}"
    return LoginRefused(code, "there is no such lease, or its secret is wrong", hint=_AGAIN, log=log_words)


def _random(size: int, characters: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode().lower()[:characters]


def _bytes(lease: str) -> bytes:
    return lease.encode("utf-8", "surrogatepass")
