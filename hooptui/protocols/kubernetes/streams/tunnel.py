"""A port-forward that runs: bytes both ways, untouched. What is inside is neither masked nor recorded, only counted.

It ends with its pod: as soon as one side is closed, so is the other.
"""

from __future__ import annotations

import asyncio
from typing import Final

from hooptui.core.session import Session
from hooptui.core.visible import visible
from hooptui.protocols.kubernetes.limits import Limits
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.streams import handshake, spdy, websocket
from hooptui.protocols.kubernetes.streams.handshake import Kind

REASON: Final = 100
"""Characters of a reason in a WebSocket's close frame."""


class Tunnel:
    """See the module."""

    def __init__(self, client: Plug, target: Plug, session: Session, limits: Limits) -> None:
        self.sent = 0
        self.got = 0
        self._client = client
        self._target = target
        self._session = session
        self._limits = limits

    @property
    def tag(self) -> str:
        return f"closed; {self.sent} bytes to the pod, {self.got} from it"

    async def run(self) -> None:
        """Until one side ends."""
        up = asyncio.get_running_loop().create_task(self._up())
        down = asyncio.get_running_loop().create_task(self._down())
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _up(self) -> None:
        while data := await self._client.read():
            self.sent += len(data)
            self._session.counters.bytes_in += len(data)
            self._target.write(data)
            await self._target.drain()

    async def _down(self) -> None:
        while data := await self._target.read():
            self.got += len(data)
            self._session.counters.bytes_out += len(data)
            self._client.write(data)
            async with asyncio.timeout(self._limits.stall):
                await self._client.drain()


def refuse(kind: Kind, protocol: str, pending: bytes, words: str) -> bytes:
    """The last words on a port-forward that was opened and never carried anything; `pending` is what its client has sent.

    kubectl reads the reason from the error stream of the connection that waits, if there is one.
    """
    if kind == "spdy":
        return _errors(pending, words)
    if protocol == handshake.TUNNEL:
        try:
            messages = websocket.Reader(masked=True, most=1 << 20).feed(pending)
        except websocket.Broken:
            messages = []
        inside = b"".join(one.data for one in messages if one.opcode == websocket.BINARY)
        said = websocket.frame(websocket.BINARY, _errors(inside, words), masked=False)
    else:
        said = b""
    close = websocket.closing(websocket.POLICY, visible(words)[:REASON])
    return said + websocket.frame(websocket.CLOSE, close, masked=False)


def _errors(pending: bytes, words: str) -> bytes:
    """An error on every error stream that was opened, and the end."""
    writer, said, last = spdy.Writer(), b"", 0
    try:
        frames = spdy.Reader().feed(pending)
    except spdy.Broken:
        frames = []
    for frame in frames:
        if isinstance(frame, spdy.Open):
            last = max(last, frame.stream)
            said += writer.reply(frame.stream)
            if frame.header("streamtype").lower() == "error":
                said += writer.data(frame.stream, f"hooptui: {visible(words)}".encode(), last=True)
    return said + writer.away(last)
