"""The verbs on people: who is locked out, what is taken back, who sits at this desk. A part of the command table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hooptui.core.desk import Outcome
from hooptui.core.gate import LoginRefused
from hooptui.verb import Argument, BadArgument, Call, Verb

Run = Callable[[Call], Awaitable[Outcome]]

LONGEST_KEY = 600
"""Characters of an identity's key: issuer and subject."""


def _key(call: Call) -> str:
    """The identity that is meant: its key, or the name of one of its sessions."""
    wanted = call.args["identity"]
    if "#" in wanted and len(wanted) <= LONGEST_KEY and wanted.isprintable():
        return wanted
    found = {one.identity.key for number, one in call.gateway.sessions.items() if number.startswith(wanted)}
    if len(found) == 1:
        return found.pop()
    raise BadArgument(
        f"found {wanted[:80]!r}, expected issuer#subject, or the name of a session of the identity that is meant"
    )


async def block(call: Call) -> Outcome:
    key = _key(call)
    if key == call.operator.key:
        raise BadArgument("you cannot lock out yourself; another operator can")
    done = await call.gateway.keeper.block(key, call.operator, call.args["reason"])
    text = f"locked out {key}: {done.sessions} sessions killed, {done.leases} leases and {done.grants} grants void"
    data = {"sessions": done.sessions, "leases": done.leases, "grants": done.grants, "confirmed": done.confirmed}
    if not done.confirmed:
        text += "; NOT every kill was confirmed, see the journal"
    return Outcome(done.confirmed, text, data)


async def unblock(call: Call) -> Outcome:
    key = call.args["identity"]
    if not call.gateway.keeper.unblock(key, call.operator):
        raise BadArgument(f"{key[:LONGEST_KEY]!r} is not locked out")
    return Outcome(True, f"{key} may log in again")


async def revoke(call: Call) -> Outcome:
    what, reason = call.args["what"], call.args["reason"]
    keeper = call.gateway.keeper
    if what.startswith("hl_"):
        ended = await keeper.revoke_lease(what, call.operator, reason)
    elif what.removeprefix("#").isdecimal() and len(what) <= 12:
        ended = await keeper.revoke_grant(int(what.removeprefix("#")), call.operator, reason)
    else:
        raise BadArgument(
            f"found {what[:80]!r}, expected a lease (hl_…) or the number of the approval that gave a grant"
        )
    if ended is None:
        raise BadArgument(f"there is no lease or grant {what} in force")
    return Outcome(True, f"{what} is taken back; {ended} sessions ended with it", {"sessions": ended})


async def login(call: Call) -> Outcome:
    try:
        invitation = call.gateway.seats.invite(call.seat)
    except LoginRefused as no:
        return Outcome(False, no.message)
    data = {
        "verification_uri": invitation.url,
        "user_code": invitation.user_code,
        "expires_in": round(invitation.until - call.gateway.clock.now()),
    }
    return Outcome(True, f"open {invitation.url} and enter {invitation.user_code}", data)


async def logout(call: Call) -> Outcome:
    gone = call.gateway.seats.dismiss(call.seat)
    if gone is None:
        return Outcome(False, "nobody had logged in at this desk")
    return Outcome(True, f"{gone.name} has left this desk")


_WHY = Argument("reason", "why, for the journal", required=False)

VERBS: tuple[Verb, ...] = (
    Verb(
        "block",
        "lock an identity out: kill its sessions, void its leases and grants, refuse its logins",
        (Argument("identity", "issuer#subject, or the name of one of its sessions"), _WHY),
        changes=True,
        dangerous=True,
        run=block,
    ),
    Verb(
        "unblock",
        "let a locked-out identity log in again",
        (Argument("identity", "issuer#subject"),),
        changes=True,
        dangerous=False,
        run=unblock,
    ),
    Verb(
        "revoke",
        "take back a lease or a grant, and end what it opened",
        (Argument("what", "hl_… or the number of the approval that gave the grant"), _WHY),
        changes=True,
        dangerous=True,
        run=revoke,
    ),
    Verb("login", "prove who you are at this desk", (), changes=True, dangerous=False, run=login, anonymous=True),
    Verb("logout", "leave this desk", (), changes=True, dangerous=False, run=logout, anonymous=True),
)
