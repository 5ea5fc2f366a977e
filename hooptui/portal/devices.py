"""Devices that wait for a person with a browser: the table behind RFC 8628. Pure; knows no HTTP and no lease.

A device code is 256 random bits, kept as a hash, and answered once. A user code is eight consonants, typed by a person:
34 bits, alive for ten minutes, behind a rate limit and a login.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Literal

from hooptui.core.clock import Clock
from hooptui.core.secret import Secret
from hooptui.peers import origin
from hooptui.portal.base import Login, Settle

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Consonants only: no word comes out by chance, and 0/O, 1/I cannot be mixed up (RFC 8628 section 6.1)."""
LASTS = 600.0
"""Seconds until a device code expires."""
INTERVAL = 5.0
"""Seconds between two questions; each one that comes too early adds as many (RFC 8628 section 3.5)."""
MAX_INTERVAL = 60.0
PATIENCE = 0.5
"""Seconds by which a question may be early, for timers and networks that jitter."""
LIMIT = 1024
"""Devices that wait at once, and of them from one address:"""
LIMIT_PEER = 16
MAX_PURPOSE = 200

Wanted = Literal["lease", "login", "operator"]
"""A lease for a program that asks again, a login for a client that waits at a listener, or an operator for a screen."""
Verdict = Literal["waiting", "approved", "denied"]
Answer = Literal["authorization_pending", "slow_down", "expired_token", "access_denied"]


class DevicesFull(Exception):
    """As many devices wait as are kept; the message is for the client."""


@dataclass(slots=True)
class Device:
    """One device that waits. Mutable, and only ever changed by the table."""

    user_code: str
    """`XXXX-XXXX`."""
    peer: str
    """`address:port` of the device."""
    origin: str
    """Its IPv4 address or IPv6 /64 network."""
    purpose: str
    """Its own words on what for; hostile."""
    wanted: Wanted
    expires_at: float
    """Monotonic seconds."""
    settle: Settle | None = field(repr=False)
    """What to do with the login when `wanted` is not a lease."""
    verdict: Verdict = "waiting"
    login: Login | None = None
    interval: float = INTERVAL
    asked_at: float | None = None


class Devices:
    """See the module. Lives on the gateway's loop."""

    def __init__(self, clock: Clock, *, limit: int = LIMIT, per_peer: int = LIMIT_PEER) -> None:
        self._clock = clock
        self._limit = limit
        self._per_peer = per_peer
        self._by_code: dict[bytes, Device] = {}
        """By hash of the device code, oldest first."""
        self._by_user: dict[str, Device] = {}
        """By user code, as long as it may be typed."""

    def start(
        self, peer: str, purpose: str, wanted: Wanted = "lease", settle: Settle | None = None
    ) -> tuple[Secret, Device]:
        """A new device and its code, which is known to nobody afterwards.

        Raises:
            DevicesFull: too many wait already, in all or from this address.
        """
        self._sweep()
        if len(self._by_code) >= self._limit:
            raise DevicesFull("too many devices wait for a login; try again in some minutes")
        # The screen's own logins are not a stranger's to crowd out.
        here = origin(peer)
        if wanted != "operator" and sum(one.origin == here for one in self._by_code.values()) >= self._per_peer:
            raise DevicesFull(f"{self._per_peer} devices at your address wait for a login already")
        code = secrets.token_urlsafe(32)
        user_code = self._new_user_code()
        device = Device(user_code, peer, here, purpose[:MAX_PURPOSE], wanted, self._clock.monotonic() + LASTS, settle)
        self._by_code[_hash(code)] = device
        self._by_user[user_code] = device
        return Secret(code), device

    def find(self, typed: str) -> Device | None:
        """The device with this user code, as a person types it: case, dashes and spaces do not matter."""
        self._sweep()
        return self._by_user.get(normalised(typed))

    def approve(self, device: Device, login: Login) -> bool:
        """Let it have what it wants; False when it was settled or expired meanwhile."""
        return self._settle(device, "approved", login)

    def deny(self, device: Device) -> bool:
        """Let it have nothing; False as above."""
        return self._settle(device, "denied", None)

    def ask(self, code: str) -> Answer | Device:
        """What the device is told (RFC 8628 section 3.5); the device itself once, when it was approved."""
        now = self._clock.monotonic()
        key = _hash(code)
        device = self._by_code.get(key)
        if device is None or device.wanted != "lease":
            return "expired_token"
        if now >= device.expires_at:
            self._sweep()
            return "expired_token"
        if device.asked_at is not None and now < device.asked_at + device.interval - PATIENCE:
            device.interval = min(MAX_INTERVAL, device.interval + INTERVAL)
            device.asked_at = now
            return "slow_down"
        device.asked_at = now
        match device.verdict:
            case "waiting":
                return "authorization_pending"
            case "denied":
                self._forget(key, device)
                return "access_denied"
            case "approved":
                self._forget(key, device)
                return device

    def cancel(self, code: Secret) -> None:
        """Whoever asked does not wait any more."""
        key = _hash(code.reveal())
        device = self._by_code.get(key)
        if device is not None:
            self._forget(key, device)

    def alive(self, device: Device) -> bool:
        """Whether a person may still decide on it: nobody has, and it has not expired."""
        return self._by_user.get(device.user_code) is device and self._clock.monotonic() < device.expires_at

    def __len__(self) -> int:
        return len(self._by_code)

    # --- inside

    def _settle(self, device: Device, verdict: Verdict, login: Login | None) -> bool:
        if not self.alive(device):
            return False
        device.verdict, device.login = verdict, login
        del self._by_user[device.user_code]
        if device.settle is not None:  # nobody asks for it again
            for key, one in tuple(self._by_code.items()):
                if one is device:
                    del self._by_code[key]
        return True

    def _new_user_code(self) -> str:
        while True:
            letters = "".join(secrets.choice(ALPHABET) for _ in range(8))
            code = f"{letters[:4]}-{letters[4:]}"
            if code not in self._by_user:
                return code

    def _forget(self, key: bytes, device: Device) -> None:
        del self._by_code[key]
        if self._by_user.get(device.user_code) is device:
            del self._by_user[device.user_code]

    def _sweep(self) -> None:
        """Forget what has expired; all live equally long, so the oldest come first."""
        now = self._clock.monotonic()
        for key, device in tuple(self._by_code.items()):
            if now < device.expires_at:
                return
            self._forget(key, device)


def normalised(typed: str) -> str:
    """A user code as it is kept, out of what was typed; never a code when it cannot be one."""
    letters = "".join(one for one in typed[:64].upper() if one in ALPHABET)
    return f"{letters[:4]}-{letters[4:]}" if len(letters) == 8 else ""


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
