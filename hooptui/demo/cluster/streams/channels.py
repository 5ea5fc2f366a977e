"""The channels of exec and attach, whatever carries them: WebSocket v4 and v5, or SPDY v1 to v4.

https://kubernetes.io/docs/reference/using-api/websockets/ and the `remotecommand` protocol of the kubelet. Knows frames and
streams; knows no container.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from hooptui.demo.cluster.call import Call, Pipe
from hooptui.demo.cluster.machine.container import Streams
from hooptui.demo.cluster.machine.flow import Broken, Flow
from hooptui.demo.cluster.objects import Object
from hooptui.demo.cluster.streams.spdy import Spdy, Stream
from hooptui.demo.cluster.streams.websocket import Reader, WebSocket, offered

STDIN, STDOUT, STDERR, ERROR, RESIZE, END = 0, 1, 2, 3, 4, 255
WEBSOCKET_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
OPEN_WITHIN = 30.0
"""Seconds in which a client has to open its streams."""
LINGER = 5.0
"""Seconds a client has to close after the end."""

Work = Callable[[Streams], Awaitable[Object]]
"""Runs the program; returns the final Status."""


def _size(data: bytes) -> tuple[int, int] | None:
    try:
        found = json.loads(data)
        return int(found["Width"]), int(found["Height"])
    except (ValueError, KeyError, TypeError):
        return None


async def over_websocket(
    pipe: Pipe, call: Call, work: Work, *, stdin: bool, stdout: bool, stderr: bool, tty: bool
) -> None:
    """Serve one exec over a WebSocket."""
    protocol = next((one for one in WEBSOCKET_PROTOCOLS if one in offered(call)), "")
    socket = WebSocket(pipe)
    await socket.accept(call, protocol)
    inlet = Flow() if stdin else None
    sizes: asyncio.Queue[tuple[int, int]] = asyncio.Queue(64)

    def sender(channel: int) -> Callable[[bytes], Awaitable[None]]:
        async def send(data: bytes) -> None:
            try:
                await socket.send(bytes([channel]) + data)
            except ConnectionError:
                raise Broken from None

        return send

    async def listen() -> None:
        while (message := await socket.receive()) is not None:
            channel, data = (message[0], message[1:]) if message else (STDIN, b"")
            if channel == STDIN and inlet is not None:
                with contextlib.suppress(Broken):
                    await inlet.write(data)
            elif channel == RESIZE and (size := _size(data)) is not None and not sizes.full():
                sizes.put_nowait(size)
            elif channel == END and data == bytes([STDIN]) and inlet is not None:
                inlet.end()

    # The kubelet says at once that the streams are there.
    await sender(STDOUT if stdout else STDERR if stderr else ERROR)(b"")
    streams = Streams(inlet, sender(STDOUT), sender(STDOUT if tty else STDERR), sizes, tty)
    status = await _until_gone(work(streams), listen())
    if status is not None:
        with contextlib.suppress(Broken, ConnectionError):
            await sender(ERROR)(json.dumps(status).encode())
    await socket.close()


async def over_spdy(pipe: Pipe, call: Call, work: Work, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> None:
    """Serve one exec over SPDY/3.1."""
    asked = [one.strip() for one in call.headers.get("x-stream-protocol-version", "").split(",")]
    protocol = next((one for one in SPDY_PROTOCOLS if one in asked), "")
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: SPDY/3.1"]
    pipe.writer.write("\r\n".join([*lines, f"X-Stream-Protocol-Version: {protocol}", "", ""]).encode())

    async def write(data: bytes) -> None:
        pipe.writer.write(data)
        await pipe.writer.drain()

    connection = Spdy(Reader(pipe).exactly, write)
    reading = asyncio.ensure_future(connection.run())
    try:
        wanted = {"error"} | {
            name
            for name, on in (
                ("stdin", stdin),
                ("stdout", stdout),
                ("stderr", stderr and not tty),
                ("resize", tty and protocol in SPDY_PROTOCOLS[:2]),
            )
            if on
        }
        opened: dict[str, Stream] = {}
        async with asyncio.timeout(OPEN_WITHIN):
            while wanted - set(opened):
                stream = await connection.streams.get()
                if stream is None:
                    return
                opened[stream.headers.get("streamtype", "")] = stream
        await _run_spdy(connection, reading, opened, work, protocol, tty)
    except (TimeoutError, ConnectionError):
        return
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _run_spdy(
    connection: Spdy, reading: asyncio.Future[None], opened: dict[str, Stream], work: Work, protocol: str, tty: bool
) -> None:
    sizes: asyncio.Queue[tuple[int, int]] = asyncio.Queue(64)

    async def resizes() -> None:
        while data := await opened["resize"].inlet.line():
            if (size := _size(data)) is not None and not sizes.full():
                sizes.put_nowait(size)

    def sender(name: str) -> Callable[[bytes], Awaitable[None]]:
        async def send(data: bytes) -> None:
            if name in opened:
                try:
                    await opened[name].write(data)
                except ConnectionError:
                    raise Broken from None

        return send

    inlet = opened["stdin"].inlet if "stdin" in opened else None
    watching = asyncio.ensure_future(resizes()) if "resize" in opened else None
    if watching is not None:
        # The first size comes with the stream; a program that asks at once should find it.
        await asyncio.sleep(0)
    try:
        status = await _until_gone(
            work(Streams(inlet, sender("stdout"), sender("stdout" if tty else "stderr"), sizes, tty)),
            asyncio.shield(reading),
        )
        if status is None:
            return
        if protocol == SPDY_PROTOCOLS[0]:
            await opened["error"].write(json.dumps(status).encode())
        elif status["status"] != "Success":
            await opened["error"].write(status["message"].encode())
        for stream in opened.values():
            await stream.finish()
        await connection.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await asyncio.shield(reading)
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def _until_gone(work: Awaitable[Object], gone: Awaitable[None]) -> Object | None:
    """The Status of the work; None when the client was gone before."""
    task, end = asyncio.ensure_future(work), asyncio.ensure_future(gone)
    try:
        await asyncio.wait((task, end), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, end):
            if not one.done():
                one.cancel()
        await asyncio.gather(task, end, return_exceptions=True)
