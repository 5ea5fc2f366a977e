"""The gateway's end of the control socket: the Desk for `hooptui attach` and `hooptui do`.

The socket is 0600 in the state directory and answers only the gateway's own user and root, as the kernel tells who
connects (SO_PEERCRED), so that a directory with loose permissions gives nothing away.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct

import msgspec

from hooptui import commands
from hooptui.control import wire
from hooptui.control.views import Views
from hooptui.core.bus import Subscription
from hooptui.core.desk import Command
from hooptui.core.gate import CannotRecord, LoginRefused
from hooptui.core.secret import Secret
from hooptui.gateway import Gateway

SOCKET = "control.sock"
CONNECTIONS = 16
WATCHES = 16
"""Watches one connection may hold open."""


class ControlServer:
    """Listens from `start` to `stop`."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.path = gateway.config.state_dir / SOCKET
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Raises:
        OSError: another gateway answers on the socket, or it cannot be made.
        """
        if self.path.exists():
            # The journal's lock has shown already that no other gateway uses this directory.
            self.path.unlink()
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, str(self.path), limit=wire.LONGEST)
        finally:
            os.umask(before)

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for writer in tuple(self._open):
            writer.close()
        await self._server.wait_closed()
        self.path.unlink(missing_ok=True)
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if _peer_uid(writer) not in (0, os.getuid()) or len(self._open) >= CONNECTIONS:
            writer.close()
            return
        self._open.add(writer)
        caller = Caller(self.gateway)
        try:
            while line := await reader.readline():
                writer.write(wire.encode(await caller.answer(line)) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.IncompleteReadError):
            # The other end left, or sent a line past every bound: its connection ends, nothing else does.
            return
        finally:
            caller.close()
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):  # it may have left first
                await writer.wait_closed()


class Caller:
    """One connection: its watches, and the Desk's methods by name."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.seat = gateway.seats.seat()
        self.views = Views(gateway, self.seat)
        self._watches: dict[int, Subscription] = {}
        self._next = 1

    async def answer(self, line: bytes) -> wire.Reply:
        try:
            request = wire.read_request(line)
        except msgspec.MsgspecError as fault:
            return wire.Reply(0, error=f"request not understood: {fault}")
        try:
            value = await self._call(request)
        except LoginRefused as no:
            return wire.Reply(request.id, error=no.message)
        except (KeyError, TypeError, ValueError, OSError, CannotRecord) as fault:
            return wire.Reply(request.id, error=f"{request.call}: {fault}")
        return wire.Reply(request.id, msgspec.Raw(wire.encode(value)))

    async def _call(self, request: wire.Request) -> object:
        args = request.args
        views = self.views
        match request.call:
            case "snapshot":
                return views.snapshot()
            case "review":
                return await views.review(int(args["number"]))
            case "run":
                command = msgspec.convert(args["command"], Command)
                readonly = bool(args.get("readonly", True))
                return await commands.run(self.gateway, self.seat, command, readonly=readonly)
            case "sit":
                return await self.gateway.seats.sit(self.seat, Secret(str(args["credential"])))
            case "transcript":
                found, after = await views.transcript(str(args["session"]), int(args["after"]), int(args["limit"]))
                return wire.event_texts(found), after
            case "recordings":
                return await views.recordings()
            case "journal":
                before = args.get("before")
                return wire.journal_texts(
                    await views.journal(None if before is None else int(before), min(int(args["limit"]), 5000))
                )
            case "verify":
                return await views.verify()
            case "watch":
                return self._watch(str(args["session"]))
            case "drain":
                return wire.drained(self._watches[int(args["watch"])])
            case "unwatch":
                self.gateway.bus.unsubscribe(self._watches.pop(int(args["watch"])))
                return None
            case other:
                raise ValueError(f"no call is named {other!r}")

    def _watch(self, session: str) -> int:
        if len(self._watches) >= WATCHES:
            raise ValueError(f"{WATCHES} watches are open on this connection already")
        number, self._next = self._next, self._next + 1
        self._watches[number] = self.gateway.bus.subscribe(session)
        return number

    def close(self) -> None:
        for subscription in self._watches.values():
            self.gateway.bus.unsubscribe(subscription)
        self._watches.clear()


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    """User id of the process at the other end (unix(7), SO_PEERCRED)."""
    sock: socket.socket = writer.get_extra_info("socket")
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)
