"""Guesses in key exchange, by RFC 4253 section 7.1: what both list first, not what is chosen."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest
from asyncssh.packet import Boolean, NameList, SSHPacket, UInt32

from hooptui.protocols.ssh import guess


def kexinit(exchange: list[bytes], host_keys: list[bytes], follows: bool) -> bytes:
    return bytes(16) + b"".join(map(NameList, (exchange, host_keys, *([[b"x"]] * 8)))) + Boolean(follows) + UInt32(0)


class Connection:
    """What of a server's connection is touched; its own handler takes every guess for good."""

    _kex_algs = (b"mlkem", b"curve")
    _server_host_key_algs: Any = (b"ed25519", b"rsa")
    _ignore_first_kex = False
    handled = 0

    async def _own(self, _kind: int, _number: int, packet: SSHPacket) -> None:
        self.handled += 1
        assert packet.get_bytes(16) == bytes(16), "the packet is handed on unread"

    _packet_handlers: Any = {20: _own, 21: SimpleNamespace()}  # noqa: RUF012 - as asyncssh has it


@pytest.mark.parametrize(
    ("exchange", "host_keys", "follows", "ignored"),
    [
        ([b"mlkem", b"curve"], [b"ed25519"], True, False),
        ([b"curve", b"mlkem"], [b"ed25519"], True, True),
        ([b"curve"], [b"ed25519"], True, True),
        ([b"mlkem"], [b"rsa", b"ed25519"], True, True),
        ([b"curve"], [b"rsa"], False, False),
        ([], [], True, True),
    ],
)
def test_a_guess_is_right_only_when_both_have_it_first(
    exchange: list[bytes], host_keys: list[bytes], follows: bool, ignored: bool
) -> None:
    connection: Any = Connection()
    guess.judge_guesses(connection)
    handler = connection._packet_handlers[20]
    asyncio.run(handler(connection, 20, 0, SSHPacket(kexinit(exchange, host_keys, follows))))
    assert connection._ignore_first_kex is ignored and connection.handled == 1
    assert Connection._packet_handlers[20] is Connection._own, "other connections are left alone"


def test_what_is_cut_short_is_a_protocol_error() -> None:
    connection: Any = Connection()
    guess.judge_guesses(connection)
    for length in (0, 10, 16, 30, 60):
        packet = SSHPacket(kexinit([b"mlkem"], [b"ed25519"], True)[:length])
        with pytest.raises(asyncssh.ProtocolError):
            asyncio.run(connection._packet_handlers[20](connection, 20, 0, packet))
    assert connection.handled == 0


def test_asyncssh_still_has_what_is_touched() -> None:
    server = asyncssh.SSHServerConnection
    assert guess.KEXINIT in server._packet_handlers and hasattr(asyncssh.SSHClientConnection, "create_unix_server")
