"""What an SSH client asks for, as Operations with facts. Pure; what a command line means is read elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from hooptui.core.model import Operation, SshFacts
from hooptui.protocols.ssh.transfers import Transfer, recognise

Kind = Literal["exec", "shell", "subsystem"]
Read = Callable[[bytes], SshFacts]
"""From a command line to what it does; never raises."""

PROTOCOL: Final = "ssh"
SSH_PORT: Final = 22


@dataclass(frozen=True, slots=True)
class Terminal:
    """A pty as the client asked for it (RFC 4254 section 6.2)."""

    name: str
    size: tuple[int, int, int, int]
    """Columns, rows, and both in pixels."""
    modes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Start:
    """What a session channel is to start (RFC 4254 section 6.5)."""

    kind: Kind
    text: bytes = b""
    """The command line as the client sent it, or the name of the subsystem."""
    terminal: Terminal | None = None
    environment: Mapping[bytes, bytes] | None = None


def start(one: Start, read: Read, *, longest: int) -> tuple[Operation, Transfer | None]:
    """The operation of a session channel, and the file transfer that it is; `longest` is how many bytes of a command are read at all."""
    # A terminal edits what is typed (^U, erase), so that the target would read other lines than those that were judged.
    transfer = recognise(one.text) if one.kind == "exec" and one.terminal is None else None
    if transfer is not None:
        return transfer.operation(), transfer
    context = {}
    if one.terminal is not None:
        columns, rows, _, _ = one.terminal.size
        context["terminal"] = f"{one.terminal.name} {columns}x{rows}"
    if one.environment:
        context["environment"] = " ".join(sorted(shown(name) for name in one.environment))
    match one.kind:
        case "exec" if len(one.text) > longest:
            facts = SshFacts(frozenset({"exec"}), unknown=f"a command line of more than {longest} bytes")
        case "exec":
            facts = read(one.text)
            if one.terminal is not None:
                # A pager that finds one takes commands of its own, which nobody judges.
                facts = replace(facts, traits=facts.traits | {"terminal"})
        case "shell":
            facts = SshFacts(frozenset({"shell"}), traits=frozenset() if one.terminal else frozenset({"stdin"}))
        case "subsystem":
            facts = SshFacts(frozenset({"subsystem"}), unknown=f"hooptui carries no subsystem {shown(one.text)}")
    text = shown(one.text[:longest]) or ("interactive shell" if one.terminal else "shell without a terminal")
    return Operation(PROTOCOL, _verb(one.kind, facts), text, facts, context=context), None


def forward(action: str, destination: str, text: str, *, port: int | None = None) -> Operation:
    """The operation of a forward: to `host:port`, to a socket's path, or of the agent."""
    destinations = frozenset({destination}) if destination else frozenset()
    facts = SshFacts(frozenset({action}), destinations=destinations)
    if port == SSH_PORT and action == "forward_out":
        # What is inside could neither be judged nor masked nor recorded, and every login leads on.
        why = f"SSH inside SSH (ssh -J, -W) to {destination} cannot be judged: log in to that target through hooptui"
        facts = SshFacts(frozenset({action}), destinations=destinations, unknown=why)
    return Operation(PROTOCOL, action, text, facts)


def place(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def shown(raw: bytes) -> str:
    """Text for people, whatever the bytes."""
    return raw.decode("utf-8", "backslashreplace")


def _verb(kind: Kind, facts: SshFacts) -> str:
    if kind == "exec" and facts.invocations and facts.invocations[0].program:
        return facts.invocations[0].program.rpartition("/")[2][:32] or kind
    return kind
