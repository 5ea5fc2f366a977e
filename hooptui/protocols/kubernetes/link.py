"""One session of one client's connection: its identity, its cluster, the credential that its requests go out with.

A connection has one at a time, and another when its client comes with another credential. Knows no socket.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from hooptui.core.gate import CannotRecord, Permit
from hooptui.core.model import Operation
from hooptui.core.ports import Masker, Tell
from hooptui.core.session import Session
from hooptui.credentials.custody import Custody
from hooptui.credentials.kubernetes_login import Access
from hooptui.credentials.mint import Minted, MintTrouble
from hooptui.protocols.base import Doorman
from hooptui.protocols.kubernetes.entrance import Entrances
from hooptui.protocols.kubernetes.groups import Listings
from hooptui.protocols.kubernetes.impersonation import CannotImpersonate
from hooptui.protocols.kubernetes.limits import Limits
from hooptui.protocols.kubernetes.masks import RequestMasks
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.upstream import Upstream, UpstreamFailed, authorization

FRESH = 60.0
"""Seconds that a minted token must still be good for when a request goes out with it."""


class Running(Protocol):
    """What a client's connection is busy with: a request, or a stream."""

    @property
    def upstream(self) -> bool:
        """Whether something of it goes on at the API server."""

    @property
    def asked(self) -> tuple[Request, bytes]:
        """The request, with its body."""

    @property
    def unseen(self) -> str:
        """What may go on, or may have taken effect, though its connection is closed; empty when nothing can."""

    def cut(self, message: str) -> None:
        """End it on both sides, and tell the client why in its own words."""

    async def ended(self) -> bool:
        """Wait until it is over; whether the connection to the API server was seen to be closed."""


class Link:
    """See the module. Lives on the gateway's loop."""

    def __init__(
        self,
        session: Session,
        upstream: Upstream,
        doorman: Doorman,
        limits: Limits,
        custody: Custody | None,
        mask_key: bytes,
        entrances: Entrances,
    ) -> None:
        self.session = session
        self.upstream = upstream
        self.limits = limits
        self.mask_key = mask_key
        """The 32 secret bytes behind masks by hash."""
        self.running: Running | None = None
        self.listings = Listings(session.house.clock.monotonic)
        """What the client may be about to delete one by one."""
        self.closing = ""
        """Why it ends, once it does."""
        self._doorman = doorman
        self._custody = custody
        self._entrances = entrances
        self._minted: Minted | None = None
        self._masks: tuple[Masker, RequestMasks] | None = None

    @property
    def masks(self) -> RequestMasks:
        """Of the session, as they are now."""
        masker = self.session.masker
        if self._masks is None or self._masks[0] is not masker:
            self._masks = (masker, RequestMasks(masker.masks, self.mask_key))
        return self._masks[1]

    @property
    def name(self) -> str:
        return self.session.target.name

    # --- the one way to the API server

    async def permit(self, operation: Operation, tell: Tell) -> Permit:
        """Ask for an operation; the permit is used.

        Raises:
            Refused: it may not.
        """
        if self.session.access is not None:
            await self._entrances.enter(self.session, tell)
        permit = await self.session.ask(operation, tell)
        permit.use()
        return permit

    async def credential(self) -> tuple[Access, list[tuple[str, str]]]:
        """Where to go, and the headers that say as whom.

        Raises:
            UpstreamFailed: there is no credential.
        """
        target = self.upstream.target
        try:
            access = await self.upstream.access()
            if target.mint is not None and self._custody is not None:
                now = self.session.house.clock.now()
                if self._minted is None or self._minted.until - now < FRESH:
                    self._minted = await self._custody.issue(self.session, target.mint)
                return access, [("Authorization", f"Bearer {self._minted.secret.reveal()}")]
            headers = [authorization(access.authorization)] if access.authorization is not None else []
            if target.impersonation is not None:
                headers += target.impersonation.headers(self.session.identity)
            return access, headers
        except MintTrouble as trouble:
            self.trouble(trouble.code, trouble.message)
            public = "its gateway was not given a credential for this session"
            raise UpstreamFailed(trouble.code, trouble.message, public, 503) from None
        except CannotImpersonate as no:
            raise UpstreamFailed("upstream-identity", str(no), str(no), 403) from None
        except CannotRecord as broken:
            words = "hooptui cannot record this session's credential, so it is not used"
            raise UpstreamFailed("unrecorded", str(broken), words, 503) from None

    def trouble(self, code: str, words: str) -> None:
        """Tell the operator about the target."""
        self._doorman.trouble(self.name, code, words)

    # --- its end

    def give_back(self) -> asyncio.Task[None] | None:
        """Take back what was minted; None when nothing was."""
        mint = self.upstream.target.mint
        minted, self._minted = self._minted, None
        if minted is None or mint is None or self._custody is None:
            return None
        return self._custody.give_back(self.name, mint, minted.name)

    def left(self, reason: str) -> None:
        """Its client is gone, or its time is over."""
        self.closing = self.closing or reason
        self.give_back()
        self._doorman.left(self.session, self.closing)
