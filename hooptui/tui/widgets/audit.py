"""View 5: the journal's newest records, and what a check of it found. Pure columns over JournalLine; knows no desk."""

from __future__ import annotations

from datetime import tzinfo

from hooptui.core.desk import JournalLine, VerifyView
from hooptui.core.events import (
    Alert,
    Asked,
    Claimed,
    CredentialRemoved,
    Decided,
    GrantEnded,
    GrantGiven,
    Held,
    LoginFailed,
    SessionOpened,
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
from hooptui.core.filter import Fields
from hooptui.tui.journal_words import VIA, describe, kind, mark_of
from hooptui.tui.text import Row, Span, clean, count, crop, fit, plain
from hooptui.tui.widgets.rows import Column, Rows
from hooptui.tui.widgets.statusline import clock

FINDINGS = 50
"""Findings that are listed; the command line has them all."""


class AuditList(Rows[JournalLine]):
    """See the module. `who` names the sessions as far as they are known."""

    def __init__(self, zone: tzinfo | None) -> None:
        super().__init__(id="audit-list")
        self.who: dict[str, str] = {}
        self.columns = (
            Column("SEQ", lambda one: (str(one.seq), "faint"), 5, 9, right=True),
            Column("TIME", lambda one: (clock(one.event.at, zone, seconds=True), ""), 8, 8),
            Column("SESSION", lambda one: (clean(one.event.session, 12), "faint"), 7, 8),
            Column("WHO", lambda one: (self.who.get(one.event.session, ""), ""), 4, 12),
            Column("EVENT", _event, 10, 14),
            Column("WHAT", lambda one: (plain(describe(one.event.body, one.event.at)), ""), 10, 400, flex=True),
        )

    def key(self, item: JournalLine) -> object:
        return item.seq

    def passes(self, item: JournalLine) -> bool:
        return self.filter.holds(fields(item, self.who), item.event.at)

    def row_style(self, item: JournalLine) -> str:
        return "text"


def _event(one: JournalLine) -> Span:
    mark, name = mark_of(one.event.body)
    return f"{mark} {kind(one.event.body)}", name


def fields(one: JournalLine, who: dict[str, str]) -> Fields:
    """What the filter may ask of a record."""
    body = one.event.body
    known: dict[str, str | tuple[str, ...]] = {
        "id": (one.event.session, str(one.seq)),
        "who": who.get(one.event.session, ""),
        "kind": kind(body),
        "state": kind(body),
        "text": plain(describe(body, one.event.at)),
    }
    match body:
        case SessionOpened():
            known |= {
                "who": (body.name, f"{body.issuer}#{body.subject}"),
                "target": body.target,
                "via": VIA.get(body.protocol, body.protocol),
            }
            known |= {"group": body.groups, "app": body.application, "peer": body.peer}
        case Asked(verb=verb):
            known["verb"] = verb
        case Held(rule=rule, risk=risk):
            known |= {"rule": rule, "risk": risk}
        case Decided(rules=rules):
            known["rule"] = rules
        case Voted(name=name, by=by) | Claimed(name=name, by=by):
            known["who"] = (name, by)
        case LeaseIssued():
            known |= {"who": (body.name, f"{body.issuer}#{body.subject}"), "group": body.groups, "peer": body.peer}
        case CertificateIssued(identity=identity, peer=peer):
            known |= {"who": identity, "peer": peer}
        case OperatorLoggedIn():
            known |= {"who": (body.name, f"{body.issuer}#{body.subject}"), "group": body.groups}
        case IdentityBlocked(identity=identity, by=by) | IdentityUnblocked(identity=identity, by=by):
            known["who"] = (identity, by)
        case LeaseEnded(by=by):
            known["who"] = by
        case OperatorLoggedOut(identity=identity):
            known["who"] = identity
        case GrantEnded(identity=identity, target=target, by=by):
            known |= {"who": (identity, by), "target": target}
        case GrantGiven(rule=rule):
            known["rule"] = rule
        case CredentialRemoved(target=target):
            known["target"] = target
        case LoginFailed(peer=peer, target=target):
            known |= {"peer": peer, "target": target}
        case Alert(code=code):
            known["verb"] = code
        case _:
            pass
    return known


def verdict(view: VerifyView | None, running: bool, cells: int) -> tuple[Row, ...]:
    """The panel under the list: what the last check found."""
    if running:
        return (((" checking the whole journal and every sealed recording …", "warn"),),)
    if view is None:
        return (((" v checks the whole journal and every sealed recording", "faint"),),)
    amounts = f"{count(view.records)} records · {count(view.checkpoints)} checkpoints · {count(view.recordings)} recordings · {view.seconds:.2f} s"
    match view.status:
        case 0:
            head: Row = ((" ✓ intact", "ok"), ("  " + amounts, "text"))
        case 1:
            head = ((" ✗ BROKEN", "alarm"), ("  " + amounts, "text"))
        case _:
            head = ((" ✗ UNREADABLE", "alarm"), ("  " + amounts, "text"))
    name = "text" if view.status == 0 else "bad"
    rows: list[Row] = [head, *(((f"   {clean(one, 400)}", name),) for one in view.findings[:FINDINGS])]
    if len(view.findings) > FINDINGS:
        rows.append(
            ((f"   … {count(len(view.findings) - FINDINGS)} more findings: `hooptui verify` lists them all", "faint"),)
        )
    return tuple(crop(row, cells) for row in rows)


def record_rows(line: JournalLine, zone: tzinfo | None) -> list[Row]:
    """Every field of a record, for the window that enter opens."""
    body = line.event.body
    rows: list[Row] = [
        ((fit("seq", 14), "faint"), (str(line.seq), "strong")),
        ((fit("at", 14), "faint"), (clock(line.event.at, zone, seconds=True), "text")),
        ((fit("session", 14), "faint"), (clean(line.event.session, 40) or "the gateway", "text")),
        ((fit("event", 14), "faint"), (kind(body), "text")),
    ]
    for name in type(body).__dataclass_fields__:
        value = getattr(body, name)
        shown = (
            ", ".join(clean(str(one), 200) for one in value[:50])
            if isinstance(value, tuple)
            else clean(str(value), 3000)
        )
        rows.append(((fit(name, 14), "faint"), (shown, "text")))
    return rows
