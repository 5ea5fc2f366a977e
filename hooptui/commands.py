"""The command table: every verb that changes the world or asks for work, once, for key, palette, CLI and control socket.

Runs on the gateway's loop. Knows no socket and no screen; what it answers is fit for the operator's eyes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hooptui import people
from hooptui.audit.export import FORMS, export_session
from hooptui.core.approvals import Vote, VoteRefused
from hooptui.core.desk import Command, Outcome
from hooptui.core.events import Claimed
from hooptui.core.gate import CannotRecord
from hooptui.core.model import Identity, Scope
from hooptui.door.seat import Seat
from hooptui.gateway import Gateway
from hooptui.store.trouble import StoreTrouble
from hooptui.verb import LONGEST, Argument, BadArgument, Call, Verb

__all__ = ["LONGEST", "TABLE", "Argument", "Verb", "run"]

NOBODY = Identity("local", "nobody", "nobody")
"""Who runs the commands that need no operator."""


async def run(gateway: Gateway, seat: Seat, command: Command, *, readonly: bool) -> Outcome:
    """Run one command for whoever sits at a desk; never raises for what an operator can do wrong."""
    verb = TABLE.get(command.verb)
    if verb is None:
        return Outcome(False, f"no command is called {command.verb!r}; there are {', '.join(TABLE)}")
    if verb.changes and readonly:
        return Outcome(False, f"{verb.name}: this screen is read-only")
    operator = seat.operator
    if verb.changes and operator is None and not verb.anonymous:
        how = "log in first (`login`)" if gateway.seats.may_log_in else "the configuration names no operator"
        return Outcome(False, f"{verb.name}: nobody here may decide: {how}")
    unknown = sorted(set(command.args) - {argument.name for argument in verb.args})
    if unknown:
        return Outcome(False, f"{verb.name}: found {', '.join(unknown)}, expected {_usage(verb)}")
    try:
        arguments = {argument.name: _argument(verb, argument, command.args) for argument in verb.args}
        return await verb.run(Call(gateway, seat, operator or NOBODY, arguments))
    except (BadArgument, VoteRefused) as no:
        return Outcome(False, str(no))
    except CannotRecord as broken:
        return Outcome(False, f"not done, because it cannot be recorded: {broken}")
    except StoreTrouble as trouble:
        return Outcome(False, f"not remembered over a restart: {trouble}")


def _usage(verb: Verb) -> str:
    return " ".join(one.name if one.required else f"[{one.name}]" for one in verb.args) or "no argument"


def _argument(verb: Verb, argument: Argument, given: Mapping[str, str]) -> str:
    value = given.get(argument.name, argument.default)
    if argument.required and not value:
        raise BadArgument(f"{verb.name}: {argument.name} is missing: {argument.help}")
    if len(value) > LONGEST:
        raise BadArgument(f"{verb.name}: found {len(value)} characters of {argument.name}, expected at most {LONGEST}")
    return value


# --- held operations and access requests


def _vote(call: Call, approve: bool, *, break_glass: bool = False) -> str:
    gateway, number = call.gateway, call.number()
    approval = gateway.approvals.get(number)
    session = gateway.sessions.get(approval.session) if approval else None
    if approval is None or session is None:
        raise VoteRefused(f"#{number} is not waiting: it was settled or never existed")
    scope = call.args.get("scope") or Scope.ONCE
    if scope not in tuple(Scope):
        raise BadArgument(f"found scope {scope!r}, expected one of {', '.join(Scope)}")
    lasts = call.seconds("lasts")
    if lasts is not None and not approval.access:
        raise BadArgument(f"lasts is for a connection that asks for access, and #{number} is an operation")
    reason = session.masker.text(call.args.get("reason", ""))
    vote = Vote(call.operator, approve, reason, Scope(scope), gateway.clock.now(), lasts, break_glass)
    after = gateway.approvals.vote(number, vote)
    if after.open:
        return f"counted: {after.approvals} of {after.terms.quorum} approve #{number}"
    return f"#{number} {after.status}"


async def approve(call: Call) -> Outcome:
    return Outcome(True, _vote(call, True))


async def deny(call: Call) -> Outcome:
    return Outcome(True, _vote(call, False))


async def break_glass(call: Call) -> Outcome:
    return Outcome(True, f"the glass is broken, and everybody is told: {_vote(call, True, break_glass=True)}")


async def claim(call: Call) -> Outcome:
    gateway, number, who = call.gateway, call.number(), call.operator
    approval = gateway.approvals.get(number)
    session = gateway.sessions.get(approval.session) if approval else None
    if approval is None or session is None:
        raise VoteRefused(f"#{number} is not waiting: it was settled or never existed")
    now = gateway.clock.now()
    approval.claimed(who, now)  # raises when they may not
    session.record(Claimed(number, approval.operation, who.key, session.masker.text(who.name)))
    gateway.approvals.claim(number, who, now)
    return Outcome(True, f"#{number} is yours to look into")


# --- sessions


async def kill(call: Call) -> Outcome:
    session = call.session()
    done = await session.kill(call.operator.name, call.args["reason"])
    sign = "confirmed" if done.confirmed else "NOT CONFIRMED"
    text = f"killed {session.id} in {done.seconds:.2f} s, {sign}: {done.how}"
    return Outcome(done.confirmed, text, {"confirmed": done.confirmed, "seconds": done.seconds, "how": done.how})


async def freeze(call: Call) -> Outcome:
    session = call.session()
    session.freeze(True, call.operator.key)
    return Outcome(True, f"{session.id} frozen: no new operation starts until it is thawed")


async def thaw(call: Call) -> Outcome:
    session = call.session()
    session.freeze(False, call.operator.key)
    return Outcome(True, f"{session.id} thawed")


# --- the gateway


async def reload(call: Call) -> Outcome:
    error = call.gateway.reload(call.operator.key)
    if error:
        return Outcome(False, f"the old policy stays: {error}")
    return Outcome(True, f"policy {call.gateway.policy.version[:8]} is in force")


async def export(call: Call) -> Outcome:
    state = call.gateway.config.state_dir
    directory = state / "exports"
    directory.mkdir(mode=0o700, exist_ok=True)
    channel = call.args["channel"]
    if channel and (not channel.isdecimal() or len(channel) > 12):
        raise BadArgument(f"found channel {channel!r}, expected the number of an operation, such as 3")
    form = call.args["format"] or ("cast" if channel else "text")
    chosen = int(channel) if channel else None
    try:
        # A long recording takes a while, and the loop has sessions to serve.
        written = await asyncio.to_thread(export_session, state, call.args["session"], directory, form, chosen)
    except (OSError, ValueError) as fault:
        return Outcome(False, f"not exported: {fault}")
    return Outcome(True, f"exported to {written}", {"path": str(written)})


async def drain(call: Call) -> Outcome:
    await call.gateway.drain(0.0)
    left = len(call.gateway.sessions)
    return Outcome(True, f"draining: no new sessions; {left} still open" if left else "drained: no session is open")


async def where(call: Call) -> Outcome:
    """What a client needs to connect: for scripts that have just started a gateway."""
    ca_file = str(call.gateway.papers.ca or "")
    listeners = {one.protocol: one.address for one in call.gateway.listeners}
    words = [f"{protocol} {address}" for protocol, address in listeners.items()]
    return Outcome(True, ", ".join((*words, f"CA {ca_file or 'your own'}")), {"ca_file": ca_file, **listeners})


_SESSION = Argument("session", "the session's name, or the beginning of it")
_HELD = Argument("number", "the number of the held operation")
_REASON = Argument("reason", "why, for the client and the journal", required=False)
_LASTS = Argument("lasts", "how long, when it asks for access: 5m, 1h", required=False)
_SCOPE = Argument(
    "scope", "once, group (all that is shown with it), fingerprint, run or rule", required=False, default="once"
)
_FORMAT = Argument("format", f"{', '.join(FORMS)}; text when nothing else is said", required=False)
_CHANNEL = Argument("channel", "for a cast: the operation that had the terminal", required=False)


def _verb(
    name: str, words: str, run: people.Run, *args: Argument, changes: bool = True, dangerous: bool = False
) -> Verb:
    return Verb(name, words, args, changes=changes, dangerous=dangerous, run=run)


TABLE: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        _verb("approve", "let a held operation go on, or a connection in", approve, _HELD, _REASON, _SCOPE, _LASTS, dangerous=True),
        _verb("deny", "refuse a held operation", deny, _HELD, _REASON),
        _verb("claim", "say that you are looking into a held operation", claim, _HELD),
        _verb(
            "break-glass", "let it go alone, in an emergency, with everybody told", break_glass,
            _HELD, Argument("reason", "why it cannot wait"), _LASTS, dangerous=True,
        ),
        _verb("kill", "end a session and prove it", kill, _SESSION, _REASON, dangerous=True),
        _verb("freeze", "start no new operation of a session", freeze, _SESSION),
        _verb("thaw", "undo freeze", thaw, _SESSION),
        *people.VERBS,
        _verb("reload", "read the policy again", reload),
        _verb("export", "write a session's recording to a file", export, _SESSION, _FORMAT, _CHANNEL, changes=False),
        _verb("drain", "accept no new session", drain, dangerous=True),
        _verb("where", "what a client needs to connect", where, changes=False),
    )
}  # fmt: skip
