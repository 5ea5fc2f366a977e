"""The worlds of the scenes. Times are fixed: nothing here looks at a clock."""

from __future__ import annotations

from dataclasses import replace

from hooptui.core.desk import (
    BlockView,
    GrantView,
    Health,
    HeldView,
    JournalLine,
    LeaseView,
    ListenerView,
    RecordingView,
    SessionView,
    Snapshot,
    VerifyView,
)
from hooptui.core.events import (
    Asked,
    Body,
    Decided,
    Event,
    Finished,
    Frozen,
    GatewayStarted,
    Header,
    Held,
    KillAsked,
    KillDone,
    LoginFailed,
    Output,
    Rows,
    SessionClosed,
    SessionOpened,
    Voted,
)
from hooptui.core.gate import Masked
from tests.ui.desk import SceneDesk

NOW = 1_767_276_120.0
"""2026-01-01 14:02:00 UTC."""

M = Masked


def health(**changes: object) -> Health:
    base = Health(
        name="prod-eu",
        now=NOW,
        listeners=(
            ListenerView("pg", "0.0.0.0:5432", True),
            ListenerView("ssh", "0.0.0.0:2222", True),
            ListenerView("k8s", "0.0.0.0:6443", True),
        ),
        live=0,
        held=0,
        oldest_held=0.0,
        journal_ok=True,
        journal_records=18422,
        journal_error="",
        loop_delay=0.004,
        policy="1f3c9a02",
        operator="ops-1",
        operator_key="https://id.example#ops-1",
        operator_groups=("dba", "ops", "oncall"),
        operator_until=NOW + 7200,
        may_log_in=True,
    )
    return replace(base, **changes)


def session(
    number: str, who: str, target: str, via: str, age: float, operations: int, state: str, last: str, **changes: object
) -> SessionView:
    base = SessionView(
        id=number,
        who=M(who),
        identity=f"https://id.example#{who}",
        groups=("agents",),
        kind="workload",
        target=target,
        via=via,
        peer="10.2.0.14:51844",
        application=M("psql"),
        opened_at=NOW - age,
        deadline=NOW + 3600,
        operations=operations,
        masked=operations * 2,
        bytes_out=operations * 900,
        state=state,
        last=M(last),
        last_at=NOW - 3,
        bounds=(("token", NOW + 3600),),
    )
    return replace(base, **changes)


def hold(
    number: int, who: str, target: str, via: str, waited: float, left: float, text: str, rule: str, **changes: object
) -> HeldView:
    base = HeldView(
        number=number,
        session="91c0",
        who=M(who),
        target=target,
        via=via,
        opened_at=NOW - waited,
        expires_at=NOW + left,
        text=M(text),
        verb=text.split()[0].lower(),
        relations=("payments",),
        facts=(("tables", "payments"), ("where", "none"), ("in transaction", "yes")),
        rule=rule,
        rule_words="UPDATE or DELETE without WHERE",
        risk="medium",
        by=("dba",),
        quorum=1,
        approvals=0,
        scopes=("once", "fingerprint"),
        scope_lasts=900.0,
        reason_required=False,
        kind="workload",
    )
    return replace(base, **changes)


SESSIONS = (
    session(
        "7f3a",
        "etl-7",
        "orders-db",
        "pg",
        724,
        41,
        "live",
        "SELECT id, email, card FROM customers LIMIT 5",
        lease="hl_k3v7q2m5x9ta",
        bounds=(("lease", NOW + 740), ("policy", NOW + 2876)),
    ),
    session(
        "91c0",
        "bot",
        "orders-db",
        "pg",
        190,
        7,
        "held",
        "DELETE FROM payments",
        kind="agent",
        owner="https://id.example#ops-2",
        groups=("agents", "billing"),
        grant=12,
        bounds=(("grant", NOW + 250), ("token", NOW + 3600)),
        purpose=M("INC-812: void the double charges"),
    ),
    session(
        "a2e4",
        "ops-2",
        "web-17",
        "ssh",
        52,
        3,
        "held",
        "systemctl stop nginx",
        kind="human",
        lease="hl_8d2hw4c6rznb",
        bounds=(("lease", NOW + 41),),
    ),
    session("b810", "aid", "prod-eu", "k8s", 521, 19, "held", "delete pod web/api-1"),
    session("c3d2", "qa-1", "web-03", "ssh", 2480, 212, "live", "tail -f /var/log/nginx/access.log"),
    session(
        "c9f1",
        "report-3",
        "orders-db",
        "pg",
        31,
        2,
        "running",
        "SELECT region, sum(total) FROM orders GROUP BY region ORDER BY 2 DESC",
    ),
    session("d004", "etl-7", "ledger-db", "pg", 8003, 1804, "live", "COPY entries TO STDOUT", last_at=NOW - 400),
    session("d77b", "qa-2", "web-03", "ssh", 12, 1, "frozen", "uptime"),
    session("e1aa", "ci-12", "prod-eu", "k8s", 77, 6, "live", "get deployments -n web"),
)

HELD = (
    hold(
        17, "bot", "orders-db", "pg", 47, 73, "DELETE FROM payments", "no-where", risk="high", kind="agent", owner="https://id.example#ops-2",
        break_glass=("oncall",),
    ),
    hold(
        18, "ops-2", "web-17", "ssh", 21, 99, "systemctl stop nginx", "ssh-svc", session="a2e4", facts=(("program", "systemctl"), ("as", "root")),
        rule_words="Stopping a service", by=("ops",), relations=("nginx",), scopes=("once",), kind="human",
    ),
)  # fmt: skip

HELD_19 = hold(
    19, "aid", "prod-eu", "k8s", 0, 120, "delete pod web/api-1", "pods-write", session="b810", facts=(("verb", "delete"), ("namespace", "web")),
    rule_words="Deleting pods in prod", by=("sre",), relations=("pod web/api-1",),
)  # fmt: skip


WAITING = session(
    "f0a3",
    "ops-3",
    "ledger-db",
    "pg",
    12,
    1,
    "held",
    "INC-813: rebuild index",
    kind="human",
    purpose=M("INC-813: rebuild index"),
)
ACCESS = hold(
    20, "ops-3", "ledger-db", "pg", 12, 588, "INC-813: rebuild index", "ledger-jit", session="f0a3", verb="connect", relations=(), facts=(),
    rule_words="Access to the ledger is by request", by=("dba", "sre"), scopes=(), scope_lasts=3600.0, kind="human", access=True,
    reason_required=True, break_glass=("oncall",),
)  # fmt: skip
"""A connection that asks to be let in, and its session."""

LEASES = (
    LeaseView("hl_8d2hw4c6rznb", M("ops-2"), "https://id.example#ops-2", "human", "", "browser", NOW - 3559, NOW + 41, 1),
    LeaseView("hl_k3v7q2m5x9ta", M("etl-7"), "https://id.example#etl-7", "workload", "", "exchange", NOW - 724, NOW + 740, 1),
    LeaseView("hl_p5y6e3fj4ubq", M("fixer"), "https://ci.example#fixer", "agent", "https://id.example#ops-1", "device", NOW - 60, NOW + 3540, 0),
)  # fmt: skip
GRANTS = (
    GrantView(12, "https://id.example#bot", "orders-db", "access", "orders-jit", NOW + 250, 1),
    GrantView(14, "https://id.example#qa-1", "web-03", "rule", "ssh-svc", NOW + 660, 0),
)
BLOCKS = (
    BlockView("https://ci.example#rogue-ci", "https://id.example#ops-1", M("token found in a build log"), NOW - 5400),
)


def ev(seconds: float, body: Body, number: str = "7f3a") -> Event:
    """An event `seconds` before (negative) or after NOW."""
    return Event(NOW + seconds, number, body)


OPENED = SessionOpened(
    "https://id.example",
    "etl-7",
    M("etl-7"),
    ("agents", "etl"),
    "workload",
    "orders-db",
    "postgres",
    "10.2.0.14:51844",
    M("psql"),
    NOW + 3600,
    "1f3c9a02",
)

TRANSCRIPT = [
    ev(-724, OPENED),
    ev(-61, Asked(40, "select", M("SELECT id, email, card FROM customers LIMIT 5"), ("select",), ("customers",))),
    ev(-61, Decided(40, "allow", "policy", ("agents-read-orders",), "", "1f3c9a02")),
    ev(-61, Header(40, (M("id"), M("email"), M("card")))),
    ev(
        -61,
        Rows(
            40,
            tuple(
                (M(str(number)), M("████@acme.io"), M(f"████ ████ ████ {card}"))
                for number, card in ((1, "4242"), (2, "0005"), (3, "1117"), (4, "9424"), (5, "3222"))
            ),
        ),
    ),
    ev(-61, Finished(40, M("SELECT 5"), True, 5, 10, 3.1, ("pii-cards",))),
    ev(
        -53,
        Asked(
            41,
            "update",
            M("UPDATE customers SET note = $1 WHERE id = $2"),
            ("update",),
            ("customers",),
            (M("‹text 14›"), M("42")),
        ),
    ),
    ev(-53, Decided(41, "allow", "policy", ("etl-writes",), "", "1f3c9a02")),
    ev(-53, Finished(41, M("UPDATE 1"), True, 1, 0, 2.0)),
]

HELD_TRANSCRIPT = [
    ev(-190, replace(OPENED, name=M("bot"), subject="bot"), "91c0"),
    ev(-120, Asked(5, "truncate", M("TRUNCATE audit_log"), ("truncate",), ("audit_log",)), "91c0"),
    ev(-120, Decided(5, "deny", "policy", ("no-destructive-ddl",), "DDL goes through migrations", "1f3c9a02"), "91c0"),
    ev(
        -100,
        Asked(6, "update", M("UPDATE payments SET state = 'void'\nWHERE id = 88121"), ("update",), ("payments",)),
        "91c0",
    ),
    ev(-100, Held(6, 16, "writes-need-dba", "Writes in prod need a DBA", ("dba",), 1, "medium", NOW + 20), "91c0"),
    ev(
        -81,
        Voted(16, 6, "https://id.example#ops-1", M("ops-1"), True, M("INC-812, agreed with billing"), "once"),
        "91c0",
    ),
    ev(
        -81,
        Decided(6, "allow", "approved", ("writes-need-dba",), "", "1f3c9a02", 16, "https://id.example#ops-1"),
        "91c0",
    ),
    ev(-80, Finished(6, M("UPDATE 1"), True, 1, 0, 6.0), "91c0"),
    ev(-70, Asked(6, "select", M("SELEC 1"), ("unknown",), ()), "91c0"),
    ev(-70, Finished(6, M('ERROR 42601 syntax error at or near "SELEC"'), False, 0, 0, 1.0), "91c0"),
    ev(-47, Asked(7, "delete", M("DELETE FROM payments"), ("delete",), ("payments",)), "91c0"),
    ev(-47, Held(7, 17, "no-where", "UPDATE or DELETE without WHERE", ("dba",), 1, "high", NOW + 73), "91c0"),
]

KILLED_TRANSCRIPT = [
    ev(-900, replace(OPENED, name=M("report-3")), "c0de"),
    ev(-890, Asked(1, "select", M("SELECT * FROM events a, events b"), ("select",), ("events",)), "c0de"),
    ev(-888, Output(1, "notice", M("work_mem is 4MB")), "c0de"),
    ev(-700, Frozen("https://id.example#ops-1", True), "c0de"),
    ev(-690, KillAsked("ops-1", M("runaway join")), "c0de"),
    ev(-689.7, KillDone(True, "cancelled, terminated, gone from pg_stat_activity", 0.31), "c0de"),
    ev(-689.7, SessionClosed(M("terminated by ops-1: runaway join"), 1, 0, 40, 120), "c0de"),
]

RECORDINGS = (
    RecordingView("7f3a", M("etl-7"), "orders-db", "pg", NOW - 724, None, 41, 48_211, True),
    RecordingView("91c0", M("bot"), "orders-db", "pg", NOW - 190, None, 7, 3_120, True),
    RecordingView("c0de", M("report-3"), "orders-db", "pg", NOW - 900, NOW - 689.7, 1, 1_804, False),
    RecordingView("b001", M("ci-12"), "prod-eu", "k8s", NOW - 4000, NOW - 3300, 88, 912_004, False),
    RecordingView("0a11", M("qa-1"), "web-03", "ssh", NOW - 9000, NOW - 5000, 311, 7_204_118, False),
)


def journal() -> list[JournalLine]:
    events = [
        Event(NOW - 5000, "", GatewayStarted("0.1.0", "1f3c9a02", ("pg 0.0.0.0:5432", "ssh 0.0.0.0:2222"))),
        *KILLED_TRANSCRIPT[:2],
        *KILLED_TRANSCRIPT[3:],
        TRANSCRIPT[0],
        Event(
            NOW - 300,
            "",
            LoginFailed(
                "token-expired", "postgres", M("orders-db"), "10.2.0.99:40112", M("the token ended 14 min ago")
            ),
        ),
        *(one for one in HELD_TRANSCRIPT if not isinstance(one.body, Header)),
    ]
    events.sort(key=lambda one: one.at)
    first = 18422 - len(events) + 1
    return [JournalLine(first + index, event) for index, event in enumerate(events)]


def busy(**changes: object) -> SceneDesk:
    """The world of design.md's picture."""
    desk = SceneDesk(
        Snapshot(health(**changes), SESSIONS, HELD, LEASES, GRANTS, BLOCKS),
        transcripts={"7f3a": list(TRANSCRIPT), "91c0": list(HELD_TRANSCRIPT), "c0de": list(KILLED_TRANSCRIPT)},
        lines=journal(),
        kept=RECORDINGS,
        verified=VerifyView(0, 18422, 36, 9, (), 0.22),
    )
    desk._count()
    return desk


def asking() -> SceneDesk:
    """A busy world in which somebody asks for access, and somebody is on it."""
    desk = busy()
    claimed = replace(ACCESS, claimed="ops-4", claimed_at=NOW - 9)
    desk.state = replace(desk.state, sessions=(WAITING, *desk.state.sessions), held=(*desk.state.held, claimed))
    desk._count()
    return desk


def glass(number: int, at: float = NOW) -> Event:
    """Somebody let their own request go alone, in an emergency."""
    reason = M("INC-814: customers are locked out")
    key = "https://id.example#bot"
    return Event(at, "91c0", Voted(number, 1, key, M("bot"), True, reason, "once", 900.0, break_glass=True))


def empty() -> SceneDesk:
    return SceneDesk(Snapshot(health(journal_records=1), (), ()))
