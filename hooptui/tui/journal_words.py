"""One line of words and one symbol for every event there is. Pure; knows no widget and no width."""

from __future__ import annotations

from hooptui.core.events import (
    Alert,
    Asked,
    Body,
    Decided,
    Finished,
    Frozen,
    GatewayStarted,
    GatewayStopped,
    Header,
    Held,
    KillAsked,
    KillDone,
    LoginFailed,
    Omitted,
    Output,
    PolicyLoaded,
    PolicyRejected,
    RecordingSealed,
    Rows,
    SessionClosed,
    SessionOpened,
    TornTail,
    Voted,
)
from hooptui.core.events_channels import FileDone, TerminalOpened, TerminalOutput, TerminalResized
from hooptui.tui.journal_people import KINDS, People, people_mark, people_words
from hooptui.tui.people import decider, subject
from hooptui.tui.text import Row, clean, count, many, size, spot

VIA = {"postgres": "pg", "kubernetes": "k8s", "ssh": "ssh"}
"""Protocol names as columns show them."""


def kind(body: Body) -> str:
    """The word for a body in a column and in the filter: `asked`, `held`, `denied`, `login-failed`, …"""
    match body:
        case Decided(effect="deny"):
            return "denied"
        case Decided(why="policy"):
            return "allowed"
        case Decided(why=why):
            return clean(why, 12)
        case Voted(break_glass=True):
            return "broken glass"
        case Voted(approve=approve):
            return "vote yes" if approve else "vote no"
        case Frozen(on=on):
            return "frozen" if on else "thawed"
        case _:
            name = type(body).__name__
            return _KINDS.get(name, name.lower())


_KINDS = {
    "GatewayStarted": "started",
    "GatewayStopped": "stopped",
    "TornTail": "torn tail",
    "PolicyLoaded": "policy",
    "PolicyRejected": "rejected",
    "LoginFailed": "login failed",
    "SessionOpened": "opened",
    "SessionClosed": "closed",
    "RecordingSealed": "sealed",
    "KillAsked": "kill",
    "KillDone": "killed",
    **KINDS,
}


def mark_of(body: Body) -> tuple[str, str]:
    """Symbol and style of an event."""
    known = people_mark(body)
    if known is not None:
        return known
    match body:
        case Held():
            return "▲", "held"
        case Decided(effect="deny") | LoginFailed() | PolicyRejected() | KillAsked() | KillDone():
            return "✗", "bad"
        case Finished(ok=False) | Alert() | TornTail():
            return "✗", "bad"
        case Decided(why="approved" | "granted"):
            return "✓", "ok"
        case SessionOpened() | GatewayStarted():
            return "●", "up"
        case SessionClosed() | GatewayStopped():
            return "○", "faint"
        case Asked():
            return "▶", "ask"
        case Finished() | Rows() | Header() | Output():
            return "◀", "reply"
        case Frozen():
            return "‖", "frozen"
        case _:
            return "·", "faint"


def describe(body: Body, at: float | None = None) -> Row:
    """What happened, in one line; `at` is when, for words on how long something lasts."""
    if isinstance(body, People):
        return people_words(body, at)
    match body:
        case GatewayStarted(version=version, policy=policy, listeners=listeners):
            return (
                (
                    f"gateway {clean(version, 40)} started, policy {clean(policy, 16)}, {clean(', '.join(listeners), 200)}",
                    "text",
                ),
            )
        case GatewayStopped(reason=reason):
            return ((f"gateway stopped: {clean(reason, 200)}", "text"),)
        case TornTail(segment=segment, after=after, torn_bytes=torn):
            return (
                (
                    f"the previous run ended in mid-line: {size(torn)} set aside after #{after} in {clean(segment, 80)}",
                    "warn",
                ),
            )
        case PolicyLoaded(policy=policy, rules=rules, by=by):
            return ((f"policy {clean(policy, 16)} in force, {rules} rules, by {clean(by, 60)}", "text"),)
        case PolicyRejected(error=error, by=by):
            return ((f"policy rejected: {clean(error, 300)} (by {clean(by, 60)})", "bad"),)
        case Alert(code=code, text=text):
            return ((f"{clean(code, 40)}: ", "bad"), *spot(clean(text, 300), "text"))
        case LoginFailed(code=code, target=target, peer=peer, text=text):
            return (
                (f"login refused, {clean(code, 40)}: ", "bad"),
                *spot(clean(text, 200)),
                (f" ({clean(peer, 60)} to {clean(target, 60)})", "faint"),
            )
        case SessionOpened(name=name, kind=what, target=target, protocol=protocol, peer=peer, owner=owner, lease=lease):
            via = VIA.get(protocol, clean(protocol, 12))
            acts = f" for {subject(owner)}" if owner else ""
            return (
                *spot(clean(name, 80), "strong"),
                (f" ({clean(what, 12)}{acts}) → {clean(target, 80)} ({via})", "text"),
                (f" from {clean(peer, 60)}{f', lease {clean(lease, 20)}' if lease else ''}", "faint"),
            )
        case SessionClosed(reason=reason, operations=operations, masked=masked, bytes_out=out):
            why = clean(reason, 200) or "closed"
            return (
                *spot(why),
                (f" · {many(operations, 'operation')} · {many(masked, 'value')} masked · {size(out)} out", "faint"),
            )
        case RecordingSealed(size=octets, sha256=digest, cut=cut):
            return (
                (
                    f"recording sealed, {size(octets)}, sha256 {clean(digest, 12)}{', rows beyond the cap left out' if cut else ''}",
                    "faint",
                ),
            )
        case Asked(text=text):
            return tuple(spot(clean(text, 500), "sql"))
        case Held() | Decided():
            return _verdicts(body)
        case Finished(tag=tag, ok=ok, rows=rows, masked=masked):
            words = f" · {many(rows, 'row')}" if rows else ""
            words += f" · {count(masked)} masked" if masked else ""
            return (*spot(clean(tag, 300), "text" if ok else "bad"), (words, "faint"))
        case Frozen(by=by, on=on):
            return (
                (
                    f"{'frozen: no new operation starts' if on else 'thawed'}, by {clean(by, 60)}",
                    "frozen" if on else "text",
                ),
            )
        case KillAsked(by=by, reason=reason):
            return ((f"kill by {clean(by, 60)}", "bad"), *spot(f": {clean(reason, 200)}" if reason else "", "text"))
        case KillDone(confirmed=confirmed, how=how, seconds=seconds):
            head = "gone, confirmed" if confirmed else "NOT confirmed"
            return ((head, "strong" if confirmed else "bad"), (f" in {seconds:.2f} s: {clean(how, 200)}", "text"))
        case Header(columns=columns):
            return ((clean(" │ ".join(columns[:20]), 300), "faint"),)
        case Rows(rows=rows):
            return ((many(len(rows), "row"), "faint"),)
        case Output(stream=stream, text=text):
            return ((f"{clean(stream, 20)}: ", "faint"), *spot(clean(text, 300)))
        case Omitted(rows=rows, bytes=octets):
            what = f"{many(rows, 'row')} ({size(octets)})" if rows else size(octets)
            return ((f"{what} beyond the recording's cap", "warn"),)
        case TerminalOpened(term=term, columns=columns, rows=rows):
            return ((f"terminal of {columns} by {rows}", "text"), (f", {clean(term, 40)}" if term else "", "faint"))
        case TerminalResized(columns=columns, rows=rows):
            return ((f"the terminal is {columns} by {rows} now", "faint"),)
        case TerminalOutput(text=text):
            return ((many(len(text), "character"), "faint"),)
        case FileDone(verb=verb, paths=paths, result=result):
            return (
                (f"{clean(verb, 12)} ", "faint"),
                *spot(clean(" ".join(paths[:4]), 300)),
                (f": {clean(result, 200)}", "faint"),
            )
        case _:
            return ((clean(repr(body), 300), "faint"),)


def _verdicts(body: Held | Decided) -> Row:
    match body:
        case Held(approval=number, rule=rule, by=by, quorum=quorum, risk=risk, access=access, group=group):
            return (
                (f"held #{number}", "held"),
                (f" with {len(group) - 1} more" if group else "", "held"),
                (" · asks for access" if access else "", "held"),
                (f" by rule {clean(rule, 60)}", "text"),
                (f" · needs {quorum} of {clean(', '.join(by), 120)} · risk {clean(risk, 12)}", "faint"),
            )
        case Decided(effect="allow", why="approved", approval=number):
            return ((f"#{number} approved", "ok"), (", goes on", "text"))
        case Decided(effect="allow", why="granted", by=by):
            return (("goes on", "ok"), (f", covered by {clean(by, 60)}", "text"))
        case Decided(effect="allow", rules=rules):
            return (("allowed", "text"), (f" by {clean(', '.join(rules[:4]), 120)}" if rules else "", "faint"))
        case Decided(why="policy"):
            return (("denied by the policy", "bad"), (f": {clean(body.reason, 200)}" if body.reason else "", "text"))
        case Decided(why=why, approval=number, by=by):
            head = f"#{number} " if number else ""
            words = {
                "denied": f"denied by {decider(by)}" if by else "denied",
                "expired": "denied itself: nobody approved in time",
                "withdrawn": "withdrawn by the client",
                "killed": "ended: the session was killed",
                "deadline": "refused: the session's time is over",
                "unrecorded": "refused: it cannot be recorded",
            }
            return ((head + words.get(why, f"refused ({clean(why, 20)})"), "bad"),)
