"""A remote command that runs: its input to the API server, its output masked and recorded to the client, its status last.

Half-closes pass both ways. What `kubectl cp` sends and fetches is a tar stream, which is judged by its operation: masking would break
it, and holding any of it back would stop it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from hooptui.core.gate import CannotRecord
from hooptui.protocols.kubernetes import replies
from hooptui.protocols.kubernetes.actions import flag
from hooptui.protocols.kubernetes.link import Link
from hooptui.protocols.kubernetes.outlet import Outlet
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.streams.legs import ERROR, RESIZE, STDERR, STDIN, STDOUT, Leg
from hooptui.protocols.kubernetes.tally import Tally
from hooptui.protocols.kubernetes.upstream import UpstreamFailed
from hooptui.protocols.recorder import Window

NAMES: Final = {STDOUT: "stdout", STDERR: "stderr"}
WINDOW: Final = Window("", 80, 24)
"""A terminal before its client has said how large it is."""
STATUS_MAX: Final = 64 * 1024
"""Bytes of the status that ends a command."""


class Command:
    """See the module. `client` is read already; `target` is begun here."""

    def __init__(self, link: Link, request: Request, client: Leg, target: Leg, tally: Tally) -> None:
        self._tally = tally
        self._link = link
        self._client = client
        self._target = target
        self._closed = False
        self._status = bytearray()
        self._unrecorded: CannotRecord | None = None
        self._task: asyncio.Task[object] | None = None
        self._outlet = Outlet(
            link.session,
            tally.number,
            link.mask_key,
            client.send,
            self._cannot_record,
            NAMES,
            raw=transfer(request.every("command")) and not flag(request, "tty"),
            window=WINDOW if flag(request, "tty") else None,
        )

    async def run(self) -> None:
        """To its end.

        Raises:
            ConnectionError: the client is gone.
            UpstreamFailed: the API server's side broke.
            CannotRecord: it may not go on.
        """
        self._task = asyncio.current_task()
        self._target.begin()
        feeding = asyncio.get_running_loop().create_task(self._feed())
        try:
            await self._drain()
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    def close(self) -> None:
        """It is over, however it ended: what is held goes out, and is counted."""
        if not self._closed:
            self._closed = True
            self._tally.count(self._outlet.close())

    # --- inside

    async def _feed(self) -> None:
        """The client's side to the target."""
        session = self._link.session
        try:
            while (piece := await self._client.receive()) is not None:
                if piece.channel not in (STDIN, RESIZE):
                    continue
                if piece.channel == RESIZE:
                    self._resized(piece.data)
                if piece.data:
                    session.counters.bytes_in += len(piece.data)
                    self._target.send(piece.channel, piece.data)
                if piece.last:
                    self._target.finish(piece.channel)
                await self._target.flush()
        except ConnectionError:
            # The target takes no input any more; its own end is on the way.
            return
        # The client has closed its stream without closing its connection: nothing is left to do for it.
        self._target.plug.abort()

    async def _drain(self) -> None:
        """The target's side to the client."""
        session, client = self._link.session, self._client
        while (piece := await self._target.receive()) is not None:
            if piece.channel == ERROR:
                self._status += piece.data[: STATUS_MAX - len(self._status)]
            elif piece.channel in NAMES and piece.data:
                session.counters.bytes_out += len(piece.data)
                self._outlet.feed(piece.channel, piece.data)
            if self._unrecorded is not None:
                raise self._unrecorded
            await client.flush()
            if piece.last and piece.channel == ERROR and self._said():
                break
        self.close()
        if self._unrecorded is not None:
            raise self._unrecorded
        if self._target.broken:
            raise UpstreamFailed("upstream-protocol", self._target.broken, "its API server's stream makes no sense")
        self._finish()
        await client.flush()

    def _resized(self, data: bytes) -> None:
        """A message of the resize channel: `{"Width":120,"Height":40}`. What makes no sense is the target's to refuse."""
        try:
            found: Any = json.loads(data)
        except ValueError:
            return
        size = (found.get("Width"), found.get("Height")) if isinstance(found, dict) else ()
        match size:
            case (int(columns), int(rows)) if 0 < columns < 10_000 and 0 < rows < 10_000:
                self._outlet.resize(columns, rows)

    def _said(self) -> bool:
        """Whether the status is whole: nothing comes after it but the connection's end."""
        try:
            json.loads(bytes(self._status))
        except ValueError:
            return False
        return True

    def _finish(self) -> None:
        """Its status to the client, behind everything that it said."""
        client = self._client
        self._tally.settle(*ended(bytes(self._status)))
        if self._status:
            client.send(ERROR, bytes(self._status))
        for channel in (STDOUT, STDERR, ERROR):
            client.finish(channel)
        client.part()

    def _cannot_record(self, broken: CannotRecord) -> None:
        self._unrecorded = broken
        self._target.plug.abort()


def transfer(command: tuple[str, ...]) -> bool:
    """Whether a command is tar over the stream, and exactly as `kubectl cp` runs it: tar has options that start other programs."""
    program, *words = command or ("",)
    while words and words[0] in ("--no-same-permissions", "--no-same-owner"):
        del words[0]
    match [program, *words]:
        case ["tar", "cf" | "-cf", "-", path]:
            return not path.startswith("-")
        case ["tar", "xf" | "-xf" | "xmf" | "-xmf", "-"]:
            return True
        case ["tar", "xf" | "-xf" | "xmf" | "-xmf", "-", "-C", _]:
            return True
        case _:
            return False


def failure(code: int, words: str) -> bytes:
    """The status that ends a stream which the gateway ends."""
    return replies.status(code, words).strip()


def ended(status: bytes) -> tuple[str, bool]:
    """What a command's status says, for the record."""
    try:
        found: Any = json.loads(status) if status else None
    except ValueError:
        return "a status that makes no sense", False
    if not isinstance(found, dict):
        return "closed without a status", False
    if found.get("status") == "Success":
        return "exit 0", True
    details = found.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode":
            return f"exit {str(cause.get('message'))[:8]}", False
    return f"failed: {str(found.get('reason') or found.get('message') or '')[:64]}", False
