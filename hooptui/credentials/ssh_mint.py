"""A login on an SSH host for one session alone: a key made for it, with a certificate of the gateway's own authority.

Nothing is left on the host: what it trusts is the authority (`TrustedUserCAKeys`), and the certificate ends by itself. The private
key is in this process alone and forgotten when it is taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from hooptui.core.clock import Clock
from hooptui.core.secret import Secret
from hooptui.credentials.mint import Minted, MintTrouble, Removed
from hooptui.credentials.ssh_certificates import SshCa

KIND: Final = "certificate"


class SshLogins:
    """Implements `mint.Mint` for one account on one host."""

    def __init__(self, ca: SshCa, user: str, tag: str, clock: Clock, *, lasts: float) -> None:
        """`tag` tells this gateway's certificates from another's in the host's log; `lasts` is the seconds in which a session must
        have logged in with its own, since a connection outlives its certificate."""
        self._ca = ca
        self._user = user
        self._tag = tag
        self._lasts = lasts
        self._clock = clock
        self._until: dict[str, float] = {}

    def name(self, session: str) -> str:
        return f"hooptui-{self._tag}-{session}"

    async def issue(self, session: str, identity: str, until: float | None) -> Minted:
        now = self._clock.now()
        end = now + self._lasts if until is None else min(now + self._lasts, until)
        key, name = ed25519.Ed25519PrivateKey.generate(), self.name(session)
        try:
            line = self._ca.lend(key.public_key(), self._user, f"{name} {identity}", now=now, until=end)
        except ValueError as wrong:
            raise MintTrouble("mint-misconfigured", str(wrong)) from None
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        self._until[name] = end
        return Minted(KIND, name, Secret(private.decode("ascii") + line + "\n"), end)

    async def retire(self, name: str) -> Removed:
        end = self._until.pop(name, None)
        if end is None:
            return Removed(KIND, name, True, "there was none")
        left = max(0.0, end - self._clock.now())
        return Removed(
            KIND, name, True, f"its key is forgotten; its certificate is of no use without, and ends in {left:.0f} s"
        )

    async def sweep(self, alive: Callable[[str], bool]) -> tuple[Removed, ...]:
        """Nothing outlives the process that made it."""
        return tuple([await self.retire(name) for name in tuple(self._until) if not alive(name)])
