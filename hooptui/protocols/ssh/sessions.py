"""A session channel as asyncssh's server has it, with what a gateway needs otherwise: bytes of commands, and few variables."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncssh
from asyncssh.packet import SSHPacket

from hooptui.protocols.ssh.limits import Limits

OWN: Final = b"HOOPTUI_"
REASON: Final = b"HOOPTUI_REASON"
EMERGENCY: Final = b"HOOPTUI_EMERGENCY"
PACKET: Final = 32768
"""Bytes of data in one packet."""


def passes(name: bytes) -> bool:
    """Whether a variable may be set: a language, or one of hooptui's own prefix."""
    return name == b"LANG" or name.startswith((b"LC_", OWN))


class SessionChannel(asyncssh.SSHServerChannel[bytes]):
    """See the module."""

    def __init__(self, connection: asyncssh.SSHServerConnection, limits: Limits) -> None:
        super().__init__(
            connection, asyncio.get_running_loop(), True, False, False, 0, 0, None, "strict", limits.window, PACKET
        )  # fmt: skip
        self._most = limits.environment
        self.agent = False
        """The client offers its agent."""

    def _process_exec_request(self, packet: SSHPacket) -> bool:
        # asyncssh refuses commands that are not UTF-8; sshd does not.
        command = packet.get_string()
        packet.check_end()
        return self._start_session(command=command.decode("utf-8", "surrogateescape"))

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name, value = packet.get_string(), packet.get_string()
        packet.check_end()
        if not passes(name) or len(self._env) >= self._most:
            return False
        self._env[name] = value
        return True

    def _process_auth_agent_req_at_openssh_dot_com_request(self, packet: SSHPacket) -> None:
        # Whether it is carried is asked when it is known for what. asyncssh would open a socket on this machine.
        packet.check_end()
        self.agent = True
        self._report_response(True)

    def environment(self) -> dict[bytes, bytes]:
        """What goes to the target; hooptui's own questions do not."""
        return {name: value for name, value in self._env.items() if name not in (REASON, EMERGENCY)}

    def said(self, name: bytes) -> str:
        """A variable that is meant for hooptui itself, as text."""
        return self._env.get(name, b"").decode("utf-8", "replace")[:1024]
