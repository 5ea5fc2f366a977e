"""Words and symbols for the events about people: leases, grants, blocks, operators, credentials, and who decided what. Pure."""

from __future__ import annotations

from hooptui.core.events import (
    Body,
    Claimed,
    CredentialMinted,
    CredentialRemoved,
    DeadlineMoved,
    GrantEnded,
    GrantGiven,
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
from hooptui.tui.people import LOCAL, decider, host, issuer, spoken, subject
from hooptui.tui.text import Row, Span, clean, many, spot

SCOPES = {
    "once": "once",
    "fingerprint": "this statement",
    "group": "what was shown with it",
    "run": "the rest of this run",
    "rule": "this rule",
    "access": "access",
}
"""Scopes as people say them."""

KINDS = {
    "DeadlineMoved": "deadline",
    "CredentialMinted": "minted",
    "CredentialRemoved": "removed",
    "CertificateIssued": "certificate",
    "Claimed": "claimed",
    "GrantGiven": "grant",
    "GrantEnded": "grant ended",
    "LeaseIssued": "lease",
    "LeaseEnded": "lease ended",
    "IdentityBlocked": "blocked",
    "IdentityUnblocked": "unblocked",
    "OperatorLoggedIn": "operator in",
    "OperatorLoggedOut": "operator out",
}
"""The word for each in a column and in the filter."""

People = (
    Voted
    | Claimed
    | GrantGiven
    | GrantEnded
    | DeadlineMoved
    | CredentialMinted
    | CredentialRemoved
    | LeaseIssued
    | LeaseEnded
    | CertificateIssued
    | IdentityBlocked
    | IdentityUnblocked
    | OperatorLoggedIn
    | OperatorLoggedOut
)


def people_mark(body: Body) -> Span | None:
    """Symbol and style; None for an event that is about something else."""
    match body:
        case Voted(break_glass=True):
            return "‼", "alarm"
        case Voted(approve=False) | IdentityBlocked() | CredentialRemoved(confirmed=False):
            return "✗", "bad"
        case GrantEnded() | LeaseEnded():
            return "✗", "warn"
        case Voted() | GrantGiven() | IdentityUnblocked() | CredentialRemoved():
            return "✓", "ok"
        case LeaseIssued() | CertificateIssued() | OperatorLoggedIn():
            return "●", "up"
        case OperatorLoggedOut():
            return "○", "faint"
        case Claimed() | DeadlineMoved() | CredentialMinted():
            return "·", "faint"
        case _:
            return None


def people_words(body: People, at: float | None) -> Row:
    """What happened, in one line; `at` is when, so that a moment to come can be told as a length of time."""
    match body:
        case Voted():
            return _vote(body)
        case Claimed(approval=number, name=name):
            return (*spot(clean(name, 80), "strong"), (f" looks into #{number}", "text"))
        case GrantGiven(approval=number, scope=scope, rule=rule, until=until):
            what = SCOPES.get(scope, clean(scope, 20))
            return ((f"#{number} leaves a grant for {what} under {clean(rule, 60)}{_for(until, at)}", "text"),)
        case GrantEnded(approval=number, identity=identity, target=target, by=by, reason=reason):
            head = f"the grant of #{number} is taken back by {decider(by)}"
            return (
                (head, "warn"),
                *spot(f": {clean(reason, 200)}" if reason else "", "text"),
                (f" ({subject(identity)} on {clean(target, 60)})", "faint"),
            )
        case DeadlineMoved(bound=bound, until=until, deadline=deadline, approval=number):
            by = f" of #{number}" if number else ""
            if until <= deadline:
                return ((f"ends with its {clean(bound, 12)}{by} now{_in(deadline, at)}", "text"),)
            return ((f"its {clean(bound, 12)} was renewed; something else ends it{_in(deadline, at)}", "text"),)
        case CredentialMinted(kind=kind, name=name, until=until):
            return ((f"{clean(kind, 20)} {clean(name, 80)} made for this session alone{_for(until, at)}", "text"),)
        case CredentialRemoved(target=target, kind=kind, name=name, confirmed=confirmed, how=how):
            sure = "is gone, confirmed" if confirmed else "is NOT seen to be gone"
            return (
                (f"{clean(kind, 20)} {clean(name, 80)} {sure}", "text" if confirmed else "bad"),
                (f": {clean(how, 200)} ({clean(target, 60)})", "faint"),
            )
        case _:
            return _who(body, at)


def _who(
    body: LeaseIssued
    | LeaseEnded
    | CertificateIssued
    | IdentityBlocked
    | IdentityUnblocked
    | OperatorLoggedIn
    | OperatorLoggedOut,
    at: float | None,
) -> Row:
    match body:
        case LeaseIssued(lease=lease, name=name, kind=kind, owner=owner, how=how, peer=peer, expires_at=until):
            acts = f" for {subject(owner)}" if owner else ""
            return (
                *spot(clean(name, 80), "strong"),
                (
                    f" ({clean(kind, 12)}{acts}) has lease {clean(lease, 20)} by {clean(how, 12)}{_for(until, at)}",
                    "text",
                ),
                (f" of {host(body.issuer)} from {clean(peer, 60)}", "faint"),
            )
        case CertificateIssued(identity=identity, lease=lease, key_id=key_id, serial=serial, until=until, peer=peer):
            proof = f", by lease {clean(lease, 20)}" if lease else ""
            return (
                (subject(identity), "strong"),
                (f" has ssh certificate {clean(key_id, 60)} (serial {serial}){_for(until, at)}", "text"),
                (f"{proof}, from {clean(peer, 60)}", "faint"),
            )
        case LeaseEnded(lease=lease, why=why, by=by):
            return ((f"lease {clean(lease, 20)} ended: {clean(why, 20)}{f' by {decider(by)}' if by else ''}", "warn"),)
        case IdentityBlocked(identity=identity, by=by, reason=reason):
            gone = f"{many(body.sessions, 'session')}, {many(body.leases, 'lease')}, {many(body.grants, 'grant')} ended"
            return (
                (f"{subject(identity)} is blocked by {decider(by)}", "bad"),
                *spot(f": {clean(reason, 200)}" if reason else "", "text"),
                (f" · {gone} · {clean(identity, 200)}", "faint"),
            )
        case IdentityUnblocked(identity=identity, by=by):
            return (
                (f"{subject(identity)} may log in again, says {decider(by)}", "text"),
                (f" · {clean(identity, 200)}", "faint"),
            )
        case OperatorLoggedIn(issuer=proved_by, name=name, groups=groups, how=how, expires_at=until):
            groups_text = ", ".join(clean(one, 40) for one in groups[:8]) or "no group"
            proof = (
                "named by the configuration, not by an identity provider"
                if how == LOCAL
                else f"by {clean(how, 12)} at {host(proved_by)}"
            )
            return (
                *spot(clean(name, 80), "strong"),
                (f" decides at this gateway, {proof}{_for(until, at)}", "text"),
                (f" · {groups_text}", "faint"),
            )
        case OperatorLoggedOut(identity=identity, why=why):
            return ((f"{subject(identity)} decides no more: {clean(why, 200)}", "text"),)


def _vote(body: Voted) -> Row:
    mark = (f" ({LOCAL})", "warn") if issuer(body.by) == LOCAL else ("", "")
    name = (*spot(clean(body.name, 80), "strong"), mark)
    number, lasts = body.approval, f" for {spoken(body.lasts)}" if body.lasts else ""
    if body.break_glass:
        return (("GLASS BROKEN: ", "alarm"), *name, (f" lets #{number} go alone, in an emergency{lasts}", "bad"))
    if not body.approve:
        return (*name, (f" denies #{number}", "bad"))
    scope = lasts.strip() if lasts else SCOPES.get(body.scope, clean(body.scope, 20))
    return (*name, (f" approves #{number}, {scope}", "ok"))


def _for(until: float | None, at: float | None) -> str:
    return f" for {spoken(until - at)}" if until is not None and at is not None and until > at else ""


def _in(until: float, at: float | None) -> str:
    return f", in {spoken(until - at)}" if at is not None and until > at else ""
