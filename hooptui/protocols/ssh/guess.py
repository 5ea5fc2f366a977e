"""Whether a client's guess in key exchange was right: RFC 4253 section 7.1, for clients that guess, as dropbear's does.

A guess is wrong when the first key exchange or the first host key that both sides list are not the same, even when the client's is
the one that is chosen; the packet behind it is then ignored. asyncssh looks at what is chosen, takes the packet for good, and
stumbles over the right one.
"""

from __future__ import annotations

from typing import Any, Final

import asyncssh
from asyncssh.packet import PacketDecodeError, SSHPacket

KEXINIT: Final = 20
COOKIE: Final = 16


def judge_guesses(connection: asyncssh.SSHServerConnection) -> None:
    """From now on, on this connection; to be called before it has received anything."""
    handlers = dict(connection._packet_handlers)
    handlers[KEXINIT] = _kexinit
    connection._packet_handlers = handlers


async def _kexinit(connection: Any, kind: int, number: int, packet: SSHPacket) -> None:
    try:
        exchange, host_key, guessed = _lists(packet.get_remaining_payload())
    except PacketDecodeError as short:
        raise asyncssh.ProtocolError(str(short)) from None
    # Nothing else is read before this has returned.
    await type(connection)._packet_handlers[KEXINIT](connection, kind, number, packet)
    ours = list(connection._kex_algs)[:1], list(connection._server_host_key_algs or ())[:1]
    connection._ignore_first_kex = guessed and ours != (exchange, host_key)


def _lists(payload: bytes) -> tuple[list[bytes], list[bytes], bool]:
    """The first names of both lists, and whether a guess follows.

    Raises:
        PacketDecodeError: it is cut short.
    """
    packet = SSHPacket(payload)
    packet.get_bytes(COOKIE)
    exchange, host_key = list(packet.get_namelist())[:1], list(packet.get_namelist())[:1]
    for _ in range(8):
        packet.get_namelist()
    return exchange, host_key, packet.get_boolean()
