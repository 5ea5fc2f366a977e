"""How people come to sit at the gateway's desks: by a credential they bring, or by logging in at the portal. Knows no screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from hooptui.config.load import Config
from hooptui.core.clock import Clock
from hooptui.core.events import Body
from hooptui.core.events_people import OperatorLoggedIn, OperatorLoggedOut
from hooptui.core.gate import CannotRecord, LoginRefused, Masked
from hooptui.core.model import Identity, Kind
from hooptui.core.secret import Secret
from hooptui.door.doorman import FrontDoor
from hooptui.door.keeper import Keeper
from hooptui.door.seat import Invitation, Seat
from hooptui.portal.base import Login
from hooptui.portal.devices import DevicesFull
from hooptui.portal.server import Portal
from hooptui.protocols.base import Bearer


class Seats:
    """See the module. Lives on the gateway's loop."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        keeper: Keeper,
        door: FrontDoor,
        *,
        emit: Callable[[Body], None],
        mask: Callable[[str], Masked],
    ) -> None:
        self._config = config
        self._clock = clock
        self._keeper = keeper
        self._door = door
        self._emit = emit
        self._mask = mask
        self.portal: Portal | None = None
        """Where people log in; None when there is no such place."""

    @property
    def may_log_in(self) -> bool:
        """Whether operators can prove who they are at a screen."""
        return self.portal is not None

    def seat(self) -> Seat:
        """A place at a new desk; the operator that the configuration names sits there until somebody logs in."""
        return Seat(self._config.operator, self._clock, self._keeper.locked_out)

    async def sit(self, seat: Seat, credential: Secret) -> str:
        """Somebody proves who they are at a desk with a token or lease; returns their name, masked.

        Raises:
            LoginRefused: they did not.
        """
        proof = await self._door.identify(Bearer(credential), peer="control")
        self._seated(seat, proof.identity, "lease" if proof.lease else "token")
        return self._mask(proof.identity.name)

    def invite(self, seat: Seat) -> Invitation:
        """Begin a login at this desk; whoever enters the code at the portal, logs in and says yes there sits here then.

        Raises:
            LoginRefused: there is no portal to log in at, or too many wait there.
        """
        portal = self.portal
        if portal is None:
            raise LoginRefused("no-portal", "this gateway has no portal to log in at (config: portal)")
        if seat.invitation is not None:
            seat.invitation.withdraw()

        def settle(login: Login | None) -> None:
            if login is None:
                return
            ends = self._clock.now() + self._config.leases.lasts
            until = min(ends, login.until) if login.until is not None else ends
            self._seated(seat, replace(login.identity, expires_at=until), login.how)

        try:
            begun = portal.operator_login(
                settle, peer="console", purpose=f"decide at the screen of {self._config.name}"
            )
        except DevicesFull as full:
            raise LoginRefused("portal-full", str(full)) from None
        until = self._clock.now() + begun.expires_in
        withdraw = partial(portal.cancel, begun.device_code)
        seat.invitation = Invitation(begun.user_code, begun.verification_uri, until, withdraw)
        return seat.invitation

    def dismiss(self, seat: Seat) -> Identity | None:
        """Whoever logged in at this desk leaves it.

        Raises:
            CannotRecord: the journal was not told (they have left all the same).
        """
        gone = seat.leave()
        if gone is not None:
            self._emit(OperatorLoggedOut(gone.key, "left"))
        return gone

    def _seated(self, seat: Seat, identity: Identity, how: str) -> None:
        """Raises:
        LoginRefused: the identity is locked out, is no person, or the journal was not told: nobody sits there then.
        """
        self._keeper.check(identity)
        if identity.kind is not Kind.HUMAN:
            raise LoginRefused("not-a-person", f"{identity.name} is no person, and only people decide")
        name, groups = self._mask(identity.name), tuple(sorted(identity.groups))
        try:
            self._emit(OperatorLoggedIn(identity.issuer, identity.subject, name, groups, how, identity.expires_at))
        except CannotRecord as broken:
            message = "hooptui cannot record this login, so it does not count"
            raise LoginRefused("unrecorded", message, log=f"{message}: {broken}") from None
        seat.sit(identity)
