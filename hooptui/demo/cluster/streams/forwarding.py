"""Port-forward: pairs of streams to a port of a pod, over SPDY, or over SPDY inside a WebSocket (kubectl 1.31 and later).

Behind every port that a container declares stands a small HTTP server; behind any other there is nothing. Knows streams; the
server it finds is a function of the port.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from hooptui.demo.cluster.call import Call, Pipe
from hooptui.demo.cluster.machine.flow import Broken
from hooptui.demo.cluster.streams.spdy import Spdy, Stream
from hooptui.demo.cluster.streams.websocket import Reader, WebSocket

PROTOCOL = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"

Serve = Callable[[int, Stream], Awaitable[str]]
"""Serve one connection to a port; what went wrong, in words, or nothing."""


async def over_spdy(pipe: Pipe, ended: asyncio.Event, serve: Serve) -> None:
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: SPDY/3.1"]
    pipe.writer.write("\r\n".join([*lines, f"X-Stream-Protocol-Version: {PROTOCOL}", "", ""]).encode())

    async def write(data: bytes) -> None:
        pipe.writer.write(data)
        await pipe.writer.drain()

    await _forward(Spdy(Reader(pipe).exactly, write), ended, serve)


async def over_websocket(pipe: Pipe, call: Call, ended: asyncio.Event, serve: Serve) -> None:
    socket = WebSocket(pipe)
    await socket.accept(call, TUNNEL)
    unread = bytearray()

    async def exactly(count: int) -> bytes:
        while len(unread) < count:
            message = await socket.receive()
            if message is None:
                raise ConnectionResetError("closed")
            unread.extend(message)
        found = bytes(unread[:count])
        del unread[:count]
        return found

    await _forward(Spdy(exactly, socket.send), ended, serve)
    await socket.close()


async def _forward(connection: Spdy, ended: asyncio.Event, serve: Serve) -> None:
    """Serve pairs of streams until the client, or the pod, is gone."""
    reading = asyncio.ensure_future(connection.run())
    over = asyncio.ensure_future(ended.wait())
    pairs: dict[str, dict[str, Stream]] = {}
    tasks: set[asyncio.Task[None]] = set()
    try:
        while True:
            opened = asyncio.ensure_future(connection.streams.get())
            await asyncio.wait((opened, over), return_when=asyncio.FIRST_COMPLETED)
            if not opened.done():
                opened.cancel()
                await asyncio.gather(opened, return_exceptions=True)
                return
            stream = opened.result()
            if stream is None:
                return
            request = stream.headers.get("requestid", "")
            pair = pairs.setdefault(request, {})
            pair[stream.headers.get("streamtype", "")] = stream
            if {"data", "error"} <= set(pair):
                task = asyncio.get_running_loop().create_task(_one(pairs.pop(request), serve))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
    finally:
        for one in (reading, over, *tasks):
            one.cancel()
        await asyncio.gather(reading, over, *tasks, return_exceptions=True)


async def _one(pair: dict[str, Stream], serve: Serve) -> None:
    port = pair["data"].headers.get("port", "0")
    with contextlib.suppress(ConnectionError, Broken):
        trouble = await serve(int(port) if port.isdecimal() else 0, pair["data"])
        if trouble:
            await pair["error"].write(trouble.encode())
        await pair["data"].finish()
        await pair["error"].finish()
