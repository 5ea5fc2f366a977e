"""Forwards: each destination asked for, then bytes between two channels, each end of file passed on at once.

Nothing is dialled or listened on from here: the target does it, and the gateway stands between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import asyncssh
from asyncssh.channel import SSHAgentChannel

from hooptui.core.approvals import Approval
from hooptui.core.gate import Refused, Why
from hooptui.core.model import Operation
from hooptui.core.visible import visible
from hooptui.protocols.ssh import operations, replies
from hooptui.protocols.ssh.guarded import guarded
from hooptui.protocols.ssh.link import Link
from hooptui.protocols.ssh.listeners import Announced, expected, expected_at
from hooptui.protocols.ssh.transport import send
from hooptui.protocols.ssh.upstream import UpstreamFailed

Channel: TypeAlias = asyncssh.SSHTCPChannel[bytes] | asyncssh.SSHUNIXChannel[bytes] | SSHAgentChannel
Finished: TypeAlias = Callable[[], None]


class Pipe(asyncssh.SSHTCPSession[bytes], asyncssh.SSHUNIXSession[bytes]):
    """One side of a forward; `join` makes two of them one. The target's side implements `link.Runs`."""

    def __init__(self, link: Link, *, far: bool, finished: Finished | None = None) -> None:
        """`far` is the target's side; `finished` is called once when it is closed."""
        self.peer: Pipe | None = None
        self._link = link
        self._far = far
        self._finished = finished
        self._chan: Channel | None = None
        self._early: list[bytes] = []
        self._eof = False
        self._frozen = False
        self._over = asyncio.Event()

    # --- Runs, for the target's side

    @property
    def program(self) -> bool:
        return False

    @property
    def running(self) -> bool:
        return not self._over.is_set()

    @property
    def ended(self) -> bool:
        return self._over.is_set()

    async def gone(self) -> None:
        await self._over.wait()

    def freeze(self) -> None:
        self._frozen = True
        if self.peer is not None:
            self.peer._frozen = True

    def signal(self) -> None:
        # There is no process to be told; closing is all that ends a forward.
        self.shut()

    def shut(self) -> None:
        if self._chan is not None:
            self._chan.abort()
            # What is closed on this side lets nothing more through; the target's answer changes nothing.
            self._end()

    def farewell(self, message: str) -> None:
        if self.peer is not None:
            self.peer.cut()

    async def parted(self) -> None:
        if self.peer is not None:
            await self.peer.gone()

    # --- what asyncssh calls

    @guarded(None)
    def connection_made(self, chan: Channel) -> None:
        self._chan = chan
        if self._far:
            self._link.runs.add(self)

    @guarded(None)
    def session_started(self) -> None:
        return

    @guarded(None)
    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._frozen or self.peer is None:
            return
        counters = self._link.session.counters
        if self._far:
            counters.bytes_out += len(data)
        else:
            counters.bytes_in += len(data)
        self.peer.write(data)

    @guarded(True)
    def eof_received(self) -> bool:
        if self.peer is not None:
            self.peer.write_eof()
        return True

    @guarded(None)
    def pause_writing(self) -> None:
        if self.peer is not None and self.peer._chan is not None and not self._frozen:
            self.peer._chan.pause_reading()

    @guarded(None)
    def resume_writing(self) -> None:
        if self.peer is not None and self.peer._chan is not None:
            self.peer._chan.resume_reading()

    @guarded(None)
    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        if self.peer is not None:
            self.peer.close()

    def failed(self, fault: Exception) -> None:
        """See `guarded`."""
        self._link.trouble("fault", f"a forward ended by a fault of the gateway: {type(fault).__name__}")
        self.cut()

    # --- what the other side calls

    def write(self, data: bytes) -> None:
        if self._chan is None:
            self._early.append(data)
        elif not self._chan.is_closing():
            send(self._chan, data)

    def write_eof(self) -> None:
        self._eof = True
        if self._chan is not None and not self._chan.is_closing():
            self._chan.write_eof()

    def close(self) -> None:
        if self._chan is not None:
            self._chan.close()

    def cut(self) -> None:
        if self._chan is not None:
            self._chan.abort()

    def flush(self) -> None:
        """Its channel is open: what came before goes out."""
        for data in self._early:
            self.write(data)
        self._early.clear()
        if self._eof:
            self.write_eof()

    def _end(self) -> None:
        self._over.set()
        if self._far:
            self._link.runs.discard(self)
            finished, self._finished = self._finished, None
            if finished is not None:
                finished()


def join(near: Pipe, far: Pipe) -> None:
    near.peer, far.peer = far, near


class Forwards:
    """The forwards of one link: what `Reception` hands on."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def out(self, host: str, port: int, origin: str, origin_port: int) -> asyncssh.SSHTCPSession[bytes]:
        """`ssh -L`, `-W`, `-D`: a connection from the target to a destination.

        Raises:
            asyncssh.ChannelOpenError: with the reason, which stock clients print.
        """
        place = operations.place(host, port)
        operation = operations.forward("forward_out", place, f"connect to {place}", port=port)

        async def start(connection: asyncssh.SSHClientConnection, far: Pipe) -> None:
            await connection.create_connection(
                lambda: far, host, port, origin, origin_port, encoding=None, window=self._link.limits.window
            )

        return await self._connected(operation, start)

    async def out_unix(self, path: str) -> asyncssh.SSHUNIXSession[bytes]:
        """`ssh -L port:/path`. Raises as `out`."""
        operation = operations.forward("forward_unix", path, f"connect to {path}")

        async def start(connection: asyncssh.SSHClientConnection, far: Pipe) -> None:
            await connection.create_unix_connection(lambda: far, path, encoding=None, window=self._link.limits.window)

        return await self._connected(operation, start)

    async def listen(self, host: str, port: int) -> asyncssh.SSHListener | None:
        """`ssh -R`: a port that the target listens on for the client; None when it may not, or does not."""
        place = operations.place(host, port)
        operation = operations.forward("forward_in", place, f"listen on {place}")

        announced = Announced()

        async def start(connection: asyncssh.SSHClientConnection) -> asyncssh.SSHListener:
            def came(origin: str, origin_port: int) -> Coroutine[Any, Any, asyncssh.SSHTCPSession[bytes]]:
                async def back(near: Pipe) -> None:
                    await self._link.connection.create_connection(
                        lambda: near, host, listener.get_port(), origin, origin_port, encoding=None
                    )

                return self.came(back, announced)

            window = self._link.limits.window
            with expected(connection, came, host, port, window):
                listener: asyncssh.SSHListener = await connection.create_server(
                    came, host, port, encoding=None, window=window
                )
            return listener

        return await self._listening(operation, start, announced)

    async def listen_unix(self, path: str) -> asyncssh.SSHListener | None:
        """`ssh -R /path:…`; as `listen`."""
        operation = operations.forward("forward_unix", path, f"listen on {path}")

        announced = Announced()

        async def start(connection: asyncssh.SSHClientConnection) -> asyncssh.SSHListener:
            def came() -> Coroutine[Any, Any, asyncssh.SSHUNIXSession[bytes]]:
                async def back(near: Pipe) -> None:
                    await self._link.connection.create_unix_connection(lambda: near, path, encoding=None)

                return self.came(back, announced)

            window = self._link.limits.window
            with expected_at(connection, came, path, window):
                listener: asyncssh.SSHListener = await connection.create_unix_server(
                    came, path, encoding=None, window=window
                )
            return listener

        return await self._listening(operation, start, announced)

    # --- inside

    async def _connected(
        self, operation: Operation, start: Callable[[asyncssh.SSHClientConnection, Pipe], Coroutine[Any, Any, None]]
    ) -> Pipe:
        number, connection = await self._permit(operation)
        link, began = self._link, self._link.session.house.clock.monotonic()

        def finished(tag: str, ok: bool) -> None:
            seconds = link.session.house.clock.monotonic() - began
            link.session.finished(number, tag, ok=ok, rows=0, masked=0, seconds=seconds)

        near, far = Pipe(link, far=False), Pipe(link, far=True, finished=lambda: finished("closed", True))
        join(near, far)
        try:
            await start(connection, far)
        except asyncssh.ChannelOpenError as no:
            finished("not connected", False)
            raise asyncssh.ChannelOpenError(no.code, f"the target says: {visible(no.reason)}") from None
        except Exception as fault:  # noqa: BLE001 - whatever it was, uncaught it would end the whole connection
            finished("not connected", False)
            raise self._failed(fault) from None
        # asyncssh opens the client's side when this has returned, and delivers nothing of it before.
        asyncio.get_running_loop().call_soon(near.flush)
        return near

    async def came(self, back: Callable[[Pipe], Coroutine[Any, Any, None]], announced: Announced) -> Pipe:
        """Somebody connected to what the target listens on: on to the client, once it has been told that there is a listener."""
        await announced.wait()
        link = self._link
        near, far = Pipe(link, far=False), Pipe(link, far=True)
        join(near, far)
        if link.closing or len(link.runs) >= link.limits.channels:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "too many channels")
        try:
            await back(near)
        except asyncssh.ChannelOpenError:
            raise
        except Exception as fault:  # noqa: BLE001 - as above
            raise self._failed(fault) from None
        asyncio.get_running_loop().call_soon(far.flush)
        return far

    async def _listening(
        self,
        operation: Operation,
        start: Callable[[asyncssh.SSHClientConnection], Coroutine[Any, Any, asyncssh.SSHListener]],
        announced: Announced,
    ) -> asyncssh.SSHListener | None:
        link = self._link
        if link.listeners >= link.limits.listeners:
            return None
        link.listeners += 1
        number = 0
        try:
            number, connection = await self._permit(operation)
            listener = await start(connection)
        except asyncssh.ChannelOpenError as no:
            link.listeners -= 1
            announced.settle(there=False)
            link.connection.send_debug(visible(no.reason), always_display=True)
            return None
        except Exception as fault:  # noqa: BLE001 - as above; a listener that there is not is an answer
            link.listeners -= 1
            announced.settle(there=False)
            if not isinstance(fault, asyncssh.ChannelListenError):
                self._failed(fault)
            link.session.finished(number, "not listening", ok=False, rows=0, masked=0, seconds=0.0)
            return None
        link.session.finished(
            number, f"listening on port {listener.get_port()}", ok=True, rows=0, masked=0, seconds=0.0
        )
        # asyncssh answers the client when this has returned.
        asyncio.get_running_loop().call_soon(lambda: announced.settle(there=True))
        return listener

    async def _permit(self, operation: Operation) -> tuple[int, asyncssh.SSHClientConnection]:
        """Raises:
        asyncssh.ChannelOpenError: it may not, or the target cannot be used; with the reason.
        """
        try:
            return await self._link.permit(operation, self._held, self._waiting)
        except Refused as refused:
            words = "; ".join(replies.refused(refused))
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, visible(words)) from None
        except UpstreamFailed as failed:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, failed.public) from None
        except Exception as fault:  # noqa: BLE001 - as above
            raise self._failed(fault) from None

    def _failed(self, fault: Exception) -> asyncssh.ChannelOpenError:
        self._link.trouble("fault", f"a forward could not be opened: {type(fault).__name__}")
        return asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "the gateway failed")

    def _held(self, approval: Approval, remaining: float) -> None:
        self._tell(replies.held(approval, remaining))

    def _waiting(self, approval: Approval, remaining: float) -> None:
        self._tell(replies.waiting(approval, remaining))

    def _tell(self, lines: tuple[str, ...]) -> None:
        """A forward has no stderr; stock clients show this with -v."""
        if self._link.closing:
            raise Refused(Why.WITHDRAWN, "withdrawn by the client before a verdict")
        for line in lines:
            self._link.connection.send_debug(f"hooptui: {visible(line)}", always_display=True)
