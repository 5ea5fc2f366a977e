"""The command table: every verb that changes the world or asks for work, once, for key, palette, CLI and control socket.

Runs on the gateway's loop. Knows no socket and no screen; what it answers is fit for the operator's eyes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from hooptui.audit.export import export_session
from hooptui.core.approvals import Vote, VoteRefused
from hooptui.core.desk import Command, Outcome
from hooptui.core.gate import CannotRecord
from hooptui.core.model import Identity, Scope
from hooptui.core.session import Session
from hooptui.gateway import Gateway

LONGEST = 2000
"""Characters of a reason or another free argument."""


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    help: str
    required: bool = True
    default: str = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """One row of the table."""

    name: str
    help: str
    args: tuple[Argument, ...]
    changes: bool
    """False when a read-only desk may run it."""
    dangerous: bool
    """It cannot be undone; faces ask before they run it."""
    run: Callable[[Gateway, Identity, Mapping[str, str]], Awaitable[Outcome]]


class BadArgument(Exception):
    """An argument is missing or wrong; the message names it and what was expected."""


async def run(gateway: Gateway, operator: Identity | None, command: Command, *, readonly: bool) -> Outcome:
    """Run one command for an operator; never raises for what an operator can do wrong."""
    verb = TABLE.get(command.verb)
    if verb is None:
        return Outcome(False, f"no command is called {command.verb!r}; there are {', '.join(TABLE)}")
    if verb.changes and readonly:
        return Outcome(False, f"{verb.name}: this screen is read-only")
    if verb.changes and operator is None:
        return Outcome(False, f"{verb.name}: no operator is configured, so nobody here may decide (config: operator)")
    unknown = sorted(set(command.args) - {argument.name for argument in verb.args})
    if unknown:
        return Outcome(False, f"{verb.name}: found {', '.join(unknown)}, expected {_usage(verb)}")
    try:
        arguments = {argument.name: _argument(verb, argument, command.args) for argument in verb.args}
        return await verb.run(gateway, operator or NOBODY, arguments)
    except (BadArgument, VoteRefused) as no:
        return Outcome(False, str(no))
    except CannotRecord as broken:
        return Outcome(False, f"not done, because it cannot be recorded: {broken}")


NOBODY = Identity("local", "nobody", "nobody")
"""Who runs the commands that need no operator."""


def _usage(verb: Verb) -> str:
    return " ".join(one.name if one.required else f"[{one.name}]" for one in verb.args) or "no argument"


def _argument(verb: Verb, argument: Argument, given: Mapping[str, str]) -> str:
    value = given.get(argument.name, argument.default)
    if argument.required and not value:
        raise BadArgument(f"{verb.name}: {argument.name} is missing: {argument.help}")
    if len(value) > LONGEST:
        raise BadArgument(f"{verb.name}: found {len(value)} characters of {argument.name}, expected at most {LONGEST}")
    return value


def _number(args: Mapping[str, str]) -> int:
    text = args["number"].removeprefix("#")
    if not text.isdecimal() or len(text) > 12:
        raise BadArgument(f"found {args['number']!r}, expected the number of a held operation, such as 17")
    return int(text)


def _session(gateway: Gateway, args: Mapping[str, str]) -> Session:
    wanted = args["session"]
    found = [one for number, one in gateway.sessions.items() if number.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadArgument(f"{wanted!r} begins the names of {len(found)} sessions, expected one of them")
    raise BadArgument(f"no open session is called {wanted!r}")


def _vote(gateway: Gateway, operator: Identity, args: Mapping[str, str], approve: bool) -> str:
    number = _number(args)
    approval = gateway.approvals.get(number)
    session = gateway.sessions.get(approval.session) if approval else None
    if approval is None or session is None:
        raise VoteRefused(f"#{number} is not waiting: it was settled or never existed")
    scope = args.get("scope") or Scope.ONCE
    if scope not in tuple(Scope):
        raise BadArgument(f"found scope {scope!r}, expected one of {', '.join(Scope)}")
    reason = session.masker.text(args.get("reason", ""))
    after = gateway.approvals.vote(number, Vote(operator, approve, reason, Scope(scope), gateway.clock.now()))
    if after.open:
        return f"counted: {after.approvals} of {after.terms.quorum} approve #{number}"
    return f"#{number} {after.status}"


async def approve(gateway: Gateway, operator: Identity, args: Mapping[str, str]) -> Outcome:
    return Outcome(True, _vote(gateway, operator, args, True))


async def deny(gateway: Gateway, operator: Identity, args: Mapping[str, str]) -> Outcome:
    return Outcome(True, _vote(gateway, operator, args, False))


async def kill(gateway: Gateway, operator: Identity, args: Mapping[str, str]) -> Outcome:
    session = _session(gateway, args)
    done = await session.kill(operator.name, args["reason"])
    sign = "confirmed" if done.confirmed else "NOT CONFIRMED"
    text = f"killed {session.id} in {done.seconds:.2f} s, {sign}: {done.how}"
    return Outcome(done.confirmed, text, {"confirmed": done.confirmed, "seconds": done.seconds, "how": done.how})


async def freeze(gateway: Gateway, operator: Identity, args: Mapping[str, str]) -> Outcome:
    session = _session(gateway, args)
    session.freeze(True, operator.key)
    return Outcome(True, f"{session.id} frozen: no new operation starts until it is thawed")


async def thaw(gateway: Gateway, operator: Identity, args: Mapping[str, str]) -> Outcome:
    session = _session(gateway, args)
    session.freeze(False, operator.key)
    return Outcome(True, f"{session.id} thawed")


async def reload(gateway: Gateway, operator: Identity, args: Mapping[str, str]) -> Outcome:
    error = gateway.reload(operator.key)
    if error:
        return Outcome(False, f"the old policy stays: {error}")
    return Outcome(True, f"policy {gateway.policy.version[:8]} is in force")


async def export(gateway: Gateway, operator: Identity, args: Mapping[str, str]) -> Outcome:
    directory = gateway.config.state_dir / "exports"
    directory.mkdir(mode=0o700, exist_ok=True)
    try:
        written = export_session(gateway.config.state_dir, args["session"], directory, args["format"] or "text")
    except (OSError, ValueError) as fault:
        return Outcome(False, f"not exported: {fault}")
    return Outcome(True, f"exported to {written}", {"path": str(written)})


async def drain(gateway: Gateway, operator: Identity, args: Mapping[str, str]) -> Outcome:
    await gateway.drain(0.0)
    left = len(gateway.sessions)
    return Outcome(True, f"draining: no new sessions; {left} still open" if left else "drained: no session is open")


async def where(gateway: Gateway, operator: Identity, args: Mapping[str, str]) -> Outcome:
    """What a client needs to connect: for scripts that have just started a gateway."""
    ca_file = str(gateway.ca_file or "")
    listeners = {one.protocol: one.address for one in gateway.listeners}
    words = [f"{protocol} {address}" for protocol, address in listeners.items()]
    return Outcome(True, ", ".join((*words, f"CA {ca_file or 'your own'}")), {"ca_file": ca_file, **listeners})


_SESSION = Argument("session", "the session's name, or the beginning of it")
_HELD = Argument("number", "the number of the held operation")
_REASON = Argument("reason", "why, for the client and the journal", required=False)

TABLE: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "approve",
            "let a held operation go on",
            (_HELD, _REASON, Argument("scope", "once, fingerprint or rule", required=False, default="once")),
            changes=True,
            dangerous=True,
            run=approve,
        ),
        Verb("deny", "refuse a held operation", (_HELD, _REASON), changes=True, dangerous=False, run=deny),
        Verb("kill", "end a session and prove it", (_SESSION, _REASON), changes=True, dangerous=True, run=kill),
        Verb("freeze", "start no new operation of a session", (_SESSION,), changes=True, dangerous=False, run=freeze),
        Verb("thaw", "undo freeze", (_SESSION,), changes=True, dangerous=False, run=thaw),
        Verb("reload", "read the policy again", (), changes=True, dangerous=False, run=reload),
        Verb(
            "export",
            "write a session's recording to a file",
            (_SESSION, Argument("format", "text or jsonl", required=False, default="text")),
            changes=False,
            dangerous=False,
            run=export,
        ),
        Verb("drain", "accept no new session", (), changes=True, dangerous=True, run=drain),
        Verb("where", "what a client needs to connect", (), changes=False, dangerous=False, run=where),
    )
}
