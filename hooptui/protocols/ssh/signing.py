"""`ssh login@bastion < id.pub > id-cert.pub`: one public key in, one short certificate out. Knows no target.

The one channel of a connection that has proved an identity and names no host. What is wrong is said on stderr, and nothing
on stdout, which is the client's certificate file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import asyncssh

from hooptui.core.gate import LoginRefused
from hooptui.protocols.base import Signed
from hooptui.protocols.ssh import replies
from hooptui.protocols.ssh.guarded import guarded

LONGEST: Final = 16 * 1024
"""Bytes of a public key line; the longest RSA key that is signed has less than 2 KiB."""
PATIENCE: Final = 20.0
"""Seconds for it to arrive."""
USAGE: Final = (
    "you are logged in, and this name is no host: it signs keys",
    "ssh login@GATEWAY < ~/.ssh/id_ed25519.pub > ~/.ssh/id_ed25519-cert.pub",
    "then ssh HOST@GATEWAY finds the certificate beside the key by itself, for ten minutes",
)
WRONG: Final = 2
"""Exit status of a request that makes no sense."""
REFUSED: Final = 1


class KeyDesk(asyncssh.SSHServerSession[bytes]):
    """See the module."""

    def __init__(
        self,
        sign: Callable[[bytes], Signed],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        trouble: Callable[[str, str], None],
    ) -> None:
        """`sign` raises LoginRefused; `spawn` runs a task that ends with the connection."""
        self._sign = sign
        self._spawn = spawn
        self._trouble = trouble
        self._chan: asyncssh.SSHServerChannel[bytes] | None = None
        self._terminal = False
        self._usage = False
        self._key = bytearray()
        self._whole = asyncio.Event()
        self._over = False

    # --- what asyncssh calls

    @guarded(None)
    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan

    @guarded(False)
    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: object) -> bool:
        # A terminal is nobody's key; it is given, so that the explanation is seen.
        self._terminal = self._usage = True
        return True

    @guarded(False)
    def shell_requested(self) -> bool:
        return True

    @guarded(False)
    def exec_requested(self, command: str) -> bool:
        self._usage = True
        return True

    @guarded(False)
    def subsystem_requested(self, subsystem: str) -> bool:
        return False

    @guarded(None)
    def session_started(self) -> None:
        self._spawn(self._serve())

    @guarded(None)
    def data_received(self, data: bytes, datatype: int | None) -> None:
        room = LONGEST + 1 - len(self._key)
        self._key += data[:room]
        if len(data) >= room or b"\n" in data:
            self._whole.set()

    @guarded(True)
    def eof_received(self) -> bool:
        self._whole.set()
        return True

    @guarded(None)
    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._whole.set()

    def failed(self, fault: Exception) -> None:
        """See `guarded`."""
        self._trouble("fault", f"a key could not be signed by a fault of the gateway: {type(fault).__name__}")
        self._say(("the gateway failed; its operator has been told",), REFUSED)

    # --- inside

    async def _serve(self) -> None:
        try:
            await self._answer()
        except Exception as fault:  # noqa: BLE001 - whatever it was, it is this channel's end and the operator's to know
            self.failed(fault)

    async def _answer(self) -> None:
        if self._usage:
            self._say(USAGE, WRONG)
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._whole.wait()
        except TimeoutError:
            self._say((f"no public key came within {PATIENCE:g} s", *USAGE[1:]), WRONG)
            return
        if self._over:
            return
        if not self._key.strip():
            self._say(("there was nothing on stdin", *USAGE[1:]), WRONG)
            return
        if len(self._key) > LONGEST:
            self._say((f"what came is longer than {LONGEST // 1024} KiB; expected one public key line",), WRONG)
            return
        try:
            signed = self._sign(bytes(self._key))
        except LoginRefused as no:
            self._say(tuple(line for line in (no.message, no.hint) if line), REFUSED)
            return
        chan = self._chan
        if chan is not None and not chan.is_closing():
            chan.write(signed.certificate.strip().encode() + b"\n")
            chan.exit(0)

    def _say(self, lines: tuple[str, ...], status: int) -> None:
        chan = self._chan
        if chan is not None and not chan.is_closing():
            chan.write_stderr(replies.shown(lines, terminal=self._terminal))
            chan.exit(status)
