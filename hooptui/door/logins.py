"""Logging in without a target: by a browser for whoever waits at a listener, and for a certificate. Knows no wire and no page.

Implements `protocols.base.Logins`; the gateway builds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from hooptui.core.clock import Clock
from hooptui.core.gate import CannotRecord, LoginRefused
from hooptui.core.model import Lease
from hooptui.core.secret import Secret
from hooptui.credentials.ssh_certificates import BadKey, SshCa
from hooptui.door.doorman import FrontDoor
from hooptui.door.keeper import UNRECORDED, Keeper
from hooptui.portal.base import DeviceStart, Login
from hooptui.portal.devices import DevicesFull
from hooptui.portal.server import Portal
from hooptui.protocols.base import BrowserLogin, Credential, Signed

PROTOCOL = "ssh"
TARGET = "login"
"""What refusals name as their target."""


@dataclass(slots=True)
class _Waiting:
    """Implements `protocols.base.BrowserLogin`."""

    started: DeviceStart
    lease: asyncio.Future[Lease]
    cancel: Callable[[Secret], None]
    journal: Callable[[LoginRefused], None]

    @property
    def page(self) -> str:
        return self.started.verification_uri

    @property
    def complete(self) -> str:
        return self.started.verification_uri_complete

    @property
    def code(self) -> str:
        return self.started.user_code

    @property
    def lasts(self) -> float:
        return float(self.started.expires_in)

    async def done(self) -> Lease:
        try:
            async with asyncio.timeout(self.lasts):
                # Whoever stops waiting here may come back to it.
                return await asyncio.shield(self.lease)
        except TimeoutError:
            no = LoginRefused("login-late", f"nobody logged in with the code {self.code} in time")
        except LoginRefused as refused:
            no = refused
        self.journal(no)
        raise no

    def withdraw(self) -> None:
        self.cancel(self.started.device_code)
        self.lease.cancel()


class GatewayLogins:
    """See the module. Lives on the gateway's loop."""

    def __init__(self, door: FrontDoor, keeper: Keeper, clock: Clock, ca: SshCa) -> None:
        self._door = door
        self._keeper = keeper
        self._clock = clock
        self._ca = ca
        self.portal: Portal | None = None
        """Where people log in; None when there is no such place."""

    @property
    def browser(self) -> bool:
        return self.portal is not None

    def begin(self, *, peer: str) -> BrowserLogin:
        if self.portal is None:
            raise LoginRefused("no-portal", "this gateway has no portal to log in at")
        lease: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()

        def settle(login: Login | None) -> None:
            """Raises:
            LoginRefused: this person gets no lease; they are told so in the browser, and the client as well.
            """
            if lease.done():
                return
            try:
                if login is None:
                    raise LoginRefused("login-denied", "the login was denied in the browser")
                made = self._issue(login, peer)
            except LoginRefused as no:
                lease.set_exception(no)
                # Whoever waited may be gone; then nobody is there to be told.
                lease.exception()
                if login is not None:
                    raise
            else:
                lease.set_result(made)

        try:
            started = self.portal.client_login(settle, peer=peer, purpose="an ssh client waits for this login")
        except DevicesFull as full:
            raise LoginRefused("portal-full", str(full)) from None
        return _Waiting(started, lease, self.portal.cancel, lambda no: self._refused(no, peer))

    async def lease(self, credential: Credential, *, peer: str) -> Lease:
        try:
            self._door.may_open()
            proof = await self._door.identify(credential, peer)
            if proof.lease:
                return self._keeper.leases.proved(proof.lease)
            until = proof.identity.expires_at
            return self._record(
                lambda: self._door.issue(proof.identity, "exchange", peer=peer, until=until, token=proof.token)[0]
            )
        except LoginRefused as no:
            self._refused(no, peer)
            raise

    def sign(self, lease: Lease, public_key: bytes, *, peer: str) -> Signed:
        try:
            # Asked again: it may have been revoked since its owner came in.
            live = self._keeper.leases.proved(lease.id)
            self._keeper.check(live.identity)
            made = self._ca.sign(public_key, live.identity, live.id, now=self._clock.now())
            self._keeper.certified(live.identity, live.id, made.key_id, made.serial, made.until, peer)
        except BadKey as bad:
            no = LoginRefused("bad-key", str(bad))
            self._refused(no, peer)
            raise no from None
        except LoginRefused as no:
            self._refused(no, peer)
            raise
        return Signed(made.certificate, made.until)

    def _issue(self, login: Login, peer: str) -> Lease:
        how = "saml" if login.how == "saml" else "device"
        return self._record(lambda: self._door.issue(login.identity, how, peer=peer, until=login.until, token=None)[0])

    @staticmethod
    def _record(issue: Callable[[], Lease]) -> Lease:
        try:
            return issue()
        except CannotRecord as broken:
            raise LoginRefused("unrecorded", UNRECORDED, log=f"{UNRECORDED}: {broken}") from None

    def _refused(self, no: LoginRefused, peer: str) -> None:
        self._door.turned_away(no, protocol=PROTOCOL, target=TARGET, peer=peer)
