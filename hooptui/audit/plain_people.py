"""Events about votes, grants, leases, credentials and people as plain text: a part of `audit.plain`. Pure; knows no file."""

from __future__ import annotations

from collections.abc import Iterable

from hooptui.audit.evidence import stamp
from hooptui.core.events import (
    Body,
    Claimed,
    CredentialMinted,
    CredentialRemoved,
    DeadlineMoved,
    GrantEnded,
    GrantGiven,
    Held,
    Voted,
)
from hooptui.core.events_people import (
    CertificateIssued,
    IdentityBlocked,
    IdentityUnblocked,
    LeaseEnded,
    LeaseIssued,
    OperatorLoggedIn,
    OperatorLoggedOut,
)
from hooptui.core.visible import visible


def people_words(body: Body) -> list[str]:
    """The lines of an event; none for one that is about something else."""
    match body:
        case Held() | Voted() | Claimed() | GrantGiven() | GrantEnded() | DeadlineMoved():
            return _judged(body)
        case CredentialMinted(kind=kind, name=name, until=until):
            return [f"● {visible(kind)} {visible(name)} made for this session alone, until {stamp(until)}"]
        case CredentialRemoved(confirmed=confirmed):
            sign, sure = ("✓", "confirmed") if confirmed else ("✗", "NOT confirmed")
            where = f"{visible(body.kind)} {visible(body.name)} on {visible(body.target)}"
            return [f"{sign} {where} is gone, {sure}: {visible(body.how)}"]
        case CertificateIssued():
            lease = f" by lease {visible(body.lease)}" if body.lease else ""
            return [
                f"● certificate {body.serial} for {visible(body.identity)} ({visible(body.key_id)}){lease}"
                f" from {visible(body.peer)}, until {stamp(body.until)}"
            ]
        case _:
            return _came_and_went(body)


def _judged(body: Held | Voted | Claimed | GrantGiven | GrantEnded | DeadlineMoved) -> list[str]:
    match body:
        case Held(approval=number):
            what = (
                f"▲ {body.operation} asks to be let in as #{number}"
                if body.access
                else f"▲ {body.operation} held as #{number}"
            )
            group = [f"  one review for {len(body.group)}: {_list(body.group)}"] if body.group else []
            glass = f" · in an emergency {_list(body.break_glass)}" if body.break_glass else ""
            return [
                f"{what} · rule {visible(body.rule)} “{visible(body.reason)}”",
                f"  needs {body.quorum} of {_list(body.by)} · risk {visible(body.risk)} · until {stamp(body.expires_at)}{glass}",
                *group,
            ]
        case Voted(approval=number, break_glass=glass, approve=approve):
            sign, verb = ("‼", "breaks the glass for") if glass else ("✓", "approves") if approve else ("✗", "denies")
            what = f"for {body.lasts:g} s" if body.lasts else visible(body.scope)
            groups = f" as {_list(body.groups)}" if body.groups else ""
            words = f" ({what})" if approve else ""
            return [
                f"{sign} {visible(body.name)} ({visible(body.by)}) {verb} #{number}{words}{groups}: {visible(body.reason)}"
            ]
        case Claimed(approval=number, by=by, name=name):
            return [f"● {visible(name)} ({visible(by)}) looks into #{number}"]
        case GrantGiven(approval=number, scope=scope, rule=rule, until=until):
            what = "access" if scope == "access" else f"a grant for {visible(scope)}"
            return [f"✓ #{number} gives {what} under rule {visible(rule)} until {stamp(until)}"]
        case GrantEnded(approval=number):
            by = f"taken back by {visible(body.by)}" if body.by else "void"
            reason = f": {visible(body.reason)}" if body.reason else ""
            return [f"✗ the grant of #{number} to {visible(body.identity)} on {visible(body.target)} is {by}{reason}"]
        case DeadlineMoved(approval=number):
            what = (
                f"let in by the access of #{number}"
                if number
                else f"its {visible(body.bound)} lasts until {stamp(body.until)}"
            )
            return [f"● {what}; ends at {stamp(body.deadline)}"]


def _came_and_went(body: Body) -> list[str]:
    match body:
        case LeaseIssued():
            who = f"{visible(body.name)} ({visible(body.issuer)}#{visible(body.subject)}, {visible(body.kind)})"
            owner = f" · for {visible(body.owner)}" if body.owner else ""
            return [
                f"● lease {visible(body.lease)} for {who} after {visible(body.how)} from {visible(body.peer)}",
                f"  groups {_list(body.groups)}{owner} · until {stamp(body.expires_at)}",
            ]
        case LeaseEnded():
            return [f"✗ lease {visible(body.lease)} {visible(body.why)} by {visible(body.by)}"]
        case IdentityBlocked(identity=identity):
            ended = f"{body.sessions} sessions, {body.leases} leases, {body.grants} grants ended"
            return [f"✗ {visible(body.by)} locks out {visible(identity)}: {visible(body.reason)} · {ended}"]
        case IdentityUnblocked(identity=identity, by=by):
            return [f"✓ {visible(by)} lets {visible(identity)} in again"]
        case OperatorLoggedIn():
            until = f", until {stamp(body.expires_at)}" if body.expires_at is not None else ""
            who = f"{visible(body.name)} ({visible(body.issuer)}#{visible(body.subject)})"
            return [f"● operator {who} is here after {visible(body.how)} as {_list(body.groups)}{until}"]
        case OperatorLoggedOut(identity=identity, why=why):
            return [f"○ operator {visible(identity)} is gone: {visible(why)}"]
        case _:
            return []


def _list(names: Iterable[str]) -> str:
    return ", ".join(visible(name) for name in names) or "-"
