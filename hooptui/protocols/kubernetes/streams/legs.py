"""One side of an exec or attach as channels of bytes, whatever carries them: WebSocket messages (v4, v5) or SPDY streams.

A leg reads by itself, so that pings are answered while everything else waits, and stops reading when too much is unread. Knows neither
what the bytes mean nor the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hooptui.protocols.kubernetes.limits import Limits
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.streams import spdy, websocket

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
"""Channels of the remote command protocol (v4.channel.k8s.io and later)."""
TYPES: Final = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}
"""Header `streamtype` of SPDY's streams."""
_NAMES: Final = {channel: name for name, channel in TYPES.items()}
CLOSES: Final = 255
"""Channel of v5 on which the number of a channel is said that is closed."""


class StreamBroken(Exception):
    """A side does not keep to the protocol; the words quote nothing of it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one channel."""

    channel: int
    data: bytes
    last: bool = False
    """Nothing more comes on this channel."""


class Leg(ABC):
    """See the module. `begin` and `end` bracket its life."""

    def __init__(self, plug: Plug, limits: Limits) -> None:
        self.plug = plug
        self.broken = ""
        """Why it ended, when it was not as it should."""
        self._limits = limits
        self._inbox: deque[Piece] = deque()
        self._size = 0
        self._over = False
        self._came = asyncio.Event()
        self._another = asyncio.Event()
        """Another channel can be written to, or none will be any more."""
        self._room = asyncio.Event()
        self._room.set()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Read from now on."""
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def end(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def receive(self) -> Piece | None:
        """The next piece; None when the other side has said its last, or is `broken`."""
        while not self._inbox:
            if self._over:
                return None
            self._came.clear()
            await self._came.wait()
        piece = self._inbox.popleft()
        self._size -= len(piece.data)
        if self._size <= self._limits.ahead:
            self._room.set()
        return piece

    async def ready(self, channels: Iterable[int], within: float) -> bool:
        """Wait until all of these channels can be written to; False when they cannot in `within` seconds."""
        return True

    async def flush(self) -> None:
        """Wait while the other side takes too little.

        Raises:
            ConnectionError: it is gone, or takes nothing at all.
        """
        try:
            async with asyncio.timeout(self._limits.stall):
                await self.plug.drain()
        except TimeoutError:
            raise ConnectionResetError("a stream's side takes nothing") from None

    @abstractmethod
    def send(self, channel: int, data: bytes) -> None:
        """Write bytes on a channel."""

    @abstractmethod
    def finish(self, channel: int) -> None:
        """Nothing more comes from us on this channel."""

    @abstractmethod
    def part(self) -> None:
        """Say that it is over; the connection is the caller's to close."""

    # --- inside

    @abstractmethod
    def _take(self, data: bytes) -> bool:
        """Take bytes of the wire apart; False at the protocol's own end.

        Raises:
            StreamBroken: they cannot be understood.
        """

    def _got(self, piece: Piece) -> None:
        self._inbox.append(piece)
        self._size += len(piece.data)
        if self._size > self._limits.ahead or len(self._inbox) > 4096:
            self._room.clear()
        self._came.set()

    async def _read(self) -> None:
        try:
            while True:
                await self._room.wait()
                data = await self.plug.read()
                if not data or not self._take(data):
                    return
        except StreamBroken as wrong:
            self.broken = str(wrong)
        finally:
            self._over = True
            self._came.set()
            self._another.set()


class WebSocketLeg(Leg):
    """Binary messages that begin with the number of their channel."""

    def __init__(self, plug: Plug, limits: Limits, *, client: bool, closes: bool) -> None:
        """`client` when the other side is one; `closes` when channels can be closed one by one (v5)."""
        super().__init__(plug, limits)
        self._closes = closes
        self._masked = not client
        self._reader = websocket.Reader(masked=client, most=limits.message)
        self._parted = False

    def send(self, channel: int, data: bytes) -> None:
        if not self._parted:
            self.plug.write(websocket.frame(websocket.BINARY, bytes((channel,)) + data, masked=self._masked))

    def finish(self, channel: int) -> None:
        if self._closes and channel == STDIN and not self._parted:
            self.plug.write(websocket.frame(websocket.BINARY, bytes((CLOSES, channel)), masked=self._masked))

    def part(self) -> None:
        self._close(websocket.NORMAL)

    def _close(self, code: int) -> None:
        if not self._parted:
            self._parted = True
            self.plug.write(websocket.frame(websocket.CLOSE, websocket.closing(code, ""), masked=self._masked))

    def _take(self, data: bytes) -> bool:
        try:
            messages = self._reader.feed(data)
        except websocket.Broken as wrong:
            self._close(websocket.PROTOCOL_ERROR)
            raise StreamBroken(str(wrong)) from None
        for message in messages:
            match message.opcode:
                case websocket.PING:
                    if not self._parted:
                        self.plug.write(websocket.frame(websocket.PONG, message.data, masked=self._masked))
                case websocket.CLOSE:
                    self._close(websocket.NORMAL)
                    return False
                case websocket.PONG:
                    pass
                case _:
                    self._channelled(message.data)
        return True

    def _channelled(self, data: bytes) -> None:
        if not data:
            return
        channel, rest = data[0], data[1:]
        if channel == CLOSES and self._closes:
            if len(rest) != 1:
                raise StreamBroken("a close signal names no channel")
            self._got(Piece(rest[0], b"", last=True))
        elif channel > RESIZE:
            raise StreamBroken("a message on a channel that there is none of")
        elif rest:
            self._got(Piece(channel, rest))


class SpdyLeg(Leg):
    """A stream for each channel, named in the headers it is opened with."""

    def __init__(self, plug: Plug, limits: Limits, *, client: bool, channels: Iterable[int] = ()) -> None:
        """`client` when the other side is one, which then opens the streams; else we open one for each of `channels`."""
        super().__init__(plug, limits)
        self._client = client
        self._reader = spdy.Reader()
        self._writer = spdy.Writer()
        self._streams: dict[int, int] = {}
        """From a channel to its stream."""
        self._channels: dict[int, int] = {}
        self._early: dict[int, list[bytes]] = {}
        """What is to be said on channels that the client has not opened yet."""
        self._finished: set[int] = set()
        self._parted = False
        if not client:
            for number, channel in enumerate(channels):
                stream = 2 * number + 1
                self._named(stream, channel)
                plug.write(self._writer.open(stream, (("streamtype", _NAMES[channel]),)))

    def send(self, channel: int, data: bytes) -> None:
        stream = self._streams.get(channel)
        if stream is None:
            if self._client and sum(map(len, self._early.setdefault(channel, []))) <= self._limits.ahead:
                self._early[channel].append(data)
            return
        if channel not in self._finished and not self._parted:
            self.plug.write(self._writer.data(stream, data))

    def finish(self, channel: int) -> None:
        stream = self._streams.get(channel)
        if stream is None:
            self._finished.add(channel)
        elif channel not in self._finished:
            self._finished.add(channel)
            self.plug.write(self._writer.data(stream, b"", last=True))

    def part(self) -> None:
        if not self._parted:
            for channel in tuple(self._streams):
                self.finish(channel)
            self._parted = True
            self.plug.write(self._writer.away(max(self._channels, default=0)))

    async def ready(self, channels: Iterable[int], within: float) -> bool:
        wanted = set(channels)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not wanted <= self._streams.keys() and not self._over:
                    self._another.clear()
                    await self._another.wait()
        return wanted <= self._streams.keys()

    def _named(self, stream: int, channel: int) -> None:
        self._streams[channel] = stream
        self._channels[stream] = channel
        self._another.set()

    def _take(self, data: bytes) -> bool:
        try:
            frames = self._reader.feed(data)
        except spdy.Broken as wrong:
            raise StreamBroken(str(wrong)) from None
        for frame in frames:
            match frame:
                case spdy.Data(stream, part, last):
                    channel = self._channels.get(stream)
                    if channel is not None and (part or last):
                        self._got(Piece(channel, part, last))
                case spdy.Ping(number):
                    # Odd numbers are a client's own; ours are never sent, so that each is a question.
                    self.plug.write(self._writer.ping(number))
                case spdy.Open():
                    self._opened(frame)
                case spdy.Reset(stream, _):
                    channel = self._channels.get(stream)
                    if channel is not None:
                        self._got(Piece(channel, b"", last=True))
                case spdy.Away():
                    return False
                case spdy.Reply():
                    pass
        return True

    def _opened(self, one: spdy.Open) -> None:
        channel = TYPES.get(one.header("streamtype").lower())
        if (
            not self._client
            or channel is None
            or channel in self._streams
            or one.stream in self._channels
            or not one.stream % 2
        ):
            raise StreamBroken("a stream is opened that is none of a remote command's")
        self._named(one.stream, channel)
        self.plug.write(self._writer.reply(one.stream))
        finish = channel in self._finished
        self._finished.discard(channel)
        for data in self._early.pop(channel, []):
            self.send(channel, data)
        if finish:
            self.finish(channel)
        if one.last:
            self._got(Piece(channel, b"", last=True))
