"""The client's agent at the target (`ssh -A`): asked for as an operation, then opaque bytes between two channels.

The gateway has no agent and reads nothing of what goes through: whoever may act as the account on the target may use the client's keys
while the channel lasts. The one draft of it is draft-ietf-sshm-ssh-agent; OpenSSH's names for requests and channels are used.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

import asyncssh
from asyncssh.packet import SSHPacket

from hooptui.core.gate import Refused, Why
from hooptui.protocols.ssh import operations
from hooptui.protocols.ssh.link import Link
from hooptui.protocols.ssh.listeners import Announced
from hooptui.protocols.ssh.tunnel import Forwards, Pipe
from hooptui.protocols.ssh.voice import Voice

WINDOW: Final = 64 * 1024
"""Bytes that an agent's channel may have on its way; an agent's message has at most 256 KiB (OpenSSH), and comes in pieces."""
ENDS: Final = frozenset({Why.KILLED, Why.WITHDRAWN, Why.DEADLINE})
"""Refusals that are not of the agent alone."""
CARRIED: Final = "carried by the gateway"
"""Has asyncssh ask the target for an agent's socket; it is never a path, for who opens a channel back is met in `_came`."""


class Agent:
    """One channel that may use the client's agent, from its permit to its end."""

    def __init__(self, link: Link, number: int) -> None:
        self._link = link
        self._number = number
        self._began = link.session.house.clock.monotonic()
        self.uses = 0
        self._over = False

    def attach(self, connection: asyncssh.SSHClientConnection) -> None:
        """The target may open channels to it from now on."""
        self._link.agents.append(self)

        def came(packet: SSHPacket) -> tuple[asyncssh.SSHUNIXChannel[bytes], Coroutine[Any, Any, Pipe]]:
            packet.check_end()
            return connection.create_unix_channel(window=WINDOW), _came(self._link)

        connection._process_auth_agent_at_openssh_dot_com_open = came  # type: ignore[method-assign, assignment]  # there is no hook

    def close(self) -> None:
        """Its channel is over."""
        if self._over:
            return
        self._over = True
        if self in self._link.agents:
            self._link.agents.remove(self)
        seconds = self._link.session.house.clock.monotonic() - self._began
        tag = f"used {self.uses} times" if self.uses != 1 else "used once"
        self._link.session.finished(self._number, tag, ok=True, rows=0, masked=0, seconds=seconds)


async def ask(link: Link, voice: Voice) -> Agent | None:
    """May the target use the client's agent? None when not; the client is told, and goes on without.

    Raises:
        Refused: the session ends, or the client has left.
        UpstreamFailed: the target cannot be used.
    """
    operation = operations.forward("agent_forward", "", "use the client's ssh agent")
    try:
        number, _ = await link.permit(operation, voice.held, voice.waiting)
    except Refused as refused:
        if refused.why in ENDS or link.session.access is not None:
            raise
        voice.without_agent(refused)
        return None
    return Agent(link, number)


def asks_for_socket(connection: asyncssh.SSHClientConnection, agent: Agent | None) -> None:
    """Whether the session that is created next, before anything else happens, asks the target for an agent's socket."""
    connection._agent_forward_path = CARRIED if agent is not None else None


async def _came(link: Link) -> Pipe:
    """The target wants to use the agent.

    Raises:
        asyncssh.ChannelOpenError: it may not, or the client opens no channel to it.
    """
    if not link.agents:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "no agent is forwarded now")
    link.agents[-1].uses += 1
    announced = Announced()
    announced.settle(there=True)

    async def back(near: Pipe) -> None:
        await link.connection.create_agent_channel(WINDOW).open(lambda: near)

    return await Forwards(link).came(back, announced)
