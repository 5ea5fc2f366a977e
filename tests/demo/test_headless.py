"""The scripted operator against a desk that keeps score, and the count against journals made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from hooptui.core.desk import Command, Health, HeldView, JournalLine, Outcome, SessionView, Snapshot, VerifyView
from hooptui.core.events import (
    Asked,
    Body,
    CredentialMinted,
    CredentialRemoved,
    Decided,
    Event,
    Finished,
    GatewayStarted,
    GrantGiven,
    Held,
    KillDone,
    Rows,
    SessionOpened,
)
from hooptui.core.gate import Masked, Why
from hooptui.demo import headless
from hooptui.demo.canaries import Canaries
from hooptui.demo.headless import Operator, count, journal, result

M = Masked
HEALTH = Health("demo", 1_000.0, (), 0, 0, 0.0, True, 0, "", 0.0, "v1")


def held(number: int) -> HeldView:
    return HeldView(
        number, "s1", M("bot"), "orders-db", "pg", 0.0, 600.0, M("UPDATE"), "update", (), (), "no-where", "", "high", ("dba",), 1, 0,
        ("once",), 0.0, True,
    )  # fmt: skip


def session(name: str, state: str, last_at: float) -> SessionView:
    return SessionView(
        name,
        M("bot"),
        "i#bot",
        ("agents",),
        "workload",
        "orders-db",
        "pg",
        "127.0.0.1:1",
        M(""),
        0.0,
        None,
        1,
        0,
        0,
        state,
        M(""),
        last_at,
    )


class Score:
    """A desk of snapshots; commands settle what they name, unless told to fail."""

    readonly = False

    def __init__(self, snapshot: Snapshot, refuse: Sequence[str] = ()) -> None:
        self.now = snapshot
        self.refuse = list(refuse)
        self.ran: list[tuple[str, Mapping[str, str]]] = []

    async def snapshot(self) -> Snapshot:
        return self.now

    async def run(self, command: Command) -> Outcome:
        self.ran.append((command.verb, command.args))
        if command.verb in self.refuse:
            self.refuse.remove(command.verb)
            return Outcome(False, "settled elsewhere")
        number, name = command.args.get("number"), command.args.get("session")
        self.now = replace(
            self.now,
            held=tuple(one for one in self.now.held if str(one.number) != number),
            sessions=tuple(one for one in self.now.sessions if one.id != name),
        )
        return Outcome(True, "done")


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(headless, "GRACE", 60.0)


async def test_approves_the_first_denies_the_next_kills_one_and_looks_on() -> None:
    sessions = (
        session("quick", "running", 999.8),
        session("idle", "live", 0.0),
        session("away", "running", 990.0),
        session("too", "running", 980.0),
    )
    hosts = [replace(held(number), via="ssh") for number in (3, 8)]
    clusters = [replace(held(number), via="k8s") for number in (6, 10)]
    sessions = (replace(session("slow", "running", 0.0), via="ssh"), *sessions)
    desk = Score(
        Snapshot(
            HEALTH, sessions, (hosts[0], held(4), replace(held(5), access=True), held(7), hosts[1], held(9), *clusters)
        )
    )
    operator = Operator(desk)  # type: ignore[arg-type]
    await operator.work(0.02)
    assert operator.done and not operator.troubles
    assert [(verb, args.get("number", args.get("session"))) for verb, args in desk.ran] == [
        ("approve", "3"),
        ("approve", "4"),
        ("approve", "5"),
        ("deny", "7"),
        ("approve", "6"),
        ("kill", "away"),
    ]
    assert all(args["reason"] for _, args in desk.ran) and desk.ran[0][1]["scope"] == "once"
    assert desk.ran[2][1]["lasts"] == "5m"
    assert [one.number for one in desk.now.held] == [8, 9, 10]


async def test_a_command_that_fails_is_told_and_tried_again() -> None:
    desk = Score(
        Snapshot(
            HEALTH,
            (session("away", "running", 0.0),),
            (held(1), held(2), replace(held(3), access=True), replace(held(4), via="ssh"), replace(held(5), via="k8s")),
        ),
        refuse=["approve", "deny", "kill"],
    )
    operator = Operator(desk)  # type: ignore[arg-type]
    await operator.work(0.02)
    assert operator.done and operator.troubles == [
        "approve: settled elsewhere",
        "kill: settled elsewhere",
        "deny: settled elsewhere",
    ]


async def test_with_nothing_to_do_it_ends_after_its_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless, "GRACE", 0.05)
    operator = Operator(Score(Snapshot(HEALTH, (), ())))  # type: ignore[arg-type]
    await operator.work(0.0)
    assert not operator.done
    assert await operator.until_quiet(1.0)
    busy = Operator(Score(Snapshot(replace(HEALTH, live=1), (), ())))  # type: ignore[arg-type]
    assert not await busy.until_quiet(0.01)


OPENED = SessionOpened(
    "i", "bot", M("bot"), ("agents",), "workload", "orders-db", "postgres", "127.0.0.1:1", M(""), None, "v1"
)
FULL = (
    GatewayStarted("1", "v1", ()),
    OPENED,
    Asked(1, "select", M("SELECT 1"), ("select",), ()),
    Decided(1, "allow", "policy", ("a",), "", "v1"),
    Finished(1, M("SELECT 1"), True, 1, 3, 0.1),
    Asked(2, "drop", M("DROP TABLE t"), ("drop",), ()),
    Decided(2, "deny", Why.POLICY, ("d",), "", "v1"),
    Held(3, 1, "no-where", "", ("dba",), 1, "high", 1.0),
    Decided(3, "allow", "approved", ("a",), "", "v1", 1, "local#ops-1"),
    Finished(3, M("UPDATE 1"), True, 0, 4, 0.1),
    Held(4, 2, "no-where", "", ("dba",), 1, "high", 1.0),
    Decided(4, "deny", Why.DENIED, ("a",), "", "v1", 2, "local#ops-1"),
    Held(5, 3, "no-where", "", ("dba",), 1, "high", 1.0),
    Decided(5, "deny", Why.EXPIRED, ("a",), "", "v1", 3),
    KillDone(False, "not seen to be gone", 1.0),
    KillDone(True, "gone", 0.1),
    GrantGiven(1, "fingerprint", "r", 9.0),
    GrantGiven(2, "access", "r", 9.0),
    CredentialMinted("role", "hooptui_x", 9.0),
    CredentialRemoved("support-db", "role", "hooptui_y", False, "still there"),
    CredentialRemoved("support-db", "role", "hooptui_x", True, "gone from pg_roles"),
)
HOST = (
    replace(OPENED, target="web-01", protocol="ssh"),
    Asked(1, "exec", M("rm -rf releases"), ("exec",), ()),
    Decided(1, "deny", Why.POLICY, ("n",), "", "v1"),
    Held(2, 4, "changes", "", ("dba",), 1, "medium", 1.0),
    Decided(2, "allow", "approved", ("a",), "", "v1", 4, "local#ops-1"),
    Finished(2, M("exit 0"), True, 0, 5, 0.1),
)
CLUSTER = (
    replace(OPENED, target="prod-eu", protocol="kubernetes"),
    Asked(1, "delete", M("DELETE /api/v1/namespaces/shop"), ("delete",), ()),
    Decided(1, "deny", Why.POLICY, ("n",), "", "v1"),
    Held(2, 5, "deletes", "", ("dba",), 1, "high", 1.0),
    Decided(2, "allow", "approved", ("a",), "", "v1", 5, "local#ops-1"),
    Finished(2, M("200"), True, 0, 2, 0.1),
)
TALLY = {
    "sessions": 3, "operations": 4, "masked_values": 14, "held": 5, "approved": 3, "denied_by_operator": 1, "denied_by_policy": 3,
    "killed": 1, "let_in": 1, "roles_made": 1, "roles_gone": 1,
}  # fmt: skip
EACH = {
    "postgres": {"sessions": 1, "operations": 2, "masked_values": 7, "held": 3, "approved": 1, "denied_by_policy": 1},
    "ssh": {"sessions": 1, "operations": 1, "masked_values": 5, "held": 1, "approved": 1, "denied_by_policy": 1},
    "kubernetes": {"sessions": 1, "operations": 1, "masked_values": 2, "held": 1, "approved": 1, "denied_by_policy": 1},
}
RECORDS = len(FULL) + len(HOST) + len(CLUSTER)


def written(without: type[Body] | None = None, *, host: bool = True) -> list[JournalLine]:
    """All sessions' records, without those of one kind."""
    all_of_them = (
        [("s1", body) for body in FULL] + [("s2", body) for body in HOST if host] + [("s3", body) for body in CLUSTER]
    )
    kept = [(name, body) for name, body in all_of_them if without is None or not isinstance(body, without)]
    return [JournalLine(seq, Event(float(seq), name, body)) for seq, (name, body) in enumerate(kept, 1)]


def test_counts_are_the_journals() -> None:
    assert count(written()) == TALLY
    assert headless.by_protocol(written()) == EACH
    assert set(count([]).values()) == {0}


class Archive:
    """What was written: a journal in pages, transcripts in slices, a verdict."""

    def __init__(self, written: Sequence[JournalLine], events: Sequence[Event] = (), status: int = 0) -> None:
        self.written = written
        self.events = events
        self.status = status

    async def journal(self, *, before: int | None = None, limit: int = 200) -> tuple[JournalLine, ...]:
        older = [line for line in self.written if before is None or line.seq < before]
        return tuple(older[-3:])

    async def transcript(self, name: str, *, after: int = 0, limit: int = 2000) -> tuple[tuple[Event, ...], int]:
        events = self.events if name == "s1" else ()
        return tuple(events[after : after + 2]), min(after + 2, len(events))

    async def verify(self) -> VerifyView:
        return VerifyView(
            self.status, len(self.written), 1, 1, ("segment 1: hash differs at 4",) if self.status else (), 0.1
        )


async def judged(archive: Archive, places: Sequence[tuple[str, bytes]] = (), after: int = 0) -> headless.Result:
    return await result(archive, CANARIES.all(), places, after=after, troubles=["kill: no such session"])  # type: ignore[arg-type]


CANARIES = Canaries()


async def test_the_journal_is_read_whole_and_in_order() -> None:
    assert await journal(Archive(written())) == written()  # type: ignore[arg-type]


async def test_a_good_run() -> None:
    done = await judged(Archive(written()), [("received", b"nothing of note")])
    assert done.problems == ()
    assert done.summary == {
        **TALLY, "leaked": 0, "journal": {"records": RECORDS, "verified": True}, "protocols": EACH,
    }  # fmt: skip
    assert list(done.summary) == [
        "sessions", "operations", "masked_values", "held", "approved", "denied_by_operator", "denied_by_policy", "killed",
        "let_in", "roles_made", "roles_gone", "leaked", "journal", "protocols",
    ]  # fmt: skip


async def test_a_leak_anywhere_fails_the_run() -> None:
    secret = CANARIES.emails[0]
    for archive, places, where in (
        (Archive(written()), [("etl-7", f"x {secret} y".encode())], "etl-7"),
        (
            Archive(written(), [Event(0.0, "s1", Rows(1, ((M("a"),), (M(secret),)))) for _ in range(5)]),
            [],
            "transcript s1",
        ),
    ):
        done = await judged(archive, places)
        assert done.summary["leaked"] == 1
        assert done.problems == (f"leaked: a canary (email) is in {where}", "kill: no such session")
        assert secret not in repr(done)


@pytest.mark.parametrize(
    "missing",
    [
        GatewayStarted,
        SessionOpened,
        Asked,
        Decided,
        Finished,
        Held,
        KillDone,
        GrantGiven,
        CredentialMinted,
        CredentialRemoved,
    ],
)
async def test_a_count_of_zero_fails_the_run(missing: type[Body]) -> None:
    done = await judged(Archive(written(missing)))
    assert bool(done.problems) is (missing is not GatewayStarted)


async def test_a_protocol_that_showed_nothing_fails_the_run() -> None:
    done = await judged(Archive(written(host=False)))
    assert done.problems[:2] == (
        "nothing was counted as sessions over ssh",
        "nothing was counted as operations over ssh",
    )
    assert len(done.problems) == len(EACH["ssh"]) + 1


async def test_a_broken_journal_fails_the_run() -> None:
    done = await judged(Archive(written(), status=1))
    assert done.summary["journal"] == {"records": RECORDS, "verified": False}
    assert done.problems[0] == "journal: segment 1: hash differs at 4"


async def test_what_an_earlier_run_did_in_the_same_directory_does_not_count() -> None:
    done = await judged(Archive(written()), after=RECORDS)
    assert {name for name, value in done.summary.items() if value == 0} == {*TALLY, "leaked"}
    assert len(done.problems) == len(TALLY) + sum(map(len, EACH.values())) + 1
