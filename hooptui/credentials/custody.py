"""Looks after what was minted: on record when it is made, taken back when its session ends however it ends, swept when that failed.

Works with any `Mint`. Each return is a task of its own, so that neither a cancelled connection nor a closing gateway leaves
a credential behind; one that cannot be taken back stays for the sweep, which comes at the start and every few seconds. Runs
on the gateway's loop; knows no protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from hooptui.core.events import CredentialMinted
from hooptui.core.session import Session
from hooptui.credentials.mint import Mint, Minted, MintTrouble, Removed

EVERY = 30.0
"""Seconds between two sweeps."""

FAULT = "mint-fault"
"""Code of what is the gateway's own mistake."""

LEAVING = 20.0
"""Seconds in which a closing gateway takes back what is left; the next start sweeps the rest."""


class Custody:
    """See the module. `start` and `close` bracket its life."""

    def __init__(
        self,
        mints: Callable[[], Mapping[str, Mint]],
        *,
        removed: Callable[[str, Removed], None],
        trouble: Callable[[str, str, str], None],
        every: float = EVERY,
    ) -> None:
        """`mints` gives those in force by their targets; `removed` takes a target and what was taken back, `trouble` a target, a code
        and words for the operator. Neither may raise."""
        self._mints = mints
        self._removed = removed
        self._trouble = trouble
        self._every = every
        self._alive: set[str] = set()
        """Names of credentials whose sessions live, or that are being made or taken back."""
        self._returns: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._said: dict[str, tuple[str, ...]] = {}
        """What the operator was told of each target's sweep last: told again when it is something else."""

    def start(self) -> None:
        """Sweep now, and from time to time."""
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep_always())

    async def close(self) -> None:
        """Wait until everything given back is gone, as long as `LEAVING`."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        if self._returns:
            _, late = await asyncio.wait(self._returns, timeout=LEAVING)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # --- one credential

    async def issue(self, session: Session, mint: Mint) -> Minted:
        """Make the session's credential and put it on record.

        Raises:
            MintTrouble: there is none.
            CannotRecord: the journal cannot take it; it is being taken back.
        """
        name = mint.name(session.id)
        # From here on, for the sweep must not find it before its maker says that it is there.
        self._alive.add(name)
        try:
            minted = await mint.issue(session.id, session.identity.key, session.deadline)
            session.record(CredentialMinted(minted.kind, minted.name, minted.until))
        except MintTrouble:
            self._alive.discard(name)
            raise
        except BaseException:
            # Also a cancellation, which may have come when it was half made.
            self.give_back(session.target.name, mint, name)
            raise
        return minted

    def give_back(self, target: str, mint: Mint, name: str) -> asyncio.Task[None]:
        """Take a credential back, in a task that nobody else's end ends; who wants to see it done may wait for it."""
        task = asyncio.get_running_loop().create_task(self._retire(target, mint, name))
        self._returns.add(task)
        task.add_done_callback(self._returns.discard)
        return task

    async def _retire(self, target: str, mint: Mint, name: str) -> None:
        try:
            removed = await mint.retire(name)
        except MintTrouble as trouble:
            self._trouble(target, trouble.code, f"credential {name} could not be taken back yet: {trouble.message}")
        except Exception as fault:  # noqa: BLE001 - whatever it was, the operator is told and the sweep comes back to it
            self._trouble(target, FAULT, f"credential {name} could not be taken back yet: {type(fault).__name__}")
        else:
            self._removed(target, removed)
        finally:
            self._alive.discard(name)

    # --- what was left behind

    async def sweep(self) -> None:
        """Sweep every target once."""
        mints = self._mints()
        for gone in self._said.keys() - mints.keys():
            del self._said[gone]
        await asyncio.gather(*(self._sweep(target, mint) for target, mint in mints.items()))

    async def _sweep(self, target: str, mint: Mint) -> None:
        try:
            found = await mint.sweep(self._alive.__contains__)
        except MintTrouble as trouble:
            self._say(target, trouble.code, (f"what sessions left behind cannot be looked for: {trouble.message}",))
            return
        except Exception as fault:  # noqa: BLE001 - as above, and the other targets are swept on
            self._say(target, FAULT, (f"what sessions left behind cannot be looked for: {type(fault).__name__}",))
            return
        for one in found:
            if one.confirmed:
                self._removed(target, one)
        left = tuple(f"credential {one.name} cannot be taken back: {one.how}" for one in found if not one.confirmed)
        self._say(target, "mint-left", left)

    def _say(self, target: str, code: str, words: tuple[str, ...]) -> None:
        if self._said.get(target, ()) != words:
            for one in words:
                self._trouble(target, code, one)
        self._said[target] = words

    async def _sweep_always(self) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(self._every)
