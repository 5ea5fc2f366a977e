"""The short way for bulk data: the same bytes in every cipher and any cut, and asyncssh still as it was read."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import os
import random
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
import pytest
from asyncssh.channel import SSHChannel, SSHServerChannel
from asyncssh.connection import SSHClientConnection, SSHConnection, SSHServerConnection
from asyncssh.crypto.cipher import GCMCipher
from asyncssh.encryption import GCMEncryption

from hooptui.protocols.ssh import connections
from hooptui.protocols.ssh.ciphers import INFLATED, Gcm, Inflater
from hooptui.protocols.ssh.connections import ServerConnection
from hooptui.protocols.ssh.lane import Lane
from hooptui.protocols.ssh.train import Train
from hooptui.protocols.ssh.transport import pass_on, send


class Echo(asyncssh.SSHServerSession[bytes]):
    """Sends back what comes, by the short way, and stops its source when it cannot."""

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.chan = chan

    def shell_requested(self) -> bool:
        return True

    def data_received(self, data: bytes, datatype: int | None) -> None:
        send(self.chan, data)

    def eof_received(self) -> bool:
        self.chan.exit(0)
        return True

    def pause_writing(self) -> None:
        self.chan.pause_reading()

    def resume_writing(self) -> None:
        self.chan.resume_reading()


class Carrying(Echo):
    """As `Echo`, and takes large pieces as they are."""

    def carry(self, train: Train) -> None:
        pass_on(self.chan, train)


class Host(asyncssh.SSHServer):
    def __init__(self, session: Callable[[], asyncssh.SSHServerSession[bytes]] = Echo) -> None:
        self.session = session

    def begin_auth(self, username: str) -> bool:
        return False

    def session_requested(self) -> Any:
        return self.connection.create_server_channel(encoding=None), self.session()

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn


@asynccontextmanager
async def pair(
    between: Callable[[socket.socket, socket.socket], Awaitable[None]] | None = None,
    session: Callable[[], asyncssh.SSHServerSession[bytes]] = Echo,
    **options: Any,
) -> AsyncIterator[tuple[ServerConnection, asyncssh.SSHClientConnection]]:
    """Ours as the server, asyncssh's own client; `between` may carry the bytes."""
    ours, theirs = socket.socketpair()
    carrier = None
    if between is not None:
        near, far = socket.socketpair()
        carrier = asyncio.create_task(_carried(between, theirs, near))
        theirs = far
    made = asyncssh.SSHServerConnectionOptions(
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        server_factory=Host,
        line_editor=False,
        **options,
    )
    for sock in (ours, theirs):
        sock.setblocking(False)
    serving = asyncio.create_task(connections.accept(ours, made, Host(session), 100))
    client = await asyncssh.connect(
        "localhost", sock=theirs, config=None, known_hosts=None, username="any", client_keys=None, agent_path=None,
        encryption_algs=options.get("encryption_algs", ()), compression_algs=options.get("compression_algs", ()),
    )  # fmt: skip
    server = await serving
    try:
        yield server, client
    finally:
        client.abort()
        server.abort()
        await client.wait_closed()
        await server.wait_closed()
        if carrier is not None:
            carrier.cancel()
            await asyncio.gather(carrier, return_exceptions=True)


async def _carried(
    between: Callable[[socket.socket, socket.socket], Awaitable[None]], one: socket.socket, other: socket.socket
) -> None:
    for sock in (one, other):
        sock.setblocking(False)
    with one, other:
        await asyncio.gather(between(one, other), between(other, one))


async def echoed(client: asyncssh.SSHClientConnection, data: bytes) -> bytes:
    process = await client.create_process(encoding=None, stdin=asyncssh.PIPE)
    found, _ = await process.communicate(data)
    assert isinstance(found, bytes)
    return found


@pytest.mark.parametrize(
    "options",
    [
        {"encryption_algs": ["aes128-gcm@openssh.com"]},
        {"encryption_algs": ["aes256-gcm@openssh.com"]},
        {"encryption_algs": ["aes256-ctr"]},
        {"encryption_algs": ["aes128-gcm@openssh.com"], "compression_algs": ["zlib@openssh.com"]},
        {"encryption_algs": ["aes128-gcm@openssh.com"], "rekey_bytes": 100_000},
        {"encryption_algs": ["aes256-ctr"], "rekey_bytes": 100_000},
    ],
    ids=lambda options: "-".join(str(value) for value in options.values()),
)
@pytest.mark.parametrize("session", [Echo, Carrying])
async def test_the_same_bytes_come_back(options: dict[str, Any], session: type[Echo]) -> None:
    data = os.urandom(3_000_000)
    async with pair(session=session, **options) as (server, client):
        assert await echoed(client, data) == data
        assert (type(server._send_encryption) is Gcm) == ("gcm" in options["encryption_algs"][0])


@pytest.mark.parametrize("most", [40, 5000, 100_000])
async def test_any_cut_gives_the_same_bytes(most: int) -> None:
    dice = random.Random(most)

    async def cut(one: socket.socket, other: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(one, dice.randrange(1, most)):
            await loop.sock_sendall(other, data)

    data = os.urandom(20_000 if most == 40 else 1_000_000)
    async with pair(cut, encryption_algs=["aes128-gcm@openssh.com"]) as (_, client):
        assert await echoed(client, data) == data


async def test_a_changed_bit_ends_the_connection() -> None:
    changing = False

    async def change(one: socket.socket, other: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := bytearray(await loop.sock_recv(one, 65536)):
            if changing:
                data[-1] ^= 1  # no length, which would make the peer wait for more
            await loop.sock_sendall(other, data)

    async with pair(change, encryption_algs=["aes128-gcm@openssh.com"]) as (server, client):
        assert await echoed(client, b"before") == b"before"
        changing = True
        with pytest.raises(asyncssh.Error):
            await echoed(client, os.urandom(10_000))
        await asyncio.wait_for(server.wait_closed(), 60)


def test_a_nonce_is_never_used_twice() -> None:
    cipher, peer = Lane(bytes(16), b"abcd" + b"\xff" * 8), GCMCipher("aes128-gcm", bytes(16), b"abcd" + b"\xff" * 8)
    seen = set()
    for _ in range(3):
        sealed = cipher.seal(b"\0\0\0\x20", bytes(32))
        theirs, tag = peer.encrypt_and_sign(b"\0\0\0\x20", bytes(32))
        assert b"\0\0\0\x20" + sealed == theirs + tag, "as asyncssh does it, over the counter's end"
        seen.add(sealed)
    assert len(seen) == 3


def test_what_swells_is_refused() -> None:
    bomb = zlib.compress(bytes(INFLATED * 100))
    assert Inflater().decompress(bomb) is None
    assert Inflater().decompress(zlib.compress(bytes(INFLATED - 1))) == bytes(INFLATED - 1)
    assert Inflater().decompress(b"no zlib") is None


def digest(function: Any) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]


READ: tuple[Any, ...] = (
    SSHConnection.__init__, SSHConnection.connection_made, SSHConnection.data_received, SSHConnection.pause_writing,
    SSHConnection.resume_writing, SSHConnection._recv_data, SSHConnection._recv_version, SSHConnection._recv_pkthdr,
    SSHConnection._recv_packet, SSHConnection._finish_recv_packet, SSHConnection.send_packet, SSHConnection.send_newkeys,
    SSHConnection._send, SSHConnection._send_kexinit, SSHConnection._force_close, SSHConnection._cleanup,
    SSHConnection._process_newkeys, SSHConnection._process_global_request, SSHConnection._process_channel_open,
    SSHConnection.add_channel, SSHConnection.remove_channel, asyncssh.connection._connect, asyncssh.connect,
    asyncssh.run_server, SSHServerConnection.__init__, SSHClientConnection.__init__, SSHChannel.__init__,
    SSHChannel._flush_send_buf, SSHChannel._pause_resume_writing, SSHChannel._flush_recv_buf, SSHChannel._deliver_data,
    SSHChannel._accept_data, SSHChannel._process_data, SSHChannel._process_window_adjust, SSHChannel.write, SSHChannel.send_packet, SSHChannel._cleanup,
    GCMEncryption, GCMCipher, asyncssh.compression._ZLibDecompress,
)  # fmt: skip
"""What of asyncssh is overridden, or relied on to be as it is, by `receiving`, `transport`, `connections` and `ciphers`."""


BESIDE: tuple[Any, ...] = (
    SSHClientConnection._process_auth_agent_at_openssh_dot_com_open, SSHClientConnection.create_session,
    SSHClientConnection._process_forwarded_tcpip_open,
    SSHClientConnection._process_forwarded_streamlocal_at_openssh_dot_com_open,
    SSHClientConnection.close_client_tcp_listener, SSHClientConnection.close_client_unix_listener,
    SSHConnection._process_kexinit, SSHServerConnection.validate_public_key,
    SSHServerConnection.check_certificate_permission, SSHServerConnection.create_agent_channel,
    SSHServerChannel._process_exec_request, SSHServerChannel._process_env_request,
    SSHServerChannel._process_auth_agent_req_at_openssh_dot_com_request, SSHServerChannel._report_response,
)  # fmt: skip
"""The same for `agent`, `listeners`, `guess`, `server` and `sessions`."""


@pytest.mark.parametrize(
    ("read", "known"), [(READ, "60864ad8f3213200"), (BESIDE, "653ed9ab99531351")], ids=["the short way", "beside it"]
)
def test_asyncssh_is_as_it_was_read(read: tuple[Any, ...], known: str) -> None:
    """When this fails, read what changed beside those who use it, and only then write the new number here."""
    together = hashlib.sha256("".join(digest(one) for one in read).encode()).hexdigest()[:16]
    assert together == known, f"asyncssh {asyncssh.__version__} is another one"
