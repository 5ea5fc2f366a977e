"""Votes, grants, leases and credentials, as text."""

from __future__ import annotations

import pytest

from hooptui.audit.codec import kind_of
from hooptui.audit.plain import plain
from hooptui.core.events import (
    BODIES,
    Body,
    Claimed,
    CredentialMinted,
    CredentialRemoved,
    DeadlineMoved,
    Decided,
    Event,
    GrantEnded,
    GrantGiven,
    Held,
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
from tests.audit.making import NOW, M, body_of

UNTIL = "2023-11-14 22:18:20 UTC"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            Held(1, 17, "jit", "in time", ("dba",), 2, "medium", NOW + 300, True, ("duty",)),
            ["▲ 1 asks to be let in as #17 · rule jit “in time”", f"  needs 2 of dba · risk medium · until {UNTIL} · in an emergency duty"],
        ),
        (
            Held(4, 18, "w", "wait", ("dba", "lead"), 1, "low", NOW + 300),
            ["▲ 4 held as #18 · rule w “wait”", f"  needs 1 of dba, lead · risk low · until {UNTIL}"],
        ),
        (
            Held(4, 18, "w", "wait", ("dba",), 1, "low", NOW + 300, group=(M("s/pods/a"), M("s/pods/b\x1b"))),
            [
                "▲ 4 held as #18 · rule w “wait”",
                f"  needs 1 of dba · risk low · until {UNTIL}",
                "  one review for 2: s/pods/a, s/pods/b␛",
            ],
        ),
        (
            Voted(17, 1, "i#a", M("ops-1"), True, M("ok"), "once", 300.0, False, ("dba",)),
            ["✓ ops-1 (i#a) approves #17 (for 300 s) as dba: ok"],
        ),
        (
            Voted(17, 1, "i#a", M("ops-1"), True, M("fire"), "once", 60.0, True, ("duty",)),
            ["‼ ops-1 (i#a) breaks the glass for #17 (for 60 s) as duty: fire"],
        ),
        (Voted(17, 1, "i#a", M("ops-1"), True, M("ok"), "rule"), ["✓ ops-1 (i#a) approves #17 (rule): ok"]),
        (Voted(17, 1, "i#a", M("ops-1"), False, M("no"), "once", 0.0, False, ("dba",)), ["✗ ops-1 (i#a) denies #17 as dba: no"]),
        (Claimed(17, 1, "i#a", M("ops-1")), ["● ops-1 (i#a) looks into #17"]),
        (GrantGiven(17, "access", "jit", NOW + 300), [f"✓ #17 gives access under rule jit until {UNTIL}"]),
        (GrantGiven(17, "rule", "w", NOW + 300), [f"✓ #17 gives a grant for rule under rule w until {UNTIL}"]),
        (GrantEnded(17, "i#u", "db", "i#a", M("done")), ["✗ the grant of #17 to i#u on db is taken back by i#a: done"]),
        (GrantEnded(17, "i#u", "db", "", M("")), ["✗ the grant of #17 to i#u on db is void"]),
        (DeadlineMoved("grant", NOW + 300, NOW + 300, 17), [f"● let in by the access of #17; ends at {UNTIL}"]),
        (
            DeadlineMoved("token", NOW + 360, NOW + 300),
            [f"● its token lasts until 2023-11-14 22:19:20 UTC; ends at {UNTIL}"],
        ),
        (Decided(2, "allow", "granted", ("w",), "", "p", 17, "approval #17"), ["✓ 2 allow (granted) #17 · rule w ·"]),
        (CredentialMinted("role", "ht_1", NOW + 300), [f"● role ht_1 made for this session alone, until {UNTIL}"]),
        (CredentialRemoved("db", "role", "ht_1", True, "not in pg_roles"), ["✓ role ht_1 on db is gone, confirmed: not in pg_roles"]),
        (CredentialRemoved("db", "role", "ht_1", False, "no answer"), ["✗ role ht_1 on db is gone, NOT confirmed: no answer"]),
        (
            CertificateIssued("i#u", "hl_1", "k", 7, NOW + 300, "10.0.0.9"),
            [f"● certificate 7 for i#u (k) by lease hl_1 from 10.0.0.9, until {UNTIL}"],
        ),
        (
            LeaseIssued("hl_1", "i", "u", M("bot"), ("eng",), "agent", "i#o", "device", "10.0.0.9", NOW + 300),
            ["● lease hl_1 for bot (i#u, agent) after device from 10.0.0.9", f"  groups eng · for i#o · until {UNTIL}"],
        ),
        (LeaseEnded("hl_1", "revoked", "i#a"), ["✗ lease hl_1 revoked by i#a"]),
        (IdentityBlocked("i#u", "i#a", M("gone"), 1, 2, 3), ["✗ i#a locks out i#u: gone · 1 sessions, 2 leases, 3 grants ended"]),
        (IdentityUnblocked("i#u", "i#a"), ["✓ i#a lets i#u in again"]),
        (OperatorLoggedIn("i", "a", M("ops-1"), ("dba",), "device", NOW + 300), [f"● operator ops-1 (i#a) is here after device as dba, until {UNTIL}"]),
        (OperatorLoggedIn("local", "a", M("ops-1"), (), "local", None), ["● operator ops-1 (local#a) is here after local as -"]),
        (OperatorLoggedOut("i#a", "logout"), ["○ operator i#a is gone: logout"]),
        (
            SessionOpened("i", "u", M("bot"), ("eng",), "agent", "db", "postgres", "p", M("psql"), None, "p1", "i#o", "hl_1"),
            ["● bot → db (postgres) from p", "  i#u (agent for i#o) · lease hl_1", "  groups eng · application psql · policy p1"],
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Body) else "",
)  # fmt: skip
def test_words(body: Body, said: list[str]) -> None:
    assert [line[10:] for line in plain([Event(NOW, "a", body)])][1:] == said


def test_every_event_about_people_has_words_of_its_own() -> None:
    plainly = {
        kind.__name__
        for kind in BODIES
        for line in [*plain([Event(NOW, "a", body_of(kind))])][1:]
        if line[10:].startswith(f"● {kind_of(kind).replace('_', ' ')}:")
    }
    assert plainly == {
        "GatewayStarted", "GatewayStopped", "TornTail", "PolicyLoaded", "PolicyRejected", "Alert", "LoginFailed", "RecordingSealed",
    }  # fmt: skip
